/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/used_by.h.
 */
#include "virtgate/used_by.h"

#include "server/core/request.h"
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
    return name ? name : vg_json_inner(device, "mac", "@address");
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

/* The devices of a guest's document that may use something; owned. One that has gone
 * meanwhile has none. NULL: out of memory. */
static json_t *read_devices(virDomainPtr dom, unsigned int flags)
{
    static const char *const kinds[] = {"disk", "filesystem", "interface"};
    struct vg_error ignored = {0};
    vg_autofree char *xml = virDomainGetXMLDesc(dom, flags);
    json_auto_t *document = xml ? vg_xml_to_json(xml, &ignored) : NULL;
    const json_t *all = vg_json_inner(document, "domain", "devices");
    json_t *devices = json_array();

    vg_error_clear(&ignored);
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        json_t *of_kind = json_object_get(all, kinds[k]);
        if (devices && of_kind && json_array_extend(devices, of_kind) < 0)
            json_decref(vg_take(&devices));
    }
    virResetLastError();
    return devices;
}

/* Adds the names of those that use it; whether there are any. */
static bool find_in(const json_t *devices, const struct vg_use *use, json_t *names)
{
    bool found = false;
    json_t *device;
    size_t i;

    json_array_foreach (devices, i, device) {
        if (!uses(device, use))
            continue;
        found = true;
        if (name_of(device))
            add_name(names, name_of(device));
    }
    return found;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(virDomainGetName(*(const virDomainPtr *)a),
                  virDomainGetName(*(const virDomainPtr *)b));
}

static int add_guest(json_t *guests, virDomainPtr dom)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    json_t *next = virDomainIsActive(dom) == 1
                       ? read_devices(dom, VIR_DOMAIN_XML_INACTIVE)
                       : json_array();

    virDomainGetUUIDString(dom, uuid);
    return json_array_append_new(
        guests, json_pack("{s:s, s:s, s:o, s:o}", "name", virDomainGetName(dom), "uuid",
                          uuid, "now", read_devices(dom, 0), "next", next));
}

/* The host's guests, those that the caller does not see where they are `hidden`, too; a
 * new reference. NULL: libvirt's last error, or out of memory. */
static json_t *read_guests(struct vg_request *rq, bool hidden)
{
    vg_autolist(domain) list = {0};
    json_auto_t *guests = json_array();

    list.n = virConnectListAllDomains(vg_conn(rq), &list.v, 0);
    if (list.n < 0)
        return NULL;
    if (list.n)
        qsort(list.v, (size_t)list.n, sizeof(*list.v), compare_names);
    for (int i = 0; i < list.n; i++)
        if ((hidden || vg_sees_domain(rq, virDomainGetName(list.v[i]))) &&
            add_guest(guests, list.v[i]) < 0)
            return NULL;
    return vg_take(&guests);
}

/* Those that the caller may see, read once for all of an answer; borrowed. */
static const json_t *guests_of(struct vg_request *rq)
{
    return rq->guests ? rq->guests : (rq->guests = read_guests(rq, false));
}

static void write_guest(struct vg_json *w, const json_t *guest, const struct vg_use *use)
{
    json_auto_t *names = json_array();
    bool now = find_in(json_object_get(guest, "now"), use, names);
    bool next = find_in(json_object_get(guest, "next"), use, names);

    if (!now && !next)
        return;
    vg_json_begin_object(w, NULL);
    vg_json_string(w, "name", json_string_value(json_object_get(guest, "name")));
    vg_json_string(w, "uuid", json_string_value(json_object_get(guest, "uuid")));
    vg_json_value(w, "devices", names);
    vg_json_end_object(w);
}

int vg_write_used_by(struct vg_request *rq, struct vg_json *w, const struct vg_use *use)
{
    if (!vg_request_may(rq, "connect:search_domains domain:getattr domain:read"))
        return 0;
    const json_t *guests = guests_of(rq);
    const json_t *guest;
    size_t i;

    if (!guests)
        return -1;
    vg_json_begin_array(w, "usedBy");
    json_array_foreach (guests, i, guest)
        write_guest(w, guest, use);
    vg_json_end_array(w);
    return 0;
}

/* ---- a volume that is to be written, or deleted ------------------------------------ */

/* Guests that the caller does not see count here, but have no name. */

struct volume_use {
    struct vg_use use;
    virStoragePoolPtr pool; /* owned, as is the next */
    char *path;
};

static void clear_volume_use(struct volume_use *u)
{
    if (u->pool)
        virStoragePoolFree(u->pool);
    free(u->path);
}

/* -1: the request's error is set. */
static int read_volume_use(struct vg_request *rq, virStorageVolPtr volume,
                           struct volume_use *ret)
{
    ret->pool = virStoragePoolLookupByVolume(volume);
    ret->path = ret->pool ? virStorageVolGetPath(volume) : NULL;
    if (!ret->path)
        return vg_error_set_virt(vg_request_error(rq));
    ret->use = (struct vg_use){.pool = virStoragePoolGetName(ret->pool),
                               .volume = virStorageVolGetName(volume),
                               .path = ret->path,
                               .key = virStorageVolGetKey(volume)};
    return 0;
}

/* -1: out of memory, the request's error is set. */
static int tell_guest(struct vg_request *rq, const char *name, char **ret)
{
    *ret = strdup(vg_domain_shown(rq, name));
    return *ret ? 0 : vg_error_set_memory(vg_request_error(rq));
}

int vg_volume_running_guest(struct vg_request *rq, virStorageVolPtr volume, char **ret)
{
    VG_CLEANUP(clear_volume_use) struct volume_use u = {0};
    vg_autolist(domain) list = {0};

    *ret = NULL;
    if (read_volume_use(rq, volume, &u) < 0)
        return -1;
    list.n =
        virConnectListAllDomains(vg_conn(rq), &list.v, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (list.n < 0)
        return vg_error_set_virt(vg_request_error(rq));
    for (int i = 0; i < list.n; i++) {
        json_auto_t *names = json_array();
        json_auto_t *devices = read_devices(list.v[i], 0);
        if (find_in(devices, &u.use, names))
            return tell_guest(rq, virDomainGetName(list.v[i]), ret);
    }
    return 0;
}

/* The guest's name where it is another than `dom` and uses the volume; borrowed. */
static const char *name_other(const json_t *guest, virDomainPtr dom,
                              const struct vg_use *use)
{
    const char *name = json_string_value(json_object_get(guest, "name"));
    json_auto_t *devices = json_array();

    if (strcmp(name, virDomainGetName(dom)) == 0)
        return NULL;
    return find_in(json_object_get(guest, "now"), use, devices) ||
                   find_in(json_object_get(guest, "next"), use, devices)
               ? name
               : NULL;
}

int vg_volumes_other_guest(struct vg_request *rq, const virStorageVolPtr *volumes, int n,
                           virDomainPtr dom, int *ret_which, char **ret)
{
    json_auto_t *guests = n ? read_guests(rq, true) : NULL;
    const json_t *guest;
    size_t i;

    *ret = NULL;
    if (n && !guests)
        return vg_error_set_virt(vg_request_error(rq));
    for (*ret_which = 0; *ret_which < n; ++*ret_which) {
        VG_CLEANUP(clear_volume_use) struct volume_use u = {0};
        if (read_volume_use(rq, volumes[*ret_which], &u) < 0)
            return -1;
        json_array_foreach (guests, i, guest) {
            const char *name = name_other(guest, dom, &u.use);
            if (name)
                return tell_guest(rq, name, ret);
        }
    }
    return 0;
}
