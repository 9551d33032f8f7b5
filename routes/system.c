/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The gateway itself: /, /health/live, /health/ready, /openapi.yaml, /openapi.json.
 */
#include "routes/routes.h"
#include "virtgate/cleanup.h"
#include "virtgate/host.h"
#include "virtgate/openapi.h"

/* Without a host `default` the paths of one are nowhere; /hosts tells of the others. */
static void drop_host_links(json_t *index)
{
    static const char *const of_a_host[] = {"version", "connection", "domains",
                                            "domainStats", "events"};
    json_t *links = json_object_get(index, "links");
    for (size_t i = 0; i < sizeof(of_a_host) / sizeof(of_a_host[0]); i++)
        json_object_del(links, of_a_host[i]);
}

static struct vg_reply get_index(struct vg_request *rq)
{
    static struct vg_kept kept;
    struct vg_reply reply;

    if (vg_kept_reply(rq, &kept, &reply))
        return reply;
    json_t *index = json_pack(
        "{s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}}",
        "name", "virtgate", "version", VG_VERSION, "description",
        "HTTP/JSON gateway to libvirt", "links", "version", "/version", "connection",
        "/connection", "domains", "/domains", "domainStats", "/domain-stats", "events",
        "/events", "operations", "/operations", "hosts", "/hosts", "metrics", "/metrics",
        "live", "/health/live", "ready", "/health/ready", "openapi", "/openapi.yaml",
        "docs", "/docs");
    vg_auto_host_status status;
    if (!vg_host_status_of("default", &status))
        drop_host_links(index);
    return vg_keep(rq, &kept, vg_ok(rq, index));
}

static struct vg_reply get_live(struct vg_request *rq)
{
    static struct vg_kept kept;
    struct vg_reply reply;

    if (vg_kept_reply(rq, &kept, &reply))
        return reply;
    return vg_keep(rq, &kept, vg_ok(rq, json_pack("{s:s}", "status", "live")));
}

/* Anybody may read it: a reason in a word, not libvirt's text, which has paths. */
static void write_readiness(struct vg_json *w, const struct vg_host_status *status)
{
    vg_json_begin_object(w, NULL);
    vg_json_string(w, "host", status->name);
    vg_json_string(w, "state", vg_host_state_name(status->state));
    if (status->reason)
        vg_json_string(w, "reason", status->reason);
    vg_json_end_object(w);
}

/* 200 while at least one host is up: the gateway has something to serve. */
static struct vg_reply get_ready(struct vg_request *rq)
{
    vg_auto_json w = vg_json_for(rq), hosts = {0};
    size_t n = 0, up = 0, length = 0;

    vg_json_begin_array(&hosts, NULL);
    for (;; n++) {
        vg_auto_host_status status;
        if (!vg_host_status_at(n, &status))
            break;
        up += status.state == VG_HOST_UP;
        write_readiness(&hosts, &status);
    }
    vg_json_end_array(&hosts);
    vg_autofree char *list = vg_json_finish(&hosts, &length);
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "status", up == n ? "ready" : up ? "degraded" : "unavailable");
    vg_json_raw(&w, "hosts", list ? list : "[]", list ? length : 2);
    vg_json_end_object(&w);
    struct vg_reply reply = vg_ok_written(rq, &w);
    return up ? reply : vg_with_status(reply, 503);
}

static struct vg_reply get_openapi_yaml(struct vg_request *rq)
{
    static struct vg_kept kept;
    return vg_ok_kept(rq, &kept, "application/yaml", vg_openapi_yaml,
                      vg_openapi_yaml_len);
}

static struct vg_reply get_openapi_json(struct vg_request *rq)
{
    static struct vg_kept kept;
    return vg_ok_kept(rq, &kept, "application/json", vg_openapi_json,
                      vg_openapi_json_len);
}

/* clang-format off */
const struct vg_route vg_routes_system[] = {
    {VG_GET, "/", "getIndex", VG_PUBLIC | VG_LOCAL | VG_NO_HOST, get_index},
    {VG_GET, "/health/live", "getLive", VG_PUBLIC | VG_LOCAL | VG_NO_HOST, get_live},
    {VG_GET, "/health/ready", "getReady", VG_PUBLIC | VG_LOCAL | VG_NO_HOST, get_ready},
    {VG_GET, "/openapi.yaml", "getOpenapiYaml", VG_PUBLIC | VG_LOCAL | VG_NO_HOST | VG_GIVES_YAML, get_openapi_yaml},
    {VG_GET, "/openapi.json", "getOpenapiJson", VG_PUBLIC | VG_LOCAL | VG_NO_HOST, get_openapi_json},
    {0},
};
/* clang-format on */
