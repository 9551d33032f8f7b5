/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of a request, for server/ only. It is made by the HTTP side (or by app.c for
 * one host of several), queued, run by a worker, and answered exactly once: by the
 * worker, or by the deadline. Both may hold it, so it is counted.
 */
#pragma once

#include "server/base/clock.h"
#include "server/base/permission.h"
#include "server/base/rights.h"
#include "server/config/token_file.h"
#include "server/core/prefer.h"
#include "virtgate/kind.h"
#include "virtgate/reply.h"
#include "virtgate/request.h"
#include "virtgate/route.h"

#include <stdatomic.h>

#define VG_MAX_SEGMENTS    12
#define VG_CALLER_SIZE     VG_TOKEN_HASH_SIZE
#define VG_REQUEST_ID_SIZE 129 /* with its NUL */

enum vg_accept {
    VG_ACCEPT_NOTHING_SAID, /* no header, or the wildcard */
    VG_ACCEPT_JSON,
    VG_ACCEPT_XML,
    VG_ACCEPT_STREAM,
    VG_ACCEPT_PNG,
    VG_ACCEPT_PPM,
    VG_ACCEPT_OPENMETRICS,
    VG_ACCEPT_OTHER, /* nothing that the route gives */
};

/* What says who calls. */
enum vg_via {
    VG_VIA_NONE, /* nothing: nobody is asked */
    VG_VIA_TOKEN,
    VG_VIA_CERTIFICATE,
    VG_VIA_SOCKET, /* the peer of a unix socket */
    VG_VIA_HEADER, /* a proxy there, by --trust-header */
};

/* Who calls, as a ticket remembers it. */
struct vg_caller {
    unsigned char hash[VG_CALLER_SIZE]; /* vg_request.caller */
    enum vg_via via;
    enum vg_role role;                  /* as the next, of VG_VIA_HEADER: nothing else */
    char principal[VG_TOKEN_NAME_SIZE]; /* knows it when the ticket is shown */
};

enum vg_body_kind {
    VG_BODY_NONE,
    VG_BODY_JSON,
    VG_BODY_XML,
    VG_BODY_BYTES,
    VG_BODY_STREAM, /* is not in memory: vg_request.stream */
};

struct vg_pair {
    const char *key, *value; /* decoded, borrowed from the request's buffers */
};

/* When a host was asked; see core/answer_cache.h. */
struct vg_reading {
    enum vg_kind kind;   /* of whose objects */
    uint64_t generation; /* 0: not to be kept */
    int64_t at_ns;
    int64_t valid_until_ns; /* 0: as long as the generation */
};

struct vg_host;
struct vg_fan_out;
struct vg_virt_conn;
struct vg_operation;
struct vg_body_stream;

struct vg_request {
    atomic_uint refs;
    atomic_bool answered;

    /* What was asked. */
    enum vg_method method;
    const char *method_name;
    char *target; /* as received: path and query, encoded; owned */
    char *text;   /* room for the decoded segments and query; part of target */
    const char *segments[VG_MAX_SEGMENTS];
    unsigned int n_segments;
    unsigned int first_segment; /* past "/hosts/NAME" */
    size_t path_length;         /* of target, without the query */
    bool outside;          /* not below --path-prefix, which target is without else */
    struct vg_pair *query; /* owned */
    unsigned int n_query;
    enum vg_accept accept;
    enum vg_body_kind body_kind;
    char *body; /* NUL-terminated; owned */
    size_t body_length;
    size_t sent;                   /* the longest document that goes to libvirt */
    struct vg_body_stream *stream; /* of VG_BODY_STREAM; owned */
    json_t *json;                  /* the parsed body; owned */
    json_t *rest;                /* of VG_REST: the members that no field names; owned */
    char id[VG_REQUEST_ID_SIZE]; /* X-Request-Id */
    char principal[VG_TOKEN_NAME_SIZE]; /* the name of the token or the client certificate
                                         */
    enum vg_via via;                    /* what says who calls */
    time_t known_until;                 /* when that expires; 0: never */
    const char
        *no_role; /* why what the connection shows gives none; NULL: it shows nothing */
    bool lacks_certificate;         /* it is asked for, and none that is good was shown */
    char *idempotency_key;          /* owned */
    char *if_match, *if_none_match; /* of changes; owned */
    char *range, *if_range;         /* of reads; owned */
    struct vg_tus_fields *tus;      /* of a row that is resumable; owned */
    struct vg_prefer prefer;
    /* Whose it is, whatever the principal's name: the SHA-256 of the token, or of the
     * certificate's subject; zeros: nobody's in particular. */
    unsigned char caller[VG_CALLER_SIZE];
    /* The origin of the page that sends it: "" the gateway's own, else one that it knows,
     * which lives as long as the program; NULL: no page is known to. */
    const char *page;
    bool bad_ticket; /* it shows a ticket that is good for nothing here */

    /* What it turned out to be. */
    const struct vg_route *route;
    const struct vg_route *read_route; /* whose entity tag the conditions mean */
    struct vg_host *host;              /* NULL: none, or all of them */
    const char *host_name; /* that one's, which lives as long as the program */
    char *prefix;          /* "/hosts/NAME", encoded; owned, NULL on bare paths */
    const struct vg_rights *rights; /* the caller's; never NULL */
    struct vg_permissions needs;    /* those of its row, and of its arguments */
    bool number_strings;
    bool fresh;       /* Cache-Control: no-cache */
    char *last_event; /* Last-Event-ID; owned */
    enum vg_lookup by;

    struct vg_operation *operation; /* that it began (VG_ON_LONG, VG_ON_JOB); counted */
    struct vg_operation *watched;   /* that it is about (VG_ON_OPERATION); counted */

    /* Hooks, set by a module that requests know nothing of; NULL: none. */
    /* Its work has an answer (set by operations). True: the operation answers the client,
     * not this answer. */
    bool (*on_end)(struct vg_request *rq, const struct vg_reply *reply);
    /* Its client is about to be answered; called once (set by idempotency). */
    void (*on_answer)(struct vg_request *rq, const struct vg_reply *reply);
    /* It is about to be freed (set by operations). */
    void (*on_free)(struct vg_request *rq);

    /* While it runs. */
    struct vg_virt_conn *virt_conn; /* the worker's connection */
    /* what the hosts answered, to join them; see VG_EVERY_HOST */
    const struct vg_fan_out *fan_out;
    struct vg_reading reading; /* when it began, to a host's answer cache; of reads */
    json_t *guests;        /* and their devices, once read (libvirt/used_by.c); owned */
    json_t *last_events;   /* of its kind, once looked for (object_last_event.c); owned */
    bool uses_memory;      /* it uses what its connection remembers, */
    bool contradicted;     /* which libvirt contradicts */
    int64_t call_until_ns; /* its worker has this long, for all who joined it */
    bool abandoned;        /* its client has gone; guarded by the operations' lock */
    bool again;            /* its connection broke, or memory was wrong: second try */
    uint64_t object;       /* that it was queued for; 0: none */
    bool requeued;         /* moved to another queue: see vg_requeue() */
    bool parked;           /* it waits by vg_not_yet(), or has */
    bool awaits_host;      /* of a local row: for the host's first connection */
    atomic_bool audited;   /* its change began, and has not ended: core/audit.c's */
    atomic_bool begun;     /* a worker took it: its change may have been made */
    struct vg_error error;
    int64_t start_ns, deadline_ns; /* CLOCK_MONOTONIC */

    /* Called once with the answer, which it owns; any thread. */
    void (*done)(struct vg_request *rq, struct vg_reply reply);
    void *done_data;
};

/* Sets what vg_path_prefix() gives; borrowed, NULL: nothing. No thread may run yet. */
void vg_path_prefix_start(const char *prefix);

/* What of a target stands below --path-prefix: it begins with a slash, or is the rest of
 * the root's. NULL: the target is outside. Borrowed from it. */
const char *vg_path_below_prefix(const char *target);

/* One reference; NULL when out of memory. */
struct vg_request *vg_request_new(void);
struct vg_request *vg_request_ref(struct vg_request *rq);
void vg_request_unref(struct vg_request *rq);

/* A GET of the gateway's own, on that route; its target is copied and yet to be parsed,
 * the first `prefix` bytes of it are "/hosts/NAME" (0: there is none). One reference;
 * NULL when out of memory. */
struct vg_request *vg_request_inner(const struct vg_route *route, const char *target,
                                    size_t prefix);

/* Makes an inner request that of the other's caller: its name, rights and id. */
void vg_request_act_for(struct vg_request *inner, const struct vg_request *rq);

/* Sends the request to that host (NULL: none), of that name. */
void vg_request_set_host(struct vg_request *rq, struct vg_host *host, const char *name);

/* Copies the target. -1: out of memory, the request's error is set. */
int vg_request_set_target(struct vg_request *rq, const char *target);

/* Splits and decodes the target, which is copied unless it is rq->target already. -1: the
 * request's error is set. */
int vg_request_parse_target(struct vg_request *rq, const char *target);

/* Refuses a query that is no text: what it says may end in JSON. -1: the request's error
 * is set. */
int vg_request_check_query(struct vg_request *rq);

/* The path as the client sent it, without the query. Owned by the caller; NULL: out of
 * memory. */
char *vg_request_path(const struct vg_request *rq);

/* Parses and checks the body that was received, as its kind says, unless it has been. -1:
 * error is set. */
int vg_request_parse_body(struct vg_request *rq);

/* Refuses arguments on a route that takes none. -1: error is set. */
int vg_request_refuse_args(struct vg_request *rq);

/* Finds the keys that every route takes: numbers, by. -1: error is set. */
int vg_request_common_args(struct vg_request *rq);

/* The domain that the path names, as it is written there; NULL: none. Borrowed. */
const char *vg_request_domain(const struct vg_request *rq);

/* Stands for the object that the path names, of whatever kind: "/networks/n/ports" and
 * "/networks/n" have the same key, and what is below an object has the object's. 0: none.
 */
uint64_t vg_request_object_key(const struct vg_request *rq);
/* The bit that keys of whole lists have ("/storage-pools", not of domains): of those one
 * call is in flight at a time, so that a list and the object that it waits for leave
 * threads to the others. */
#define VG_KEY_OF_LIST 1

/* Whether every host is asked, and the row's handler joins what they say: by its row, or
 * by its arguments. */
bool vg_request_asks_every(const struct vg_request *rq);

/* Whether it waits for the guest's agent: by its row, or by its arguments. */
bool vg_request_asks_agent(const struct vg_request *rq);

/* Whether its client may wait long for the answer: for an operation's end, or because of
 * ?wait=. */
bool vg_request_waits(const struct vg_request *rq);

/* Whether it moves a volume's bytes: by its row, or by its body. */
bool vg_request_is_transfer(const struct vg_request *rq);

/* Whether it is long work: by its row, or by its arguments. */
bool vg_request_is_long(const struct vg_request *rq);

/* Whether others who send the same target may have its answer: a body and If-Match are
 * arguments that the target does not show. */
bool vg_request_is_shared(const struct vg_request *rq);

/* Percent-encodes one path segment or query value. Owned by the caller. */
char *vg_percent_encode(const char *s);

/* ---- replies ----------------------------------------------------------------------- */

struct vg_body {
    atomic_uint refs;
    char *owned;      /* freed with the body; NULL for static bytes */
    bool secret;      /* wiped before that; neither tagged nor compressed */
    const char *data; /* NULL: there is only `gzipped`; see vg_body_plain() */
    size_t length;
    const char *type;            /* of kept ones */
    size_t passing, passing_end; /* a part that changes all the time */
    uint64_t depends;            /* what the tag depends on besides; 0: nothing */
    uint64_t hash;               /* without that part; 0: not computed yet */
    uint64_t passing_hash;       /* of that part; 0: none */
    _Atomic(struct vg_gzipped *) gzipped; /* made by who needs it first; owned */
    _Atomic(char *) unpacked;             /* the same, where there is no `data` */
    struct vg_body *next_waiting;         /* http/limit.c's, as the following */
    size_t n_waiting, waiting_bytes;
};

/* Bytes compressed by gzip: `own`, or static ones. */
struct vg_gzipped {
    size_t length;
    const char *data;
    char own[];
};

/* An answer made of an error that is not the request's own: of a call that it shared, or
 * of the deadline while a worker still holds the request. */
struct vg_reply vg_reply_problem(const struct vg_request *rq,
                                 const struct vg_error *error);
struct vg_reply vg_reply_error(const struct vg_request *rq, enum vg_error_id id,
                               const char *detail);
struct vg_reply vg_reply_memory(const struct vg_request *rq);

/* Whether it is long enough to be compressed where that is asked for. */
bool vg_body_compresses(const struct vg_body *body);
/* The body compressed; borrowed. NULL: that does not pay. Any thread. */
const struct vg_gzipped *vg_body_gzipped(struct vg_body *body);
/* The body as it is; borrowed. NULL: out of memory. Any thread. */
const char *vg_body_plain(struct vg_body *body);

/* Header fields that a reply has beside those of every reply. */
#define VG_REPLY_FIELDS 6
struct vg_reply_fields {
    unsigned int n;
    struct {
        const char *name; /* static */
        char *value;      /* owned */
    } v[VG_REPLY_FIELDS];
};

struct vg_body *vg_body_ref(struct vg_body *body);
void vg_body_unref(struct vg_body *body);
void vg_reply_clear(struct vg_reply *reply);
/* A copy that shares the body. */
struct vg_reply vg_reply_share(const struct vg_reply *reply);
/* Hashes, before the reply is shared. */
void vg_reply_prepare(struct vg_reply *reply);
