/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * In whose name libvirt is asked, and whose answers are for whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "server/core/identity.h"

/* Whose request it is. */
struct who {
    enum vg_via via;
    const char *principal;
};

static struct vg_request request_of(struct who who)
{
    struct vg_request rq = {.via = who.via};
    snprintf(rq.principal, sizeof(rq.principal), "%s", who.principal);
    return rq;
}

static void test_of(void **state)
{
    static const struct {
        bool passes;
        struct who who, told;
    } rows[] = {
        {true, {VG_VIA_TOKEN, "ann"}, {VG_VIA_TOKEN, "ann"}},
        {true, {VG_VIA_CERTIFICATE, "bob"}, {VG_VIA_CERTIFICATE, "bob"}},
        {true, {VG_VIA_SOCKET, ""}, {VG_VIA_SOCKET, ""}},
        {true, {VG_VIA_NONE, "the gateway's own"}, {VG_VIA_NONE, ""}},
        {false, {VG_VIA_TOKEN, "ann"}, {VG_VIA_NONE, ""}},
        {false, {VG_VIA_NONE, ""}, {VG_VIA_NONE, ""}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        vg_identity_start(rows[i].passes);
        assert_int_equal(vg_identity_passes(), rows[i].passes);
        const struct vg_request rq = request_of(rows[i].who);
        const struct vg_identity identity = vg_identity_of(&rq);
        assert_int_equal(identity.via, rows[i].told.via);
        assert_string_equal(identity.principal, rows[i].told.principal);
    }
}

static void test_same(void **state)
{
    static const struct {
        struct who a, b;
        bool same;
    } rows[] = {
        {{VG_VIA_TOKEN, "ann"}, {VG_VIA_TOKEN, "ann"}, true},
        {{VG_VIA_TOKEN, "ann"}, {VG_VIA_TOKEN, "bob"}, false},
        {{VG_VIA_TOKEN, "ann"}, {VG_VIA_TOKEN, "anna"}, false},
        {{VG_VIA_TOKEN, "ann"}, {VG_VIA_HEADER, "ann"}, false},
        {{VG_VIA_TOKEN, "ann"}, {VG_VIA_CERTIFICATE, "bob"}, false},
        {{VG_VIA_NONE, ""}, {VG_VIA_NONE, ""}, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct vg_request a = request_of(rows[i].a), b = request_of(rows[i].b);
        vg_identity_start(true);
        const struct vg_identity x = vg_identity_of(&a), y = vg_identity_of(&b);
        assert_int_equal(vg_identity_same(&x, &y), rows[i].same);
        assert_int_equal(vg_identity_equal(&a, &b), rows[i].same);
        vg_identity_start(false); /* libvirt sees the gateway, whoever asks */
        assert_true(vg_identity_equal(&a, &b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of),
        cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
