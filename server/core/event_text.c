/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/event_text.h"

#include "server/base/clock.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void write_now(char *ret, size_t size)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    vg_write_time(ret, size, &now, 6);
}

static const struct vg_enum_value object_names[] = {
    {"connection", NULL, VG_EVENT_CONNECTION},
    {"domain", NULL, VG_EVENT_DOMAIN},
    {"network", NULL, VG_EVENT_NETWORK},
    {"storage-pool", NULL, VG_EVENT_STORAGE_POOL},
    {"node-device", NULL, VG_EVENT_NODE_DEVICE},
    {"secret", NULL, VG_EVENT_SECRET},
    {"qemu-monitor", NULL, VG_EVENT_QEMU_MONITOR},
    {"operation", NULL, VG_EVENT_OPERATION},
};
const struct vg_enum vg_event_objects = {"objects", object_names,
                                         sizeof(object_names) / sizeof(object_names[0])};

void vg_event_begin(struct vg_json *w, const struct vg_event_source *source)
{
    char now[VG_EVENT_TIME_SIZE];

    write_now(now, sizeof(now));
    vg_json_begin_object(w, NULL);
    vg_json_string(w, "time", now);
    vg_json_string(w, "host", source->host);
    vg_json_string(w, "object", vg_enum_find(&vg_event_objects, source->object)->name);
    vg_json_string(w, "event", source->name);
    if (!source->domain)
        return;
    vg_json_begin_object(w, "domain");
    vg_json_string(w, "name", source->domain);
    vg_json_string(w, "uuid", source->uuid);
    if (source->id >= 0)
        vg_json_int(w, "id", source->id);
    else
        vg_json_null(w, "id");
    vg_json_end_object(w);
}

char *vg_event_make_reset(const char *reason, size_t *ret_size)
{
    vg_auto_json w = {0};
    char revision[VG_REVISION_SIZE], now[40];

    vg_event_write_revision(revision, vg_event_head());
    write_now(now, sizeof(now));
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "id", revision);
    vg_json_string(&w, "revision", revision);
    vg_json_string(&w, "time", now);
    vg_json_string(&w, "object", "stream");
    vg_json_string(&w, "event", VG_EVENT_RESET);
    vg_json_string(&w, "reason", reason);
    vg_json_end_object(&w);
    return vg_json_finish(&w, ret_size);
}

/* vg_event_begin() writes it first, and number_event() nothing like it before. */
void vg_event_write_time(const struct vg_event *e, char ret[VG_EVENT_TIME_SIZE])
{
    static const char key[] = "\"time\":\"";
    const char *at = memmem(e->json, e->json_size, key, sizeof(key) - 1);
    const char *time = at ? at + sizeof(key) - 1 : "";

    snprintf(ret, VG_EVENT_TIME_SIZE, "%.*s", (int)strcspn(time, "\""), time);
}
