/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Replies and their shared bodies; the one place where an error becomes an answer.
 */
#include "virtgate/reply.h"

#include "server/core/content.h"
#include "server/core/event_reply.h"
#include "server/core/request.h"
#include "virtgate/cleanup.h"
#include "virtgate/stream.h"

#include <string.h>
#include <xxhash.h>
#include <zlib.h>

#define JSON_TYPE    "application/json"
#define PROBLEM_TYPE "application/problem+json"

/* Shorter bodies fit one packet anyway. */
#define GZIP_WORTH 1024

static const char out_of_memory[] = "{\"type\":\"urn:virtgate:error:internal\",\"title\":"
                                    "\"Internal error\",\"status\":500,"
                                    "\"detail\":\"Out of memory\",\"retryable\":true}";

static struct vg_body out_of_memory_body = {
    .refs = 1, .data = out_of_memory, .length = sizeof(out_of_memory) - 1};

static struct vg_reply make_oom(void)
{
    return (struct vg_reply){
        .status = 500, .type = PROBLEM_TYPE, .body = vg_body_ref(&out_of_memory_body)};
}

/* A reply of `data`, which becomes the body's own when `owned` is the same. */
static struct vg_reply make_reply(int status, const char *type, char *owned,
                                  const char *data, size_t length)
{
    struct vg_body *body = data ? malloc(sizeof(*body)) : NULL;
    if (!body) {
        free(owned);
        return make_oom();
    }
    *body = (struct vg_body){.refs = 1, .owned = owned, .data = data, .length = length};
    return (struct vg_reply){.status = status, .type = type, .body = body};
}

static struct vg_reply make_written(int status, const char *type, struct vg_json *w)
{
    size_t n = 0, passing = w->passing, passing_end = w->passing_end;
    uint64_t depends = w->depends;
    char *text = vg_json_finish(w, &n);
    struct vg_reply reply = make_reply(status, type, text, text, n);

    if (text && reply.body != &out_of_memory_body) {
        reply.body->passing = passing;
        reply.body->passing_end = passing_end;
        reply.body->depends = depends;
    }
    return reply;
}

struct vg_reply vg_ok(struct vg_request *rq, json_t *json_steal)
{
    if (!json_steal)
        return make_oom();
    json_auto_t *json = json_steal;
    struct vg_json w = vg_json_for(rq);
    vg_json_value(&w, NULL, json);
    return make_written(200, JSON_TYPE, &w);
}

struct vg_reply vg_ok_written(struct vg_request *rq, struct vg_json *w)
{
    (void)rq;
    return make_written(200, JSON_TYPE, w);
}

struct vg_reply vg_ok_text(struct vg_request *rq, const char *type, char *text_steal)
{
    (void)rq;
    return make_reply(200, type, text_steal, text_steal,
                      text_steal ? strlen(text_steal) : 0);
}

struct vg_reply vg_ok_bytes(struct vg_request *rq, const char *type, void *bytes_steal,
                            size_t n)
{
    (void)rq;
    return make_reply(200, type, bytes_steal, bytes_steal, n);
}

struct vg_reply vg_ok_secret(struct vg_request *rq, void *bytes_steal, size_t n)
{
    struct vg_body *body = malloc(sizeof(*body));

    if (!body) {
        explicit_bzero(bytes_steal, n);
        free(bytes_steal);
        return vg_fail_memory(rq);
    }
    *body = (struct vg_body){.refs = 1,
                             .owned = bytes_steal,
                             .secret = true,
                             .data = bytes_steal,
                             .length = n};
    return (struct vg_reply){
        .status = 200, .type = "application/octet-stream", .body = body};
}

struct vg_reply vg_ok_static(struct vg_request *rq, const char *type, const char *data,
                             size_t len)
{
    (void)rq;
    return make_reply(200, type, NULL, data, len);
}

/* A gzip file ends with the length of what it holds (RFC 1952, 2.3.1). */
static size_t plain_length(const char *gzip, size_t n)
{
    const unsigned char *end = (const unsigned char *)gzip + n;
    return (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 |
           (size_t)end[-1] << 24;
}

struct vg_reply vg_ok_gzip(struct vg_request *rq, const char *type, const char *data,
                           size_t len)
{
    (void)rq;
    vg_autofree struct vg_gzipped *gzipped = malloc(sizeof(*gzipped));
    vg_autofree struct vg_body *body = malloc(sizeof(*body));
    if (!gzipped || !body)
        return make_oom();
    *gzipped = (struct vg_gzipped){.length = len, .data = data};
    *body = (struct vg_body){
        .refs = 1, .length = plain_length(data, len), .gzipped = vg_take(&gzipped)};
    return (struct vg_reply){.status = 200, .type = type, .body = vg_take(&body)};
}

struct vg_reply vg_created(struct vg_request *rq, char *location_steal, struct vg_json *w)
{
    (void)rq;
    struct vg_reply reply = make_written(201, JSON_TYPE, w);
    reply.location = location_steal;
    return reply;
}

struct vg_reply vg_accepted(struct vg_request *rq, char *location_steal,
                            struct vg_json *w)
{
    (void)rq;
    if (!location_steal)
        return make_oom();
    struct vg_reply reply = {.status = 202};
    if (w)
        reply = make_written(202, JSON_TYPE, w);
    reply.location = location_steal;
    return reply;
}

struct vg_reply vg_no_content(struct vg_request *rq)
{
    (void)rq;
    return (struct vg_reply){.status = 204};
}

struct vg_reply vg_upgrade(struct vg_request *rq, struct vg_channel *channel)
{
    if (!channel)
        return vg_fail(rq);
    return (struct vg_reply){.status = 101, .channel = channel};
}

bool vg_on_fast_queue(const struct vg_request *rq)
{
    return rq->route->runs_on == VG_ON_FAST && !rq->requeued;
}

struct vg_reply vg_requeue(void)
{
    return (struct vg_reply){.moves = true};
}

struct vg_reply vg_not_yet(struct vg_reply reply, int64_t seconds)
{
    if (reply.status == 200)
        reply.not_yet_ns = seconds * VG_SECOND_NS;
    return reply;
}

struct vg_reply vg_cacheable(struct vg_reply reply)
{
    reply.covered = reply.status == 200;
    return reply;
}

struct vg_reply vg_with_status(struct vg_reply reply, int status)
{
    if (reply.status < 300) /* or it is another answer */
        reply.status = status;
    return reply;
}

/* The target's query without `after`, and with it anew. */
static char *next_target(const struct vg_request *rq, const char *cursor)
{
    vg_autofree char *path = strndup(rq->target, rq->path_length);
    vg_autofree char *encoded = vg_percent_encode(cursor);
    char *target = NULL;

    if (!path || !encoded ||
        asprintf(&target, "%s%s?after=%s", vg_path_prefix(), path, encoded) < 0)
        return NULL;
    for (unsigned int i = 0; i < rq->n_query; i++) {
        vg_autofree char *before = target;
        vg_autofree char *value = vg_percent_encode(rq->query[i].value);
        if (strcmp(rq->query[i].key, "after") == 0) {
            before = NULL;
            continue;
        }
        if (!value || asprintf(&target, "%s&%s=%s", before, rq->query[i].key, value) < 0)
            return NULL;
    }
    return target;
}

struct vg_reply vg_with_next(struct vg_request *rq, struct vg_reply reply,
                             const char *cursor)
{
    vg_autofree char *target = cursor ? next_target(rq, cursor) : NULL;
    if (!target || asprintf(&reply.link, "<%s>; rel=\"next\"", target) < 0)
        reply.link = NULL;
    return reply;
}

struct vg_json vg_json_for(const struct vg_request *rq)
{
    return (struct vg_json){.number_strings = rq->number_strings};
}

struct vg_reply vg_reply_problem(const struct vg_request *rq,
                                 const struct vg_error *error)
{
    struct vg_error e = *error; /* borrows */

    if (e.transport && rq->method != VG_GET && rq->method != VG_HEAD)
        e.outcome = VG_OUTCOME_UNKNOWN;
    json_auto_t *problem = vg_error_to_json(&e);
    if (!problem)
        return make_oom();

    vg_autofree char *path = vg_request_path(rq);
    json_object_set_new(problem, "instance", vg_json_text(path ? path : ""));
    json_object_set_new(problem, "requestId", vg_json_text(rq->id));
    const char *host = e.host ? e.host : vg_host_name(rq);
    if (host)
        json_object_set_new(problem, "host", vg_json_text(host));
    struct vg_json w = vg_json_for(rq);
    vg_json_value(&w, NULL, problem);
    struct vg_reply reply = make_written(e.status, PROBLEM_TYPE, &w);
    reply.retry_after = e.retry_after;
    reply.transport_failed = e.transport;
    return reply;
}

static struct vg_reply reply_once(const struct vg_request *rq, struct vg_error *e)
{
    struct vg_reply reply = vg_reply_problem(rq, e);
    vg_error_clear(e);
    return reply;
}

struct vg_reply vg_reply_error(const struct vg_request *rq, enum vg_error_id id,
                               const char *detail)
{
    struct vg_error e = {0};
    vg_error_set(&e, id, "%s", detail);
    return reply_once(rq, &e);
}

struct vg_reply vg_reply_memory(const struct vg_request *rq)
{
    struct vg_error e = {0};
    vg_error_set_memory(&e);
    return reply_once(rq, &e);
}

struct vg_reply vg_fail(struct vg_request *rq)
{
    if (!rq->error.status)
        vg_error_set(&rq->error, VG_E_INTERNAL,
                     "A failure without a reason: please report it");
    return vg_reply_problem(rq, &rq->error);
}

struct vg_reply vg_fail_memory(struct vg_request *rq)
{
    vg_error_set_memory(&rq->error);
    return vg_fail(rq);
}

struct vg_reply vg_fail_virt(struct vg_request *rq)
{
    vg_error_set_virt(&rq->error);
    return vg_fail(rq);
}

struct vg_reply vg_done(struct vg_request *rq, int result)
{
    return result < 0 ? vg_fail_virt(rq) : vg_no_content(rq);
}

/* ---- bodies ------------------------------------------------------------------------ */

/* What does not get shorter is not tried again. */
static struct vg_gzipped not_gzipped;

struct vg_body *vg_body_ref(struct vg_body *body)
{
    if (body)
        atomic_fetch_add_explicit(&body->refs, 1, memory_order_relaxed);
    return body;
}

void vg_body_unref(struct vg_body *body)
{
    if (!body || atomic_fetch_sub_explicit(&body->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct vg_gzipped *gzipped = atomic_load(&body->gzipped);
    if (gzipped != &not_gzipped)
        free(gzipped);
    free(atomic_load(&body->unpacked));
    if (body->secret)
        explicit_bzero(body->owned, body->length);
    free(body->owned);
    free(body);
}

static void free_fields(struct vg_reply_fields *fields)
{
    for (unsigned int i = 0; fields && i < fields->n; i++)
        free(fields->v[i].value);
    free(fields);
}

/* What there is no memory for is left out. */
static struct vg_reply_fields *copy_fields(const struct vg_reply_fields *fields)
{
    struct vg_reply_fields *copy = fields ? calloc(1, sizeof(*copy)) : NULL;

    for (unsigned int i = 0; copy && i < fields->n; i++) {
        copy->v[copy->n].name = fields->v[i].name;
        copy->v[copy->n].value = strdup(fields->v[i].value);
        copy->n += copy->v[copy->n].value != NULL;
    }
    return copy;
}

struct vg_reply vg_with_field(struct vg_request *rq, struct vg_reply reply,
                              const char *name, char *value_steal)
{
    if (!reply.fields)
        reply.fields = calloc(1, sizeof(*reply.fields));
    if (reply.fields && value_steal && reply.fields->n < VG_REPLY_FIELDS) {
        unsigned int i = reply.fields->n++;
        reply.fields->v[i].name = name;
        reply.fields->v[i].value = value_steal;
        return reply;
    }
    free(value_steal);
    vg_reply_clear(&reply);
    return vg_fail_memory(rq);
}

void vg_reply_clear(struct vg_reply *reply)
{
    vg_body_unref(reply->body);
    free(reply->location);
    free(reply->link);
    if (reply->subscription)
        reply->subscription->close(reply->subscription);
    if (reply->channel)
        reply->channel->close(reply->channel);
    if (reply->feed)
        reply->feed->close(reply->feed);
    free(reply->content_range);
    free_fields(reply->fields);
    *reply = (struct vg_reply){0};
}

struct vg_reply vg_reply_share(const struct vg_reply *reply)
{
    struct vg_reply copy = *reply;
    vg_body_ref(copy.body);
    copy.location = reply->location ? strdup(reply->location) : NULL;
    copy.link = reply->link ? strdup(reply->link) : NULL;
    copy.subscription = NULL;
    copy.channel = NULL;
    copy.feed = NULL;
    copy.content_range = reply->content_range ? strdup(reply->content_range) : NULL;
    copy.fields = copy_fields(reply->fields);
    return copy;
}

/* NULL when out of memory. */
static struct vg_gzipped *gzip(const struct vg_body *body)
{
    z_stream z = {0};
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    size_t size = deflateBound(&z, body->length);
    struct vg_gzipped *gzipped = malloc(sizeof(*gzipped) + size);
    bool shorter = false;
    if (gzipped) {
        gzipped->data = gzipped->own;
        z.next_in = (z_const Bytef *)(uintptr_t)body->data;
        z.avail_in = (uInt)body->length;
        z.next_out = (Bytef *)gzipped->own;
        z.avail_out = (uInt)size;
        shorter = deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out < body->length;
        gzipped->length = z.total_out;
    }
    deflateEnd(&z);
    if (shorter || !gzipped)
        return gzipped;
    free(gzipped);
    return &not_gzipped;
}

bool vg_body_compresses(const struct vg_body *body)
{
    return body->length >= GZIP_WORTH && !body->secret;
}

const struct vg_gzipped *vg_body_gzipped(struct vg_body *body)
{
    struct vg_gzipped *gzipped = atomic_load(&body->gzipped), *other = NULL;

    if (!gzipped && vg_body_compresses(body)) {
        gzipped = gzip(body);
        if (gzipped && !atomic_compare_exchange_strong(&body->gzipped, &other, gzipped)) {
            if (gzipped != &not_gzipped)
                free(gzipped);
            gzipped = other; /* another thread was faster */
        }
    }
    return gzipped == &not_gzipped ? NULL : gzipped;
}

/* NULL when out of memory. */
static char *gunzip(const struct vg_gzipped *gzipped, size_t length)
{
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)gzipped->data,
                  .avail_in = (uInt)gzipped->length};
    vg_autofree char *plain = malloc(length);
    if (!plain || inflateInit2(&z, 15 + 16) != Z_OK)
        return NULL;
    z.next_out = (Bytef *)plain;
    z.avail_out = (uInt)length;
    bool whole = inflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out == length;
    inflateEnd(&z);
    return whole ? vg_take(&plain) : NULL;
}

const char *vg_body_plain(struct vg_body *body)
{
    char *plain = atomic_load(&body->unpacked), *other = NULL;

    if (body->data || plain)
        return body->data ? body->data : plain;
    plain = gunzip(atomic_load(&body->gzipped), body->length);
    if (plain && !atomic_compare_exchange_strong(&body->unpacked, &other, plain)) {
        free(plain);
        plain = other; /* another thread was faster */
    }
    return plain;
}

static void hash_body(struct vg_body *body)
{
    const struct vg_gzipped *gzipped = body->data ? NULL : atomic_load(&body->gzipped);
    size_t begin = body->passing, end = body->passing_end;

    if (gzipped) {
        body->hash = XXH3_64bits(gzipped->data, gzipped->length);
    } else if (!end) {
        body->hash = XXH3_64bits(body->data, body->length);
    } else {
        body->hash = XXH3_64bits_withSeed(body->data + end, body->length - end,
                                          XXH3_64bits(body->data, begin));
        body->passing_hash = XXH3_64bits(body->data + begin, end - begin);
    }
    if (body->depends)
        body->hash =
            XXH3_64bits_withSeed(&body->depends, sizeof(body->depends), body->hash);
}

void vg_reply_prepare(struct vg_reply *reply)
{
    struct vg_body *body = reply->body;

    if (body && body != &out_of_memory_body && reply->status == 200 && !body->hash &&
        !body->secret)
        hash_body(body);
}

struct vg_reply vg_tagged_with(struct vg_reply reply, const char *also)
{
    vg_reply_prepare(&reply);
    if (reply.body && reply.status == 200)
        reply.body->hash = XXH3_64bits_withSeed(also, strlen(also), reply.body->hash);
    return reply;
}

/* ---- kept answers ------------------------------------------------------------------ */

static struct vg_body *cached_body(const struct vg_request *rq,
                                   const struct vg_cached *cached)
{
    return atomic_load_explicit(&cached->body[rq->number_strings], memory_order_acquire);
}

bool vg_cached_reply(const struct vg_request *rq, const struct vg_cached *cached,
                     struct vg_reply *ret)
{
    struct vg_body *body = cached_body(rq, cached);

    if (!body)
        return false;
    *ret =
        (struct vg_reply){.status = 200, .type = body->type, .body = vg_body_ref(body)};
    return true;
}

struct vg_reply vg_keep(const struct vg_request *rq, struct vg_cached *cached,
                        struct vg_reply reply)
{
    struct vg_body *none = NULL;

    if (reply.status != 200)
        return reply;
    vg_reply_prepare(&reply);
    reply.body->type = reply.type;
    vg_body_ref(reply.body);
    if (!atomic_compare_exchange_strong(&cached->body[rq->number_strings], &none,
                                        reply.body))
        vg_body_unref(reply.body); /* another thread was faster */
    return reply;
}

struct vg_reply vg_ok_cached(struct vg_request *rq, struct vg_cached *cached,
                             const char *type, const char *data, size_t len)
{
    struct vg_reply reply;

    if (vg_cached_reply(rq, cached, &reply))
        return reply;
    return vg_keep(rq, cached, vg_ok_static(rq, type, data, len));
}

void vg_cached_clear(struct vg_cached *cached)
{
    for (size_t i = 0; i < sizeof(cached->body) / sizeof(cached->body[0]); i++)
        vg_body_unref(atomic_exchange(&cached->body[i], NULL));
}
