/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A host's inside, shared by four files: libvirt/health.c (what is known of it), above
 * that libvirt/monitor.c (who looks) and libvirt/checkout.c (connections for requests),
 * and libvirt/host.c (registry, requests), which uses all of them.
 */
#pragma once

#include "server/core/answer_cache.h"
#include "server/libvirt/conn.h"
#include "server/libvirt/documents.h"
#include "server/libvirt/event.h"
#include "server/libvirt/failure.h"
#include "server/libvirt/history.h"
#include "server/libvirt/host.h"
#include "server/libvirt/leases.h"
#include "server/core/queue.h"
#include "server/core/timer.h"

#define VG_REQUEUED_TARGETS 64
#define VG_SPARE_CONNS      16

/* How many domains a host has, and in which state. */
struct vg_host_counts {
    unsigned int running, paused, shutoff, total; /* `total` has other states, too */
};

/* What a host's CPUs did since it booted, in ns. */
struct vg_cpu_times {
    uint64_t busy, total;
    int utilization; /* hundredths of a percent, where that is told instead; -1: not */
    int64_t at_ns;   /* 0: never asked */
};

struct vg_host {
    char *name;
    char *uri; /* NULL: libvirt's own choice */
    char *shown_uri;
    char *admin_uri; /* as configured; NULL: that of its daemon, where it is on this
                        machine */
    bool read_only;
    struct vg_queue general;   /* pool-size workers for reads, more for changes */
    struct vg_queue fast;      /* one worker, for reads that cannot block */
    struct vg_queue bulk;      /* one worker, for reads of all domains that may block */
    struct vg_queue long_work; /* for long work */
    struct vg_queue
        agents; /* pool-size workers, for calls that wait for a guest's agent */
    struct vg_queue transfers; /* for bytes of volumes: vg_stream_conns */
    struct vg_queue
        admins; /* one worker, for libvirt-admin: whatever state the host is in */
    /* Hashes of targets that moved from `fast` to `bulk`: they go there at once. */
    atomic_uint_fast64_t requeued_targets[VG_REQUEUED_TARGETS];
    struct vg_timer monitor;
    bool connected;     /* for the host monitor alone, as the next */
    int64_t backoff_ns; /* the pause after the attempt that failed last; 0: none has */
    struct vg_answer_cache *cache;       /* has a lock of its own */
    struct vg_check *check;              /* compares it with libvirt */
    struct vg_documents *documents;      /* of its guests; has a lock of its own, too */
    struct vg_leases *leases;            /* of its networks; likewise */
    struct vg_failures *object_failures; /* to start what is not active; likewise */
    struct vg_history *history;          /* NULL: none is kept; has a lock of its own */
    /* When a scrape asked for networks and pools and has not come back; 0: none. */
    _Atomic int64_t objects_asked_ns;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    enum vg_host_state state;
    atomic_bool connecting; /* that is the state; read without the lock */
    bool tried, lost, suspect;
    bool full; /* it takes no more connections, though those that are open work */
    int64_t full_next_ns;        /* when one may try again */
    int64_t open_ns;             /* how long the event connection took to open */
    unsigned int failures;       /* in a row */
    unsigned int epoch;          /* of the event connection */
    struct vg_error error;       /* why it is down */
    const char *reason;          /* the same in a word, for everybody; static */
    atomic_uint_fast64_t events; /* received */
    struct vg_host_facts *facts; /* counted; NULL before the first connection */
    /* Of virtgate/host_overview.h: as counted at that reading; as asked last, and what
     * was worked out then, in hundredths of a percent. */
    struct vg_host_counts counts;
    struct vg_reading counted;
    struct vg_cpu_times cpu_times;
    int cpu_percent;        /* -1: not known */
    atomic_int n_cpu_stats; /* that the driver tells; 0: not known */
    struct vg_virt_conn
        *virt_conn; /* the event connection; the host monitor's alone but for sharing */
    /* With --pass-identity: connections in the names of callers who asked last, the one
     * that is taken next at `next_spare`; owned, NULL: none yet. */
    struct vg_virt_conn *spares[VG_SPARE_CONNS];
    unsigned int next_spare;
    struct vg_event_handles registered; /* the host monitor's, but for `covered` */
};

/* ---- libvirt/health.c -------------------------------------------------------------- */

/* Accepts NULL. */
struct vg_host_facts *vg_host_facts_ref(struct vg_host_facts *facts);

/* All queues of the host; those that need it to be up come first. */
#define VG_ALL_QUEUES  7
#define VG_HOST_QUEUES (VG_ALL_QUEUES - 1)
void vg_host_list_queues(struct vg_host *host,
                         struct vg_queue *queues[static VG_ALL_QUEUES]);

/* Sets the state, and wakes or pauses whoever it concerns. Lock held. */
void vg_host_set_state(struct vg_host *host, enum vg_host_state state);
/* Puts the host down for this reason, which is copied. `silent`: it did not answer in
 * time. Lock held. */
void vg_host_set_down(struct vg_host *host, const struct vg_error *error, bool silent);

/* "Host unreachable", with why, libvirt's own error included. */
void vg_host_error_unreachable(struct vg_error *e, const char *name,
                               const struct vg_error *why);

/* A worker met a transport failure: wakes the host monitor, and after FAILURES_TO_OPEN in
 * a row opens the breaker. */
void vg_monitor_note_failure(struct vg_host *host, const struct vg_error *error);

/* A call did not return: a guest or the host hangs. The host monitor asks the host. */
void vg_monitor_suspect(struct vg_host *host);

/* How long opening a connection may take on a host that is up, before it counts as full.
 */
int64_t vg_host_open_limit(struct vg_host *host);

/* Notes whether it takes new connections; how often that is tried while it does not. */
#define VG_FULL_RETRY (2 * VG_SECOND_NS)
void vg_host_set_full(struct vg_host *host, bool full);

/* Pauses the host's queues, or lets them begin. The host's lock may be held. */
void vg_host_pause(struct vg_host *host, bool paused);

/* ---- libvirt/monitor.c ------------------------------------------------------------- */

/* Keeps the host's event connection from now on: connects, probes, reconnects with
 * back-off. -1: there is no thread for it. */
int vg_monitor_start(struct vg_host *host);

/* Closes it, when vg_timers_stop() has ended all monitors. */
void vg_monitor_end(struct vg_host *host);

/* Before the first host monitor is started. */
void vg_monitor_init(void);

/* Waits a moment for every host's first attempt. */
void vg_monitor_await_first(struct vg_host *hosts, size_t n);

/* ---- libvirt/checkout.c ------------------------------------------------------------ */

/* vg_host_prepare_conn(): the host takes no more connections. */
#define VG_HOST_FULL (-2)

/* Makes sure that the worker's connection is open, usable, of the host's present epoch,
 * and in the name of the request's caller where identities are passed. -1 or
 * VG_HOST_FULL: the request's error is what the client is told, and the host monitor has
 * been told. Blocks until cut_at_ns at most, and a few seconds for a new connection. */
int vg_host_prepare_conn(struct vg_host *host, struct vg_virt_conn *virt_conn,
                         struct vg_request *rq);

/* Closes those that are kept for callers. No worker runs any more. */
void vg_host_free_spares(struct vg_host *host);

/* ---- libvirt/admin_conn.c ---------------------------------------------------------- */

/* The same of the connection to the daemon's admin socket; 0 or -1. */
int vg_admin_prepare(struct vg_host *host, struct vg_virt_conn *virt_conn,
                     struct vg_error *reterr);

/* ---- libvirt/host.c ---------------------------------------------------------------- */

/* Whether libvirt contradicted what was remembered: the read is made once more. */
bool vg_host_memory_failed(const struct vg_request *rq);
