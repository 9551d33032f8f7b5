/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The registry's inside, shared by operation.c (what happens to operations) and
 * operation_json.c (how they are shown).
 */
#pragma once

#include "server/operation.h"

#include <pthread.h>
#include <time.h>

/* A client that waits for an operation's end. */
struct waiter {
    struct waiter *next;
    struct vg_request *rq;
    int64_t until_ns;
};

struct vg_operation {
    atomic_uint refs;

    /* Never changed. */
    uint64_t number;
    char id[32];
    const char *kind; /* operationId of its row */
    const char *host; /* lives as long as the program */
    struct vg_host *host_ref;
    unsigned int access;
    char *path,
        *prefix;  /* of the request; path without query; prefix NULL on bare paths */
    char *object; /* the domain, as the path names it; NULL: none */
    char request_id[40], principal[64];
    struct timespec created;

    /* Guarded by the registry's lock. */
    struct vg_operation *newer, *older;
    enum vg_operation_state state;
    struct vg_request *rq; /* whose client waits for the work; NULL: answered */
    int64_t answer_ns;     /* when it is answered 202 */
    bool async, accepted, cancel_requested;
    char *domain; /* its name; NULL: none or not known yet */
    char uuid[40];
    int job;
    struct timespec begun, ended;
    int64_t ended_ns; /* 0: at work */
    int status;       /* of the work's answer */
    struct vg_body *result;
    struct waiter *waiters;
};

extern pthread_mutex_t vg_operations_lock;
extern struct vg_operation *vg_operations_newest;
extern uint64_t vg_operations_last;  /* number of the newest ever */
extern uint64_t vg_operations_epoch; /* of this run: milliseconds since 1970 */

/* Forgets what was kept long enough, or is too much. Lock held. */
void vg_operations_drop_old(int64_t now);
