/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All that relies on how a version of libmicrohttpd behaves beyond its documentation,
 * with a test of it at start.
 *
 * Up to 0.9.75 it takes a header apart in the memory where it was received, and lets
 * through what a server must refuse (RFC 9112, 2.2, 5.2 and 11.2): folded lines, which it
 * puts into the name of a field; values and targets cut at a NUL byte; fields without a
 * name; lines that end with a bare LF. Where its strings lie shows all of these. From 1.0
 * on it refuses them itself when it is told to.
 */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

struct vg_http_call;

#if MHD_VERSION >= 0x01000000
#define VG_MHD_STRICT MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1
#else
#define VG_MHD_STRICT MHD_OPTION_STRICT_FOR_CLIENT, 0 /* what is checked here is more */
#endif

/* A target as libmicrohttpd holds it when it asks for the log. */
struct vg_mhd_target {
    const char *begin;
    const char *end; /* past its NUL */
};

/* Notes where the target lies, and hides its query: libmicrohttpd would take it apart key
 * by key into the memory it has for a connection, and where that is full it gives no
 * answer. Nobody asks it for the keys. Copy the target before. */
struct vg_mhd_target vg_mhd_take_target(const char *target);

/* What is malformed about the request line or the header, in the first call of the
 * handler; NULL: nothing. Static. */
const char *vg_mhd_find_fault(struct MHD_Connection *connection, const char *method,
                              const struct vg_mhd_target *target, const char *version);

/* The same of a piece of a chunked body: the line before it that gives its size. */
const char *vg_mhd_find_chunk_fault(const char *data);

/* The same of the fields after a chunked body. */
const char *vg_mhd_find_trailer_fault(struct MHD_Connection *connection);

/* Nothing follows the header of this answer to a HEAD, whose body has no end: 0.9.75
 * would send the last chunk. */
void vg_mhd_end_with_header(struct MHD_Response *response);

/* Whether a connection under TLS can be handed over (an upgrade): before 1.0 its network
 * thread and the one that has the connection then use one session at a time. */
static inline bool vg_mhd_upgrades_tls(void)
{
    return MHD_VERSION >= 0x01000000;
}

/* ---- what libmicrohttpd refuses itself ----------------------------------------------
 *
 * A Content-Length that is no number it answers in its own words, 0.9.75 twice, and the
 * handler never hears of it; but it says so to its log before it sends. */

/* A call's header is being read by this thread, from its target on. */
void vg_mhd_reads(struct vg_http_call *call);
/* The handler has heard of it, or it is over. */
void vg_mhd_has_read(struct vg_http_call *call);
/* When libmicrohttpd logs: the call that it has read to the end of its header, and not
 * told the handler of. There is one at most in a thread; NULL: none. */
struct vg_http_call *vg_mhd_call_in_doubt(void);

/* Tries all of the above on this libmicrohttpd. -1: it is not as expected, said on the
 * log; nothing should be served. */
int vg_mhd_self_test(void);
