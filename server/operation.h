/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The registry of long work. The request that began an operation is run like any other,
 * on a lane of its own; the client has the answer when the work ends, or, when that takes
 * too long for it, 202 with the operation's path. Knows nothing of libvirt: what an
 * operation's job is, virt_operation.c knows.
 *
 * An operation is counted: the registry, its request and whoever asks about it hold it.
 */
#pragma once

#include "server/request.h"
#include "virtgate/operation.h"

struct vg_operation;

/* How long ended operations are known, and how many, over all hosts: whichever is less.
 * Those that failed stay longer, and the others go first. */
#define VG_OPERATION_KEEP_NS        (3600 * VG_SECOND_NS)
#define VG_OPERATION_KEEP_FAILED_NS (24 * 3600 * VG_SECOND_NS)
#define VG_OPERATIONS_KEPT          1000

/* How long a client that wants an answer at once waits for its arguments to be checked
 * while the lane is full. */
#define VG_OPERATION_CHECK_NS VG_SECOND_NS

enum vg_operation_state {
    VG_OPERATION_PENDING, /* waits for a worker, or its arguments are checked */
    VG_OPERATION_RUNNING,
    VG_OPERATION_SUCCEEDED,
    VG_OPERATION_FAILED,
    VG_OPERATION_CANCELLED,
    VG_OPERATION_UNKNOWN, /* the host was lost meanwhile: it may have been done */
};

/* Where what waited for an operation goes on; takes over the reference. Before any
 * thread. */
void vg_operations_start(void (*go_on)(struct vg_request *rq));

/* Makes an operation of a request that is about to be submitted; `limit_ns` is when it is
 * answered at the latest. -1: the request's error is set. */
int vg_operation_new(struct vg_request *rq, int64_t limit_ns);

/* NULL is accepted. */
struct vg_operation *vg_operation_ref(struct vg_operation *op);
void vg_operation_unref(struct vg_operation *op);

/* The arguments were good, the call is about to be made: on this domain (NULL: none), and
 * as what `job`, virDomainJobOperation, the domain shows it. A client that does not wait
 * is answered now. -1: it was cancelled meanwhile. */
int vg_operation_note_begun(struct vg_operation *op, const char *domain, const char *uuid,
                            int job);

/* The work's answer; whoever waits for it is told. Only the first counts. */
void vg_operation_end(struct vg_operation *op, const struct vg_reply *reply);

/* Answers 202 and ends waits whose time has come. For the watchdog. */
void vg_operations_watch(int64_t now_ns);

/* Ends all waits, and there will be no more. Returns how many operations are at work. */
unsigned int vg_operations_drain(void);
void vg_operations_clear(void);

/* ---- asking ------------------------------------------------------------------------ */

/* Finds the operation of the path's {operation} for a VG_WATCH row, and its host on bare
 * paths. When there is none, the row's handler says why. */
void vg_operation_attach(struct vg_request *rq);

/* Lets a read wait for the watched operation's end, as ?wait= or Prefer say. False: there
 * is nothing to wait for. True: the reference is taken. */
bool vg_operation_await(struct vg_request *rq);

/* Whether the operation's host has a job of it now. NULL is accepted. */
bool vg_operation_has_job(struct vg_operation *op);

/* The domain of the operation's path; NULL: none, or no operation. Borrowed. */
const char *vg_operation_object(const struct vg_operation *op);

/* What cancelling and progress need. */
struct vg_operation_job {
    enum vg_operation_state state;
    unsigned int access; /* of the row that began it */
    int job;             /* virDomainJobOperation, -1: none */
    char uuid[40];       /* of its domain; "": none */
    bool first;          /* no older operation does the same job on this domain */
};
void vg_operation_get_job(struct vg_operation *op, struct vg_operation_job *ret);

/* Marks it as to be cancelled. False: it has ended. */
bool vg_operation_request_cancel(struct vg_operation *op);
/* It could not be. */
void vg_operation_forget_cancel(struct vg_operation *op);
/* The same for one that has not begun; it will not. False: it has. */
bool vg_operation_cancel_pending(struct vg_operation *op);

/* Writes the operation; `job` is written as its progress (NULL: it is left out). */
void vg_operation_write(struct vg_operation *op, struct vg_json *w, const char *key,
                        const json_t *progress);

/* Why there is no operation of this id, as the request's error. */
void vg_operation_set_missing(struct vg_request *rq, const char *id);
