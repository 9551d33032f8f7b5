/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Many threads publish, many watch, and watches come and go: every watcher sees each
 * event that it wants once, and in order.
 */
#include "tests/unit/core/event_fixture.h"

enum { PUBLISHERS = 4, EACH = 1500, WATCHERS = 8 };

static const char *const hosts[PUBLISHERS] = {"h0", "h1", "h2", "h3"};

static void *publish_many(void *data)
{
    const struct vg_event_source source = {
        .host = data, .object = VG_EVENT_NETWORK, .name = "lifecycle", .id = -1};
    for (int i = 0; i < EACH; i++)
        publish_numbered(&source, i);
    return NULL;
}

struct reader {
    struct watcher w;
    const char *host; /* NULL: all */
    unsigned int wanted, seen;
    int64_t next_of[PUBLISHERS];
    bool wrong;
};

static void take_event(struct reader *r, const struct vg_event *e, uint64_t *last)
{
    json_t *tree = json_loadb(e->json, e->json_size, 0, NULL);
    size_t publisher = (size_t)(e->host[1] - '0');
    int64_t n = json_integer_value(json_object_get(tree, "n"));
    json_decref(tree);
    r->wrong = r->wrong || e->number <= *last || n != r->next_of[publisher]++ ||
               (r->host && strcmp(r->host, e->host) != 0);
    *last = e->number;
    r->seen++;
}

/* Reads until it has seen all; a false wake or a lost one shows as a time-out. */
static void *read_all(void *data)
{
    struct reader *r = data;
    uint64_t last = 0;
    while (r->seen < r->wanted && !r->wrong) {
        struct vg_event *e = NULL;
        switch (vg_subscriber_next(r->w.subscriber, &e)) {
        case VG_SUBSCRIBER_EVENT:
            take_event(r, e, &last);
            vg_event_unref(e);
            break;
        case VG_SUBSCRIBER_NONE:
            if (vg_subscriber_sleep(r->w.subscriber, NEVER) &&
                !wait_wake(&r->w, PATIENCE_S))
                r->wrong = true;
            break;
        default:
            r->wrong = true;
        }
    }
    return NULL;
}

/* Watches that come and go beside the others. */
static void *come_and_go(void *data)
{
    atomic_bool *stop = data;
    while (!atomic_load(stop)) {
        struct watcher w;
        open_watcher(&w, &all, false);
        if (vg_subscriber_sleep(w.subscriber, vg_now_ns() + VG_SECOND_NS / 1000) &&
            !wait_wake(&w, PATIENCE_S))
            abort();
        close_watcher(&w);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t publishers[PUBLISHERS], readers[WATCHERS], churn[2];
    static struct reader r[WATCHERS];
    atomic_bool stop = false;

    for (int i = 0; i < WATCHERS; i++) {
        r[i] = (struct reader){.host = i < PUBLISHERS ? hosts[i] : NULL};
        r[i].wanted = r[i].host ? EACH : EACH * PUBLISHERS;
        open_watcher(&r[i].w, &(struct vg_event_filter){.hosts = r[i].host}, false);
        pthread_create(&readers[i], NULL, read_all, &r[i]);
    }
    for (int i = 0; i < 2; i++)
        pthread_create(&churn[i], NULL, come_and_go, &stop);
    for (int i = 0; i < PUBLISHERS; i++)
        pthread_create(&publishers[i], NULL, publish_many, (void *)(uintptr_t)hosts[i]);
    for (int i = 0; i < PUBLISHERS; i++)
        pthread_join(publishers[i], NULL);
    for (int i = 0; i < WATCHERS; i++)
        pthread_join(readers[i], NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(churn[i], NULL);
    for (int i = 0; i < WATCHERS; i++) {
        assert_false(r[i].wrong);
        assert_int_equal(r[i].seen, r[i].wanted);
        assert_int_equal(next(&r[i].w), 0);
        close_watcher(&r[i].w);
    }
}

static int start_ring(void **state)
{
    (void)state;
    return vg_events_start(PUBLISHERS * EACH);
}

static int stop_ring(void **state)
{
    (void)state;
    vg_events_end_all(true);
    vg_events_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, start_ring, stop_ring);
}
