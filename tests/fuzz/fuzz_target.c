/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The request target as received: segments, query, router, arguments.
 */
#include "fuzz.h"

#include "server/core/router.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>

static const struct vg_route route = {
    VG_GET, "/domains/{domain}",    "get",
    NULL,   .needs = "domain:read", .takes = VG_TAKES_ARGS};

static void check_segment(const char *segment)
{
    vg_autofree char *encoded = vg_percent_encode(segment);
    vg_autofree char *target = NULL;
    if (asprintf(&target, "/x%s", encoded) < 0)
        abort();
    struct vg_request *again = vg_request_new();
    MUST(vg_request_parse_target(again, target) == 0);
    MUST(again->n_segments == 1 && strcmp(again->segments[0] + 1, segment) == 0);
    vg_request_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int built = -1;
    if (built < 0)
        built = vg_router_build(vg_route_tables);
    vg_autofree char *target = fuzz_text(data, size);
    struct vg_request *rq = vg_request_new();
    rq->method = VG_GET;
    rq->method_name = "GET";
    rq->route = &route;
    if (vg_request_parse_target(rq, target) == 0) {
        for (unsigned int i = 0; i < rq->n_segments; i++)
            check_segment(rq->segments[i]);
        const char *allow = NULL;
        const struct vg_route *row =
            vg_router_find(VG_GET, rq->segments, rq->n_segments, &allow, NULL);
        MUST(!row || allow);
        /* only what passed its table gets so far as to have a next page */
        if (vg_request_common_args(rq) == 0 && fuzz_args(rq) == 0) {
            struct vg_reply reply = vg_with_next(rq, vg_no_content(rq), target);
            MUST(!reply.link || strpbrk(target, "\r\n") || !strpbrk(reply.link, "\r\n"));
            vg_reply_clear(&reply);
        }
    }
    if (rq->error.status)
        fuzz_check_error(rq);
    vg_request_unref(rq);
    return 0;
}
