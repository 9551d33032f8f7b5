/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/libvirt/identity.h"

#include "virtgate/autoptr.h"
#include "virtgate/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct user {
    uid_t uid;
    gid_t gid;
    char name[256];
};

/* The user of that name, or (NULL name) of that uid; false: there is none. An entry with
 * much text needs a larger buffer, up to a bound. */
static bool find_user(const char *name, const uid_t *uid, struct user *ret)
{
    enum { FIRST_SIZE = 4096, MAX_SIZE = 1 << 20 };

    for (size_t size = FIRST_SIZE; size <= MAX_SIZE; size *= 2) {
        struct passwd entry, *found = NULL;
        vg_autofree char *text = malloc(size);
        int error = !text  ? ENOMEM
                    : name ? getpwnam_r(name, &entry, text, size, &found)
                           : getpwuid_r(*uid, &entry, text, size, &found);
        if (found) {
            ret->uid = found->pw_uid;
            ret->gid = found->pw_gid;
            snprintf(ret->name, sizeof(ret->name), "%s", found->pw_name);
        }
        if (error != ERANGE)
            return found != NULL;
    }
    return false;
}

/* Of a text that the gateway, or the kernel, wrote. */
static unsigned long long read_number(const char *text)
{
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    return errno ? UINT_MAX : number; /* nobody's uid */
}

/* The user whose process opened the unix socket, else who is called so. Nobody becomes
 * root by a name. */
static bool find_account(const struct vg_identity *identity, struct user *ret)
{
    uid_t uid;

    if (identity->via != VG_VIA_SOCKET)
        return find_user(identity->principal, NULL, ret) && ret->uid != 0;
    if (strncmp(identity->principal, "uid:", 4) != 0)
        return false;
    uid = (uid_t)read_number(identity->principal + 4);
    if (find_user(NULL, &uid, ret))
        return true;
    *ret = (struct user){.uid = uid, .gid = (gid_t)-1}; /* a uid that has no name */
    return true;
}

/* When this process began, in clock ticks since the machine did; 0: not known. */
static unsigned long long process_start(void)
{
    enum { FIELD = 22 }; /* of proc(5) */
    char line[1024];
    vg_autofd int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

    if (n <= 0)
        return 0;
    line[n] = '\0';
    const char *at = strrchr(line, ')'); /* the end of the second field */
    for (int field = 2; at && field < FIELD; field++)
        at = strchr(at + 1, ' ');
    return at ? read_number(at) : 0;
}

static int add_user(virTypedParameterPtr *params, int *n, int *room,
                    const struct user *user)
{
    return virTypedParamsAddULLong(params, n, room, VIR_CONNECT_IDENTITY_UNIX_USER_ID,
                                   user->uid) < 0 ||
                   (user->gid != (gid_t)-1 &&
                    virTypedParamsAddULLong(params, n, room,
                                            VIR_CONNECT_IDENTITY_UNIX_GROUP_ID,
                                            user->gid) < 0) ||
                   virTypedParamsAddLLong(
                       params, n, room, VIR_CONNECT_IDENTITY_PROCESS_ID, getpid()) < 0 ||
                   virTypedParamsAddULLong(params, n, room,
                                           VIR_CONNECT_IDENTITY_PROCESS_TIME,
                                           process_start()) < 0
               ? -1
               : 0;
}

int vg_identity_set(virConnectPtr conn, const struct vg_identity *identity,
                    struct vg_error *reterr)
{
    virTypedParameterPtr params = NULL;
    int n = 0, room = 0;
    struct user user = {0};
    bool known = find_account(identity, &user);
    const char *name = known && *user.name ? user.name : identity->principal;

    int rc =
        virTypedParamsAddString(&params, &n, &room, VIR_CONNECT_IDENTITY_USER_NAME, name);
    if (rc == 0 && known)
        rc = add_user(&params, &n, &room, &user);
    if (rc == 0)
        rc = virConnectSetIdentity(conn, params, n, 0);
    if (rc < 0)
        vg_error_set_virt(reterr);
    virTypedParamsFree(params, n);
    return rc < 0 ? -1 : 0;
}
