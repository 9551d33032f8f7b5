/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The token file: one token a line, NAME ROLE SHA256 [EXPIRES] [KEY=VALUE...], the
 * SHA-256 of the token in hexadecimal, the expiry as RFC 3339, the keys those of struct
 * vg_rights_spec. The tokens themselves are nowhere on this machine.
 */
#pragma once

#include "server/base/rights.h"

#include <stddef.h>
#include <time.h>

#define VG_TOKEN_HASH_SIZE 32 /* SHA-256 */
#define VG_TOKEN_NAME_SIZE 64 /* with its NUL */

struct vg_token {
    char name[VG_TOKEN_NAME_SIZE];
    const struct vg_rights *rights;
    unsigned char hash[VG_TOKEN_HASH_SIZE];
    time_t expires; /* 0: never */
};

struct vg_tokens {
    struct vg_token *v;
    size_t n;
};

/* Reads and checks a token file, at the start as at SIGHUP. On failure -1, *ret is empty,
 * and *reterr (owned; NULL: out of memory) names the file, the line where there is one,
 * and what is accepted. */
int vg_tokens_read(const char *path, struct vg_tokens *ret, char **reterr);

/* One line, which is taken apart. NULL when it is right, else what is wrong with it:
 * static, or in `ret_fault`; "" when there was no memory. */
const char *vg_token_parse_line(char *line, struct vg_token *ret,
                                char ret_fault[static VG_RIGHTS_FAULT_SIZE]);

void vg_tokens_clear(struct vg_tokens *tokens);
