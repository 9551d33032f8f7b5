/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the http_*.c files share: one connection, one call (a request on the wire), and
 * the header fields that matter.
 */
#pragma once

#include "server/base/address.h"
#include "server/core/entity_tag.h"
#include "server/http/limit.h"
#include "server/http/mhd_compat.h"
#include "server/http/rate.h"
#include "server/http/server.h"
#include "server/core/request.h"
#include "server/config/config.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

/* An answer that can be sent again: what made it, and the id it was sent with. */
struct vg_http_sent {
    struct MHD_Response *response; /* NULL: none */
    const struct vg_body *body;    /* the response has a reference; NULL: 304 */
    const struct vg_route *route;
    char etag[VG_TAG_SIZE];
    char id[VG_REQUEST_ID_SIZE];
    enum vg_source source;
    bool has_revision;
    unsigned int age_seconds;
    uint64_t revision;
};

/* A TCP or unix connection, known to the watchdog until libmicrohttpd closes it. */
struct vg_http_conn {
    struct vg_http_conn *next, **link;
    int fd;
    bool local;                      /* unix socket */
    struct vg_address peer;          /* who is at the other end: the client, or a proxy */
    char peer_name[VG_ADDRESS_SIZE]; /* the same, for the log */
    bool checked, certified;         /* whether it showed a valid client certificate */
    char subject[VG_TOKEN_NAME_SIZE]; /* that one's, or who opened the unix socket */
    const struct vg_rights *rights;   /* that it gives; NULL: not asked yet */
    unsigned char subject_hash[VG_CALLER_SIZE];
    time_t certified_until;
    bool cut;
    bool ended; /* at the last look its client had ended a request that was being read */
    bool lingers; /* refused with bytes unread: see http/linger.h */
    struct vg_http_slot slot;
    struct vg_http_sent sent;
    char host[64];               /* the Host header last accepted */
    _Atomic int64_t deadline_ns; /* when it is cut; 0: while its request is at work */
    atomic_int reading;          /* http/conn.c's */
    void (*gone)(void *data); /* its client's end matters; as the next, http/conn.c's */
    void *gone_data;
};

/* Header fields, as the client sent them; NULL when absent. */
struct vg_http_headers {
    const char *host, *content_length, *content_type, *content_encoding,
        *transfer_encoding, *accept, *accept_encoding, *authorization, *origin,
        *request_id, *if_none_match, *if_match, *idempotency_key, *fetch_site,
        *traceparent, *cache_control, *last_event_id, *connection, *upgrade,
        *websocket_key, *websocket_version, *websocket_protocol, *forwarded,
        *forwarded_for, *content_range, *content_digest, *repr_digest, *range, *if_range,
        *tus_resumable, *upload_length, *upload_defer_length, *upload_offset,
        *upload_metadata, *upload_checksum, *method_override;
    unsigned int n_host, n_length, n_encoding;
    size_t n_fields, total; /* of all fields; total in bytes */
    const char *fault;      /* what is malformed */
    char *authority;        /* of an absolute target, instead of Host; owned */
    char *joined[8];        /* lists that came in several lines; owned */
    unsigned int n_joined;
    struct vg_prefer prefer;
};

/* See http/session.h, whose file alone touches the members. */
struct vg_http_session {
    struct vg_http_session *next, **link;
    bool begun;
    unsigned char caller[VG_CALLER_SIZE];
    const struct vg_rights *rights;
    enum vg_via via;
    time_t until, certified_until; /* 0: for ever */
    unsigned int generation;       /* of the tokens that it was held against */
    bool revoked;
    atomic_bool over;
    int64_t cut_ns;
    struct vg_http_conn *conn;
    void (*end)(void *data);
    void *data;
};

struct vg_http_call {
    struct vg_http_call *next, **link; /* while its header is read; http/mhd_compat.c's */
    struct vg_request *rq;
    struct MHD_Connection *connection;
    struct vg_http_conn *conn;
    bool begun, dispatched, suspended, close, gzip;
    bool old;       /* HTTP/1.0 */
    bool receiving; /* of a body that is read while it arrives: it is wanted */
    struct vg_http_headers headers;
    struct vg_mhd_target at;  /* in libmicrohttpd's buffer */
    const char *allow;        /* for 405 and OPTIONS; borrowed from the router */
    struct vg_address client; /* whose request it is, as trusted proxies say */
    char *origin;             /* allowed origin to name in the answer; owned */
    char *traceparent;        /* for the log; owned */
    uint64_t announced;       /* Content-Length; 0: none, or it comes in chunks */
    size_t body_size, body_limit;
    uint64_t payer; /* whose budget the body is of: http/limit.c's */
    int status;     /* of the answer */
    int refused;    /* what it would be, of a WebSocket that is refused by its close */
    struct MHD_Response *response;
    struct vg_subscription *subscription; /* of a poll that waits; owned */
    struct vg_http_session session;       /* of a poll, or a wait */
    bool wants_websocket, admitted;       /* admitted: it may subscribe */
    bool has_session;                     /* it has a share of them, as the following: */
    uint64_t session_payer;               /* http/rate.c's */
    struct vg_http_rate_limit past;       /* that it is past */
    struct vg_http_websocket *websocket;  /* answered, not handed over yet; owned */
    struct vg_http_sender *sender;        /* of an answer with a content; counted */
};

/* The status to be noted. */
static inline int vg_http_status(const struct vg_http_call *call)
{
    return call->refused ? call->refused : call->status;
}

/* Writes the request's id, VG_REQUEST_ID_SIZE: what the client gave (NULL: nothing) where
 * it is one, else a new one. */
void vg_http_request_id(char ret[static VG_REQUEST_ID_SIZE], const char *given);

/* Fills the header fields of a call; finds what libmicrohttpd lets through. */
void vg_http_read_headers(struct vg_http_call *call);

/* Frees what they own. */
void vg_http_release_headers(struct vg_http_headers *headers);

/* Checks that the fields agree on where the request ends. -1: the request's error is set,
 * the connection is to be closed. */
int vg_http_check_framing(struct vg_http_call *call);

/* Checks version, framing, host, origin, sizes. -1: the request's error is set. */
int vg_http_check(struct vg_http_call *call, const char *version,
                  const struct vg_config *config);

/* Whether the name in Host is one of the gateway's, and the page that makes the request
 * (Origin, Sec-Fetch-Site) may: names an allowed origin in call->origin. -1: the
 * request's error is set. */
int vg_http_check_sender(struct vg_http_call *call, const struct vg_config *config);

/* The origin as --cors-origin names it; NULL: it does not. Borrowed. */
const char *vg_http_find_origin(const char *origin, const struct vg_config *config);

/* Whether pages of the origin are the gateway's own, as far as the client reached it by
 * this Host (NULL: none was sent). */
bool vg_http_is_own_origin(const char *origin, const char *host);

/* Accept against the route, and Content-Type where a body's length is known. -1: the
 * request's error is set. */
int vg_http_negotiate(struct vg_http_call *call, const struct vg_config *config);

/* Content-Type and length of a body that is there. -1: the request's error is set. */
int vg_http_negotiate_body(struct vg_http_call *call, const struct vg_config *config);

/* Of a target in absolute form (RFC 9112, 3.2.2) makes the path, and its authority the
 * Host. -1: the request's error is set. */
int vg_http_take_authority(struct vg_http_call *call);

/* Makes the target what stands below --path-prefix, or notes that it is outside. */
void vg_http_take_prefix(struct vg_http_call *call);

/* Sets the request's error to what says how large a body may be; always -1. */
int vg_http_fail_size(struct vg_http_call *call);

/* Appends a piece of the body. -1: too large or out of memory, the request's error is
 * set. */
int vg_http_take_body(struct vg_http_call *call, const char *data, size_t n);

/* Whether the body is read even where the header is refused: it is a secret, and
 * libmicrohttpd would leave it in the connection's buffer, where nobody wipes it. */
bool vg_http_must_wipe(const struct vg_http_call *call);

/* Wipes a piece of a secret where libmicrohttpd holds it, done with. */
void vg_http_wipe(const struct vg_http_call *call, const char *data, size_t n);

/* Gives the share of the memory for bodies back. */
void vg_http_release_body(struct vg_http_call *call);

/* Whether a body is announced; one in chunks may be empty. */
bool vg_http_has_body(const struct vg_http_headers *headers);

/* Makes the call's response of a reply, which is taken. `allow` may be NULL. */
void vg_http_build_response(struct vg_http_call *call, struct vg_reply *reply,
                            const char *allow, bool closing);

/* Whether the gateway itself does the connection's TLS. */
bool vg_http_is_tls(struct MHD_Connection *connection);

/* Gives up the call's response: libmicrohttpd has its own reference, or it is not sent.
 */
void vg_http_release_response(struct vg_http_call *call);

/* Who may say on whose behalf it asks (--trusted-proxy). -1: out of memory. */
int vg_http_clients_start(const struct vg_config *config);
void vg_http_clients_stop(void);

/* Fills call->client by the connection's peer and the header. */
void vg_http_find_client(struct vg_http_call *call);

/* Tokens: reads the file (again). -1: said on the log, the old ones are kept. */
int vg_http_auth_load(const char *path);
void vg_http_auth_free(void);

/* The file has been changed, and its writer seems to be done: it is read again. Now and
 * then. */
void vg_http_auth_tick(const char *path);

/* Another number whenever there are other tokens. */
unsigned int vg_http_auth_generation(void);

/* Whether a token still gives those rights, and until when (0: for ever). */
bool vg_http_auth_holds(const unsigned char caller[VG_CALLER_SIZE],
                        const struct vg_rights *rights, time_t *ret_until);

/* Who is calling: the rights, and the name of the token, else of the certificate, into
 * the request's principal. The application takes a ticket. Never NULL. */
const struct vg_rights *vg_http_auth(struct vg_http_call *call,
                                     const struct vg_config *config,
                                     const struct vg_http_app *app);

/* Who calls, and what there is for that caller: a host that it may not see is not there,
 * whatever else is wrong. `routed` says whether route() found something. -1: the
 * request's error is set. */
int vg_http_admit_caller(struct vg_http_call *call, const struct vg_config *config,
                         const struct vg_http_app *app, bool routed);

/* ---- contents (http/content.c) ---------------------------------------------------- */

/* The body of an answer that is read while it is sent, with the fields that tell of it;
 * NULL: out of memory. Takes `feed`. */
struct MHD_Response *vg_http_content(struct vg_http_call *call, int status,
                                     struct vg_feed *feed);

/* The call is over, and about to be freed. */
void vg_http_content_gone(struct vg_http_call *call);

/* Lets those go on that wait for memory, and ends those that were cancelled. For the
 * watchdog. */
void vg_http_contents_tick(void);

/* Ends those that wait for memory, and there will be no more. */
void vg_http_contents_end(void);

/* ---- events (http/event.c) -----------------------------------------------------------
 */

/* The body of an endless answer; NULL: out of memory. Takes `subscription`. */
struct MHD_Response *vg_http_event_stream(struct vg_http_call *call,
                                          struct vg_subscription *subscription);

/* The answer of a poll that has something to say, or is due. False: not yet. */
bool vg_http_poll_ready(struct vg_http_call *call, struct vg_reply *ret);

/* Cuts the connection in `seconds` unless it goes on; 0: never. */
void vg_http_set_deadline(struct vg_http_conn *conn, int64_t seconds);

/* One access line. */
void vg_http_log_access(const struct vg_http_call *call);
