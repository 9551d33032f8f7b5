/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A JSON request body and the arguments in it.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

static const struct vg_route route = {
    VG_POST, "/domains/{domain}/start", "start",
    NULL,    .needs = "domain:write",   .takes = VG_TAKES_ARGS};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vg_request *rq = vg_request_new();
    MUST(vg_request_parse_target(rq, "/domains/vm/start?yes=true") == 0);
    rq->method = VG_POST;
    rq->method_name = "POST";
    rq->route = &route;
    rq->body_kind = VG_BODY_JSON;
    rq->body = fuzz_text(data, size);
    rq->body_length = size;
    if (vg_request_parse_body(rq) == 0) {
        MUST(size == 0 || json_is_object(rq->json));
        (void)fuzz_args(rq);
    }
    if (rq->error.status)
        fuzz_check_error(rq);
    vg_request_unref(rq);
    return 0;
}
