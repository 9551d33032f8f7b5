/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The newest event of each object of a kind, from the ring of events, which is gone
 * through once for all objects of an answer: no call to the host.
 */
#include "server/core/event.h"
#include "server/core/event_text.h"
#include "server/libvirt/object_read.h"
#include "virtgate/host.h"

#include <string.h>

struct search {
    const struct vg_request *rq;
    enum vg_event_object object;
    json_t *found; /* by UUID, or by name where the kind has none */
};

static bool take(struct vg_event *e, void *data)
{
    const struct search *s = data;
    char time[VG_EVENT_TIME_SIZE];

    if (e->object != s->object || !e->uuid || strcmp(e->host, vg_host_name(s->rq)) != 0 ||
        json_object_get(s->found, e->uuid))
        return true;
    vg_event_write_time(e, time);
    json_object_set_new(
        s->found, e->uuid,
        json_pack("{s:s, s:s}", "type", e->type ? e->type : e->name, "time", time));
    return true;
}

/* Borrowed; NULL: out of memory. */
static const json_t *find_all(struct vg_request *rq, enum vg_kind kind)
{
    if (rq->last_events)
        return rq->last_events;
    struct search s = {rq, vg_kind_info(kind)->event, json_object()};
    if (s.found)
        vg_event_walk_back(take, &s);
    return rq->last_events = s.found;
}

int vg_object_write_last_event(struct vg_request *rq, struct vg_json *w, void *object,
                               const struct vg_wanted *wanted)
{
    const struct vg_object_class *class = wanted->class;
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (class->uuid && class->uuid(object, uuid) < 0)
        return -1;
    json_t *last = json_object_get(find_all(rq, class->kind),
                                   class->uuid ? uuid : class->name(object));
    if (last)
        vg_json_value(w, "lastEvent", last);
    else
        vg_json_null(w, "lastEvent");
    return 0;
}
