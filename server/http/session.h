/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sessions: what goes on after its request was allowed (a stream, a poll, a wait for an
 * operation, a WebSocket). One ends when the token of its request expires, goes or
 * changes its rights, or when the client's certificate expires: there is one list of them
 * all, and the watchdog goes through it.
 */
#pragma once

#include "server/http/internal.h"

/* Begins one, in memory that lives until vg_http_session_end(), as the call's connection
 * does. `end` is called once at most, by the watchdog, under the lock of all sessions: it
 * makes the session end soon and does not block. Where that takes more than two seconds,
 * the connection is cut. */
void vg_http_session_begin(struct vg_http_session *session, struct vg_http_call *call,
                           void (*end)(void *data), void *data);

/* It is over by itself; `end` is not called any more. Accepts one that never began. */
void vg_http_session_end(struct vg_http_session *session);

/* Whether it is to end: nothing more is told, nothing more is taken. */
bool vg_http_session_is_over(const struct vg_http_session *session);

/* What says so, where a status can. */
#define VG_SESSION_OVER "The token is no longer valid"

/* Ends those whose time has come, by the tokens that are known. The watchdog's thread. */
void vg_http_sessions_look(int64_t now_ns);
/* The same, now and then; reads the token file (NULL: there is none) again when it has
 * changed. */
void vg_http_sessions_tick(int64_t now_ns, const char *token_file);
