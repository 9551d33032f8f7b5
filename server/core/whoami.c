/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "virtgate/whoami.h"

#include "server/core/access.h"

static const char *const via_names[] = {
    [VG_VIA_NONE] = "none",
    [VG_VIA_TOKEN] = "token",
    [VG_VIA_CERTIFICATE] = "certificate",
    [VG_VIA_SOCKET] = "socket",
    [VG_VIA_HEADER] = "header",
};

const char *vg_whoami_via(const struct vg_request *rq)
{
    return via_names[rq->via];
}

static void write_globs(struct vg_json *w, const char *key, const struct vg_globs *globs)
{
    vg_json_begin_array(w, key);
    if (!globs->n)
        vg_json_string(w, NULL, "*");
    for (size_t i = 0; i < globs->n; i++)
        vg_json_string(w, NULL, globs->v[i]);
    vg_json_end_array(w);
}

static void write_permissions(struct vg_json *w, const struct vg_permissions *permissions)
{
    unsigned int at = 0;

    vg_json_begin_array(w, "permissions");
    for (const char *name; (name = vg_permissions_next(permissions, &at));)
        vg_json_string(w, NULL, name);
    vg_json_end_array(w);
}

void vg_whoami_write(const struct vg_request *rq, struct vg_json *w)
{
    vg_json_string(w, "name", rq->principal[0] ? rq->principal : NULL);
    vg_json_string(w, "role", vg_role_name(rq->rights->role));
    const struct vg_permissions permissions = vg_access_permissions(rq);
    write_permissions(w, &permissions);
    vg_json_begin_object(w, "scope");
    write_globs(w, "hosts", &rq->rights->hosts);
    write_globs(w, "domains", &rq->rights->domains);
    vg_json_end_object(w);
    vg_json_string(w, "via", vg_whoami_via(rq));
    if (rq->known_until)
        vg_json_time(w, "expiresAt", rq->known_until);
    else
        vg_json_null(w, "expiresAt");
}
