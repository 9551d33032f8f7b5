/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one table of permissions and roles.
 */
#include "server/base/permission.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of each kind of object what a viewer may do, what an operator may do beside it, and the
 * rest, which only an admin may. Names are libvirt's (src/access/viraccessperm.h), but
 * for the last two kinds. tests/contract/rights.py holds them against what its functions
 * ask.
 */
static const struct {
    const char *object, *of[VG_ROLE_ADMIN + 1];
} kinds[] = {
    {"connect",
     {[VG_ROLE_VIEWER] = "getattr read search_domains search_interfaces search_networks "
                         "search_node_devices search_nwfilter_bindings search_nwfilters "
                         "search_secrets search_storage_pools",
      [VG_ROLE_OPERATOR] = "",
      [VG_ROLE_ADMIN] = "detect_storage_pools interface_transaction pm_control write"}},
    {"domain",
     {[VG_ROLE_VIEWER] = "getattr read",
      [VG_ROLE_OPERATOR] = "start stop reset suspend hibernate pm_control init_control "
                           "inject_nmi send_input send_signal set_time fs_freeze fs_trim "
                           "screenshot snapshot checkpoint write save",
      [VG_ROLE_ADMIN] = "block_read block_write core_dump delete mem_read migrate "
                        "open_device open_graphics read_secure set_password"}},
    {"network",
     {[VG_ROLE_VIEWER] = "getattr read search_ports",
      [VG_ROLE_OPERATOR] = "start stop write save",
      [VG_ROLE_ADMIN] = "delete"}},
    {"network_port",
     {[VG_ROLE_VIEWER] = "getattr read",
      [VG_ROLE_OPERATOR] = "",
      [VG_ROLE_ADMIN] = "create delete write"}},
    {"storage_pool",
     {[VG_ROLE_VIEWER] = "getattr read search_storage_vols",
      [VG_ROLE_OPERATOR] = "start stop refresh write save",
      [VG_ROLE_ADMIN] = "delete format"}},
    {"storage_vol",
     {[VG_ROLE_VIEWER] = "getattr read",
      [VG_ROLE_OPERATOR] = "",
      [VG_ROLE_ADMIN] = "create data_read data_write delete format resize"}},
    {"interface",
     {[VG_ROLE_VIEWER] = "getattr read",
      [VG_ROLE_OPERATOR] = "",
      [VG_ROLE_ADMIN] = "delete save start stop write"}},
    {"node_device",
     {[VG_ROLE_VIEWER] = "getattr read",
      [VG_ROLE_OPERATOR] = "",
      [VG_ROLE_ADMIN] = "delete detach start stop write"}},
    {"nwfilter",
     {[VG_ROLE_VIEWER] = "getattr read",
      [VG_ROLE_OPERATOR] = "",
      [VG_ROLE_ADMIN] = "delete save write"}},
    {"nwfilter_binding",
     {[VG_ROLE_VIEWER] = "getattr read",
      [VG_ROLE_OPERATOR] = "",
      [VG_ROLE_ADMIN] = "create delete"}},
    {"secret",
     {[VG_ROLE_VIEWER] = "getattr read",
      [VG_ROLE_OPERATOR] = "",
      [VG_ROLE_ADMIN] = "delete read_secure save write"}},
    /* libvirt-admin, which has no permissions of its own */
    {"daemon",
     {[VG_ROLE_VIEWER] = "", [VG_ROLE_OPERATOR] = "", [VG_ROLE_ADMIN] = "read manage"}},
    /* document: libvirt takes a definition from the client. path: a file, a device or a
     * program of the host is named. command: QEMU's monitor, any command of the agent.
     * manage: what others have, their tickets. */
    {"gateway",
     {[VG_ROLE_VIEWER] = "",
      [VG_ROLE_OPERATOR] = "",
      [VG_ROLE_ADMIN] = "document path command manage"}},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define MAX     128 /* bits of a set */

static char names[MAX][VG_PERMISSION_SIZE];
static struct vg_permissions sets[VG_ROLE_ADMIN + 1];
static unsigned int n_names;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool is_in(const struct vg_permissions *set, unsigned int number)
{
    return set->bits[number / 64] >> number % 64 & 1;
}

static void put(struct vg_permissions *set, unsigned int number)
{
    set->bits[number / 64] |= UINT64_C(1) << number % 64;
}

/* Every role from `role` on has them. */
static void add_names(const char *object, const char *of, enum vg_role role)
{
    for (const char *p = of; *p;) {
        size_t length = strcspn(p, " ");
        if (n_names == MAX)
            abort(); /* at start */
        snprintf(names[n_names], VG_PERMISSION_SIZE, "%s:%.*s", object, (int)length, p);
        for (enum vg_role r = role; r <= VG_ROLE_ADMIN; r++)
            put(&sets[r], n_names);
        n_names++;
        p += length;
        p += strspn(p, " ");
    }
}

static void read_table(void)
{
    for (size_t i = 0; i < N_KINDS; i++)
        for (enum vg_role r = VG_ROLE_VIEWER; r <= VG_ROLE_ADMIN; r++)
            add_names(kinds[i].object, kinds[i].of[r], r);
}

static int find(const char *name, size_t length, struct vg_permissions *to)
{
    for (unsigned int i = 0; i < n_names; i++) {
        if (strncmp(names[i], name, length) == 0 && names[i][length] == '\0') {
            put(to, i);
            return 0;
        }
    }
    return -1;
}

int vg_permissions_parse(const char *text, struct vg_permissions *ret,
                         char ret_unknown[static VG_PERMISSION_SIZE])
{
    pthread_once(&once, read_table);
    *ret = (struct vg_permissions){0};
    for (const char *p = text ? text : ""; *p;) {
        size_t length = strcspn(p, " ");
        if (length >= VG_PERMISSION_SIZE || find(p, length, ret) < 0) {
            snprintf(ret_unknown, VG_PERMISSION_SIZE, "%.*s", (int)length, p);
            return -1;
        }
        p += length;
        p += strspn(p, " ");
    }
    return 0;
}

const char *vg_permissions_missing(const struct vg_permissions *have,
                                   const struct vg_permissions *needed)
{
    for (unsigned int i = 0; i < n_names; i++)
        if (is_in(needed, i) && !is_in(have, i))
            return names[i];
    return NULL;
}

struct vg_permissions vg_permissions_of(const char *object)
{
    struct vg_permissions ret = {0};
    size_t n = strlen(object);

    pthread_once(&once, read_table);
    for (unsigned int i = 0; i < n_names; i++)
        if (strncmp(names[i], object, n) == 0 && names[i][n] == ':')
            put(&ret, i);
    return ret;
}

const char *vg_permissions_next(const struct vg_permissions *set, unsigned int *at)
{
    while (*at < n_names) {
        unsigned int number = (*at)++;
        if (is_in(set, number))
            return names[number];
    }
    return NULL;
}

const struct vg_permissions *vg_role_permissions(enum vg_role role)
{
    pthread_once(&once, read_table);
    return &sets[role];
}

enum vg_role vg_permissions_role(const struct vg_permissions *needed)
{
    enum vg_role role = VG_ROLE_NONE;

    while (role < VG_ROLE_ADMIN &&
           !vg_permissions_hold(vg_role_permissions(role), needed))
        role++;
    return role;
}
