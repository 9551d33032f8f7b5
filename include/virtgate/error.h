/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The error of a request: the gateway's own or libvirt's. Whatever went wrong is put into
 * one struct vg_error, and one place (vg_error_to_json) makes problem+json of it (RFC
 * 9457).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

enum vg_error_id {
#define X(id, slug, status, retryable, title) VG_E_##id,
#include "virtgate/error.def"
#undef X
};

/* What is known of a change that failed: nothing was done, or nobody can tell. */
enum vg_outcome {
    VG_OUTCOME_NONE,
    VG_OUTCOME_UNKNOWN,
};

struct vg_error {
    int status;        /* HTTP status; 0 means no error */
    const char *slug;  /* gateway error: tail of the type URN; NULL for libvirt's */
    const char *title; /* gateway error: static; libvirt's: NULL, taken from its str1 */
    char *detail;      /* owned; NULL only when out of memory */
    json_t *virt;   /* owned; the nine fields of virError and the three names, or NULL */
    bool retryable; /* a later attempt may succeed; `retry_after` goes with it */
    bool transport; /* the connection to the host failed, not the call */
    enum vg_outcome outcome;
    const char *permission; /* of a 403: that the caller lacks; static, NULL: none */
    char *holder; /* owned; who has what the call wanted for itself; NULL: not known */
    const char *host; /* that failed, where it is another than the request's; borrowed,
                         lives as long as the program */
    unsigned int retry_after; /* seconds, for the Retry-After header; 0: none */
};

/* Replaces *e by gateway error `id`; fmt describes the one case and says what to do next.
 * Any thread. */
void vg_error_set(struct vg_error *e, enum vg_error_id id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Replaces *e by a lack of memory, which has one wording everywhere. Always -1, for
 * `return vg_error_set_memory(e);`. Any thread. */
int vg_error_set_memory(struct vg_error *e);

/* Whether it is that. */
bool vg_error_is_memory(const struct vg_error *e);

/* Replaces *e by a copy of the calling thread's last libvirt error (virCopyLastError),
 * mapped to a status by error-status.tsv. Call it before any other libvirt call on this
 * thread. Always -1. */
int vg_error_set_virt(struct vg_error *e);

/* The same error under another status, because the case is known better than by its code.
 * Whether a later attempt may succeed follows from the status. */
void vg_error_set_status(struct vg_error *e, int status);

/* Whether a later attempt may succeed: `retryable`, and Retry-After with it. */
void vg_error_set_retryable(struct vg_error *e, bool retryable);

/* Whether it is libvirt's error of this virErrorNumber. */
bool vg_error_is_virt(const struct vg_error *e, int number);

/* Whether libvirt could not send an answer, or a request, because it is too long. */
bool vg_error_is_unsendable(const struct vg_error *e);

/* Whether it is libvirt's, from this virErrorDomain. */
bool vg_error_is_from(const struct vg_error *e, int domain);

/* The errno of the system call that failed in libvirt; 0: libvirt tells of none. */
int vg_error_number(const struct vg_error *e);

/* Replaces the text `from`, which is not empty, by `to` wherever the error quotes it. */
void vg_error_replace(struct vg_error *e, const char *from, const char *to);

/* Frees what *e owns and leaves "no error". */
void vg_error_clear(struct vg_error *e);

/* The problem+json object, without the members that only the request knows (instance,
 * requestId, host). New reference, NULL when out of memory. */
json_t *vg_error_to_json(const struct vg_error *e);
