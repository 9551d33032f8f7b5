/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls: libmicrohttpd asks for each request several times (header, pieces of the body,
 * end, after a resume); here that becomes begin, take the body, dispatch, answer. Nothing
 * in this file blocks: what needs a host is suspended and answered by a worker.
 */
#include "server/http/server.h"

#include "server/core/access.h"
#include "server/core/answer.h"
#include "server/core/event_reply.h"
#include "server/http/certificate.h"
#include "server/http/conn.h"
#include "server/http/door.h"
#include "server/http/internal.h"
#include "server/http/linger.h"
#include "server/http/listen.h"
#include "server/http/mhd_compat.h"
#include "server/http/past.h"
#include "server/http/peer.h"
#include "server/http/session.h"
#include "server/http/tus.h"
#include "server/http/upload.h"
#include "server/http/websocket.h"
#include "server/core/operation.h"
#include "server/core/router.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"
#include "virtgate/metrics.h"

#include <string.h>

#define MAX_TARGET 4096

static const struct vg_config *config;
static const struct vg_http_app *app;
static atomic_uint active;
static atomic_bool draining;

void vg_http_shut(void)
{
    vg_http_close_door();
    vg_http_contents_end();
}

/* ---- answering --------------------------------------------------------------------- */

/* The request's done(): on a network thread for what was answered at once, else on a
 * worker or the watchdog, while the connection is suspended. */
static void finish_call(struct vg_request *rq, struct vg_reply reply)
{
    struct vg_http_call *call = rq->done_data;

    if (rq->stream) { /* the call may be gone */
        vg_http_upload_answer(rq, &reply, atomic_load(&draining));
        vg_http_leave();
        return;
    }
    struct MHD_Connection *connection = call->connection;
    bool suspended = call->suspended;
    if (reply.subscription) /* answered later, on the network thread */
        call->subscription = vg_take(&reply.subscription);
    else
        vg_http_build_response(call, &reply, reply.allow, atomic_load(&draining));
    if (suspended) {
        MHD_resume_connection(connection); /* the network thread's from here on */
        vg_http_leave();
    }
}

static enum MHD_Result send_response(struct vg_http_call *call)
{
    if (!call->response)
        return MHD_NO; /* out of memory: the connection is closed */
    vg_http_set_deadline(call->conn, config->body_timeout);
    enum MHD_Result rc =
        MHD_queue_response(call->connection, (unsigned int)call->status, call->response);
    vg_http_release_response(call);
    return rc;
}

static enum MHD_Result answer_now(struct vg_http_call *call, struct vg_reply reply)
{
    atomic_store(&call->rq->answered, true);
    vg_http_build_response(call, &reply, reply.allow, atomic_load(&draining));
    return send_response(call);
}

static enum MHD_Result refuse(struct vg_http_call *call, const char *allow)
{
    struct vg_reply reply = vg_fail(call->rq);
    reply.allow = allow;
    return answer_now(call, reply);
}

/* ---- subscribers ----------------------------------------------------------------
 */

static void wake_poll(void *data)
{
    struct vg_http_call *call = data;
    MHD_resume_connection(call->connection);
    vg_http_leave();
}

static void end_poll(void *data)
{
    struct vg_http_call *call = data;
    vg_subscriber_end(call->subscription->subscriber);
}

/* A poll: until there is something to say the connection is suspended. */
static enum MHD_Result poll_events(struct vg_http_call *call)
{
    struct vg_reply reply;

    if (vg_http_poll_ready(call, &reply))
        return answer_now(call, reply);
    if (!call->session.begun)
        vg_http_session_begin(&call->session, call, end_poll, call);
    vg_http_enter_again();
    vg_http_conn_waits(call->conn, end_poll, call);
    MHD_suspend_connection(call->connection);
    vg_subscriber_on_wake(call->subscription->subscriber, wake_poll, call);
    if (!vg_subscriber_sleep(call->subscription->subscriber, call->subscription->due_ns))
        wake_poll(call);
    return MHD_YES;
}

/* Subscribers leave a fifth of the connections to everybody else. */
static bool too_many_subscribers(void)
{
    struct vg_event_counts counts;
    vg_event_count(&counts);
    return counts.subscribers > (unsigned int)config->max_connections / 5 * 4;
}

static enum MHD_Result subscribe(struct vg_http_call *call)
{
    if (!call->admitted && too_many_subscribers()) {
        vg_subscription_free(vg_take(&call->subscription));
        vg_error_set(
            &call->rq->error, VG_E_OVERLOADED,
            "Four fifths of max-connections are subscribers already; try again later");
        return refuse(call, NULL);
    }
    call->admitted = true;
    if (call->subscription->poll)
        return poll_events(call);
    struct vg_reply reply = {.status = call->wants_websocket ? 101 : 200,
                             .type = call->wants_websocket ? NULL : "text/event-stream",
                             .has_revision = true,
                             .revision = call->subscription->after};
    reply.subscription = vg_take(&call->subscription);
    return answer_now(call, reply);
}

/* The wait for an operation's end, or of ?wait=. */
static void end_wait(void *data)
{
    struct vg_http_call *call = data;
    vg_operation_give_up(call->rq);
    vg_request_answer(call->rq,
                      vg_reply_error(call->rq, VG_E_UNAUTHORIZED, VG_SESSION_OVER));
}

static void give_up(void *rq)
{
    vg_operation_give_up(rq);
}

static enum MHD_Result dispatch(struct vg_http_call *call)
{
    struct vg_request *rq = call->rq;

    call->dispatched = true;
    if (app->answers_here(rq)) {
        app->dispatch(vg_request_ref(rq));
        return call->subscription ? subscribe(call) : send_response(call);
    }
    struct vg_reply known;
    if (app->remember(rq, &known))
        return answer_now(call, known);
    vg_http_enter_again();
    call->suspended = true;
    if (vg_request_waits(rq)) {
        vg_http_conn_waits(call->conn, give_up, rq);
        if (rq->route->method == VG_GET)
            vg_http_session_begin(&call->session, call, end_wait, call);
    }
    MHD_suspend_connection(call->connection);
    app->dispatch(vg_request_ref(rq));
    return MHD_YES;
}

/* A request whose body is read while it arrives. */
static enum MHD_Result dispatch_upload(struct vg_http_call *call)
{
    if (!vg_http_conn_claim(call->conn))
        return MHD_NO;
    if (vg_http_upload_begin(call) < 0)
        return refuse(call, NULL);
    call->dispatched = true;
    vg_http_enter_again();
    app->dispatch(vg_request_ref(call->rq));
    return MHD_YES;
}

/* OPTIONS is answered for every path, also as a browser's preflight. */
static enum MHD_Result answer_options(struct vg_http_call *call)
{
    const char *allow = NULL;
    struct vg_request *rq = call->rq;

    if (strcmp(rq->target, "*") == 0)
        return answer_now(call, (struct vg_reply){.status = 204, .allow = "OPTIONS"});
    (void)app->route(rq, &allow);
    if (!allow)
        return refuse(call, NULL);
    return answer_now(call, (struct vg_reply){.status = 204, .allow = allow});
}

/* ---- a call, step by step ---------------------------------------------------------- */

/* What the client makes the change depend on must not get lost. */
static char *copy_condition(struct vg_request *rq, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        vg_error_set_memory(&rq->error);
    return copy;
}

static int identify(struct vg_http_call *call, const char *method, const char *version)
{
    struct vg_request *rq = call->rq;

    vg_http_read_headers(call);
    vg_http_find_client(call);
    rq->method = vg_method_parse(method);
    rq->method_name = rq->method ? vg_method_name(rq->method) : "?";
    rq->prefer = call->headers.prefer;
    vg_http_request_id(rq->id, call->headers.request_id);
    if (call->headers.if_match)
        rq->if_match = copy_condition(rq, call->headers.if_match);
    bool read = rq->method == VG_GET || rq->method == VG_HEAD;
    if (call->headers.if_none_match && !read)
        rq->if_none_match = copy_condition(rq, call->headers.if_none_match);
    if (call->headers.idempotency_key && rq->method == VG_POST)
        rq->idempotency_key = copy_condition(rq, call->headers.idempotency_key);
    if (call->headers.range && rq->method == VG_GET) /* RFC 9110, 14.2 */
        rq->range = copy_condition(rq, call->headers.range);
    if (call->headers.if_range && rq->method == VG_GET)
        rq->if_range = copy_condition(rq, call->headers.if_range);
    if (call->headers.last_event_id)
        rq->last_event = copy_condition(rq, call->headers.last_event_id);
    if (call->headers.traceparent)
        call->traceparent = strdup(call->headers.traceparent);
    if (rq->error.status || vg_http_take_authority(call) < 0)
        return -1;
    vg_http_take_prefix(call);
    return vg_http_check(call, version, config);
}

static int check_target(struct vg_request *rq)
{
    size_t n = strlen(rq->target);

    if (n > MAX_TARGET) {
        rq->target[MAX_TARGET] = '\0'; /* for the log */
        vg_error_set(&rq->error, VG_E_URI_TOO_LONG,
                     "At most %d bytes of target are accepted", MAX_TARGET);
        return -1;
    }
    return 0;
}

static int check_prefix(struct vg_request *rq)
{
    if (!rq->outside)
        return 0;
    vg_error_set(&rq->error, VG_E_NOT_FOUND, "All there is here is below %s",
                 vg_path_prefix());
    return -1;
}

/* What libmicrohttpd let through, and what others on the way would read otherwise (RFC
 * 9112, 3). */
static int check_whole(struct vg_http_call *call, const char *method, const char *version)
{
    const char *fault = vg_mhd_find_fault(call->connection, method, &call->at, version);

    if (!fault && strpbrk(call->rq->target, " \t"))
        fault = "The request target holds a blank; %20 stands for one";
    if (!fault)
        return 0;
    call->close = true;
    vg_error_set(&call->rq->error, VG_E_BAD_REQUEST, "%s", fault);
    return -1;
}

/* Everything that the header decides. -1: the request's error is set. */
static int judge_header(struct vg_http_call *call, const char *method,
                        const char *version)
{
    struct vg_request *rq = call->rq;

    rq->path_length = strcspn(rq->target, "?");
    call->close = call->conn->slot.spare;
    if (identify(call, method, version) < 0 || check_whole(call, method, version) < 0 ||
        check_target(rq) < 0)
        return -1;
    if (rq->method == VG_OPTIONS && strcmp(rq->target, "*") == 0)
        return 0;
    if (check_prefix(rq) < 0 || vg_request_parse_target(rq, rq->target) < 0)
        return -1;
    if (rq->method == VG_OPTIONS)
        return 0;
    vg_http_tus_override(call);
    bool routed = app->route(rq, &call->allow) == 0;
    if ((routed && vg_http_limit_admit(call) < 0) ||
        vg_http_admit_caller(call, config, app, routed) < 0)
        return -1;
    vg_http_limit_know(call);
    if (vg_http_rate_admit(call) < 0)
        return -1;
    return vg_http_tus_check(call) < 0 ? -1 : vg_http_negotiate(call, config);
}

/* An answer in the first of libmicrohttpd's calls closes the connection: right where a
 * body is not wanted or the framing is doubtful, wasteful everywhere else. */
static enum MHD_Result begin_call(struct vg_http_call *call, const char *method,
                                  const char *version)
{
    call->begun = true;
    vg_mhd_has_read(call);
    int rc = judge_header(call, method, version);
    bool body = vg_http_has_body(&call->headers);

    if (rc < 0 && (body || call->close) && !vg_http_must_wipe(call)) {
        call->conn->lingers = true;
        return vg_http_conn_claim(call->conn) ? refuse(call, call->allow) : MHD_NO;
    }
    if (rc == 0 && call->rq->body_kind == VG_BODY_STREAM)
        return dispatch_upload(call);
    if (body)
        vg_http_set_deadline(call->conn, config->body_timeout);
    return MHD_YES;
}

/* Of a chunked body, what libmicrohttpd let through. */
static int check_chunk(struct vg_http_call *call, const char *fault)
{
    if (!call->headers.transfer_encoding || !fault)
        return 0;
    call->close = true;
    vg_error_set(&call->rq->error, VG_E_BAD_REQUEST, "%s", fault);
    return -1;
}

static enum MHD_Result complete_call(struct vg_http_call *call)
{
    if (call->subscription)
        return subscribe(call);
    if (!vg_http_conn_claim(call->conn))
        return MHD_NO;
    if (!call->rq->error.status)
        (void)check_chunk(call, vg_mhd_find_trailer_fault(call->connection));
    if (call->rq->error.status)
        return refuse(call, call->allow);
    if (call->rq->method == VG_OPTIONS)
        return answer_options(call);
    return call->dispatched ? MHD_NO : dispatch(call);
}

/* Past vg_http_shut(): what is wrong with it, or that nobody can carry it out. */
static enum MHD_Result turn_away(struct vg_http_call *call)
{
    vg_subscription_free(vg_take(&call->subscription));
    if (!call->rq->error.status)
        vg_error_set(&call->rq->error, VG_E_DRAINING,
                     "The gateway is stopping; ask its successor");
    return vg_http_conn_claim(call->conn) ? refuse(call, call->allow) : MHD_NO;
}

/* Runs one step of a call. */
static enum MHD_Result admit(struct vg_http_call *call, const char *method,
                             const char *version)
{
    if (!vg_http_enter())
        return call->begun ? turn_away(call) : begin_call(call, method, version);
    enum MHD_Result rc =
        call->begun ? complete_call(call) : begin_call(call, method, version);
    vg_http_leave();
    return rc;
}

static enum MHD_Result take_body(struct vg_http_call *call, const char *data,
                                 size_t *size)
{
    size_t n = *size;
    *size = 0;
    if (!call->rq->error.status &&
        check_chunk(call, vg_mhd_find_chunk_fault(data)) == 0) { /* else it is not kept */
        bool begins = call->headers.transfer_encoding && !call->rq->body_length;
        if (!begins || vg_http_negotiate_body(call, config) == 0)
            (void)vg_http_take_body(call, data, n);
    }
    vg_http_wipe(call, data, n);
    return MHD_YES;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    struct vg_http_call *call = *state;
    (void)data;
    (void)connection;
    (void)url;

    if (call && call->rq->stream)
        return vg_http_upload_step(call, upload, upload_size);
    if (!call || (call->begun && call->status && !call->response))
        return MHD_NO; /* out of memory, or answered by on_library_log() */
    if (!call->begun)
        return call->conn ? admit(call, method, version) : MHD_NO;
    if (call->response)
        return send_response(call);
    if (*upload_size)
        return take_body(call, upload, upload_size);
    return admit(call, method, version);
}

/* libmicrohttpd is about to refuse a request whose header is whole. Its own answer is no
 * problem+json, and 0.9.75 sends it twice, so ours goes first and nothing after it. */
static void on_library_log(void)
{
    struct vg_http_call *call = vg_mhd_call_in_doubt();

    if (!call || !call->conn)
        return;
    vg_http_read_headers(call);
    if (vg_http_check_framing(call) == 0) {
        vg_http_release_headers(&call->headers); /* said of something else */
        call->headers = (struct vg_http_headers){0};
        return;
    }
    vg_mhd_has_read(call);
    call->begun = call->close = call->conn->lingers = true;
    vg_http_request_id(call->rq->id, NULL);
    call->rq->method_name = "?";
    vg_http_find_client(call);
    if (!vg_http_conn_claim(call->conn))
        return;
    struct vg_reply reply = vg_fail(call->rq);
    vg_http_answer_past(call, &reply);
}

/* ---- begin and end of a request on the wire ---------------------------------------- */

/* The whole target as received; libmicrohttpd itself takes it apart, and too early. */
static void *on_target(void *data, const char *target, struct MHD_Connection *connection)
{
    struct vg_http_call *call = malloc(sizeof(*call));
    (void)data;

    if (!call)
        return NULL;
    *call = (struct vg_http_call){
        .rq = vg_request_new(),
        .connection = connection,
        .conn = vg_http_conn_of(connection),
    };
    if (!call->rq || vg_request_set_target(call->rq, target) < 0) {
        vg_request_unref(call->rq);
        free(call);
        return NULL;
    }
    call->rq->start_ns = vg_now_ns();
    call->rq->done = finish_call;
    call->rq->done_data = call;
    if (call->conn)
        vg_http_conn_reads(call->conn,
                           vg_http_limit_patience(call->conn, config->header_timeout));
    call->at = vg_mhd_take_target(target);
    vg_mhd_reads(call);
    atomic_fetch_add(&active, 1);
    return call;
}

static void on_completed(void *data, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct vg_http_call *call = *state;
    (void)data;
    (void)connection;
    (void)code;

    if (!call)
        return;
    *state = NULL;
    vg_mhd_has_read(call);
    vg_http_upload_end(call);
    vg_http_session_end(&call->session);
    vg_http_rate_leave(call);
    if (call->conn)
        vg_http_conn_waited(call->conn);
    if (call->conn && !call->status)
        call->status = vg_http_conn_verdict(call->conn);
    vg_http_log_access(call);
    if (call->status)
        vg_count_request(call->rq->route, call->rq->method, vg_http_status(call),
                         vg_now_ns() - call->rq->start_ns);
    if (call->conn) {
        vg_http_set_deadline(call->conn, config->idle_timeout);
        if (!call->status) /* what libmicrohttpd refused itself */
            call->conn->lingers = true;
    }
    vg_http_content_gone(call);
    vg_http_release_response(call);
    vg_subscription_free(call->subscription);
    vg_http_websocket_free(call->websocket);
    vg_http_release_body(call);
    vg_http_release_headers(&call->headers);
    free(call->origin);
    free(call->traceparent);
    vg_request_unref(call->rq);
    free(call);
    atomic_fetch_sub(&active, 1);
}

/* ---- start and stop ---------------------------------------------------------------- */

int vg_http_start(const struct vg_config *cfg, const struct vg_http_app *application)
{
    static const struct vg_http_callbacks callbacks = {
        .on_target = on_target,
        .on_request = on_request,
        .on_completed = on_completed,
        .on_connection = vg_http_on_connection,
        .on_library_log = on_library_log,
    };
    config = cfg;
    app = application;
    if (vg_mhd_self_test() < 0 || vg_http_clients_start(config) < 0 ||
        vg_http_peers_start(config) < 0)
        return -1;
    if (config->token_file && vg_http_auth_load(config->token_file) < 0)
        return -1;
    vg_http_limit_start(config);
    vg_http_rate_start(config);
    if (vg_http_conns_start(config) < 0)
        return -1;
    return vg_http_listen(config, &callbacks);
}

void vg_http_tick(int64_t now_ns)
{
    vg_http_linger_tick(now_ns);
    vg_http_sessions_tick(now_ns, config->token_file);
    vg_http_conns_tick(now_ns);
    vg_http_contents_tick();
}

void vg_http_drain(void)
{
    vg_http_websockets_end_channels();
    atomic_store(&draining, true);
    vg_http_quiesce();
}

unsigned int vg_http_active(void)
{
    return atomic_load(&active);
}

unsigned int vg_http_reload(void)
{
    bool tokens = config->token_file && vg_http_auth_load(config->token_file) == 0;
    bool certificate = config->tls_cert && vg_http_certificate_load(config) == 0;

    if (tokens) /* before anything else ends them: they are told why */
        vg_http_sessions_look(vg_now_ns());
    return (tokens ? VG_RELOADED_TOKENS : 0) |
           (certificate ? VG_RELOADED_CERTIFICATE : 0);
}

void vg_http_stop(void)
{
    vg_http_websockets_stop();
    vg_events_stop();
    vg_http_close();
    vg_http_conns_stop();
    vg_http_auth_free();
    vg_http_clients_stop();
    vg_http_peers_stop();
}
