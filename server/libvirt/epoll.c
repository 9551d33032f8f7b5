/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Handles and timers, by libvirt's rules: any thread adds, changes and removes them,
 * callbacks, too, any of them and themselves; `ff` is called by the loop alone, with
 * nothing locked; several handles may have one descriptor, which is registered once.
 */
#include "server/libvirt/epoll.h"

#include "server/base/clock.h"
#include "virtgate/cleanup.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define TURN_EVENTS 64
#define SLOT_BITS   16
#define MAX_SLOTS   (1U << SLOT_BITS)
#define NEVER       INT64_MAX

struct item {
    int id; /* slot, and above it how often the slot was used */
    struct item *next;
    unsigned int turn; /* of its last call, or when it was added */
    void *opaque;
    virFreeCallback ff;

    /* a handle, in the list of its descriptor */
    virEventHandleCallback on_event; /* NULL: a timer */
    int fd, events;

    /* a timer, in the list of all timers */
    virEventTimeoutCallback on_time;
    int period_ms;
    int64_t at_ns;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int epoll_fd = -1, wake_fd = -1;
static struct slot {
    struct item *item;
    unsigned int uses;
} * slots;
static unsigned int n_slots;
static struct item **handles; /* lists, by descriptor */
static size_t n_handles;
static struct item *timers;
static struct item *removed;    /* for the loop to free */
static int64_t next_ns = NEVER; /* no timer is due before */
static unsigned int turn;
static bool asleep, woken;

/* ---- items; lock held -------------------------------------------------------------- */

static struct slot *find_free_slot(void)
{
    static unsigned int from;

    for (unsigned int i = 0; i < n_slots; i++) {
        struct slot *slot = &slots[(from + i) % n_slots];
        if (!slot->item) {
            from = (unsigned int)(slot - slots) + 1;
            return slot;
        }
    }
    unsigned int n = n_slots ? 2 * n_slots : 64;
    struct slot *grown = n <= MAX_SLOTS ? realloc(slots, n * sizeof(*slots)) : NULL;
    if (!grown)
        return NULL;
    memset(grown + n_slots, 0, (n - n_slots) * sizeof(*grown));
    slots = grown;
    from = n_slots + 1;
    n_slots = n;
    return &slots[from - 1];
}

static struct item *add_item(const struct item *from)
{
    struct item *item = malloc(sizeof(*item));
    struct slot *slot = item ? find_free_slot() : NULL;

    if (!slot) {
        free(item);
        return NULL;
    }
    *item = *from;
    slot->item = item;
    slot->uses = slot->uses % (INT_MAX >> SLOT_BITS) + 1;
    item->id = (int)(slot->uses << SLOT_BITS | (unsigned int)(slot - slots));
    item->turn = turn; /* what was found before it came is not for it */
    return item;
}

static struct item *find_item(int id, bool timer)
{
    unsigned int i = (unsigned int)id & (MAX_SLOTS - 1);
    struct item *item = id >= 0 && i < n_slots ? slots[i].item : NULL;
    return item && item->id == id && !item->on_event == timer ? item : NULL;
}

static void end_sleep(void)
{
    if (!woken)
        eventfd_write(wake_fd, 1);
    woken = true;
}

/* A loop that is awake looks at everything before it sleeps. */
static void wake_loop(void)
{
    if (asleep)
        end_sleep();
}

/* The loop calls its ff, once it is out of the callbacks. */
static void bury_item(struct item *item, struct item **list)
{
    while (*list != item)
        list = &(*list)->next;
    *list = item->next;
    slots[(unsigned int)item->id & (MAX_SLOTS - 1)].item = NULL;
    item->next = removed;
    removed = item;
    wake_loop();
}

/* ---- handles ----------------------------------------------------------------------- */

static uint32_t to_epoll(int events)
{
    return (events & VIR_EVENT_HANDLE_READABLE ? EPOLLIN : 0) |
           (events & VIR_EVENT_HANDLE_WRITABLE ? EPOLLOUT : 0) |
           (events & VIR_EVENT_HANDLE_ERROR ? EPOLLERR : 0) |
           (events & VIR_EVENT_HANDLE_HANGUP ? EPOLLHUP : 0);
}

static int from_epoll(uint32_t events)
{
    return (events & EPOLLIN ? VIR_EVENT_HANDLE_READABLE : 0) |
           (events & EPOLLOUT ? VIR_EVENT_HANDLE_WRITABLE : 0) |
           (events & EPOLLERR ? VIR_EVENT_HANDLE_ERROR : 0) |
           (events & EPOLLHUP ? VIR_EVENT_HANDLE_HANGUP : 0);
}

/* Tells epoll what all handles of a descriptor want. Hang-ups are always told: edge
 * triggered to handles that are switched off, so that nobody spins. */
static int watch_fd(int fd)
{
    struct epoll_event event = {.data.fd = fd};

    if (!handles[fd]) /* closed already, maybe */
        return epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, &event), 0;
    for (const struct item *h = handles[fd]; h; h = h->next)
        event.events |= to_epoll(h->events);
    if (!event.events)
        event.events = EPOLLET;
    int rc = epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
    return rc < 0 && errno == ENOENT ? epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)
                                     : rc;
}

static int make_list(int fd)
{
    size_t n = n_handles ? n_handles : 64;

    if (fd < 0)
        return -1;
    while (n <= (size_t)fd)
        n *= 2;
    if (n == n_handles)
        return 0;
    struct item **grown = realloc(handles, n * sizeof(struct item *));
    if (!grown)
        return -1;
    memset(grown + n_handles, 0, (n - n_handles) * sizeof(struct item *));
    handles = grown;
    n_handles = n;
    return 0;
}

static _Thread_local bool refuses;

void vg_epoll_refuse(bool refuse)
{
    refuses = refuse;
}

static int add_handle(int fd, int events, virEventHandleCallback cb, void *opaque,
                      virFreeCallback ff)
{
    const struct item from = {
        .opaque = opaque, .ff = ff, .on_event = cb, .fd = fd, .events = events};

    if (refuses)
        return -1;
    VG_LOCK(&lock);
    struct item *h = make_list(fd) == 0 ? add_item(&from) : NULL;

    if (!h)
        return -1;
    h->next = handles[fd];
    handles[fd] = h;
    if (watch_fd(fd) == 0)
        return h->id;
    h->ff = NULL; /* still the caller's to free */
    bury_item(h, &handles[fd]);
    return -1;
}

static void update_handle(int id, int events)
{
    VG_LOCK(&lock);
    struct item *h = find_item(id, false);

    if (!h || h->events == events)
        return;
    h->events = events;
    (void)watch_fd(h->fd);
}

static int remove_handle(int id)
{
    VG_LOCK(&lock);
    struct item *h = find_item(id, false);

    if (!h)
        return -1;
    bury_item(h, &handles[h->fd]);
    (void)watch_fd(h->fd); /* at once: it may be closed next */
    return 0;
}

/* Lock held, but not while it calls: then everything may change. */
static void run_handles(int fd, uint32_t found)
{
    struct item *h = (size_t)fd < n_handles ? handles[fd] : NULL;

    while (h) {
        uint32_t mine =
            h->events ? found & (to_epoll(h->events) | EPOLLERR | EPOLLHUP) : 0;
        if (h->turn == turn || !mine) {
            h = h->next;
            continue;
        }
        h->turn = turn;
        const struct item call = *h;
        pthread_mutex_unlock(&lock);
        call.on_event(call.id, fd, from_epoll(mine), call.opaque);
        pthread_mutex_lock(&lock);
        h = handles[fd];
    }
}

/* ---- timers ------------------------------------------------------------------------ */

/* Negative: off; 0: in each turn. */
static void set_timer(struct item *t, int period_ms)
{
    t->period_ms = period_ms;
    t->at_ns = period_ms < 0 ? NEVER : vg_now_ns() + period_ms * (VG_SECOND_NS / 1000);
    if (t->at_ns < next_ns) {
        next_ns = t->at_ns;
        wake_loop();
    }
}

static int add_timer(int period_ms, virEventTimeoutCallback cb, void *opaque,
                     virFreeCallback ff)
{
    const struct item from = {.opaque = opaque, .ff = ff, .on_time = cb};
    VG_LOCK(&lock);
    struct item *t = add_item(&from);

    if (!t)
        return -1;
    t->next = timers;
    timers = t;
    set_timer(t, period_ms);
    return t->id;
}

static void update_timer(int id, int period_ms)
{
    VG_LOCK(&lock);
    struct item *t = find_item(id, true);
    if (t)
        set_timer(t, period_ms);
}

static int remove_timer(int id)
{
    VG_LOCK(&lock);
    struct item *t = find_item(id, true);

    if (!t)
        return -1;
    bury_item(t, &timers);
    return 0;
}

/* Lock held, but not while it calls. */
static void run_timers(int64_t now_ns)
{
    struct item *t = timers;

    if (now_ns < next_ns)
        return;
    while (t) {
        if (t->turn == turn || t->at_ns > now_ns) {
            t = t->next;
            continue;
        }
        t->turn = turn;
        t->at_ns = now_ns + t->period_ms * (VG_SECOND_NS / 1000);
        const struct item call = *t;
        pthread_mutex_unlock(&lock);
        call.on_time(call.id, call.opaque);
        pthread_mutex_lock(&lock);
        t = timers;
    }
    next_ns = NEVER;
    for (t = timers; t; t = t->next)
        next_ns = t->at_ns < next_ns ? t->at_ns : next_ns;
}

/* ---- the loop ---------------------------------------------------------------------- */

static void free_removed(void)
{
    while (removed) {
        struct item *item = removed;
        removed = item->next;
        pthread_mutex_unlock(&lock);
        if (item->ff)
            item->ff(item->opaque);
        free(item);
        pthread_mutex_lock(&lock);
    }
}

static int wait_ms(void)
{
    int64_t ns = next_ns == NEVER ? 0 : next_ns - vg_now_ns();
    int64_t ms = (ns + VG_SECOND_NS / 1000 - 1) / (VG_SECOND_NS / 1000);
    return next_ns == NEVER ? -1 : ns <= 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms;
}

void vg_epoll_turn(void)
{
    struct epoll_event found[TURN_EVENTS];
    eventfd_t wakes;

    pthread_mutex_lock(&lock);
    turn++;
    int ms = removed ? 0 : wait_ms();
    asleep = true;
    pthread_mutex_unlock(&lock);
    int n = epoll_wait(epoll_fd, found, TURN_EVENTS, ms);
    VG_LOCK(&lock);
    if (woken)
        eventfd_read(wake_fd, &wakes);
    asleep = woken = false;
    run_timers(vg_now_ns());
    for (int i = 0; i < n; i++)
        run_handles(found[i].data.fd, found[i].events);
    free_removed();
}

void vg_epoll_wake(void)
{
    VG_LOCK(&lock);
    end_sleep();
}

int vg_epoll_register(void)
{
    struct epoll_event event = {.events = EPOLLIN};

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.data.fd = wake_fd;
    if (epoll_fd < 0 || wake_fd < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) < 0)
        return -1;
    virEventRegisterImpl(add_handle, update_handle, remove_handle, add_timer,
                         update_timer, remove_timer);
    return 0;
}
