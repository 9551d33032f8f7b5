/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GET /domains/{domain}/history: the last hour, from memory. libvirt is asked for nothing
 * but the domain itself, which may be remembered, too.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/domain.h"
#include "virtgate/domain_stats.h"
#include "virtgate/history.h"
#include "virtgate/object.h"

static int fail_off(struct vg_request *rq)
{
    vg_error_set(vg_request_error(rq), VG_E_NOT_FOUND,
                 "This gateway keeps no history: it was started with --history=no");
    return -1;
}

static struct vg_reply get_history(struct vg_request *rq)
{
    unsigned int fields = 0;
    int64_t seconds = VG_HISTORY_SECONDS;
    const struct vg_field args[] = {
        VG_NUMBER("seconds", &seconds, VG_HISTORY_STEP, VG_HISTORY_SECONDS),
        VG_NAMES("fields", &fields, &vg_history_fields), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom || vg_request_ask(rq, VG_STATS_NEED, "A history is of statistics") < 0 ||
        (!vg_history_is_kept() && fail_off(rq) < 0))
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_domain_write_identity(&w, dom);
    size_t points = (size_t)((seconds + VG_HISTORY_STEP - 1) / VG_HISTORY_STEP);
    if (vg_history_write(rq, &w, dom, points, fields) < 0)
        return vg_fail(rq);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* clang-format off */
const struct vg_route vg_routes_domain_history[] = {
    {VG_GET, "/domains/{domain}/history", "getDomainHistory", get_history,
     .needs = "connect:search_domains domain:getattr", .takes = VG_TAKES_ARGS, .shared = true},
    {0},
};
/* clang-format on */
