/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is secret in a URI, and in a message that quotes one, is never shown: not in
 * answers, and not on the log.
 */
#pragma once

/* A copy of a text with "***" in place of the password in each URI's userinfo, and of the
 * value of each query parameter that is a secret: password, passwd, passphrase, keyfile,
 * in upper or lower case, percent-encoded or not. Owned by the caller; NULL when the text
 * is NULL, or out of memory. Any thread. */
char *vg_redact(const char *text);

/* From here on vg_redact() hides those of the URI's secrets that are paths wherever they
 * stand: ssh names the file of `keyfile` in a message without a URI. Only while no other
 * thread runs vg_redact(). -1: out of memory. */
int vg_redact_learn(const char *uri);

/* Forgets what was learned. As vg_redact_learn(). */
void vg_redact_forget(void);
