/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The only file that knows HTTP's routes and libvirt's hosts: which row and which host a
 * path means, who may, and where it runs.
 */
#include "server/app.h"

#include "server/core/access.h"
#include "server/core/answer.h"
#include "server/core/audit.h"
#include "server/core/body_stream.h"
#include "server/core/content.h"
#include "server/core/event.h"
#include "server/core/router.h"
#include "server/core/idempotency.h"
#include "server/core/identity.h"
#include "server/fanout.h"
#include "server/joined.h"
#include "server/base/local_path.h"
#include "server/core/operation.h"
#include "server/core/precondition.h"
#include "server/libvirt/host.h"
#include "virtgate/cleanup.h"
#include "virtgate/metrics.h"
#include "virtgate/scope.h"

#include <stdio.h>
#include <string.h>

#define MAX_PARSED_HERE ((size_t)64 * 1024)

static int64_t read_deadline_ns, change_deadline_ns, operation_deadline_ns;

static void watch_operation(struct vg_request *rq);
static void submit_window(struct vg_request *rq);

/* What shows an operation to a client shows it to the gateway. */
static const struct vg_route *find_operation_row(void)
{
    static const char *const path[] = {"operations", "1-1"};
    const char *allow;
    return vg_router_find(VG_GET, path, 2, &allow, NULL);
}

int vg_app_start(const struct vg_config *config, const struct vg_route *const *tables)
{
    vg_access_start(config->read_only);
    vg_audit_start(config->audit_required);
    vg_identity_start(config->pass_identity);
    vg_path_prefix_start(config->path_prefix);
    read_deadline_ns = config->read_deadline * VG_SECOND_NS;
    change_deadline_ns = config->change_deadline * VG_SECOND_NS;
    operation_deadline_ns = config->operation_deadline * VG_SECOND_NS;
    vg_local_dir_set(config->local_dir);
    vg_body_stream_start(config->transfer_deadline * VG_SECOND_NS);
    vg_json_watch_memory();
    if (vg_metrics_start(tables) < 0) {
        fputs("virtgate: out of memory\n", stderr);
        return -1;
    }
    if (vg_router_build(tables) < 0)
        return -1;
    vg_operations_start(watch_operation, find_operation_row());
    vg_feeds_start(submit_window);
    vg_transfer_memory_start((size_t)config->transfer_memory);
    return 0;
}

/* ---- routing ----------------------------------------------------------------------- */

static bool set_host(struct vg_request *rq, const char *name)
{
    struct vg_host *host = vg_host_find(name);
    vg_request_set_host(rq, host, host ? vg_host_get_name(host) : NULL);
    return host != NULL;
}

/* "/hosts/NAME/..." to host and rest; "-" is all hosts. Whether there is one of another
 * name is for vg_app_hide() to say: it is nobody's to know whom it does not know. */
static int take_host(struct vg_request *rq)
{
    const char *name = rq->segments[1];
    vg_autofree char *encoded = vg_percent_encode(name);

    if (!encoded || asprintf(&rq->prefix, "/hosts/%s", encoded) < 0) {
        rq->prefix = NULL;
        return vg_error_set_memory(&rq->error);
    }
    rq->first_segment = 2;
    if (strcmp(name, "-") != 0)
        (void)set_host(rq, name);
    return 0;
}

static int fail_not_found(struct vg_request *rq)
{
    const char *last = rq->n_segments ? rq->segments[rq->n_segments - 1] : "/";
    vg_error_set(&rq->error, VG_E_NOT_FOUND, "%s",
                 last[0] ? "There is nothing at this path; / and /openapi.yaml say what "
                           "there is"
                         : "The path ends with a slash; leave it out");
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
static bool means_host(const struct vg_request *rq)
{
    static const enum vg_method methods[] = {VG_GET, VG_POST, VG_PUT, VG_PATCH,
                                             VG_DELETE};
    const struct vg_route *row = rq->route;
    const char *allow;

    for (size_t i = 0; !row && i < sizeof(methods) / sizeof(methods[0]); i++)
        row = vg_router_find(methods[i], rq->segments, rq->n_segments, &allow, NULL);
    return row && !vg_route_needs_no_default(row);
}

static bool lacks_host(const struct vg_request *rq)
{
    return !rq->prefix && !vg_host_find("default") && means_host(rq);
}

/* GET's row at the same path, or at what it is a part or an action of. */
static const struct vg_route *find_read_route(const struct vg_request *rq)
{
    const char *const *segments = rq->segments + rq->first_segment;
    unsigned int n = rq->n_segments - rq->first_segment;
    const char *allow;
    const struct vg_route *row = vg_router_find(VG_GET, segments, n, &allow, NULL);
    /* .../devices/detach is an action, not the device of that name */
    if (row && rq->route && strcmp(row->pattern, rq->route->pattern) != 0)
        row = NULL;
    while (!row && n > 1)
        row = vg_router_find(VG_GET, segments, --n, &allow, NULL);
    return row;
}

int vg_app_route(struct vg_request *rq, const char **ret_allow)
{
    const struct vg_permissions *needs;
    bool prefixed = rq->n_segments > 2 && strcmp(rq->segments[0], "hosts") == 0;

    *ret_allow = NULL;
    if (prefixed && take_host(rq) < 0)
        return -1;
    bool all = prefixed && strcmp(rq->segments[1], "-") == 0;
    rq->route = vg_router_find(rq->method, rq->segments + rq->first_segment,
                               rq->n_segments - rq->first_segment, ret_allow, &needs);
    if (all && *ret_allow) {
        const struct vg_route *list = find_read_route(rq);
        *ret_allow = list && vg_route_has_all_hosts(list) ? "GET, HEAD, OPTIONS" : NULL;
        if (rq->route != list)
            rq->route = NULL;
    }
    if (*ret_allow && lacks_host(rq)) {
        *ret_allow = NULL;
        return fail_no_default(rq);
    }
    if (!rq->route && *ret_allow)
        return fail_method(rq, *ret_allow);
    if (!rq->route || (prefixed && !vg_route_has_host(rq->route)) ||
        (all && !vg_route_has_all_hosts(rq->route))) {
        *ret_allow = NULL;
        return fail_not_found(rq);
    }
    rq->needs = *needs;
    if (!prefixed && vg_route_has_host(rq->route))
        (void)set_host(rq, "default");
    if (rq->if_match || rq->if_none_match)
        rq->read_route = find_read_route(rq);
    bool read = vg_route_is_read(rq->route);
    rq->deadline_ns = rq->start_ns + (read ? read_deadline_ns : change_deadline_ns);
    return 0;
}

/* Below the path of a host: one that is there, or all. */
static int check_named_host(struct vg_request *rq, const char **ret_allow)
{
    const char *name = rq->segments[1];

    if (strcmp(name, "-") == 0 || (rq->host && vg_sees_host(rq, rq->host_name)))
        return 0;
    *ret_allow = NULL;
    vg_request_set_host(rq, NULL, NULL); /* no answer names it */
    vg_error_set(&rq->error, VG_E_NOT_FOUND, "There is no host '%s'; /hosts lists them",
                 name);
    return -1;
}

int vg_app_hide(struct vg_request *rq, const char **ret_allow)
{
    if (rq->prefix)
        return check_named_host(rq, ret_allow);
    if (vg_sees_host(rq, "default"))
        return 0;
    vg_request_set_host(rq, NULL, NULL);
    if (!(rq->route || *ret_allow) || !means_host(rq))
        return 0;
    *ret_allow = NULL;
    return fail_no_default(rq);
}

/* ---- running ----------------------------------------------------------------------- */

/* What takes long to parse holds up no network thread: a worker parses it. */
static bool parsed_later(const struct vg_request *rq)
{
    enum vg_runs_on runs_on = rq->route->runs_on;
    return rq->body_length > MAX_PARSED_HERE && rq->route->takes != VG_TAKES_NOTHING &&
           runs_on != VG_ON_NETWORK_THREAD && runs_on != VG_ON_OPERATION;
}

/* What is wrong with a request before any handler sees it. */
static int check_input(struct vg_request *rq)
{
    if (vg_request_check_query(rq) < 0 || vg_request_common_args(rq) < 0 ||
        (!parsed_later(rq) && vg_request_parse_body(rq) < 0))
        return -1;
    return rq->route->takes != VG_TAKES_NOTHING ? 0 : vg_request_refuse_args(rq);
}

static void run_here(struct vg_request *rq)
{
    bool watch = rq->route->runs_on == VG_ON_OPERATION; /* others change nothing here */
    uint64_t revision = vg_event_head();
    struct vg_reply reply =
        (watch && vg_precondition_check(rq) < 0) || vg_audit_begin(rq, false) < 0
            ? vg_fail(rq)
            : rq->route->handler(rq);
    vg_reply_prepare(&reply);
    bool done = reply.status >= 200 && reply.status < 300 && !reply.subscription;
    if (done && (watch || (rq->route->needs && vg_route_is_read(rq->route)))) {
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

/* Another piece of a content that is being sent. */
static void submit_window(struct vg_request *rq)
{
    vg_host_submit(rq->host, rq);
}

/* The client is answered by the deadline of a change, the work goes on; but one that
 * sends or takes bytes meanwhile is answered by the work. A transfer may take as long as
 * it moves. */
static void start_operation(struct vg_request *rq)
{
    bool transfer = vg_request_is_transfer(rq);
    bool bound = rq->stream || (transfer && vg_route_is_read(rq->route));

    if (vg_operation_new(rq, bound ? INT64_MAX : rq->deadline_ns) < 0) {
        vg_request_answer(rq, vg_fail(rq));
        vg_request_unref(rq);
        return;
    }
    rq->deadline_ns = transfer ? INT64_MAX : rq->start_ns + operation_deadline_ns;
    vg_host_submit(rq->host, rq);
}

/* Whether no host is asked. */
static bool is_local(const struct vg_request *rq)
{
    return rq->route->runs_on == VG_ON_NETWORK_THREAD ||
           (rq->route->hosts == VG_EVERY_HOST_IF_FULL && !vg_request_asks_every(rq));
}

bool vg_app_answers_here(struct vg_request *rq)
{
    bool local = is_local(rq);

    rq->awaits_host = local && !vg_route_needs_no_default(rq->route) && rq->host &&
                      vg_host_is_connecting(rq->host);
    return local && !rq->awaits_host;
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
    } else if (is_local(rq) && !rq->awaits_host) {
        run_here(rq);
    } else if (rq->route->runs_on == VG_ON_OPERATION) {
        vg_operation_attach(rq);
        if (rq->route->method != VG_GET || !vg_operation_await(rq))
            watch_operation(rq);
    } else if (!rq->host) {
        vg_fan_out_submit(rq);
    } else if (vg_request_is_long(rq) || vg_request_is_transfer(rq)) {
        start_operation(rq);
    } else {
        vg_host_submit(rq->host, rq);
    }
}

bool vg_app_remember(const struct vg_request *rq, struct vg_reply *ret)
{
    return rq->host ? vg_host_remember(rq, ret) : vg_joined_find(rq, ret);
}

/* ---- dump-routes ------------------------------------------------------------------- */

static const char *const runs_on_names[] = {
    [VG_ON_GENERAL] = "general",
    [VG_ON_FAST] = "fast",
    [VG_ON_ADMIN] = "admin",
    [VG_ON_TRANSFER] = "transfer",
    [VG_ON_LONG] = "long",
    [VG_ON_LONG_IF_NAMED] = "long-if-named",
    [VG_ON_JOB] = "job",
    [VG_ON_OPERATION] = "operation",
    [VG_ON_AGENT] = "agent",
    [VG_ON_AGENT_BY_DEFAULT] = "agent-by-default",
    [VG_ON_AGENT_IF_NAMED] = "agent-if-named",
    [VG_ON_NETWORK_THREAD] = "network-thread",
};
static const char *const gives_names[] = {
    [VG_GIVES_JSON] = "json",
    [VG_GIVES_JSON_OR_XML] = "json-or-xml",
    [VG_GIVES_XML_OR_JSON] = "xml-or-json",
    [VG_GIVES_IMAGE] = "image",
    [VG_GIVES_BYTES] = "bytes",
    [VG_GIVES_EVENTS] = "events",
    [VG_GIVES_METRICS] = "metrics",
    [VG_GIVES_YAML] = "yaml",
    [VG_GIVES_PAGE] = "page",
    [VG_GIVES_FILES] = "files",
    [VG_GIVES_WEBSOCKET] = "websocket",
    [VG_GIVES_CONTENT] = "content",
};
static const char *const takes_names[] = {
    [VG_TAKES_NOTHING] = "nothing",   [VG_TAKES_ARGS] = "args",
    [VG_TAKES_DOCUMENT] = "document", [VG_TAKES_XML] = "xml",
    [VG_TAKES_SECRET] = "secret",     [VG_TAKES_BYTES] = "bytes",
    [VG_TAKES_STREAM] = "stream",     [VG_TAKES_XML_OR_STREAM] = "xml-or-stream",
};
static const char *const hosts_names[] = {
    [VG_ONE_HOST] = "one",
    [VG_ONE_OR_ALL_HOSTS] = "one-or-all",
    [VG_ANY_HOST] = "any",
    [VG_ANY_OR_ALL_HOSTS] = "any-or-all",
    [VG_NO_HOST] = "none",
    [VG_EVERY_HOST] = "every",
    [VG_EVERY_HOST_IF_FULL] = "every-if-full",
};

static void dump_needs(struct vg_json *w, const char *needs)
{
    struct vg_permissions set;
    char unknown[VG_PERMISSION_SIZE];

    (void)vg_permissions_parse(needs, &set, unknown); /* the router knows all */
    vg_json_string(w, "access", vg_role_name(vg_permissions_role(&set)));
    vg_json_begin_array(w, "permissions");
    for (const char *p = needs ? needs : ""; *p;) {
        char name[VG_PERMISSION_SIZE];
        size_t n = strcspn(p, " ");
        snprintf(name, sizeof(name), "%.*s", (int)n, p);
        vg_json_string(w, NULL, name);
        p += n;
        p += strspn(p, " ");
    }
    vg_json_end_array(w);
}

/* Whether the client moves the bytes, and so has the work's own answer: never a 202. */
static bool is_bound(const struct vg_route *row)
{
    return row->runs_on == VG_ON_TRANSFER &&
           (row->takes == VG_TAKES_STREAM || vg_route_is_read(row));
}

/* What is asked for most, in a word; the names of the members' values say all. */
static void dump_marks(struct vg_json *w, const struct vg_route *row)
{
    vg_json_bool(w, "args", row->takes != VG_TAKES_NOTHING);
    vg_json_bool(w, "xml", vg_route_takes_xml(row));
    vg_json_bool(w, "givesXml", vg_route_gives_xml(row));
    vg_json_bool(w, "local", row->runs_on == VG_ON_NETWORK_THREAD);
    vg_json_bool(w, "shared", row->shared);
    vg_json_bool(w, "all", vg_route_has_all_hosts(row));
    vg_json_bool(w, "noHost", !vg_route_has_host(row));
    vg_json_bool(w, "givesBytes",
                 row->gives == VG_GIVES_BYTES || row->gives == VG_GIVES_CONTENT);
    vg_json_bool(w, "streams", row->gives == VG_GIVES_EVENTS);
    vg_json_bool(w, "long", vg_route_begins_operation(row) && !is_bound(row));
    vg_json_bool(w, "changesNothing", row->changes_nothing);
    vg_json_bool(w, "resumable", row->resumable);
}

static void dump_route(const struct vg_route *row)
{
    vg_auto_json w = {0};
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "method", vg_method_name(row->method));
    vg_json_string(&w, "pattern", row->pattern);
    vg_json_string(&w, "operationId", row->operation_id);
    dump_needs(&w, row->needs);
    dump_marks(&w, row);
    vg_json_string(&w, "runsOn", runs_on_names[row->runs_on]);
    vg_json_string(&w, "gives", gives_names[row->gives]);
    vg_json_string(&w, "takes", takes_names[row->takes]);
    vg_json_string(&w, "hosts", hosts_names[row->hosts]);
    vg_json_end_object(&w);
    size_t n;
    vg_autofree char *line = vg_json_finish(&w, &n);
    if (line)
        puts(line);
}

int vg_app_dump_routes(const struct vg_route *const *tables)
{
    if (vg_router_build(tables) < 0)
        return -1;
    for (const struct vg_route *const *table = tables; *table; table++)
        for (const struct vg_route *row = *table; row->pattern; row++)
            dump_route(row);
    vg_router_free();
    return 0;
}
