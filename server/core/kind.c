/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See core/kind.h. One row for each kind.
 */
#include "server/core/kind.h"

#include <string.h>

#define BY(what) (1U << VG_LOOKUP_##what)

/* clang-format off */
static const struct vg_kind_info kinds[VG_KINDS] = {
    [VG_KIND_DOMAIN] = {"/domains", "{domain}", "domains", "name", "domain",
                        BY(ID) | BY(NAME) | BY(UUID), VG_EVENT_DOMAIN, VG_KIND_NONE},
    [VG_KIND_NETWORK] = {"/networks", "{network}", "networks", "name", "network",
                         BY(NAME) | BY(UUID), VG_EVENT_NETWORK, VG_KIND_NONE},
    [VG_KIND_STORAGE_POOL] = {"/storage-pools", "{pool}", "storagePools", "name", "storage pool",
                              BY(NAME) | BY(UUID) | BY(PATH), VG_EVENT_STORAGE_POOL, VG_KIND_NONE},
    [VG_KIND_NODE_DEVICE] = {"/node-devices", "{device}", "nodeDevices", "name", "node device",
                             BY(NAME), VG_EVENT_NODE_DEVICE, VG_KIND_NONE},
    [VG_KIND_INTERFACE] = {"/interfaces", "{interface}", "interfaces", "name", "host interface",
                           BY(NAME) | BY(MAC), 0, VG_KIND_NONE},
    [VG_KIND_NWFILTER] = {"/nwfilters", "{nwfilter}", "nwfilters", "name", "network filter",
                          BY(NAME) | BY(UUID), 0, VG_KIND_NONE},
    [VG_KIND_NWFILTER_BINDING] = {"/nwfilter-bindings", "{portDev}", "nwfilterBindings", "portDev",
                                  "network filter binding", BY(NAME), 0, VG_KIND_NONE},
    [VG_KIND_SECRET] = {"/secrets", "{secret}", "secrets", "uuid", "secret",
                        BY(UUID), VG_EVENT_SECRET, VG_KIND_NONE},
    [VG_KIND_VOLUME] = {"/storage-pools/{pool}/volumes", "{volume}", "volumes", "name", "volume",
                        0, 0, VG_KIND_STORAGE_POOL},
    [VG_KIND_NETWORK_PORT] = {"/networks/{network}/ports", "{port}", "ports", "uuid",
                              "network port", 0, 0, VG_KIND_NETWORK},
};
/* clang-format on */

/* Whether the pattern is at that path, or below it. */
static bool is_below(const char *pattern, const char *path)
{
    size_t n = strlen(path);
    return strncmp(pattern, path, n) == 0 && (pattern[n] == '\0' || pattern[n] == '/');
}

enum vg_kind vg_kind_whole(const char *pattern)
{
    for (enum vg_kind k = VG_KIND_NONE + 1; k < VG_KINDS && !kinds[k].within; k++)
        if (is_below(pattern, kinds[k].path))
            return k;
    return VG_KIND_NONE;
}

enum vg_kind vg_kind_of(const char *pattern)
{
    enum vg_kind whole = vg_kind_whole(pattern);

    for (enum vg_kind k = whole; whole && k < VG_KINDS; k++)
        if (kinds[k].within == whole && is_below(pattern, kinds[k].path))
            return k;
    return whole;
}

enum vg_kind vg_kind_listed(const char *pattern)
{
    for (enum vg_kind k = VG_KIND_NONE + 1; k < VG_KINDS; k++) {
        const char *path = kinds[k].within ? strrchr(kinds[k].path, '/') : kinds[k].path;
        if (strcmp(pattern, path) == 0)
            return kinds[k].within ? kinds[k].within : k;
    }
    return VG_KIND_NONE;
}

const struct vg_kind_info *vg_kind_info(enum vg_kind kind)
{
    return &kinds[kind];
}

enum vg_kind vg_kind_of_event(enum vg_event_object object)
{
    for (enum vg_kind k = VG_KIND_NONE + 1; k < VG_KINDS; k++)
        if (kinds[k].event == object)
            return k;
    return VG_KIND_NONE;
}

const char *vg_lookup_name(enum vg_lookup by)
{
    static const char *const names[VG_LOOKUPS + 1] = {
        [VG_LOOKUP_DEFAULT] = "",  [VG_LOOKUP_ID] = "id",   [VG_LOOKUP_NAME] = "name",
        [VG_LOOKUP_UUID] = "uuid", [VG_LOOKUP_MAC] = "mac", [VG_LOOKUP_KEY] = "key",
        [VG_LOOKUP_PATH] = "path",
    };
    return names[by];
}
