/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the fuzz targets share. The log is silent: a million inputs would fill the disk.
 */
#include "fuzz.h"

#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Instead of vg_log, by the linker's --wrap. */
void __wrap_vg_log(enum vg_log_level level, const char *source, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void __wrap_vg_log(enum vg_log_level level, const char *source, const char *fmt, ...)
{
    (void)level;
    (void)source;
    (void)fmt;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        abort();
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
    static char path[40];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        MUST(fchmod(fd, 0600) == 0); /* a token file that others may read is refused */
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    MUST(ftruncate(fd, 0) == 0);
    MUST(pwrite(fd, data, size, 0) == (ssize_t)size);
    return path;
}

int fuzz_args(struct vg_request *rq)
{
    static const struct vg_enum_value values[] = {
        {"red", NULL, 1}, {"green", NULL, 2}, {"light-blue", NULL, 4}};
    static const struct vg_enum colors = {"colors", values, 3};
    const char *text = NULL;
    bool yes = false;
    int maybe = -1, color = 0;
    int64_t number = 0;
    unsigned int flags = 0;
    json_t *tree = NULL;
    const struct vg_field fields[] = {
        VG_TEXT("text", &text),
        VG_BOOL("yes", &yes),
        VG_MAYBE("maybe", &maybe),
        VG_NUMBER("number", &number, -1000, 1000),
        VG_ONE_OF("color", &color, &colors),
        VG_NAMES("flags", &flags, &colors),
        VG_FLAGS("undefine", &flags, virDomainUndefineFlagsValues),
        VG_JSON("tree", &tree),
        VG_END,
    };

    (void)vg_peek_true(rq, "yes");
    if (vg_args(rq, fields) < 0)
        return -1;
    MUST(number >= -1000 && number <= 1000);
    MUST(maybe >= -1 && maybe <= 1);
    MUST(color >= 0 && color <= 4);
    MUST(!text || strlen(text) < 1 << 20);
    return 0;
}

int fuzz_is_utf8(const char *text, size_t size)
{
    json_t *string = json_stringn(text, size);
    json_decref(string);
    return string != NULL;
}

void fuzz_check_error(const struct vg_request *rq)
{
    MUST(rq->error.status >= 400 && rq->error.status < 500);
    MUST(rq->error.detail);
    struct vg_reply reply = vg_reply_problem(rq, &rq->error);
    json_t *problem = json_loadb(reply.body->data, reply.body->length, 0, NULL);
    MUST(problem);
    MUST(json_is_string(json_object_get(problem, "type")));
    json_decref(problem);
    vg_reply_clear(&reply);
}
