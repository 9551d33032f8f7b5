/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See guest.h.
 */
#include "tests/qemu/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *guest_uri(void)
{
    const char *uri = getenv("VG_QEMU_URI");
    if (uri)
        return uri;
    fputs("VG_QEMU_URI is not set: run this by tests/run.sh qemu\n", stderr);
    exit(77);
}

int libvirtd(const char *verb)
{
    return run_program(ARGS("tests/qemu/libvirtd.sh", verb));
}

pid_t guest_pid(const char *name)
{
    char path[256];
    const char *dir = getenv("VG_LIBVIRTD_DIR");
    snprintf(path, sizeof(path), "%s/run/qemu/%s.pid", dir ? dir : "/tmp/vg-libvirtd",
             name);
    char *text = read_whole(path);
    pid_t pid = text ? (pid_t)strtol(text, NULL, 10) : 0;
    free(text);
    return pid;
}

void guests_remove(struct scenario *s)
{
    struct response *list = scenario_send(s, "GET", "/domains", NULL, NULL);
    json_t *body = json_loads(list->body, 0, NULL);
    size_t i;
    json_t *dom;
    json_array_foreach (json_object_get(body, "domains"), i, dom) {
        char path[128];
        const char *uuid = json_string_value(json_object_get(dom, "uuid"));
        snprintf(path, sizeof(path), "/domains/%s/destroy", uuid);
        if (json_is_true(json_object_get(dom, "active")))
            response_free(scenario_send(s, "POST", path, NULL, NULL));
        snprintf(path, sizeof(path), "/domains/%s?flags=managed-save", uuid);
        if (json_is_true(json_object_get(dom, "persistent")))
            response_free(scenario_send(s, "DELETE", path, NULL, NULL));
    }
    json_decref(body);
    response_free(list);
}
