/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /hosts and /hosts/{host}: which hosts there are and how they are. Everything else of a
 * host is below /hosts/{host}/, by the same paths as without.
 */
#include "routes/routes.h"
#include "virtgate/host.h"
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

static struct vg_reply list_hosts(struct vg_request *rq)
{
    vg_auto_json w = vg_json_for(rq);

    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "hosts");
    for (size_t i = 0;; i++) {
        vg_auto_host_status status;
        if (!vg_host_status_at(i, &status))
            break;
        if (!vg_sees_host(rq, status.name))
            continue;
        vg_json_begin_object(&w, NULL);
        write_host(&w, &status);
        vg_json_end_object(&w);
    }
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
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD, .hosts = VG_NO_HOST},
    {VG_GET, "/hosts/{host}", "getHost", get_host,
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD, .hosts = VG_NO_HOST},
    {0},
};
/* clang-format on */
