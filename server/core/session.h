/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The register of what clients have open on hosts. A session is a part of what it is of
 * (a console, an operation), which puts it here and takes it out. All functions may be
 * called from any thread.
 */
#pragma once

#include "server/core/request.h"
#include "virtgate/session.h"

#include <time.h>

enum vg_session_kind {
    VG_SESSION_CONSOLE = 1,
    VG_SESSION_CHANNEL = 2,
    VG_SESSION_DISPLAY = 4,
    VG_SESSION_TRANSFER = 8,
};

struct vg_session {
    struct vg_session *next, **link;
    bool begun, ending; /* ending: it was told to, and is not shown any more */
    uint64_t number;

    /* Set by who begins it; borrowed until it is over. */
    enum vg_session_kind kind;
    const char *domain, *uuid; /* NULL: of none, or only its name is known */
    const char *device;        /* NULL: the guest's first */
    const char *operation;     /* its id; NULL: none */
    /* Makes it end soon, by that principal (""); under the register's lock: it does not
     * block, and begins and ends no session. */
    void (*end)(void *data, const char *by);
    void *data;

    /* Of the request that began it. */
    const char *host;
    char *path; /* owned; NULL: out of memory */
    char principal[VG_TOKEN_NAME_SIZE];
    const struct vg_rights *rights;
    struct vg_permissions needs;
    struct timespec since;

    /* Who takes its device over, and when that began; 0: nobody. */
    char taken_by[VG_TOKEN_NAME_SIZE];
    int64_t taken_ns;
};

/* Puts one into the register; of that request. */
void vg_session_begin(struct vg_session *session, const struct vg_request *rq);
/* It is over, and `end` is not called any more. Accepts one that never began. */
void vg_session_over(struct vg_session *session);

/* Somebody is about to take over what these sessions of a guest's device hold, which the
 * host tells their holders only as a failure. `device` NULL is the guest's first: any. */
void vg_sessions_take_over(const struct vg_request *rq, enum vg_session_kind kind,
                           const char *uuid, const char *device);
/* Whether this one is being taken over, by whom (""). */
bool vg_session_is_taken(const struct vg_session *session,
                         char ret_by[static VG_TOKEN_NAME_SIZE]);
/* Who has the device open through the gateway; false: nobody, or nobody who has a name.
 */
bool vg_sessions_find_holder(const struct vg_request *rq, enum vg_session_kind kind,
                             const char *uuid, const char *device,
                             char ret[static VG_TOKEN_NAME_SIZE]);
