/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/trace/trace.h"

#include "server/core/precondition.h"
#include "server/libvirt/explain.h"
#include "server/libvirt/internal.h"
#include "virtgate/conflict.h"

#include <fcntl.h>
#include <libvirt/virterror.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROOM 16384 /* pairs; what finds no room is told again */

int __real_vg_precondition_check(struct vg_request *rq);
int __wrap_vg_precondition_check(struct vg_request *rq);
struct vg_reply __real_vg_explain(struct vg_request *rq, struct vg_reply reply);
struct vg_reply __wrap_vg_explain(struct vg_request *rq, struct vg_reply reply);
struct vg_reply __real_vg_fail_in_state(struct vg_request *rq, virDomainPtr dom,
                                        enum vg_needed_state needed);
struct vg_reply __wrap_vg_fail_in_state(struct vg_request *rq, virDomainPtr dom,
                                        enum vg_needed_state needed);
struct vg_reply __real_vg_done_in_state(struct vg_request *rq, virDomainPtr dom,
                                        enum vg_needed_state needed, int result);
struct vg_reply __wrap_vg_done_in_state(struct vg_request *rq, virDomainPtr dom,
                                        enum vg_needed_state needed, int result);
int __real_vg_host_prepare_conn(struct vg_host *host, struct vg_virt_conn *virt_conn,
                                struct vg_error *reterr);
int __wrap_vg_host_prepare_conn(struct vg_host *host, struct vg_virt_conn *virt_conn,
                                struct vg_error *reterr);

/* operationId of the row whose handler this thread runs; NULL: none, or another's call.
 */
static _Thread_local const char *running;

/* The last that is done before the handler; what it reads for If-Match is not the row's.
 */
int __wrap_vg_precondition_check(struct vg_request *rq)
{
    running = NULL;
    int rc = __real_vg_precondition_check(rq);
    running = rq->route->operation_id;
    return rc;
}

/* After the handler: what an error means is looked at again. */
struct vg_reply __wrap_vg_explain(struct vg_request *rq, struct vg_reply reply)
{
    running = NULL;
    return __real_vg_explain(rq, reply);
}

/* The end of a handler: where its call failed, the domain's state explains it. */
struct vg_reply __wrap_vg_fail_in_state(struct vg_request *rq, virDomainPtr dom,
                                        enum vg_needed_state needed)
{
    running = NULL;
    return __real_vg_fail_in_state(rq, dom, needed);
}

struct vg_reply __wrap_vg_done_in_state(struct vg_request *rq, virDomainPtr dom,
                                        enum vg_needed_state needed, int result)
{
    running = NULL;
    return __real_vg_done_in_state(rq, dom, needed, result);
}

/* Before the handler, or within that of a migration: opening is the gateway's own. */
int __wrap_vg_host_prepare_conn(struct vg_host *host, struct vg_virt_conn *virt_conn,
                                struct vg_error *reterr)
{
    const char *before = running;
    running = NULL;
    int rc = __real_vg_host_prepare_conn(host, virt_conn, reterr);
    running = before;
    return rc;
}

/* True for the first who notes the pair; a pair is its two addresses. */
static bool is_new(const char *operation, const char *function)
{
    static atomic_uint_fast64_t seen[ROOM];
    uint64_t pair = (uint64_t)(uintptr_t)operation * 0x9E3779B97F4A7C15U ^
                    (uint64_t)(uintptr_t)function * 0xC2B2AE3D27D4EB4FU;

    for (unsigned int i = 0; i < 64; i++) {
        uint_fast64_t none = 0;
        atomic_uint_fast64_t *slot = &seen[(pair % ROOM + i) % ROOM];
        if (atomic_compare_exchange_strong(slot, &none, pair))
            return true;
        if (none == pair)
            return false;
    }
    return true;
}

static void append(const char *first, const char *function)
{
    const char *file = getenv("VG_TRACE"); /* nobody sets it while the program runs */
    char line[256];

    if (!file || (!getenv("VG_TRACE_ALL") && !is_new(first, function)))
        return;
    int n = snprintf(line, sizeof(line), "%s %s\n", first, function);
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0 || write(fd, line, (size_t)n) != n)
        perror(file);
    if (fd >= 0)
        close(fd);
}

void trace_call(const char *function)
{
    if (running)
        append(running, function);
}

void trace_result(const char *function, bool succeeded)
{
    static const char good[] = "+", bad[] = "-";

    if (succeeded || virGetLastErrorCode() != VIR_ERR_OK)
        append(succeeded ? good : bad, function);
}
