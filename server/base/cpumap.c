/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/cpumap.h.
 */
#include "virtgate/cpumap.h"

#include <stdio.h>
#include <string.h>

static bool has_cpu(const unsigned char *bits, size_t cpu)
{
    return bits[cpu / 8] >> (cpu % 8) & 1;
}

static void set_cpu(struct vg_cpumap *map, size_t cpu, bool in)
{
    unsigned char bit = (unsigned char)(1U << (cpu % 8));
    if (in)
        map->bits[cpu / 8] |= bit;
    else
        map->bits[cpu / 8] &= (unsigned char)~bit;
}

/* -1 when no CPU is left. */
static int measure(struct vg_cpumap *map)
{
    map->length = VG_CPUMAP_BYTES;
    while (map->length > 0 && !map->bits[map->length - 1])
        map->length--;
    return map->length > 0 ? 0 : -1;
}

/* ---- from text and JSON ------------------------------------------------------------ */

static const char *skip_spaces(const char *s)
{
    return s + strspn(s, " \t");
}

/* A number at *s, which is moved past it and what spaces follow; -1 for none. */
static int read_cpu(const char **s)
{
    const char *p = *s;
    int cpu = 0;

    if (*p < '0' || *p > '9')
        return -1;
    for (; *p >= '0' && *p <= '9'; p++)
        if ((cpu = cpu * 10 + (*p - '0')) > VG_CPU_MAX)
            return -1;
    *s = skip_spaces(p);
    return cpu;
}

/* "3", "0-3" or "^3" at *s, which is moved past it. */
static int read_part(const char **s, struct vg_cpumap *map)
{
    bool in = **s != '^';
    if (!in)
        *s = skip_spaces(*s + 1);
    int first = read_cpu(s), last = first;
    if (first >= 0 && in && **s == '-') {
        *s = skip_spaces(*s + 1);
        last = read_cpu(s);
    }
    if (first < 0 || last < first)
        return -1;
    for (int cpu = first; cpu <= last; cpu++)
        set_cpu(map, (size_t)cpu, in);
    return 0;
}

int vg_cpumap_parse(const char *text, struct vg_cpumap *ret)
{
    *ret = (struct vg_cpumap){.length = 0};
    const char *s = skip_spaces(text);
    while (read_part(&s, ret) == 0) {
        if (!*s)
            return measure(ret);
        if (*s != ',')
            return -1;
        s = skip_spaces(s + 1);
    }
    return -1;
}

int vg_cpumap_from_json(const json_t *value, struct vg_cpumap *ret)
{
    size_t i;
    const json_t *item;

    if (json_is_string(value))
        return vg_cpumap_parse(json_string_value(value), ret);
    if (!json_is_array(value))
        return -1;
    *ret = (struct vg_cpumap){.length = 0};
    json_array_foreach (value, i, item) {
        json_int_t cpu = json_integer_value(item);
        if (!json_is_integer(item) || cpu < 0 || cpu > VG_CPU_MAX)
            return -1;
        set_cpu(ret, (size_t)cpu, true);
    }
    return measure(ret);
}

/* ---- to text and JSON -------------------------------------------------------------- */

char *vg_cpumap_text(const struct vg_cpumap *map)
{
    char *text = NULL;
    size_t size = 0, n = (size_t)map->length * 8;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    for (size_t cpu = 0; cpu < n; cpu++) {
        if (!has_cpu(map->bits, cpu))
            continue;
        size_t first = cpu;
        while (cpu + 1 < n && has_cpu(map->bits, cpu + 1))
            cpu++;
        fprintf(out, ftell(out) > 0 ? ",%zu" : "%zu", first);
        if (cpu > first)
            fprintf(out, "-%zu", cpu);
    }
    bool failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

void vg_cpumap_write(struct vg_json *w, const char *key, const unsigned char *bits,
                     size_t length)
{
    vg_json_begin_array(w, key);
    for (size_t cpu = 0; cpu < length * 8; cpu++)
        if (has_cpu(bits, cpu))
            vg_json_int(w, NULL, (int64_t)cpu);
    vg_json_end_array(w);
}
