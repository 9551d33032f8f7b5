/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The event loop thread. See virt_loop.h.
 */
#include "server/virt_loop.h"

#include "virtgate/log.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

static pthread_t thread;
static atomic_bool stopping;
static int wake_timer = -1;

/* Errors of no connection (opening one, bad arguments): the gateway answers with them, so
 * on the log they are only for debugging. Without a handler libvirt prints them on
 * stderr. */
static void log_error(void *data, virErrorPtr e)
{
    (void)data;
    vg_log(VG_LOG_DEBUG, "libvirt", "%s", e->message ? e->message : "?");
}

static void *run_loop(void *data)
{
    (void)data;
    while (!atomic_load(&stopping))
        if (virEventRunDefaultImpl() < 0)
            vg_log(VG_LOG_ERROR, "libvirt", "event loop: %s", virGetLastErrorMessage());
    return NULL;
}

static void wake_up(int timer, void *data)
{
    (void)data;
    virEventUpdateTimeout(timer, -1);
}

int vg_virt_start(void)
{
    virSetErrorFunc(NULL, log_error);
    if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0) {
        vg_log(VG_LOG_ERROR, "libvirt", "cannot start: %s", virGetLastErrorMessage());
        return -1;
    }
    wake_timer = virEventAddTimeout(-1, wake_up, NULL, NULL);
    if (wake_timer < 0 || pthread_create(&thread, NULL, run_loop, NULL) != 0) {
        vg_log(VG_LOG_ERROR, "libvirt", "cannot start the event loop");
        return -1;
    }
    return 0;
}

void vg_virt_stop(void)
{
    atomic_store(&stopping, true);
    virEventUpdateTimeout(wake_timer, 0);
    pthread_join(thread, NULL);
}
