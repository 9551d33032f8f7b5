/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See virtgate/console.h.
 */
#pragma once

#include <stdbool.h>

/* How many there may be at a time. Before hosts are started. */
void vg_consoles_limit(unsigned int limit);

/* Waits a moment until none is left: the pump has closed them all. False: some are. */
bool vg_consoles_gone(void);
