/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/base/rights.h"

#include "virtgate/cleanup.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct vg_rights of_roles[VG_ROLE_ADMIN + 1];
static struct vg_rights *others; /* under the lock; their members never change */
static unsigned int n_ids;
static atomic_bool hide_hosts;

/* ---- roles ------------------------------------------------------------------------- */

static void make_roles(void)
{
    for (enum vg_role r = VG_ROLE_NONE; r <= VG_ROLE_ADMIN; r++)
        of_roles[r] = (struct vg_rights){
            .id = n_ids++, .role = r, .permissions = *vg_role_permissions(r)};
}

const struct vg_rights *vg_rights_of_role(enum vg_role role)
{
    pthread_once(&once, make_roles);
    return &of_roles[role];
}

/* ---- globs ------------------------------------------------------------------------- */

bool vg_globs_match(const struct vg_globs *globs, const char *name)
{
    for (size_t i = 0; i < globs->n; i++)
        if (fnmatch(globs->v[i], name, 0) == 0)
            return true;
    return globs->n == 0;
}

static void clear_globs(struct vg_globs *globs)
{
    for (size_t i = 0; i < globs->n; i++)
        free(globs->v[i]);
    free(globs->v);
    *globs = (struct vg_globs){0};
}

static bool same_globs(const struct vg_globs *a, const struct vg_globs *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i], b->v[i]) != 0)
            return false;
    return true;
}

static int add_glob(struct vg_globs *to, const char *text, size_t n)
{
    char **grown = reallocarray(to->v, to->n + 1, sizeof(*grown));

    if (!grown)
        return -1;
    to->v = grown;
    grown[to->n] = strndup(text, n);
    return grown[to->n++] ? 0 : -1;
}

/* -1: an item of the list is empty, or there is no memory. */
static int read_globs(const char *key, const char *list, struct vg_globs *ret,
                      char *ret_fault)
{
    for (const char *p = list; p;) {
        size_t n = strcspn(p, ",");
        if (n == 0) {
            snprintf(ret_fault, VG_RIGHTS_FAULT_SIZE,
                     "%s= is a list of globs, separated by commas: one is empty", key);
            return -1;
        }
        if (add_glob(ret, p, n) < 0)
            return -1;
        p = p[n] ? p + n + 1 : NULL;
    }
    return 0;
}

/* ---- a line's ---------------------------------------------------------------------- */

static int read_permissions(const char *key, const char *list, struct vg_permissions *ret,
                            char *ret_fault)
{
    char unknown[VG_PERMISSION_SIZE];
    vg_autofree char *names = list ? strdup(list) : NULL;

    if (!list)
        return 0;
    if (!names)
        return -1;
    for (char *p = names; (p = strchr(p, ','));)
        *p = ' ';
    if (names[strspn(names, " ")] == '\0')
        snprintf(ret_fault, VG_RIGHTS_FAULT_SIZE,
                 "%s= is a list of permissions, separated by commas: it is empty", key);
    else if (vg_permissions_parse(names + strspn(names, " "), ret, unknown) < 0)
        snprintf(ret_fault, VG_RIGHTS_FAULT_SIZE,
                 "%s=: '%s' is no permission; they are like domain:start", key, unknown);
    else
        return 0;
    return -1;
}

/* With a scope of domains other kinds are for looking at: a network or a pool is no part
 * of it, and a document, a path or a command may name what is anybody's. */
static void narrow(struct vg_permissions *permissions)
{
    struct vg_permissions kept = vg_permissions_of("domain");

    vg_permissions_add(&kept, vg_role_permissions(VG_ROLE_VIEWER));
    vg_permissions_keep(permissions, &kept);
}

static int fill(const struct vg_rights_spec *spec, struct vg_rights *ret, char *ret_fault)
{
    ret->role = spec->role;
    ret->permissions = *vg_role_permissions(spec->role);
    if (read_permissions("allow", spec->allow, &ret->allowed, ret_fault) < 0 ||
        read_permissions("deny", spec->deny, &ret->denied, ret_fault) < 0 ||
        read_globs("hosts", spec->hosts, &ret->hosts, ret_fault) < 0 ||
        read_globs("domains", spec->domains, &ret->domains, ret_fault) < 0)
        return -1;
    if (ret->domains.n)
        narrow(&ret->permissions);
    vg_permissions_add(&ret->permissions, &ret->allowed);
    vg_permissions_take(&ret->permissions, &ret->denied);
    return 0;
}

static void free_rights(struct vg_rights *rights)
{
    clear_globs(&rights->hosts);
    clear_globs(&rights->domains);
    free(rights);
}

static bool same(const struct vg_rights *a, const struct vg_rights *b)
{
    return a->role == b->role && vg_permissions_same(&a->allowed, &b->allowed) &&
           vg_permissions_same(&a->denied, &b->denied) &&
           same_globs(&a->hosts, &b->hosts) && same_globs(&a->domains, &b->domains);
}

/* Takes the draft. */
static const struct vg_rights *put(struct vg_rights *draft)
{
    VG_LOCK(&lock);
    for (struct vg_rights *r = others; r; r = r->next) {
        if (same(r, draft)) {
            free_rights(draft);
            return r;
        }
    }
    draft->id = n_ids++;
    if (draft->hosts.n)
        atomic_store(&hide_hosts, true);
    draft->next = others;
    others = draft;
    return draft;
}

bool vg_rights_hide_hosts(void)
{
    return atomic_load(&hide_hosts);
}

const struct vg_rights *vg_rights_intern(const struct vg_rights_spec *spec,
                                         char ret_fault[static VG_RIGHTS_FAULT_SIZE])
{
    const struct vg_rights *role = vg_rights_of_role(spec->role);

    *ret_fault = '\0';
    if (!spec->allow && !spec->deny && !spec->hosts && !spec->domains)
        return role;
    struct vg_rights *draft = calloc(1, sizeof(*draft));
    if (!draft)
        return NULL;
    if (fill(spec, draft, ret_fault) == 0)
        return put(draft);
    free_rights(draft);
    return NULL;
}

void vg_rights_explain(const struct vg_rights *rights, const char *permission,
                       const struct vg_permissions *needed, char *ret, size_t size)
{
    static const struct vg_permissions none;
    struct vg_permissions one;
    char unknown[VG_PERMISSION_SIZE];
    const char *role = vg_role_name(rights->role);

    (void)vg_permissions_parse(permission, &one, unknown);
    if (vg_permissions_hold(&rights->denied, &one))
        snprintf(ret, size, "deny= of the token takes it");
    else if (vg_permissions_hold(vg_role_permissions(rights->role), &one))
        snprintf(
            ret, size,
            "domains= of the token takes it from the role '%s', allow= would give it",
            role);
    else
        snprintf(ret, size, "the role '%s'%s it, '%s' has it", role,
                 vg_permissions_same(&rights->allowed, &none)
                     ? " lacks"
                     : " and allow= of the token lack",
                 vg_role_name(vg_permissions_role(needed)));
}
