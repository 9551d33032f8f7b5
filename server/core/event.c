/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The ring of events and its subscribers; see event.h. Publishers only append. One thread
 * wakes the subscribers: a thousand of them cost the publisher, libvirt's event loop,
 * nothing.
 */
#include "server/core/event.h"

#include "server/core/scope.h"
#include "server/base/clock.h"
#include "server/base/digits.h"
#include "server/base/list.h"
#include "server/base/pattern.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"
#include "virtgate/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define LONGEST_REST VG_SECOND_NS

struct vg_subscriber {
    struct vg_subscriber *next, **link; /* of all */
    struct vg_subscriber *wake_next;
    struct vg_event_filter filter; /* strings owned, but for `monitor` */
    struct vg_pattern *monitor;    /* owned; NULL: no restriction */
    bool admin;
    uint64_t born; /* the newest event when it began */
    uint64_t seen; /* events up to this one are done with */
    bool asleep, ended;
    int64_t due_ns;
    void (*wake)(void *data);
    void *data;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news;
static pthread_t thread;
static bool running, stopping, ended_for_ever;
static char epoch[16];

static struct vg_event **ring; /* number n is at n % capacity */
static size_t capacity;
static atomic_uint_fast64_t head; /* the newest number; 0: none yet */
static struct vg_subscriber *subscribers;
static unsigned int n_watches, n_asleep;
static uint64_t n_lost;
static int64_t next_due; /* when the thread looks again at the latest */

/* ---- events ------------------------------------------------------------------------ */

struct vg_event *vg_event_ref(struct vg_event *event)
{
    atomic_fetch_add_explicit(&event->refs, 1, memory_order_relaxed);
    return event;
}

void vg_event_unref(struct vg_event *event)
{
    if (event && atomic_fetch_sub(&event->refs, 1) == 1)
        free(event);
}

uint64_t vg_event_head(void)
{
    return atomic_load(&head);
}

void vg_event_write_revision(char ret[VG_REVISION_SIZE], uint64_t number)
{
    snprintf(ret, VG_REVISION_SIZE, "%s-%" PRIu64, epoch, number);
}

/* Lock held. */
static bool is_kept(uint64_t number)
{
    return number + capacity >= atomic_load(&head);
}

enum vg_revision_state vg_event_read_revision(const char *text, uint64_t *ret_number)
{
    const char *dash = strrchr(text, '-');
    char *end = NULL;

    if (!dash || dash == text || strlen(text) >= VG_REVISION_SIZE || dash[1] < '0' ||
        dash[1] > '9')
        return VG_REVISION_MALFORMED;
    errno = 0;
    *ret_number = strtoull(dash + 1, &end, 10);
    if (errno || *end)
        return VG_REVISION_MALFORMED;
    size_t n = (size_t)(dash - text);
    if (n != strlen(epoch) || memcmp(text, epoch, n) != 0)
        return VG_REVISION_GONE;
    VG_LOCK(&lock);
    return *ret_number <= atomic_load(&head) && is_kept(*ret_number) ? VG_REVISION_GOOD
                                                                     : VG_REVISION_GONE;
}

/* What only the number decides goes first, in a prefix of a known greatest size. */
#define PREFIX_SIZE                                                                      \
    (sizeof("event: reset\nid: \ndata: {\"id\":\"\",\"revision\":\"\"") +                \
     3 * VG_REVISION_SIZE)

/* Copies text behind what was copied before it; NULL stays NULL. */
static const char *append_text(char **end, const char *text)
{
    char *copy = *end;
    if (!text)
        return NULL;
    *end = mempcpy(copy, text, strlen(text) + 1);
    return copy;
}

static size_t size_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* The event without its number; NULL: out of memory. */
static struct vg_event *new_event(const struct vg_event_source *s, const char *json,
                                  size_t size)
{
    size_t names = size_of(s->domain) + size_of(s->uuid) + size_of(s->monitor);
    struct vg_event *e = malloc(sizeof(*e) + PREFIX_SIZE + size + 2 + names);
    if (!e)
        return NULL;
    *e = (struct vg_event){.at_ns = vg_now_ns(),
                           .object = s->object,
                           .name = s->name,
                           .type = s->type,
                           .host = s->host,
                           .id = s->id,
                           .rights = s->rights,
                           .json_size = size};
    atomic_init(&e->refs, 1);
    char *end = e->text + PREFIX_SIZE + size + 2;
    e->domain = append_text(&end, s->domain);
    e->uuid = append_text(&end, s->uuid);
    e->monitor = append_text(&end, s->monitor);
    memcpy(e->text + PREFIX_SIZE, json, size);
    return e;
}

bool vg_event_is_reset(const struct vg_event *e)
{
    return e->object == VG_EVENT_CONNECTION && strcmp(e->name, VG_EVENT_RESET) == 0;
}

static char *put(char *p, const char *text)
{
    return mempcpy(p, text, strlen(text));
}

/* Puts the prefix before the JSON, which begins with a comma, and ends the frame. */
static void number_event(struct vg_event *e, uint64_t number)
{
    char revision[VG_REVISION_SIZE];

    e->number = number;
    vg_event_write_revision(revision, number);
    char *p =
        put(e->text, vg_event_is_reset(e) ? "event: " VG_EVENT_RESET "\nid: " : "id: ");
    p = put(put(p, revision), "\ndata: ");
    e->json = p;
    p = put(put(p, "{\"id\":\""), revision);
    p = put(put(put(p, "\",\"revision\":\""), revision), "\"");
    memmove(p, e->text + PREFIX_SIZE, e->json_size);
    size_t end = (size_t)(p - e->text) + e->json_size;
    e->json_size = end - (size_t)(e->json - e->text);
    memcpy(e->text + end, "\n\n", 2);
    e->frame_size = end + 2;
}

/* NULL, an event that there was no memory for, takes a number, too: who comes to it has
 * missed something, and is told so. */
static void append(struct vg_event *e)
{
    VG_LOCK(&lock);
    if (!ring) { /* libvirt's loop outlives subscribers */
        vg_event_unref(e);
        return;
    }
    uint64_t number = atomic_load(&head) + 1;
    struct vg_event **slot = &ring[number % capacity];

    if (e)
        number_event(e, number);
    vg_event_unref(*slot);
    *slot = e;
    atomic_store(&head, number);
    if (n_asleep)
        pthread_cond_signal(&news);
}

void vg_event_publish(const struct vg_event_source *source, struct vg_json *w)
{
    size_t n;
    vg_json_end_object(w);
    vg_autofree char *json = vg_json_finish(w, &n);
    struct vg_event *e = NULL;

    if (json) {
        json[0] = ','; /* goes on after the revision */
        e = new_event(source, json, n);
    }
    append(e);
}

/* ---- what was ---------------------------------------------------------------------- */

#define BLOCK 128 /* events that are taken at a time, so that publishers do not wait */

/* Takes those up to *newest, the newest first; how many. */
static size_t take_block(struct vg_event *block[BLOCK], uint64_t *newest)
{
    size_t n = 0;
    VG_LOCK(&lock);

    for (; n<BLOCK && * newest && * newest + capacity> atomic_load(&head); --*newest) {
        struct vg_event *e = ring ? ring[*newest % capacity] : NULL;
        if (!e)
            break;
        block[n++] = vg_event_ref(e);
    }
    return n;
}

void vg_event_walk_back(bool (*visit)(struct vg_event *event, void *data), void *data)
{
    struct vg_event *block[BLOCK];
    uint64_t newest = atomic_load(&head);
    bool wanted = true;
    size_t n;

    do {
        n = take_block(block, &newest);
        for (size_t i = 0; i < n; i++) {
            wanted = wanted && visit(block[i], data);
            vg_event_unref(block[i]);
        }
    } while (wanted && n == BLOCK);
}

/* ---- who wants what ---------------------------------------------------------------- */

static bool is_domain(const struct vg_event *e, const char *wanted)
{
    char id[16];

    if (!e->domain)
        return false;
    snprintf(id, sizeof(id), "%d", e->id);
    return strcmp(e->domain, wanted) == 0 || vg_uuid_is(e->uuid, wanted) ||
           (e->id >= 0 && strcmp(id, wanted) == 0);
}

static bool may_see(const struct vg_rights *rights, const struct vg_event *e)
{
    if (e->object == VG_EVENT_OPERATION) /* as vg_operation_is_seen() */
        return e->rights == rights || (vg_scope_has_host(rights, e->host) &&
                                       vg_scope_has_domain(rights, e->domain));
    return vg_scope_has_host(rights, e->host) &&
           (!e->domain || vg_scope_has_domain(rights, e->domain));
}

static bool wants(const struct vg_subscriber *w, const struct vg_event *e)
{
    const struct vg_event_filter *f = &w->filter;

    if (e->object == VG_EVENT_QEMU_MONITOR && !w->admin)
        return false;
    if (f->rights && !may_see(f->rights, e))
        return false;
    if (f->hosts && !vg_list_has(f->hosts, e->host, false))
        return false;
    if (vg_event_is_reset(e))
        return true; /* whatever it holds may have changed */
    return (!f->objects || f->objects & e->object) &&
           (!f->events || vg_list_has(f->events, e->name, false)) &&
           (!f->domain || is_domain(e, f->domain)) &&
           (!f->uuid || (e->uuid && strcmp(e->uuid, f->uuid) == 0)) &&
           (!w->monitor || (e->monitor && vg_pattern_has(w->monitor, e->monitor)));
}

/* What it is to see next; *ret_event is borrowed. Lock held. */
static enum vg_subscriber_state look(struct vg_subscriber *w, struct vg_event **ret_event)
{
    uint64_t newest = atomic_load(&head);

    if (w->ended)
        return VG_SUBSCRIBER_ENDED;
    if (!is_kept(w->seen))
        return VG_SUBSCRIBER_LOST;
    for (; w->seen < newest; w->seen++) {
        struct vg_event *e = ring[(w->seen + 1) % capacity];
        if (!e)
            return VG_SUBSCRIBER_LOST;
        if (wants(w, e)) {
            *ret_event = e;
            return VG_SUBSCRIBER_EVENT;
        }
    }
    return VG_SUBSCRIBER_NONE;
}

/* ---- subscribers ------------------------------------------------------------------- */

static char *copy_text(const char *text, bool *failed)
{
    char *copy = text ? strdup(text) : NULL;
    *failed = *failed || (text && !copy);
    return copy;
}

static void free_subscriber(struct vg_subscriber *w)
{
    free((void *)(uintptr_t)w->filter.events);
    free((void *)(uintptr_t)w->filter.hosts);
    free((void *)(uintptr_t)w->filter.domain);
    free((void *)(uintptr_t)w->filter.uuid);
    vg_pattern_free(w->monitor);
    free(w);
}

struct vg_subscriber *vg_subscriber_new(const struct vg_event_filter *filter,
                                        uint64_t after, bool admin)
{
    struct vg_subscriber *w = calloc(1, sizeof(*w));
    bool failed = !w;

    if (!w)
        return NULL;
    w->filter = (struct vg_event_filter){
        .objects = filter->objects,
        .events = copy_text(filter->events, &failed),
        .hosts = copy_text(filter->hosts, &failed),
        .domain = copy_text(filter->domain, &failed),
        .uuid = copy_text(filter->uuid, &failed),
        .rights = filter->rights,
    };
    if (filter->monitor) {
        char why[200];
        w->monitor =
            vg_pattern_new(filter->monitor, filter->monitor_match, why, sizeof(why));
        failed = failed || !w->monitor;
    }
    w->admin = admin;
    w->seen = after;
    if (failed) {
        free_subscriber(w);
        return NULL;
    }
    VG_LOCK(&lock);
    w->ended = ended_for_ever;
    w->born = atomic_load(&head);
    vg_list_insert(&subscribers, w);
    n_watches++;
    vg_count_stream(1);
    return w;
}

void vg_subscriber_free(struct vg_subscriber *w)
{
    if (!w)
        return;
    {
        VG_LOCK(&lock);
        vg_list_remove(w);
        n_watches--;
        vg_count_stream(-1);
    }
    free_subscriber(w);
}

void vg_subscriber_on_wake(struct vg_subscriber *w, void (*wake)(void *data), void *data)
{
    w->wake = wake;
    w->data = data;
}

enum vg_subscriber_state vg_subscriber_next(struct vg_subscriber *w,
                                            struct vg_event **ret_event)
{
    struct vg_event *e = NULL;
    VG_LOCK(&lock);
    enum vg_subscriber_state state = look(w, &e);

    if (state == VG_SUBSCRIBER_LOST)
        vg_count(VG_STREAM_RESETS);
    n_lost += state == VG_SUBSCRIBER_LOST;
    if (state == VG_SUBSCRIBER_EVENT) {
        w->seen = e->number;
        *ret_event = vg_event_ref(e);
        vg_count(VG_EVENTS_SENT);
        if (e->number > w->born) /* not one that it asked for afterwards */
            vg_count_event_delay(vg_now_ns() - e->at_ns);
    }
    return state;
}

struct rewinding {
    struct vg_subscriber *w;
    unsigned int left;
};

static bool step_back(struct vg_event *e, void *data)
{
    struct rewinding *r = data;

    if (!wants(r->w, e))
        return true;
    r->w->seen = e->number - 1;
    return --r->left > 0;
}

uint64_t vg_subscriber_rewind(struct vg_subscriber *w, unsigned int n)
{
    struct rewinding r = {w, n};

    if (n)
        vg_event_walk_back(step_back, &r);
    return w->seen;
}

uint64_t vg_subscriber_seen(struct vg_subscriber *w)
{
    VG_LOCK(&lock);
    return w->seen;
}

bool vg_subscriber_sleep(struct vg_subscriber *w, int64_t due_ns)
{
    struct vg_event *e;
    VG_LOCK(&lock);
    if (look(w, &e) != VG_SUBSCRIBER_NONE)
        return false;
    w->due_ns = due_ns;
    w->asleep = true;
    n_asleep++;
    if (due_ns < next_due) { /* the thread planned to sleep longer */
        next_due = due_ns;
        pthread_cond_signal(&news);
    }
    return true;
}

void vg_subscriber_end(struct vg_subscriber *w)
{
    VG_LOCK(&lock);
    w->ended = true;
    pthread_cond_signal(&news);
}

/* ---- waking ------------------------------------------------------------------------ */

/* Takes those to be woken out of sleep, and finds when the next one is due. Lock held. */
static struct vg_subscriber *take_wakeful(void)
{
    struct vg_subscriber *first = NULL;
    struct vg_event *e;
    int64_t now = vg_now_ns();

    next_due = now + LONGEST_REST;
    for (struct vg_subscriber *w = subscribers; w; w = w->next) {
        if (!w->asleep)
            continue;
        if (w->due_ns > now && look(w, &e) == VG_SUBSCRIBER_NONE) {
            next_due = w->due_ns < next_due ? w->due_ns : next_due;
            continue;
        }
        w->asleep = false;
        n_asleep--;
        w->wake_next = first;
        first = w;
    }
    return first;
}

/* A woken subscriber may be gone at once. */
static void wake_all(struct vg_subscriber *first)
{
    for (struct vg_subscriber *w = first, *next; w; w = next) {
        next = w->wake_next;
        w->wake(w->data);
    }
}

static void *wake_watchers(void *data)
{
    (void)data;
    pthread_mutex_lock(&lock);
    for (;;) {
        struct vg_subscriber *first = take_wakeful();
        if (first) {
            pthread_mutex_unlock(&lock);
            wake_all(first);
            pthread_mutex_lock(&lock);
            continue;
        }
        if (stopping)
            break;
        const struct timespec until = vg_timespec(next_due);
        pthread_cond_timedwait(&news, &lock, &until);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* ---- start and stop ---------------------------------------------------------------- */

/* Two runs of the gateway never have the same one. */
static void make_epoch(void)
{
    uint16_t random = 0;
    (void)!getrandom(&random, sizeof(random), 0);
    snprintf(epoch, sizeof(epoch), "%" PRIx64, (uint64_t)time(NULL) << 16 | random);
}

int vg_events_start(size_t wanted)
{
    make_epoch();
    ring = calloc(wanted, sizeof(struct vg_event *));
    capacity = wanted;
    vg_cond_init(&news);
    running = ring && pthread_create(&thread, NULL, wake_watchers, NULL) == 0;
    if (!running)
        vg_log(VG_LOG_ERROR, "event", "cannot start the thread for subscribers");
    return running ? 0 : -1;
}

void vg_events_end_all(bool for_ever)
{
    VG_LOCK(&lock);
    ended_for_ever = ended_for_ever || for_ever;
    for (struct vg_subscriber *w = subscribers; w; w = w->next)
        w->ended = true;
    pthread_cond_signal(&news);
}

void vg_events_stop(void)
{
    if (!running)
        return;
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_cond_signal(&news);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    VG_LOCK(&lock);
    for (size_t i = 0; i < capacity; i++)
        vg_event_unref(ring[i]);
    free(ring);
    ring = NULL;
    running = false;
}

void vg_event_count(struct vg_event_counts *ret)
{
    VG_LOCK(&lock);
    *ret = (struct vg_event_counts){
        .subscribers = n_watches, .published = atomic_load(&head), .lost = n_lost};
}
