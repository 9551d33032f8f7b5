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
