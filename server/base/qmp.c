/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/qmp.h.
 */
#include "virtgate/qmp.h"

#include "virtgate/cleanup.h"

#include <string.h>

char *vg_qmp_command(struct vg_request *rq, const char *execute, json_t *arguments)
{
    if (arguments && !json_is_object(arguments)) {
        vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                     "Body member 'arguments': an object is accepted");
        return NULL;
    }
    json_auto_t *command =
        json_pack("{s:s, s:O*}", "execute", execute, "arguments", arguments);
    char *text = command ? json_dumps(command, JSON_COMPACT) : NULL;
    if (!text)
        vg_error_set_memory(vg_request_error(rq));
    return text;
}

/* A guest may send what is no UTF-8, so it is repaired first. What jansson cannot read
 * even then is a number beyond 64 bits signed; libvirt wrote the text, so it is JSON, and
 * goes out as it is. */
struct vg_reply vg_qmp_reply(struct vg_request *rq, char *answer_steal)
{
    vg_autofree char *answer = answer_steal;
    json_auto_t *repaired = answer ? vg_json_text(answer) : NULL;
    json_error_t at;

    if (!repaired)
        return vg_ok(rq, NULL);
    (void)vg_json_lost_memory();
    json_auto_t *tree =
        json_loadb(json_string_value(repaired), json_string_length(repaired), 0, &at);
    if (vg_json_lost_memory())
        return vg_ok(rq, NULL);
    if (tree)
        return vg_ok(rq, vg_take(&tree));
    return vg_ok_text(rq, "application/json", strdup(json_string_value(repaired)));
}
