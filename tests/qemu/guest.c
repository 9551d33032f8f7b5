/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See guest.h.
 */
#include "tests/qemu/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* ---- images ------------------------------------------------------------------------ */

char *guest_folder(struct scenario *s)
{
    char *dir = strdup("/tmp/vg-images.XXXXXX");
    check_that(dir && mkdtemp(dir) && chmod(dir, 0755) == 0, "a folder for images");
    json_object_set_new(s->captures, "dir", json_string(dir));
    return dir;
}

void guest_folder_remove(char *dir_steal)
{
    run_program(ARGS("rm", "-rf", "--", dir_steal));
    free(dir_steal);
}

void guest_image_raw(const char *dir, const char *name, const char *text, size_t size)
{
    char path[256];
    size_t n = strlen(text);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    for (size_t i = 0; f && i < size; i += n)
        fwrite(text, 1, n, f);
    check_that(f && fclose(f) == 0, "image %s", path);
}

void guest_image_qcow2(const char *dir, const char *name, const char *base,
                       const char *size)
{
    char path[256], below[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    snprintf(below, sizeof(below), "%s/%s", dir, base ? base : "");
    int rc =
        base ? run_program(ARGS("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2",
                                "-b", below, path))
             : run_program(ARGS("qemu-img", "create", "-q", "-f", "qcow2", path, size));
    check_that(rc == 0, "image %s", path);
}

void guest_image_convert(const char *dir, const char *from, const char *to)
{
    char source[256], target[256];
    snprintf(source, sizeof(source), "%s/%s", dir, from);
    snprintf(target, sizeof(target), "%s/%s", dir, to);
    check_that(run_program(ARGS("qemu-img", "convert", "-f", "raw", "-O", "qcow2", source,
                                target)) == 0,
               "image %s", target);
}
