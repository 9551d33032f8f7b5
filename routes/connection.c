/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /version, /connection, /connection/capabilities. What a connection says of itself was
 * read when it was opened, so the first two answer from memory while it is alive.
 */
#include "routes/routes.h"
#include "virtgate/host.h"
#include "virtgate/xml.h"

/* 9000000 is 9.0.0. */
static void write_version(struct vg_json *w, unsigned long number)
{
    char text[40];
    snprintf(text, sizeof(text), "%lu.%lu.%lu", number / 1000000, number / 1000 % 1000,
             number % 1000);
    vg_json_string(w, "version", text);
    vg_json_uint(w, "number", number);
}

static struct vg_reply get_version(struct vg_request *rq)
{
    unsigned long client = 0;
    vg_auto_host_status status;

    vg_host_status(rq, &status);
    if (status.state != VG_HOST_UP) {
        vg_host_set_unreachable(rq, &status);
        return vg_fail(rq);
    }
    if (virGetVersion(&client, NULL, NULL) < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_object(&w, "gateway");
    vg_json_string(&w, "version", VG_VERSION);
    vg_json_end_object(&w);
    vg_json_begin_object(&w, "client");
    write_version(&w, client);
    vg_json_end_object(&w);
    vg_json_begin_object(&w, "libvirt");
    write_version(&w, status.facts.lib_version);
    vg_json_end_object(&w);
    vg_json_begin_object(&w, "hypervisor");
    vg_json_string(&w, "type", status.facts.type);
    if (status.facts.hv_version)
        write_version(&w, status.facts.hv_version);
    vg_json_end_object(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_connection(struct vg_request *rq)
{
    vg_auto_host_status status;

    vg_host_status(rq, &status);
    if (status.state != VG_HOST_UP) {
        vg_host_set_unreachable(rq, &status);
        return vg_fail(rq);
    }
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "host", status.name);
    vg_json_string(&w, "uri", status.facts.uri);
    vg_json_string(&w, "hostname", status.facts.hostname);
    vg_json_string(&w, "type", status.facts.type);
    vg_json_bool(&w, "encrypted", status.facts.encrypted);
    vg_json_bool(&w, "secure", status.facts.secure);
    vg_json_bool(&w, "alive", status.alive);
    vg_json_bool(&w, "readOnly", status.read_only);
    vg_json_begin_object(&w, "pool");
    vg_json_uint(&w, "size", status.pool_size);
    vg_json_uint(&w, "inUse", status.in_use);
    vg_json_uint(&w, "idle", status.idle);
    vg_json_uint(&w, "waiting", status.waiting);
    vg_json_end_object(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_capabilities(struct vg_request *rq)
{
    char *xml = virConnectGetCapabilities(vg_conn(rq));
    return xml ? vg_reply_xml(rq, xml) : vg_fail_virt(rq);
}

/* clang-format off */
const struct vg_route vg_routes_connection[] = {
    {VG_GET, "/version", "getVersion", VG_READ | VG_LOCAL, get_version},
    {VG_GET, "/connection", "getConnection", VG_READ | VG_LOCAL, get_connection},
    {VG_GET, "/connection/capabilities", "getCapabilities", VG_READ | VG_SHARED | VG_GIVES_XML | VG_ONLY_XML, get_capabilities},
    {0},
};
/* clang-format on */
