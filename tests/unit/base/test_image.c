/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/base/image.c: pixmaps and PNG, one into the other and back, and what is broken.
 */
#include "virtgate/image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PNG    "image/png"
#define PIXMAP "image/x-portable-pixmap"
#define ROOM   ((size_t)1 << 20)

/* Three by two: the colours, then greys. */
#define PIXELS "\xff\0\0\0\xff\0\0\0\xff\x10\x10\x10\x80\x80\x80\xf0\xf0\xf0"
#define WHOLE  "P6\n3 2\n255\n" PIXELS
/* Without the NUL that ends the literal. */
#define BYTES(text) (text), sizeof(text) - 1

static void test_there_and_back(void **state)
{
    void *png = NULL, *back = NULL;
    size_t png_n = 0, back_n = 0;
    struct vg_error e = {0};
    (void)state;

    assert_int_equal(vg_image_convert(BYTES(WHOLE), PNG, ROOM, &png, &png_n, &e), 0);
    assert_memory_equal(png, "\x89PNG", 4);
    assert_int_equal(vg_image_convert(png, png_n, PIXMAP, ROOM, &back, &back_n, &e), 0);
    assert_int_equal(back_n, sizeof(WHOLE) - 1);
    assert_memory_equal(back, WHOLE, back_n);
    free(png);
    free(back);
}

static void test_headers(void **state)
{
    static const struct {
        const char *data;
        size_t n;
    } good[] = {
        {BYTES("P6 3 2 255 " PIXELS)},
        {BYTES("P6\n# made by a screen\n3 2\n#\n255\n" PIXELS)},
        {BYTES("P6\r\n3\t2\r\n255\r" PIXELS)},
        {BYTES("P6\n3 2\n255\n" PIXELS "and more")},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        void *out = NULL;
        size_t n = 0;
        struct vg_error e = {0};
        assert_int_equal(
            vg_image_convert(good[i].data, good[i].n, PIXMAP, ROOM, &out, &n, &e), 0);
        assert_int_equal(n, sizeof(WHOLE) - 1);
        assert_memory_equal(out, WHOLE, n);
        free(out);
    }
}

static void test_broken(void **state)
{
    static const struct {
        const char *data;
        size_t n;
    } broken[] = {
        {BYTES("")},
        {BYTES("P6")},
        {BYTES("P6\n")},
        {BYTES("P6\n#")},
        {BYTES("P6\n3 2\n255")},
        {BYTES("P6\n3 2\n255\n\xff\0\0")},
        {BYTES("P6\n0 2\n255\n" PIXELS)},
        {BYTES("P6\n3 2\n65535\n" PIXELS PIXELS)},
        {BYTES("P6\n3 -2\n255\n" PIXELS)},
        {BYTES("P6\n4294967299 2\n255\n" PIXELS)},
        {BYTES("P6\n40000 40000\n255\n" PIXELS)},
        {BYTES("P5\n3 2\n255\n" PIXELS)},
        {BYTES("GIF89a")},
        {BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIHDR")},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        void *out = NULL;
        size_t n = 0;
        struct vg_error e = {0};
        assert_int_equal(
            vg_image_convert(broken[i].data, broken[i].n, PNG, ROOM, &out, &n, &e), -1);
        assert_null(out);
        assert_int_equal(e.status, 502);
        vg_error_clear(&e);
    }
}

/* A small PNG may unpack to a large picture. */
static void test_limit(void **state)
{
    void *png = NULL, *out = NULL;
    size_t png_n = 0, n = 0;
    struct vg_error e = {0};
    (void)state;

    assert_int_equal(vg_image_convert(BYTES(WHOLE), PNG, 18, &png, &png_n, &e), 0);
    assert_int_equal(vg_image_convert(png, png_n, PIXMAP, 18, &out, &n, &e), 0);
    free(out);
    out = NULL;
    assert_int_equal(vg_image_convert(png, png_n, PIXMAP, 17, &out, &n, &e), -1);
    assert_null(out);
    assert_non_null(strstr(e.detail, "too large"));
    vg_error_clear(&e);
    /* cut anywhere, it is refused or complete, never read beyond */
    for (size_t cut = 0; cut < png_n; cut++) {
        char *part = malloc(cut ? cut : 1);
        assert_non_null(part);
        memcpy(part, png, cut);
        if (vg_image_convert(part, cut, PIXMAP, ROOM, &out, &n, &e) == 0)
            free(out);
        vg_error_clear(&e);
        free(part);
    }
    free(png);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
