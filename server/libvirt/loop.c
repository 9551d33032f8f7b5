/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The event loop thread. See libvirt/loop.h.
 */
#include "server/libvirt/loop.h"

#include "server/base/redact.h"
#include "server/libvirt/epoll.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

static pthread_t thread;
static atomic_bool stopping;

/* Errors of no connection (opening one, bad arguments): the gateway answers with them, so
 * on the log they are only for debugging. Without a handler libvirt prints them on
 * stderr. */
static void log_error(void *data, virErrorPtr e)
{
    (void)data;
    vg_autofree char *text = vg_redact(e->message);
    vg_log(VG_LOG_DEBUG, "libvirt", "%s", text ? text : "?");
}

static void *run_loop(void *data)
{
    (void)data;
    while (!atomic_load(&stopping))
        vg_epoll_turn();
    return NULL;
}

int vg_virt_start(void)
{
    virSetErrorFunc(NULL, log_error);
    if (virInitialize() < 0) {
        vg_log(VG_LOG_ERROR, "libvirt", "cannot start: %s", virGetLastErrorMessage());
        return -1;
    }
    if (vg_epoll_register() < 0 || pthread_create(&thread, NULL, run_loop, NULL) != 0) {
        vg_log(VG_LOG_ERROR, "libvirt", "cannot start the event loop: %s",
               strerror(errno));
        return -1;
    }
    return 0;
}

void vg_virt_stop(void)
{
    atomic_store(&stopping, true);
    vg_epoll_wake();
    pthread_join(thread, NULL);
    vg_epoll_wake();
    vg_epoll_turn(); /* frees what was removed last */
}
