/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The route table's rows. Each file in routes/ ends with its own table; routes/routes.h
 * lists them. openapi.yaml and the tables are checked against each other in the tests.
 */
#pragma once

#include "virtgate/reply.h"
#include "virtgate/request.h"

#include <stdbool.h>

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

/* Where a handler runs. */
enum vg_runs_on {
    VG_ON_GENERAL, /* the host's general queue: a call of libvirt that may block */
    VG_ON_FAST,    /* the host's queue for reads that wait for no single domain */
    /* The host's queue for long work (operation.h): answered 202 when it is not done in
     * time. */
    VG_ON_LONG,
    /* The same where an argument names what takes long (server/core/long_work.c); else
     * the general queue. */
    VG_ON_LONG_IF_NAMED,
    /* The general queue, but the call begins a job that the domain goes on with: that is
     * an operation, too (operation.h). */
    VG_ON_JOB,
    /* About the operation {operation}: from memory, its host is asked only while it runs;
     * a read may wait for its end. */
    VG_ON_OPERATION,
    /* The host's queue for calls that wait for the guest's agent: always, unless `flags`
     * or `source` name another way, or only where they (or `guest`) name the agent; else
     * the general queue. */
    VG_ON_AGENT,
    VG_ON_AGENT_BY_DEFAULT,
    VG_ON_AGENT_IF_NAMED,
    /* The host's queue for bytes of volumes (transfer.h): an operation that waits for its
     * turn and takes as long as bytes move. */
    VG_ON_TRANSFER,
    /* On a connection to the admin socket of the host's daemon, whatever state the host
     * is in: vg_admin_conn(). */
    VG_ON_ADMIN,
    VG_ON_NETWORK_THREAD, /* at once, without a connection: it must not block */
};

/* What the answer is; errors are always problem+json. */
enum vg_gives {
    VG_GIVES_JSON,
    VG_GIVES_JSON_OR_XML, /* JSON, or XML where that is preferred: vg_wants_xml() */
    VG_GIVES_XML_OR_JSON, /* a document: XML, or JSON where that is preferred */
    VG_GIVES_IMAGE,       /* vg_wants_image() */
    VG_GIVES_BYTES,       /* application/octet-stream: vg_ok_bytes() */
    VG_GIVES_EVENTS,      /* text/event-stream, unless JSON is preferred */
    VG_GIVES_METRICS,     /* text/plain or OpenMetrics: vg_wants_openmetrics() */
    VG_GIVES_YAML,
    VG_GIVES_PAGE,      /* text/html, with a policy for browsers */
    VG_GIVES_FILES,     /* what a page loads: text of several types */
    VG_GIVES_WEBSOCKET, /* and nothing else: vg_upgrade() */
    VG_GIVES_CONTENT,   /* vg_ok_content(): bytes with ranges, or JSON about them */
};

/* What a call may bring; any other argument, and any other body, is refused. */
enum vg_takes {
    VG_TAKES_NOTHING,
    VG_TAKES_ARGS,     /* the handler calls vg_args() */
    VG_TAKES_DOCUMENT, /* arguments; the JSON body may hold a document */
    VG_TAKES_XML,      /* arguments and a document: JSON, or an application/xml body */
    VG_TAKES_BYTES,    /* application/octet-stream, secret: vg_bytes_body(); arguments */
    /* application/octet-stream, read while it arrives (body_stream.h), and arguments in
     * the query. No limit of bodies holds. */
    VG_TAKES_STREAM,
    VG_TAKES_XML_OR_STREAM, /* either, by its Content-Type */
    VG_TAKES_SECRET, /* arguments, of which the body's are secret: no answer quotes them
                      */
};

/* Which hosts a call is about. */
enum vg_hosts {
    VG_ONE_HOST,         /* "default" on the bare path, {host} below /hosts/{host} */
    VG_ONE_OR_ALL_HOSTS, /* also below /hosts/-: asked of every host, answers joined */
    VG_ANY_HOST,         /* on the bare path of any: it works without a host 'default' */
    VG_ANY_OR_ALL_HOSTS,
    VG_NO_HOST, /* none: it does not exist below /hosts/{host} */
    /* Likewise; asked of every host, or of ?host=, then the handler is called once more,
     * without a connection, to join what they answered: vg_part_at(). */
    VG_EVERY_HOST,
    /* Likewise with view=full; else answered at once, from memory. */
    VG_EVERY_HOST_IF_FULL,
};

struct vg_route {
    enum vg_method method;
    const char *pattern; /* "/domains/{domain}/start" */
    const char *operation_id;
    struct vg_reply (*handler)(struct vg_request *rq);

    /* The permissions that the caller needs, separated by blanks: what libvirt asks for
     * the functions that the handler calls ("domain:getattr domain:start"), and the
     * gateway's own (server/base/permission.c has all). Arguments add theirs with
     * vg_request_ask(). NULL: anybody may call it, without a token. */
    const char *needs;
    enum vg_runs_on runs_on;
    enum vg_gives gives;
    enum vg_takes takes;
    enum vg_hosts hosts;
    bool shared;          /* equal reads that wait together share one call */
    bool changes_nothing; /* though it is no GET */
    bool resumable;       /* speaks tus 1.0: vg_tus_fields(), and its fields in answers */
    /* A literal of the pattern stands where another row has a {variable}, which no object
     * can be called: why, the row says. Without it the router refuses such a table. */
    bool literal;
};

/* Whether calls of this row change nothing, whatever they need: their answers may be
 * shared, and a call whose connection broke is made again. */
static inline bool vg_route_is_read(const struct vg_route *route)
{
    return route->changes_nothing ||
           (route->method == VG_GET && route->gives != VG_GIVES_WEBSOCKET);
}

/* Whether it exists below /hosts/{host}. */
static inline bool vg_route_has_host(const struct vg_route *route)
{
    return route->hosts != VG_NO_HOST && route->hosts != VG_EVERY_HOST &&
           route->hosts != VG_EVERY_HOST_IF_FULL;
}

/* Whether its bare path is about no host in particular. */
static inline bool vg_route_needs_no_default(const struct vg_route *route)
{
    return route->hosts != VG_ONE_HOST && route->hosts != VG_ONE_OR_ALL_HOSTS;
}

/* Whether it exists below /hosts/-, too. */
static inline bool vg_route_has_all_hosts(const struct vg_route *route)
{
    return route->hosts == VG_ONE_OR_ALL_HOSTS || route->hosts == VG_ANY_OR_ALL_HOSTS;
}

/* Whether a call of it becomes an operation. */
static inline bool vg_route_begins_operation(const struct vg_route *route)
{
    return route->runs_on == VG_ON_LONG || route->runs_on == VG_ON_LONG_IF_NAMED ||
           route->runs_on == VG_ON_JOB || route->runs_on == VG_ON_TRANSFER;
}

/* Whether the body may be a document of libvirt's as XML. */
static inline bool vg_route_takes_xml(const struct vg_route *route)
{
    return route->takes == VG_TAKES_XML || route->takes == VG_TAKES_XML_OR_STREAM;
}

static inline bool vg_route_gives_xml(const struct vg_route *route)
{
    return route->gives == VG_GIVES_JSON_OR_XML || route->gives == VG_GIVES_XML_OR_JSON;
}

/* Whether the body of a request is secret: its memory is wiped, no message quotes it. */
static inline bool vg_route_takes_secret(const struct vg_route *route)
{
    return route->takes == VG_TAKES_SECRET || route->takes == VG_TAKES_BYTES;
}

/* Whether it is a session: a stream or a WebSocket. */
static inline bool vg_route_gives_session(const struct vg_route *route)
{
    return route->gives == VG_GIVES_EVENTS || route->gives == VG_GIVES_WEBSOCKET;
}

/* All tables, each ended by a row without a pattern; the list ends with NULL. */
extern const struct vg_route *const vg_route_tables[];
