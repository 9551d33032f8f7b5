/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The representation that a tag of a condition means is GET's at the same path, or, for
 * an action, at the object's, with the query that the tag names. It is read by the worker
 * that then makes the change.
 */
#include "server/core/precondition.h"

#include "server/core/content.h"
#include "server/core/entity_tag.h"
#include "server/core/kind.h"
#include "server/core/operation.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>

#define MAX_TAGS 8 /* each is a read */

static void unref_request(struct vg_request **rq)
{
    vg_request_unref(*rq);
}

static int fail(struct vg_request *rq, unsigned int n_tags)
{
    if (n_tags)
        vg_error_set(&rq->error, VG_E_PRECONDITION_FAILED,
                     "It has changed since it was read (If-Match); read it again");
    else
        vg_error_set(&rq->error, VG_E_PRECONDITION_FAILED,
                     "If-Match holds no entity tag of this gateway; accepted are * and "
                     "the ETag of a GET, with its quotes");
    return -1;
}

/* The request that would give the tag; borrows the connection. NULL: out of memory. */
static struct vg_request *make_read(const struct vg_request *rq, const char *target,
                                    bool xml)
{
    struct vg_request *read =
        vg_request_inner(rq->read_route, target, strlen(vg_host_prefix(rq)));
    if (!read)
        return NULL;
    read->by = rq->by;
    vg_request_act_for(read, rq);
    vg_request_set_host(read, rq->host, rq->host_name);
    read->virt_conn = rq->virt_conn;
    read->accept = xml ? VG_ACCEPT_XML : VG_ACCEPT_NOTHING_SAID;
    read->requeued = true; /* it is read by a worker for changes */
    if (rq->read_route->gives == VG_GIVES_CONTENT)
        read->method = VG_HEAD; /* its tag is all that is wanted */
    if (rq->watched)
        vg_operation_set_watched(read, rq->watched);
    return read;
}

static struct vg_reply run_read(struct vg_request *read)
{
    bool fine = vg_request_parse_target(read, read->target) == 0 &&
                vg_request_common_args(read) == 0;
    return fine ? read->route->handler(read) : vg_fail(read);
}

/* What GET with the tag's query answers, now. -1: not known, the request's error is set.
 */
static int read_now(struct vg_request *rq, const struct vg_tag *tag,
                    struct vg_reply *ret_reply)
{
    vg_autofree char *target = NULL;
    if (asprintf(&target, "%.*s%.*s", (int)rq->path_length, rq->target,
                 (int)tag->query_length, tag->query) < 0)
        return vg_error_set_memory(&rq->error);
    VG_CLEANUP(unref_request)
    struct vg_request *read = make_read(rq, target, tag->xml);
    if (!read)
        return vg_error_set_memory(&rq->error);
    struct vg_reply reply = run_read(read);
    if (reply.status >= 500) { /* not known: not changed */
        vg_reply_clear(&reply);
        rq->error = read->error;
        read->error = (struct vg_error){0};
        return rq->error.status ? -1 : vg_error_set_memory(&rq->error);
    }
    vg_reply_prepare(&reply);
    *ret_reply = reply;
    return 0;
}

/* Whether what the tag is of is still as it was. 1: yes; 0: no; -1: not known, the
 * request's error is set. */
static int matches(struct vg_request *rq, const struct vg_tag *tag)
{
    struct vg_reply reply = {0};

    if (read_now(rq, tag, &reply) < 0)
        return -1;
    uint64_t hash = reply.feed ? reply.feed->hash : reply.body ? reply.body->hash : 0;
    bool same = reply.status == 200 && hash && hash == tag->hash;
    vg_reply_clear(&reply);
    return same;
}

/* The same of whether there is anything. */
static int exists(struct vg_request *rq, const struct vg_tag *tag)
{
    struct vg_reply reply = {0};

    if (read_now(rq, tag, &reply) < 0)
        return -1;
    bool there = reply.status != 404 && reply.status != 410;
    vg_reply_clear(&reply);
    return there;
}

/* If-Match: one of them is as it is. */
static int check_match(struct vg_request *rq)
{
    const char *list = rq->if_match;
    struct vg_tag tag;
    unsigned int n = 0;

    /* of what is not there, the change says what is wrong */
    if (!list || strcmp(list, "*") == 0)
        return 0;
    while (rq->read_route && n < MAX_TAGS && vg_tag_next(&list, &tag)) {
        n++;
        int found = matches(rq, &tag);
        if (found)
            return found < 0 ? -1 : 0;
    }
    return fail(rq, n);
}

static int fail_none_match(struct vg_request *rq)
{
    vg_error_set(&rq->error, VG_E_PRECONDITION_FAILED,
                 "It is there, or as it was, which If-None-Match asks it not to be");
    return -1;
}

/* A POST to a list makes one of its objects, an upload a volume: which, only its handler
 * knows, which asks vg_request_check_new(). */
static bool makes_object(const struct vg_request *rq)
{
    enum vg_kind kind = vg_kind_of(rq->route->pattern);

    return rq->route->method == VG_POST &&
           (rq->route->resumable ||
            (kind && strcmp(rq->route->pattern, vg_kind_info(kind)->path) == 0));
}

static bool is_any(const char *list)
{
    return list && strcmp(list, "*") == 0;
}

bool vg_request_wants_new(const struct vg_request *rq)
{
    return is_any(rq->if_none_match);
}

int vg_request_check_new(struct vg_request *rq, bool exists)
{
    return exists && vg_request_wants_new(rq) ? fail_none_match(rq) : 0;
}

/* If-None-Match: none of them is as it is; with * there is nothing. */
static int check_none_match(struct vg_request *rq)
{
    const struct vg_tag any = {.query = ""};
    const char *list = rq->if_none_match;
    struct vg_tag tag;
    int found = 0;

    if (!list || !rq->read_route || (is_any(list) && makes_object(rq)))
        return 0;
    if (is_any(list))
        found = exists(rq, &any);
    else
        for (unsigned int n = 0; n < MAX_TAGS && !found && vg_tag_next(&list, &tag); n++)
            found = matches(rq, &tag);
    return found > 0 ? fail_none_match(rq) : found;
}

int vg_precondition_check(struct vg_request *rq)
{
    return check_match(rq) < 0 ? -1 : check_none_match(rq);
}
