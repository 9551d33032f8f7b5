/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations as JSON: one, and the list. Arguments are not kept, so none is shown.
 */
#include "server/core/operation_internal.h"

#include "server/core/event_text.h"
#include "server/core/host_names.h"
#include "server/base/digits.h"
#include "server/core/router.h"
#include "server/core/scope.h"
#include "virtgate/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Ids of before 2020 are no ids. */
#define FIRST_EPOCH 1577836800000

void vg_operation_set_missing(struct vg_request *rq, const char *id)
{
    char *end;
    errno = 0;
    unsigned long long run = strtoull(id, &end, 16);
    bool formed = !errno && end != id && *end == '-' && run > FIRST_EPOCH;
    unsigned long long number = formed ? strtoull(end + 1, &end, 10) : 0;
    uint64_t last;
    bool elsewhere = false; /* it is there, on another host than the path's */
    {
        VG_LOCK(&vg_operations_lock);
        last = vg_operations_last;
        for (struct vg_operation *op = vg_operations_newest; op; op = op->older)
            elsewhere =
                elsewhere || (strcmp(op->id, id) == 0 && vg_operation_is_seen(op, rq));
    }
    formed = formed && number && !*end;
    if (elsewhere)
        vg_error_set(&rq->error, VG_E_NOT_FOUND,
                     "Operation '%s' is of another host; look at /operations/%s", id, id);
    else if (formed && run == vg_operations_epoch && number <= last)
        vg_error_set(&rq->error, VG_E_GONE,
                     "Operation '%s' has ended and is no longer kept", id);
    else if (formed && run < vg_operations_epoch)
        vg_error_set(&rq->error, VG_E_GONE,
                     "Operation '%s' was begun by an earlier run of the gateway; what "
                     "became of it is not known here, look at its domain",
                     id);
    else
        vg_error_set(&rq->error, VG_E_NOT_FOUND,
                     "There is no operation '%s'; /operations lists them", id);
}

/* ---- JSON -------------------------------------------------------------------------- */

static const struct vg_enum_value state_values[] = {
    {"pending", NULL, 1 << VG_OPERATION_PENDING},
    {"running", NULL, 1 << VG_OPERATION_RUNNING},
    {"succeeded", NULL, 1 << VG_OPERATION_SUCCEEDED},
    {"failed", NULL, 1 << VG_OPERATION_FAILED},
    {"cancelled", NULL, 1 << VG_OPERATION_CANCELLED},
    {"unknown", NULL, 1 << VG_OPERATION_UNKNOWN},
};
const struct vg_enum vg_operation_states = {
    "operation states", state_values, sizeof(state_values) / sizeof(state_values[0])};

/* RFC 3339; null for never. */
static void write_time(struct vg_json *w, const char *key, const struct timespec *at)
{
    char text[40];

    if (!at->tv_sec) {
        vg_json_null(w, key);
        return;
    }
    vg_write_time(text, sizeof(text), at, 3);
    vg_json_string(w, key, text);
}

/* What was answered to others may quote what this caller may not see. */
static bool may_see_result(const struct vg_request *rq, const struct vg_operation *op)
{
    return rq->rights == op->rights || !vg_scope_is_narrow(rq->rights);
}

static void write_result(const struct vg_request *rq, struct vg_json *w,
                         const struct vg_operation *op)
{
    const char *key = op->status >= 400 ? "error" : "result";

    vg_json_int(w, "status", op->status);
    if (may_see_result(rq, op) && op->result && op->result->data[0] == '{')
        vg_json_raw(w, key, op->result->data, op->result->length);
}

static void write_path(struct vg_json *w, const char *key, const char *path, size_t n,
                       const char *tail)
{
    vg_autofree char *whole = NULL;

    if (asprintf(&whole, "%s%.*s%s", vg_path_prefix(), (int)n, path, tail) < 0)
        w->text.failed = true;
    else
        vg_json_string(w, key, whole);
}

/* A job is beside, or the child of, what began it: ".../disks/vda/pull", ".../backup". */
static void write_job_path(struct vg_json *w, const char *path)
{
    const char *tail = strrchr(path, '/');
    write_path(w, "job", path, tail ? (size_t)(tail - path) : 0, "/job");
}

/* The rate of the last seconds; of one that has ended, of the whole. */
static uint64_t rate_of(const struct vg_operation *op, uint64_t bytes)
{
    const struct transfer_state *t = &op->transfer;
    int64_t from = op->ended_ns ? t->begun_ns : t->before.at_ns;
    int64_t ns = (op->ended_ns ? op->ended_ns : vg_now_ns()) - from;
    uint64_t moved = op->ended_ns ? bytes : bytes - t->before.bytes;

    return ns > 0 ? (uint64_t)((double)moved * (double)VG_SECOND_NS / (double)ns) : 0;
}

static void write_transfer(const struct vg_operation *op, struct vg_json *w)
{
    const struct transfer_state *t = &op->transfer;
    uint64_t bytes = atomic_load(&t->bytes);

    vg_json_begin_object(w, "progress");
    vg_json_uint(w, "bytes", bytes);
    if (t->total == UINT64_MAX)
        vg_json_null(w, "totalBytes");
    else
        vg_json_uint(w, "totalBytes", t->total);
    vg_json_uint(w, "bytesPerSecond", rate_of(op, bytes));
    vg_json_end_object(w);
}

static const struct vg_enum_value step_values[] = {
    {"pending", NULL, STEP_PENDING},     {"running", NULL, STEP_RUNNING},
    {"succeeded", NULL, STEP_SUCCEEDED}, {"failed", NULL, STEP_FAILED},
    {"undone", NULL, STEP_UNDONE},       {"undo-failed", NULL, STEP_UNDO_FAILED},
};
static const struct vg_enum step_states = {"step states", step_values,
                                           sizeof(step_values) / sizeof(step_values[0])};

static void write_steps(const struct vg_operation *op, struct vg_json *w)
{
    if (!op->n_steps)
        return;
    vg_json_begin_array(w, "steps");
    for (size_t i = 0; i < op->n_steps; i++) {
        const struct step *s = &op->steps[i];
        vg_json_begin_object(w, NULL);
        vg_json_string(w, "name", s->name);
        vg_json_enum(w, "state", &step_states, s->state);
        write_time(w, "startedAt", &s->started);
        write_time(w, "endedAt", &s->ended);
        vg_json_string(w, "error", s->error);
        vg_json_end_object(w);
    }
    vg_json_end_array(w);
}

/* Lock held. */
static void write_operation(const struct vg_request *rq, const struct vg_operation *op,
                            struct vg_json *w, const char *key, const json_t *progress)
{
    vg_json_begin_object(w, key);
    vg_json_string(w, "id", op->id);
    vg_json_string(w, "kind", op->kind);
    vg_json_enum(w, "state", &vg_operation_states, 1 << op->state);
    vg_json_string(w, "host", op->host);
    write_path(w, "path", op->path, strlen(op->path), "");
    if (op->uuid[0]) {
        vg_json_begin_object(w, "domain");
        vg_json_string(w, "name", op->domain);
        vg_json_string(w, "uuid", op->uuid);
        vg_json_end_object(w);
    }
    vg_json_string(w, "requestId", op->request_id);
    vg_json_string(w, "principal", op->principal[0] ? op->principal : NULL);
    write_time(w, "createdAt", &op->created);
    write_time(w, "startedAt", &op->begun);
    write_time(w, "endedAt", &op->ended);
    vg_json_bool(w, "cancellable",
                 !op->ended_ns && (op->state == VG_OPERATION_PENDING || op->job >= 0 ||
                                   op->transfer.cancel || op->stoppable));
    if (op->host_job.is)
        write_job_path(w, op->path);
    vg_json_bool(w, "cancelRequested", op->cancel_requested);
    write_steps(op, w);
    if (op->ended_ns)
        write_result(rq, w, op);
    if (op->transfer.is)
        write_transfer(op, w);
    else if (progress)
        vg_json_value(w, "progress", progress);
    vg_json_end_object(w);
}

void vg_operation_write(const struct vg_request *rq, struct vg_operation *op,
                        struct vg_json *w, const char *key, const json_t *progress)
{
    VG_LOCK(&vg_operations_lock);
    write_operation(rq, op, w, key, progress);
}

void vg_operation_tell(const struct vg_operation *op, const char *event)
{
    bool of_domain = op->uuid[0] && op->domain;
    const struct vg_event_source source = {
        .host = op->host,
        .object = VG_EVENT_OPERATION,
        .name = event,
        .domain = of_domain ? op->domain : NULL,
        .uuid = of_domain ? op->uuid : NULL,
        .id = op->host_job.domain_id ? op->host_job.domain_id : -1,
        .rights = op->rights,
    };
    vg_auto_json w = {0};

    if (!op->begun.tv_sec)
        return;
    vg_event_begin(&w, &source);
    vg_json_begin_object(&w, "operation");
    vg_json_string(&w, "id", op->id);
    vg_json_string(&w, "kind", op->kind);
    vg_json_enum(&w, "state", &vg_operation_states, 1 << op->state);
    write_path(&w, "path", op->path, strlen(op->path), "");
    vg_json_string(&w, "principal", op->principal[0] ? op->principal : NULL);
    if (op->ended_ns)
        vg_json_int(&w, "status", op->status);
    write_steps(op, &w);
    if (op->transfer.is)
        write_transfer(op, &w);
    vg_json_end_object(&w);
    vg_event_publish(&source, &w);
}

static bool is_domain(const struct vg_operation *op, const char *name)
{
    return (op->domain && strcmp(op->domain, name) == 0) || vg_uuid_is(op->uuid, name) ||
           (op->object && strcmp(op->object, name) == 0);
}

static bool passes(const struct vg_operation *op, const struct vg_operation_filter *f)
{
    return (!f->states || f->states & 1U << op->state) &&
           (!f->kind || strcmp(f->kind, op->kind) == 0) &&
           (!f->only_host || strcmp(f->only_host, op->host) == 0) &&
           (!f->host || strcmp(f->host, op->host) == 0) &&
           (!f->domain || is_domain(op, f->domain));
}

/* The number of an id of this run; 0 for others. */
static uint64_t number_of(const char *id)
{
    const char *dash = strchr(id, '-');
    errno = 0;
    return dash ? strtoull(dash + 1, NULL, 10) : 0;
}

static int check_host(struct vg_request *rq, const char *host)
{
    bool here = vg_host_name_is_here(rq, host);

    if (!here)
        vg_error_set(&rq->error, VG_E_UNKNOWN_VALUE,
                     "There is no host '%s' here; /hosts lists them", host);
    return here ? 0 : -1;
}

/* Kinds are the operationIds of the rows that begin operations. */
static int check_kind(struct vg_request *rq, const char *kind)
{
    vg_autofree char *kinds = vg_router_operations();

    if (!kinds)
        return vg_error_set_memory(&rq->error);
    for (const char *p = kinds; *p; p += strspn(p, ", ")) {
        size_t n = strcspn(p, ",");
        if (n == strlen(kind) && memcmp(p, kind, n) == 0)
            return 0;
        p += n;
    }
    vg_error_set(&rq->error, VG_E_UNKNOWN_VALUE,
                 "Query key 'kind' is '%s'; accepted are: %s", kind, kinds);
    return -1;
}

int vg_operations_list(struct vg_request *rq, struct vg_json *w,
                       struct vg_operation_filter *filter, char **ret_next)
{
    if ((filter->host && check_host(rq, filter->host) < 0) ||
        (filter->kind && check_kind(rq, filter->kind) < 0))
        return -1;
    if (rq->prefix)
        filter->only_host = vg_host_name(rq);
    uint64_t below = filter->after ? number_of(filter->after) : UINT64_MAX;
    const struct vg_operation *last = NULL;
    int64_t n = 0;

    vg_json_begin_array(w, "operations");
    VG_LOCK(&vg_operations_lock);
    vg_operations_drop_old(vg_now_ns());
    for (const struct vg_operation *op = vg_operations_newest; op; op = op->older) {
        if (op->number >= below || !passes(op, filter) || !vg_operation_is_seen(op, rq))
            continue;
        if (filter->limit && n++ == filter->limit) {
            *ret_next = strdup(last->id);
            if (!*ret_next)
                return vg_error_set_memory(&rq->error);
            break;
        }
        write_operation(rq, op, w, NULL, NULL);
        last = op;
    }
    vg_json_end_array(w);
    return 0;
}
