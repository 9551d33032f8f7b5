/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GET /whoami: who the caller is, and what it may do.
 */
#include "virtgate/whoami.h"

#include "routes/routes.h"

static struct vg_reply get_whoami(struct vg_request *rq)
{
    vg_auto_json w = {0};

    vg_json_begin_object(&w, NULL);
    vg_whoami_write(rq, &w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* clang-format off */
const struct vg_route vg_routes_whoami[] = {
    {VG_GET, "/whoami", "getWhoami", get_whoami,
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD, .hosts = VG_NO_HOST},
    {0},
};
/* clang-format on */
