/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Long work, for handlers. The handler of a VG_ON_LONG row is written like any other: it
 * reads its arguments, finds its object, calls vg_operation_begin(), makes the call that
 * may take long, and returns its reply. The client has that reply, or, when it would not
 * wait, 202 and /operations/{operation}.
 */
#pragma once

#include "virtgate/reply.h"
#include "virtgate/request.h"

struct _virDomain; /* a virDomainPtr's */

/* Once, before the call: from here on it may take as long as operation-deadline. While
 * the domain shows the job `job`, virDomainJobOperation, that is the operation's
 * progress, and cancelling aborts it. -1: the operation was cancelled meanwhile, the
 * request's error says so. */
int vg_operation_begin(struct vg_request *rq, struct _virDomain *dom, int job);

/* The same of work that makes a domain of this document (NULL: nobody knows which): with
 * neither progress nor cancelling. */
int vg_operation_begin_making(struct vg_request *rq, const char *xml);

/* The same of work on what is no domain: with neither progress nor cancelling. */
int vg_operation_begin_call(struct vg_request *rq);

/* ---- several calls, one after the other ---------------------------------------------
 */

/* One of the calls that the work is made of. */
struct vg_step {
    const char *name; /* static */
    /* -1: the request's error is set, and nothing of this step is left. */
    int (*run)(struct vg_request *rq, void *data);
    /* Takes back what run() has done; NULL: there is nothing. -1: libvirt's last error
     * says why it is still there. */
    int (*undo)(void *data);
};
#define VG_STEPS_MAX 8

/* After vg_operation_begin...(): runs the steps in their order, which the operation shows
 * as `steps`. When one fails, or the operation is cancelled between two, those before it
 * are taken back, the last one first. -1: that is so, the request's error is of the step
 * that failed. */
int vg_operation_run_steps(struct vg_request *rq, const struct vg_step *steps, size_t n,
                           void *data);

/* For a step that waits: whether it need not go on, as the operation is to be cancelled.
 */
bool vg_operation_is_cancelled(const struct vg_request *rq);

/* Whether the caller may abort the domain's own job, as he may begin one like it; whoever
 * began it. -1: the request's error is set. */
int vg_operation_ask_abort(struct vg_request *rq, struct _virDomain *dom);

/* ---- jobs that go on ----------------------------------------------------------------
 */

/* For the handler of a VG_ON_JOB row, whose call begins a job and returns: once, before
 * the call. `disk` is the path's, and `job` virDomainBlockJobType; without a disk it is
 * virDomainJobOperation. -1: the request's error is set. */
int vg_operation_begin_job(struct vg_request *rq, struct _virDomain *dom,
                           const char *disk, int job);

/* The call has returned well. The client is answered 202 and the operation; one that
 * waits is answered when the job ends. */
struct vg_reply vg_operation_left(struct vg_request *rq) VG_MUST_USE;

/* Longest wait for an operation's end, in seconds (?wait=). */
#define VG_OPERATION_WAIT_MAX 300

/* ---- for routes/gateway/operation.c
 * -------------------------------------------------------- */

/* The states of operations, as bits, for VG_NAMES(). */
extern const struct vg_enum vg_operation_states;

/* Which operations a list is to have; NULL and 0 for any. */
struct vg_operation_filter {
    unsigned int states;
    const char *kind, *domain, *host;
    const char *only_host; /* beside `host`: of the path */
    const char *after;     /* an operation's id: older ones */
    int64_t limit;         /* 0: no limit */
};

/* Writes the array "operations", the newest first, of the request's host; on bare paths
 * of all. Where there is more, *ret_next is the cursor (owned by the caller). -1: there
 * is no such host or kind, the request's error says so. */
int vg_operations_list(struct vg_request *rq, struct vg_json *w,
                       struct vg_operation_filter *filter, char **ret_next);

/* The operation of the path, with its progress where its host is asked. */
struct vg_reply vg_operation_reply(struct vg_request *rq) VG_MUST_USE;

/* Aborts the job of the path's operation, or keeps it from beginning. -1: the request's
 * error is set. */
int vg_operation_cancel(struct vg_request *rq, unsigned int flags);
