/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Prometheus' text format and OpenMetrics; see exposition.h. A writer is always between
 * two samples or inside the labels of one; an open brace says which.
 */
#include "virtgate/exposition.h"

#include "server/base/utf8.h"

#include <string.h>

void vg_exposition_raw(struct vg_exposition *x, const char *text, size_t len)
{
    vg_text_add(&x->text, text, len);
}

static void put(struct vg_exposition *x, const char *text)
{
    vg_exposition_raw(x, text, strlen(text));
}

static char last_byte(const struct vg_exposition *x)
{
    return x->text.len ? x->text.data[x->text.len - 1] : '\0';
}

void vg_exposition_family(struct vg_exposition *x, const struct vg_family *family)
{
    static const char *const types[] = {
        [VG_METRIC_COUNTER] = " counter\n",
        [VG_METRIC_GAUGE] = " gauge\n",
        [VG_METRIC_HISTOGRAM] = " histogram\n",
    };
    size_t n = strlen(family->name);

    if (x->openmetrics && family->type == VG_METRIC_COUNTER)
        n -= strlen("_total");
    put(x, "# HELP ");
    vg_exposition_raw(x, family->name, n);
    put(x, " ");
    put(x, family->help);
    put(x, "\n# TYPE ");
    vg_exposition_raw(x, family->name, n);
    put(x, types[family->type]);
}

void vg_exposition_name(struct vg_exposition *x, const char *name, const char *suffix)
{
    put(x, name);
    if (suffix)
        put(x, suffix);
    put(x, "{");
}

static void put_escaped(struct vg_exposition *x, const char *value)
{
    const unsigned char *s = (const unsigned char *)value;
    for (size_t n = strlen(value), len; n; s += len, n -= len) {
        len = vg_utf8_length(s, n);
        if (len == 1 && *s == '\n')
            put(x, "\\n");
        else if (len == 1 && (*s == '"' || *s == '\\'))
            vg_exposition_raw(x, (const char[]){'\\', (char)*s}, 2);
        else if (len == 0 || *s < ' ' || *s == 0x7F)
            put(x, VG_UTF8_REPLACEMENT);
        else
            vg_exposition_raw(x, (const char *)s, len);
        len = len ? len : 1;
    }
}

void vg_exposition_label(struct vg_exposition *x, const char *key, const char *value)
{
    if (!value)
        return;
    if (x->text.len && last_byte(x) != '{')
        put(x, ",");
    put(x, key);
    put(x, "=\"");
    put_escaped(x, value);
    put(x, "\"");
}

static void put_number(struct vg_exposition *x, uint64_t value, unsigned int digits)
{
    char text[48], *p = text + sizeof(text);

    while (digits && value % 10 == 0) { /* no trailing zeros */
        value /= 10;
        digits--;
    }
    for (unsigned int i = 0; value || i <= digits; i++) {
        if (i && i == digits)
            *--p = '.';
        *--p = (char)('0' + value % 10);
        value /= 10;
    }
    vg_exposition_raw(x, p, (size_t)(text + sizeof(text) - p));
}

void vg_exposition_decimal(struct vg_exposition *x, uint64_t value, unsigned int digits)
{
    if (last_byte(x) == '{')
        x->text.len--; /* no labels */
    else
        put(x, "}");
    put(x, " ");
    put_number(x, value, digits);
    put(x, "\n");
}

void vg_exposition_uint(struct vg_exposition *x, uint64_t value)
{
    vg_exposition_decimal(x, value, 0);
}

char *vg_exposition_finish(struct vg_exposition *x)
{
    if (x->openmetrics)
        put(x, "# EOF\n");
    size_t len;
    x->openmetrics = false;
    return vg_text_finish(&x->text, &len);
}
