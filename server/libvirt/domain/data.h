/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is known of a domain while its JSON is made; shared by libvirt/domain/read.c (one
 * domain), libvirt/domain/list.c and libvirt/domain/cache.c.
 */
#pragma once

#include "server/core/event.h"
#include "server/libvirt/leases.h"
#include "virtgate/domain.h"
#include "virtgate/xml.h"

/* The fields that one call tells. */
#define VG_INFO_FIELDS                                                                   \
    (VG_DOMAIN_MAX_MEMORY | VG_DOMAIN_MEMORY | VG_DOMAIN_VCPUS | VG_DOMAIN_CPU_TIME)
#define VG_XML_FIELDS                                                                    \
    (VG_DOMAIN_OS_TYPE | VG_DOMAIN_TITLE | VG_DOMAIN_MAX_VCPUS | VG_DOMAIN_AGENT |       \
     VG_DOMAIN_ADDRESSES)
/* Those that events cover: libvirt/documents.h. */
#define VG_DOCUMENT_FIELDS                                                               \
    (VG_DOMAIN_OS_TYPE | VG_DOMAIN_TITLE | VG_DOMAIN_AGENT | VG_DOMAIN_ADDRESSES)
/* Those that only the document tells, which libvirt 11 gives when no call is at work. */
#define VG_DOCUMENT_ONLY (VG_DOMAIN_AGENT | VG_DOMAIN_ADDRESSES)
#define VG_STATE_FIELDS  (VG_DOMAIN_STATE | VG_DOMAIN_STATE_REASON)

/* Whether the answer cache keeps such an answer; then it is to be libvirt's whole. */
static inline bool vg_domain_data_is_covered(unsigned int fields)
{
    return !(fields & ~(unsigned int)VG_DOMAIN_COVERED);
}

/* What is known of one domain; `have` says which. */
struct vg_domain_data {
    virDomainPtr dom; /* borrowed */
    const char *name; /* these are the handle's */
    unsigned char uuid[VIR_UUID_BUFLEN];
    unsigned int id; /* (unsigned int)-1: inactive */
    unsigned int have;
    int state, reason;
    bool persistent, autostart, managed_save, updated;
    unsigned long long max_memory, memory, cpu_time;
    unsigned int vcpus;
    struct vg_xml_domain xml;            /* owned */
    const struct vg_event *last_event;   /* borrowed; NULL: none is kept */
    const struct vg_lease_table *leases; /* borrowed; NULL: not asked, or none are told */
    uint64_t definition;                 /* hash of what it is started with next */
    bool contradicted; /* libvirt's state is another than the one that was known */
};

/* Nothing but what the handle says of itself. It is asked only once: each of libvirt's
 * accessors formats the UUID for a debug message, written or not. */
struct vg_domain_data vg_domain_data_of(virDomainPtr dom);

static inline bool vg_domain_data_is_active(const struct vg_domain_data *view)
{
    return view->id != (unsigned int)-1;
}

/* Fills in what the statistics of the groups state, cpu-total, balloon and vcpu tell. */
void vg_domain_data_take_stats(struct vg_domain_data *view,
                               const virDomainStatsRecord *record);

/* Asks libvirt for those of the fields that are not known. -1: libvirt's last error. */
int vg_domain_data_read(struct vg_domain_data *view, unsigned int fields,
                        bool in_process);

/* Writes those of the fields that are known. */
void vg_domain_data_write(struct vg_json *w, const char *key,
                          const struct vg_domain_data *view, unsigned int fields);

/* 0 when libvirt's last error says that the driver does not have it, else -1. */
int vg_domain_data_may_lack(void);
