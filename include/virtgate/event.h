/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Events as routes see them: what a client wants to watch, and the replies that watch.
 */
#pragma once

#include "virtgate/reply.h"

#include <stdbool.h>
#include <stdint.h>

/* What an event is about: the bits of `?object=`. */
enum vg_event_object {
    VG_EVENT_CONNECTION = 0x01, /* the gateway's own connection to the host */
    VG_EVENT_DOMAIN = 0x02,
    VG_EVENT_NETWORK = 0x04,
    VG_EVENT_STORAGE_POOL = 0x08,
    VG_EVENT_NODE_DEVICE = 0x10,
    VG_EVENT_SECRET = 0x20,
    VG_EVENT_QEMU_MONITOR = 0x40, /* for the role admin only */
    VG_EVENT_OPERATION = 0x80,    /* the gateway's own */
};

/* The names of the above. */
extern const struct vg_enum vg_event_objects;

/* How names of QEMU's own events are compared: the values of libvirt's
 * virConnectDomainQemuMonitorEventRegisterFlags. */
enum vg_match_flags {
    VG_MATCH_REGEX = 1,  /* one regular expression, instead of a list */
    VG_MATCH_NOCASE = 2, /* upper and lower case are the same */
};

/* What a watcher wants to see. Lists are separated by commas; NULL is no restriction. */
struct vg_event_filter {
    unsigned int objects;       /* enum vg_event_object; 0: all */
    const char *events;         /* "lifecycle,reboot" */
    const char *hosts;          /* "default" */
    const char *domain;         /* its name, UUID or id */
    const char *uuid;           /* of the object, exactly; of a node device its name */
    const char *monitor;        /* events of QEMU's monitor: "STOP,RESUME" */
    unsigned int monitor_match; /* enum vg_match_flags */
    const struct vg_rights *rights; /* the caller's, set where it subscribes; NULL: all */
};

struct _virDomain; /* a virDomainPtr's */

/* Tells subscribers of a change that the gateway has just made, of which libvirt has no
 * event. `type` is "created", "reverted" or "deleted". */
void vg_event_autostart_changed(struct vg_request *rq, struct _virDomain *dom,
                                bool autostart);
void vg_event_snapshot_changed(struct vg_request *rq, struct _virDomain *dom,
                               const char *type, const char *snapshot);
void vg_event_checkpoint_changed(struct vg_request *rq, struct _virDomain *dom,
                                 const char *type, const char *checkpoint);

/* Whether each of the comma-separated event names exists. -1: the request's error lists
 * those that do. NULL passes. */
int vg_event_check_names(struct vg_request *rq, const char *names);

/* Whether a filter's `monitor` is understood. -1: the request's error says what is wrong
 * with the expression. */
int vg_event_check_monitor(struct vg_request *rq, const struct vg_event_filter *filter);

/* Which hosts' events are meant: *hosts is the request's `host` list or NULL. Below
 * /hosts/NAME only that host's, below /hosts/- all or the listed ones, on the bare path
 * the listed ones ("-" is all), else those of the host `default`. -1: a host in the list
 * does not exist, the request's error says which. */
int vg_event_check_hosts(struct vg_request *rq, const char **hosts);

/* From where a watcher watches: the request's `since` and Last-Event-ID, else from now.
 * -1: the request's error is set: malformed is 400; of another run of the gateway, or no
 * longer kept, is 410. With `stream` a Last-Event-ID that is gone is no error: the stream
 * begins with a reset, because a browser's EventSource would take 410 as final. */
int vg_event_since(struct vg_request *rq, const char *since, bool stream,
                   uint64_t *ret_after, bool *ret_reset);

/* How a client wants events: what all resources of events take as arguments. */
struct vg_event_manner {
    const char *since;
    int64_t wait; /* seconds of a long-poll; -1: not given */
    int64_t limit;
    int64_t last; /* begin with as many that were; 0: not given */
};
#define VG_EVENT_MAX_WAIT 300
#define VG_EVENT_MAX      4096
#define VG_EVENT_MANNER                                                                  \
    {                                                                                    \
        .wait = -1, .limit = VG_EVENT_MAX                                                \
    }
#define VG_EVENT_FIELDS(m)                                                               \
    VG_TEXT("since", &(m).since), VG_NUMBER("wait", &(m).wait, 0, VG_EVENT_MAX_WAIT),    \
        VG_NUMBER("limit", &(m).limit, 1, VG_EVENT_MAX),                                 \
        VG_NUMBER("last", &(m).last, 1, VG_EVENT_MAX)

/* What passes the filter after a revision, as is wanted; or a 400 or 410. A stream has no
 * end: Server-Sent Events, or a WebSocket when the client asked for one. A poll is one
 * JSON answer of up to `limit` events: at once when there are any, else when one comes or
 * the wait is over. The filter's strings are copied. */
struct vg_reply vg_reply_events(struct vg_request *rq,
                                const struct vg_event_filter *filter,
                                const struct vg_event_manner *manner) VG_MUST_USE;

/* Whether the client asked for a stream: by Accept, or for a WebSocket by Upgrade. */
bool vg_wants_stream(const struct vg_request *rq);
