/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Numbers to text, for what writes many: printf() takes a microsecond for a UUID.
 */
#pragma once

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Of the longest number, with sign and quotes. */
#define VG_DIGITS_MAX 24

/* Writes the decimal digits of a number so that they end at `end`; where they begin. */
static inline char *vg_digits_before(char *end, uint64_t value)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return end;
}

/* The number without its sign, INT64_MIN's, too. */
static inline uint64_t vg_magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

/* What a hexadecimal digit stands for. */
static inline unsigned char vg_hex_value(char c)
{
    return (unsigned char)(isdigit((unsigned char)c)
                               ? c - '0'
                               : tolower((unsigned char)c) - 'a' + 10);
}

/* The 36 characters of a UUID's 16 bytes, and a NUL. */
static inline void vg_uuid_text(const unsigned char *uuid, char *ret)
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *ret++ = '-';
        *ret++ = digits[uuid[i] >> 4];
        *ret++ = digits[uuid[i] & 15];
    }
    *ret = '\0';
}

/* Whether `text` is the UUID, as libvirt takes it: in either case, with or without
 * dashes. */
static inline bool vg_uuid_is(const char *uuid, const char *text)
{
    bool dashes = strchr(text, '-') != NULL;

    for (; *uuid; uuid++) {
        if (*uuid == '-' && !dashes)
            continue;
        if (tolower((unsigned char)*text++) != *uuid)
            return false;
    }
    return *text == '\0';
}
