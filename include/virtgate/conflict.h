/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conflicts that drivers report as general errors: QEMU says OPERATION_INVALID for a call
 * in the wrong state, the test driver INTERNAL_ERROR; a taken name is OPERATION_FAILED.
 * What is there is looked at again, and when it explains the failure the answer is 409.
 */
#pragma once

#include "virtgate/reply.h"

#include <libvirt/libvirt.h>

enum vg_needed_state {
    VG_NEEDS_ACTIVE,
    VG_NEEDS_INACTIVE,
    VG_NEEDS_RUNNING,
    VG_NEEDS_PAUSED,
    VG_NEEDS_ASLEEP,
};

/* The thread's last libvirt error, of a call that needs the domain in a state. */
struct vg_reply vg_fail_in_state(struct vg_request *rq, virDomainPtr dom,
                                 enum vg_needed_state needed) VG_MUST_USE;

/* The end of such a call that tells nothing else, by its result: 204, or, when that is
 * negative, vg_fail_in_state(). */
struct vg_reply vg_done_in_state(struct vg_request *rq, virDomainPtr dom,
                                 enum vg_needed_state needed, int result) VG_MUST_USE;

/* The request's error, already captured (vg_error_set_virt), becomes a conflict where it
 * is vague and what is there explains it. */
void vg_error_explain(struct vg_request *rq, bool explained);

/* The same as an answer. */
struct vg_reply vg_fail_explained(struct vg_request *rq, bool explained) VG_MUST_USE;

/* The request's error, already captured, has this status where its code blames the host
 * (502). 0: nothing says otherwise. */
void vg_error_blame(struct vg_request *rq, int status);

/* The answer where no snapshot or checkpoint could be made, its error already captured:
 * 409 where the name is taken, 422 for an internal error of `reader` (VIR_FROM_...), the
 * part of libvirt that reads their documents. */
struct vg_reply vg_fail_point(struct vg_request *rq, bool is_taken,
                              int reader) VG_MUST_USE;

/* Sets the request's error to the thread's last libvirt error, of a call that defines or
 * creates this document. Always -1. */
int vg_error_set_define(struct vg_request *rq, const char *xml);

/* The same as an answer. */
struct vg_reply vg_fail_define(struct vg_request *rq, const char *xml) VG_MUST_USE;

/* Whether a document or a device asks for more than a guest can have ("No more available
 * PCI slots"): the part of libvirt that all its drivers share, which knows documents and
 * addresses and nothing of the host, says so by INTERNAL_ERROR. Of calls that take a
 * document. */
bool vg_error_is_limit(const struct vg_error *e);

/* Whether QEMU, which runs on, refused what a document asks of a running domain: libvirt
 * has read it, and quotes QEMU's answer as an internal error of that driver. */
bool vg_error_is_refused(const struct vg_error *e, virDomainPtr dom);

/* Whether the error is this document's own, which libvirt calls a system error without an
 * errno, or an internal one of no driver: an address of a network that is none
 * (util/virsocketaddr.c), a WWN that is none, a lease without its lockspace. */
bool vg_error_is_of_document(const struct vg_error *e, const char *xml);
