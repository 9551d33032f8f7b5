/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The requests under torture.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct row {
    const char *method, *path;
    const char *headers; /* more header lines, each ended by CR LF; NULL: none */
    const char *body;
    int status;            /* of the answer when nothing fails */
    const char *before[2]; /* "METHOD PATH" to bring the state about, before each try */
    bool two_hosts;        /* the gateway has a second host, "b" */
    bool cold;             /* a new gateway for each try: first uses fail, too */
    bool volatile_body;    /* the body differs from one time to the next */
    bool raw;              /* `method` is the whole request */
};

extern const struct row torture_rows[];
extern const size_t torture_rows_count;
