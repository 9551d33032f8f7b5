/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names of libvirt's enum constants. The tables are generated at build time from
 * libvirt's API description (server/gen/enums.py): one `vg_enum_<type>` for each enum
 * type.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vg_enum_value {
    const char *name;   /* as in JSON: "shutoff" */
    const char *symbol; /* as in C: "VIR_DOMAIN_SHUTOFF" */
    int64_t value;
};

struct vg_enum {
    const char *type; /* "virDomainState" */
    const struct vg_enum_value *values;
    size_t count;
};

/* The entry of a value, or NULL for one newer than this build. With aliases, the first.
 */
const struct vg_enum_value *vg_enum_find(const struct vg_enum *e, int64_t value);

/* The entry of a JSON name, or NULL. */
const struct vg_enum_value *vg_enum_lookup(const struct vg_enum *e, const char *name,
                                           size_t len);

/* "a, b, c": all names, for messages. Owned by the caller; NULL when out of memory. */
char *vg_enum_names(const struct vg_enum *e);

#include "enum_tables.h" /* generated: the extern declarations */
