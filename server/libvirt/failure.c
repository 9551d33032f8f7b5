/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See virtgate/failure.h.
 */
#include "virtgate/failure.h"

#include "server/base/list.h"
#include "server/core/request.h"
#include "server/libvirt/failure.h"
#include "server/libvirt/internal.h"
#include "virtgate/cleanup.h"

#include <libvirt/virterror.h>
#include <string.h>
#include <time.h>

#define MOST 64 /* of a host */

struct failure {
    struct failure *next, **link; /* the newest first */
    enum vg_kind kind;
    char uuid[VIR_UUID_STRING_BUFLEN];
    const char *operation;
    time_t at;
    json_t *error; /* libvirt's, its nine fields; owned */
};

struct vg_failures {
    pthread_mutex_t lock;
    struct failure *first;
};

struct vg_failures *vg_failures_new(void)
{
    struct vg_failures *failures = calloc(1, sizeof(*failures));
    if (failures)
        pthread_mutex_init(&failures->lock, NULL);
    return failures;
}

static void drop(struct failure *f)
{
    vg_list_remove(f);
    json_decref(f->error);
    free(f);
}

void vg_failures_free(struct vg_failures *failures)
{
    if (!failures)
        return;
    while (failures->first)
        drop(failures->first);
    pthread_mutex_destroy(&failures->lock);
    free(failures);
}

/* Lock held. NULL: none is kept. */
static struct failure *find(const struct vg_failures *failures, enum vg_kind kind,
                            const char *uuid)
{
    for (struct failure *f = failures->first; f; f = f->next)
        if (f->kind == kind && strcmp(f->uuid, uuid) == 0)
            return f;
    return NULL;
}

void vg_failures_forget(struct vg_failures *failures, enum vg_kind kind, const char *uuid)
{
    VG_LOCK(&failures->lock);
    struct failure *f = find(failures, kind, uuid);
    if (f)
        drop(f);
}

/* Lock held. Those past the newest go. */
static void trim(struct vg_failures *failures)
{
    struct failure *f = failures->first;

    for (int i = 0; f; i++) {
        struct failure *next = f->next;
        if (i >= MOST)
            drop(f);
        f = next;
    }
}

static bool says_why(const struct vg_error *e)
{
    return e->virt && !e->transport && e->status != 403 && e->status != 404 &&
           !vg_error_is_virt(e, VIR_ERR_OPERATION_INVALID);
}

void vg_failure_note(struct vg_request *rq, enum vg_kind kind, const char *uuid,
                     const char *operation)
{
    struct vg_failures *failures = rq->host->object_failures;
    const struct vg_error *e = vg_request_error(rq);

    if (!e->status)
        vg_failures_forget(failures, kind, uuid);
    struct failure *f = says_why(e) ? calloc(1, sizeof(*f)) : NULL;
    if (!f)
        return;
    vg_failures_forget(failures, kind, uuid);
    *f = (struct failure){.kind = kind,
                          .operation = operation,
                          .at = time(NULL),
                          .error = json_deep_copy(e->virt)};
    strncpy(f->uuid, uuid, sizeof(f->uuid) - 1);
    VG_LOCK(&failures->lock);
    vg_list_insert(&failures->first, f);
    trim(failures);
}

void vg_failure_write(const struct vg_request *rq, struct vg_json *w, const char *key,
                      enum vg_kind kind, const char *uuid)
{
    struct vg_failures *failures = rq->host->object_failures;
    VG_LOCK(&failures->lock);
    const struct failure *f = find(failures, kind, uuid);

    if (!f) {
        vg_json_null(w, key);
        return;
    }
    vg_json_begin_object(w, key);
    vg_json_string(w, "operation", f->operation);
    vg_json_string(w, "message", json_string_value(json_object_get(f->error, "message")));
    vg_json_string(w, "codeName",
                   json_string_value(json_object_get(f->error, "codeName")));
    vg_json_time(w, "time", f->at);
    vg_json_end_object(w);
}
