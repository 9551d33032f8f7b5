/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * POST /tickets: what lets a browser's EventSource or WebSocket in.
 */
#include "virtgate/ticket.h"

#include "routes/routes.h"

static struct vg_reply create_ticket(struct vg_request *rq)
{
    const char *path = NULL;
    struct vg_ticket ticket;
    const struct vg_field args[] = {VG_NEED_TEXT("path", &path), VG_END};

    if (vg_args(rq, args) < 0 || vg_ticket_new(rq, path, &ticket) < 0)
        return vg_fail(rq);
    json_t *shown =
        json_pack("{s:s, s:s}", "ticket", ticket.text, "expiresAt", ticket.expires_at);
    return vg_with_status(vg_ok(rq, shown), 201);
}

/* clang-format off */
const struct vg_route vg_routes_ticket[] = {
    {VG_POST, "/tickets", "createTicket", create_ticket,
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD, .takes = VG_TAKES_ARGS,
     .hosts = VG_NO_HOST, .changes_nothing = true},
    {0},
};
/* clang-format on */
