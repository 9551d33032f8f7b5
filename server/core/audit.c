/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/audit.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/core/operation.h"
#include "virtgate/cleanup.h"
#include "virtgate/whoami.h"

#include <stdio.h>
#include <string.h>

#define SOURCE "audit"
/* How long the log's outputs may take for one line. */
#define PATIENCE_NS          (VG_SECOND_NS / 10)
#define REQUIRED_PATIENCE_NS (5 * VG_SECOND_NS)

static bool required;

void vg_audit_start(bool is_required)
{
    required = is_required;
}

/* Whether the log's outputs take the trail. */
static bool has_output(void)
{
    return vg_log_has_output(VG_LOG_INFO, SOURCE);
}

static bool is_change(const struct vg_request *rq)
{
    return rq->route->needs && !vg_route_is_read(rq->route);
}

/* What both lines have, first. */
#define MAX_FIELDS 12
struct line {
    struct vg_log_field fields[MAX_FIELDS];
    unsigned int n;
    char *path, *permissions; /* owned */
};

static void clear_line(struct line *line)
{
    free(line->path);
    free(line->permissions);
}

static void add(struct line *line, const char *key, const char *text)
{
    line->fields[line->n++] = (struct vg_log_field)VG_LOG_TEXT(key, text);
}

/* Those that the row names, then those that arguments have added. Owned; NULL: no memory.
 */
static char *name_permissions(const struct vg_request *rq)
{
    struct vg_permissions more = rq->needs, named;
    char unknown[VG_PERMISSION_SIZE];
    vg_autofree char *text = strdup(rq->route->needs);
    unsigned int at = 0;

    if (vg_permissions_parse(rq->route->needs, &named, unknown) == 0)
        vg_permissions_take(&more, &named);
    for (const char *name; text && (name = vg_permissions_next(&more, &at));) {
        vg_autofree char *before = vg_take(&text);
        if (asprintf(&text, "%s %s", before, name) < 0)
            text = NULL;
    }
    return vg_take(&text);
}

static void fill(struct line *line, const struct vg_request *rq)
{
    line->path = vg_request_path(rq);
    line->permissions = name_permissions(rq);
    add(line, "principal", rq->principal[0] ? rq->principal : "-");
    add(line, "via", vg_whoami_via(rq)); /* a proxy may name who is called as a token */
    add(line, "permission", line->permissions ? line->permissions : rq->route->needs);
    add(line, "host", rq->host_name);
    add(line, "operationId", rq->route->operation_id);
    add(line, "object", line->path);
    add(line, "operation", rq->operation ? vg_operation_id(rq->operation) : NULL);
    add(line, "requestId", rq->id);
}

int vg_audit_begin(struct vg_request *rq, bool may_wait)
{
    VG_CLEANUP(clear_line) struct line line = {0};

    if (!is_change(rq) || atomic_exchange(&rq->audited, true)) /* of a requeued one */
        return 0;
    if (!required && !has_output())
        return 0;
    fill(&line, rq);
    int64_t patience_ns = !may_wait ? 0 : required ? REQUIRED_PATIENCE_NS : PATIENCE_NS;
    bool written = vg_log_fields_written(VG_LOG_INFO, SOURCE, "change begins",
                                         line.fields, line.n, patience_ns);
    if (written || !required)
        return 0;
    vg_error_set(&rq->error, VG_E_AUDIT_UNAVAILABLE,
                 "The audit trail cannot be written (the log's outputs), and the gateway "
                 "was started with --audit-required: nothing was changed");
    return -1;
}

static const char *result_of(const struct vg_reply *reply)
{
    if (reply->status < 400)
        return "done";
    if (reply->transport_failed || reply->status == 504)
        return "unknown";
    return reply->status < 500 ? "refused" : "failed";
}

void vg_audit_end(struct vg_request *rq, const struct vg_reply *reply)
{
    VG_CLEANUP(clear_line) struct line line = {0};

    if (!atomic_exchange(&rq->audited, false) || !vg_log_enabled(VG_LOG_INFO, SOURCE))
        return;
    fill(&line, rq);
    add(&line, "location", reply->location);
    add(&line, "result", result_of(reply));
    if (reply->status == 403)
        add(&line, "lacks", rq->error.permission);
    line.fields[line.n++] = (struct vg_log_field)VG_LOG_NUMBER("status", reply->status);
    vg_log_fields(VG_LOG_INFO, SOURCE, "change ended", line.fields, line.n);
}

void vg_audit_refused(const struct vg_request *rq)
{
    VG_CLEANUP(clear_line) struct line line = {0};

    if (!is_change(rq) || !vg_log_enabled(VG_LOG_INFO, SOURCE))
        return;
    fill(&line, rq);
    add(&line, "lacks", rq->error.permission);
    vg_log_fields(VG_LOG_INFO, SOURCE, "change refused", line.fields, line.n);
}
