/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/core/lru.c: entries by hash, and which of them has to go.
 */
#include "server/core/lru.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct entry {
    struct vg_slot slot;
    int number;
};

/* All of one set, with two of the same hash. */
static uint64_t hash_of(int number)
{
    return (uint64_t)(number / 2) * VG_SLOT_SETS + 7;
}

static struct vg_slot **find(struct vg_lru *slots, int number)
{
    struct vg_slot **at = NULL;
    while ((at = vg_lru_next(slots, hash_of(number), at)))
        if (((const struct entry *)*at)->number == number)
            return at;
    return NULL;
}

/* Which entry had to go; -1: none. */
static int put(struct vg_lru *slots, int number)
{
    struct entry *e = calloc(1, sizeof(*e));
    struct vg_slot **at = vg_lru_place(slots, hash_of(number));
    int gone = *at ? ((const struct entry *)*at)->number : -1;

    e->number = number;
    free(*at);
    vg_lru_put(slots, at, &e->slot, hash_of(number));
    return gone;
}

static void clear(struct vg_lru *slots)
{
    for (size_t i = 0; i < VG_SLOTS; i++)
        free(slots->v[i]);
}

static void test_full_set(void **state)
{
    (void)state;
    struct vg_lru slots = {0};

    for (int i = 0; i < VG_SLOT_WAYS; i++)
        assert_int_equal(put(&slots, i), -1);
    for (int i = 0; i < VG_SLOT_WAYS; i++)
        assert_non_null(find(&slots, i));
    assert_null(find(&slots, VG_SLOT_WAYS));
    vg_lru_use(&slots, *find(&slots, 0));
    assert_int_equal(put(&slots, 100), 1); /* that was longest not asked for */
    assert_int_equal(put(&slots, 101), 2);
    assert_null(find(&slots, 1));
    assert_non_null(find(&slots, 0));
    assert_non_null(find(&slots, 100));
    assert_non_null(find(&slots, 101));
    clear(&slots);
}

/* Entries of another hash, or of the next set, are none of one's own. */
static void test_neighbours(void **state)
{
    struct vg_lru slots = {0};
    struct vg_slot other = {.hash = 7 + VG_SLOT_SETS}, mine = {.hash = 7},
                   next = {.hash = 7};
    struct vg_slot **set = &slots.v[(size_t)7 * VG_SLOT_WAYS];
    (void)state;

    assert_null(vg_lru_next(&slots, 7, NULL));
    set[0] = &other;
    set[VG_SLOT_WAYS] = &next; /* as if it stood where it does not belong */
    set[-1] = &next;
    assert_null(vg_lru_next(&slots, 7, NULL));
    set[VG_SLOT_WAYS - 1] = &mine;
    assert_ptr_equal(vg_lru_next(&slots, 7, NULL), &set[VG_SLOT_WAYS - 1]);
    assert_null(vg_lru_next(&slots, 7, &set[VG_SLOT_WAYS - 1]));
    assert_ptr_equal(vg_lru_place(&slots, 7), &set[1]); /* the first that is free */
    for (size_t i = 1; i < VG_SLOT_WAYS - 1; i++)
        set[i] = &other;
    other.used = 5;
    mine.used = 4;
    assert_ptr_equal(vg_lru_place(&slots, 7), &set[VG_SLOT_WAYS - 1]);
    next.used = 3;
    assert_ptr_equal(vg_lru_place(&slots, 7), &set[VG_SLOT_WAYS - 1]);
}

static void test_hash(void **state)
{
    (void)state;
    assert_true(vg_slot_hash("b1") != vg_slot_hash("b2"));
    assert_true(vg_slot_hash("b1") == vg_slot_hash("b1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_set),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
