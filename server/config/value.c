/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The configuration as it is put together: each value is checked, and kept unless a
 * higher level has set its option.
 */
#include "server/config/internal.h"

#include <string.h>

#include "virtgate/cleanup.h"

static void *find_field(struct vg_config *c, enum vg_config_index option)
{
    return (char *)c + vg_config_options[option].offset;
}

static void clear_texts(struct vg_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        free(texts->v[i]);
    free(texts->v);
    *texts = (struct vg_texts){0};
}

static int add_text(struct vg_texts *texts, const char *text)
{
    char **v = reallocarray(texts->v, texts->n + 1, sizeof(*v));
    if (!v)
        return -1;
    texts->v = v;
    v[texts->n] = strdup(text);
    if (!v[texts->n])
        return -1;
    texts->n++;
    return 0;
}

static void clear_hosts(struct vg_host_configs *hosts)
{
    for (size_t i = 0; i < hosts->n; i++) {
        free(hosts->v[i].name);
        free(hosts->v[i].uri);
    }
    free(hosts->v);
    *hosts = (struct vg_host_configs){0};
}

int vg_config_add_host(struct vg_host_configs *hosts, const char *name, size_t n,
                       const char *uri)
{
    struct vg_host_config *v = reallocarray(hosts->v, hosts->n + 1, sizeof(*v));
    if (!v)
        return -1;
    hosts->v = v;
    vg_autofree char *own_name = strndup(name, n);
    vg_autofree char *own_uri = uri ? strdup(uri) : NULL;
    if (!own_name || (uri && !own_uri))
        return -1;
    struct vg_host_config *host = &v[hosts->n++];
    host->name = vg_take(&own_name);
    host->uri = vg_take(&own_uri);
    return 0;
}

void vg_config_clear(struct vg_config *config)
{
    for (enum vg_config_index i = 0; i < VG_CONFIG_COUNT; i++) {
        void *field = find_field(config, i);
        if (vg_config_options[i].kind == VG_CONFIG_K_TEXT)
            free(*(char **)field);
        else if (vg_config_options[i].kind == VG_CONFIG_K_TEXTS)
            clear_texts(field);
        else if (vg_config_options[i].kind == VG_CONFIG_K_HOSTS)
            clear_hosts(field);
    }
    *config = (struct vg_config){0};
}

void vg_config_clear_read(struct vg_config_read *r)
{
    vg_config_clear(&r->config);
    for (size_t i = 0; i < VG_CONFIG_COUNT; i++)
        clear_texts(&r->where[i]);
    free(r->message);
    if (r->stream)
        (void)fclose(r->stream);
}

/* ---- one value --------------------------------------------------------------------- */

static int store_value(struct vg_config *c, enum vg_config_index option,
                       const char *value)
{
    void *field = find_field(c, option);
    switch (vg_config_options[option].kind) {
    case VG_CONFIG_K_NUMBER:
        return vg_config_parse_number(value, field);
    case VG_CONFIG_K_BOOL:
    case VG_CONFIG_K_SWITCH:
        return vg_config_parse_bool(value, field);
    case VG_CONFIG_K_TEXTS:
        return add_text(field, value);
    case VG_CONFIG_K_HOSTS: {
        size_t n = strcspn(value, "=");
        return vg_config_add_host(field, value, n, value + n + 1);
    }
    case VG_CONFIG_K_TEXT:
        free(*(char **)field);
        *(char **)field = strdup(value);
        return *(char **)field ? 0 : -1;
    }
    return -1;
}

int vg_config_set(struct vg_config_read *r, enum vg_config_index option,
                  enum vg_config_level level, const char *where, const char *value)
{
    enum vg_config_kind kind = vg_config_options[option].kind;
    if (vg_config_check_value(r, option, where, value) < 0)
        return -1;
    if (r->level[option] > level)
        return 0;
    if (kind != VG_CONFIG_K_TEXTS && kind != VG_CONFIG_K_HOSTS)
        clear_texts(&r->where[option]);
    r->level[option] = level;
    if (add_text(&r->where[option], where) < 0 ||
        store_value(&r->config, option, value) < 0)
        return vg_config_fail(r, "out of memory");
    return 0;
}

int vg_config_set_defaults(struct vg_config_read *r)
{
    for (enum vg_config_index i = 0; i < VG_CONFIG_COUNT; i++) {
        const struct vg_config_option *o = &vg_config_options[i];
        if (r->level[i] != VG_CONFIG_UNSET)
            continue;
        if (o->kind == VG_CONFIG_K_NUMBER)
            *(int64_t *)find_field(&r->config, i) = o->number;
        else if (o->kind == VG_CONFIG_K_BOOL || o->kind == VG_CONFIG_K_SWITCH)
            *(bool *)find_field(&r->config, i) = o->number != 0;
        else if (o->text && vg_config_set(r, i, VG_CONFIG_DEFAULT, o->name, o->text) < 0)
            return -1;
    }
    return 0;
}
