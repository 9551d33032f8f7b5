/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The route table's rows. Each file in routes/ ends with its own table; routes/routes.c
 * lists them. openapi.yaml and the tables are checked against each other in the tests.
 */
#pragma once

#include "virtgate/reply.h"
#include "virtgate/request.h"

enum vg_method {
    VG_NO_METHOD,
    VG_GET,
    VG_HEAD,
    VG_PUT,
    VG_PATCH,
    VG_POST,
    VG_DELETE,
    VG_OPTIONS,
};

/* A row's rights and manners, or-ed together. */
enum vg_route_flag {
    /* Who may call it: exactly one of these. A higher role may do what a lower one may.
     */
    VG_PUBLIC = 0x01,  /* anybody, without a token: liveness, the API description */
    VG_READ = 0x02,    /* viewer */
    VG_OPERATE = 0x04, /* operator: start, stop, ... of what is defined */
    VG_ADMIN =
        0x08, /* admin: whatever takes XML or a path (root on that host, in effect) */

    /* Where it runs: on a host's call connection unless one of these says otherwise. */
    VG_LOCAL = 0x10, /* on the network thread, no host: must not block */
    VG_LANE = 0x20,  /* on the host's queue for reads that cannot block */
    /* On the bare path it may be about any host: it works without a host 'default', too.
     */
    VG_ANY_HOST = 0x40,

    /* A literal of the pattern stands where another row has a {variable}, which no object
     * can be called: why, the row says. Without it the router refuses such a table. */
    VG_LITERAL = 0x80000,

    /* Waits for the guest's agent: on the host's queue for that. With both: unless
     * `flags` or `source` name another way; with the second alone: where they (or
     * `guest`) name it. */
    VG_ASKS_AGENT = 0x80,
    VG_MAY_ASK_AGENT = 0x40000000,

    VG_ARGS = 0x100, /* takes arguments: the handler calls vg_args(); others refuse any */
    VG_XML = 0x200,  /* takes an application/xml body beside JSON */
    VG_SHARED = 0x400, /* a read: equal ones that wait together share one call */
    /* also /hosts/-/...: asked of every host, answers joined; no host can be called "-"
     */
    VG_ALL = 0x800,
    VG_NO_HOST = 0x1000,      /* does not exist below /hosts/{host} */
    VG_GIVES_XML = 0x2000,    /* may answer application/xml: vg_wants_xml() */
    VG_ONLY_XML = 0x4000,     /* answers nothing else */
    VG_STREAMS = 0x8000,      /* answers text/event-stream, unless JSON is preferred */
    VG_GIVES_IMAGE = 0x10000, /* answers an image, never JSON: vg_wants_image() */
    VG_SECRET = 0x20000,      /* the body holds a secret: no answer quotes from it */
    VG_GIVES_BYTES = 0x40000, /* answers application/octet-stream: vg_ok_bytes() */

    /* Long work (operation.h): on the host's queue for it; answered 202 when it is not
     * done in time. */
    VG_LONG = 0x100000,
    /* About the operation {operation}: from memory, its host is asked only while it runs;
     * a read may wait for its end. */
    VG_WATCH = 0x200000,
    /* Asked of every host, or of ?host=; then the handler is called once more, without a
     * connection, to join what they answered: vg_part_at(). */
    VG_JOINS = 0x400000,
    VG_GIVES_METRICS = 0x800000, /* answers text/plain or OpenMetrics, nothing else */
    VG_UPGRADES = 0x1000000,     /* a WebSocket and nothing else: vg_upgrade() */
    /* An ordinary change whose call begins a job that the domain goes on with; that is an
     * operation, too (operation.h). */
    VG_JOB = 0x2000000,
    VG_GIVES_YAML = 0x4000000,   /* answers application/yaml, nothing else */
    VG_GIVES_PAGE = 0x8000000,   /* answers text/html, with a policy for browsers */
    VG_GIVES_FILES = 0x10000000, /* answers what a page loads: text of several types */
    VG_DOCUMENT = 0x20000000, /* its JSON body may hold a document (VG_XML: so it may) */
};

struct vg_route {
    enum vg_method method;
    const char *pattern; /* "/domains/{domain}/start" */
    const char *operation_id;
    unsigned int flags; /* enum vg_route_flag */
    struct vg_reply (*handler)(struct vg_request *rq);
};

/* Whether calls of this row change nothing, whatever right they need: their answers may
 * be shared, and a call whose connection broke is made again. */
static inline bool vg_route_is_read(const struct vg_route *route)
{
    return route->flags & (VG_PUBLIC | VG_READ) ||
           (route->method == VG_GET && !(route->flags & VG_UPGRADES));
}

/* All tables, each ended by a row without a pattern; the list ends with NULL. */
extern const struct vg_route *const vg_route_tables[];
