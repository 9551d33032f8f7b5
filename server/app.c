/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The only file that knows HTTP's routes and libvirt's hosts: which row and which host a
 * path means, who may, and where it runs.
 */
#include "server/app.h"

#include "server/core/access.h"
#include "server/core/answer.h"
#include "server/core/event.h"
#include "server/core/router.h"
#include "server/core/idempotency.h"
#include "server/fanout.h"
#include "server/base/local_path.h"
#include "server/core/operation.h"
#include "server/core/precondition.h"
#include "server/libvirt/host.h"
#include "virtgate/cleanup.h"
#include "virtgate/metrics.h"

#include <stdio.h>
#include <string.h>

#define MAX_PARSED_HERE ((size_t)64 * 1024)

static int64_t read_deadline_ns, change_deadline_ns, operation_deadline_ns;

static void watch_operation(struct vg_request *rq);

/* What shows an operation to a client shows it to the gateway. */
static const struct vg_route *find_operation_row(void)
{
    static const char *const path[] = {"operations", "1-1"};
    const char *allow;
    return vg_router_find(VG_GET, path, 2, &allow);
}

int vg_app_start(const struct vg_config *config, const struct vg_route *const *tables)
{
    vg_access_start(config->read_only);
    vg_path_prefix_start(config->path_prefix);
    read_deadline_ns = config->read_deadline * VG_SECOND_NS;
    change_deadline_ns = config->change_deadline * VG_SECOND_NS;
    operation_deadline_ns = config->operation_deadline * VG_SECOND_NS;
    vg_local_dir_set(config->local_dir);
    vg_json_watch_memory();
    if (vg_metrics_start(tables) < 0) {
        fputs("virtgate: out of memory\n", stderr);
        return -1;
    }
    if (vg_router_build(tables) < 0)
        return -1;
    vg_operations_start(watch_operation, find_operation_row());
    return 0;
}

/* ---- routing ----------------------------------------------------------------------- */

static bool set_host(struct vg_request *rq, const char *name)
{
    struct vg_host *host = vg_host_find(name);
    vg_request_set_host(rq, host, host ? vg_host_get_name(host) : NULL);
    return host != NULL;
}

/* "/hosts/NAME/..." to host and rest; "-" is all hosts. -1: no such host. */
static int take_host(struct vg_request *rq)
{
    const char *name = rq->segments[1];
    vg_autofree char *encoded = vg_percent_encode(name);

    if (!encoded || asprintf(&rq->prefix, "/hosts/%s", encoded) < 0) {
        rq->prefix = NULL;
        return vg_error_set_memory(&rq->error);
    }
    rq->first_segment = 2;
    if (strcmp(name, "-") == 0)
        return 0;
    if (set_host(rq, name))
        return 0;
    vg_error_set(&rq->error, VG_E_NOT_FOUND, "There is no host '%s'; /hosts lists them",
                 name);
    return -1;
}

static int fail_not_found(struct vg_request *rq)
{
    vg_error_set(&rq->error, VG_E_NOT_FOUND,
                 "There is nothing at this path; / and /openapi.yaml say what there is");
    return -1;
}

/* --host without --connect: nobody said which host the bare paths mean. */
static int fail_no_default(struct vg_request *rq)
{
    vg_error_set(&rq->error, VG_E_NOT_FOUND,
                 "There is no host 'default' here, so this path needs its host: "
                 "/hosts/{host}%.*s; /hosts lists them (--connect names a default one)",
                 (int)(rq->path_length < 200 ? rq->path_length : 200), rq->target);
    return -1;
}

static int fail_method(struct vg_request *rq, const char *allow)
{
    vg_error_set(&rq->error, VG_E_METHOD_NOT_ALLOWED,
                 "%s is not allowed here; accepted: %s",
                 rq->method ? rq->method_name : "This method", allow);
    return -1;
}

/* Whether the path means a host and none is named. OPTIONS, and a method that the path
 * lacks, have no row of their own: any of the path's tells. */
static bool lacks_host(const struct vg_request *rq)
{
    static const enum vg_method methods[] = {VG_GET, VG_POST, VG_PUT, VG_PATCH,
                                             VG_DELETE};
    const struct vg_route *row = rq->route;
    const char *allow;

    if (rq->prefix || vg_host_find("default"))
        return false;
    for (size_t i = 0; !row && i < sizeof(methods) / sizeof(methods[0]); i++)
        row = vg_router_find(methods[i], rq->segments, rq->n_segments, &allow);
    return row && !(row->flags & (VG_NO_HOST | VG_ANY_HOST));
}

/* GET's row at the same path, or at what it is a part or an action of. */
static const struct vg_route *find_read_route(const struct vg_request *rq)
{
    const char *const *segments = rq->segments + rq->first_segment;
    unsigned int n = rq->n_segments - rq->first_segment;
    const char *allow;
    const struct vg_route *row = vg_router_find(VG_GET, segments, n, &allow);
    /* .../devices/detach is an action, not the device of that name */
    if (row && rq->route && strcmp(row->pattern, rq->route->pattern) != 0)
        row = NULL;
    while (!row && n > 1)
        row = vg_router_find(VG_GET, segments, --n, &allow);
    return row;
}

int vg_app_route(struct vg_request *rq, const char **ret_allow)
{
    bool prefixed = rq->n_segments > 2 && strcmp(rq->segments[0], "hosts") == 0;

    *ret_allow = NULL;
    if (prefixed && take_host(rq) < 0)
        return -1;
    bool all = prefixed && !rq->host;
    rq->route = vg_router_find(rq->method, rq->segments + rq->first_segment,
                               rq->n_segments - rq->first_segment, ret_allow);
    if (all && *ret_allow) {
        const struct vg_route *list = find_read_route(rq);
        *ret_allow = list && list->flags & VG_ALL ? "GET, HEAD, OPTIONS" : NULL;
        if (rq->route != list)
            rq->route = NULL;
    }
    if (*ret_allow && lacks_host(rq)) {
        *ret_allow = NULL;
        return fail_no_default(rq);
    }
    if (!rq->route && *ret_allow)
        return fail_method(rq, *ret_allow);
    if (!rq->route || (prefixed && (rq->route->flags & VG_NO_HOST)) ||
        (all && !(rq->route->flags & VG_ALL))) {
        *ret_allow = NULL;
        return fail_not_found(rq);
    }
    if (!prefixed && !(rq->route->flags & VG_NO_HOST))
        (void)set_host(rq, "default");
    if (rq->if_match || rq->if_none_match)
        rq->read_route = find_read_route(rq);
    bool read = vg_route_is_read(rq->route);
    rq->deadline_ns = rq->start_ns + (read ? read_deadline_ns : change_deadline_ns);
    return 0;
}

/* ---- running ----------------------------------------------------------------------- */

/* What takes long to parse holds up no network thread: a worker parses it. */
static bool parsed_later(const struct vg_request *rq)
{
    const unsigned int here = VG_LOCAL | VG_WATCH;
    return rq->body_length > MAX_PARSED_HERE && rq->route->flags & VG_ARGS &&
           !(rq->route->flags & here);
}

/* What is wrong with a request before any handler sees it. */
static int check_input(struct vg_request *rq)
{
    if (vg_request_check_query(rq) < 0 || vg_request_common_args(rq) < 0 ||
        (!parsed_later(rq) && vg_request_parse_body(rq) < 0))
        return -1;
    return rq->route->flags & VG_ARGS ? 0 : vg_request_refuse_args(rq);
}

static void run_here(struct vg_request *rq)
{
    bool watch = rq->route->flags & VG_WATCH; /* others change nothing here */
    uint64_t revision = vg_event_head();
    struct vg_reply reply =
        watch && vg_precondition_check(rq) < 0 ? vg_fail(rq) : rq->route->handler(rq);
    vg_reply_prepare(&reply);
    bool done = reply.status >= 200 && reply.status < 300 && !reply.subscription;
    if (done && rq->route->flags & (VG_READ | VG_WATCH)) {
        reply.revision = revision;
        reply.has_revision = true;
    }
    vg_request_answer(rq, reply);
    vg_request_unref(rq);
}

/* An operation's host is asked only while there is a job to ask for: what has become of
 * an operation is known while its host is down, too. */
static void watch_operation(struct vg_request *rq)
{
    if (vg_operation_has_job(rq->watched) && vg_host_may_be_up(rq->host))
        vg_host_submit(rq->host, rq);
    else
        run_here(rq);
}

/* The client is answered by the deadline of a change, the work goes on. */
static void start_operation(struct vg_request *rq)
{
    if (vg_operation_new(rq, rq->deadline_ns) < 0) {
        vg_request_answer(rq, vg_fail(rq));
        vg_request_unref(rq);
        return;
    }
    rq->deadline_ns = rq->start_ns + operation_deadline_ns;
    vg_host_submit(rq->host, rq);
}

bool vg_app_answers_here(struct vg_request *rq)
{
    unsigned int flags = rq->route->flags;

    rq->awaits_host = flags & VG_LOCAL && !(flags & (VG_NO_HOST | VG_ANY_HOST)) &&
                      rq->host && vg_host_is_connecting(rq->host);
    return flags & VG_LOCAL && !rq->awaits_host;
}

void vg_app_dispatch(struct vg_request *rq)
{
    struct vg_reply known;

    if (check_input(rq) < 0) {
        vg_request_answer(rq, vg_fail(rq));
        vg_request_unref(rq);
    } else if (rq->idempotency_key && !vg_route_is_read(rq->route) &&
               !vg_idempotency_begin(rq, &known)) {
        vg_request_answer(rq, known);
        vg_request_unref(rq);
    } else if (rq->route->flags & VG_LOCAL && !rq->awaits_host) {
        run_here(rq);
    } else if (rq->route->flags & VG_WATCH) {
        vg_operation_attach(rq);
        if (rq->route->method != VG_GET || !vg_operation_await(rq))
            watch_operation(rq);
    } else if (!rq->host) {
        vg_fan_out_submit(rq);
    } else if (rq->route->flags & VG_LONG) {
        start_operation(rq);
    } else {
        vg_host_submit(rq->host, rq);
    }
}

bool vg_app_remember(const struct vg_request *rq, struct vg_reply *ret)
{
    return rq->host && vg_host_remember(rq, ret);
}

/* ---- dump-routes ------------------------------------------------------------------- */

static void dump_route(const struct vg_route *row)
{
    static const struct {
        const char *key;
        unsigned int flag;
    } marks[] = {
        {"args", VG_ARGS},          {"xml", VG_XML},
        {"givesXml", VG_GIVES_XML}, {"local", VG_LOCAL},
        {"shared", VG_SHARED},      {"all", VG_ALL},
        {"noHost", VG_NO_HOST},     {"givesBytes", VG_GIVES_BYTES},
        {"streams", VG_STREAMS},    {"long", VG_LONG | VG_JOB},
    };
    vg_auto_json w = {0};
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "method", vg_method_name(row->method));
    vg_json_string(&w, "pattern", row->pattern);
    vg_json_string(&w, "operationId", row->operation_id);
    vg_json_string(&w, "access", vg_role_name(vg_access_needed(row->flags)));
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        vg_json_bool(&w, marks[i].key, row->flags & marks[i].flag);
    vg_json_end_object(&w);
    size_t n;
    vg_autofree char *line = vg_json_finish(&w, &n);
    if (line)
        puts(line);
}

void vg_app_dump_routes(const struct vg_route *const *tables)
{
    for (const struct vg_route *const *table = tables; *table; table++)
        for (const struct vg_route *row = *table; row->pattern; row++)
            dump_route(row);
}
