/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/param_enum.h.
 */
#include "server/libvirt/param_enum.h"

#include <fnmatch.h>
#include <libvirt/libvirt.h>

static const struct {
    const char *pattern; /* of fnmatch(3) */
    const struct vg_enum *names;
} enum_fields[] = {
    {"numa_mode", &vg_enum_virDomainNumatuneMemMode},
    {"dirtyrate.calc_status", &vg_enum_virDomainDirtyRateStatus},
    {"vcpu.*.state", &vg_enum_virVcpuState},
};

const struct vg_enum *vg_param_enum(const char *field, int type)
{
    if (type != VIR_TYPED_PARAM_INT) /* as these are; few others */
        return NULL;
    for (size_t i = 0; i < sizeof(enum_fields) / sizeof(enum_fields[0]); i++)
        if (fnmatch(enum_fields[i].pattern, field, 0) == 0)
            return enum_fields[i].names;
    return NULL;
}
