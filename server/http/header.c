/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/http/header.h"

/* An answer without one of its fields (Content-Encoding, say) is another answer: without
 * memory for it, it is not sent. */
void vg_http_add_header(struct MHD_Response **response, const char *name,
                        const char *value)
{
    if (!*response || !value ||
        MHD_add_response_header(*response, name, value) == MHD_YES)
        return;
    MHD_destroy_response(*response);
    *response = NULL;
}
