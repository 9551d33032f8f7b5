/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host `default` on test:///default, with all that it needs to run.
 */
#pragma once

#include <stdint.h>

#include "server/app.h"
#include "server/core/event.h"
#include "server/libvirt/internal.h"
#include "server/libvirt/loop.h"
#include "virtgate/route.h"

static struct vg_config config;
static struct vg_host *host;

/* -1: it did not start. */
static int start_host(void)
{
    char *argv[] = {(char *)(uintptr_t) "virtgate", (char *)(uintptr_t) "--connect",
                    (char *)(uintptr_t) "test:///default", NULL};
    enum vg_config_action action;
    char *message = NULL;

    if (vg_config_read(3, argv, &config, &action, &message) < 0 ||
        vg_app_start(&config, vg_route_tables) < 0 || vg_events_start(64) < 0 ||
        vg_virt_start() < 0 || vg_hosts_start(&config) < 0)
        return -1;
    host = vg_host_find("default");
    return 0;
}

static int stop_host(void **state)
{
    (void)state;
    vg_hosts_stop();
    vg_events_stop();
    vg_virt_stop();
    vg_hosts_free();
    vg_config_clear(&config);
    return 0;
}
