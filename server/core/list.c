/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/list.h.
 */
#include "virtgate/list.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

#define UUID_LENGTH 36 /* with its dashes; without them 32 */

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

/* Of a UUID in either of its forms. */
static bool is_uuid(const char *text, size_t n)
{
    bool dashes = n == UUID_LENGTH;

    if (!dashes && n != UUID_LENGTH - 4)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool dash = dashes && (i == 8 || i == 13 || i == 18 || i == 23);
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return true;
}

/* Both are UUIDs; `uuid` has its dashes and is lower case. */
static bool is_same(const char *text, size_t n, const char *uuid)
{
    bool dashes = n == UUID_LENGTH;

    for (const char *end = text + n; text < end; text++, uuid++) {
        uuid += *uuid == '-' && !dashes;
        if (tolower((unsigned char)*text) != *uuid)
            return false;
    }
    return true;
}

int vg_list_check_uuids(struct vg_request *rq, const struct vg_list_args *list)
{
    unsigned int count = 0;

    for (const char *p = list->uuids, *next; p; p = next) {
        size_t n = strcspn(p, ",");
        next = p[n] ? p + n + 1 : NULL;
        if (!is_uuid(p, n)) {
            vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                         "Query key 'uuid' has '%.*s', which is no UUID: it takes up to "
                         "%d of them, separated by commas",
                         (int)(n < 60 ? n : 60), p, VG_LIST_MAX_UUIDS);
            return -1;
        }
        if (++count > VG_LIST_MAX_UUIDS) {
            vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                         "Query key 'uuid' takes up to %d UUIDs", VG_LIST_MAX_UUIDS);
            return -1;
        }
    }
    return 0;
}

bool vg_list_has_uuid(const struct vg_list_args *list, const char *uuid)
{
    for (const char *p = list->uuids; p && *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        if (is_same(p, n, uuid))
            return true;
        p += n;
    }
    return !list->uuids;
}
