/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The registry's inside, shared by four files, each of which uses those before it:
 * operation_list.c (the registry), operation_json.c (how operations are shown),
 * operation.c (what happens to them) and operation_job.c (jobs that outlive their call).
 */
#pragma once

#include "server/core/operation.h"
#include "server/core/session.h"

#include <pthread.h>
#include <time.h>

/* A client that waits for an operation's end. */
struct waiter {
    struct waiter *next;
    struct vg_request *rq;
    int64_t until_ns;
};

/* What the registry knows of a job that the domain goes on with; see operation_job.c. */
struct job_state {
    bool is;          /* it is one; never changed after it began */
    char *disk;       /* NULL: the domain's own job; likewise */
    int domain_id;    /* which run of the domain; likewise */
    bool left;        /* the call has returned: the job is there, or was */
    int64_t check_ns; /* when its host is to be asked; 0: nothing was missed */
    int64_t gone_ns;  /* since when the job is not there; 0: it may be */
    /* Its end, where that was told before the call returned. */
    bool ended;
    enum vg_operation_state end;
    char *why;
};

/* The bytes of a transfer; see operation_transfer.c. */
struct transfer_state {
    bool is;
    bool outlives;  /* the answer: it ends by vg_operation_end_transfer() */
    uint64_t total; /* UINT64_MAX: not known */
    atomic_uint_fast64_t bytes;
    int64_t begun_ns;
    /* What had moved a second ago, and at least a second before that: the rate is from
     * the latter to now. */
    struct {
        int64_t at_ns;
        uint64_t bytes;
    } last, before;
    void (*cancel)(void *data); /* NULL: it has ended */
    void *data;
    struct vg_session session; /* while it moves */
};

/* One of the calls that it is made of; see operation_steps.c. */
enum step_state {
    STEP_PENDING,
    STEP_RUNNING,
    STEP_SUCCEEDED,
    STEP_FAILED,
    STEP_UNDONE,
    STEP_UNDO_FAILED,
};
struct step {
    const char *name; /* static */
    enum step_state state;
    struct timespec started, ended;
    char *error; /* owned; NULL: none */
};

struct vg_operation {
    atomic_uint refs;

    /* Never changed. */
    uint64_t number;
    char id[32];
    const char *kind; /* operationId of its row */
    const char *host; /* lives as long as the program */
    struct vg_host *host_ref;
    char *path,
        *prefix;  /* of the request; path without query; prefix NULL on bare paths */
    char *object; /* the domain, as the path names it; NULL: none */
    uint64_t object_key;
    char request_id[VG_REQUEST_ID_SIZE], principal[VG_TOKEN_NAME_SIZE];
    const struct vg_rights *rights; /* of its caller */
    struct timespec created;

    /* Guarded by the registry's lock. */
    struct vg_operation *newer, *older;
    enum vg_operation_state state;
    struct vg_request *rq; /* whose client waits for the work; NULL: answered */
    int64_t answer_ns;     /* when it is answered 202 */
    bool async, accepted, cancel_requested, barred;
    struct vg_permissions needs; /* what its beginning needed */
    char *domain;                /* its name; NULL: none or not known yet */
    char uuid[VG_UUID_SIZE];
    int job;
    struct job_state host_job; /* of one whose job outlives the call */
    struct transfer_state transfer;
    struct step steps[VG_STEPS_MAX];
    size_t n_steps;
    bool stoppable; /* it is at its steps, and can be cancelled between two */
    bool stopped;   /* it was */
    struct timespec begun, ended;
    int64_t ended_ns; /* 0: at work */
    int status;       /* of the work's answer */
    struct vg_body *result;
    struct waiter *waiters;
};

/* ---- operation_list.c -------------------------------------------------------------- */

extern pthread_mutex_t vg_operations_lock;
extern struct vg_operation *vg_operations_newest;
extern bool vg_operations_draining;  /* nobody waits any more */
extern uint64_t vg_operations_last;  /* number of the newest ever */
extern uint64_t vg_operations_epoch; /* of this run: milliseconds since 1970 */
/* How many jobs that outlive their call are still at work. */
extern atomic_uint vg_operation_jobs;
/* As vg_operations_start() was given them. */
extern void (*vg_operation_go_on)(struct vg_request *rq);
extern const struct vg_route *vg_operation_show;

/* Puts one into the registry, which has its first reference from then on. */
void vg_operation_add(struct vg_operation *op);
/* Takes it out: that reference becomes the caller's. Lock held. */
void vg_operation_take_out(struct vg_operation *op);
/* Forgets what was kept long enough, or is too much. Lock held. */
void vg_operations_drop_old(int64_t now);

/* Who is to be told of an operation's end, outside the lock. */
struct completion {
    struct waiter *waiters;
    struct vg_request *rq; /* whose client waits; counted; NULL: none */
};
/* It has ended so; `status` and `result` (NULL: none) are the work's answer. Lock held.
 */
struct completion vg_operation_close(struct vg_operation *op,
                                     enum vg_operation_state state, int status,
                                     struct vg_body *result);

/* Whether the caller may see it: one of a host and a domain of its scope, and what has
 * the same scope began. Lock held. */
bool vg_operation_is_seen(const struct vg_operation *op, const struct vg_request *rq);

/* Whether its job is that of the domain, or of its disk (NULL: the domain's own). */
bool vg_operation_is_job(const struct vg_operation *op, const char *uuid,
                         const char *disk, int job);

/* ---- operation.c ------------------------------------------------------------------- */

/* One that is not in the registry yet. NULL: out of memory. */
struct vg_operation *vg_operation_make(struct vg_request *rq);
/* Puts it into the registry. The request holds it, too, and ends it by that hook. */
void vg_operation_hold(struct vg_operation *op, struct vg_request *rq,
                       bool (*on_end)(struct vg_request *rq,
                                      const struct vg_reply *reply));
/* The hook of work that ends with its call: whoever waits for it is told. Only the first
 * answer counts. */
bool vg_operation_end(struct vg_request *rq, const struct vg_reply *reply);

/* ---- operation_json.c -------------------------------------------------------------- */

/* Tells subscribers what has become of it: "begun", "progress", "ended" (static). One
 * that never began is not told of. Lock held. */
void vg_operation_tell(const struct vg_operation *op, const char *event);

/* ---- operation.c ------------------------------------------------------------------- */

void vg_operation_wake(struct waiter *waiters);
/* Takes the request to be answered 202. Lock held. */
struct vg_request *vg_operation_take_client(struct vg_operation *op);
/* Answers it with the operation as it is, and frees it. */
void vg_operation_tell_client(struct vg_operation *op, struct vg_request *rq, int status);
