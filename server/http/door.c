/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/http/door.h"

#include <stdatomic.h>

static atomic_uint in_flight;
static atomic_bool closed;

void vg_http_enter_again(void)
{
    atomic_fetch_add(&in_flight, 1);
}

bool vg_http_enter(void)
{
    atomic_fetch_add(&in_flight, 1);
    if (!atomic_load(&closed))
        return true;
    atomic_fetch_sub(&in_flight, 1);
    return false;
}

void vg_http_leave(void)
{
    atomic_fetch_sub(&in_flight, 1);
}

void vg_http_close_door(void)
{
    atomic_store(&closed, true);
}

unsigned int vg_http_in_flight(void)
{
    return atomic_load(&in_flight);
}
