/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether bytes are UTF-8 (RFC 3629): guests and files hold anything.
 */
#pragma once

#include <stddef.h>

/* U+FFFD, for a byte that is none of a character. */
#define VG_UTF8_REPLACEMENT "\xEF\xBF\xBD"

/* Length of the character that s begins with, of n bytes (at least one); 0: it is none.
 */
static inline size_t vg_utf8_length(const unsigned char *s, size_t n)
{
    size_t len = s[0] < 0x80   ? 1
                 : s[0] < 0xC2 ? 0
                 : s[0] < 0xE0 ? 2
                 : s[0] < 0xF0 ? 3
                               : 4;
    if (len == 0 || s[0] > 0xF4 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if (len == 3 && ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F)))
        return 0; /* overlong, surrogate */
    if (len == 4 && ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)))
        return 0; /* overlong, beyond U+10FFFF */
    return len;
}
