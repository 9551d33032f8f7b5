/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writing metrics: Prometheus' text format 0.0.4 and OpenMetrics 1.0.0, which differ in
 * the names of counter families and in the last line. Samples are the same in both.
 *
 * The writer never fails half-way: out of memory is remembered and found at the end.
 */
#pragma once

#include "virtgate/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VG_TYPE_METRICS     "text/plain; version=0.0.4; charset=utf-8"
#define VG_TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

enum vg_metric_type {
    VG_METRIC_COUNTER, /* its name ends in _total */
    VG_METRIC_GAUGE,
    VG_METRIC_HISTOGRAM,
};

struct vg_family {
    const char *name; /* of the samples; a histogram's without _bucket and so on */
    enum vg_metric_type type;
    const char *help; /* one line, no backslash */
};

struct vg_exposition {
    struct vg_text text;
    bool openmetrics;
};

/* The HELP and TYPE lines; all samples of the family follow, of no other. */
void vg_exposition_family(struct vg_exposition *x, const struct vg_family *family);

/* Bytes as they are: samples written before. */
void vg_exposition_raw(struct vg_exposition *x, const char *text, size_t len);

/* A sample: its name (and suffix, or NULL), labels, then one value. NULL labels are left
 * out; values of labels are escaped, bytes that are not UTF-8 and control characters
 * become U+FFFD. */
void vg_exposition_name(struct vg_exposition *x, const char *name, const char *suffix);
void vg_exposition_label(struct vg_exposition *x, const char *key, const char *value);
void vg_exposition_uint(struct vg_exposition *x, uint64_t value);
/* A fraction: value / 10^digits, without trailing zeros: nanoseconds as seconds (9). */
void vg_exposition_decimal(struct vg_exposition *x, uint64_t value, unsigned int digits);

/* The whole text, with `# EOF` where it belongs; owned by the caller, NULL when out of
 * memory. The writer is empty afterwards. */
char *vg_exposition_finish(struct vg_exposition *x);

static inline void vg_exposition_free(struct vg_exposition *x)
{
    vg_text_free(&x->text);
}
#define vg_auto_exposition                                                               \
    __attribute__((cleanup(vg_exposition_free))) struct vg_exposition
