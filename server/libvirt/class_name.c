/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt and libvirt-admin in one process. Each has its own copy of libvirt's classes
 * (virConnect, virAdmConnect, ...) and registers them with GLib by name, all at its first
 * open; GLib takes a name once, and the library that comes second then calls through the
 * class that it did not get: a crash. libvirt's own programs open one of the two only.
 * (So it is with 9.0.0; 11.3.0 has the same two copies.)
 *
 * The dynamic linker binds the call to the definition below, which gives a class of
 * libvirt whose name is taken another name. Nothing looks classes up by name.
 */
#include "virtgate/cleanup.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define PREFIX "vir"
#define SUFFIX "-admin"

/* As in GLib, whose headers nothing else here needs: GType is a size_t. */
typedef size_t register_fn(size_t parent, const char *name, unsigned int class_size,
                           void (*class_init)(void *, void *), unsigned int size,
                           void (*init)(void *, void *), int flags);
register_fn g_type_register_static_simple;

size_t g_type_register_static_simple(size_t parent, const char *name,
                                     unsigned int class_size,
                                     void (*class_init)(void *, void *),
                                     unsigned int size, void (*init)(void *, void *),
                                     int flags)
{
    register_fn *register_type;
    size_t (*find_type)(const char *);
    char other[128];

    /* as POSIX has it, since ISO C converts no object pointer to a function's */
    *(void **)&register_type = dlsym(RTLD_NEXT, "g_type_register_static_simple");
    *(void **)&find_type = dlsym(RTLD_NEXT, "g_type_from_name");
    if (!register_type)
        return 0;
    VG_LOCK(&lock); /* the two may open at the same time */
    if (strncmp(name, PREFIX, strlen(PREFIX)) == 0 && find_type && find_type(name)) {
        snprintf(other, sizeof(other), "%s" SUFFIX, name);
        name = other; /* GLib copies it */
    }
    return register_type(parent, name, class_size, class_init, size, init, flags);
}
