/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What tests of the registry of operations share: clients that remember their answers,
 * and requests as the engine makes them.
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

#include "server/core/answer.h"
#include "server/core/operation.h"
#include "virtgate/cleanup.h"

#define LATER (vg_now_ns() + 1000 * VG_SECOND_NS)

static struct vg_reply no_handler(struct vg_request *rq)
{
    return vg_no_content(rq);
}

static const struct vg_route show_route = {
    VG_GET,     "/operations/{operation}", "get",
    no_handler, .needs = "domain:read",    .runs_on = VG_ON_OPERATION};

/* What a client was answered. */
struct client {
    atomic_int answers;
    int status;
    char location[64], body[1024];
};

static void take_answer(struct vg_request *rq, struct vg_reply reply)
{
    struct client *c = rq->done_data;
    c->status = reply.status;
    snprintf(c->location, sizeof(c->location), "%s",
             reply.location ? reply.location : "");
    snprintf(c->body, sizeof(c->body), "%.*s", reply.body ? (int)reply.body->length : 0,
             reply.body ? reply.body->data : "");
    vg_reply_clear(&reply);
    atomic_fetch_add(&c->answers, 1);
}

/* What the engine does with a read that has waited. */
static void answer_watcher(struct vg_request *rq)
{
    struct vg_json w = {0};
    if (rq->watched) {
        vg_operation_write(rq, rq->watched, &w, NULL, NULL);
        vg_request_answer(rq, vg_ok_written(rq, &w));
    } else {
        vg_operation_set_missing(rq, vg_path(rq, "operation"));
        vg_request_answer(rq, vg_fail(rq));
    }
    vg_request_unref(rq);
}

static int set_up(void **state)
{
    (void)state;
    vg_operations_start(answer_watcher, &show_route);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vg_operations_clear();
    return 0;
}

static struct vg_request *make_request(const struct vg_route *route, const char *target,
                                       struct client *client, const char *prefer)
{
    struct vg_request *rq = vg_request_new();
    char unknown[VG_PERMISSION_SIZE];
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = route;
    assert_int_equal(vg_permissions_parse(route->needs, &rq->needs, unknown), 0);
    rq->method = route->method;
    rq->start_ns = vg_now_ns();
    rq->deadline_ns = LATER;
    rq->done = take_answer;
    rq->done_data = client;
    if (prefer)
        vg_prefer_read(&rq->prefer, prefer);
    return rq;
}

/* GET of an operation as the engine does it. */
static inline void ask(const char *path, struct client *client)
{
    *client = (struct client){0};
    struct vg_request *rq = make_request(&show_route, path, client, NULL);
    vg_operation_attach(rq);
    if (!vg_operation_await(rq))
        answer_watcher(rq);
}

static size_t count_listed(struct vg_operation_filter filter, char **ret_next)
{
    struct vg_request rq = {0};
    struct vg_json w = {0};
    size_t n;
    vg_json_begin_object(&w, NULL);
    bool listed = vg_operations_list(&rq, &w, &filter, ret_next) == 0;
    vg_json_end_object(&w);
    vg_autofree char *text = vg_json_finish(&w, &n);
    if (!listed) {
        assert_int_equal(rq.error.status, 400);
        vg_error_clear(&rq.error);
        return SIZE_MAX;
    }
    json_auto_t *list = json_loads(text, 0, NULL);
    assert_non_null(list);
    return json_array_size(json_object_get(list, "operations"));
}

static inline size_t count_all(void)
{
    char *next = NULL;
    return count_listed((struct vg_operation_filter){0}, &next);
}

static inline size_t count_states(enum vg_operation_state state)
{
    char *next = NULL;
    return count_listed((struct vg_operation_filter){.states = 1U << state}, &next);
}

/* The first thread is given the request, the last one its operation. Whoever comes first,
 * the client is answered once and the operation has ended. */
static inline void race(void *(*const run[3])(void *), struct vg_request *rq,
                        const struct client *client)
{
    pthread_t threads[3];
    struct vg_operation *op = vg_operation_ref(rq->operation);
    void *data[] = {rq, NULL, op};

    for (size_t t = 0; t < 3; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, run[t], data[t]), 0);
    for (size_t t = 0; t < 3; t++)
        pthread_join(threads[t], NULL);
    assert_int_equal(client->answers, 1);
    assert_false(vg_operation_request_cancel(op));
    vg_operation_unref(op);
}
