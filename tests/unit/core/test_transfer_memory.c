/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory that transfers share: nobody takes what the next one needs, and what is held
 * beside it has a quarter for itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/core/transfer_memory.h"

static void test_take(void **state)
{
    (void)state;
    vg_transfer_memory_start(3200); /* 2400 of it to be taken */
    assert_int_equal(vg_transfer_memory_take(10, 100), 100);
    assert_int_equal(vg_transfer_memory_used(), 100);
    assert_int_equal(vg_transfer_memory_take(10, 1000), 2300 / 8);
    assert_int_equal(vg_transfer_memory_take(500, 1000), 500); /* as little as it needs */
    assert_int_equal(vg_transfer_memory_used(), 100 + 287 + 500);
    vg_transfer_memory_give(500);
    assert_int_equal(vg_transfer_memory_take(2013, 3000), 2013); /* the last of it */
    assert_int_equal(vg_transfer_memory_take(1, 1), 0);
    assert_int_equal(vg_transfer_memory_used(), 2400);
    vg_transfer_memory_give(2400);
    assert_int_equal(vg_transfer_memory_used(), 0);
    assert_int_equal(vg_transfer_memory_take(2401, 3000), 0);
    assert_int_equal(vg_transfer_memory_take(2400, 3000), 2400);
    vg_transfer_memory_give(2400);
}

static void test_hold(void **state)
{
    (void)state;
    vg_transfer_memory_start(3200);
    assert_false(vg_transfer_memory_hold(3201));
    assert_int_equal(vg_transfer_memory_used(), 0);
    assert_true(vg_transfer_memory_hold(3200));
    assert_true(vg_transfer_memory_hold(0));
    assert_false(vg_transfer_memory_hold(1));
    assert_int_equal(vg_transfer_memory_take(1, 1), 0); /* nothing is left to take */
    vg_transfer_memory_start(100);                      /* less than is used */
    assert_false(vg_transfer_memory_hold(1));
    vg_transfer_memory_give(3200);
    vg_transfer_memory_start(0);
    assert_int_equal(vg_transfer_memory_take(1, 1), 0);
    assert_false(vg_transfer_memory_hold(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
