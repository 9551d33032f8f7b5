/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The config file.
 */
#include "fuzz.h"

#include "virtgate/cleanup.h"
#include "server/config/config.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char program[] = "virtgate", option[] = "--config", path[64];
    char *argv[] = {program, option, path, NULL};
    struct vg_config config = {0};
    enum vg_config_action action = VG_CONFIG_CHECK;
    vg_autofree char *message = NULL;

    snprintf(path, sizeof(path), "%s", fuzz_file(data, size));
    if (vg_config_read(3, argv, &config, &action, &message) == 0) {
        MUST(action == VG_CONFIG_RUN);
        MUST(config.hosts.n > 0);
        MUST(!config.connect || strcmp(config.hosts.v[0].name, "default") == 0);
        MUST(config.pool_size >= 1 && config.pool_size <= 16);
        MUST(config.listen.n > 0);
    } else {
        MUST(message && *message && !strpbrk(message, "\r\n"));
    }
    vg_config_clear(&config);
    return 0;
}
