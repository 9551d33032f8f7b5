/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The generated enum tables: names users of libvirt expect, one entry per name and value
 * found again, and the list for messages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "virtgate/autoptr.h"
#include "virtgate/enum.h"

static void assert_name(const struct vg_enum *e, int64_t value, const char *name)
{
    const struct vg_enum_value *v = vg_enum_find(e, value);
    assert_non_null(v);
    assert_string_equal(v->name, name);
    v = vg_enum_lookup(e, name, strlen(name));
    assert_non_null(v);
    assert_true(v->value == value);
}

static void test_names(void **state)
{
    (void)state;
    assert_name(&vg_enum_virDomainState, VIR_DOMAIN_SHUTOFF, "shutoff");
    assert_name(&vg_enum_virDomainState, VIR_DOMAIN_NOSTATE, "nostate");
    assert_name(&vg_enum_virDomainRunningReason, VIR_DOMAIN_RUNNING_BOOTED, "booted");
    assert_name(&vg_enum_virDomainDefineFlags, VIR_DOMAIN_DEFINE_VALIDATE, "validate");
    assert_name(&vg_enum_virDomainCreateFlags, VIR_DOMAIN_START_PAUSED, "paused");
    assert_name(&vg_enum_virDomainCreateFlags, VIR_DOMAIN_NONE, "none");
    assert_name(&vg_enum_virConnectListAllDomainsFlags, VIR_CONNECT_LIST_DOMAINS_ACTIVE,
                "active");
    assert_name(&vg_enum_virDomainModificationImpact, VIR_DOMAIN_AFFECT_LIVE, "live");
    assert_name(&vg_enum_virErrorNumber, VIR_ERR_NO_DOMAIN, "no-domain");
    assert_name(&vg_enum_virErrorNumber, VIR_WAR_NO_NETWORK, "war-no-network");
    assert_name(&vg_enum_virErrorNumber, VIR_ERR_NO_NETWORK, "no-network");
    assert_name(&vg_enum_virErrorDomain, VIR_FROM_QEMU, "qemu");
    assert_name(&vg_enum_virDomainAgentResponseTimeoutValues,
                VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK, "block");
    assert_name(&vg_enum_virConnectGetAllDomainStatsFlags,
                (int64_t)VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS,
                "enforce-stats");
    assert_name(&vg_enum_virDomainFDAssociateFlags,
                VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE, "seclabel-writable");
}

static void test_sentinels(void **state)
{
    (void)state;
    assert_null(vg_enum_lookup(&vg_enum_virDomainState, "last", 4));
    assert_null(vg_enum_lookup(&vg_enum_virDomainMemoryStatTags, "nr", 2));
    /* Not one: a command called "add last". */
    assert_name(&vg_enum_virNetworkUpdateCommand, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
                "add-last");
}

static void test_unknown(void **state)
{
    (void)state;
    assert_null(vg_enum_find(&vg_enum_virDomainState, 9999));
    assert_null(vg_enum_find(&vg_enum_virDomainState, -1));
    assert_null(vg_enum_find(&vg_enum_virDomainState, INT64_MAX));
    assert_null(vg_enum_lookup(&vg_enum_virDomainState, "", 0));
    assert_null(vg_enum_lookup(&vg_enum_virDomainState, "run", 3));
    assert_null(vg_enum_lookup(&vg_enum_virDomainState, "runningx", 8));
    assert_non_null(vg_enum_lookup(&vg_enum_virDomainState, "runningx", 7));
}

/* Every table: sorted by value, names unique and well-formed, entries found again. */
static void test_all_tables(void **state)
{
    (void)state;
    assert_true(vg_enum_tables_count > 150);
    for (size_t t = 0; t < vg_enum_tables_count; t++) {
        const struct vg_enum *e = vg_enum_tables[t];
        assert_true(e->count > 0);
        for (size_t i = 0; i < e->count; i++) {
            const struct vg_enum_value *v = &e->values[i];
            assert_int_equal(strspn(v->name, "abcdefghijklmnopqrstuvwxyz0123456789-"),
                             strlen(v->name));
            assert_ptr_equal(vg_enum_lookup(e, v->name, strlen(v->name)), v);
            const struct vg_enum_value *found = vg_enum_find(e, v->value);
            assert_non_null(found);
            assert_true(found->value == v->value && found <= v);
            assert_true(i == 0 || v[-1].value <= v->value);
        }
    }
}

static void test_list(void **state)
{
    (void)state;
    vg_autofree char *names = vg_enum_names(&vg_enum_virDomainXMLFlags);
    assert_non_null(names);
    assert_non_null(strstr(names, "secure, inactive, update-cpu, migratable"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_sentinels),
        cmocka_unit_test(test_unknown), cmocka_unit_test(test_all_tables),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
