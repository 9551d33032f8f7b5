/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /node, /node/sysinfo, security-model, sev, suspend: the machine that a host is.
 */
#include "routes/routes.h"
#include "virtgate/cleanup.h"
#include "virtgate/host.h"
#include "virtgate/params.h"
#include "virtgate/xml_json.h"

static struct vg_reply get_node(struct vg_request *rq)
{
    virNodeInfo info;

    if (virNodeGetInfo(vg_conn(rq), &info) < 0)
        return vg_fail_virt(rq);
    info.model[sizeof(info.model) - 1] = '\0';
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "model", info.model);
    vg_json_uint(&w, "memoryKiB", info.memory);
    vg_json_uint(&w, "cpus", info.cpus);
    vg_json_uint(&w, "mhz", info.mhz);
    vg_json_uint(&w, "nodes", info.nodes);
    vg_json_uint(&w, "sockets", info.sockets);
    vg_json_uint(&w, "cores", info.cores);
    vg_json_uint(&w, "threads", info.threads);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_sysinfo(struct vg_request *rq)
{
    char *xml = virConnectGetSysinfo(vg_conn(rq), 0);
    return xml ? vg_reply_document(rq, xml) : vg_fail_virt(rq);
}

static struct vg_reply get_security_model(struct vg_request *rq)
{
    virSecurityModel model = {0};

    if (virNodeGetSecurityModel(vg_conn(rq), &model) < 0)
        return vg_fail_virt(rq);
    model.model[sizeof(model.model) - 1] = '\0';
    model.doi[sizeof(model.doi) - 1] = '\0';
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "model", model.model);
    vg_json_string(&w, "doi", model.doi);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_sev(struct vg_request *rq)
{
    vg_auto_params sev = {0};

    if (virNodeGetSEVInfo(vg_conn(rq), &sev.v, &sev.n, 0) < 0)
        return vg_fail_virt(rq);
    return vg_ok(rq, vg_params_to_json(sev.v, sev.n));
}

/* {"target": "mem", "durationSeconds": 3600} */
static struct vg_reply suspend_node(struct vg_request *rq)
{
    int target = 0;
    int64_t seconds = 0;
    const struct vg_field args[] = {
        VG_NEED_ENUM("target", &target, virNodeSuspendTarget),
        VG_NEED_NUMBER("durationSeconds", &seconds, 1, INT64_MAX), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    return vg_done(rq, virNodeSuspendForDuration(vg_conn(rq), (unsigned int)target,
                                                 (unsigned long long)seconds, 0));
}

/* clang-format off */
const struct vg_route vg_routes_node[] = {
    {VG_GET, "/node", "getNode", get_node,
     .needs = "connect:read", .shared = true},
    {VG_GET, "/node/sysinfo", "getNodeSysinfo", get_sysinfo,
     .needs = "connect:read", .gives = VG_GIVES_XML_OR_JSON, .shared = true},
    {VG_GET, "/node/security-model", "getNodeSecurityModel", get_security_model,
     .needs = "connect:read", .shared = true},
    {VG_GET, "/node/sev", "getNodeSev", get_sev,
     .needs = "connect:read connect:write", .shared = true},
    {VG_POST, "/node/suspend", "suspendNode", suspend_node,
     .needs = "connect:pm_control", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
