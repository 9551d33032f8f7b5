/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/libvirt/domain/last_event.h"

#include "server/base/digits.h"
#include "server/core/scope.h"
#include "server/libvirt/domain/set.h"

#include <string.h>

struct vg_last_event {
    unsigned char uuid[VIR_UUID_BUFLEN]; /* first, for vg_compare_uuids() */
    struct vg_event *event;              /* counted; NULL: none found */
};

void vg_last_events_clear(struct vg_last_events *events)
{
    for (size_t i = 0; i < events->n; i++)
        vg_event_unref(events->v[i].event);
    free(events->v);
    *events = (struct vg_last_events){0};
}

/* Of an event's UUID, which libvirt has written: lower case, with dashes. */
static void read_uuid(const char *text, unsigned char *ret)
{
    for (int i = 0; i < VIR_UUID_BUFLEN; i++, text += 2) {
        text += *text == '-';
        ret[i] = (unsigned char)(vg_hex_value(text[0]) << 4 | vg_hex_value(text[1]));
    }
}

static struct vg_last_event *find(const struct vg_last_events *events,
                                  const unsigned char *uuid)
{
    return bsearch(uuid, events->v, events->n, sizeof(*events->v), vg_compare_uuids);
}

/* One under a name that the caller may not see, before it was renamed, was not. */
static bool concerns(const struct vg_last_events *events, const struct vg_event *e)
{
    return e->object == VG_EVENT_DOMAIN && e->domain && e->uuid &&
           strlen(e->uuid) == VIR_UUID_STRING_BUFLEN - 1 &&
           strcmp(e->host, vg_host_name(events->rq)) == 0 &&
           vg_sees_domain(events->rq, e->domain);
}

static bool take(struct vg_event *e, void *data)
{
    struct vg_last_events *events = data;
    unsigned char uuid[VIR_UUID_BUFLEN];

    if (!concerns(events, e))
        return true;
    read_uuid(e->uuid, uuid);
    struct vg_last_event *of = find(events, uuid);
    if (of && !of->event) {
        of->event = vg_event_ref(e);
        events->left--;
    }
    return events->left > 0;
}

int vg_last_events_find(struct vg_last_events *events, struct vg_request *rq,
                        const struct vg_domain_data *domains, size_t n)
{
    if (!n)
        return 0;
    events->v = calloc(n, sizeof(*events->v));
    if (!events->v)
        return vg_error_set_memory(vg_request_error(rq));
    events->n = events->left = n;
    events->rq = rq;
    for (size_t i = 0; i < n; i++)
        memcpy(events->v[i].uuid, domains[i].uuid, VIR_UUID_BUFLEN);
    qsort(events->v, n, sizeof(*events->v), vg_compare_uuids);
    vg_event_walk_back(take, events);
    return 0;
}

const struct vg_event *vg_last_event_of(const struct vg_last_events *events,
                                        const unsigned char *uuid)
{
    const struct vg_last_event *of = events->n ? find(events, uuid) : NULL;
    return of ? of->event : NULL;
}
