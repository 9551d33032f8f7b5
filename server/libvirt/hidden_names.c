/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/libvirt/hidden_names.h"

#include "server/core/scope.h"
#include "virtgate/autoptr.h"
#include "virtgate/host.h"

#include <ctype.h>
#include <libvirt/virterror.h>
#include <string.h>

static bool is_part(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("_-.+:@", c));
}

/* Whether the text has the name as a word: not as a part of another. */
static bool quotes(const char *text, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = text; n && at && (at = strstr(at, name)); at++)
        if ((at == text || !is_part(at[-1])) && !is_part(at[n]))
            return true;
    return false;
}

/* What the caller has sent is no news to it; and hiding that only where there is such a
 * guest would tell that there is one. */
static bool is_sent(const struct vg_request *rq, const char *name)
{
    if (strstr(rq->target, name) || (rq->body && strstr(rq->body, name)))
        return true;
    for (unsigned int i = 0; i < rq->n_segments; i++)
        if (strstr(rq->segments[i], name))
            return true;
    return false;
}

static bool hide(struct vg_request *rq, const char *name)
{
    const json_t *message = json_object_get(rq->error.virt, "message");

    if (vg_sees_domain(rq, name) || !quotes(json_string_value(message), name) ||
        is_sent(rq, name))
        return false;
    vg_error_replace(&rq->error, name, VG_SCOPE_INSTEAD);
    return true;
}

/* libvirt has one domain of each name, so one that is not there says nothing of others.
 */
static bool may_quote(const struct vg_request *rq, const struct vg_reply *reply)
{
    const struct vg_error *e = &rq->error;
    return e->virt && !e->transport && reply->status == e->status && e->status != 404;
}

struct vg_reply vg_hide_names(struct vg_request *rq, struct vg_reply reply)
{
    bool hidden = false;

    if (vg_sees_all_domains(rq) || !may_quote(rq, &reply) || !vg_conn(rq))
        return reply;
    vg_autolist(domain) list = {0};
    list.n = virConnectListAllDomains(vg_conn(rq), &list.v, 0);
    for (int i = 0; i < list.n; i++)
        hidden = hide(rq, virDomainGetName(list.v[i])) || hidden;
    virResetLastError();
    if (!hidden)
        return reply;
    vg_reply_clear(&reply);
    return vg_fail(rq);
}
