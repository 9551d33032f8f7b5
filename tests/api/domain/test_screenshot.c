/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/screenshot.c: the picture as the test driver gives it (PNG), converted,
 * and what Accept asks for.
 */
#include "tests/harness/steps.h"

#include <string.h>

#define SHOT "/domains/test/screenshot"
#define PNG  "Content-Type: image/png"
#define PPM  "Content-Type: image/x-portable-pixmap"

static const struct step rows[] = {
    {"GET", SHOT, 200, NULL, .wants = {PNG, "ETag: *", "Vary: *Accept*"}},
    {"GET", SHOT "?screen=0", 200, NULL, .wants = {PNG}},
    {"HEAD", SHOT, 200, "", .wants = {PNG}},
    {"GET", SHOT, 200, NULL, .headers = {"Accept: */*"}, .wants = {PNG}},
    {"GET", SHOT, 200, NULL, .headers = {"Accept: image/png"}, .wants = {PNG}},
    {"GET", SHOT, 200, NULL, .headers = {"Accept: image/*"}, .wants = {PNG}},
    /* what a browser sends for a picture */
    {"GET", SHOT, 200, NULL, .headers = {"Accept: image/avif,image/webp,*/*;q=0.8"},
     .wants = {PNG}},
    {"GET", SHOT, 200, NULL,
     .headers = {"Accept: image/png;q=0.5, image/x-portable-pixmap"}, .wants = {PPM}},
    {"GET", SHOT, 406, GATEWAY("not-acceptable"), .headers = {"Accept: application/json"},
     .contains = "*image/png*"},
    {"GET", SHOT, 406, GATEWAY("not-acceptable"), .headers = {"Accept: image/png;q=0"}},
    {"GET", SHOT "?screen=-1", 400, GATEWAY("invalid-value")},
    {"GET", SHOT "?screen=one", 400, GATEWAY("invalid-value")},
    {"GET", SHOT "?head=1", 400, GATEWAY("unknown-key"), .contains = "*screen*"},
    {"GET", "/domains/nosuch/screenshot", 404, LIBVIRT("NO_DOMAIN")},
    {"POST", SHOT, 405, GATEWAY("method-not-allowed")},
};

/* The two forms hold the same picture: what a viewer would show. */
static void test_bytes(struct scenario *s)
{
    const char *const ppm_only[] = {"Accept: image/x-portable-pixmap", NULL};
    struct response *png = scenario_send(s, "GET", SHOT, NULL, NULL);
    struct response *ppm = scenario_send(s, "GET", SHOT, ppm_only, NULL);
    unsigned int width = 0, height = 0;

    check_that(png->body_len > 24 && memcmp(png->body, "\x89PNG\r\n\x1a\n", 8) == 0,
               "%zu bytes of no PNG", png->body_len);
    for (size_t i = 0; png->body_len > 24 && i < 4; i++) {
        width = width << 8 | (unsigned char)png->body[16 + i];
        height = height << 8 | (unsigned char)png->body[20 + i];
    }
    char head[64];
    int n = snprintf(head, sizeof(head), "P6\n%u %u\n255\n", width, height);
    check_that(ppm->body_len == (size_t)n + (size_t)width * height * 3 &&
                   memcmp(ppm->body, head, (size_t)n) == 0,
               "%zu bytes of no pixmap of %u x %u", ppm->body_len, width, height);
    response_free(ppm);
    response_free(png);
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "screenshot", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        test_bytes(&s);
        scenario_end(&s);
    }
    return checks_report();
}
