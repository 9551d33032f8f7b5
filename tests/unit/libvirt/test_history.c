/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is kept of a domain's last hour: rates of counters that stand still, fall, stop
 * being told; gaps; who is forgotten; when a host is to be asked. Time is made up: a
 * step is ten seconds, the newest sample is of this one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/core/request.h"
#include "server/libvirt/internal.h"
#include "virtgate/autoptr.h"
#include "virtgate/history.h"

#define STEP   (VG_HISTORY_STEP * VG_SECOND_NS)
#define SECOND UINT64_C(1000000000)

static virConnectPtr conn;
static virDomainPtr dom;
static struct vg_host host;
static struct vg_request *rq;
static int64_t now_ns;

static int begin(void **state)
{
    (void)state;
    host.history = vg_history_new();
    rq = vg_request_new();
    rq->host = &host;
    /* in the middle of a step, as none began at another time without
     * vg_history_start() */
    now_ns = vg_now_ns() / STEP * STEP + STEP / 2;
    return host.history && rq ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    vg_history_free(host.history);
    vg_request_unref(rq);
    return 0;
}

static struct vg_figures figures_of(uint64_t cpu, uint64_t received)
{
    struct vg_figures figures = {.vcpus = 2};

    virDomainGetUUID(dom, figures.uuid);
    figures.parts[VG_COUNTER_CPU] = 1;
    figures.counters[VG_COUNTER_CPU] = cpu;
    figures.parts[VG_COUNTER_NET_RECEIVE] = received ? 1 : 0;
    figures.counters[VG_COUNTER_NET_RECEIVE] = received;
    return figures;
}

/* A sample of the domain, so many steps ago. */
static void take(double steps, uint64_t cpu, uint64_t received)
{
    struct vg_figures figures = figures_of(cpu, received);
    vg_history_take(host.history, &figures, 1, now_ns - (int64_t)(steps * (double)STEP));
}

static void take_gauge(double steps, uint64_t kib)
{
    struct vg_figures figures = {.has_gauge = {[VG_GAUGE_MEMORY] = true},
                                 .gauges = {[VG_GAUGE_MEMORY] = kib}};
    virDomainGetUUID(dom, figures.uuid);
    vg_history_take(host.history, &figures, 1, now_ns - (int64_t)(steps * (double)STEP));
}

static void take_nothing(double steps)
{
    vg_history_take(host.history, NULL, 0, now_ns - (int64_t)(steps * (double)STEP));
}

/* One series of the last `n` points, as JSON. Owned by the caller. */
static char *series_of(const char *name, size_t n)
{
    char *text = NULL;
    const struct vg_enum_value *field =
        vg_enum_lookup(&vg_history_fields, name, strlen(name));
    vg_auto_json w = {0};

    assert_non_null(field);
    vg_json_begin_object(&w, NULL);
    assert_int_equal(vg_history_write(rq, &w, dom, n, (unsigned int)field->value), 0);
    vg_json_end_object(&w);
    vg_autofree char *whole = vg_json_finish(&w, &n);
    json_auto_t *json = json_loads(whole, 0, NULL);
    json_t *series = json_object_get(json_object_get(json, "series"), name);
    assert_int_equal(json_object_size(json_object_get(json, "series")), 1);
    text = json_dumps(series, JSON_COMPACT | JSON_REAL_PRECISION(5));
    assert_non_null(text);
    return text;
}

static void expect(const char *name, size_t n, const char *want)
{
    vg_autofree char *series = series_of(name, n);
    assert_string_equal(series, want);
}

static void expect_size(size_t domains)
{
    struct vg_history_size size = vg_history_size(host.history);
    assert_int_equal(size.domains, domains);
    if (domains)
        assert_true(size.bytes / domains <= 6144);
}

static void test_rates(void **state)
{
    (void)state;
    take(2, 1 * SECOND, 1000);
    take(1, 11 * SECOND, 1000);
    take(0, 16 * SECOND, 21000);
    expect("cpuPercent", 4, "[null,null,50.0,25.0]");
    expect("networkReceiveBytesPerSecond", 4, "[null,null,0,2000]");
    expect("diskReadBytesPerSecond", 2, "[null,null]");
    expect_size(1);
}

/* However often it is asked, a point is the average since the step before. */
static void test_many_samples(void **state)
{
    (void)state;
    take(1, 0, 1);
    take(0.0002, 10 * SECOND, 1001);
    take(0.0001, 10 * SECOND, 6001);
    take(0, 20 * SECOND, 10001);
    expect("cpuPercent", 2, "[null,100.0]");
    expect("networkReceiveBytesPerSecond", 1, "[1000]");
}

static void test_restart(void **state)
{
    (void)state;
    take(3, 50 * SECOND, 5000);
    take(2, 60 * SECOND, 6000);
    take(1, 1 * SECOND, 500);
    take(0, 3 * SECOND, 1500);
    expect("cpuPercent", 4, "[null,50.0,null,10.0]");
    expect("networkReceiveBytesPerSecond", 4, "[null,100,null,100]");
}

/* What is not told is a gap; the next point is the average over it. */
static void test_absent(void **state)
{
    (void)state;
    take(3, 0, 1000);
    take(2, 10 * SECOND, 2000);
    take(1, 20 * SECOND, 0);
    take(0, 30 * SECOND, 6000);
    expect("networkReceiveBytesPerSecond", 4, "[null,100,null,200]");
    expect("cpuPercent", 4, "[null,50.0,50.0,50.0]");
}

static void test_host_down(void **state)
{
    (void)state;
    take(22, 0, 0);
    take(21, 20 * SECOND, 0);
    take(1, 200 * SECOND, 0); /* so long after, nobody knows */
    take(0, 220 * SECOND, 0);
    expect("cpuPercent", 23,
           "[null,100.0,null,null,null,null,null,null,null,null,null,null,null,null,null,"
           "null,null,null,null,null,null,null,100.0]");
}

static void test_another_disk(void **state)
{
    (void)state;
    struct vg_figures figures = figures_of(0, 1000);
    vg_history_take(host.history, &figures, 1, now_ns - STEP);
    figures = figures_of(0, 900000000);
    figures.parts[VG_COUNTER_NET_RECEIVE] = 2;
    vg_history_take(host.history, &figures, 1, now_ns);
    expect("networkReceiveBytesPerSecond", 2, "[null,null]");
}

/* Two bytes a number: three digits are right, whatever its size. */
static void test_precision(void **state)
{
    static const uint64_t numbers[] = {0,       1,         2047,       2048,
                                       4095,    4096,      4097,       123456,
                                       9999999, 987654321, 1234567890, 4398046511103};
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        now_ns += 1000;
        take_gauge(0, numbers[i]);
        vg_autofree char *text = series_of("memoryKiB", 1);
        uint64_t n = strtoull(text + 1, NULL, 10);
        assert_true(n <= numbers[i]);
        assert_true(numbers[i] - n <= numbers[i] / 1000);
        assert_true(numbers[i] >= 4096 || n == numbers[i]);
    }
    now_ns += 1000;
    take_gauge(0, UINT64_MAX); /* the greatest that there is, but it is known */
    vg_autofree char *text = series_of("memoryKiB", 1);
    assert_string_not_equal(text, "[null]");
}

static void test_forgotten(void **state)
{
    (void)state;
    take(3, 0, 0);
    take_nothing(2);
    expect_size(1);
    take(1.5, 0, 0); /* it had only been left out */
    take_nothing(1);
    expect_size(1);
    take_nothing(0.5);
    expect_size(0);
    expect("cpuPercent", 2, "[null,null]");
}

/* A domain that is off keeps its hour, and takes no memory after it. */
static void test_off(void **state)
{
    (void)state;
    struct vg_figures off = {0};
    virDomainGetUUID(dom, off.uuid);
    take(360, 0, 0);
    take(359, 1 * SECOND, 0);
    vg_history_take(host.history, &off, 1, now_ns - STEP);
    expect_size(1);
    vg_autofree char *series = series_of("cpuPercent", VG_HISTORY_POINTS - 1);
    assert_non_null(strstr(series, "null"));
    vg_history_take(host.history, &off, 1, now_ns + STEP);
    expect_size(0);
}

static void test_whole_hour(void **state)
{
    (void)state;
    for (int i = VG_HISTORY_POINTS + 20; i >= 0; i--)
        take(i, (uint64_t)(VG_HISTORY_POINTS + 20 - i) * 20 * SECOND, 0);
    vg_autofree char *series = series_of("cpuPercent", VG_HISTORY_POINTS);
    assert_null(strstr(series, "null"));
    expect("cpuPercent", 2, "[100.0,100.0]");
    expect_size(1);
}

/* An answer that is older than one that came first changes nothing. */
static void test_late(void **state)
{
    (void)state;
    take(1, 0, 0);
    take(0, 10 * SECOND, 0);
    take(0.5, 500 * SECOND, 0);
    expect("cpuPercent", 2, "[null,50.0]");
}

static void test_many_domains(void **state)
{
    static struct vg_figures all[2000];
    (void)state;
    for (int round = 1; round >= 0; round--) {
        for (size_t i = 0; i < 2000; i++) {
            all[i] = figures_of(round ? 0 : 20 * SECOND, 0);
            if (i != 1000) { /* which is the domain itself */
                all[i].uuid[0] = (unsigned char)(i * 7919 / 256);
                all[i].uuid[1] = (unsigned char)(i * 7919);
                all[i].uuid[2] = (unsigned char)(i / 256);
                all[i].uuid[3] = (unsigned char)i;
            }
        }
        vg_history_take(host.history, all, 2000, now_ns - round * STEP);
        expect_size(2000);
    }
    expect("cpuPercent", 2, "[null,100.0]");
    all[1] = all[0]; /* a driver may tell of one twice */
    all[2] = all[0];
    vg_history_take(host.history, all, 3, now_ns + 1);
    vg_history_take(host.history, all, 1, now_ns + 2);
    expect_size(1);
}

static void test_rates_member(void **state)
{
    size_t n;
    (void)state;
    for (int round = 1; round >= 0; round--) {
        vg_auto_json w = {0};
        vg_json_begin_object(&w, NULL);
        take(round, round ? 0 : 5 * SECOND, 0);
        vg_history_write_rates(rq, &w, dom);
        vg_json_end_object(&w);
        vg_autofree char *text = vg_json_finish(&w, &n);
        if (round)
            assert_string_equal(text, "{}"); /* of one sample nothing is known */
        else
            assert_non_null(strstr(text, "\"cpuPercent\":25.00}"));
    }
}

static int64_t due_after(int64_t at_ns, struct vg_figures *figures, int64_t now)
{
    vg_history_take(host.history, figures, figures ? 1 : 0, at_ns);
    return vg_history_due_ns(host.history, now, VG_SECOND_NS);
}

static void test_due(void **state)
{
    (void)state;
    int64_t step = now_ns - STEP / 2; /* its begin */
    int64_t in_step = STEP / 2 + VG_SECOND_NS;
    assert_int_equal(vg_history_due_ns(host.history, now_ns, 0), now_ns); /* at once */
    assert_int_equal(due_after(step, NULL, step + 1), step + STEP + in_step);
    /* somebody else asked in the next step, early or late */
    assert_int_equal(due_after(step + STEP + 1, NULL, step + STEP + 2),
                     step + 2 * STEP + in_step);
    assert_int_equal(due_after(step + 2 * STEP - 1, NULL, step + 2 * STEP - 1),
                     step + 2 * STEP + in_step);
    /* it was late for long: now */
    assert_true(vg_history_due_ns(host.history, step + 5 * STEP + in_step,
                                  VG_SECOND_NS) <= step + 5 * STEP + in_step);
    /* of one sample of a domain no rate is known */
    struct vg_figures figures = figures_of(0, 0);
    int64_t first = step + 4 * STEP;
    assert_int_equal(due_after(first, &figures, first), first + 2 * VG_SECOND_NS);
    first += 2 * VG_SECOND_NS;
    assert_int_equal(due_after(first, &figures, first), step + 5 * STEP + in_step);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rates),        TEST(test_many_samples), TEST(test_restart),
        TEST(test_absent),       TEST(test_host_down),    TEST(test_another_disk),
        TEST(test_precision),    TEST(test_forgotten),    TEST(test_off),
        TEST(test_whole_hour),   TEST(test_late),         TEST(test_many_domains),
        TEST(test_rates_member), TEST(test_due),
    };

    conn = virConnectOpen("test:///default");
    dom = conn ? virDomainLookupByName(conn, "test") : NULL;
    if (!dom)
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    virDomainFree(dom);
    virConnectClose(conn);
    return rc;
}
