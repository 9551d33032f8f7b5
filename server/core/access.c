/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/access.h"

#include "virtgate/ticket.h"

static bool read_only;

void vg_access_start(bool gateway_is_read_only)
{
    read_only = gateway_is_read_only;
}

enum vg_role vg_access_needed(unsigned int flags)
{
    return flags & VG_ADMIN     ? VG_ROLE_ADMIN
           : flags & VG_OPERATE ? VG_ROLE_OPERATOR
           : flags & VG_READ    ? VG_ROLE_VIEWER
                                : VG_ROLE_NONE;
}

bool vg_request_may(const struct vg_request *rq, unsigned int access)
{
    return rq->role >= vg_access_needed(access);
}

int vg_request_ask(struct vg_request *rq, unsigned int access, const char *why)
{
    if (vg_request_may(rq, access)) {
        rq->asked |= access;
        return 0;
    }
    vg_error_set(&rq->error, VG_E_FORBIDDEN, "%s; it needs the role '%s', yours is '%s'",
                 why, vg_role_name(vg_access_needed(access)), vg_role_name(rq->role));
    return -1;
}

int vg_request_ask_secrets(struct vg_request *rq, bool shown)
{
    return shown ? vg_request_ask(rq, VG_ADMIN, "With these 'flags' passwords are shown")
                 : 0;
}

int vg_access_permit(struct vg_request *rq, enum vg_role role)
{
    enum vg_role needed = vg_access_needed(rq->route->flags);

    rq->role = role;
    if (needed > role && rq->lacks_certificate) {
        vg_error_set(
            &rq->error, VG_E_UNAUTHORIZED,
            "Show a client certificate in the TLS handshake, valid and signed by "
            "a CA that the gateway knows (--tls-client-ca)");
        return -1;
    }
    if (needed > role && rq->bad_ticket) {
        vg_error_set(&rq->error, VG_E_UNAUTHORIZED,
                     "The ticket is not good here: it is unknown or was used, is older "
                     "than %d s, is of another path or page, or its token has gone; "
                     "POST /tickets gives a new one",
                     VG_TICKET_SECONDS);
        return -1;
    }
    if (needed > role && role == VG_ROLE_NONE) {
        vg_error_set(&rq->error, VG_E_UNAUTHORIZED,
                     "Send `Authorization: Bearer TOKEN` with a valid token of role '%s'",
                     vg_role_name(needed));
        return -1;
    }
    if (needed > role) {
        vg_error_set(&rq->error, VG_E_FORBIDDEN,
                     "This needs a token of role '%s'; yours is '%s'",
                     vg_role_name(needed), vg_role_name(role));
        return -1;
    }
    if (read_only && needed > VG_ROLE_VIEWER) {
        vg_error_set(
            &rq->error, VG_E_READ_ONLY,
            "The gateway was started with --read-only: it changes nothing, and tells "
            "what the role 'viewer' may see");
        return -1;
    }
    return 0;
}
