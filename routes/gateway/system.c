/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The gateway itself: /, /health/live, /health/ready, /openapi.yaml, /openapi.json.
 */
#include "routes/routes.h"
#include "virtgate/cleanup.h"
#include "virtgate/history.h"
#include "virtgate/host.h"
#include "virtgate/openapi.h"
#include "virtgate/scope.h"

#include <stdio.h>
#include <string.h>

/* ---- / ----------------------------------------------------------------------------- */

static const struct link {
    const char *name, *path;
    bool of_host; /* left out without a host `default`; /hosts tells of the others */
} links[] = {
    {"version", "/version", true},
    {"connection", "/connection", true},
    {"domains", "/domains", true},
    {"domainStats", "/domain-stats", true},
    {"networks", "/networks", true},
    {"storagePools", "/storage-pools", true},
    {"nodeDevices", "/node-devices", true},
    {"interfaces", "/interfaces", true},
    {"nwfilters", "/nwfilters", true},
    {"nwfilterBindings", "/nwfilter-bindings", true},
    {"secrets", "/secrets", true},
    {"uploads", "/uploads", true},
    {"node", "/node", true},
    {"admin", "/admin", true},
    {"events", "/events", true},
    {"operations", "/operations", false},
    {"sessions", "/sessions", false},
    {"hosts", "/hosts", false},
    {"whoami", "/whoami", false},
    {"metrics", "/metrics", false},
    {"live", "/health/live", false},
    {"ready", "/health/ready", false},
    {"openapi", "/openapi.yaml", false},
    {"docs", "/docs", false},
    {"ui", "/ui/", false},
};

static json_t *list_links(void)
{
    vg_auto_host_status status;
    bool has_default = vg_host_status_of("default", &status);
    json_t *list = json_object();

    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (has_default || !links[i].of_host)
            json_object_set_new(list, links[i].name,
                                json_sprintf("%s%s", vg_path_prefix(), links[i].path));
    return list;
}

/* What a client may look for before it relies on it; a name stays once it was released.
 */
static json_t *list_features(void)
{
    static const char *const names[] = {
        "domains",        "snapshots", "checkpoints",   "operations", "events",
        "websockets",     "consoles",  "tickets",       "metrics",    "path-prefix",
        "node",           "networks",  "storage-pools", "volumes",    "node-devices",
        "interfaces",     "nwfilters", "secrets",       "admin",      "whoami",
        "volume-content", "uploads"};
    json_t *features = json_array();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        json_array_append_new(features, json_string(names[i]));
    if (vg_history_is_kept())
        json_array_append_new(features, json_string("history"));
    return features;
}

static struct vg_reply get_index(struct vg_request *rq)
{
    static struct vg_cached cached;
    struct vg_reply reply;

    if (vg_cached_reply(rq, &cached, &reply))
        return reply;
    json_t *index = json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", "virtgate", "version",
                              VG_VERSION, "description", "HTTP/JSON gateway to libvirt",
                              "links", list_links(), "features", list_features());
    return vg_keep(rq, &cached, vg_ok(rq, index));
}

/* ---- health ------------------------------------------------------------------------ */

static struct vg_reply get_live(struct vg_request *rq)
{
    static struct vg_cached cached;
    struct vg_reply reply;

    if (vg_cached_reply(rq, &cached, &reply))
        return reply;
    return vg_keep(rq, &cached, vg_ok(rq, json_pack("{s:s}", "status", "live")));
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

/* 200 while at least one host is up: the gateway has something to serve. Ready is who has
 * all of them, with room for connections. */
static struct vg_reply get_ready(struct vg_request *rq)
{
    vg_auto_json w = vg_json_for(rq), hosts = {0};
    size_t n = 0, up = 0, well = 0, length = 0;

    vg_json_begin_array(&hosts, NULL);
    for (size_t i = 0;; i++) {
        vg_auto_host_status status;
        if (!vg_host_status_at(i, &status))
            break;
        if (!vg_sees_host(rq, status.name))
            continue;
        n++;
        up += status.state == VG_HOST_UP;
        well += status.state == VG_HOST_UP && !status.reason;
        if (vg_knows_hosts(rq))
            write_readiness(&hosts, &status);
    }
    vg_json_end_array(&hosts);
    vg_autofree char *list = vg_json_finish(&hosts, &length);
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "status", well == n ? "ready" : up ? "degraded" : "unavailable");
    vg_json_raw(&w, "hosts", list ? list : "[]", list ? length : 2);
    vg_json_end_object(&w);
    struct vg_reply reply = vg_ok_written(rq, &w);
    return up ? reply : vg_with_status(reply, 503);
}

/* The description's servers are `{origin}` and what follows; owned by the caller. */
static char *prefix_servers(const char *text, size_t n)
{
    static const char origin[] = "{origin}";
    const char *end = text + n, *at;
    char *copy = NULL;
    size_t size;
    FILE *out = open_memstream(&copy, &size);

    if (!out)
        return NULL;
    while ((at = memmem(text, (size_t)(end - text), origin, strlen(origin)))) {
        at += strlen(origin);
        fprintf(out, "%.*s%s", (int)(at - text), text, vg_path_prefix());
        text = at;
    }
    fprintf(out, "%.*s", (int)(end - text), text);
    bool failed = ferror(out) != 0;
    if (fclose(out) == 0 && !failed)
        return copy;
    free(copy);
    return NULL;
}

static struct vg_reply give_description(struct vg_request *rq, struct vg_cached *cached,
                                        const char *type, const char *text, size_t n)
{
    struct vg_reply reply;

    if (!*vg_path_prefix())
        return vg_ok_cached(rq, cached, type, text, n);
    if (vg_cached_reply(rq, cached, &reply))
        return reply;
    return vg_keep(rq, cached, vg_ok_text(rq, type, prefix_servers(text, n)));
}

static struct vg_reply get_openapi_yaml(struct vg_request *rq)
{
    static struct vg_cached cached;
    return give_description(rq, &cached, "application/yaml", vg_openapi_yaml,
                            vg_openapi_yaml_len);
}

static struct vg_reply get_openapi_json(struct vg_request *rq)
{
    static struct vg_cached cached;
    return give_description(rq, &cached, "application/json", vg_openapi_json,
                            vg_openapi_json_len);
}

/* clang-format off */
const struct vg_route vg_routes_system[] = {
    {VG_GET, "/", "getIndex", get_index,
     .runs_on = VG_ON_NETWORK_THREAD, .hosts = VG_NO_HOST},
    {VG_GET, "/health/live", "getLive", get_live,
     .runs_on = VG_ON_NETWORK_THREAD, .hosts = VG_NO_HOST},
    {VG_GET, "/health/ready", "getReady", get_ready,
     .runs_on = VG_ON_NETWORK_THREAD, .hosts = VG_NO_HOST},
    {VG_GET, "/openapi.yaml", "getOpenapiYaml", get_openapi_yaml,
     .runs_on = VG_ON_NETWORK_THREAD, .gives = VG_GIVES_YAML, .hosts = VG_NO_HOST},
    {VG_GET, "/openapi.json", "getOpenapiJson", get_openapi_json,
     .runs_on = VG_ON_NETWORK_THREAD, .hosts = VG_NO_HOST},
    {0},
};
/* clang-format on */
