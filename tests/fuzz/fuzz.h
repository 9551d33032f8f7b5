/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the fuzz targets share. Each fuzz_NAME.c is one libFuzzer program;
 * tests/fuzz/run.sh runs them on corpus/NAME, regressions/NAME, and then on inputs of
 * their own.
 */
#pragma once

#include "server/core/request.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input was; the abort is the finding. */
#define MUST(condition)                                                                  \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #condition);   \
            abort();                                                                     \
        }                                                                                \
    } while (0)

/* A NUL-terminated copy, of exactly its size, so that AddressSanitizer sees what reads
 * beyond its end. */
char *fuzz_text(const uint8_t *data, size_t size);

/* The path of a file in memory that holds these bytes; the same one each time. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* Reads a request's arguments by a table with every kind of field. */
int fuzz_args(struct vg_request *rq);

/* A failed call says why, in valid UTF-8, with a client's status. */
void fuzz_check_error(const struct vg_request *rq);

/* Whether it is UTF-8, by jansson's rules. */
int fuzz_is_utf8(const char *text, size_t size);
