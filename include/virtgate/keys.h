/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names of keys: "enter" is KEY_ENTER, 28. Generated at build time from the kernel's
 * <linux/input-event-codes.h> (server/gen/keys.py).
 */
#pragma once

#include "virtgate/enum.h"

extern const struct vg_enum vg_linux_keys;
