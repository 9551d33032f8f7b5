/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/libvirt/absent.h"

#include <ctype.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* No domain has it as long as the host does not start two thousand million of them. */
#define NO_ID "2147483647"

static void make_random(unsigned char *ret, size_t n)
{
    while (getrandom(ret, n, 0) != (ssize_t)n)
        ;
}

/* Sixteen bytes as libvirt writes a UUID. */
static void write_uuid(const unsigned char b[static VIR_UUID_BUFLEN],
                       char ret[static VIR_UUID_STRING_BUFLEN])
{
    size_t n = 0;

    for (int i = 0; i < VIR_UUID_BUFLEN; i++, n += 2) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            ret[n++] = '-';
        snprintf(ret + n, VIR_UUID_STRING_BUFLEN - n, "%02x", b[i]);
    }
}

void vg_absent_make(struct vg_absent *absent, enum vg_lookup by)
{
    unsigned char b[VIR_UUID_BUFLEN];
    char uuid[VIR_UUID_STRING_BUFLEN];

    make_random(b, sizeof(b));
    write_uuid(b, uuid);
    absent->by = by;
    snprintf(absent->text, sizeof(absent->text), "%s%s",
             by == VG_LOOKUP_UUID ? "" : "no-", uuid);
    if (by == VG_LOOKUP_ID)
        snprintf(absent->text, sizeof(absent->text), "%s", NO_ID);
}

/* The caller's text as a driver writes it: a UUID, in whatever form it came, with dashes,
 * a number without leading zeros. */
static const char *as_shown(enum vg_lookup by, const char *text,
                            char room[static VIR_UUID_STRING_BUFLEN])
{
    size_t n = 0;

    if (by == VG_LOOKUP_ID) {
        text += strspn(text, "0");
        return *text ? text : "0";
    }
    if (by != VG_LOOKUP_UUID)
        return text;
    for (; *text && n < VIR_UUID_STRING_BUFLEN - 1; text++) {
        if (!isxdigit((unsigned char)*text))
            continue;
        if (n == 8 || n == 13 || n == 18 || n == 23)
            room[n++] = '-';
        room[n++] = (char)tolower((unsigned char)*text);
    }
    room[n] = '\0';
    return room;
}

void vg_absent_show(const struct vg_absent *absent, struct vg_error *e, const char *text)
{
    char room[VIR_UUID_STRING_BUFLEN];
    vg_error_replace(e, absent->text, as_shown(absent->by, text, room));
}
