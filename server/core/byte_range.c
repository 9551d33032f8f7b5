/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/byte_range.h"

#include <string.h>
#include <strings.h>

#define BLANKS " \t"

/* Takes digits off *p; what is more than a number holds is the largest one. False: there
 * is no digit. */
static bool take_number(const char **p, uint64_t *ret)
{
    const char *begin = *p;

    for (*ret = 0; **p >= '0' && **p <= '9'; (*p)++) {
        uint64_t digit = (uint64_t)(**p - '0');
        *ret = *ret > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *ret * 10 + digit;
    }
    return *p != begin;
}

/* One range-spec at *p: "0-499", "500-", "-500". False: it is none. */
static bool take_spec(const char **p, uint64_t size, struct vg_byte_range *ret)
{
    uint64_t first, last;
    bool from = take_number(p, &first);

    if (**p != '-')
        return false;
    (*p)++;
    bool to = take_number(p, &last);
    if (!from) { /* the last so many bytes */
        ret->length = last < size ? last : size;
        ret->offset = size - ret->length;
        return to;
    }
    if (!to)
        last = UINT64_MAX;
    if (last < first)
        return false;
    ret->offset = first;
    ret->length = 0;
    if (first < size)
        ret->length = last < size ? last - first + 1 : size - first;
    return true;
}

enum vg_range vg_byte_range_read(const char *header, uint64_t size,
                                 struct vg_byte_range *ret)
{
    static const char unit[] = "bytes=";
    struct vg_byte_range found = {0};
    unsigned int n = 0;

    *ret = (struct vg_byte_range){.length = size};
    if (!header || strncasecmp(header, unit, strlen(unit)) != 0)
        return VG_RANGE_WHOLE;
    for (const char *p = header + strlen(unit); *p;) {
        p += strspn(p, BLANKS);
        if (*p && *p != ',' && (!take_spec(&p, size, &found) || n++))
            return VG_RANGE_WHOLE;
        p += strspn(p, BLANKS);
        if (*p && *p++ != ',')
            return VG_RANGE_WHOLE;
    }
    if (!n)
        return VG_RANGE_WHOLE;
    *ret = found;
    return found.length ? VG_RANGE_PART : VG_RANGE_UNSATISFIABLE;
}
