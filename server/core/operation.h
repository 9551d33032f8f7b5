/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The registry of long work. The request that began an operation is run like any other,
 * on a queue of its own; the client has the answer when the work ends, or, when that
 * takes too long for it, 202 with the operation's path. Jobs that a domain goes on with
 * when the call that began them has returned are operations, too, and hold no thread:
 * events tell their end. Knows nothing of libvirt: what an operation's job is,
 * libvirt/operation.c knows.
 *
 * An operation is counted: the registry, its request and whoever asks about it hold it.
 */
#pragma once

#include "server/core/request.h"
#include "virtgate/operation.h"

struct vg_operation;

/* How long ended operations are known, and how many, over all hosts: whichever is less.
 * Those that failed stay longer, and the others go first. */
#define VG_OPERATION_KEEP_NS        (3600 * VG_SECOND_NS)
#define VG_OPERATION_KEEP_FAILED_NS (24 * 3600 * VG_SECOND_NS)
#define VG_OPERATIONS_KEPT          1000

/* How long a client that wants an answer at once waits for its arguments to be checked
 * while the queue is full. */
#define VG_OPERATION_CHECK_NS VG_SECOND_NS

enum vg_operation_state {
    VG_OPERATION_PENDING, /* waits for a worker, or its arguments are checked */
    VG_OPERATION_RUNNING,
    VG_OPERATION_SUCCEEDED,
    VG_OPERATION_FAILED,
    VG_OPERATION_CANCELLED,
    VG_OPERATION_UNKNOWN, /* the host was lost meanwhile: it may have been done */
};

/* go_on() takes over a request that has waited for an operation; `show` is the row that
 * shows one operation. Before any thread. */
void vg_operations_start(void (*go_on)(struct vg_request *rq),
                         const struct vg_route *show);

/* Makes an operation of a request that is about to be submitted; `limit_ns` is when it is
 * answered at the latest. -1: the request's error is set. */
int vg_operation_new(struct vg_request *rq, int64_t limit_ns);

/* As in its path; lives as long as the operation. */
const char *vg_operation_id(const struct vg_operation *op);

/* NULL is accepted. */
struct vg_operation *vg_operation_ref(struct vg_operation *op);
void vg_operation_unref(struct vg_operation *op);

/* The arguments were good, the call is about to be made: on this domain (NULL: none), and
 * as what `job`, virDomainJobOperation, the domain shows it. From here on, who cancels it
 * needs what its arguments needed, too. A client that does not wait is answered now. -1:
 * it was cancelled meanwhile. */
int vg_operation_note_begun(struct vg_request *rq, const char *domain, const char *uuid,
                            int job);

/* Answers 202 and ends waits whose time has come. For the watchdog. */
void vg_operations_tick(int64_t now_ns);

/* Ends all waits, and there will be no more. Returns how many operations are at work. */
unsigned int vg_operations_drain(void);
void vg_operations_clear(void);

/* ---- jobs that outlive their call ---------------------------------------------------
 */

/* A job of a domain that is about to be begun, or of which something is told. */
struct vg_host_job {
    const char *domain; /* its name; NULL where that does not matter */
    const char *uuid;   /* the domain's */
    int domain_id;
    const char *disk; /* target; NULL: the domain's own job */
    int job;          /* virDomainBlockJobType of a disk's, else virDomainJobOperation */
};

/* Makes an operation of a request whose call is about to begin the job: its end may be
 * told before the call returns. When the call fails, there was no operation. -1: the
 * request's error is set. */
int vg_operation_new_job(struct vg_request *rq, const struct vg_host_job *job);

/* A job has ended, as events tell. Of several operations it is the oldest's. `why` may be
 * NULL. `stopped`: it succeeded by being told to end, which is a cancel if the operation
 * was told. Any thread; does not block. */
void vg_operations_job_ended(const struct vg_host *host, const struct vg_host_job *job,
                             enum vg_operation_state state, const char *why,
                             bool stopped);

/* Whether an event told of an end before the call returned. If the host says that the job
 * is there, that was the end of an earlier job, for which the call had waited: then it is
 * to be forgotten. */
bool vg_operation_has_early_end(struct vg_operation *op);
void vg_operation_forget_early_end(struct vg_operation *op);

/* The domain has stopped, with all its jobs. */
void vg_operations_domain_ended(const struct vg_host *host, const char *uuid,
                                const char *why);

/* Events of the host may have been missed: it is to be asked for its jobs. */
void vg_operations_missed_events(const struct vg_host *host);

/* What the host said when it was asked for the job. How a job that is gone has ended, an
 * event may still tell; if none comes, the operation ends as unknown. */
void vg_operation_note_there(struct vg_operation *op);
void vg_operation_note_gone(struct vg_operation *op);

/* Ends operations whose job is gone, and asks the host for the others. For the watchdog.
 */
void vg_operation_jobs_tick(int64_t now_ns);

/* ---- transfers -----------------------------------------------------------------------
 */

/* The request's operation moves `total` bytes (UINT64_MAX: nobody knows how many) from
 * here on. cancel(data) is called when it is to end, under the registry's lock: it does
 * not block. -1: it was cancelled meanwhile. */
int vg_operation_begin_transfer(struct vg_request *rq, uint64_t total,
                                void (*cancel)(void *data), void *data);
/* Now it is known how many there will be. */
void vg_operation_set_total(struct vg_operation *op, uint64_t total);
/* n more bytes have moved. Any thread. */
void vg_operation_count(struct vg_operation *op, uint64_t n);
/* The answer of its request is not its end, unless it is a failure. */
void vg_operation_outlive(struct vg_operation *op);
/* The transfer is over, and cancel() is called no more. One that outlives its answer ends
 * as that: VG_OPERATION_SUCCEEDED or _FAILED, which is cancelled if it was to be. */
void vg_operation_end_transfer(struct vg_operation *op, enum vg_operation_state state);
/* Cancels one that moves bytes. False: it is none. */
bool vg_operation_cancel_transfer(struct vg_operation *op);

/* ---- asking ------------------------------------------------------------------------ */

/* Finds the operation of the path's {operation} for a VG_ON_OPERATION row, and its host
 * on bare paths. When there is none, the row's handler says why. */
void vg_operation_attach(struct vg_request *rq);

/* The request is about this operation, which it holds from here on. */
void vg_operation_set_watched(struct vg_request *rq, struct vg_operation *op);

/* Lets a read wait for the watched operation's end, as ?wait= or Prefer say. False: there
 * is nothing to wait for. True: the reference is taken. */
bool vg_operation_await(struct vg_request *rq);

/* The read's client has gone: it waits no longer, and will not. Any thread, any number of
 * times, until the request is freed. */
void vg_operation_give_up(struct vg_request *rq);

/* Whether nobody is to wait for its answer any more: its client has gone, or the gateway
 * stops. */
bool vg_operation_wait_is_over(const struct vg_request *rq);

/* Whether the operation's host has a job of it now. NULL is accepted. */
bool vg_operation_has_job(struct vg_operation *op);

/* The key of the object that the operation's path names; 0: none. */
uint64_t vg_operation_object_key(const struct vg_operation *op);

/* Adds the permissions that were needed to begin the domain's own job, if the gateway
 * began it. */
void vg_operations_add_needs(const struct vg_host *host, const char *uuid,
                             struct vg_permissions *to);

/* What cancelling and progress need. */
struct vg_operation_job {
    enum vg_operation_state state;
    struct vg_permissions needs; /* what its beginning needed */
    int job;                     /* virDomainJobOperation, -1: none */
    char uuid[VG_UUID_SIZE];     /* of its domain; "": none */
    bool first;                  /* no older operation does the same job on this domain */
    const char *disk; /* `job` is virDomainBlockJobType of this one; borrowed */
    bool goes_on;     /* the job outlives its call */
    bool left;        /* and that has returned */
    int domain_id;    /* of the domain's run that the job belongs to */
};
void vg_operation_get_job(struct vg_operation *op, struct vg_operation_job *ret);

/* Marks it as to be cancelled. False: it has ended. */
bool vg_operation_request_cancel(struct vg_operation *op);
/* It could not be cancelled. */
void vg_operation_forget_cancel(struct vg_operation *op);
/* Answers a request about an operation (VG_ON_OPERATION) with what is known now. Takes
 * over the caller's reference. */
void vg_operation_resume(struct vg_request *rq);

/* Its host is gone: an operation that has not begun never will. False: it has begun. */
bool vg_operation_bar(struct vg_operation *op);

/* Cancels an operation that has not begun. False: it has begun. */
bool vg_operation_cancel_pending(struct vg_operation *op);

/* Cancels one that is at its steps: it ends before the next, which are taken back. False:
 * it is at none. */
bool vg_operation_stop(struct vg_operation *op);

/* Writes the operation as the request's caller may see it; `progress` NULL: it is left
 * out. */
void vg_operation_write(const struct vg_request *rq, struct vg_operation *op,
                        struct vg_json *w, const char *key, const json_t *progress);

/* Why there is no operation of this id, as the request's error. */
void vg_operation_set_missing(struct vg_request *rq, const char *id);
