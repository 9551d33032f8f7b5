/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which requests are long work, or transfers, where not all of their row are: what makes
 * a guest with its disks, or waits for it, takes minutes; what only defines one does not
 * wait behind that. What is filled from a URL moves as many bytes as what a client sends.
 */
#include "server/core/request.h"

#include <string.h>

/* Arguments of POST /domains. */
static const char *const names[] = {"image", "from", "cloudInit", "waitForAddress"};

static bool is_named(const struct vg_request *rq, const char *name)
{
    for (unsigned int i = 0; i < rq->n_query; i++)
        if (strcmp(rq->query[i].key, name) == 0)
            return true;
    return json_object_get(rq->json, name) != NULL;
}

/* Asked again while it is at work: what was decided once stays. A body that is too long
 * to be parsed at once may name anything. */
bool vg_request_is_long(const struct vg_request *rq)
{
    if (rq->route->runs_on != VG_ON_LONG_IF_NAMED)
        return rq->route->runs_on == VG_ON_LONG;
    if (rq->operation)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (is_named(rq, names[i]))
            return true;
    return rq->body_kind == VG_BODY_JSON && rq->body_length && !rq->json;
}

static bool is_import(const struct vg_request *rq)
{
    return rq->route->takes == VG_TAKES_XML_OR_STREAM &&
           json_object_get(rq->json, "import");
}

bool vg_request_is_transfer(const struct vg_request *rq)
{
    return rq->stream || rq->route->runs_on == VG_ON_TRANSFER || is_import(rq);
}
