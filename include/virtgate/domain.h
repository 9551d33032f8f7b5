/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The JSON form of a domain, for one and for lists: which fields there are, what each
 * costs, and how they are read with as few libvirt calls as can be.
 */
#pragma once

#include "virtgate/json.h"
#include "virtgate/list.h"
#include "virtgate/reply.h"
#include "virtgate/request.h"

#include <libvirt/libvirt.h>

enum vg_domain_field {
    VG_DOMAIN_ID = 1 << 0,
    VG_DOMAIN_NAME = 1 << 1,
    VG_DOMAIN_UUID = 1 << 2,
    VG_DOMAIN_STATE = 1 << 3,
    VG_DOMAIN_STATE_REASON = 1 << 4,
    VG_DOMAIN_ACTIVE = 1 << 5,
    VG_DOMAIN_PERSISTENT = 1 << 6,
    VG_DOMAIN_AUTOSTART = 1 << 7,
    VG_DOMAIN_MANAGED_SAVE = 1 << 8,
    VG_DOMAIN_OS_TYPE = 1 << 9,
    VG_DOMAIN_MAX_MEMORY = 1 << 10,
    VG_DOMAIN_MEMORY = 1 << 11,
    VG_DOMAIN_VCPUS = 1 << 12,
    VG_DOMAIN_MAX_VCPUS = 1 << 13,
    VG_DOMAIN_CPU_TIME = 1 << 14,
    VG_DOMAIN_TITLE = 1 << 15,
    VG_DOMAIN_UPDATED = 1 << 16,
    /* Not shown: the entity tag depends on what it is started with next, so that If-Match
     * guards what PUT and PATCH change. */
    VG_DOMAIN_DEFINITION = 1 << 17,
    /* Not shown: what libvirt cannot send (a document over 4 MiB) is left out. */
    VG_DOMAIN_SENDABLE = 1 << 18,
    /* Not shown: no call waits for another one on the domain. libvirt 11 gives a document
     * only when none is at work, and beside a guest that hangs one always is. */
    VG_DOMAIN_PROMPT = 1 << 19,
    /* Only by `fields=`: they change without any change of the domain. */
    VG_DOMAIN_LAST_EVENT = 1 << 20, /* of those that the gateway keeps; no call */
    VG_DOMAIN_AGENT = 1 << 21,     /* events cover it; in the document of a running one */
    VG_DOMAIN_ADDRESSES = 1 << 22, /* leases; whose they are is in that document */
};

/* What libvirt's events cover. */
#define VG_DOMAIN_BRIEF                                                                  \
    (VG_DOMAIN_ID | VG_DOMAIN_NAME | VG_DOMAIN_UUID | VG_DOMAIN_STATE |                  \
     VG_DOMAIN_STATE_REASON | VG_DOMAIN_ACTIVE | VG_DOMAIN_PERSISTENT)
/* And what is in their documents: they are asked one by one, once. */
#define VG_DOMAIN_COVERED (VG_DOMAIN_BRIEF | VG_DOMAIN_TITLE)
/* Beside the brief ones, what a fixed number of cheap calls tells of all domains. */
#define VG_DOMAIN_FULL                                                                   \
    (VG_DOMAIN_BRIEF | VG_DOMAIN_AUTOSTART | VG_DOMAIN_MANAGED_SAVE |                    \
     VG_DOMAIN_MAX_MEMORY | VG_DOMAIN_MEMORY)
#define VG_DOMAIN_EVERYTHING (0x1FFFF | VG_DOMAIN_AGENT)

/* The names of the fields, for VG_NAMES("fields", ...). */
extern const struct vg_enum vg_domain_fields;

/* Writes one domain. Asks libvirt only for what the fields need: nothing for id, name,
 * uuid, active; virDomainGetState; virDomainGetInfo for memory, vcpus and CPU time; one
 * call each for persistent, autostart, managedSave, updated; virDomainGetXMLDesc for
 * osType, title, maxVcpus; of a running one, another for its definition. What the driver
 * does not support is left out. -1: the request's error is libvirt's. */
int vg_domain_write(struct vg_request *rq, struct vg_json *w, const char *key,
                    virDomainPtr dom, unsigned int fields);

/* The same of all fields of a domain that did not exist before it was defined just now
 * (virDomainDefineXMLFlags): what every new one has is known of QEMU's, and not asked. */
int vg_domain_write_new(struct vg_request *rq, struct vg_json *w, virDomainPtr dom);

/* Writes a state and its reason as names: "state" and "stateReason", or by other keys. */
void vg_domain_write_state(struct vg_json *w, const char *state_key,
                           const char *reason_key, int state, int reason);

/* Writes the members id, name, uuid; no call to the host. */
void vg_domain_write_identity(struct vg_json *w, virDomainPtr dom);

/* The answer of a handler that made or changed a domain: all of it. */
struct vg_reply vg_domain_reply(struct vg_request *rq, virDomainPtr dom);

/* Renames it (virDomainRename) and answers with all of it. */
struct vg_reply vg_domain_rename(struct vg_request *rq, virDomainPtr dom,
                                 const char *name) VG_MUST_USE;

/* Changes whether it starts with its host (virDomainSetAutostart), and tells subscribers.
 * -1: libvirt's last error. */
int vg_domain_set_autostart(struct vg_request *rq, virDomainPtr dom, bool autostart);

/* Which domains a list is to have. */
struct vg_domain_filter {
    struct vg_list_args list; /* its flags are virConnectListAllDomainsFlags */
    unsigned int states;      /* bits 1 << virDomainState; VG_DOMAIN_STATES_...; 0: any */
};
#define VG_DOMAIN_STATES_ACTIVE   (1U << 30)
#define VG_DOMAIN_STATES_INACTIVE (1U << 31)

/* Whether a list of these fields asks domains one by one whatever is remembered of them,
 * or their monitors: not on the queue of reads that cannot block (vg_on_fast_queue()). */
bool vg_domain_asks_each(unsigned int fields);

/* What else is known of a list that was written. */
struct vg_domain_listed {
    char *next;   /* the cursor, where there is more; owned by the caller */
    bool is_part; /* a domain could not tell all that was asked */
};

/* Writes the array "domains", sorted by name. A fixed number of libvirt calls whatever
 * the number of domains; osType, title, agent and addresses are asked of those that have
 * changed, because the host tells them only one by one, and `updated` of all. Addresses
 * are the leases of all active networks, a call for each, and up to VG_LEASES_SECONDS
 * old. 1: domains have to be asked, which is not for the queue that the request is on.
 * -1: the request's error is set. */
int vg_domain_write_list(struct vg_request *rq, struct vg_json *w,
                         const struct vg_domain_filter *filter, unsigned int fields,
                         struct vg_domain_listed *ret);
