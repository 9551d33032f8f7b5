/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The making of a guest, step by step; see create_from_image.h. What is to be made is
 * planned in guest_plan.c.
 */
#include "routes/domain/create_from_image.h"

#include "virtgate/autoptr.h"
#include "virtgate/body_stream.h"
#include "virtgate/conflict.h"
#include "virtgate/domain.h"
#include "virtgate/domain_address.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/operation.h"
#include "virtgate/transfer.h"
#include "virtgate/volume.h"
#include "virtgate/xml_json.h"

#include <string.h>
#include <time.h>

/* ---- volumes ----------------------------------------------------------------------- */

static int remove_disks(void *data)
{
    struct vg_guest *g = data;
    int rc = 0;

    for (size_t i = g->n_disks; i-- > 0;)
        if (g->disks[i].made && !vg_volume_undo(g->rq, g->disks[i].made))
            rc = -1;
    return rc;
}

/* A copy has its base's size, whatever its document says. */
static int grow(struct vg_request *rq, virStorageVolPtr volume, void *data)
{
    const struct vg_guest_volume *v = data;

    return v->grown_bytes && virStorageVolResize(volume, v->grown_bytes, 0) < 0
               ? vg_error_set_virt(vg_request_error(rq))
               : 0;
}

/* When a file was written last, as libvirt says it; "": it is none. Owned by the caller;
 * NULL: the request's error is set. */
static char *read_time(struct vg_request *rq, virStorageVolPtr volume)
{
    json_auto_t *document = vg_volume_document(rq, volume);
    const json_t *target = json_object_get(document, "target");
    const json_t *times = json_object_get(target, "timestamps");
    const char *text = json_string_value(json_object_get(times, "mtime"));

    if (!document)
        return NULL;
    char *copy = strdup(text ? text : "");
    if (!copy)
        (void)vg_error_set_memory(vg_request_error(rq));
    return copy;
}

/* By a guest that was started meanwhile, perhaps, past the gateway, and has ended. */
static int check_unwritten(struct vg_request *rq, virStorageVolPtr base,
                           const char *before)
{
    vg_autofree char *now = read_time(rq, base);

    if (!now || strcmp(now, before) == 0)
        return now ? 0 : -1;
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "The volume '%s' was written while it was copied",
                 virStorageVolGetName(base));
    return -1;
}

/* What is written meanwhile is no image of any moment. A volume that fails after it was
 * made is removed with the others. */
static int make_disk(struct vg_request *rq, struct vg_guest_volume *v)
{
    vg_auto_hold *hold = vg_volume_hold(rq, v->base, VG_VOLUME_READ);
    vg_autofree char *before = hold && v->copy ? read_time(rq, v->base) : NULL;

    if (hold && (before || !v->copy))
        v->made = vg_volume_make(rq, v->pool, v->xml, v->copy ? v->base : NULL, grow, v);
    return v->made && (!before || check_unwritten(rq, v->base, before) == 0) ? 0 : -1;
}

static int check_source(struct vg_request *rq, const struct vg_guest *g)
{
    if (!g->source || virDomainIsActive(g->source) != 1)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "The domain '%s' was started while its disks were copied",
                 virDomainGetName(g->source));
    return -1;
}

static int make_disks(struct vg_request *rq, void *data)
{
    struct vg_guest *g = data;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < g->n_disks; i++)
        rc = vg_operation_is_cancelled(rq) ? -1 : make_disk(rq, &g->disks[i]);
    if (rc == 0 && check_source(rq, g) == 0)
        return 0;
    (void)remove_disks(g); /* the step leaves nothing */
    return -1;
}

static int send_all(virStreamPtr stream, const char *bytes, size_t n)
{
    while (n > 0) {
        int sent = virStreamSend(stream, bytes, n < VG_PIECE_SIZE ? n : VG_PIECE_SIZE);
        if (sent <= 0)
            return -1;
        bytes += sent;
        n -= (size_t)sent;
    }
    return 0;
}

/* A few packets, on the worker's own connection. */
static int upload(struct vg_request *rq, virStorageVolPtr volume, const char *bytes,
                  size_t n)
{
    vg_autoptr(virStream) stream = virStreamNew(vg_conn(rq), 0);

    if (!stream || virStorageVolUpload(volume, stream, 0, n, 0) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (send_all(stream, bytes, n) == 0 && virStreamFinish(stream) == 0)
        return 0;
    (void)vg_error_set_virt(vg_request_error(rq));
    (void)virStreamAbort(stream);
    return -1;
}

struct seed_bytes {
    char *bytes;
    size_t n;
};

static int write_seed(struct vg_request *rq, virStorageVolPtr volume, void *data)
{
    const struct seed_bytes *seed = data;
    return upload(rq, volume, seed->bytes, seed->n);
}

static char *describe_seed(struct vg_request *rq, const struct vg_guest *g, size_t n)
{
    json_auto_t *document =
        json_pack("{s:{s:s, s:o, s:{s:{s:s}}}}", "volume", "name", g->seed.name,
                  "capacity", vg_volume_size(n), "target", "format", "@type", "raw");
    if (document)
        return vg_xml_from_json(document, vg_request_error(rq));
    (void)vg_error_set_memory(vg_request_error(rq));
    return NULL;
}

static int remove_seed(void *data)
{
    const struct vg_guest *g = data;
    return vg_volume_undo(g->rq, g->seed.made) ? 0 : -1;
}

static int make_seed(struct vg_request *rq, void *data)
{
    struct vg_guest *g = data;
    struct seed_bytes seed = {0};
    vg_autofree char *bytes =
        vg_cloud_init_seed(rq, &g->config, g->name, g->uuid, &seed.n);
    vg_autofree char *xml = bytes ? describe_seed(rq, g, seed.n) : NULL;

    seed.bytes = bytes;
    if (xml)
        g->seed.made = vg_volume_make(rq, g->seed.pool, xml, NULL, write_seed, &seed);
    return g->seed.made ? 0 : -1;
}

/* ---- the domain -------------------------------------------------------------------- */

static int undefine(void *data)
{
    const struct vg_guest *g = data;

    if (!g->is_new)
        return 0; /* it is not this call's */
    int rc = virDomainUndefineFlags(g->dom, VIR_DOMAIN_UNDEFINE_NVRAM);
    return rc < 0 ? virDomainUndefineFlags(g->dom, 0) : rc;
}

static int define(struct vg_request *rq, void *data)
{
    struct vg_guest *g = data;

    g->dom = virDomainDefineXMLFlags(vg_conn(rq), g->xml, g->flags);
    if (!g->dom)
        return vg_error_set_define(rq, g->xml);
    if (g->autostart < 0 || vg_domain_set_autostart(rq, g->dom, g->autostart) == 0)
        return 0;
    (void)vg_error_set_virt(vg_request_error(rq));
    (void)undefine(g);
    return -1;
}

static int start(struct vg_request *rq, void *data)
{
    const struct vg_guest *g = data;

    if (virDomainIsActive(g->dom) == 1 || virDomainCreateWithFlags(g->dom, 0) == 0)
        return 0;
    return vg_error_set_virt(vg_request_error(rq));
}

static int destroy(void *data)
{
    const struct vg_guest *g = data;
    return g->is_new ? virDomainDestroyFlags(g->dom, 0) : 0;
}

/* ---- the address ------------------------------------------------------------------- */

static void add_addresses(json_t *list, const virDomainInterface *iface, int source)
{
    for (unsigned int i = 0; i < iface->naddrs; i++) {
        const virDomainIPAddress *a = &iface->addrs[i];
        json_array_append_new(
            list,
            json_pack(
                "{s:o, s:o, s:o, s:i, s:o}", "mac", vg_json_text(iface->hwaddr), "type",
                vg_json_enum_value(&vg_enum_virIPAddrType, a->type), "address",
                vg_json_text(a->addr), "prefix", (int)a->prefix, "source",
                vg_json_enum_value(&vg_enum_virDomainInterfaceAddressesSource, source)));
    }
}

static json_t *list_addresses(const struct vg_domain_addresses *all)
{
    json_t *list = json_array();

    for (int s = 0; s <= VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP; s++)
        for (int i = 0; i < all->of[s].n; i++)
            add_addresses(list, all->of[s].v[i], s);
    return list;
}

/* One look: whether there is an address. A lease is asked for first, as an agent that
 * hangs takes its time. -1: the request's error is set. */
static int look(struct vg_request *rq, struct vg_guest *g)
{
    vg_auto_addresses leased = {0}, all = {0};
    int lease = VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE;

    if (vg_domain_addresses_from(rq, g->dom, lease, &leased) < 0)
        vg_error_clear(vg_request_error(rq)); /* what is wrong, the other calls say */
    bool found = vg_domain_addresses_reach(&leased);
    if (!found && vg_domain_addresses(rq, g->dom, &all) < 0)
        return -1;
    if (!found && !vg_domain_addresses_reach(&all))
        return 0;
    g->addresses = list_addresses(found ? &leased : &all);
    return g->addresses ? 1 : vg_error_set_memory(vg_request_error(rq));
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static int await_address(struct vg_request *rq, void *data)
{
    const struct timespec pause = {.tv_nsec = 500000000};
    struct vg_guest *g = data;
    const int64_t end = now_ms() + g->wait_seconds * 1000;

    do {
        int rc = look(rq, g);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        nanosleep(&pause, NULL);
        if (vg_operation_is_cancelled(rq))
            return -1;
    } while (now_ms() < end);
    vg_error_set(vg_request_error(rq), VG_E_DEADLINE_EXCEEDED,
                 "The guest has no address after %lld s: neither a lease of a network of "
                 "libvirt's, nor its agent, nor the host's ARP table tells one. The "
                 "operation's steps say what was undone",
                 (long long)g->wait_seconds);
    return -1;
}

/* ---- the whole --------------------------------------------------------------------- */

static size_t list_steps(const struct vg_guest *g, struct vg_step *ret)
{
    size_t n = 0;

    if (g->n_disks)
        ret[n++] =
            (struct vg_step){g->copy ? "copy" : "overlay", make_disks, remove_disks};
    if (g->seed.pool)
        ret[n++] = (struct vg_step){"seed", make_seed, remove_seed};
    ret[n++] = (struct vg_step){"define", define, undefine};
    if (g->start)
        ret[n++] = (struct vg_step){"start", start, destroy};
    if (g->wait_seconds)
        ret[n++] = (struct vg_step){"address", await_address, NULL};
    return n;
}

static struct vg_reply reply_made(struct vg_request *rq, const struct vg_guest *g)
{
    vg_auto_json w = vg_json_for(rq);

    if (vg_domain_write(rq, &w, NULL, g->dom, VG_DOMAIN_EVERYTHING | VG_DOMAIN_SENDABLE) <
        0)
        return vg_fail(rq);
    vg_json_reopen_object(&w);
    if (g->seed.pool)
        vg_json_string(&w, "cloudInit", "unverified");
    if (g->addresses)
        vg_json_value(&w, "addresses", g->addresses);
    vg_json_end_object(&w);
    struct vg_reply reply = vg_created(rq, vg_domain_href(rq, g->dom), &w);
    return g->again ? vg_with_status(reply, 200) : reply;
}

struct vg_reply vg_guest_make(struct vg_request *rq, struct vg_guest *g, const char *xml)
{
    struct vg_step steps[VG_STEPS_MAX];

    g->rq = rq;
    g->xml = xml;
    if (vg_operation_begin_making(rq, xml) < 0 ||
        vg_operation_run_steps(rq, steps, list_steps(g, steps), g) < 0)
        return vg_fail(rq);
    return reply_made(rq, g);
}
