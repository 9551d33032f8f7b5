/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt gives libxml2 a handler for what is wrong in a document, but not for a file
 * that cannot be read (test:///nosuch.xml): libxml2 prints that. A structured handler
 * would take libvirt's place, so this is the generic one, which gets a line in pieces.
 */
#include "server/xml/log.h"

#include "server/base/log.h"

#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char line[512];
static _Thread_local size_t used;

/* A line ends with a newline, or where there is no more room. */
static void log_lines(void)
{
    for (char *eol; (eol = strchr(line, '\n'));) {
        *eol++ = '\0';
        if (*line)
            vg_log(VG_LOG_WARNING, "libxml2", "%s", line);
        used = strlen(eol);
        memmove(line, eol, used + 1);
    }
    if (used == sizeof(line) - 1) {
        vg_log(VG_LOG_WARNING, "libxml2", "%s", line);
        used = 0;
    }
}

__attribute__((format(printf, 2, 3))) static void take_piece(void *data, const char *fmt,
                                                             ...)
{
    va_list args;
    (void)data;

    va_start(args, fmt);
    int n = vsnprintf(line + used, sizeof(line) - used, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    size_t room = sizeof(line) - 1 - used;
    used += (size_t)n < room ? (size_t)n : room;
    log_lines();
}

void vg_xml_log_errors(void)
{
    xmlInitParser();
    xmlSetGenericErrorFunc(NULL, take_piece);
    /* Later releases deprecate it, and have nothing else for the threads of a library. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    xmlThrDefSetGenericErrorFunc(NULL, take_piece);
#pragma GCC diagnostic pop
}
