/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What tests of queues share: instead of a host, runs wait here for a permit.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/core/queue.h"
#include "server/libvirt/conn.h"
#include "virtgate/cleanup.h"

#define SECOND_NS  ((int64_t)1000000000)
#define MAX_ASKED  32
#define PATIENCE_S 20

/* What one client got. */
struct asked {
    struct bench *bench;
    struct vg_request *rq; /* counted, to look at it afterwards */
    int status;            /* 0: not answered */
    unsigned int answers, retry_after;
    char body[512];
};

struct bench {
    struct vg_queue queue;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned int begun, ended; /* runs */
    unsigned int permits;      /* runs that may end */
    char order[256];           /* targets, as they were begun */
    struct asked asked[MAX_ASKED];
    size_t n_asked;
};

static const struct vg_route shared_route = {
    VG_GET, "/domains/{domain}", "get", NULL, .needs = "domain:read", .shared = true};
static const struct vg_route change_route = {VG_POST, "/domains/{domain}/start", "start",
                                             NULL, .needs = "domain:write"};
static const struct vg_route list_route = {
    VG_GET, "/domains", "list", NULL, .needs = "domain:read", .shared = true};

static inline struct vg_reply run(void *data, struct vg_virt_conn *conn,
                                  struct vg_request *rq)
{
    struct bench *b = data;
    assert_non_null(conn);
    VG_LOCK(&b->lock);
    size_t n = strlen(b->order);
    snprintf(b->order + n, sizeof(b->order) - n, "%s ", rq->target);
    unsigned int number = ++b->begun;
    pthread_cond_broadcast(&b->wake);
    while (!b->permits)
        pthread_cond_wait(&b->wake, &b->lock);
    b->permits--;
    b->ended++;
    pthread_cond_broadcast(&b->wake);
    if (strstr(rq->target, "fail")) {
        vg_error_set(&rq->error, VG_E_NOT_FOUND, "no such domain");
        return vg_fail(rq);
    }
    struct vg_reply reply = vg_ok(rq, json_pack("{s:i}", "run", number));
    return strstr(rq->target, "later") && number < 3 ? vg_not_yet(reply, 1000) : reply;
}

static inline void take_answer(struct vg_request *rq, struct vg_reply reply)
{
    struct asked *a = rq->done_data;
    VG_LOCK(&a->bench->lock);
    a->status = reply.status;
    a->retry_after = reply.retry_after;
    a->answers++;
    if (reply.body)
        snprintf(a->body, sizeof(a->body), "%.*s", (int)reply.body->length,
                 reply.body->data);
    vg_reply_clear(&reply);
    pthread_cond_broadcast(&a->bench->wake);
}

static inline struct bench *open_bench(unsigned int threads, unsigned int max_waiting)
{
    struct bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->wake, NULL);
    vg_queue_init(&b->queue, threads, max_waiting);
    b->queue.conns = &vg_virt_conns;
    b->queue.run = run;
    b->queue.data = b;
    return b;
}

static inline void permit(struct bench *b, unsigned int n)
{
    VG_LOCK(&b->lock);
    b->permits += n;
    pthread_cond_broadcast(&b->wake);
}

/* Ends all runs; every request was answered, once. */
static inline void close_bench(struct bench *b)
{
    permit(b, 1000);
    vg_queue_stop(&b->queue);
    for (size_t i = 0; i < b->n_asked; i++) {
        assert_int_equal(b->asked[i].answers, 1);
        vg_request_unref(b->asked[i].rq);
    }
    assert_int_equal(b->begun, b->ended);
    free(b);
}

static inline struct asked *prepare(struct bench *b, const struct vg_route *route,
                                    const char *target, double seconds)
{
    struct asked *a = &b->asked[b->n_asked++];
    struct vg_request *rq = vg_request_new();
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    *a = (struct asked){.bench = b, .rq = rq};
    rq->route = route;
    rq->method = route->method;
    rq->done = take_answer;
    rq->done_data = a;
    rq->start_ns = vg_now_ns();
    rq->deadline_ns = rq->start_ns + (int64_t)(seconds * 1e9);
    return a;
}

static inline struct asked *submit(struct asked *a)
{
    vg_queue_submit(&a->bench->queue, vg_request_ref(a->rq),
                    vg_request_object_key(a->rq));
    return a;
}

static inline struct asked *ask(struct bench *b, const struct vg_route *route,
                                const char *target)
{
    return submit(prepare(b, route, target, 1000));
}

/* Waits until *counter is `want`; more than that is a failure, too. */
static inline void wait_for(struct bench *b, const unsigned int *counter,
                            unsigned int want)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    VG_LOCK(&b->lock);
    int rc = 0;
    while (*counter < want && rc == 0)
        rc = pthread_cond_timedwait(&b->wake, &b->lock, &until);
    assert_int_equal(*counter, want);
}

static inline void wait_answer(struct asked *a, int status, const char *words)
{
    wait_for(a->bench, &a->answers, 1);
    VG_LOCK(&a->bench->lock);
    assert_int_equal(a->status, status);
    if (!strstr(a->body, words))
        fail_msg("%s does not say %s", a->body, words);
}

/* Long enough for a thread to begin what it must not. */
static inline void pause_a_little(void)
{
    const struct timespec t = {.tv_nsec = 30000000};
    nanosleep(&t, NULL);
}

static inline void expect_count(struct bench *b, unsigned int in_flight,
                                unsigned int waiting)
{
    struct vg_queue_load load = vg_queue_load(&b->queue);
    assert_int_equal(load.in_flight, in_flight);
    assert_int_equal(load.waiting, waiting);
    assert_true(load.threads <= b->queue.max_threads);
}
