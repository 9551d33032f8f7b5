/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/used_by.h.
 */
#include "virtgate/used_by.h"

#include "virtgate/autoptr.h"
#include "virtgate/host.h"
#include "virtgate/scope.h"
#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

static bool is_text(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value && text && strcmp(value, text) == 0;
}

/* Whether the text names the volume, or what is below the pool's folder. */
static bool leads_to(const char *text, const struct vg_use *use)
{
    size_t n = use->path ? strlen(use->path) : 0;

    if (!text)
        return false;
    if (use->key && strcmp(text, use->key) == 0)
        return true;
    return n && strncmp(text, use->path, n) == 0 &&
           (text[n] == '\0' || (!use->volume && text[n] == '/'));
}

static bool is_source_of(const json_t *source, const struct vg_use *use)
{
    static const char *const names[] = {"@file", "@dev", "@dir", "@name"};

    if (use->network)
        return is_text(source, "@network", use->network);
    if (is_text(source, "@pool", use->pool) &&
        (!use->volume || is_text(source, "@volume", use->volume)))
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (leads_to(json_string_value(json_object_get(source, names[i])), use))
            return true;
    return false;
}

/* Whether it is the source of the device, of one of its backing stores, of its mirror. */
static bool uses(json_t *device, const struct vg_use *use)
{
    const char *name;
    json_t *member;
    size_t i;

    if (is_source_of(json_object_get(device, "source"), use))
        return true;
    json_object_foreach (device, name, member)
        if (uses(member, use))
            return true;
    json_array_foreach (device, i, member)
        if (uses(member, use))
            return true;
    return false;
}

/* What the device is called: its target, or an interface's address. */
static json_t *name_of(const json_t *device)
{
    const json_t *target = json_object_get(device, "target");
    json_t *name = json_object_get(target, "@dev");

    if (!name)
        name = json_object_get(target, "@dir");
    return name ? name : json_object_get(json_object_get(device, "mac"), "@address");
}

static void add_name(json_t *names, json_t *name)
{
    json_t *known;
    size_t i;

    json_array_foreach (names, i, known)
        if (json_equal(known, name))
            return;
    json_array_append(names, name);
}

/* Adds the devices of one of the guest's documents; whether there are any. */
static bool find_in(virDomainPtr dom, unsigned int flags, const struct vg_use *use,
                    json_t *names)
{
    static const char *const kinds[] = {"disk", "filesystem", "interface"};
    struct vg_error ignored = {0};
    vg_autofree char *xml = virDomainGetXMLDesc(dom, flags);
    json_auto_t *document = xml ? vg_xml_to_json(xml, &ignored) : NULL;
    const json_t *devices =
        json_object_get(json_object_get(document, "domain"), "devices");
    bool found = false;
    json_t *device;
    size_t i;

    vg_error_clear(&ignored);
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        json_array_foreach (json_object_get(devices, kinds[k]), i, device) {
            if (!uses(device, use))
                continue;
            found = true;
            if (name_of(device))
                add_name(names, name_of(device));
        }
    }
    return found;
}

static void write_guest(struct vg_json *w, virDomainPtr dom, const struct vg_use *use)
{
    json_auto_t *names = json_array();
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    bool now = find_in(dom, 0, use, names);
    bool next =
        virDomainIsActive(dom) == 1 && find_in(dom, VIR_DOMAIN_XML_INACTIVE, use, names);

    virResetLastError(); /* one that has gone meanwhile uses nothing */
    if (!now && !next)
        return;
    virDomainGetUUIDString(dom, uuid);
    vg_json_begin_object(w, NULL);
    vg_json_string(w, "name", virDomainGetName(dom));
    vg_json_string(w, "uuid", uuid);
    vg_json_value(w, "devices", names);
    vg_json_end_object(w);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(virDomainGetName(*(const virDomainPtr *)a),
                  virDomainGetName(*(const virDomainPtr *)b));
}

int vg_write_used_by(struct vg_request *rq, struct vg_json *w, const struct vg_use *use)
{
    if (!vg_request_may(rq, "connect:search_domains domain:getattr domain:read"))
        return 0;
    vg_autolist(domain) list = {0};
    list.n = virConnectListAllDomains(vg_conn(rq), &list.v, 0);
    if (list.n < 0)
        return -1;
    if (list.n)
        qsort(list.v, (size_t)list.n, sizeof(*list.v), compare_names);
    vg_json_begin_array(w, "usedBy");
    for (int i = 0; i < list.n; i++)
        if (vg_sees_domain(rq, virDomainGetName(list.v[i])))
            write_guest(w, list.v[i], use);
    vg_json_end_array(w);
    return 0;
}

/* -1: the request's error is set. */
static int find_running(struct vg_request *rq, const struct vg_use *use, char **ret)
{
    vg_autolist(domain) list = {0};

    list.n =
        virConnectListAllDomains(vg_conn(rq), &list.v, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (list.n < 0)
        return vg_error_set_virt(vg_request_error(rq));
    for (int i = 0; i < list.n && !*ret; i++) {
        json_auto_t *names = json_array();
        if (find_in(list.v[i], 0, use, names))
            *ret = strdup(virDomainGetName(list.v[i]));
    }
    virResetLastError(); /* one that has gone meanwhile uses nothing */
    return 0;
}

int vg_volume_running_guest(struct vg_request *rq, virStorageVolPtr volume, char **ret)
{
    vg_autoptr(virStoragePool) pool = virStoragePoolLookupByVolume(volume);
    vg_autofree char *path = pool ? virStorageVolGetPath(volume) : NULL;

    *ret = NULL;
    if (!path)
        return vg_error_set_virt(vg_request_error(rq));
    const struct vg_use use = {.pool = virStoragePoolGetName(pool),
                               .volume = virStorageVolGetName(volume),
                               .path = path,
                               .key = virStorageVolGetKey(volume)};
    return find_running(rq, &use, ret);
}
