/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The answer to a look-up of what the caller may not see: the driver's own, as for an
 * object that does not exist. It depends on the driver, its version and the language of
 * its daemon, so the driver is asked: for a random text that no object has, in whose
 * place the error then has the caller's.
 */
#pragma once

#include "virtgate/error.h"
#include "virtgate/kind.h"

struct vg_absent {
    enum vg_lookup by; /* what the text is: a UUID, an id, else a name */
    char text[64];
};

void vg_absent_make(struct vg_absent *absent, enum vg_lookup by);

/* Makes the error of the look-up of absent->text that of one of `text`. */
void vg_absent_show(const struct vg_absent *absent, struct vg_error *e, const char *text);
