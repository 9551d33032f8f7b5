/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Passwords of guests' users, which leave the gateway only as what crypt(3) makes of
 * them.
 */
#pragma once

#include <stdbool.h>

/* Whether the text is one that crypt(3) has made, "$6$...": a guest takes it as it is. */
bool vg_password_is_hashed(const char *text);

/* The password's SHA-512 form ("$6$salt$..."), which every guest's crypt(3) reads; newer
 * ones, such as yescrypt, not all do. Owned by the caller. NULL: out of memory. Any
 * thread; takes some milliseconds. */
char *vg_password_hash(const char *password);
