/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/documents.h. The guests stand in an array that is sorted by UUID: what is
 * looked for is always all of a list, and guests come and go seldom.
 */
#include "server/libvirt/documents.h"

#include "server/base/clock.h"
#include "server/base/digits.h"
#include "server/base/list.h"
#include "virtgate/cleanup.h"

#include <stdio.h>

/* libvirt may send an event before it is done with the change. */
#define SETTLE_NS (VG_SECOND_NS / 5)
/* A call that is out so long hangs; after a while another one may try. */
#define HANGS_NS (1 * VG_SECOND_NS)
#define AGAIN_NS (30 * VG_SECOND_NS)
#define ROOM     64

struct guest {
    unsigned char uuid[VIR_UUID_BUFLEN]; /* first, for compare() */
    unsigned int id;
    char *name;               /* owned; NULL: only an event has named it */
    uint64_t reading;         /* of the call that asks it; 0: none, or it changed since */
    int64_t begun_ns;         /* when that began; 0: it has come back */
    int64_t changed_ns;       /* 0: never */
    unsigned int have;        /* bits of what is kept; 0: nothing */
    struct vg_xml_domain xml; /* owned */
};

struct vg_documents {
    pthread_mutex_t lock;
    struct guest *v; /* sorted by UUID; owned */
    size_t n, room;
    uint64_t readings;  /* that began, ever */
    int64_t changed_ns; /* when all were forgotten */
    struct vg_guest_change *changes;
};

struct vg_documents *vg_documents_new(void)
{
    struct vg_documents *d = calloc(1, sizeof(*d));
    if (d)
        pthread_mutex_init(&d->lock, NULL);
    return d;
}

static void clear_guest(struct guest *g)
{
    free(g->name);
    vg_xml_domain_clear(&g->xml);
}

void vg_documents_free(struct vg_documents *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++)
        clear_guest(&d->v[i]);
    free(d->v);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* ---- the array; lock held ---------------------------------------------------------- */

/* Where it is, or would be. */
static size_t find_place(const struct vg_documents *d, const unsigned char *uuid)
{
    size_t from = 0, to = d->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (memcmp(d->v[middle].uuid, uuid, VIR_UUID_BUFLEN) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static struct guest *find(const struct vg_documents *d, const unsigned char *uuid)
{
    size_t at = find_place(d, uuid);
    return at < d->n && memcmp(d->v[at].uuid, uuid, VIR_UUID_BUFLEN) == 0 ? &d->v[at]
                                                                          : NULL;
}

/* Those of which nothing is kept, nor asked, nor has just changed, go. */
static void sweep(struct vg_documents *d, int64_t now)
{
    size_t left = 0;
    for (size_t i = 0; i < d->n; i++) {
        struct guest *g = &d->v[i];
        if (g->have || g->begun_ns || g->changed_ns + SETTLE_NS > now)
            d->v[left++] = *g;
        else
            clear_guest(g);
    }
    d->n = left;
}

/* -1: out of memory. */
static int make_room(struct vg_documents *d)
{
    if (d->n < d->room)
        return 0;
    sweep(d, vg_now_ns());
    size_t room = 2 * d->n + ROOM;
    struct guest *v = reallocarray(d->v, room, sizeof(*v));
    if (!v)
        return -1;
    d->v = v;
    d->room = room;
    return 0;
}

/* NULL: out of memory. */
static struct guest *find_or_add(struct vg_documents *d, const unsigned char *uuid)
{
    struct guest *g = find(d, uuid);
    if (g || make_room(d) < 0)
        return g;
    size_t at = find_place(d, uuid);
    memmove(&d->v[at + 1], &d->v[at], (d->n - at) * sizeof(*d->v));
    d->n++;
    d->v[at] = (struct guest){.id = (unsigned int)-1};
    memcpy(d->v[at].uuid, uuid, VIR_UUID_BUFLEN);
    return &d->v[at];
}

/* ---- forgetting -------------------------------------------------------------------- */

static void forget(struct guest *g, int64_t now)
{
    vg_xml_domain_clear(&g->xml);
    g->have = 0;
    g->reading = 0;
    g->begun_ns = 0;
    g->changed_ns = now;
}

static void forget_all(struct vg_documents *d, int64_t now)
{
    for (size_t i = 0; i < d->n; i++)
        forget(&d->v[i], now);
    d->changed_ns = now;
}

void vg_documents_forget(struct vg_documents *d, const unsigned char *uuid)
{
    int64_t now = vg_now_ns();
    VG_LOCK(&d->lock);
    struct guest *g = uuid ? find_or_add(d, uuid) : NULL;

    if (g)
        forget(g, now);
    else
        forget_all(d, now);
}

static bool is_id(const char *segment, unsigned int id)
{
    char text[VIR_UUID_STRING_BUFLEN];

    snprintf(text, sizeof(text), "%d", (int)id);
    return strcmp(segment, text) == 0;
}

static bool is_uuid(const char *segment, const unsigned char *uuid)
{
    char text[VIR_UUID_STRING_BUFLEN];

    vg_uuid_text(uuid, text);
    return vg_uuid_is(text, segment);
}

/* Whether a path may mean the guest by that. All guests are gone through for a change: of
 * what cannot be an id or a UUID, no text is made for each. */
static bool is_called(const char *segment, const struct vg_guest_id *guest)
{
    if (guest->name && strcmp(segment, guest->name) == 0)
        return true;
    size_t n = strlen(segment);
    return (strchr("-0123456789", *segment) && is_id(segment, guest->id)) ||
           ((n == 32 || n == 36) && is_uuid(segment, guest->uuid));
}

static bool is_changing(const struct vg_documents *d, const struct vg_guest_id *guest)
{
    for (const struct vg_guest_change *c = d->changes; c; c = c->next)
        if (!c->segment || is_called(c->segment, guest))
            return true;
    return false;
}

void vg_documents_begin_change(struct vg_documents *d, struct vg_guest_change *change)
{
    VG_LOCK(&d->lock);
    vg_list_insert(&d->changes, change);
}

void vg_documents_end_change(struct vg_documents *d, struct vg_guest_change *change)
{
    int64_t now = vg_now_ns();
    VG_LOCK(&d->lock);

    if (change->link)
        vg_list_remove(change);
    if (!change->segment)
        forget_all(d, now);
    for (size_t i = 0; change->segment && i < d->n; i++) {
        struct guest *g = &d->v[i];
        const struct vg_guest_id id = {g->uuid, g->name, g->id};
        if (is_called(change->segment, &id))
            forget(g, now);
    }
}

/* ---- keeping ----------------------------------------------------------------------- */

void vg_documents_recall(struct vg_documents *d, const struct vg_guest_id *guest,
                         struct vg_xml_domain *ret, unsigned int *have)
{
    int64_t max_vcpus = ret->max_vcpus; /* not covered by events */
    VG_LOCK(&d->lock);
    const struct guest *g = find(d, guest->uuid);

    if (!g || !g->have || g->id != guest->id || is_changing(d, guest) ||
        vg_xml_domain_copy(ret, &g->xml) < 0)
        return;
    ret->max_vcpus = max_vcpus;
    *have |= g->have;
}

/* -1: out of memory. */
static int note_name(struct guest *g, const struct vg_guest_id *guest)
{
    g->id = guest->id;
    if (g->name && strcmp(g->name, guest->name) == 0)
        return 0;
    free(g->name);
    g->name = strdup(guest->name);
    return g->name ? 0 : -1;
}

bool vg_documents_begin(struct vg_documents *d, const struct vg_guest_id *guest,
                        uint64_t *ret_reading)
{
    int64_t now = vg_now_ns();
    VG_LOCK(&d->lock);
    struct guest *g = find_or_add(d, guest->uuid);

    *ret_reading = 0;
    if (!g)
        return true;
    if (g->begun_ns && now - g->begun_ns > HANGS_NS && now - g->begun_ns < AGAIN_NS)
        return false;
    g->begun_ns = now;
    bool settled = g->changed_ns + SETTLE_NS < now && d->changed_ns + SETTLE_NS < now;
    if (note_name(g, guest) == 0 && settled && !is_changing(d, guest))
        *ret_reading = g->reading = ++d->readings;
    return true;
}

void vg_documents_keep(struct vg_documents *d, const unsigned char *uuid,
                       uint64_t reading, const struct vg_xml_domain *xml,
                       unsigned int have)
{
    VG_LOCK(&d->lock);
    struct guest *g = find(d, uuid);

    if (!g)
        return;
    g->begun_ns = 0;
    if (!reading || g->reading != reading)
        return;
    g->reading = 0;
    if (xml && vg_xml_domain_copy(&g->xml, xml) == 0)
        g->have = have;
}
