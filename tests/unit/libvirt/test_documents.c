/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is remembered of guests' documents: how long, for whom, what makes it forgotten;
 * guests that hang, and no memory. The clock stands until a test moves it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/base/digits.h"
#include "server/libvirt/documents.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MS(n)    ((n) * (VG_SECOND_NS / 1000))
#define ROOM     64  /* of documents.c: for so many at first, */
#define SETTLE   200 /* and so many milliseconds after a change nothing is kept */

/* ---- in place of libc's: the clock, and memory that is out ------------------------- */

static int64_t now_ns;
static bool no_room, no_strings;
static size_t room; /* that was last asked for */

int clock_gettime(clockid_t id, struct timespec *ret)
{
    (void)id;
    *ret = vg_timespec(now_ns);
    return 0;
}

void *reallocarray(void *old, size_t n, size_t size)
{
    room = n;
    return no_room ? NULL : realloc(old, n * size);
}

char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = no_strings ? NULL : malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

/* ---- guests ------------------------------------------------------------------------ */

static struct vg_documents *documents;

static int set_up(void **state)
{
    (void)state;
    now_ns = MS(10 * 1000); /* the machine has just been started */
    documents = vg_documents_new();
    return documents ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    no_room = no_strings = false;
    vg_documents_free(documents);
    return 0;
}

static void wait_ms(int64_t ms)
{
    now_ns += MS(ms);
}

static const unsigned char web_uuid[VIR_UUID_BUFLEN] = {
    0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff};
static const unsigned char db_uuid[VIR_UUID_BUFLEN] = {0xab, 1, 2,  3,  4,  5,  6,  7,
                                                       8,    9, 10, 11, 12, 13, 14, 1};
static const struct vg_guest_id web = {web_uuid, "web", 7},
                                db = {db_uuid, "db", (unsigned int)-1};
#define WEB_UUID "ab010203-0405-0607-0809-0a0b0c0d0eff"

/* A call for its document begins; 0: what it tells will not be kept. */
static uint64_t begin(const struct vg_guest_id *guest)
{
    uint64_t reading = 12345;
    assert_true(vg_documents_begin(documents, guest, &reading));
    return reading;
}

static bool may_begin(const struct vg_guest_id *guest)
{
    uint64_t reading = 12345;
    bool may = vg_documents_begin(documents, guest, &reading);
    if (!may)
        assert_int_equal(reading, 0);
    return may;
}

/* It comes back. */
static void keep(const struct vg_guest_id *guest, uint64_t reading, const char *title)
{
    const struct vg_xml_domain xml = {.title = (char *)(uintptr_t)title, .max_vcpus = 64};
    vg_documents_keep(documents, guest->uuid, reading, &xml, 2);
}

static void read_guest(const struct vg_guest_id *guest, const char *title)
{
    keep(guest, begin(guest), title);
}

/* The title is NULL where nothing is remembered. */
static void expect(const struct vg_guest_id *guest, const char *title)
{
    struct vg_xml_domain xml = {.os_type = calloc(1, 4), .max_vcpus = 3};
    unsigned int have = 1;

    vg_documents_recall(documents, guest, &xml, &have);
    assert_int_equal(have, title ? 3 : 1);
    if (title)
        assert_string_equal(xml.title, title);
    else
        assert_null(xml.title);
    assert_int_equal(xml.os_type == NULL, title != NULL); /* all is as it was, or none */
    assert_int_equal(xml.max_vcpus, 3); /* it changes without an event */
    vg_xml_domain_clear(&xml);
}

/* ---- what is kept ------------------------------------------------------------------ */

static void test_kept(void **state)
{
    (void)state;
    expect(&web, NULL);
    read_guest(&web, "Web");
    expect(&web, "Web");
    expect(&db, NULL);
    read_guest(&db, "Data");
    expect(&web, "Web");
    expect(&db, "Data");
    wait_ms(24 * 3600 * 1000); /* events tell of changes, time does not */
    expect(&web, "Web");
    read_guest(&web, "Other");
    expect(&web, "Other");
    const struct vg_guest_id started = {web_uuid, "web", 8};
    expect(&started, NULL); /* another run of it has another document */
    read_guest(&started, "Started");
    expect(&started, "Started");
    expect(&web, NULL);
}

/* What could not be told changes nothing. */
static void test_nothing_told(void **state)
{
    (void)state;
    read_guest(&web, "Web");
    uint64_t reading = begin(&web);
    vg_documents_keep(documents, web.uuid, reading, NULL, 2);
    expect(&web, "Web");
    keep(&web, reading, "late");
    expect(&web, "Web");
    vg_documents_keep(documents, db.uuid, begin(&db), NULL, 2);
    expect(&db, NULL);
}

/* Of two calls for the same document the later one's is kept, once. */
static void test_two_calls(void **state)
{
    (void)state;
    uint64_t first = begin(&web), second = begin(&web);
    assert_int_not_equal(first, second);
    keep(&web, first, "first");
    expect(&web, NULL);
    keep(&web, second, "second");
    expect(&web, "second");
    keep(&web, second, "again");
    keep(&web, 0, "never");
    keep(&db, second, "of one that nobody asked for");
    expect(&web, "second");
    expect(&db, NULL);
}

/* ---- what is forgotten ------------------------------------------------------------- */

/* libvirt may send an event before the document has changed. */
static void test_settles(void **state)
{
    static const struct {
        int64_t ms; /* after the event */
        bool kept;
    } rows[] = {{0, false}, {SETTLE - 1, false}, {SETTLE, false}, {SETTLE + 1, true}};
    (void)state;
    for (size_t all = 0; all < 2; all++)
        for (size_t i = 0; i < COUNT(rows); i++) {
            wait_ms(1000);
            read_guest(&web, "old");
            read_guest(&db, "old");
            vg_documents_forget(documents, all ? NULL : web.uuid);
            expect(&web, NULL);
            expect(&db, all ? NULL : "old");
            wait_ms(rows[i].ms);
            read_guest(&web, "new");
            expect(&web, rows[i].kept ? "new" : NULL);
            read_guest(&db, "new");
            expect(&db, rows[i].kept || !all ? "new" : NULL);
        }
}

/* An event may be the first that is heard of a guest. */
static void test_event_first(void **state)
{
    (void)state;
    for (size_t all = 0; all < 2; all++) {
        const struct vg_guest_id *guest = all ? &db : &web;
        vg_documents_forget(documents, all ? NULL : guest->uuid);
        expect(guest, NULL);
        read_guest(guest, "old");
        expect(guest, NULL);
        wait_ms(SETTLE + 1);
        read_guest(guest, "new");
        expect(guest, "new");
    }
}

static void test_event_meanwhile(void **state)
{
    (void)state;
    read_guest(&web, "old");
    for (size_t all = 0; all < 2; all++) {
        uint64_t reading = begin(&web);
        vg_documents_forget(documents, all ? NULL : web.uuid);
        wait_ms(1000); /* a call may be out for long */
        keep(&web, reading, "from before");
        expect(&web, NULL);
    }
    uint64_t reading = begin(&web);
    vg_documents_forget(documents, db.uuid);
    keep(&web, reading, "new");
    expect(&web, "new");
}

/* ---- the gateway's own changes ----------------------------------------------------- */

static const struct {
    const char *segment; /* of the path */
    bool means_web, means_db;
} paths[] = {
    {"web", true, false},    {"7", true, false},
    {WEB_UUID, true, false}, {"AB010203-0405-0607-0809-0A0B0C0D0EFF", true, false},
    {"db", false, true},     {"-1", false, true},
    {"we", false, false},    {"webs", false, false},
    {"70", false, false},    {"ab010203-0405-0607-0809-0a0b0c0d0e00", false, false},
    {NULL, true, true},
};

/* While a change is at work nothing is remembered of what it may mean, and after it that
 * is forgotten. */
static void test_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        bool has_web = !paths[i].means_web, has_db = !paths[i].means_db;
        struct vg_guest_change change = {.segment = paths[i].segment},
                               other = {.segment = "another"};
        wait_ms(1000);
        read_guest(&web, "old");
        read_guest(&db, "old");
        uint64_t before = begin(&web);
        vg_documents_begin_change(documents, &change);
        vg_documents_begin_change(documents, &other);
        expect(&web, has_web ? "old" : NULL);
        expect(&db, has_db ? "old" : NULL);
        wait_ms(1000);
        read_guest(&db, "meanwhile");
        expect(&db, has_db ? "meanwhile" : NULL);
        vg_documents_end_change(documents, &change);
        vg_documents_end_change(documents, &other);
        expect(&web, has_web ? "old" : NULL);
        expect(&db, has_db ? "meanwhile" : NULL);
        keep(&web, before, "from before");
        expect(&web, has_web ? "from before" : NULL);
        read_guest(&db, "just after"); /* as after an event */
        expect(&db, has_db ? "just after" : NULL);
        wait_ms(SETTLE + 1);
        read_guest(&web, "new");
        read_guest(&db, "new");
        expect(&web, "new");
        expect(&db, "new");
    }
}

/* One that takes hours only ends. */
static void test_change_ends_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct vg_guest_change change = {.segment = paths[i].segment};
        wait_ms(1000);
        read_guest(&web, "old");
        read_guest(&db, "old");
        vg_documents_end_change(documents, &change);
        expect(&web, paths[i].means_web ? NULL : "old");
        expect(&db, paths[i].means_db ? NULL : "old");
    }
}

/* The name is what it was last called. */
static void test_renamed(void **state)
{
    static const struct vg_guest_id renamed = {web_uuid, "www", 7};
    struct vg_guest_change by_old = {.segment = "web"}, by_new = {.segment = "www"};
    (void)state;
    read_guest(&web, "old");
    read_guest(&renamed, "new");
    vg_documents_end_change(documents, &by_old);
    expect(&renamed, "new");
    vg_documents_end_change(documents, &by_new);
    expect(&renamed, NULL);
}

/* A guest that only an event has named has no name yet, and no id. */
static void test_change_of_unnamed(void **state)
{
    static const char *const others[] = {"web", "0", "7"};
    (void)state;
    vg_documents_forget(documents, web.uuid);
    wait_ms(1000);
    for (size_t i = 0; i < COUNT(others); i++) {
        struct vg_guest_change change = {.segment = others[i]};
        vg_documents_end_change(documents, &change);
    }
    read_guest(&web, "new");
    expect(&web, "new");
}

/* ---- guests that hang -------------------------------------------------------------- */

/* A second is waited for by everybody; then nobody asks, but one at a time each 30. */
static void test_hangs(void **state)
{
    static const struct {
        int64_t ms; /* since the row before */
        bool asks;
    } rows[] = {{0, true},      {1000, true}, {500, true},  {1001, false}, {1, false},
                {28997, false}, {1, true},    {1000, true}, {1001, false}, {30000, true}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        wait_ms(rows[i].ms);
        if (may_begin(&web) != rows[i].asks)
            fail_msg("row %zu", i);
        assert_true(may_begin(&db)); /* others are asked */
        keep(&db, 0, "");
    }
}

static void test_comes_back(void **state)
{
    (void)state;
    uint64_t reading = begin(&web);
    wait_ms(2000);
    assert_false(may_begin(&web));
    keep(&web, reading, "late");
    expect(&web, "late");
    assert_true(may_begin(&web));
    keep(&web, 0, "");
    wait_ms(2000);
    assert_true(may_begin(&web));
    wait_ms(2000);
    assert_false(may_begin(&web));
    vg_documents_forget(documents, web.uuid); /* it lives */
    assert_true(may_begin(&web));
}

/* ---- many -------------------------------------------------------------------------- */

#define MANY 300

struct many {
    unsigned char uuid[VIR_UUID_BUFLEN];
    char name[16];
    struct vg_guest_id id;
};

static void make_guest(struct many *m, unsigned int number)
{
    memset(m->uuid, 0, sizeof(m->uuid));
    m->uuid[0] = (unsigned char)(number * 151); /* neither up nor down */
    m->uuid[VIR_UUID_BUFLEN - 1] = (unsigned char)(number / 256);
    snprintf(m->name, sizeof(m->name), "guest%u", number);
    m->id = (struct vg_guest_id){m->uuid, m->name, number};
}

static void test_many(void **state)
{
    struct many *v = calloc(MANY, sizeof(*v));
    (void)state;
    for (unsigned int i = 0; i < MANY; i++) {
        make_guest(&v[i], i);
        read_guest(&v[i].id, v[i].name);
    }
    for (unsigned int i = 0; i < MANY; i++)
        expect(&v[i].id, v[i].name);
    vg_documents_forget(documents, NULL);
    for (unsigned int i = 0; i < MANY; i++)
        expect(&v[i].id, NULL);
    free(v);
}

/* Guests that have gone make room: those of which nothing is kept, nor asked, and that
 * have not just changed. */
static void test_room(void **state)
{
    struct many v[ROOM + 1];
    (void)state;
    for (unsigned int i = 0; i <= ROOM; i++)
        make_guest(&v[i], i);
    read_guest(&v[0].id, "kept");
    uint64_t reading = begin(&v[1].id);
    for (unsigned int i = 2; i < ROOM - 1; i++)
        vg_documents_keep(documents, v[i].uuid, begin(&v[i].id), NULL, 2);
    wait_ms(900);
    vg_documents_forget(documents, v[ROOM - 1].uuid);
    assert_int_equal(room, ROOM);
    wait_ms(SETTLE / 2);
    read_guest(&v[ROOM].id, "the next");
    assert_int_equal(room, ROOM + 2 * 3); /* three have stayed */
    expect(&v[0].id, "kept");
    expect(&v[ROOM].id, "the next");
    read_guest(&v[ROOM - 1].id, "before it has settled");
    expect(&v[ROOM - 1].id, NULL);
    keep(&v[1].id, reading, "come back");
    expect(&v[1].id, "come back");
}

/* ---- out of memory ----------------------------------------------------------------- */

/* Who cannot be remembered is asked; an event of it is as one of any. */
static void test_no_room(void **state)
{
    struct many v[ROOM + 1];
    (void)state;
    for (unsigned int i = 0; i <= ROOM; i++)
        make_guest(&v[i], i);
    for (unsigned int i = 0; i < ROOM; i++)
        read_guest(&v[i].id, "kept");
    no_room = true;
    assert_int_equal(begin(&v[ROOM].id), 0);
    keep(&v[ROOM].id, 1, "nothing");
    expect(&v[ROOM].id, NULL);
    expect(&v[0].id, "kept");
    vg_documents_forget(documents, v[0].uuid); /* needs none */
    expect(&v[0].id, NULL);
    expect(&v[1].id, "kept");
    vg_documents_forget(documents, v[ROOM].uuid);
    for (unsigned int i = 0; i < ROOM; i++)
        expect(&v[i].id, NULL);
}

static void test_no_strings(void **state)
{
    (void)state;
    no_strings = true;
    assert_int_equal(begin(&web), 0); /* no name, nothing to be called by */
    no_strings = false;
    keep(&web, 0, "");
    uint64_t reading = begin(&web);
    no_strings = true;
    keep(&web, reading, "too long");
    no_strings = false;
    expect(&web, NULL);
    read_guest(&web, "Web");
    no_strings = true;
    expect(&web, NULL);
    no_strings = false;
    expect(&web, "Web");
    reading = begin(&web);
    no_strings = true;
    keep(&web, reading, "too long"); /* that of before is true yet: no event came */
    no_strings = false;
    expect(&web, "Web");
}

static void test_none(void **state)
{
    (void)state;
    vg_documents_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_kept),        TEST(test_nothing_told),
        TEST(test_two_calls),   TEST(test_settles),
        TEST(test_event_first), TEST(test_event_meanwhile),
        TEST(test_change),      TEST(test_change_ends_alone),
        TEST(test_renamed),     TEST(test_change_of_unnamed),
        TEST(test_hangs),       TEST(test_comes_back),
        TEST(test_many),        TEST(test_room),
        TEST(test_no_room),     TEST(test_no_strings),
        TEST(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
