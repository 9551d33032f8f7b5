/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/domain/create.h. Capabilities are read in their JSON form.
 */
#include "server/libvirt/domain/create.h"

#include "virtgate/cleanup.h"
#include "virtgate/host.h"
#include "virtgate/xml_json.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

void vg_host_caps_clear(struct vg_host_caps *o)
{
    json_decref(o->caps);
    free(o->type);
    free(o->arch);
    free(o->os_type);
    free(o->machine);
    free(o->emulator);
    *o = (struct vg_host_caps){0};
}

/* ---- looking ----------------------------------------------------------------------- */

/* The values of one <enum>, an array; NULL: there is none. */
static const json_t *find_enum(const struct vg_host_caps *o, const char *group,
                               const char *device, const char *what)
{
    const json_t *at = json_object_get(o->caps, group), *item;
    size_t i;

    if (device)
        at = json_object_get(at, device);
    json_array_foreach (json_object_get(at, "enum"), i, item) {
        const char *name = json_string_value(json_object_get(item, "@name"));
        if (name && strcmp(name, what) == 0)
            return json_object_get(item, "value");
    }
    return NULL;
}

bool vg_host_caps_tells(const struct vg_host_caps *o, const char *group,
                        const char *device)
{
    const json_t *at = json_object_get(o->caps, group);
    return device ? json_object_get(at, device) : at;
}

bool vg_host_caps_has(const struct vg_host_caps *o, const char *group, const char *device,
                      const char *what, const char *value)
{
    const json_t *item;
    size_t i;

    json_array_foreach (find_enum(o, group, device, what), i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), value) == 0)
            return true;
    return false;
}

char *vg_host_caps_names(const struct vg_host_caps *o, const char *group,
                         const char *device, const char *what)
{
    char *names = NULL;
    size_t n = 0, i;
    FILE *out = open_memstream(&names, &n);
    const json_t *item;

    if (!out)
        return NULL;
    json_array_foreach (find_enum(o, group, device, what), i, item)
        fprintf(out, "%s%s", i ? ", " : "", json_string_value(item));
    fclose(out);
    return names;
}

bool vg_host_caps_has_cpu(const struct vg_host_caps *o, const char *mode)
{
    const json_t *cpu = json_object_get(o->caps, "cpu"), *item;
    const char *name, *supported;
    size_t i;

    json_array_foreach (json_object_get(cpu, "mode"), i, item) {
        if (json_unpack((json_t *)(uintptr_t)item, "{s:s, s:s}", "@name", &name,
                        "@supported", &supported) == 0 &&
            strcmp(name, mode) == 0)
            return strcmp(supported, "yes") == 0;
    }
    return false;
}

/* ---- asking ------------------------------------------------------------------------ */

static char *copy(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? strdup(text) : NULL;
}

/* -1: libvirt's error, which is the thread's last, or the request's. */
static int read_caps(struct vg_request *rq, const struct vg_new_domain *d,
                     const char *machine, struct vg_host_caps *ret)
{
    vg_autofree char *xml = virConnectGetDomainCapabilities(vg_conn(rq), NULL, d->arch,
                                                            machine, d->virt_type, 0);
    if (!xml)
        return vg_error_set_virt(vg_request_error(rq));
    json_auto_t *document = vg_xml_to_json(xml, vg_request_error(rq));
    if (!document)
        return -1;
    vg_host_caps_clear(ret);
    ret->caps = json_incref(json_object_get(document, "domainCapabilities"));
    ret->type = copy(ret->caps, "domain");
    ret->arch = copy(ret->caps, "arch");
    ret->machine = copy(ret->caps, "machine");
    ret->emulator = copy(ret->caps, "path");
    ret->os_type = strdup("hvm");
    const char *max = vg_json_inner_text(ret->caps, "vcpu", "@max");
    errno = 0;
    long long most = max ? strtoll(max, NULL, 10) : 0;
    ret->max_vcpus = errno ? 0 : most;
    if (ret->type && (strcmp(ret->type, "kvm") == 0 || strcmp(ret->type, "qemu") == 0))
        ret->driver = "qemu";
    return 0;
}

/* The first kind of guest that the host names, of the wanted architecture. */
static int read_plain(struct vg_request *rq, const struct vg_new_domain *d,
                      struct vg_host_caps *ret)
{
    vg_autofree char *xml = virConnectGetCapabilities(vg_conn(rq));
    if (!xml)
        return vg_error_set_virt(vg_request_error(rq));
    json_auto_t *document = vg_xml_to_json(xml, vg_request_error(rq));
    const json_t *caps = json_object_get(document, "capabilities"), *guest;
    size_t i;

    if (!document)
        return -1;
    json_array_foreach (json_object_get(caps, "guest"), i, guest) {
        const json_t *arch = json_object_get(guest, "arch");
        const json_t *kind = json_array_get(json_object_get(arch, "domain"), 0);
        const char *name = json_string_value(json_object_get(arch, "@name"));
        const char *type = json_string_value(json_object_get(kind, "@type"));
        if (!name || !type || (d->arch && strcmp(d->arch, name) != 0) ||
            (d->virt_type && strcmp(d->virt_type, type) != 0))
            continue;
        ret->arch = strdup(name);
        ret->type = strdup(type);
        ret->os_type = copy(guest, "os_type");
        ret->machine = d->machine ? strdup(d->machine) : NULL;
        return 0;
    }
    vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                 "This host has no guests of these 'arch' and 'virtType'; "
                 "/connection/capabilities says which it has");
    return -1;
}

static bool wants_q35(const struct vg_new_domain *d, const struct vg_host_caps *o)
{
    return !d->machine && o->arch &&
           (strcmp(o->arch, "x86_64") == 0 || strcmp(o->arch, "i686") == 0) && o->driver;
}

int vg_host_caps_read(struct vg_request *rq, const struct vg_new_domain *d,
                      struct vg_host_caps *ret)
{
    struct vg_error *e = vg_request_error(rq);

    if (read_caps(rq, d, d->machine, ret) < 0) {
        if (!vg_error_is_virt(e, VIR_ERR_NO_SUPPORT))
            return -1;
        vg_error_clear(e);
        if (read_plain(rq, d, ret) < 0)
            return -1;
    }
    /* libvirt's default for x86 is a machine of 1996; where there is no q35, it stays */
    if (wants_q35(d, ret) && read_caps(rq, d, "q35", ret) < 0)
        vg_error_clear(e);
    if (ret->type && ret->arch && ret->os_type)
        return 0;
    vg_error_set(e, VG_E_INTERNAL, "The host's capabilities name no kind of guest");
    return -1;
}
