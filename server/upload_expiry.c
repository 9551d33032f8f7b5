/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/upload_expiry.h"

#include "server/base/log.h"
#include "server/core/router.h"
#include "server/core/uploads.h"
#include "server/libvirt/host.h"
#include "virtgate/transfer.h"

#define LIMIT_NS (30 * VG_SECOND_NS)

static const struct vg_route *row; /* of DELETE */

void vg_upload_expiry_start(const struct vg_config *config)
{
    static const char *const path[] = {"uploads", "1"};
    const struct vg_resumable_calls calls = {.release = vg_volume_release,
                                             .interrupt = vg_transfer_interrupt};
    const char *allow;

    row = vg_router_find(VG_DELETE, path, 2, &allow, NULL);
    vg_resumable_start((unsigned int)config->uploads_per_token, config->upload_expiry,
                       &calls);
}

static void log_end(struct vg_request *rq, struct vg_reply reply)
{
    bool good = reply.status == 204;
    vg_log(good ? VG_LOG_INFO : VG_LOG_WARNING, "uploads", "%s: %s has expired%s",
           vg_host_name(rq), rq->target,
           good ? "" : ", and its volume is still there; it is tried again");
    vg_reply_clear(&reply);
}

/* NULL: out of memory. */
static struct vg_request *make_request(struct vg_host *host, const char *path,
                                       int64_t now_ns)
{
    struct vg_request *rq = vg_request_inner(row, path, 0);

    if (!rq || vg_request_parse_target(rq, rq->target) < 0) {
        vg_request_unref(rq);
        return NULL;
    }
    rq->method = VG_DELETE;
    rq->method_name = vg_method_name(VG_DELETE);
    vg_request_set_host(rq, host, vg_host_get_name(host));
    rq->rights = vg_rights_of_role(VG_ROLE_ADMIN);
    rq->start_ns = now_ns;
    rq->deadline_ns = now_ns + LIMIT_NS;
    rq->done = log_end;
    return rq;
}

void vg_upload_expiry_tick(int64_t now_ns)
{
    char path[VG_RESUMABLE_PATH_SIZE];
    struct vg_host *host;

    while ((host = vg_resumable_take_due(now_ns, path))) {
        struct vg_request *rq = make_request(host, path, now_ns);
        if (rq)
            vg_host_submit(host, rq);
    }
}
