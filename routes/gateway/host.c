/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /hosts and /hosts/{host}: which hosts there are and how they are. Everything else of a
 * host is below /hosts/{host}/, by the same paths as without. The list asks no host, but
 * for ?view=full.
 */
#include "routes/routes.h"
#include "virtgate/host.h"
#include "virtgate/host_overview.h"
#include "virtgate/scope.h"

static void write_host(struct vg_json *w, const struct vg_host_status *status)
{
    vg_json_string(w, "host", status->name);
    vg_json_string(w, "uri", status->uri);
    vg_json_string(w, "state", vg_host_state_name(status->state));
    vg_json_bool(w, "readOnly", status->read_only);
    if (status->reason)
        vg_json_string(w, "reason", status->reason);
    if (status->state == VG_HOST_DOWN) {
        json_auto_t *problem = vg_host_problem(status);
        vg_json_value(w, "error", problem);
    }
}

static void write_hosts(struct vg_request *rq, struct vg_json *w)
{
    for (size_t i = 0;; i++) {
        vg_auto_host_status status;
        if (!vg_host_status_at(i, &status))
            break;
        if (!vg_sees_host(rq, status.name))
            continue;
        vg_json_begin_object(w, NULL);
        write_host(w, &status);
        vg_json_end_object(w);
    }
}

/* What the host told of itself; one that gave no answer has its problem instead. */
static void write_part(struct vg_json *w, const struct vg_part *part, bool down)
{
    json_auto_t *told = json_loadb(part->text, part->length, 0, NULL);
    const char *key;
    json_t *value;

    if (part->status != 200 && told && !down)
        vg_json_value(w, "error", told);
    json_object_foreach (part->status == 200 ? told : NULL, key, value) {
        vg_json_value(w, key, value);
    }
}

static void write_full_hosts(struct vg_request *rq, struct vg_json *w)
{
    struct vg_part part;

    for (size_t i = 0; vg_part_at(rq, i, &part); i++) {
        vg_auto_host_status status;
        if (!vg_host_status_of(part.host, &status))
            continue;
        vg_json_begin_object(w, NULL);
        write_host(w, &status);
        write_part(w, &part, status.state == VG_HOST_DOWN);
        vg_json_end_object(w);
    }
}

static const struct vg_enum_value view_names[] = {
    {.name = "default", .value = 0},
    {.name = "full", .value = 1},
};
static const struct vg_enum views = {.values = view_names, .count = 2};

static struct vg_reply list_hosts(struct vg_request *rq)
{
    int full = 0;
    const struct vg_field args[] = {VG_ONE_OF("view", &full, &views), VG_END};

    if (vg_args(rq, args) < 0 ||
        (full && vg_request_ask(rq, "connect:read connect:search_domains",
                                "view=full asks the hosts") < 0))
        return vg_fail(rq);
    if (vg_conn(rq))
        return vg_host_overview(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "hosts");
    if (full)
        write_full_hosts(rq, &w);
    else
        write_hosts(rq, &w);
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static void write_link(struct vg_json *w, const char *key, const char *host,
                       const char *path)
{
    char href[256];
    snprintf(href, sizeof(href), "%s/hosts/%s%s", vg_path_prefix(), host, path);
    vg_json_string(w, key, href);
}

static struct vg_reply get_host(struct vg_request *rq)
{
    vg_auto_host_status status = {0};
    const char *name = vg_path(rq, "host");

    if (!vg_sees_host(rq, name) || !vg_host_status_of(name, &status)) {
        vg_error_set(vg_request_error(rq), VG_E_NOT_FOUND,
                     "There is no host '%s'; /hosts lists them", name);
        return vg_fail(rq);
    }
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    write_host(&w, &status);
    vg_json_begin_object(&w, "links");
    write_link(&w, "version", status.name, "/version");
    write_link(&w, "connection", status.name, "/connection");
    write_link(&w, "domains", status.name, "/domains");
    write_link(&w, "domainStats", status.name, "/domain-stats");
    vg_json_end_object(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* clang-format off */
const struct vg_route vg_routes_host[] = {
    {VG_GET, "/hosts", "listHosts", list_hosts,
     .needs = "connect:getattr", .takes = VG_TAKES_ARGS, .hosts = VG_EVERY_HOST_IF_FULL,
     .shared = true},
    {VG_GET, "/hosts/{host}", "getHost", get_host,
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD, .hosts = VG_NO_HOST},
    {0},
};
/* clang-format on */
