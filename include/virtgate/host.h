/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hosts, as handlers see them: the connection a request was given, and what is known of a
 * host without asking it.
 */
#pragma once

#include "virtgate/reply.h"

#include <libvirt/libvirt.h>
#include <stdatomic.h>

/* The connection this request may use until it is answered; no other thread uses it
 * meanwhile (in-process drivers excepted, which allow it). Borrowed. NULL only in
 * VG_ON_NETWORK_THREAD handlers. */
virConnectPtr vg_conn(const struct vg_request *rq);

/* Whether the connection's driver runs in this process (test:///...): calls cost no RPC.
 */
bool vg_conn_in_process(const struct vg_request *rq);

/* Whether the request's driver may open the file that a client named by the argument
 * `key`. The path is absolute; where the driver runs in this process, it is one that
 * --local-dir allows. -1: the request's error is set. */
int vg_host_file_check(struct vg_request *rq, const char *key, const char *path);

/* The same of a folder. */
int vg_host_folder_check(struct vg_request *rq, const char *key, const char *path);

/* Whether the request's driver opens files as the gateway's user: what a document names
 * is to be checked, too. */
bool vg_host_is_local(const struct vg_request *rq);

/* Whether the host's capabilities name this emulator; another would be run by the host to
 * see what it is. -1: the request's error is set. */
int vg_emulator_check(struct vg_request *rq, const char *emulator);

/* A connection of the handler's own to another host, for a call between two; like the
 * request's own it is cut at the deadline. NULL: the request's error is set. Close it
 * before the handler returns. */
struct vg_destination;
struct vg_destination *vg_destination_open(struct vg_request *rq, const char *host);
virConnectPtr vg_destination_conn(const struct vg_destination *peer);
/* The host's name; it lives as long as the program. */
const char *vg_destination_name(const struct vg_destination *peer);
void vg_destination_close(struct vg_destination *peer);

/* libvirt's version numbers, and as text: 9000000 is "9.0.0". */
struct vg_version {
    unsigned long number; /* 0: the driver cannot tell */
    char text[24];
};

/* What a connection says of itself and never changes while it is open, read once for each
 * connection, and the hypervisor's version, read again with the health probe. Shared and
 * never changed, so what is answered with them alone can be kept here. */
struct vg_host_facts {
    atomic_uint refs;
    char *uri;      /* redacted: redact.h */
    char *hostname; /* NULL when the driver cannot tell */
    char *type;
    bool encrypted, secure;
    struct vg_version client, libvirt, hypervisor;
    struct vg_cached version_reply; /* to GET /version */
};

enum vg_host_state {
    VG_HOST_CONNECTING,
    VG_HOST_UP,
    VG_HOST_DOWN,
};

/* "connecting", "up", "down". */
const char *vg_host_state_name(enum vg_host_state state);

struct vg_host_status {
    const char *name; /* borrowed, lives as long as the program */
    const char *uri;  /* as configured, redacted; NULL: libvirt's own choice */
    enum vg_host_state state;
    bool alive;
    bool read_only;
    struct vg_error error; /* why it is down; owned */
    const char *reason;    /* the same in a word, without secrets; static, or NULL */
    struct vg_host_facts *facts; /* counted; NULL before the first connection */
    unsigned int pool_size, in_use, idle, waiting, queue_size;
    uint64_t events;                       /* received from it, ever */
    size_t history_domains, history_bytes; /* what is kept of its domains: history.h */
};

/* Brackets a read that is not to wait (libvirt's NOWAIT flags). libvirt passes over a
 * domain whose monitor somebody waits for, but the first to ask a guest that no longer
 * answers waits itself, without end. So it has a third of the request's time; then its
 * connection is cut, and the read is made once more, when that guest is passed over. */
struct vg_patience {
    struct vg_request *rq; /* NULL: not limited */
    int64_t cut_at_ns;
};
struct vg_patience vg_patience_begin(struct vg_request *rq, bool nowait);
void vg_patience_end(struct vg_patience *patience);
#define VG_PATIENCE(rq, nowait)                                                          \
    __attribute__((cleanup(vg_patience_end), unused)) struct vg_patience patience =      \
        vg_patience_begin(rq, nowait)

/* The facts of the request's host while it is up, to be given back by
 * vg_host_facts_unref(); NULL: the request's error says why there are none. Never blocks
 * on the host. */
struct vg_host_facts *vg_host_facts(struct vg_request *rq);
void vg_host_facts_unref(struct vg_host_facts *facts);

/* Copies the status of the request's host; never blocks on the host. */
void vg_host_status(const struct vg_request *rq, struct vg_host_status *ret);
/* The same by position; false past the last host. */
bool vg_host_status_at(size_t index, struct vg_host_status *ret);
/* The same by name; false when there is none. */
bool vg_host_status_of(const char *name, struct vg_host_status *ret);
void vg_host_status_clear(struct vg_host_status *status);
#define vg_auto_host_status                                                              \
    __attribute__((cleanup(vg_host_status_clear))) struct vg_host_status

/* What one host answered to a request of a VG_EVERY_HOST row; all of it borrowed. */
struct vg_part {
    const char *host;
    int status;       /* 200, or a problem's */
    const char *text; /* the body, "" when there is none */
    size_t length;
};
/* By position; false past the last. Only where the handler joins. */
bool vg_part_at(const struct vg_request *rq, size_t index, struct vg_part *ret);

/* The problem that requests for a host that is not up are answered with. A new reference;
 * NULL: out of memory. */
json_t *vg_host_problem(const struct vg_host_status *status);

/* Sets the request's error to "host unreachable", with why and what to do. */
void vg_host_set_unreachable(struct vg_request *rq, const struct vg_host_status *status);
