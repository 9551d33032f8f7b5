/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The gateway's own counters: which row, method, status and bucket a request counts in,
 * and what GET /metrics writes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "virtgate/cleanup.h"
#include "virtgate/metrics.h"

#define MS 1000000

static const struct vg_route first[] = {
    {VG_GET, "/a", "getA", NULL, .needs = "domain:read"},
    {VG_POST, "/a", "makeA", NULL, .needs = "domain:write"},
    {0},
};
static const struct vg_route second[] = {
    {VG_DELETE, "/b", "dropB", NULL, .needs = "domain:delete"},
    {0},
};
static const struct vg_route third[] = {
    {VG_PUT, "/c", "putC", NULL, .needs = "domain:write"},
    {0},
};
static const struct vg_route *const lists[] = {third, first, second, NULL};

static char *write_all(void)
{
    struct vg_exposition x = {0};
    vg_metrics_write(&x);
    char *text = vg_exposition_finish(&x);
    assert_non_null(text);
    return text;
}

/* The value of a sample, that is written once; -1: it is not there. */
static double value_of(const char *sample)
{
    vg_autofree char *text = write_all(), *start = NULL;
    double value = -1;
    assert_true(asprintf(&start, "\n%s ", sample) > 0);
    const char *at = strstr(text, start);
    if (at) {
        assert_int_equal(sscanf(at + strlen(start), "%lf", &value), 1);
        assert_null(strstr(at + 1, start));
    }
    return value;
}

#define expect(sample, want)                                                             \
    do {                                                                                 \
        double is = value_of(sample);                                                    \
        if (is < (want) || is > (want))                                                  \
            fail_msg("%s is %g, not %g", sample, is, (double)(want));                    \
    } while (0)

static double requests(const char *labels)
{
    char sample[160];
    snprintf(sample, sizeof(sample), "virtgate_http_requests_total{%s}", labels);
    return value_of(sample);
}

#define expect_requests(labels, want)                                                    \
    do {                                                                                 \
        double is = requests(labels);                                                    \
        if (is < (want) || is > (want))                                                  \
            fail_msg("%s is %g, not %g", labels, is, (double)(want));                    \
    } while (0)

/* ---- requests ---------------------------------------------------------------------- */

static void test_rows(void **state)
{
    (void)state;
    vg_count_request(&first[0], VG_GET, 200, MS);
    vg_count_request(&first[0], VG_GET, 200, MS);
    vg_count_request(&first[0], VG_GET, 404, MS);
    vg_count_request(&first[0], VG_HEAD, 200, MS);
    vg_count_request(&first[1], VG_POST, 201, MS);
    vg_count_request(&second[0], VG_DELETE, 204, MS);
    vg_count_request(&third[0], VG_PUT, 507, MS);
    expect_requests("route=\"/a\",method=\"GET\",code=\"200\"", 2);
    expect_requests("route=\"/a\",method=\"GET\",code=\"404\"", 1);
    expect_requests("route=\"/a\",method=\"HEAD\",code=\"200\"", 1);
    expect_requests("route=\"/a\",method=\"POST\",code=\"201\"", 1);
    expect_requests("route=\"/b\",method=\"DELETE\",code=\"204\"", 1);
    expect_requests("route=\"/c\",method=\"PUT\",code=\"507\"", 1);
    expect_requests("route=\"/c\",method=\"HEAD\",code=\"200\"", -1); /* never asked */
}

/* What no row is, and what no status or method is, has a place as well. */
static void test_unmatched(void **state)
{
    (void)state;
    static const struct vg_route unknown[] = {
        {VG_GET, "/x", "getX", NULL, .needs = "domain:read"}, {0}};
    vg_count_request(NULL, VG_GET, 404, MS);
    vg_count_request(unknown, VG_GET, 404, MS);
    vg_count_request(NULL, VG_OPTIONS, 200, MS);
    vg_count_request(NULL, VG_OPTIONS + 1, 405, MS);
    vg_count_request(NULL, VG_NO_METHOD, 405, MS);
    vg_count_request(NULL, VG_PUT, 0, MS);
    vg_count_request(NULL, VG_PUT, -200, MS);
    vg_count_request(NULL, VG_PUT, 299, MS);
    vg_count_request(NULL, VG_PUT, 600, MS);
    vg_count_request(NULL, VG_PUT, 70000, MS);
    expect_requests("route=\"unmatched\",method=\"GET\",code=\"404\"", 2);
    expect_requests("route=\"unmatched\",method=\"OPTIONS\",code=\"200\"", 1);
    expect_requests("route=\"unmatched\",method=\"other\",code=\"405\"", 2);
    expect_requests("route=\"unmatched\",method=\"PUT\",code=\"other\"", 5);
}

/* Every status has a name of its own, which is the status. */
static void test_codes(void **state)
{
    (void)state;
    static const int codes[] = {101, 200, 201, 202, 204, 206, 304, 400, 401,
                                403, 404, 405, 406, 408, 409, 410, 411, 412,
                                413, 414, 415, 421, 422, 423, 424, 426, 428,
                                429, 431, 500, 501, 502, 503, 504, 505, 507};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char labels[96];
        vg_count_request(NULL, VG_PATCH, codes[i], MS);
        snprintf(labels, sizeof(labels),
                 "route=\"unmatched\",method=\"PATCH\",code=\"%d\"", codes[i]);
        expect_requests(labels, 1);
    }
    expect_requests("route=\"unmatched\",method=\"PATCH\",code=\"other\"", -1);
}

#define DELAY "virtgate_event_delay_seconds"

/* A bound belongs to its bucket; the buckets add up. */
static void test_buckets(void **state)
{
    (void)state;
    expect(DELAY "_count", 0); /* is written before any comes */
    vg_count_event_delay(100000);
    expect(DELAY "_bucket{le=\"0.0001\"}", 1);
    vg_count_event_delay(100001);
    vg_count_event_delay(-5); /* a clock that was set back counts, and adds no time */
    vg_count_event_delay(30000LL * MS);
    vg_count_event_delay(30000LL * MS + 1);
    expect(DELAY "_bucket{le=\"0.0001\"}", 2);
    expect(DELAY "_bucket{le=\"0.00025\"}", 3);
    expect(DELAY "_bucket{le=\"10.0\"}", 3);
    expect(DELAY "_bucket{le=\"30.0\"}", 4);
    expect(DELAY "_bucket{le=\"+Inf\"}", 5);
    expect(DELAY "_count", 5);
    expect(DELAY "_sum", 60.000200002);
}

#define DURATION "virtgate_http_request_duration_seconds"

/* A WebSocket is counted, but lasts as long as its client likes. */
static void test_durations(void **state)
{
    (void)state;
    expect(DURATION "_count{route=\"/c\",method=\"HEAD\"}", -1);
    vg_count_request(&third[0], VG_HEAD, 101, 5000LL * MS);
    expect_requests("route=\"/c\",method=\"HEAD\",code=\"101\"", 1);
    expect(DURATION "_count{route=\"/c\",method=\"HEAD\"}", -1);
    vg_count_request(&third[0], VG_HEAD, 200, 2000LL * MS);
    expect(DURATION "_count{route=\"/c\",method=\"HEAD\"}", 1);
    expect(DURATION "_sum{route=\"/c\",method=\"HEAD\"}", 2);
    expect(DURATION "_bucket{route=\"/c\",method=\"HEAD\",le=\"1.0\"}", 0);
    expect(DURATION "_bucket{route=\"/c\",method=\"HEAD\",le=\"2.5\"}", 1);
}

/* ---- single counters --------------------------------------------------------------- */

static void test_counters(void **state)
{
    (void)state;
    static const char *const names[VG_COUNTERS] = {
        [VG_COALESCED_READS] = "virtgate_coalesced_reads_total",
        [VG_ANSWER_CACHE_HITS] = "virtgate_answer_cache_hits_total",
        [VG_ANSWER_CACHE_MISSES] = "virtgate_answer_cache_misses_total",
        [VG_ANSWER_CACHE_DIFFERENCES] = "virtgate_answer_cache_differences_total",
        [VG_EVENTS_SENT] = "virtgate_events_sent_total",
        [VG_STREAM_RESETS] = "virtgate_event_stream_resets_total",
    };
    for (unsigned int i = 0; i < VG_COUNTERS; i++) {
        expect(names[i], 0);
        for (unsigned int n = 0; n <= i; n++)
            vg_count(i);
    }
    for (unsigned int i = 0; i < VG_COUNTERS; i++)
        expect(names[i], i + 1);
}

static void test_streams(void **state)
{
    (void)state;
    expect("virtgate_event_streams", 0);
    vg_count_stream(1);
    vg_count_stream(1);
    vg_count_stream(-1);
    expect("virtgate_event_streams", 1);
    vg_count_stream(-1);
    expect("virtgate_event_streams", 0);
}

static void test_virt_errors(void **state)
{
    (void)state;
    vg_count_virt_error(42); /* VIR_ERR_NO_DOMAIN */
    vg_count_virt_error(42);
    vg_count_virt_error(255); /* has no name yet */
    vg_count_virt_error(256);
    vg_count_virt_error(-1);
    vg_count_virt_error(0);
    expect("virtgate_libvirt_errors_total{code=\"VIR_ERR_NO_DOMAIN\"}", 2);
    expect("virtgate_libvirt_errors_total{code=\"255\"}", 1);
    expect("virtgate_libvirt_errors_total{code=\"other\"}", 3);
    expect("virtgate_libvirt_errors_total{code=\"VIR_ERR_OK\"}", -1);
}

static void test_process(void **state)
{
    (void)state;
    expect("virtgate_build_info{version=\"" VG_VERSION "\"}", 1);
    assert_true(value_of("process_resident_memory_bytes") > 1024 * 1024);
    assert_true(value_of("process_cpu_seconds_total") >= 0);
    assert_true(value_of("process_cpu_seconds_total") < 3600);
}

static int start(void **state)
{
    (void)state;
    return vg_metrics_start(lists);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_unmatched),
        cmocka_unit_test(test_codes),     cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_durations), cmocka_unit_test(test_counters),
        cmocka_unit_test(test_streams),   cmocka_unit_test(test_virt_errors),
        cmocka_unit_test(test_process),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
