/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/core/byte_range.c: what a Range header asks for.
 */
#include "server/core/byte_range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct row {
    const char *header;
    uint64_t size;
    enum vg_range means;
    uint64_t offset, length;
};

#define BIG "18446744073709551615" /* UINT64_MAX */

static const struct row rows[] = {
    /* one range */
    {"bytes=0-0", 10, VG_RANGE_PART, 0, 1},
    {"bytes=0-9", 10, VG_RANGE_PART, 0, 10},
    {"bytes=3-5", 10, VG_RANGE_PART, 3, 3},
    {"bytes=9-9", 10, VG_RANGE_PART, 9, 1},
    {"bytes=4-", 10, VG_RANGE_PART, 4, 6},
    {"bytes=0-", 10, VG_RANGE_PART, 0, 10},
    {"bytes=9-", 10, VG_RANGE_PART, 9, 1},
    {"BYTES=3-5", 10, VG_RANGE_PART, 3, 3},
    {"bytes= 3-5 ", 10, VG_RANGE_PART, 3, 3},
    {"bytes=\t3-5", 10, VG_RANGE_PART, 3, 3},
    {"bytes=0000000000000000000000003-5", 10, VG_RANGE_PART, 3, 3},
    /* that ends beyond the end */
    {"bytes=5-10", 10, VG_RANGE_PART, 5, 5},
    {"bytes=5-" BIG, 10, VG_RANGE_PART, 5, 5},
    {"bytes=5-" BIG "0", 10, VG_RANGE_PART, 5, 5},
    {"bytes=0-" BIG, UINT64_MAX, VG_RANGE_PART, 0, UINT64_MAX},
    {"bytes=18446744073709551614-", UINT64_MAX, VG_RANGE_PART, UINT64_MAX - 1, 1},
    {"bytes=9223372036854775807-9223372036854775808", UINT64_MAX, VG_RANGE_PART,
     INT64_MAX, 2},
    /* the last bytes */
    {"bytes=-1", 10, VG_RANGE_PART, 9, 1},
    {"bytes=-10", 10, VG_RANGE_PART, 0, 10},
    {"bytes=-11", 10, VG_RANGE_PART, 0, 10},
    {"bytes=-" BIG "9", 10, VG_RANGE_PART, 0, 10},
    /* empty elements of the list are none */
    {"bytes=,3-5", 10, VG_RANGE_PART, 3, 3},
    {"bytes=3-5,", 10, VG_RANGE_PART, 3, 3},
    {"bytes= , 3-5 , ,", 10, VG_RANGE_PART, 3, 3},
    /* nothing of it is there */
    {"bytes=10-", 10, VG_RANGE_UNSATISFIABLE, 10, 0},
    {"bytes=10-10", 10, VG_RANGE_UNSATISFIABLE, 10, 0},
    {"bytes=" BIG "-", 10, VG_RANGE_UNSATISFIABLE, UINT64_MAX, 0},
    {"bytes=" BIG "0-" BIG "1", 10, VG_RANGE_UNSATISFIABLE, UINT64_MAX, 0},
    {"bytes=-0", 10, VG_RANGE_UNSATISFIABLE, 10, 0},
    {"bytes=0-", 0, VG_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-0", 0, VG_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-1", 0, VG_RANGE_UNSATISFIABLE, 0, 0},
    /* several, and what is no range: the whole */
    {NULL, 10, VG_RANGE_WHOLE, 0, 10},
    {"", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=,", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=-", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=--1", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=5", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=5-3", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=+3-5", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=3 -5", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=3- 5", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=3-5x", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=0x3-5", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=3-5;6-7", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=0-1,3-4", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=0-1,20-30", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=0-1, -1", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes=0-1,x", 10, VG_RANGE_WHOLE, 0, 10},
    {"bytes =0-1", 10, VG_RANGE_WHOLE, 0, 10},
    {"octets=0-1", 10, VG_RANGE_WHOLE, 0, 10},
    {"0-1", 10, VG_RANGE_WHOLE, 0, 10},
};

static void reads_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct vg_byte_range range = {1, 2};
        enum vg_range means = vg_byte_range_read(row->header, row->size, &range);
        if (means != row->means || range.offset != row->offset ||
            range.length != row->length)
            fail_msg("'%s' of %llu: %d %llu+%llu", row->header ? row->header : "(none)",
                     (unsigned long long)row->size, (int)means,
                     (unsigned long long)range.offset, (unsigned long long)range.length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_ranges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
