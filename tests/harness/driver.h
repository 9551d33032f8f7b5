/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a driver of libvirt can do: releases differ, so tests ask instead of knowing.
 */
#pragma once

#include <stdbool.h>

/* Whether the driver behind a URI can do a thing, by the names in driver.c. libvirt
 * itself is asked, beside the gateway, once for each thing; an unknown name ends the
 * program. */
bool driver_can(const char *uri, const char *what);
