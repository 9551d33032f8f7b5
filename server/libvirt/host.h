/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hosts: for each its queues of workers, and a host monitor thread that holds the event
 * connection, probes the host's health and opens the breaker while it is dead.
 */
#pragma once

#include "server/config/config.h"
#include "virtgate/host.h"
#include "virtgate/reply.h"

struct vg_reading;
struct vg_host;
struct vg_history;

/* Makes the hosts of the configuration and starts their host monitors. Waits a moment for
 * first connections, so that a healthy host is up when the first request comes. -1: on
 * the log.
 */
int vg_hosts_start(const struct vg_config *config);

/* NULL when there is none of that name. */
struct vg_host *vg_host_find(const char *name);
size_t vg_host_count(void);
struct vg_host *vg_host_at(size_t index);
const char *vg_host_get_name(const struct vg_host *host);
/* What is kept of its domains; NULL: nothing. */
struct vg_history *vg_host_history(const struct vg_host *host);

/* Runs the request's route on the host, or answers it at once while the host is down.
 * Takes over the caller's reference. Any thread, does not block. */
void vg_host_submit(struct vg_host *host, struct vg_request *rq);

/* Answers a read of a host from memory, where libvirt's events cover all of it. False: it
 * is to be submitted. Any thread, does not block. */
bool vg_host_remember(const struct vg_request *rq, struct vg_reply *ret);

/* The same, and notes in the request's reading what is given out. */
bool vg_host_recall(struct vg_request *rq, struct vg_reply *ret);

/* Whether what was read then may be given out now. Any thread, does not block. */
bool vg_host_holds(const struct vg_host *host, const struct vg_reading *reading);

/* False while the host is known to be down. Never blocks. */
bool vg_host_may_be_up(struct vg_host *host);
/* Whether its first connection, or the next after a loss, is being made. Never blocks. */
bool vg_host_is_connecting(struct vg_host *host);

/* Answers what is late and cuts calls past their deadline; every 50 ms or so. */
void vg_hosts_tick(int64_t now_ns);

/* Cuts what is in flight, answers everything, ends all threads and connections. */
void vg_hosts_stop(void);

/* Frees the hosts, when nothing names one any more. */
void vg_hosts_free(void);
