/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The token file, and the Authorization header against it: the input's first line.
 */
#include "fuzz.h"

#include "server/http/internal.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t n = end ? (size_t)(end - data) + 1 : 0;
    vg_autofree char *header = fuzz_text(data, n);
    char file[] = "tokens";
    const struct vg_config config = {.token_file = file};
    struct vg_http_conn conn = {.fd = -1};
    struct vg_http_call call = {.conn = &conn, .rq = vg_request_new()};

    int rc = vg_http_auth_load(fuzz_file(data + n, size - n));
    MUST(rc == 0 || rc == -1);
    header[strcspn(header, "\n")] = '\0';
    call.headers.authorization = header;
    enum vg_role role = vg_http_auth(&call, &config, NULL)->role;
    MUST(role <= VG_ROLE_ADMIN);
    MUST(memchr(call.rq->principal, '\0', sizeof(call.rq->principal)));
    MUST(role != VG_ROLE_NONE || !call.rq->principal[0]);
    vg_http_auth_free();
    vg_request_unref(call.rq);
    return 0;
}
