/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /interface-change: changes of the host's interfaces that can be taken back together.
 * What is changed after its begin is committed, or undone by a rollback or the host's
 * next start.
 */
#include "routes/routes.h"
#include "virtgate/host.h"

static struct vg_reply begin_change(struct vg_request *rq)
{
    return vg_done(rq, virInterfaceChangeBegin(vg_conn(rq), 0));
}

static struct vg_reply commit_change(struct vg_request *rq)
{
    return vg_done(rq, virInterfaceChangeCommit(vg_conn(rq), 0));
}

static struct vg_reply roll_back_change(struct vg_request *rq)
{
    return vg_done(rq, virInterfaceChangeRollback(vg_conn(rq), 0));
}

/* clang-format off */
const struct vg_route vg_routes_interface_change[] = {
    {VG_POST, "/interface-change", "beginInterfaceChange", begin_change,
     .needs = "connect:interface_transaction"},
    {VG_POST, "/interface-change/commit", "commitInterfaceChange", commit_change,
     .needs = "connect:interface_transaction"},
    {VG_POST, "/interface-change/rollback", "rollbackInterfaceChange", roll_back_change,
     .needs = "connect:interface_transaction"},
    {0},
};
/* clang-format on */
