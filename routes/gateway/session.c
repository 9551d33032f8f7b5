/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /sessions: who has a console, a channel, a display open, or moves bytes; and their end.
 */
#include "virtgate/session.h"
#include "routes/routes.h"
#include "virtgate/cleanup.h"

static struct vg_reply list_sessions(struct vg_request *rq)
{
    struct vg_session_filter filter = {0};
    const struct vg_field args[] = {
        VG_NAMES("kind", &filter.kinds, &vg_session_kinds),
        VG_TEXT("domain", &filter.domain),
        VG_TEXT("principal", &filter.principal),
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_sessions_list(rq, &w, &filter);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_session(struct vg_request *rq)
{
    vg_auto_json w = vg_json_for(rq);
    return vg_session_write(rq, &w, vg_path(rq, "session")) < 0 ? vg_fail(rq)
                                                                : vg_ok_written(rq, &w);
}

static struct vg_reply end_session(struct vg_request *rq)
{
    return vg_session_end(rq, vg_path(rq, "session")) < 0 ? vg_fail(rq)
                                                          : vg_no_content(rq);
}

/* clang-format off */
const struct vg_route vg_routes_session[] = {
    {VG_GET, "/sessions", "listSessions", list_sessions,
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD, .takes = VG_TAKES_ARGS,
     .hosts = VG_ANY_HOST},
    {VG_GET, "/sessions/{session}", "getSession", get_session,
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD, .hosts = VG_ANY_HOST},
    {VG_DELETE, "/sessions/{session}", "endSession", end_session,
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD, .hosts = VG_ANY_HOST},
    {0},
};
/* clang-format on */
