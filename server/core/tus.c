/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/tus.h"

#include "server/core/args_text.h"
#include "virtgate/cleanup.h"
#include "virtgate/digest.h"

#include <errno.h>
#include <string.h>

#define N_FIELDS 5

/* One piece of memory: the pointers, then the texts. */
int vg_tus_set_fields(struct vg_request *rq, const struct vg_tus_fields *fields)
{
    const char *const from[N_FIELDS] = {fields->length, fields->defer_length,
                                        fields->offset, fields->metadata,
                                        fields->checksum};
    const char *to[N_FIELDS] = {0};
    size_t size = sizeof(*fields);

    for (size_t i = 0; i < N_FIELDS; i++)
        size += from[i] ? strlen(from[i]) + 1 : 0;
    rq->tus = malloc(size);
    if (!rq->tus)
        return vg_error_set_memory(&rq->error);
    char *at = (char *)(rq->tus + 1);
    for (size_t i = 0; i < N_FIELDS; i++) {
        if (!from[i])
            continue;
        size_t n = strlen(from[i]) + 1;
        to[i] = memcpy(at, from[i], n);
        at += n;
    }
    *rq->tus = (struct vg_tus_fields){to[0], to[1], to[2], to[3], to[4]};
    return 0;
}

const struct vg_tus_fields *vg_tus_fields(const struct vg_request *rq)
{
    static const struct vg_tus_fields none;
    return rq->tus ? rq->tus : &none;
}

int vg_tus_number(struct vg_request *rq, const char *name, const char *value,
                  uint64_t *ret)
{
    if (!value) {
        vg_error_set(&rq->error, VG_E_BAD_REQUEST, "%s is missing", name);
        return -1;
    }
    size_t digits = strspn(value, "0123456789");
    errno = 0;
    *ret = strtoull(value, NULL, 10);
    if (digits && !value[digits] && !errno && *ret <= INT64_MAX)
        return 0;
    vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                 "%s is '%.40s'; a number of bytes is accepted", name, value);
    return -1;
}

/* The pair of that key in "key BASE64,key BASE64,key"; NULL: there is none. */
static const char *find_pair(const char *list, const char *key)
{
    size_t n = strlen(key);

    for (const char *p = list; *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (strncmp(p, key, n) == 0 && (!p[n] || strchr(" ,", p[n])))
            return p + n;
    }
    return NULL;
}

static int fail_metadata(struct vg_request *rq, const char *key)
{
    vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                 "Upload-Metadata: the value of '%s' is to be text as Base64", key);
    return -1;
}

int vg_tus_metadata(struct vg_request *rq, const char *key, char **ret)
{
    const char *list = vg_tus_fields(rq)->metadata;
    const char *pair = list ? find_pair(list, key) : NULL;
    size_t size;

    *ret = NULL;
    if (!pair)
        return 0;
    pair += strspn(pair, " ");
    vg_autofree char *text = (char *)vg_base64_decode(pair, strcspn(pair, ", \t"), &size);
    if (!text || strlen(text) != size)
        return fail_metadata(rq, key);
    if (vg_args_check_text(rq, "Upload-Metadata", key, text) < 0)
        return -1;
    *ret = vg_take(&text);
    return 0;
}
