/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/image.h. By libpng's simplified API, which needs no setjmp here.
 */
#include "virtgate/image.h"

#include "virtgate/cleanup.h"

#include <png.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Rows of width * 3 bytes, red, green, blue. */
struct pixels {
    uint32_t width, height;
    const uint8_t *data;
    uint8_t *owned; /* NULL when the data is borrowed */
};
static void pixels_clean(struct pixels *p)
{
    free(p->owned);
}
#define auto_pixels VG_CLEANUP(pixels_clean) struct pixels

static int fail(struct vg_error *reterr, const char *why)
{
    vg_error_set(reterr, VG_E_BAD_ANSWER, "The host's picture cannot be converted: %s",
                 why);
    return -1;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next number of a pixmap's header, past blanks and comments; 0 when there is none.
 */
static uint32_t read_number(const uint8_t **p, const uint8_t *end)
{
    uint32_t value = 0;

    while (*p < end && (is_blank(**p) || **p == '#')) {
        bool comment = **p == '#';
        while (comment && *p < end && **p != '\n')
            (*p)++;
        *p += *p < end;
    }
    for (; *p < end && **p >= '0' && **p <= '9' && value < UINT32_MAX / 100; (*p)++)
        value = value * 10 + (uint32_t)(**p - '0');
    return value;
}

/* Whether rows of that size fit into `max` bytes. */
static bool fits(uint32_t width, uint32_t height, size_t max)
{
    return width && height && width <= max / 3 / height;
}

/* "P6", width, height, 255, one blank, then the rows. */
static int read_pixmap(const uint8_t *data, size_t n, size_t max, struct pixels *ret,
                       struct vg_error *reterr)
{
    const uint8_t *p = data + 2, *end = data + n;

    ret->width = read_number(&p, end);
    ret->height = read_number(&p, end);
    if (read_number(&p, end) != 255 || p == end || !is_blank(*p))
        return fail(reterr, "it is no pixmap of one byte for a colour");
    if (!fits(ret->width, ret->height, max))
        return fail(reterr, "it has no size or a too large one");
    p++;
    if ((size_t)(end - p) < (size_t)ret->width * ret->height * 3)
        return fail(reterr, "it ends too early");
    ret->data = p;
    return 0;
}

static int read_png(const void *data, size_t n, size_t max, struct pixels *ret,
                    struct vg_error *reterr)
{
    png_image image = {.version = PNG_IMAGE_VERSION};

    if (!png_image_begin_read_from_memory(&image, data, n))
        return fail(reterr, image.message);
    image.format = PNG_FORMAT_RGB;
    if (!fits(image.width, image.height, max)) {
        png_image_free(&image);
        return fail(reterr, "it has no size or a too large one");
    }
    ret->width = image.width;
    ret->height = image.height;
    ret->owned = malloc(PNG_IMAGE_SIZE(image));
    ret->data = ret->owned;
    if (!ret->owned) {
        png_image_free(&image);
        return vg_error_set_memory(reterr);
    }
    if (!png_image_finish_read(&image, NULL, ret->owned, 0, NULL))
        return fail(reterr, image.message);
    return 0;
}

static int write_pixmap(const struct pixels *pixels, void **ret, size_t *ret_n,
                        struct vg_error *reterr)
{
    char head[40];
    size_t n = (size_t)pixels->width * pixels->height * 3;
    size_t head_n = (size_t)snprintf(head, sizeof(head), "P6\n%u %u\n255\n",
                                     pixels->width, pixels->height);
    char *out = malloc(head_n + n);

    if (!out)
        return vg_error_set_memory(reterr);
    memcpy(out, head, head_n);
    memcpy(out + head_n, pixels->data, n);
    *ret = out;
    *ret_n = head_n + n;
    return 0;
}

static int write_png(const struct pixels *pixels, void **ret, size_t *ret_n,
                     struct vg_error *reterr)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = pixels->width,
                       .height = pixels->height,
                       .format = PNG_FORMAT_RGB,
                       .flags = PNG_IMAGE_FLAG_FAST};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    vg_autofree void *out = malloc(size);

    if (!out)
        return vg_error_set_memory(reterr);
    if (!png_image_write_to_memory(&image, out, &size, 0, pixels->data, 0, NULL))
        return fail(reterr, image.message);
    void *fitting = realloc(out, size);
    *ret = fitting ? fitting : out;
    out = NULL;
    *ret_n = size;
    return 0;
}

int vg_image_convert(const void *picture, size_t n, const char *type, size_t max,
                     void **ret, size_t *ret_n, struct vg_error *reterr)
{
    auto_pixels pixels = {0};
    bool pixmap = n > 2 && memcmp(picture, "P6", 2) == 0;
    int read = pixmap ? read_pixmap(picture, n, max, &pixels, reterr)
                      : read_png(picture, n, max, &pixels, reterr);

    if (read < 0)
        return -1;
    return strcmp(type, "image/png") == 0 ? write_png(&pixels, ret, ret_n, reterr)
                                          : write_pixmap(&pixels, ret, ret_n, reterr);
}
