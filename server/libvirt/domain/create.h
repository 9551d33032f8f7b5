/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a host offers for a new guest, read from its capabilities.
 */
#pragma once

#include "virtgate/domain_create.h"

#include <jansson.h>

struct vg_host_caps {
    json_t *caps; /* of virConnectGetDomainCapabilities, in JSON; NULL: there are none */
    char *type, *arch, *os_type; /* owned, never NULL, as all below */
    char *machine, *emulator;    /* may be NULL */
    const char *driver;          /* static, for <driver name=...>; may be NULL */
    int64_t max_vcpus;           /* 0: not known */
};

/* Asks the host. -1: the request's error is set. */
int vg_host_caps_read(struct vg_request *rq, const struct vg_new_domain *d,
                      struct vg_host_caps *ret);
void vg_host_caps_clear(struct vg_host_caps *o);

/* Whether the capabilities say anything of an element ("devices", "graphics", or "os",
 * NULL): what is absent is not known to be missing (the test driver of libvirt 11 names
 * none). */
bool vg_host_caps_tells(const struct vg_host_caps *o, const char *group,
                        const char *device);
/* Whether <enum name=...> of an element ("devices", "disk", or "os", NULL) has a value.
 * Without capabilities: no. */
bool vg_host_caps_has(const struct vg_host_caps *o, const char *group, const char *device,
                      const char *what, const char *value);
/* All the values, for messages: "vnc, spice". Owned by the caller. */
char *vg_host_caps_names(const struct vg_host_caps *o, const char *group,
                         const char *device, const char *what);
/* Whether the host has this CPU mode. */
bool vg_host_caps_has_cpu(const struct vg_host_caps *o, const char *mode);
