/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See virt_recall.h. The slots are a plain table by the hash of the path's segment.
 */
#include "server/virt_recall.h"

#include "server/virt_conn.h"
#include "server/virt_domain_set.h"
#include "server/virt_internal.h"
#include "virtgate/autoptr.h"

#include <libvirt/virterror.h>
#include <string.h>
#include <xxhash.h>

#define SLOTS 256

/* What definitions and metadata change, which tell so. The most vCPUs are fixed while it
 * runs, and change without an event when it does not. */
#define COVERED                                                                          \
    (VG_STATE_FIELDS | VG_DOMAIN_PERSISTENT | VG_DOMAIN_UPDATED | VG_DOMAIN_OS_TYPE |    \
     VG_DOMAIN_TITLE)

struct slot {
    char *segment; /* owned; NULL: empty */
    enum vg_lookup by;
    struct vg_reading reading;
    struct vg_view view; /* what `have` says of it; its domain is counted */
};

struct known {
    unsigned char uuid[VIR_UUID_BUFLEN]; /* first, for vg_compare_uuids() */
    unsigned int id;
    bool persistent;
};

struct vg_recall {
    struct slot slots[SLOTS];
    struct known *known; /* sorted by UUID; owned */
    size_t n_known;
    struct vg_reading known_reading;
};

static void clear_slot(struct slot *s)
{
    free(s->segment);
    if (s->view.dom)
        virDomainFree(s->view.dom);
    vg_xml_domain_clear(&s->view.xml);
    *s = (struct slot){0};
}

void vg_recall_free(struct vg_recall *recall)
{
    if (!recall)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        clear_slot(&recall->slots[i]);
    free(recall->known);
    free(recall);
}

/* A driver in this process is asked as fast as memory. */
static struct vg_recall *recall_of(const struct vg_request *rq)
{
    struct vg_lease *lease = rq->lease;

    if (!rq->reading.generation || !lease || lease->in_process)
        return NULL;
    if (!lease->recall)
        lease->recall = calloc(1, sizeof(*lease->recall));
    return lease->recall; /* without memory nothing is remembered */
}

static bool holds(const struct vg_request *rq, const struct vg_reading *reading)
{
    return !rq->fresh && vg_inventory_holds(rq->host->inventory, reading);
}

/* ---- one domain -------------------------------------------------------------------- */

static struct slot *slot_of(struct vg_recall *recall, const char *segment)
{
    return &recall->slots[XXH3_64bits(segment, strlen(segment)) % SLOTS];
}

virDomainPtr vg_recall_domain(struct vg_request *rq, const char *segment)
{
    struct vg_recall *recall = recall_of(rq);
    struct slot *s = recall ? slot_of(recall, segment) : NULL;

    if (!s || !s->segment || strcmp(s->segment, segment) != 0 || s->by != rq->by ||
        !holds(rq, &s->reading))
        return NULL;
    rq->recalled = true;
    virDomainRef(s->view.dom);
    return s->view.dom;
}

void vg_recall_keep_domain(struct vg_request *rq, const char *segment, virDomainPtr dom)
{
    struct vg_recall *recall = recall_of(rq);
    if (!recall)
        return;
    struct slot *s = slot_of(recall, segment);
    clear_slot(s);
    s->segment = strdup(segment);
    if (!s->segment)
        return;
    virDomainRef(dom);
    s->view.dom = dom;
    s->by = rq->by;
    s->reading = rq->reading;
}

/* The slot that the request's domain came from, or went to. */
static struct slot *slot_with(struct vg_request *rq, virDomainPtr dom)
{
    const char *segment = vg_request_object(rq);
    struct vg_recall *recall = segment ? recall_of(rq) : NULL;
    struct slot *s = recall ? slot_of(recall, segment) : NULL;
    return s && s->view.dom == dom ? s : NULL;
}

/* *to keeps its domain, and is the owner of the strings. -1: out of memory. */
static int copy_view(struct vg_view *to, const struct vg_view *from)
{
    struct vg_view copy = *from;

    copy.dom = to->dom;
    copy.xml.title = from->xml.title ? strdup(from->xml.title) : NULL;
    copy.xml.os_type = from->xml.os_type ? strdup(from->xml.os_type) : NULL;
    if (!copy.xml.title != !from->xml.title || !copy.xml.os_type != !from->xml.os_type) {
        vg_xml_domain_clear(&copy.xml);
        return -1;
    }
    vg_xml_domain_clear(&to->xml);
    *to = copy;
    return 0;
}

bool vg_recall_view(struct vg_request *rq, struct vg_view *view)
{
    struct slot *s = slot_with(rq, view->dom);

    if (!s || !s->view.have || !holds(rq, &s->reading) || copy_view(view, &s->view) < 0)
        return false;
    rq->recalled = true;
    return true;
}

void vg_recall_keep_view(struct vg_request *rq, const struct vg_view *view)
{
    struct slot *s = slot_with(rq, view->dom);
    unsigned int while_active = vg_view_is_active(view) ? VG_DOMAIN_MAX_VCPUS : 0u;
    unsigned int have = view->have & (COVERED | while_active);

    if (s && have & ~s->view.have &&
        vg_inventory_unchanged(rq->host->inventory, &s->reading) &&
        copy_view(&s->view, view) == 0)
        s->view.have = have;
}

/* ---- lists ------------------------------------------------------------------------- */

/* False: it is another than it was, or new. */
static bool find_known(const struct vg_recall *recall, struct vg_view *view)
{
    const struct known *k = bsearch(view->uuid, recall->known, recall->n_known,
                                    sizeof(*recall->known), vg_compare_uuids);
    if (!k || k->id != view->id)
        return false;
    view->persistent = k->persistent;
    view->have |= VG_DOMAIN_PERSISTENT;
    return true;
}

bool vg_recall_is_current(const struct vg_request *rq)
{
    const struct vg_recall *recall = recall_of(rq);
    return recall && recall->n_known && holds(rq, &recall->known_reading);
}

bool vg_recall_persistent(struct vg_request *rq, struct vg_view *views, size_t n)
{
    const struct vg_recall *recall = recall_of(rq);

    if (!recall || !recall->known)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!find_known(recall, &views[i]))
            return false;
    return true;
}

void vg_recall_keep_persistent(struct vg_request *rq, const struct vg_view *views,
                               size_t n)
{
    struct vg_recall *recall = recall_of(rq);
    struct known *known = recall && n ? calloc(n, sizeof(*known)) : NULL;
    if (!known)
        return;
    for (size_t i = 0; i < n; i++) {
        memcpy(known[i].uuid, views[i].uuid, sizeof(known[i].uuid));
        known[i].id = views[i].id;
        known[i].persistent = views[i].persistent;
    }
    qsort(known, n, sizeof(*known), vg_compare_uuids);
    free(recall->known);
    recall->known = known;
    recall->n_known = n;
    recall->known_reading = rq->reading;
}

/* ---- the check --------------------------------------------------------------------- */

bool vg_recall_failed(const struct vg_request *rq)
{
    return rq->recalled && !rq->fresh &&
           (rq->contradicted || vg_error_is_virt(&rq->error, VIR_ERR_NO_DOMAIN));
}
