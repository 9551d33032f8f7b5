/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The emulators that a host names: libvirt runs whatever program it is given as one, to
 * ask it what it can do.
 */
#include "virtgate/cleanup.h"
#include "virtgate/host.h"
#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>
#include <string.h>

/* Adds the text of each <emulator>, at any depth, once. */
static void collect(const json_t *node, json_t *found)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_array(node)) {
        json_array_foreach (node, i, value)
            collect(value, found);
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)node, key, value) {
        if (strcmp(key, "emulator") == 0 && json_is_string(value))
            json_object_set(found, json_string_value(value), value);
        else
            collect(value, found);
    }
}

/* "a, b"; owned by the caller. NULL: out of memory. */
static char *list_names(const json_t *found)
{
    char *names = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&names, &n);
    const char *key, *between = "";
    json_t *value;

    if (!out)
        return NULL;
    json_object_foreach ((json_t *)(uintptr_t)found, key, value) {
        fprintf(out, "%s%s", between, key);
        between = ", ";
    }
    fclose(out);
    return names;
}

int vg_emulator_check(struct vg_request *rq, const char *emulator)
{
    struct vg_error *e = vg_request_error(rq);
    vg_autofree char *xml = virConnectGetCapabilities(vg_conn(rq));
    if (!xml)
        return vg_error_set_virt(e);
    json_auto_t *caps = vg_xml_to_json(xml, e);
    json_auto_t *found = json_object();
    if (!caps)
        return -1;
    collect(caps, found);
    if (json_object_get(found, emulator))
        return 0;
    vg_autofree char *names = list_names(found);
    if (!names || vg_json_lost_memory())
        return vg_error_set_memory(e);
    vg_error_set(e, VG_E_INVALID_VALUE,
                 "'emulator' is '%.200s', which this host does not name; accepted: %s",
                 emulator, *names ? names : "none, it names no emulator");
    return -1;
}
