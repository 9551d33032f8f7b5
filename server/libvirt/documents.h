/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is remembered of the documents of a host's guests, one by one, so that a list asks
 * only those that have changed: title, operating system, agent, addresses of interfaces.
 * It is forgotten by events of the guest, by changes of it through the gateway, and with
 * the connection that brings events. It belongs to the host: to be used for requests
 * whose reading may be kept (vg_reading.generation) alone.
 */
#pragma once

#include "virtgate/xml.h"

#include <libvirt/libvirt.h>

struct vg_documents;

/* What a path may call the guest by. */
struct vg_guest_id {
    const unsigned char *uuid;
    const char *name;
    unsigned int id; /* (unsigned int)-1: inactive */
};

struct vg_documents *vg_documents_new(void);
void vg_documents_free(struct vg_documents *documents);

/* The guest has changed; `uuid` NULL: any may have. Any thread, does not block. */
void vg_documents_forget(struct vg_documents *documents, const unsigned char *uuid);

/* A change by the gateway begins and ends: of the guest that the path calls so, or of any
 * (NULL). In between nothing is remembered of it. A slow one, of hours, only ends. */
struct vg_guest_change {
    const char *segment; /* borrowed until the end */
    struct vg_guest_change *next, **link;
};
void vg_documents_begin_change(struct vg_documents *documents,
                               struct vg_guest_change *change);
void vg_documents_end_change(struct vg_documents *documents,
                             struct vg_guest_change *change);

/* Puts what is remembered of the guest into *ret, but for max_vcpus, and adds to *have
 * the bits that it was kept with; *ret is the owner of its strings. */
void vg_documents_recall(struct vg_documents *documents, const struct vg_guest_id *guest,
                         struct vg_xml_domain *ret, unsigned int *have);

/* Before the guest is asked. False: it is not to be asked, because a call for its
 * document that began a while ago has not come back; a guest that hangs holds up one
 * list, not all. *ret_reading is for vg_documents_keep(). */
bool vg_documents_begin(struct vg_documents *documents, const struct vg_guest_id *guest,
                        uint64_t *ret_reading);

/* After it was asked: keeps a copy, unless something changed since. `xml` NULL: it could
 * not tell. Where the call was cut, it is not called. */
void vg_documents_keep(struct vg_documents *documents, const unsigned char *uuid,
                       uint64_t reading, const struct vg_xml_domain *xml,
                       unsigned int have);
