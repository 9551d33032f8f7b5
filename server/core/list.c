/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/list.h.
 */
#include "virtgate/list.h"

#include <fnmatch.h>
#include <string.h>

static const struct vg_enum_value view_names[] = {{"default", NULL, VG_LIST_DEFAULT},
                                                  {"full", NULL, VG_LIST_FULL}};
const struct vg_enum vg_list_views = {"views", view_names, 2};

void vg_list_narrow(struct vg_list_args *list, int wanted, unsigned int yes,
                    unsigned int no)
{
    unsigned int given = list->flags & (yes | no), one = wanted ? yes : no;

    if (wanted < 0)
        return;
    list->nothing = list->nothing || (given && !(given & one));
    list->flags = (list->flags & ~given) | one;
}

bool vg_list_passes(const struct vg_list_args *list, const char *name)
{
    if (list->nothing || (list->name && fnmatch(list->name, name, 0) != 0))
        return false;
    return !list->after || strcmp(name, list->after) > 0;
}
