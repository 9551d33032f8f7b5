/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GET /domains/{domain}/screenshot: virDomainScreenshot, read from its stream.
 */
#include "routes/routes.h"
#include "virtgate/conflict.h"
#include "virtgate/host.h"
#include "virtgate/image.h"
#include "virtgate/object.h"

#include <stdint.h>
#include <string.h>

/* 64 MiB: more than 5000 pixels squared, and a few at a time are no danger. */
#define MAX_PICTURE ((size_t)64 * 1024 * 1024)
/* What one message of libvirt's protocol carries. */
#define PIECE ((size_t)256 * 1024)

/* A picture as libvirt gave it. */
struct picture {
    char *data; /* owned */
    size_t n, size;
    const char *type;
};

static void picture_clean(struct picture *p)
{
    free(p->data);
}
#define auto_picture VG_CLEANUP(picture_clean) struct picture

/* Media types must outlive the answer, so libvirt's text is not kept. */
static const char *known_type(const char *type)
{
    static const char *const types[] = {"image/png", "image/x-portable-pixmap"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i], type) == 0)
            return types[i];
    return "application/octet-stream";
}

static int grow(struct vg_request *rq, struct picture *p)
{
    if (p->size - p->n >= PIECE)
        return 0;
    if (p->size >= MAX_PICTURE) {
        vg_error_set(vg_request_error(rq), VG_E_BAD_ANSWER,
                     "The screen's picture is larger than %zu bytes", MAX_PICTURE);
        return -1;
    }
    size_t size = p->size ? p->size * 2 : 4 * PIECE;
    char *data = realloc(p->data, size);
    if (!data)
        return vg_error_set_memory(vg_request_error(rq));
    p->data = data;
    p->size = size;
    return 0;
}

/* All of the stream. A cut at the deadline ends a blocked virStreamRecv, too. */
static int read_stream(struct vg_request *rq, virStreamPtr stream, struct picture *p)
{
    for (;;) {
        if (grow(rq, p) < 0) {
            virStreamAbort(stream);
            return -1;
        }
        int got = virStreamRecv(stream, p->data + p->n, PIECE);
        if (got < 0) {
            vg_error_set_virt(vg_request_error(rq));
            virStreamAbort(stream);
            return -1;
        }
        if (got == 0)
            break;
        p->n += (size_t)got;
    }
    if (virStreamFinish(stream) == 0)
        return 0;
    return vg_error_set_virt(vg_request_error(rq)); /* what went wrong on the host */
}

static struct vg_reply reply_picture(struct vg_request *rq, struct picture *p)
{
    const char *wanted = vg_wants_image(rq);
    void *converted = NULL;
    size_t n = 0;

    if (!wanted || strcmp(wanted, p->type) == 0)
        return vg_ok_bytes(rq, p->type, vg_take(&p->data), p->n);
    if (vg_image_convert(p->data, p->n, wanted, MAX_PICTURE, &converted, &n,
                         vg_request_error(rq)) < 0)
        return vg_fail(rq);
    return vg_ok_bytes(rq, wanted, converted, n);
}

static struct vg_reply get_screenshot(struct vg_request *rq)
{
    int64_t screen = 0;
    const struct vg_field args[] = {VG_NUMBER("screen", &screen, 0, INT32_MAX), VG_END};
    auto_picture picture = {0};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    vg_autoptr(virStream) stream = virStreamNew(vg_conn(rq), 0);
    if (!stream)
        return vg_fail_virt(rq);
    vg_autofree char *type = virDomainScreenshot(dom, stream, (unsigned int)screen, 0);
    if (!type)
        return vg_fail_in_state(rq, dom, VG_NEEDS_ACTIVE);
    picture.type = known_type(type);
    if (read_stream(rq, stream, &picture) < 0)
        return vg_fail(rq);
    return reply_picture(rq, &picture);
}

/* clang-format off */
const struct vg_route vg_routes_domain_screenshot[] = {
    {VG_GET, "/domains/{domain}/screenshot", "getDomainScreenshot", get_screenshot,
     .needs = "domain:getattr domain:screenshot", .gives = VG_GIVES_IMAGE, .takes = VG_TAKES_ARGS,
     .shared = true},
    {0},
};
/* clang-format on */
