/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Last-Event-ID and `since`: two lines of the input. Whatever they say, a watch begins at
 * an event that is kept, or the client is told that there is none. "HEAD" stands for the
 * newest revision, so that good ones are met, too.
 */
#include "fuzz.h"

#include "server/core/event_text.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>

#define CAPACITY 64

static void begin_ring(void)
{
    static bool begun;
    const struct vg_event_source source = {
        .host = "fuzz", .object = VG_EVENT_NETWORK, .name = "lifecycle", .id = -1};

    if (begun)
        return;
    begun = true;
    MUST(vg_events_start(CAPACITY) == 0);
    for (int i = 0; i < 3 * CAPACITY; i++) {
        struct vg_json w = {0};
        vg_event_begin(&w, &source);
        vg_event_publish(&source, &w);
        vg_json_free(&w);
    }
}

/* "HEAD" and what follows, with the newest revision instead. */
static char *fill_in(const char *line)
{
    char revision[VG_REVISION_SIZE], *filled = NULL;
    bool head = strncmp(line, "HEAD", 4) == 0;

    vg_event_write_revision(revision, vg_event_head());
    MUST(asprintf(&filled, "%s%s", head ? revision : "", head ? line + 4 : line) >= 0);
    return filled;
}

/* What a good revision leads to: the rest of the ring, without a gap. */
static void check_watch(uint64_t after)
{
    const struct vg_event_filter all = {0};
    struct vg_subscriber *subscriber = vg_subscriber_new(&all, after, true);
    struct vg_event *event;

    MUST(subscriber);
    while (event = NULL, vg_subscriber_next(subscriber, &event) == VG_SUBSCRIBER_EVENT) {
        MUST(event->number == ++after);
        vg_event_unref(event);
    }
    MUST(vg_subscriber_next(subscriber, &event) == VG_SUBSCRIBER_NONE);
    MUST(after == vg_event_head());
    vg_subscriber_free(subscriber);
}

static void check_since(char *last_event, const char *since, bool stream)
{
    struct vg_request *rq = vg_request_new();
    uint64_t after = 0;
    bool reset = false;

    rq->last_event = last_event ? strdup(last_event) : NULL;
    if (vg_event_since(rq, since, stream, &after, &reset) < 0) {
        fuzz_check_error(rq);
        MUST(rq->error.status == 400 || rq->error.status == 410);
    } else {
        MUST(after <= vg_event_head() && after + CAPACITY >= vg_event_head());
        MUST(!reset || (stream && last_event && after == vg_event_head()));
        check_watch(after);
    }
    vg_request_unref(rq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vg_autofree char *text = fuzz_text(data, size);
    char *rest = text, *first = strsep(&rest, "\n");
    vg_autofree char *last_event = fill_in(first), *since = rest ? fill_in(rest) : NULL;

    begin_ring();
    check_since(last_event, since, true);
    check_since(last_event, since, false);
    check_since(NULL, since, true);
    return 0;
}
