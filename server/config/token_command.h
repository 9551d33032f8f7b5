/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `virtgate token create|list|revoke`: the token file by command.
 */
#pragma once

/* argv[1] is "token". The exit status: 0, 1 (it failed, said on stderr) or 2 (usage). */
int vg_token_command(int argc, char **argv);
