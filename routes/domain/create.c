/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * POST /domains: a new domain from libvirt's XML, from the same document in JSON, or from
 * a short form that the host's capabilities complete; or only the XML it would be.
 */
#include "routes/domain/create_from_image.h"
#include "routes/routes.h"
#include "routes/storage/new_volume.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/domain.h"
#include "virtgate/domain_config.h"
#include "virtgate/domain_create.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/operation.h"
#include "virtgate/scope.h"
#include "virtgate/xml.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

#define MAX_MEMORY (INT64_C(1) << 54) /* bytes; libvirt counts in KiB */
#define MAX_VCPUS  65535
#define ALL        (VG_DOMAIN_EVERYTHING | VG_DOMAIN_SENDABLE)

static const struct vg_enum_value device_names[] = {{"disk", NULL, VG_NEW_DISK},
                                                    {"cdrom", NULL, VG_NEW_CDROM}};
static const struct vg_enum devices = {"devices", device_names, 2};
static const struct vg_enum_value graphics_names[] = {{"none", NULL, VG_NEW_NO_GRAPHICS},
                                                      {"vnc", NULL, VG_NEW_VNC},
                                                      {"spice", NULL, VG_NEW_SPICE}};
static const struct vg_enum graphics = {"graphics", graphics_names, 3};
static const struct vg_enum_value firmware_names[] = {{"bios", NULL, VG_NEW_BIOS},
                                                      {"efi", NULL, VG_NEW_EFI}};
static const struct vg_enum firmwares = {"firmware", firmware_names, 2};

/* What a request may give; one of the first three, or the short form. */
struct form {
    const char *xml;
    json_t *domain;
    json_t *disks, *interfaces, *boot;
    struct vg_size memory, max_memory;
    const char *network; /* of the one interface */
    int console;         /* -1: not given */
    bool short_form;
    struct vg_guest guest;
    struct vg_new_domain made;
};

static const struct form empty_form = {.console = -1,
                                       .memory = VG_SIZE,
                                       .max_memory = VG_SIZE,
                                       .made = {.graphics = -1},
                                       .guest = {.copies = -1}};

static void clear_form(struct form *f)
{
    vg_guest_clear(&f->guest);
}

/* ---- the parts of the short form --------------------------------------------------- */

static bool names_volume(const char *text)
{
    const char *slash = strchr(text, '/');
    return slash && slash != text && slash[1];
}

static int read_disk(struct vg_request *rq, const char *where, json_t *item,
                     struct vg_new_disk *disk)
{
    const struct vg_field fields[] = {
        VG_TEXT("volume", &disk->volume),
        VG_TEXT("path", &disk->path),
        VG_TEXT("format", &disk->format),
        VG_ONE_OF("device", &disk->device, &devices),
        VG_BOOL("readOnly", &disk->read_only),
        VG_END,
    };

    if (vg_args_object(rq, where, item, fields) < 0)
        return -1;
    if (!disk->volume == !disk->path)
        return vg_args_fail_member(rq, where, "one of 'volume' and 'path'");
    if (disk->volume && !names_volume(disk->volume))
        return vg_args_fail_member(rq, where, "a 'volume' as POOL/VOLUME");
    if (disk->path && disk->path[0] != '/')
        return vg_args_fail_member(rq, where, "an absolute 'path'");
    return 0;
}

static int read_interface(struct vg_request *rq, const char *where, json_t *item,
                          struct vg_new_interface *nic)
{
    const struct vg_field fields[] = {
        VG_TEXT("network", &nic->network), VG_TEXT("bridge", &nic->bridge),
        VG_TEXT("mac", &nic->mac), VG_TEXT("model", &nic->model), VG_END};

    if (vg_args_object(rq, where, item, fields) < 0)
        return -1;
    if (!nic->network == !nic->bridge)
        return vg_args_fail_member(rq, where, "one of 'network' and 'bridge'");
    if (nic->mac && !vg_is_mac(nic->mac))
        return vg_args_fail_member(rq, where, "a 'mac' like 52:54:00:12:34:56");
    return 0;
}

static int read_boot(struct vg_request *rq, const char *where, json_t *item,
                     const char **ret)
{
    static const char *const known[] = {"hd", "cdrom", "network", "fd"};
    const char *name = json_string_value(item);
    for (size_t i = 0; name && i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(name, known[i]) == 0) {
            *ret = known[i];
            return 0;
        }
    }
    return vg_args_fail_member(rq, where, "hd, cdrom, network or fd");
}

static int check_list(struct vg_request *rq, const char *name, const json_t *list,
                      size_t most)
{
    char accepted[48];
    snprintf(accepted, sizeof(accepted), "an array of at most %zu items", most);
    if (list && (!json_is_array(list) || json_array_size(list) > most))
        return vg_args_fail_member(rq, name, accepted);
    return 0;
}

static int read_lists(struct vg_request *rq, struct form *f)
{
    struct vg_new_domain *d = &f->made;
    char where[32];
    json_t *item;
    size_t i;

    if (check_list(rq, "disks", f->disks, VG_NEW_MAX_DISKS) < 0 ||
        check_list(rq, "interfaces", f->interfaces, VG_NEW_MAX_INTERFACES) < 0 ||
        check_list(rq, "boot", f->boot, VG_NEW_MAX_BOOT) < 0)
        return -1;
    json_array_foreach (f->disks, i, item) {
        snprintf(where, sizeof(where), "disks/%zu", i);
        if (read_disk(rq, where, item, &d->disks[d->n_disks++]) < 0)
            return -1;
    }
    json_array_foreach (f->interfaces, i, item) {
        snprintf(where, sizeof(where), "interfaces/%zu", i);
        if (read_interface(rq, where, item, &d->interfaces[d->n_interfaces++]) < 0)
            return -1;
    }
    if (f->network)
        d->interfaces[d->n_interfaces++].network = f->network;
    json_array_foreach (f->boot, i, item) {
        snprintf(where, sizeof(where), "boot/%zu", i);
        if (read_boot(rq, where, item, &d->boot[d->n_boot]) < 0)
            return -1;
        for (size_t k = 0; k < d->n_boot; k++)
            if (d->boot[k] == d->boot[d->n_boot]) /* the table's own text */
                return vg_args_fail_member(rq, where, "each device once");
        d->n_boot++;
    }
    return 0;
}

/* libvirt counts in KiB, and rounds up. -1: the request's error is set. */
static int read_memory(struct vg_request *rq, const char *name,
                       const struct vg_size *size, int64_t *ret_kib)
{
    if (vg_size_check(rq, name, size, false) < 0)
        return -1;
    if (vg_size_is_given(size))
        *ret_kib = (int64_t)((vg_size_bytes(size) + 1023) >> 10);
    return 0;
}

/* What libvirt would refuse, said before anything is asked of it, and by ?dryRun= too. */
static int check_texts(struct vg_request *rq, const struct vg_new_domain *d)
{
    if (!*d->name || strchr(d->name, '/') || strchr(d->name, '\n'))
        return vg_args_fail_member(rq, "name", "a name without '/' and line feed");
    if (d->uuid && !vg_is_uuid(d->uuid))
        return vg_args_fail_member(
            rq, "uuid", "a UUID, 36 characters with dashes or 32 hexadecimal digits,");
    if (d->title && strchr(d->title, '\n'))
        return vg_args_fail_member(rq, "title", "one line");
    if (d->max_vcpus && d->max_vcpus < d->vcpus)
        return vg_args_fail_member(rq, "maxVcpus", "as many as 'vcpus' or more");
    if (d->max_memory_kib && d->max_memory_kib < d->memory_kib)
        return vg_args_fail_member(rq, "maxMemoryMiB", "as much as 'memoryMiB' or more");
    return 0;
}

/* ---- a clone ----------------------------------------------------------------------- */

/* What the source has, and a request that names it cannot change; NULL: it names none. */
static const char *find_foreign(const struct form *f)
{
    const struct vg_new_domain *d = &f->made;
    const struct {
        bool given;
        const char *name;
    } members[] = {
        {d->arch, "arch"},
        {d->machine, "machine"},
        {d->virt_type, "virtType"},
        {d->max_memory_kib, "maxMemoryMiB"},
        {d->max_vcpus, "maxVcpus"},
        {d->firmware != VG_NEW_ANY_FIRMWARE, "firmware"},
        {d->graphics >= 0, "graphics"},
        {f->console >= 0, "console"},
        {f->disks, "disks"},
        {f->interfaces, "interfaces"},
        {f->boot, "boot"},
        {f->network, "network"},
        {f->guest.image, "image"},
    };

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (members[i].given)
            return members[i].name;
    return NULL;
}

static int check_clone(struct vg_request *rq, const struct form *f)
{
    const struct vg_guest *g = &f->guest;
    const char *foreign = g->from ? find_foreign(f) : NULL;

    if (!g->from && (g->pool || g->copies >= 0))
        return vg_fail_value(
            rq, "'copy' and 'pool' are for a clone, 'from'; of an image, say them "
                "in 'image'");
    if (!foreign)
        return 0;
    return vg_fail_value(
        rq,
        "'%s' is the source's; beside 'from', these are accepted: name, uuid, "
        "title, description, memoryMiB, vcpus, copy, pool, cloudInit",
        foreign);
}

/* ---- which form it is -------------------------------------------------------------- */

/* Exactly one way to say what the domain is. */
static int check_form(struct vg_request *rq, struct form *f)
{
    const struct vg_new_domain *d = &f->made;
    f->short_form =
        d->name || d->uuid || d->title || d->description || d->arch || d->machine ||
        d->virt_type || d->memory_kib || d->vcpus || d->max_memory_kib || d->max_vcpus ||
        d->firmware || d->graphics >= 0 || f->console >= 0 || f->disks || f->interfaces ||
        f->boot || f->network || f->guest.image || f->guest.cloud_init || f->guest.from;
    int ways = (vg_xml_body(rq) != NULL) + (f->xml != NULL) + (f->domain != NULL) +
               f->short_form;
    if (ways != 1) {
        vg_error_set(vg_request_error(rq), ways ? VG_E_INVALID_VALUE : VG_E_MISSING_KEY,
                     "Send exactly one of: application/xml, 'xml' with libvirt's XML, "
                     "'domain' with the same document in JSON, or the short form with "
                     "'name' and 'memoryMiB', or with 'name' and 'from'");
        return -1;
    }
    if (f->short_form && !d->name) {
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY, "'name' is missing");
        return -1;
    }
    if (f->short_form && !f->guest.from &&
        vg_size_check(rq, "memory", &f->memory, true) < 0)
        return -1;
    if (check_clone(rq, f) < 0)
        return -1;
    return f->network && f->interfaces
               ? vg_args_fail_member(rq, "network", "either 'network' or 'interfaces'")
               : 0;
}

/* What completing the short form looks at. */
#define SHORT_FORM_NEEDS                                                                 \
    "connect:read domain:save network:getattr storage_pool:getattr storage_vol:getattr " \
    "storage_vol:read"

/* The document that the request describes; in `*ret_made` when it is new text, owned by
 * the caller. NULL: the request's error is set. */
static const char *find_xml(struct vg_request *rq, struct form *f, bool shown,
                            char **ret_made)
{
    struct vg_new_domain *d = &f->made;

    if (f->domain)
        return *ret_made = vg_domain_xml_of_json(rq, f->domain);
    if (!f->short_form)
        return vg_xml_argument(rq, "xml", f->xml);
    if (f->guest.from)
        return check_texts(rq, d) < 0
                   ? NULL
                   : (*ret_made = vg_guest_plan_clone(rq, &f->guest, d, shown));
    if (vg_request_ask(rq, SHORT_FORM_NEEDS,
                       "The short form is completed by what the host has") < 0)
        return NULL;
    d->vcpus = d->vcpus ? d->vcpus : 1;
    d->graphics = d->graphics < 0 ? VG_NEW_NO_GRAPHICS : d->graphics;
    d->console = f->console != 0;
    if (check_texts(rq, d) < 0)
        return NULL;
    if (read_lists(rq, f) < 0 || vg_guest_plan(rq, &f->guest, d) < 0)
        return NULL;
    return *ret_made = vg_new_domain_xml(rq, d);
}

/* The domain that the document means, if it is there; `*ret_absent`: it certainly is not,
 * when the document is taken. Without a UUID libvirt makes one, and refuses a name that
 * another has, so that it is looked up only for what depends on it beside. */
static virDomainPtr find_meant(struct vg_request *rq, const char *xml, bool looks_up_name,
                               bool *ret_absent)
{
    vg_autofree char *name = NULL;
    vg_autofree char *uuid = NULL;

    if (vg_xml_identity(xml, &name, &uuid) < 0 || !(name || uuid))
        return NULL;
    *ret_absent = !uuid && !looks_up_name;
    if (*ret_absent)
        return NULL;
    virDomainPtr dom = uuid ? virDomainLookupByUUIDString(vg_conn(rq), uuid)
                            : virDomainLookupByName(vg_conn(rq), name);
    *ret_absent = !dom && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
    virResetLastError();
    return dom;
}

/* The document's UUID may be that of a domain which the caller may not see. */
static int check_seen(struct vg_request *rq, virDomainPtr old)
{
    if (!old || vg_sees_domain(rq, virDomainGetName(old)))
        return 0;
    vg_error_set(
        vg_request_error(rq), VG_E_CONFLICT,
        "The UUID is that of a domain outside of this token's scope; leave it out "
        "or take another");
    return -1;
}

/* The document with the secrets that it does not show of one that is there; in
 * `*ret_made` when it is new text, owned by the caller. NULL: the request's error is set.
 */
static const char *keep_secrets(struct vg_request *rq, virDomainPtr old, const char *xml,
                                char **ret_made)
{
    const char *kept = old ? vg_domain_keep_secrets(rq, old, xml, ret_made) : xml;

    if (kept || !vg_error_is_virt(vg_request_error(rq), VIR_ERR_NO_DOMAIN))
        return kept;
    vg_error_clear(vg_request_error(rq)); /* it has gone meanwhile */
    return xml;
}

/* How the domain is made of its document, and what follows. */
struct making {
    struct vg_guest *guest; /* what else is wanted */
    bool transient, start;
    int autostart; /* -1: not given */
    unsigned int flags;
};

/* What follows the definition. -1: libvirt's last error. */
static int finish(struct vg_request *rq, const struct making *m, virDomainPtr dom)
{
    if (m->autostart >= 0 && vg_domain_set_autostart(rq, dom, m->autostart) < 0)
        return -1;
    return m->start && !m->transient && virDomainIsActive(dom) != 1
               ? virDomainCreateWithFlags(dom, 0)
               : 0;
}

/* What follows the definition failed: a new domain is undefined again. */
static struct vg_reply undo(struct vg_request *rq, virDomainPtr dom, bool is_new)
{
    vg_error_set_virt(vg_request_error(rq));
    if (is_new && virDomainUndefineFlags(dom, VIR_DOMAIN_UNDEFINE_NVRAM) < 0)
        (void)virDomainUndefineFlags(dom, 0);
    return vg_fail(rq);
}

/* The document has a UUID that was made for it. */
static bool has_name(struct vg_request *rq, const char *name)
{
    vg_autoptr(virDomain) dom = virDomainLookupByName(vg_conn(rq), name);

    virResetLastError();
    return dom != NULL;
}

/* Of one with disks and seeds of its own, or that is waited for. */
static struct vg_reply make_guest(struct vg_request *rq, const char *xml,
                                  const struct making *m, bool exists, bool again)
{
    struct vg_guest *g = m->guest;

    g->start = m->start;
    g->autostart = m->autostart;
    g->flags = m->flags;
    g->is_new = !exists;
    g->again = again;
    if ((g->image || g->from || g->cloud_init) && (exists || has_name(rq, g->name))) {
        vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                     "There is a domain of this name or UUID; 'image', 'from' and "
                     "'cloudInit' are for a new one");
        return vg_fail(rq);
    }
    return vg_guest_make(rq, g, xml);
}

/* 201 for a new one, 200 for one that is defined anew. */
static struct vg_reply make_domain(struct vg_request *rq, const char *xml,
                                   const struct making *m)
{
    vg_autofree char *made = NULL;
    bool absent = false;
    bool named = vg_guest_is_wanted(m->guest) || vg_request_wants_new(rq);
    vg_autoptr(virDomain) old = find_meant(rq, xml, named, &absent);
    bool again = old && !m->transient && virDomainIsPersistent(old) == 1;

    if (check_seen(rq, old) < 0 || vg_request_check_new(rq, old != NULL) < 0)
        return vg_fail(rq);
    xml = keep_secrets(rq, old, xml, &made);
    if (!xml)
        return vg_fail(rq);
    if (vg_guest_is_wanted(m->guest))
        return make_guest(rq, xml, m, old != NULL, again);
    vg_autoptr(virDomain) dom = m->transient
                                    ? virDomainCreateXML(vg_conn(rq), xml, m->flags)
                                    : virDomainDefineXMLFlags(vg_conn(rq), xml, m->flags);
    if (!dom)
        return vg_fail_define(rq, xml);
    if (finish(rq, m, dom) < 0)
        return undo(rq, dom, !old);
    bool untouched = absent && !m->transient && !m->start && m->autostart < 0;
    vg_auto_json w = vg_json_for(rq);
    int rc = untouched ? vg_domain_write_new(rq, &w, dom)
                       : vg_domain_write(rq, &w, NULL, dom, ALL);
    if (rc < 0)
        return vg_fail(rq);
    struct vg_reply reply = vg_created(rq, vg_domain_href(rq, dom), &w);
    return again ? vg_with_status(reply, 200) : reply;
}

/* What it does needs beside the row. -1: the request's error is set. */
static int check_making(struct vg_request *rq, const struct making *m)
{
    if (m->transient && m->autostart == 1)
        return vg_fail_value(
            rq, "'autostart' is for what is defined; 'transient' is gone when it "
                "ends");
    if (m->transient && vg_guest_is_wanted(m->guest))
        return vg_fail_value(
            rq, "'image', 'from', 'cloudInit' and 'waitForAddress' are for what is "
                "defined; 'transient' is gone when it ends");
    if (m->guest->wait_seconds && !m->start)
        return vg_fail_value(rq, "'waitForAddress' needs 'start': true");
    if (!m->transient && vg_request_ask(rq, "domain:save", "This defines it") < 0)
        return -1;
    return m->transient || m->start
               ? vg_request_ask(rq, "domain:start", "It is started, too")
               : 0;
}

/* ?transient=true creates and starts it, ?dryRun=true only shows its XML. */
static struct vg_reply define_domain(struct vg_request *rq)
{
    VG_CLEANUP(clear_form)
    struct form f = empty_form;
    struct vg_new_domain *d = &f.made;
    struct making m = {
        .guest = &f.guest, .transient = vg_peek_true(rq, "transient"), .autostart = -1};
    bool dry_run = false;
    const struct vg_field args[] = {
        VG_TEXT("xml", &f.xml),
        VG_JSON("domain", &f.domain),
        VG_TEXT("name", &d->name),
        VG_SIZE_FIELDS_IN("memory", f.memory, 1, MAX_MEMORY),
        VG_SIZE_FIELDS_IN("maxMemory", f.max_memory, 1, MAX_MEMORY),
        VG_NUMBER("vcpus", &d->vcpus, 1, MAX_VCPUS),
        VG_NUMBER("maxVcpus", &d->max_vcpus, 1, MAX_VCPUS),
        VG_TEXT("uuid", &d->uuid),
        VG_TEXT("title", &d->title),
        VG_TEXT("description", &d->description),
        VG_TEXT("virtType", &d->virt_type),
        VG_TEXT("arch", &d->arch),
        VG_TEXT("machine", &d->machine),
        VG_ONE_OF("firmware", &d->firmware, &firmwares),
        VG_JSON("disks", &f.disks),
        VG_JSON("interfaces", &f.interfaces),
        VG_JSON("boot", &f.boot),
        VG_TEXT("network", &f.network),
        VG_JSON("image", &f.guest.image),
        VG_TEXT("from", &f.guest.from),
        VG_MAYBE("copy", &f.guest.copies),
        VG_TEXT("pool", &f.guest.pool),
        VG_JSON("cloudInit", &f.guest.cloud_init),
        VG_NUMBER("waitForAddress", &f.guest.wait_seconds, 1, VG_OPERATION_WAIT_MAX),
        VG_ONE_OF("graphics", &d->graphics, &graphics),
        VG_MAYBE("console", &f.console),
        VG_BOOL("dryRun", &dry_run),
        VG_BOOL("transient", &m.transient),
        VG_BOOL("start", &m.start),
        VG_MAYBE("autostart", &m.autostart),
        VG_NAMES("flags", &m.flags,
                 m.transient ? &vg_enum_virDomainCreateFlags
                             : &vg_enum_virDomainDefineFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0 ||
        read_memory(rq, "memory", &f.memory, &d->memory_kib) < 0 ||
        read_memory(rq, "maxMemory", &f.max_memory, &d->max_memory_kib) < 0 ||
        check_form(rq, &f) < 0 || check_making(rq, &m) < 0)
        return vg_fail(rq);
    vg_autofree char *made = NULL;
    const char *xml = find_xml(rq, &f, dry_run, &made);
    if (!xml || vg_xml_ask_name(rq, xml) < 0)
        return vg_fail(rq);
    if (dry_run) {
        if (vg_xml_check_root(rq, xml, "domain") < 0)
            return vg_fail(rq);
        char *shown = made ? vg_take(&made) : strdup(xml);
        return shown ? vg_reply_xml(rq, shown) : vg_ok(rq, NULL); /* out of memory */
    }
    return make_domain(rq, xml, &m);
}

/* clang-format off */
const struct vg_route vg_routes_domain_create[] = {
    {VG_POST, "/domains", "defineDomain", define_domain,
     .needs = "domain:getattr domain:read domain:write gateway:document",
     .runs_on = VG_ON_LONG_IF_NAMED, .takes = VG_TAKES_XML},
    {0},
};
/* clang-format on */
