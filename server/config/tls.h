/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The PEM files of TLS, checked before the gateway starts.
 */
#pragma once

/* Each returns 0, or -1 and *reterr (owned; NULL: out of memory), which names the file
 * and says what is wrong and what is accepted. */
int vg_tls_check_certificates(const char *path, char **reterr);
int vg_tls_check_key(const char *path, char **reterr);
/* Of files that passed the two above: whether they belong together. */
int vg_tls_check_pair(const char *certificates, const char *key, char **reterr);
