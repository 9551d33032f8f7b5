/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The ring of events: revisions, filters, waking, loss, the end. The ring is one for the
 * program, so each test subscribes from where it begins.
 */
#include "tests/unit/core/event_fixture.h"

#define CAPACITY   16384
#define UUID       "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define OTHER_UUID "8b4a2a70-3f4b-4a53-9d0c-3f6f0e0f7c11"

/* ---- publishing -------------------------------------------------------------------- */

static void publish(const struct vg_event_source *source)
{
    publish_numbered(source, 1);
}

static const struct vg_event_source started = {
    "default", VG_EVENT_DOMAIN, "lifecycle", "web", UUID, NULL, 7, NULL};
static const struct vg_event_source rebooted = {
    "default", VG_EVENT_DOMAIN, "reboot", "web", UUID, NULL, 7, NULL};
static const struct vg_event_source inactive = {
    "default", VG_EVENT_DOMAIN, "lifecycle", "old", OTHER_UUID, NULL, -1, NULL};
static const struct vg_event_source elsewhere = {
    "rack2", VG_EVENT_DOMAIN, "lifecycle", "web", UUID, NULL, 7, NULL};
static const struct vg_event_source network = {
    "default", VG_EVENT_NETWORK, "lifecycle", NULL, NULL, NULL, -1, NULL};
static const struct vg_event_source monitor = {
    "default", VG_EVENT_QEMU_MONITOR, "monitor", "web", UUID, "STOP", 7, NULL};
static const struct vg_event_source reset = {
    "default", VG_EVENT_CONNECTION, VG_EVENT_RESET, NULL, NULL, NULL, -1, NULL};
static const struct vg_event_source closed = {
    "default", VG_EVENT_CONNECTION, "closed", NULL, NULL, NULL, -1, NULL};

/* ---- watching ---------------------------------------------------------------------- */

static enum vg_subscriber_state next_state(struct watcher *w)
{
    struct vg_event *event = NULL;
    enum vg_subscriber_state state = vg_subscriber_next(w->subscriber, &event);
    vg_event_unref(event);
    return state;
}

/* ---- tests ------------------------------------------------------------------------- */

static void test_order(void **state)
{
    (void)state;
    struct watcher w, late;
    open_watcher(&w, &all, false);
    uint64_t before = vg_event_head();
    assert_int_equal(next(&w), 0);
    for (int i = 0; i < 10; i++)
        publish(&started);
    assert_int_equal(vg_event_head(), before + 10);
    open_watcher(&late, &all, false);
    for (unsigned int i = 1; i <= 10; i++)
        assert_int_equal(next(&w), before + i);
    assert_int_equal(next(&w), 0);
    assert_int_equal(next(&late), 0);
    close_watcher(&w);
    close_watcher(&late);
}

/* The whole frame, as it goes over the wire. */
static void expect_frame(const struct vg_event_source *source, const char *first_line,
                         const char *rest)
{
    char revision[VG_REVISION_SIZE], head[200];
    struct vg_event *e = NULL;
    struct watcher w;

    open_watcher(&w, &all, true);
    publish(source);
    assert_int_equal(vg_subscriber_next(w.subscriber, &e), VG_SUBSCRIBER_EVENT);
    vg_event_write_revision(revision, e->number);
    int n = snprintf(head, sizeof(head),
                     "%sid: %s\ndata: {\"id\":\"%s\",\"revision\":\"%s\","
                     "\"time\":\"",
                     first_line, revision, revision, revision);
    vg_autofree char *frame = strndup(e->text, e->frame_size);
    vg_autofree char *json = strndup(e->json, e->json_size);
    assert_int_equal(strlen(frame), e->frame_size);
    assert_memory_equal(frame, head, (size_t)n);
    assert_string_equal(frame + n + strlen("2026-11-23T05:26:39.123456Z"), rest);
    json_t *tree = json_loads(json, 0, NULL);
    assert_non_null(tree);
    json_decref(tree);
    vg_event_unref(e);
    close_watcher(&w);
}

static void test_frames(void **state)
{
    (void)state;
    expect_frame(&started, "",
                 "\",\"host\":\"default\",\"object\":\"domain\",\"event\":\"lifecycle\","
                 "\"domain\":{\"name\":\"web\",\"uuid\":\"" UUID
                 "\",\"id\":7},\"n\":1}\n\n");
    expect_frame(&inactive, "",
                 "\",\"host\":\"default\",\"object\":\"domain\",\"event\":\"lifecycle\","
                 "\"domain\":{\"name\":\"old\",\"uuid\":\"" OTHER_UUID
                 "\",\"id\":null},\"n\":1}\n\n");
    expect_frame(&network, "",
                 "\",\"host\":\"default\",\"object\":\"network\",\"event\":\"lifecycle\","
                 "\"n\":1}\n\n");
    expect_frame(&reset, "event: reset\n",
                 "\",\"host\":\"default\",\"object\":\"connection\",\"event\":\"reset\","
                 "\"n\":1}\n\n");
}

static void test_revisions(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "",
        "x",
        "-",
        "-5",
        "5",
        "5-",
        "a-x",
        "a--",
        "a- 5",
        "a-+5",
        "a-5x",
        "a-5 ",
        "a-18446744073709551616",
        "a-1111111111111111111111111111111111111111111111"};
    char text[VG_REVISION_SIZE], other[VG_REVISION_SIZE + 1];
    uint64_t number = 0, head = vg_event_head();

    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        if (vg_event_read_revision(malformed[i], &number) != VG_REVISION_MALFORMED)
            fail_msg("'%s' is taken for a revision", malformed[i]);
    vg_event_write_revision(text, head);
    assert_int_equal(vg_event_read_revision(text, &number), VG_REVISION_GOOD);
    assert_int_equal(number, head);
    /* of another run: another epoch, longer, shorter */
    snprintf(other, sizeof(other), "f%s", text);
    assert_int_equal(vg_event_read_revision(other, &number), VG_REVISION_GONE);
    assert_int_equal(vg_event_read_revision(text + 1, &number), VG_REVISION_GONE);
    assert_int_equal(vg_event_read_revision("0-0", &number), VG_REVISION_GONE);
    assert_int_equal(vg_event_read_revision("0-9", &number), VG_REVISION_GONE);
    /* the longest that any run gives, and one more */
    memset(other, 'f', sizeof(other));
    memcpy(other + VG_REVISION_SIZE - 3, "-1", 3);
    assert_int_equal(vg_event_read_revision(other, &number), VG_REVISION_GONE);
    other[VG_REVISION_SIZE - 3] = 'f';
    memcpy(other + VG_REVISION_SIZE - 2, "-1", 3);
    assert_int_equal(vg_event_read_revision(other, &number), VG_REVISION_MALFORMED);
    vg_event_write_revision(text, head + 1); /* has not happened */
    assert_int_equal(vg_event_read_revision(text, &number), VG_REVISION_GONE);
    vg_event_write_revision(text, UINT64_MAX);
    assert_int_equal(vg_event_read_revision(text, &number), VG_REVISION_GONE);
}

/* The oldest revision from which nothing is missing, and the one before it. */
static void test_kept(void **state)
{
    (void)state;
    char text[VG_REVISION_SIZE];
    uint64_t number;

    for (int i = 0; i < CAPACITY + 10; i++)
        publish(&started);
    uint64_t head = vg_event_head();
    vg_event_write_revision(text, head - CAPACITY);
    assert_int_equal(vg_event_read_revision(text, &number), VG_REVISION_GOOD);
    struct watcher w;
    open_watcher(&w, &all, false);
    vg_subscriber_free(w.subscriber);
    w.subscriber = vg_subscriber_new(&all, number, false);
    for (unsigned int i = 1; i <= CAPACITY; i++)
        assert_int_equal(next(&w), number + i);
    assert_int_equal(next(&w), 0);
    close_watcher(&w);
    vg_event_write_revision(text, head - CAPACITY - 1);
    assert_int_equal(vg_event_read_revision(text, &number), VG_REVISION_GONE);
    vg_event_write_revision(text, 0);
    assert_int_equal(vg_event_read_revision(text, &number), VG_REVISION_GONE);
}

static const struct {
    struct vg_event_filter filter;
    const char *wants; /* of the events below, one letter each */
} filters[] = {
    {{0}, "srioen-Rc"}, /* everything but the monitor */
    {{.objects = VG_EVENT_DOMAIN}, "srioe--R-"},
    {{.objects = VG_EVENT_NETWORK | VG_EVENT_CONNECTION}, "-----n-Rc"},
    {{.objects = VG_EVENT_QEMU_MONITOR}, "-------R-"},
    {{.objects = VG_EVENT_SECRET}, "-------R-"},
    {{.events = "reboot"}, "-r-----R-"},
    {{.events = "reboot,lifecycle"}, "srioen-R-"},
    {{.events = "boot"}, "-------R-"},
    {{.events = "reboots"}, "-------R-"},
    {{.events = "closed,x,"}, "-------Rc"},
    {{.hosts = "default"}, "sri--n-Rc"},
    {{.hosts = "rack2"}, "---oe----"},
    {{.hosts = "rack2,default"}, "srioen-Rc"},
    {{.hosts = "rack"}, "---------"},
    {{.domain = "web"}, "sr-oe--R-"},
    {{.domain = "old"}, "--i----R-"},
    {{.domain = "WEB"}, "-------R-"},
    {{.domain = "7"}, "sr-oe--R-"},
    {{.domain = "-1"}, "-------R-"},
    {{.domain = UUID}, "sr-oe--R-"},
    {{.domain = "6695EB01-F6A4-8304-79AA-97F2502E193F"}, "sr-oe--R-"},
    {{.uuid = OTHER_UUID}, "--i----R-"},
    {{.uuid = "web"}, "-------R-"},
    {{.objects = VG_EVENT_DOMAIN,
      .events = "lifecycle",
      .hosts = "default",
      .domain = "web"},
     "s------R-"},
    {{.objects = VG_EVENT_NETWORK, .domain = "web"}, "-------R-"},
};

/* Letters: started, rebooted, inactive, o and e of another host, network, monitor, Reset,
 * closed. */
static const struct vg_event_source *const sources[] = {&started,   &rebooted,  &inactive,
                                                        &elsewhere, &elsewhere, &network,
                                                        &monitor,   &reset,     &closed};

static void test_filters(void **state)
{
    (void)state;
    enum { N = sizeof(sources) / sizeof(sources[0]) };
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        struct watcher w;
        open_watcher(&w, &filters[i].filter, false);
        uint64_t before = vg_event_head();
        for (size_t j = 0; j < N; j++)
            publish(sources[j]);
        char seen[N + 1] = "";
        memset(seen, '-', N);
        for (uint64_t n; (n = next(&w)) != 0;)
            seen[n - before - 1] = filters[i].wants[n - before - 1];
        if (strcmp(seen, filters[i].wants) != 0 || strlen(filters[i].wants) != N)
            fail_msg("filter %zu sees %s, should see %s", i, seen, filters[i].wants);
        assert_int_equal(vg_subscriber_seen(w.subscriber), vg_event_head());
        close_watcher(&w);
    }
}

static void test_monitor_is_for_admins(void **state)
{
    (void)state;
    struct watcher viewer, admin;
    open_watcher(&viewer, &(struct vg_event_filter){.uuid = UUID}, false);
    open_watcher(&admin, &(struct vg_event_filter){.uuid = UUID}, true);
    publish(&monitor);
    assert_int_equal(next(&viewer), 0);
    assert_int_equal(next(&admin), vg_event_head());
    close_watcher(&viewer);
    close_watcher(&admin);
}

/* Those that an admin wants of QEMU's own; a reset comes in any case. */
static void test_monitor_names(void **state)
{
    (void)state;
    static const struct {
        struct vg_event_filter filter;
        bool wanted;
    } rows[] = {
        {{.monitor = "STOP"}, true},
        {{.monitor = "RESUME,STOP"}, true},
        {{.monitor = "stop"}, false},
        {{.monitor = "stop", .monitor_match = VG_MATCH_NOCASE}, true},
        {{.monitor = "^S"}, false},
        {{.monitor = "^S", .monitor_match = VG_MATCH_REGEX}, true},
        {{.monitor = "^R", .monitor_match = VG_MATCH_REGEX}, false},
        {{.monitor = "STOP", .uuid = OTHER_UUID}, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct watcher w;
        open_watcher(&w, &rows[i].filter, true);
        publish(&started);
        publish(&monitor);
        uint64_t number = next(&w);
        if (number != (rows[i].wanted ? vg_event_head() : 0))
            fail_msg("filter %zu is wrong", i);
        publish(&reset);
        assert_int_equal(next(&w), vg_event_head());
        close_watcher(&w);
    }
    assert_null(vg_subscriber_new(
        &(struct vg_event_filter){.monitor = "(", .monitor_match = VG_MATCH_REGEX}, 0,
        true));
}

/* The filter is the watch's own copy. */
static void test_filter_is_copied(void **state)
{
    (void)state;
    char host[] = "default", event[] = "lifecycle", domain[] = "web", uuid[] = UUID;
    struct watcher w;
    open_watcher(&w,
                 &(struct vg_event_filter){
                     .events = event, .hosts = host, .domain = domain, .uuid = uuid},
                 false);
    host[0] = event[0] = domain[0] = uuid[0] = '?';
    publish(&started);
    assert_int_equal(next(&w), vg_event_head());
    close_watcher(&w);
}

static void test_sleep(void **state)
{
    (void)state;
    struct watcher w;
    open_watcher(&w, &(struct vg_event_filter){.events = "reboot"}, false);
    publish(&rebooted);
    assert_false(
        vg_subscriber_sleep(w.subscriber, NEVER)); /* there is something already */
    assert_int_equal(next(&w), vg_event_head());
    assert_true(vg_subscriber_sleep(w.subscriber, NEVER));
    publish(&started); /* does not concern it */
    assert_false(wait_wake(&w, 0.05));
    for (int i = 0; i < 100; i++)
        publish(&rebooted);
    assert_true(wait_wake(&w, PATIENCE_S));
    assert_false(wait_wake(&w, 0.05));
    assert_int_equal(atomic_load(&w.wakes), 1); /* once for each sleep */
    for (int i = 0; i < 100; i++)
        assert_int_not_equal(next(&w), 0);
    assert_int_equal(next(&w), 0);
    assert_true(vg_subscriber_sleep(w.subscriber, NEVER));
    publish(&reset);
    assert_true(wait_wake(&w, PATIENCE_S));
    close_watcher(&w);
}

static void test_due(void **state)
{
    (void)state;
    struct watcher w, longer;
    open_watcher(&w, &all, false);
    open_watcher(&longer, &all, false);
    int64_t begun = vg_now_ns();
    assert_true(vg_subscriber_sleep(longer.subscriber, begun + VG_SECOND_NS / 3));
    assert_true(vg_subscriber_sleep(w.subscriber, begun + VG_SECOND_NS / 10));
    assert_true(wait_wake(&w, PATIENCE_S));
    assert_in_range(vg_now_ns() - begun, VG_SECOND_NS / 10, VG_SECOND_NS * 10);
    assert_int_equal(next(&w), 0);
    assert_true(wait_wake(&longer, PATIENCE_S));
    assert_in_range(vg_now_ns() - begun, VG_SECOND_NS / 3, VG_SECOND_NS * 10);
    assert_true(
        vg_subscriber_sleep(w.subscriber, begun)); /* due already: woken at once */
    assert_true(wait_wake(&w, PATIENCE_S));
    close_watcher(&w);
    close_watcher(&longer);
}

/* Who has not looked while the ring went round once has lost something, even when what is
 * lost would not have concerned it. */
static void test_lost(void **state)
{
    (void)state;
    struct vg_event_counts before, after;
    struct watcher w, sleeper;
    open_watcher(&w, &(struct vg_event_filter){.events = "reboot"}, false);
    open_watcher(&sleeper, &(struct vg_event_filter){.events = "watchdog"}, false);
    assert_true(vg_subscriber_sleep(sleeper.subscriber, NEVER));
    vg_event_count(&before);
    publish(&rebooted);
    for (int i = 0; i < CAPACITY; i++)
        publish(&started);
    assert_int_equal(next_state(&w), VG_SUBSCRIBER_LOST);
    assert_false(vg_subscriber_sleep(w.subscriber, NEVER));
    assert_int_equal(next_state(&w), VG_SUBSCRIBER_LOST); /* for good */
    vg_event_count(&after);
    assert_true(after.lost > before.lost);
    assert_int_equal(after.published, before.published + CAPACITY + 1);
    assert_int_equal(after.subscribers, before.subscribers);
    close_watcher(&w);
    vg_event_count(&after);
    assert_int_equal(after.subscribers, before.subscribers - 1);
    /* one that slept through what it did not want was kept up by the waking thread */
    publish(&(struct vg_event_source){"default", VG_EVENT_DOMAIN, "watchdog", "web", UUID,
                                      NULL, 7, NULL});
    assert_true(wait_wake(&sleeper, PATIENCE_S));
    close_watcher(&sleeper);
}

/* An event that there was no memory for: subscribers hear that they missed one. */
static void test_no_memory(void **state)
{
    (void)state;
    struct watcher w, late;
    struct vg_json failed = {.text.failed = true};
    open_watcher(&w, &(struct vg_event_filter){.events = "reboot"}, false);
    assert_true(vg_subscriber_sleep(w.subscriber, NEVER));
    uint64_t before = vg_event_head();
    vg_event_publish(&started, &failed);
    assert_int_equal(vg_event_head(), before + 1);
    assert_true(wait_wake(&w, PATIENCE_S));
    assert_int_equal(next_state(&w), VG_SUBSCRIBER_LOST);
    open_watcher(&late, &all, false);
    publish(&started);
    assert_int_equal(next(&late), before + 2);
    close_watcher(&w);
    close_watcher(&late);
}

/* An event outlives its place in the ring while somebody holds it. */
static void test_reference(void **state)
{
    (void)state;
    struct watcher w;
    struct vg_event *e = NULL;
    open_watcher(&w, &all, false);
    publish(&started);
    assert_int_equal(vg_subscriber_next(w.subscriber, &e), VG_SUBSCRIBER_EVENT);
    vg_event_unref(vg_event_ref(e));
    for (int i = 0; i < CAPACITY + 1; i++)
        publish(&rebooted);
    assert_string_equal(e->name, "lifecycle");
    assert_string_equal(e->domain, "web");
    assert_string_equal(e->uuid, UUID);
    vg_event_unref(e);
    vg_event_unref(NULL);
    close_watcher(&w);
}

/* ---- the end ----------------------------------------------------------------------- */

static void test_rewind(void **state)
{
    (void)state;

    publish(&(struct vg_event_source){"default", VG_EVENT_DOMAIN, "reboot", "a", "u-a",
                                      NULL, 1, NULL});
    uint64_t first = vg_event_head();
    publish(&(struct vg_event_source){"default", VG_EVENT_DOMAIN, "reboot", "b", "u-b",
                                      NULL, 2, NULL});
    struct vg_event_filter one = {.domain = "a"};
    struct vg_subscriber *w = vg_subscriber_new(&one, vg_event_head(), false);
    assert_int_equal(vg_subscriber_rewind(w, 1), first - 1);
    struct vg_event *e = NULL;
    assert_int_equal(vg_subscriber_next(w, &e), VG_SUBSCRIBER_EVENT);
    assert_int_equal(e->number, first);
    vg_event_unref(e);
    vg_subscriber_free(w);

    w = vg_subscriber_new(&all, vg_event_head(), false);
    assert_int_equal(vg_subscriber_rewind(w, 2), first - 1);
    vg_subscriber_free(w);
    for (int i = 0; i < 2 * CAPACITY; i++)
        publish(&(struct vg_event_source){"default", VG_EVENT_DOMAIN, "reboot", "b",
                                          "u-b", NULL, 2, NULL});
    w = vg_subscriber_new(&all, vg_event_head(), false);
    assert_int_equal(vg_subscriber_rewind(w, 4 * CAPACITY), vg_event_head() - CAPACITY);
    vg_subscriber_free(w);
    w = vg_subscriber_new(&one, vg_event_head(), false); /* nothing of it is kept */
    assert_int_equal(vg_subscriber_rewind(w, 1), vg_event_head());
    vg_subscriber_free(w);
}

static void test_ended(void **state)
{
    (void)state;
    struct watcher asleep, awake, later;
    open_watcher(&asleep, &all, false);
    open_watcher(&awake, &all, false);
    assert_true(vg_subscriber_sleep(asleep.subscriber, NEVER));
    publish(&(struct vg_event_source){"x", VG_EVENT_NETWORK, "lifecycle", NULL, NULL,
                                      NULL, -1, NULL});
    assert_true(wait_wake(&asleep, PATIENCE_S));
    assert_int_equal(next(&asleep), vg_event_head());
    assert_true(vg_subscriber_sleep(asleep.subscriber, NEVER));
    vg_events_end_all(false);
    assert_true(wait_wake(&asleep, PATIENCE_S));
    assert_int_equal(next_state(&asleep), VG_SUBSCRIBER_ENDED);
    assert_int_equal(next_state(&awake),
                     VG_SUBSCRIBER_ENDED); /* before what it has not seen */
    assert_false(vg_subscriber_sleep(awake.subscriber, NEVER));
    open_watcher(&later, &all, false); /* whoever comes again is welcome */
    assert_int_equal(next(&later), 0);
    vg_events_end_all(true);
    assert_int_equal(next_state(&later), VG_SUBSCRIBER_ENDED);
    close_watcher(&asleep);
    close_watcher(&awake);
    close_watcher(&later);
    open_watcher(&later, &all, false); /* now nobody is */
    assert_int_equal(next_state(&later), VG_SUBSCRIBER_ENDED);
    assert_false(vg_subscriber_sleep(later.subscriber, NEVER));
    close_watcher(&later);
    vg_subscriber_free(NULL);
    vg_events_stop();
    vg_events_stop(); /* twice is no fault */
    uint64_t before = vg_event_head();
    publish(&started); /* a late event of libvirt's goes nowhere */
    assert_int_equal(vg_event_head(), before);
}

static int start_ring(void **state)
{
    (void)state;
    return vg_events_start(CAPACITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_revisions),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_monitor_is_for_admins),
        cmocka_unit_test(test_monitor_names),
        cmocka_unit_test(test_filter_is_copied),
        cmocka_unit_test(test_sleep),
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_rewind),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_ended), /* nothing can follow */
    };
    return cmocka_run_group_tests(tests, start_ring, NULL);
}
