/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/domain/cache.h. What is known of a domain is found by the path's segment.
 */
#include "server/libvirt/domain/cache.h"

#include "server/core/lru.h"
#include "server/libvirt/conn.h"
#include "server/libvirt/domain/set.h"
#include "server/libvirt/internal.h"
#include "virtgate/autoptr.h"

#include <libvirt/virterror.h>
#include <string.h>

/* What definitions and metadata change, which tell so. The most vCPUs are fixed while it
 * runs, and change without an event when it does not. Some changes of a definition tell
 * nothing (a device attached to it): a condition then fails, because it is never checked
 * from memory, and that attempt of a change makes memory forget. */
#define COVERED                                                                          \
    (VG_STATE_FIELDS | VG_DOMAIN_PERSISTENT | VG_DOMAIN_UPDATED | VG_DOMAIN_OS_TYPE |    \
     VG_DOMAIN_TITLE | VG_DOMAIN_AGENT | VG_DOMAIN_ADDRESSES | VG_DOMAIN_DEFINITION)

/* What each handle tells, known or not. */
#define HANDLE_FIELDS (VG_DOMAIN_ID | VG_DOMAIN_NAME | VG_DOMAIN_UUID | VG_DOMAIN_ACTIVE)

struct entry {
    struct vg_slot slot;
    char *segment; /* owned */
    enum vg_lookup by;
    struct vg_reading reading;
    struct vg_domain_data view; /* what `have` says of it; its domain is counted */
};

struct known {
    unsigned char uuid[VIR_UUID_BUFLEN]; /* first, for vg_compare_uuids() */
    unsigned int id;
    bool persistent;
};

struct vg_domain_cache {
    struct vg_lru entries;
    struct known *known; /* sorted by UUID; owned */
    size_t n_known;
    struct vg_reading known_reading;
    struct vg_domain_cached_list list;
};

static void free_entry(struct vg_slot *slot)
{
    struct entry *e = (struct entry *)slot;

    if (!e)
        return;
    free(e->segment);
    if (e->view.dom)
        virDomainFree(e->view.dom);
    vg_xml_domain_clear(&e->view.xml);
    free(e);
}

static void clear_list(struct vg_domain_cached_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free((char *)(uintptr_t)list->v[i].name);
    free(list->v);
    *list = (struct vg_domain_cached_list){0};
}

static void free_cache(void *data)
{
    struct vg_domain_cache *cache = data;
    if (!cache)
        return;
    for (size_t i = 0; i < VG_SLOTS; i++)
        free_entry(cache->entries.v[i]);
    free(cache->known);
    clear_list(&cache->list);
    free(cache);
}

static struct vg_domain_cache *cache_of_any(const struct vg_request *rq)
{
    struct vg_virt_conn *virt_conn = rq->virt_conn;

    if (!rq->reading.generation || !virt_conn)
        return NULL;
    if (!virt_conn->cache.data)
        virt_conn->cache = (struct vg_attachment){
            .data = calloc(1, sizeof(struct vg_domain_cache)), .free = free_cache};
    return virt_conn->cache.data; /* without memory nothing is remembered */
}

/* A driver in this process is asked as fast as memory. */
static struct vg_domain_cache *cache_of(const struct vg_request *rq)
{
    return rq->virt_conn && rq->virt_conn->in_process ? NULL : cache_of_any(rq);
}

static bool holds(const struct vg_request *rq, const struct vg_reading *reading)
{
    return !rq->fresh && vg_answer_cache_is_fresh(rq->host->cache, reading);
}

/* ---- one domain -------------------------------------------------------------------- */

/* Where what the request's path says is; NULL: nowhere. */
static struct vg_slot **find_place(struct vg_domain_cache *cache,
                                   const struct vg_request *rq, const char *segment)
{
    uint64_t hash = vg_slot_hash(segment);
    struct vg_slot **at = NULL;

    while ((at = vg_lru_next(&cache->entries, hash, at))) {
        const struct entry *e = (const struct entry *)*at;
        if (e->by == rq->by && strcmp(e->segment, segment) == 0)
            return at;
    }
    return NULL;
}

static struct entry *find_entry(struct vg_domain_cache *cache,
                                const struct vg_request *rq, const char *segment)
{
    struct vg_slot **at = find_place(cache, rq, segment);
    return at ? (struct entry *)*at : NULL;
}

virDomainPtr vg_domain_cache_domain(struct vg_request *rq, const char *segment)
{
    struct vg_domain_cache *cache = cache_of(rq);
    struct entry *e = cache ? find_entry(cache, rq, segment) : NULL;

    if (!e || !holds(rq, &e->reading))
        return NULL;
    vg_lru_use(&cache->entries, &e->slot);
    rq->uses_memory = true;
    virDomainRef(e->view.dom);
    return e->view.dom;
}

void vg_domain_cache_keep_domain(struct vg_request *rq, const char *segment,
                                 virDomainPtr dom)
{
    struct vg_domain_cache *cache = cache_of(rq);
    struct entry *e = cache ? calloc(1, sizeof(*e)) : NULL;
    uint64_t hash = vg_slot_hash(segment);

    if (!e)
        return;
    e->segment = strdup(segment);
    if (!e->segment) {
        free(e);
        return;
    }
    virDomainRef(dom);
    e->view.dom = dom;
    e->by = rq->by;
    e->reading = rq->reading;
    struct vg_slot **at = find_place(cache, rq, segment);
    if (!at)
        at = vg_lru_place(&cache->entries, hash);
    free_entry(*at);
    vg_lru_put(&cache->entries, at, &e->slot, hash);
}

/* What the request's domain came from, or went to. */
static struct entry *entry_with(struct vg_request *rq, virDomainPtr dom)
{
    const char *segment = vg_request_domain(rq);
    struct vg_domain_cache *cache = segment ? cache_of(rq) : NULL;
    struct entry *e = cache ? find_entry(cache, rq, segment) : NULL;
    return e && e->view.dom == dom ? e : NULL;
}

/* *to keeps its domain, and is the owner of the strings. -1: out of memory. */
static int copy_view(struct vg_domain_data *to, const struct vg_domain_data *from)
{
    struct vg_domain_data copy = *from;

    if (vg_xml_domain_copy(&to->xml, &from->xml) < 0)
        return -1;
    copy.dom = to->dom;
    copy.xml = to->xml;
    *to = copy;
    return 0;
}

bool vg_domain_cache_data(struct vg_request *rq, struct vg_domain_data *view)
{
    struct entry *e = entry_with(rq, view->dom);

    if (!e || !e->view.have || !holds(rq, &e->reading) || copy_view(view, &e->view) < 0)
        return false;
    rq->uses_memory = true;
    return true;
}

void vg_domain_cache_keep_data(struct vg_request *rq, const struct vg_domain_data *view)
{
    struct entry *e = entry_with(rq, view->dom);
    unsigned int while_active = vg_domain_data_is_active(view) ? VG_DOMAIN_MAX_VCPUS : 0u;
    unsigned int have = view->have & (COVERED | while_active);

    if (e && have & ~e->view.have &&
        vg_answer_cache_unchanged(rq->host->cache, &e->reading) &&
        copy_view(&e->view, view) == 0)
        e->view.have = have;
}

/* ---- lists ------------------------------------------------------------------------- */

const struct vg_domain_cached_list *vg_domain_cache_list(const struct vg_request *rq,
                                                         unsigned int filter,
                                                         unsigned int fields)
{
    const struct vg_domain_cache *cache = cache_of_any(rq);
    const struct vg_domain_cached_list *list = cache ? &cache->list : NULL;

    return list && list->n && list->filter == filter && !(fields & ~list->have) &&
                   holds(rq, &list->reading)
               ? list
               : NULL;
}

/* -1: out of memory. */
static int copy_listed(struct vg_domain_cached_list *list, const struct vg_domain_data *v)
{
    struct vg_domain_data *copy = &list->v[list->n];

    *copy = *v;
    copy->dom = NULL;
    copy->xml = (struct vg_xml_domain){0};
    copy->have &= VG_DOMAIN_BRIEF;
    copy->name = strdup(v->name);
    if (!copy->name)
        return -1;
    list->have &= copy->have | HANDLE_FIELDS;
    list->n++;
    return 0;
}

void vg_domain_cache_keep_list(const struct vg_request *rq, unsigned int filter,
                               const struct vg_domain_data *v, size_t n)
{
    struct vg_domain_cache *cache = cache_of_any(rq);
    if (!cache)
        return;
    clear_list(&cache->list);
    struct vg_domain_cached_list list = {.v = calloc(n, sizeof(*list.v)),
                                         .filter = filter,
                                         .have = VG_DOMAIN_BRIEF,
                                         .reading = rq->reading};
    for (size_t i = 0; list.v && i < n; i++) {
        if (copy_listed(&list, &v[i]) < 0) {
            clear_list(&list);
            return;
        }
    }
    cache->list = list;
}

/* False: it is another than it was, or new. */
static bool find_known(const struct vg_domain_cache *cache, struct vg_domain_data *view)
{
    const struct known *k = bsearch(view->uuid, cache->known, cache->n_known,
                                    sizeof(*cache->known), vg_compare_uuids);
    if (!k || k->id != view->id)
        return false;
    view->persistent = k->persistent;
    view->have |= VG_DOMAIN_PERSISTENT;
    return true;
}

bool vg_domain_cache_is_current(const struct vg_request *rq)
{
    const struct vg_domain_cache *cache = cache_of(rq);
    return cache && cache->n_known && holds(rq, &cache->known_reading);
}

bool vg_domain_cache_persistent(struct vg_request *rq, struct vg_domain_data *views,
                                size_t n)
{
    const struct vg_domain_cache *cache = cache_of(rq);

    if (!cache || !cache->known)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!find_known(cache, &views[i]))
            return false;
    return true;
}

void vg_domain_cache_keep_persistent(struct vg_request *rq,
                                     const struct vg_domain_data *views, size_t n)
{
    struct vg_domain_cache *cache = cache_of(rq);
    struct known *known = cache && n ? calloc(n, sizeof(*known)) : NULL;
    if (!known)
        return;
    for (size_t i = 0; i < n; i++) {
        memcpy(known[i].uuid, views[i].uuid, sizeof(known[i].uuid));
        known[i].id = views[i].id;
        known[i].persistent = views[i].persistent;
    }
    qsort(known, n, sizeof(*known), vg_compare_uuids);
    free(cache->known);
    cache->known = known;
    cache->n_known = n;
    cache->known_reading = rq->reading;
}

/* ---- the check --------------------------------------------------------------------- */
