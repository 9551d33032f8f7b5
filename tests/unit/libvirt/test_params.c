/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Typed parameters to JSON and back: shapes of groups, every C type at its limits,
 * refusals, and the test driver's own statistics and scheduler parameters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libvirt/libvirt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "server/libvirt/params.h"
#include "virtgate/autoptr.h"
#include "virtgate/params.h"

struct list {
    virTypedParameterPtr v;
    int n, max;
};

static void free_list(struct list *l)
{
    virTypedParamsFree(l->v, l->n);
}
#define auto_list VG_CLEANUP(free_list) struct list

static void add_int(struct list *l, const char *name, unsigned int value)
{
    assert_int_equal(virTypedParamsAddUInt(&l->v, &l->n, &l->max, name, value), 0);
}

static void assert_shape(const struct list *l, const char *want)
{
    json_auto_t *is = vg_params_to_json(l->v, l->n);
    assert_non_null(is);
    vg_autofree char *text = json_dumps(is, JSON_COMPACT);
    assert_string_equal(text, want);
}

/* `names` are given the values 0, 1, 2, ... but a count is given as "x.count=N". */
static void assert_names(const char *const *names, const char *want)
{
    auto_list l = {0};
    for (unsigned int i = 0; names[i]; i++) {
        char name[VIR_TYPED_PARAM_FIELD_LENGTH];
        unsigned int value = i;
        sscanf(names[i], "%79[^=]=%u", name, &value);
        add_int(&l, name, value);
    }
    assert_shape(&l, want);
}
#define SHAPE(want, ...) assert_names((const char *const[]){__VA_ARGS__, NULL}, want)

static void test_names(void **state)
{
    (void)state;
    SHAPE("{\"cpu\":{\"time\":0}}", "cpu.time");
    SHAPE("{\"rd\":{\"totalTime\":0},\"maxMemory\":1,\"backingIndex\":2}",
          "rd.total-time", "max_memory", "backingIndex");
    SHAPE("{\"cpu0Id\":0}", "cpu0-id");
    SHAPE("{\"bandwidth\":{\"value\":0,\"postcopy\":1}}", "bandwidth",
          "bandwidth.postcopy");
    SHAPE("{\"bandwidth\":{\"postcopy\":0,\"value\":1}}", "bandwidth.postcopy",
          "bandwidth");
    SHAPE("{\"a\":[0,1,2]}", "a", "a", "a");
}

static void test_groups(void **state)
{
    (void)state;
    SHAPE("{\"block\":[{\"rd\":{\"bytes\":1}},{\"rd\":{\"bytes\":2}}]}", "block.count=2",
          "block.0.rd.bytes", "block.1.rd.bytes");
    SHAPE("{\"net\":[]}", "net.count=0");
    SHAPE("{\"net\":[{}]}", "net.count=1");
    /* A hole keeps its place. */
    SHAPE("{\"net\":[{\"rx\":1},{},{\"rx\":2}]}", "net.count=3", "net.0.rx", "net.2.rx");
    /* Numbers that are ids. */
    SHAPE("{\"iothread\":[{\"index\":1,\"poll\":1},{\"index\":2,\"poll\":2}]}",
          "iothread.count=2", "iothread.1.poll", "iothread.2.poll");
    /* Sorted by number, not as text. */
    SHAPE("{\"vcpu\":{\"current\":0,\"maximum\":1,\"list\":[{\"index\":0,\"state\":2},"
          "{\"index\":2,\"state\":4},{\"index\":10,\"state\":3}]}}",
          "vcpu.current", "vcpu.maximum", "vcpu.0.state", "vcpu.10.state",
          "vcpu.2.state");
    SHAPE("{\"dirtyrate\":{\"vcpu\":[{\"index\":0,\"rate\":0}]}}",
          "dirtyrate.vcpu.0.rate");
    /* Groups in groups. */
    SHAPE("{\"fs\":[{\"disk\":[{\"device\":2}]},{\"disk\":[]}]}", "fs.count=2",
          "fs.0.disk.count=1", "fs.0.disk.0.device", "fs.1.disk.count=0");
    /* A count beside other members, a member called like a number, no empty number. */
    SHAPE("{\"exits\":{\"count\":7,\"sum\":1}}", "exits.count=7", "exits.sum");
    SHAPE("{\"x\":{\"01\":0,\"1a\":1}}", "x.01", "x.1a");
    SHAPE("{\"cpu\":[5,6]}", "cpu.count=2", "cpu.0=5", "cpu.1=6");
    SHAPE("{\"cpu\":[{\"index\":3,\"value\":5}]}", "cpu.3=5");
}

/* A daemon that lies does not make the gateway allocate. */
static void test_hostile(void **state)
{
    (void)state;
    SHAPE("{\"a\":{\"count\":4294967295}}", "a.count=4294967295");
    SHAPE("{\"a\":{\"count\":4000000000,\"list\":[{\"index\":0,\"b\":1}]}}",
          "a.count=4000000000", "a.0.b");
    SHAPE("{\"\":{\"\":0}}", ".");
    SHAPE("{\"a?\":0}", "a\xFF");
    SHAPE("{\"0\":0,\"count\":1}", "0", "count");
    char deep[VIR_TYPED_PARAM_FIELD_LENGTH] = {0};
    memset(deep, '.', sizeof(deep) - 1);
    auto_list l = {0};
    add_int(&l, deep, 1);
    json_auto_t *j = vg_params_to_json(l.v, l.n);
    assert_non_null(j);
}

static void test_types(void **state)
{
    (void)state;
    auto_list l = {0};
    virTypedParamsAddInt(&l.v, &l.n, &l.max, "i", INT_MIN);
    virTypedParamsAddUInt(&l.v, &l.n, &l.max, "u", UINT_MAX);
    virTypedParamsAddLLong(&l.v, &l.n, &l.max, "l", INT64_MIN);
    virTypedParamsAddULLong(&l.v, &l.n, &l.max, "ul", INT64_MAX);
    virTypedParamsAddULLong(&l.v, &l.n, &l.max, "big", UINT64_MAX);
    virTypedParamsAddDouble(&l.v, &l.n, &l.max, "d", 0.5);
    virTypedParamsAddDouble(&l.v, &l.n, &l.max, "inf", 1e308 * 10);
    virTypedParamsAddBoolean(&l.v, &l.n, &l.max, "b", 1);
    virTypedParamsAddString(&l.v, &l.n, &l.max, "s", "caf\xE9");
    assert_shape(&l, "{\"i\":-2147483648,\"u\":4294967295,\"l\":-9223372036854775808,"
                     "\"ul\":9223372036854775807,\"big\":\"18446744073709551615\","
                     "\"d\":0.5,\"inf\":null,\"b\":true,\"s\":\"caf\xEF\xBF\xBD\"}");
    auto_list none = {0};
    assert_shape(&none, "{}");
}

/* Reads `text`, against `current`; 0, or the error's slug is checked. */
static void read_text(const char *text, const struct list *current, struct list *ret,
                      const char *slug, const char *detail)
{
    struct vg_error e = {0};
    json_auto_t *j = json_loads(text, 0, NULL);
    assert_non_null(j);
    int rc = vg_params_from_json(j, current ? current->v : NULL, current ? current->n : 0,
                                 &ret->v, &ret->n, &e);
    if (!slug) {
        if (rc < 0)
            fail_msg("%s: %s", text, e.detail);
        return;
    }
    assert_int_equal(rc, -1);
    assert_null(ret->v);
    assert_string_equal(e.slug, slug);
    if (!strstr(e.detail, detail))
        fail_msg("%s: %s", text, e.detail);
    vg_error_clear(&e);
}

static void refuse(const char *text, const char *slug, const char *detail)
{
    struct list l = {0};
    read_text(text, NULL, &l, slug, detail);
}

static void test_read(void **state)
{
    (void)state;
    auto_list l = {0};
    read_text(
        "{\"cpuShares\": 2048, \"vcpu_quota\": \"-1\", \"weight\": 4294967295,"
        " \"inbound\": {\"average\": 10}, \"outbound.peak\": 3, \"cmt\": true,"
        " \"bandwidth\": {\"value\": \"18446744073709551615\", \"postcopy\": 1},"
        " \"compression\": {\"value\": [\"mt\", \"xbzrle\"], \"mt\": {\"level\": 1}},"
        " \"autoConverge\": {\"initial\": -2147483648}, \"numaNodeset\": \"0-1\"}",
        NULL, &l, NULL, NULL);
    unsigned long long ul;
    long long ll;
    unsigned int u;
    int i;
    const char *s;
    assert_int_equal(virTypedParamsGetULLong(l.v, l.n, "cpu_shares", &ul), 1);
    assert_int_equal(ul, 2048);
    assert_int_equal(virTypedParamsGetLLong(l.v, l.n, "vcpu_quota", &ll), 1);
    assert_true(ll == -1);
    assert_int_equal(virTypedParamsGetUInt(l.v, l.n, "weight", &u), 1);
    assert_int_equal(u, UINT_MAX);
    assert_int_equal(virTypedParamsGetUInt(l.v, l.n, "inbound.average", &u), 1);
    assert_int_equal(virTypedParamsGetUInt(l.v, l.n, "outbound.peak", &u), 1);
    assert_int_equal(virTypedParamsGetBoolean(l.v, l.n, "cmt", &i), 1);
    assert_int_equal(virTypedParamsGetULLong(l.v, l.n, "bandwidth", &ul), 1);
    assert_true(ul == UINT64_MAX);
    assert_int_equal(virTypedParamsGetULLong(l.v, l.n, "bandwidth.postcopy", &ul), 1);
    assert_int_equal(virTypedParamsGetString(l.v, l.n, "compression", &s), 1);
    assert_string_equal(s, "mt");
    assert_int_equal(virTypedParamsGetInt(l.v, l.n, "compression.mt.level", &i), 1);
    assert_int_equal(virTypedParamsGetInt(l.v, l.n, "auto_converge.initial", &i), 1);
    assert_int_equal(virTypedParamsGetString(l.v, l.n, "numa_nodeset", &s), 1);
    assert_int_equal(l.n, 13);
}

/* What the object's getter says beats the table. */
static void test_current(void **state)
{
    (void)state;
    auto_list current = {0}, l = {0}, none = {0};
    virTypedParamsAddULLong(&current.v, &current.n, &current.max, "weight", 1);
    virTypedParamsAddDouble(&current.v, &current.n, &current.max, "brand-new", 1);
    read_text("{\"weight\": 4294967296, \"brandNew\": 1}", &current, &l, NULL, NULL);
    assert_int_equal(l.v[0].type, VIR_TYPED_PARAM_ULLONG);
    assert_int_equal(l.v[1].type, VIR_TYPED_PARAM_DOUBLE);
    assert_string_equal(l.v[1].field, "brand-new");
    read_text("{\"nosuch\": 1}", &current, &none, "unknown-key", "weight, brandNew");
    read_text("{\"brandNew\": \"x\"}", &current, &none, "invalid-value", "a number");
}

static const struct vg_param_type *table_row(const char *name)
{
    for (size_t i = 0; i < vg_param_types_count; i++)
        if (strcmp(vg_param_types[i].name, name) == 0)
            return &vg_param_types[i];
    return NULL;
}

/* A type that later releases widened is the older one, which all take, while that will
 * do. */
static void test_fallback(void **state)
{
    (void)state;
    auto_list l = {0}, large = {0};
    const struct vg_param_type *row = table_row("poll_grow");
    assert_non_null(row);
    assert_int_equal(row->type, VIR_TYPED_PARAM_UINT);
    read_text("{\"pollGrow\": 4294967295}", NULL, &l, NULL, NULL);
    assert_int_equal(l.v[0].type, VIR_TYPED_PARAM_UINT);
    if (row->fallback) { /* libvirt 9.3 and later */
        read_text("{\"pollGrow\": 4294967296}", &l, &large, NULL, NULL);
        assert_int_equal(large.v[0].type, row->fallback);
    } else {
        refuse("{\"pollGrow\": 4294967296}", "invalid-value", "4294967295");
    }
}

/* Constants of enums go by their names, both ways. */
static void test_enums(void **state)
{
    (void)state;
    auto_list l = {0}, names = {0}, numbers = {0};
    int mode = -1;
    virTypedParamsAddInt(&l.v, &l.n, &l.max, "vcpu.0.state", VIR_VCPU_BLOCKED);
    virTypedParamsAddInt(&l.v, &l.n, &l.max, "vcpu.1.state", 99);
    virTypedParamsAddInt(&l.v, &l.n, &l.max, "dirtyrate.calc_status",
                         VIR_DOMAIN_DIRTYRATE_MEASURED);
    assert_shape(&l, "{\"vcpu\":[{\"index\":0,\"state\":\"blocked\"},"
                     "{\"index\":1,\"state\":99}],"
                     "\"dirtyrate\":{\"calcStatus\":\"measured\"}}");
    read_text("{\"numaMode\": \"preferred\"}", NULL, &names, NULL, NULL);
    assert_int_equal(virTypedParamsGetInt(names.v, names.n, "numa_mode", &mode), 1);
    assert_int_equal(mode, VIR_DOMAIN_NUMATUNE_MEM_PREFERRED);
    assert_shape(&names, "{\"numaMode\":\"preferred\"}");
    read_text("{\"numaMode\": 2}", NULL, &numbers, NULL, NULL);
    assert_shape(&numbers, "{\"numaMode\":\"interleave\"}");
    refuse("{\"numaMode\": \"nosuch\"}", "unknown-value", "strict, preferred");
    refuse("{\"numaMode\": true}", "unknown-value", "strict, preferred");
}

static void test_refusals(void **state)
{
    (void)state;
    refuse("[]", "invalid-value", "object");
    refuse("{\"cpuShare\": 1}", "unknown-key", "did you mean \"cpuShares\"");
    refuse("{\"zzzzzzzzzzzzzzzzzzzzzz\": 1}", "unknown-key", "not a parameter");
    refuse("{\"inbound\": {\"avrage\": 1}}", "unknown-key", "inbound.avrage");
    refuse("{\"cpuShares\": {\"x\": 1}}", "invalid-value", "cpuShares");
    refuse("{\"bandwidth\": {\"value\": {\"value\": 1}}}", "invalid-value", "bandwidth");
    refuse("{\"inbound\": {\"value\": 1}}", "unknown-key", "inbound");
    refuse("{\"inbound\": 1}", "unknown-key", "inbound");
    refuse("{\"weight\": -1}", "invalid-value", "from 0 to 4294967295");
    refuse("{\"weight\": 4294967296}", "invalid-value", "from 0 to 4294967295");
    refuse("{\"weight\": 1.5}", "invalid-value", "integer");
    refuse("{\"weight\": \"1\"}", "invalid-value", "integer");
    refuse("{\"weight\": null}", "invalid-value", "integer");
    refuse("{\"shares\": 2147483648}", "invalid-value", "2147483647");
    refuse("{\"cpuShares\": -1}", "invalid-value", "18446744073709551615");
    refuse("{\"cpuShares\": \"18446744073709551616\"}", "invalid-value", "digits");
    refuse("{\"cpuShares\": \"\"}", "invalid-value", "digits");
    refuse("{\"cpuShares\": \"1x\"}", "invalid-value", "digits");
    refuse("{\"vcpuQuota\": \"-9223372036854775809\"}", "invalid-value", "64 bits");
    refuse("{\"vcpuQuota\": \"--1\"}", "invalid-value", "64 bits");
    refuse("{\"cmt\": 1}", "invalid-value", "true or false");
    refuse("{\"numaNodeset\": 0}", "invalid-value", "a string");
    refuse("{\"weight\": [1]}", "invalid-value", "not a list");
    refuse("{\"migrateDisks\": [1]}", "invalid-value", "a string");
    refuse("{\"cpuShares\": 1, \"cpu_shares\": 2}", "duplicate-key", "cpu_shares");
}

static void test_limits(void **state)
{
    (void)state;
    auto_list l = {0};
    read_text("{\"vcpuQuota\": \"-9223372036854775808\", \"shares\": 2147483647,"
              " \"globalQuota\": \"9223372036854775807\"}",
              NULL, &l, NULL, NULL);
    assert_true(l.v[0].value.l == INT64_MIN);
    assert_true(l.v[1].value.i == INT_MAX);
    assert_true(l.v[2].value.l == INT64_MAX);
    auto_list none = {0};
    read_text("{}", NULL, &none, NULL, NULL);
    assert_int_equal(none.n, 0);
}

/* Every field of the table takes a value of its type, under both spellings. */
static void test_table(void **state)
{
    (void)state;
    static const char *const values[] = {
        [VIR_TYPED_PARAM_INT] = "-1",          [VIR_TYPED_PARAM_UINT] = "1",
        [VIR_TYPED_PARAM_LLONG] = "-1",        [VIR_TYPED_PARAM_ULLONG] = "1",
        [VIR_TYPED_PARAM_DOUBLE] = "0.5",      [VIR_TYPED_PARAM_BOOLEAN] = "true",
        [VIR_TYPED_PARAM_STRING] = "\"text\"",
    };
    assert_true(vg_param_types_count > 200);
    for (size_t i = 0; i < vg_param_types_count; i++) {
        vg_autofree char *text = NULL;
        auto_list l = {0};
        if (asprintf(&text, "{\"%s\": %s}", vg_param_types[i].name,
                     values[vg_param_types[i].type]) < 0)
            fail();
        read_text(text, NULL, &l, NULL, NULL);
        assert_int_equal(l.n, 1);
        assert_string_equal(l.v[0].field, vg_param_types[i].name);
        assert_int_equal(l.v[0].type, vg_param_types[i].type);
    }
}

/* The test driver's statistics, and its scheduler there and back. */
static void test_real(void **state)
{
    (void)state;
    virConnectPtr conn = virConnectOpen("test:///default");
    assert_non_null(conn);
    {
        vg_autolist(stats) stats = {0};
        stats.n = virConnectGetAllDomainStats(conn, 0, &stats.v, 0);
        assert_true(stats.n > 0);
        json_auto_t *j = vg_params_to_json(stats.v[0]->params, stats.v[0]->nparams);
        json_t *s = json_object_get(json_object_get(j, "state"), "state");
        assert_int_equal(json_integer_value(s), VIR_DOMAIN_RUNNING);

        vg_autoptr(virDomain) dom = virDomainLookupByName(conn, "test");
        virTypedParameter current[8] = {0};
        int n = 1;
        assert_int_equal(virDomainGetSchedulerParameters(dom, current, &n), 0);
        json_auto_t *before = vg_params_to_json(current, n);
        auto_list l = {0};
        struct vg_error e = {0};
        assert_int_equal(vg_params_from_json(before, current, n, &l.v, &l.n, &e), 0);
        assert_int_equal(l.n, n);
        json_auto_t *after = vg_params_to_json(l.v, l.n);
        assert_true(json_equal(before, after));
    }
    virConnectClose(conn);
}

/* What a client sends back as it was shown is no change. */
static void test_unchanged(void **state)
{
    (void)state;
    static const char sent[] =
        "{\"shares\":5,\"group\":\"\",\"set\":\"0-1\",\"new\":\"\"}";
    virTypedParameterPtr current = NULL;
    int n = 0, size = 0;
    struct vg_error e = {0};
    assert_int_equal(virTypedParamsAddInt(&current, &n, &size, "shares", 5), 0);
    assert_int_equal(virTypedParamsAddString(&current, &n, &size, "group", ""), 0);
    assert_int_equal(virTypedParamsAddString(&current, &n, &size, "set", "0-1"), 0);
    json_auto_t *all = json_loads(sent, 0, NULL), *empty = json_loads(sent, 0, NULL);
    assert_int_equal(vg_params_take_unchanged(all, current, n, false, &e), 0);
    vg_autofree char *left = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(left, "{\"new\":\"\"}");
    assert_int_equal(vg_params_take_unchanged(empty, current, n, true, &e), 0);
    vg_autofree char *texts = json_dumps(empty, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(texts, "{\"new\":\"\",\"set\":\"0-1\",\"shares\":5}");
    virTypedParamsFree(current, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_groups),
        cmocka_unit_test(test_hostile),   cmocka_unit_test(test_types),
        cmocka_unit_test(test_read),      cmocka_unit_test(test_current),
        cmocka_unit_test(test_fallback),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_table),
        cmocka_unit_test(test_real),      cmocka_unit_test(test_enums),
        cmocka_unit_test(test_unchanged),
    };
    /* libvirt's thread-local error does not exist before. */
    if (virInitialize() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
