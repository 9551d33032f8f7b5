/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ownership by scope: cleanup attributes for strings, file descriptors and locks. Declare
 * at first use, always initialised; vg_take() is the only way to move ownership out of
 * such a variable. libvirt's objects: autoptr.h.
 */
#pragma once

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define VG_CLEANUP(fn) __attribute__((cleanup(fn)))

static inline void vg_autofree_clean(void *p)
{
    free(*(void **)p);
}
/* `vg_autofree char *s = ...`: free(3) at the end of the scope. */
#define vg_autofree VG_CLEANUP(vg_autofree_clean)

/* Defines `struct vg_NAME_list`, an array of pointers that are freed one by one, then the
 * array: what libvirt's calls that list something give. Whoever has n below 0, because
 * the call failed, has no array. Its variables: `vg_autolist(NAME) list = {0};`. */
#define VG_AUTOLIST_DEFINE(name, type, free_fn)                                          \
    struct vg_##name##_list {                                                            \
        type **v;                                                                        \
        int n;                                                                           \
    };                                                                                   \
    static inline void vg_##name##_list_clean(struct vg_##name##_list *l)                \
    {                                                                                    \
        for (int i = 0; i < l->n; i++)                                                   \
            (void)free_fn(l->v[i]);                                                      \
        free(l->v);                                                                      \
    }
#define vg_autolist(name) VG_CLEANUP(vg_##name##_list_clean) struct vg_##name##_list

VG_AUTOLIST_DEFINE(string, char, free)

static inline void vg_autofd_clean(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
/* `vg_autofd int fd = -1;`: close(2) at the end of the scope. */
#define vg_autofd VG_CLEANUP(vg_autofd_clean)

static inline void vg_lock_clean(pthread_mutex_t **m)
{
    if (*m)
        pthread_mutex_unlock(*m);
}
static inline pthread_mutex_t *vg_lock_take(pthread_mutex_t *m)
{
    pthread_mutex_lock(m);
    return m;
}
#define VG_CAT_(a, b) a##b
#define VG_CAT(a, b)  VG_CAT_(a, b)
/* VG_LOCK(&mutex): holds the mutex until the scope ends. */
#define VG_LOCK(m)                                                                       \
    VG_CLEANUP(vg_lock_clean)                                                            \
    pthread_mutex_t *VG_CAT(vg_lock_, __LINE__) __attribute__((unused)) = vg_lock_take(m)

/* Moves the pointer out of *p, leaving NULL: the line where ownership goes elsewhere. */
#define vg_take(p)                                                                       \
    __extension__({                                                                      \
        __typeof__(*(p)) vg_taken_ = *(p);                                               \
        *(p) = NULL;                                                                     \
        vg_taken_;                                                                       \
    })
