/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pictures from hosts: whatever the bytes are, they are refused with a reason, or become
 * a pixmap; and by the way of PNG the same pixmap.
 */
#include "fuzz.h"

#include "virtgate/cleanup.h"
#include "virtgate/image.h"

#include <string.h>

#define PIXMAP "image/x-portable-pixmap"
#define ROOM   ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vg_error e = {0};
    vg_autofree void *pixmap = NULL;
    vg_autofree void *png = NULL;
    vg_autofree void *again = NULL;
    size_t pixmap_n = 0, png_n = 0, again_n = 0;

    if (vg_image_convert(data, size, PIXMAP, ROOM, &pixmap, &pixmap_n, &e) < 0) {
        MUST(e.status && e.detail && !pixmap);
        vg_error_clear(&e);
        return 0;
    }
    MUST(pixmap_n >= 14 && memcmp(pixmap, "P6\n", 3) == 0);
    MUST(vg_image_convert(pixmap, pixmap_n, "image/png", ROOM, &png, &png_n, &e) == 0);
    MUST(vg_image_convert(png, png_n, PIXMAP, ROOM, &again, &again_n, &e) == 0);
    MUST(again_n == pixmap_n && memcmp(again, pixmap, again_n) == 0);
    return 0;
}
