/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /hosts/-/...: the request is copied for each host, each copy is answered by its host's
 * own queue (or the host's breaker, or its deadline), and the last to come joins the
 * lists. Every item says its host; `limit` and `after` hold for the joined list.
 */
#include "server/fanout.h"

#include "server/core/answer.h"
#include "server/core/event.h"
#include "server/core/kind.h"
#include "server/joined.h"
#include "server/libvirt/host.h"
#include "virtgate/cleanup.h"
#include "virtgate/scope.h"

#include <errno.h>
#include <string.h>

/* The copies end before the whole does, so that late hosts are named instead of failing
 * it. */
#define HEAD_START_NS 100000000
/* Hosts have this long where the handler joins: Prometheus gives up after 10 s. */
#define SCRAPE_NS (4 * VG_SECOND_NS)

struct vg_fan_out {
    struct vg_request *rq;
    atomic_size_t missing;
    size_t n;
    uint64_t revision; /* before any host was asked */
    struct {
        struct vg_host *host;
        struct vg_reply reply;
        struct vg_reading reading; /* of the host; not to be kept: generation 0 */
    } parts[];
};

/* One host's copy: which join, which place. */
struct part {
    struct vg_fan_out *fan_out;
    size_t index;
};

static void free_fan_out(struct vg_fan_out *fan_out)
{
    for (size_t i = 0; i < fan_out->n; i++)
        vg_reply_clear(&fan_out->parts[i].reply);
    vg_request_unref(fan_out->rq);
    free(fan_out);
}

/* ---- joining ----------------------------------------------------------------------- */

/* How the answer's list is called, and by which member it is sorted. */
struct list_form {
    const char *key, *sort;
};

static struct list_form form_of(const struct vg_request *rq)
{
    enum vg_kind kind = vg_kind_of(rq->route->pattern);
    if (strcmp(rq->route->pattern, "/domain-stats") == 0)
        kind = VG_KIND_DOMAIN; /* a list of domains by another name */
    const struct vg_kind_info *info = vg_kind_info(kind);

    if (kind)
        return (struct list_form){info->list_key, info->sort_key};
    /* of what is no kind of object the path says it */
    return (struct list_form){rq->segments[rq->first_segment], "name"};
}

static void add_unreachable(json_t *list, const char *host, const json_t *problem)
{
    json_t *item = json_pack("{s:s, s:O}", "host", host, "error", problem);
    if (item)
        json_array_append_new(list, item);
}

static void add_items(json_t *list, const char *host, const char *key, json_t *answer)
{
    json_t *item;
    size_t i;
    json_array_foreach (json_object_get(answer, key), i, item) {
        json_object_set_new(item, "host", json_string(host));
        json_array_append(list, item);
    }
}

/* A member's text; "" when `fields` left it out, or there was no memory for it. */
static const char *text_of(const json_t *item, const char *key)
{
    const char *text = json_string_value(json_object_get(item, key));
    return text ? text : "";
}

static int compare_items(const void *a, const void *b, void *sort)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int by_key = strcmp(text_of(x, sort), text_of(y, sort));
    return by_key ? by_key : strcmp(text_of(x, "host"), text_of(y, "host"));
}

/* The first `limit` items by name (or what else they go by), and those of the same name
 * on other hosts with the last: so a name is a cursor here, too. *ret_next is set where
 * items are left over. */
static json_t *sort_items(const json_t *list, const char *sort, size_t limit, bool more,
                          const char **ret_next)
{
    vg_autofree char *by = strdup(sort); /* qsort_r() takes no const */
    size_t n = json_array_size(list), i;
    vg_autofree json_t **items = calloc(n ? n : 1, sizeof(*items));
    json_t *sorted = items && by ? json_array() : NULL, *item;

    if (!sorted)
        return NULL;
    json_array_foreach (list, i, item) {
        items[i] = item;
    }
    qsort_r(items, n, sizeof(*items), compare_items, by);
    for (i = 0; i < n; i++) {
        if (limit && i >= limit &&
            strcmp(text_of(items[i], sort), text_of(items[i - 1], sort)) != 0)
            break;
        json_array_append(sorted, items[i]);
    }
    if (i && (i < n || more))
        *ret_next = text_of(items[i - 1], sort);
    return sorted;
}

/* The request's `limit`, that each host was given, too; 0: none. */
static size_t limit_of(const struct vg_request *rq)
{
    for (unsigned int i = 0; i < rq->n_query; i++) {
        if (strcmp(rq->query[i].key, "limit") == 0) {
            errno = 0;
            unsigned long n = strtoul(rq->query[i].value, NULL, 10);
            return errno ? 0 : n;
        }
    }
    return 0;
}

/* The request is wrong, for every host alike: one host's problem, as this request's. */
static struct vg_reply pass_problem(struct vg_request *rq, int status, json_t *problem)
{
    vg_autofree char *path = strndup(rq->target, rq->path_length);
    json_object_set_new(problem, "instance", vg_json_text(path ? path : ""));
    json_object_del(problem, "host");
    struct vg_reply reply = vg_with_status(vg_ok(rq, json_incref(problem)), status);
    reply.type = "application/problem+json";
    return reply;
}

static struct vg_reply join_replies(struct vg_fan_out *fan_out)
{
    struct vg_request *rq = fan_out->rq;
    (void)vg_json_lost_memory(); /* of earlier requests */
    json_auto_t *items = json_array();
    json_auto_t *unreachable = json_array();
    struct list_form form = form_of(rq);
    bool more = false; /* than a host was asked for */

    for (size_t i = 0; i < fan_out->n; i++) {
        const struct vg_reply *reply = &fan_out->parts[i].reply;
        const char *host = vg_host_get_name(fan_out->parts[i].host);
        json_auto_t *answer =
            reply->body ? json_loadb(reply->body->data, reply->body->length, 0, NULL)
                        : NULL;
        if (answer && reply->status >= 400 && reply->status < 500)
            return pass_problem(rq, reply->status, answer);
        if (reply->status == 200)
            add_items(items, host, form.key, answer);
        else if (answer)
            add_unreachable(unreachable, host, answer);
        more = more || json_object_get(answer, "next");
    }
    const char *next = NULL;
    json_t *sorted = sort_items(items, form.sort, limit_of(rq), more, &next);
    json_t *joined =
        json_pack("{s:o, s:O}", form.key, sorted, "unreachable", unreachable);
    if (joined && next)
        json_object_set_new(joined, "next", json_string(next));
    if (vg_json_lost_memory() || !sorted) { /* something is missing in the lists */
        json_decref(joined);
        return vg_reply_memory(rq);
    }
    return vg_with_next(rq, vg_ok(rq, joined), next);
}

/* ---- rows whose handler joins ------------------------------------------------------ */

bool vg_part_at(const struct vg_request *rq, size_t index, struct vg_part *ret)
{
    const struct vg_fan_out *fan_out = rq->fan_out;
    if (index >= fan_out->n)
        return false;
    const struct vg_reply *reply = &fan_out->parts[index].reply;
    const struct vg_body *body = reply->body;
    ret->host = vg_host_get_name(fan_out->parts[index].host);
    ret->status = reply->status;
    ret->text = body ? body->data : "";
    ret->length = body ? body->length : 0;
    return true;
}

static struct vg_reply join_by_handler(struct vg_fan_out *fan_out)
{
    struct vg_request *rq = fan_out->rq;
    rq->fan_out = fan_out;
    struct vg_reply reply = rq->route->handler(rq);
    rq->fan_out = NULL;
    return reply;
}

/* The host that ?host= asks for; NULL: all of them. */
static const char *wanted_host(const struct vg_request *rq)
{
    if (rq->route->hosts != VG_EVERY_HOST)
        return NULL;
    for (unsigned int i = 0; i < rq->n_query; i++)
        if (strcmp(rq->query[i].key, "host") == 0)
            return rq->query[i].value;
    return NULL;
}

/* Those that the caller may see. One that is not there is the handler's to refuse. */
static void choose_hosts(struct vg_fan_out *fan_out)
{
    const char *wanted = wanted_host(fan_out->rq);

    for (size_t i = 0; i < vg_host_count(); i++) {
        struct vg_host *host = vg_host_at(i);
        const char *name = vg_host_get_name(host);
        if ((!wanted || strcmp(name, wanted) == 0) && vg_sees_host(fan_out->rq, name))
            fan_out->parts[fan_out->n++].host = host;
    }
}

/* Keeps what every host may be asked for from memory. */
static void keep(const struct vg_fan_out *fan_out, const struct vg_reply *joined)
{
    vg_autofree struct vg_joined_part *parts = calloc(fan_out->n, sizeof(*parts));

    for (size_t i = 0; i < fan_out->n; i++) {
        const struct vg_reply *reply = &fan_out->parts[i].reply;
        if (!parts || reply->status != 200 || !reply->covered)
            return;
        parts[i] = (struct vg_joined_part){.host = fan_out->parts[i].host,
                                           .reading = fan_out->parts[i].reading};
    }
    vg_joined_keep(fan_out->rq, vg_take(&parts), fan_out->n, joined);
}

/* Where the joined list is from: memory, and how old, where any part of it is. */
static void set_source(const struct vg_fan_out *fan_out, struct vg_reply *joined)
{
    joined->source = VG_SOURCE_LIBVIRT;
    for (size_t i = 0; i < fan_out->n; i++) {
        const struct vg_reply *reply = &fan_out->parts[i].reply;
        if (reply->source != VG_SOURCE_INVENTORY)
            continue;
        joined->source = VG_SOURCE_INVENTORY;
        if (reply->age_seconds > joined->age_seconds)
            joined->age_seconds = reply->age_seconds;
    }
}

static void complete(struct vg_fan_out *fan_out)
{
    bool joins = vg_request_asks_every(fan_out->rq);
    struct vg_reply joined = joins ? join_by_handler(fan_out) : join_replies(fan_out);
    vg_reply_prepare(&joined);
    if (fan_out->rq->route->hosts != VG_EVERY_HOST) {
        joined.has_revision = joined.status == 200;
        joined.revision = fan_out->revision;
    }
    if (!joins && joined.status == 200) {
        set_source(fan_out, &joined);
        keep(fan_out, &joined);
    }
    vg_request_answer(fan_out->rq, joined);
    free_fan_out(fan_out);
}

static void take_part(struct vg_request *copy, struct vg_reply reply)
{
    struct part *part = copy->done_data;
    struct vg_fan_out *fan_out = part->fan_out;

    fan_out->parts[part->index].reply = reply;
    fan_out->parts[part->index].reading = copy->reading;
    free(part);
    if (atomic_fetch_sub(&fan_out->missing, 1) != 1)
        return;
    complete(fan_out);
}

/* ---- asking ------------------------------------------------------------------------ */

/* The request as one host gets it: the same path and query, below that host. */
static struct vg_request *copy_for(const struct vg_request *rq, struct vg_host *host)
{
    vg_autofree char *target = NULL;
    const char *rest = rq->target + strlen(vg_host_prefix(rq));
    vg_autofree char *name = vg_percent_encode(vg_host_get_name(host));

    if (!name || asprintf(&target, "/hosts/%s%s", name, rest) < 0)
        return NULL;
    struct vg_request *copy = vg_request_inner(rq->route, target, 7 + strlen(name));
    if (!copy || vg_request_parse_target(copy, copy->target) < 0) {
        vg_request_unref(copy);
        return NULL;
    }
    copy->accept = rq->accept;
    vg_request_act_for(copy, rq);
    copy->fresh = rq->fresh;
    copy->number_strings = rq->number_strings;
    vg_request_set_host(copy, host, vg_host_get_name(host));
    copy->start_ns = rq->start_ns;
    copy->deadline_ns = rq->deadline_ns - HEAD_START_NS;
    if (vg_request_asks_every(rq) && copy->deadline_ns > rq->start_ns + SCRAPE_NS)
        copy->deadline_ns = rq->start_ns + SCRAPE_NS;
    copy->done = take_part;
    return copy;
}

static int add_part(struct vg_fan_out *fan_out, size_t index, struct vg_request *copy)
{
    struct part *part = malloc(sizeof(*part));
    if (!part)
        return -1;
    *part = (struct part){.fan_out = fan_out, .index = index};
    copy->done_data = part;
    return 0;
}

/* From memory, where it is there. The first that is waits in *held instead: it is asked
 * when all others are, so that a worker joins and no network thread. */
static void ask(struct vg_request *copy, struct vg_request **held)
{
    struct vg_reply known;

    if (!vg_host_recall(copy, &known)) {
        vg_host_submit(copy->host, copy);
    } else if (!*held) {
        vg_reply_clear(&known);
        *held = copy;
    } else {
        vg_request_answer(copy, known);
        vg_request_unref(copy);
    }
}

void vg_fan_out_submit(struct vg_request *rq)
{
    struct vg_fan_out *fan_out =
        calloc(1, sizeof(*fan_out) + vg_host_count() * sizeof(fan_out->parts[0]));
    if (!fan_out) {
        vg_request_answer(rq, vg_reply_memory(rq));
        vg_request_unref(rq);
        return;
    }
    fan_out->rq = rq;
    fan_out->revision = vg_event_head();
    choose_hosts(fan_out);
    size_t n = fan_out->n; /* the join may be gone when the last host was asked */
    struct vg_request *held = NULL;
    atomic_init(&fan_out->missing, n);
    if (n == 0)
        complete(fan_out);
    for (size_t i = 0; i < n; i++) {
        struct vg_host *host = fan_out->parts[i].host;
        struct vg_request *copy = copy_for(rq, host);
        if (!copy || add_part(fan_out, i, copy) < 0) {
            fan_out->parts[i].reply = vg_reply_memory(rq);
            vg_request_unref(copy);
            if (atomic_fetch_sub(&fan_out->missing, 1) == 1) {
                vg_request_answer(rq, vg_reply_memory(rq));
                free_fan_out(fan_out);
                return;
            }
            continue;
        }
        ask(copy, &held);
    }
    if (held)
        vg_host_submit(held->host, held);
}
