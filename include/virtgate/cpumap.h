/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sets of CPUs: libvirt's bit maps, its text "0-3,^2", and arrays of numbers in JSON.
 */
#pragma once

#include "virtgate/json.h"

#include <stddef.h>

/* The highest number of a CPU: what libvirt's protocol has room for. */
#define VG_CPU_MAX      16383
#define VG_CPUMAP_BYTES ((VG_CPU_MAX + 1) / 8)

/* As libvirt's functions take it: CPU n is bit n % 8 of byte n / 8. */
struct vg_cpumap {
    unsigned char bits[VG_CPUMAP_BYTES];
    int length; /* bytes up to the highest CPU */
};

/* libvirt's own grammar: numbers, ranges, and ^N which takes N out again, separated by
 * commas. -1: something else, or nothing is left; *ret is worthless. */
int vg_cpumap_parse(const char *text, struct vg_cpumap *ret);

/* The same from a JSON string, or an array of numbers. */
int vg_cpumap_from_json(const json_t *value, struct vg_cpumap *ret);

/* "0-3,5", for functions that take text. Owned by the caller; NULL when out of memory. */
char *vg_cpumap_text(const struct vg_cpumap *map);

/* Writes an array of numbers. */
void vg_cpumap_write(struct vg_json *w, const char *key, const unsigned char *bits,
                     size_t length);
