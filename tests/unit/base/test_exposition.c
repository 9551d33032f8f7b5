/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The writer of metrics: names of families in both formats, escapes, the repair of what
 * is not UTF-8, numbers at their limits; and that counts are exact with many threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "virtgate/cleanup.h"
#include "virtgate/exposition.h"
#include "virtgate/metrics.h"

#define BAD "\xEF\xBF\xBD" /* U+FFFD */

static void assert_written(struct vg_exposition *x, const char *want)
{
    vg_autofree char *is = vg_exposition_finish(x);
    assert_non_null(is);
    assert_string_equal(is, want);
    assert_null(x->text.data);
}

static const struct vg_family counter = {"a_total", VG_METRIC_COUNTER, "An a."};
static const struct vg_family gauge = {"b", VG_METRIC_GAUGE, "A b."};

static void test_families(void **state)
{
    (void)state;
    struct vg_exposition x = {0};
    vg_exposition_family(&x, &counter);
    vg_exposition_name(&x, counter.name, NULL);
    vg_exposition_uint(&x, 1);
    vg_exposition_family(&x, &gauge);
    assert_written(&x, "# HELP a_total An a.\n# TYPE a_total counter\na_total 1\n"
                       "# HELP b A b.\n# TYPE b gauge\n");
    x = (struct vg_exposition){.openmetrics = true};
    vg_exposition_family(&x, &counter);
    vg_exposition_name(&x, counter.name, NULL);
    vg_exposition_uint(&x, 1);
    assert_written(&x, "# HELP a An a.\n# TYPE a counter\na_total 1\n# EOF\n");
}

static void test_labels(void **state)
{
    (void)state;
    static const struct {
        const char *value, *want;
    } rows[] = {
        {"plain", "plain"},
        {"", ""},
        {"q\"b\\n\n", "q\\\"b\\\\n\\n"},
        {"\xC3\xA9\xF0\x9F\x98\x80", "\xC3\xA9\xF0\x9F\x98\x80"},
        {"\xC3", BAD},
        {"\xC0\xAF", BAD BAD},
        {"\xE0\x80\x80", BAD BAD BAD},
        {"\xED\xA0\x80", BAD BAD BAD},
        {"\xF4\x90\x80\x80", BAD BAD BAD BAD},
        {"\xFF"
         "a",
         BAD "a"},
        {"\x1E\t\x7F", BAD BAD BAD},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_exposition x = {0};
        char want[128];
        vg_exposition_name(&x, "m", "_sum");
        vg_exposition_label(&x, "none", NULL);
        vg_exposition_label(&x, "k", rows[i].value);
        vg_exposition_label(&x, "l", "2");
        vg_exposition_uint(&x, 7);
        snprintf(want, sizeof(want), "m_sum{k=\"%s\",l=\"2\"} 7\n", rows[i].want);
        assert_written(&x, want);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        unsigned int digits;
        const char *want;
    } rows[] = {
        {0, 0, "m 0\n"},
        {0, 9, "m 0\n"},
        {1, 9, "m 0.000000001\n"},
        {1500000000, 9, "m 1.5\n"},
        {1000000000, 9, "m 1\n"},
        {10, 0, "m 10\n"},
        {1001, 2, "m 10.01\n"},
        {UINT64_MAX, 0, "m 18446744073709551615\n"},
        {UINT64_MAX, 9, "m 18446744073.709551615\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_exposition x = {0};
        vg_exposition_name(&x, "m", NULL);
        vg_exposition_decimal(&x, rows[i].value, rows[i].digits);
        assert_written(&x, rows[i].want);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    struct vg_exposition x = {.text.failed = true};
    vg_exposition_family(&x, &gauge);
    assert_null(vg_exposition_finish(&x));
}

#define THREADS 4
#define ROUNDS  20000

static void *count_much(void *data)
{
    (void)data;
    for (int i = 0; i < ROUNDS; i++) {
        vg_count(VG_EVENTS_SENT);
        vg_count(VG_ANSWER_CACHE_HITS);
        vg_count(VG_ANSWER_CACHE_HITS);
        vg_count_stream(i % 2 ? -1 : 1);
        vg_count_event_delay(i % 2 ? 100000 : 40000000000);
        vg_count_request(NULL, VG_GET, i % 2 ? 404 : 299, 2000000);
        vg_count_virt_error(i % 2 ? 42 : 100000);
    }
    return NULL;
}

static void assert_line(const char *text, const char *line)
{
    if (!strstr(text, line))
        fail_msg("no line '%s' in\n%s", line, text);
}

static void test_counters(void **state)
{
    (void)state;
    static const struct vg_route *const no_tables[] = {NULL};
    pthread_t threads[THREADS];
    struct vg_exposition x = {0};

    assert_int_equal(vg_metrics_start(no_tables), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_much, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    vg_count_stream(1);
    vg_metrics_write(&x);
    vg_autofree char *text = vg_exposition_finish(&x);
    assert_non_null(text);
    assert_line(text, "\nvirtgate_events_sent_total 80000\n");
    assert_line(text, "\nvirtgate_answer_cache_hits_total 160000\n");
    assert_line(text, "\nvirtgate_event_streams 1\n");
    assert_line(text, "\nvirtgate_event_delay_seconds_bucket{le=\"0.0001\"} 40000\n");
    assert_line(text, "\nvirtgate_event_delay_seconds_bucket{le=\"30.0\"} 40000\n");
    assert_line(text, "\nvirtgate_event_delay_seconds_bucket{le=\"+Inf\"} 80000\n");
    assert_line(text, "\nvirtgate_event_delay_seconds_sum 1600004\n");
    assert_line(text, "{route=\"unmatched\",method=\"GET\",code=\"404\"} 40000\n");
    assert_line(text, "{route=\"unmatched\",method=\"GET\",code=\"other\"} 40000\n");
    assert_line(text, "_bucket{route=\"unmatched\",method=\"GET\",le=\"0.001\"} 0\n");
    assert_line(text,
                "_bucket{route=\"unmatched\",method=\"GET\",le=\"0.0025\"} 80000\n");
    assert_line(text, "_errors_total{code=\"VIR_ERR_NO_DOMAIN\"} 40000\n");
    assert_line(text, "_errors_total{code=\"other\"} 40000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families), cmocka_unit_test(test_labels),
        cmocka_unit_test(test_numbers),  cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
