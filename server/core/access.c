/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/access.h"

#include "virtgate/cleanup.h"
#include "virtgate/ticket.h"

#include <stdio.h>

static bool read_only;

void vg_access_start(bool gateway_is_read_only)
{
    read_only = gateway_is_read_only;
}

struct vg_permissions vg_access_permissions(const struct vg_request *rq)
{
    struct vg_permissions all = rq->rights->permissions;

    if (read_only)
        vg_permissions_keep(&all, vg_role_permissions(VG_ROLE_VIEWER));
    return all;
}

bool vg_access_has_all(const struct vg_request *rq)
{
    return vg_rights_hold(rq->rights, vg_role_permissions(VG_ROLE_ADMIN));
}

/* A permission that is in no table is a bug: nobody has it. */
static int read_names(const char *names, struct vg_permissions *ret, struct vg_error *e)
{
    char unknown[VG_PERMISSION_SIZE];

    if (vg_permissions_parse(names, ret, unknown) == 0)
        return 0;
    vg_error_set(e, VG_E_INTERNAL, "'%s' is no permission", unknown);
    return -1;
}

bool vg_request_may(const struct vg_request *rq, const char *permissions)
{
    struct vg_permissions needed;
    char unknown[VG_PERMISSION_SIZE];

    return vg_permissions_parse(permissions, &needed, unknown) == 0 &&
           vg_rights_hold(rq->rights, &needed);
}

static void refuse(struct vg_request *rq, const struct vg_permissions *needed,
                   const char *why)
{
    const char *lacks = vg_permissions_missing(&rq->rights->permissions, needed);
    char because[VG_RIGHTS_FAULT_SIZE];

    vg_rights_explain(rq->rights, lacks, needed, because, sizeof(because));
    vg_error_set(&rq->error, VG_E_FORBIDDEN, "%s the permission '%s'; %s", why, lacks,
                 because);
    rq->error.permission = lacks;
}

int vg_access_ask(struct vg_request *rq, const struct vg_permissions *needed,
                  const char *why)
{
    vg_autofree char *text = NULL;

    if (vg_rights_hold(rq->rights, needed)) {
        vg_permissions_add(&rq->needs, needed);
        return 0;
    }
    if (asprintf(&text, "%s; it needs", why) < 0)
        return vg_error_set_memory(&rq->error);
    refuse(rq, needed, text);
    return -1;
}

int vg_request_ask(struct vg_request *rq, const char *permissions, const char *why)
{
    struct vg_permissions needed;

    return read_names(permissions, &needed, &rq->error) < 0
               ? -1
               : vg_access_ask(rq, &needed, why);
}

int vg_request_ask_secrets(struct vg_request *rq, bool shown)
{
    return shown ? vg_request_ask(rq, "domain:read_secure",
                                  "With these 'flags' passwords are shown")
                 : 0;
}

/* The caller is unknown: what it has to send. */
static int refuse_unknown(struct vg_request *rq)
{
    if (rq->lacks_certificate)
        vg_error_set(
            &rq->error, VG_E_UNAUTHORIZED,
            "Show a client certificate in the TLS handshake, valid and signed by "
            "a CA that the gateway knows (--tls-client-ca)");
    else if (rq->bad_ticket)
        vg_error_set(&rq->error, VG_E_UNAUTHORIZED,
                     "The ticket is not good here: it is unknown or was used, is older "
                     "than %d s, is of another path or page, or its token has gone; "
                     "POST /tickets gives a new one",
                     VG_TICKET_SECONDS);
    else if (rq->no_role)
        vg_error_set(
            &rq->error, VG_E_UNAUTHORIZED,
            "%s; send `Authorization: Bearer TOKEN` where the gateway has tokens",
            rq->no_role);
    else
        vg_error_set(&rq->error, VG_E_UNAUTHORIZED,
                     "Send `Authorization: Bearer TOKEN` with a valid token of role '%s'",
                     vg_role_name(vg_permissions_role(&rq->needs)));
    return -1;
}

int vg_access_permit(struct vg_request *rq, const struct vg_rights *rights)
{
    rq->rights = rights;
    if (!vg_rights_hold(rights, &rq->needs)) {
        if (rq->lacks_certificate || rq->bad_ticket || rights->role == VG_ROLE_NONE)
            return refuse_unknown(rq);
        refuse(rq, &rq->needs, "This needs");
        return -1;
    }
    if (read_only &&
        !vg_permissions_hold(vg_role_permissions(VG_ROLE_VIEWER), &rq->needs)) {
        vg_error_set(
            &rq->error, VG_E_READ_ONLY,
            "The gateway was started with --read-only: it changes nothing, and tells "
            "what the role 'viewer' may see");
        return -1;
    }
    return 0;
}
