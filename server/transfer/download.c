/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The address is looked at when the socket is made, so a name that leads elsewhere the
 * second time leads nowhere. libcurl follows no redirection: each is a URL that has to be
 * allowed like the first.
 */
#include "server/transfer/download.h"

#include "server/base/clock.h"
#include "virtgate/cleanup.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFERED      ((size_t)256 << 10) /* more is left in the socket */
#define REDIRECTIONS  10
#define TRIES         5   /* without a byte in between */
#define POLL_MS       200 /* how often a cancelled one is noticed */
#define FIRST_WAIT_NS (VG_SECOND_NS / 4)
#define TAG_SIZE      256

struct vg_download {
    const struct vg_fetch_source *source;
    CURLM *multi;
    CURL *easy; /* of the connection that there is; NULL: none */
    struct curl_slist *fields;
    struct vg_allowed allowed;
    char refused[VG_ADDRESS_SIZE]; /* the address that the host may not have; "": none */
    char why[CURL_ERROR_SIZE];

    char *data; /* owned */
    size_t n, size;
    bool taken; /* data was read: it is dropped by the next call */
    bool headed, paused, ended;
    CURLcode result;
    int64_t moved_ns;

    uint64_t received, skip, total;
    unsigned int tries;
    char tag[TAG_SIZE]; /* strong ETag; "": none */
};

/* ---- what libcurl calls -------------------------------------------------------------
 */

static size_t take_data(char *data, size_t one, size_t n, void *p)
{
    struct vg_download *d = p;
    size_t length = one * n, skipped = length < d->skip ? length : (size_t)d->skip;

    d->moved_ns = vg_now_ns();
    if (d->n >= BUFFERED) {
        d->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (d->n + length > d->size) {
        char *larger = realloc(d->data, d->n + length);
        if (!larger)
            return 0;
        d->data = larger;
        d->size = d->n + length;
    }
    d->skip -= skipped;
    memcpy(d->data + d->n, data + skipped, length - skipped);
    d->n += length - skipped;
    return length;
}

static size_t take_header(char *line, size_t one, size_t n, void *p)
{
    struct vg_download *d = p;
    long status = 0;

    (void)line;
    d->moved_ns = vg_now_ns();
    curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &status);
    if (one * n <= 2 && status >= 200) /* the empty line after the last one */
        d->headed = true;
    return one * n;
}

static curl_socket_t open_socket(void *p, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    struct vg_download *d = p;

    (void)purpose;
    if (vg_allow_address(&d->allowed, &address->addr))
        return socket(address->family, address->socktype | SOCK_CLOEXEC,
                      address->protocol);
    const struct vg_address refused = vg_address_of(&address->addr);
    vg_address_write(&refused, d->refused);
    return CURL_SOCKET_BAD;
}

/* ---- one connection -----------------------------------------------------------------
 */

static void disconnect(struct vg_download *d)
{
    if (!d->easy)
        return;
    curl_multi_remove_handle(d->multi, d->easy);
    curl_easy_cleanup(d->easy);
    curl_slist_free_all(d->fields);
    d->easy = NULL;
    d->fields = NULL;
}

/* From where the last one ended, if it is still the same. */
static int set_range(struct vg_download *d)
{
    char range[TAG_SIZE + 16];
    struct curl_slist *more;

    if (!d->received)
        return 0;
    snprintf(range, sizeof(range), "Range: bytes=%llu-", (unsigned long long)d->received);
    d->fields = curl_slist_append(NULL, range);
    if (!d->fields || !d->tag[0])
        return d->fields ? 0 : -1;
    snprintf(range, sizeof(range), "If-Range: %s", d->tag);
    more = curl_slist_append(d->fields, range);
    return more ? 0 : -1;
}

/* http and https by name, no proxy, no file of the user's, no environment. */
static int set_up(struct vg_download *d, const char *url)
{
    CURL *c = d->easy;
    CURLcode rc = CURLE_OK;
    const char *scheme = d->allowed.is_tls ? "https" : "http";

#define SET(option, value) (rc = rc ? rc : curl_easy_setopt(c, CURLOPT_##option, value))
    SET(URL, url);
    SET(PROTOCOLS_STR, scheme);
    SET(FOLLOWLOCATION, 0L);
    SET(PROXY, "");
    SET(NETRC, (long)CURL_NETRC_IGNORED);
    SET(NOSIGNAL, 1L);
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* a paused one reads no more */
    SET(SSL_VERIFYPEER, 1L);
    SET(SSL_VERIFYHOST, 2L);
    SET(USERAGENT, "virtgate/" VG_VERSION);
    SET(ERRORBUFFER, d->why);
    SET(CONNECTTIMEOUT_MS, (long)(vg_fetch_deadline() / (VG_SECOND_NS / 1000)));
    SET(OPENSOCKETFUNCTION, open_socket);
    SET(OPENSOCKETDATA, d);
    SET(HEADERFUNCTION, take_header);
    SET(HEADERDATA, d);
    SET(WRITEFUNCTION, take_data);
    SET(WRITEDATA, d);
    SET(HTTPHEADER, d->fields);
#undef SET
    return rc == CURLE_OK && curl_multi_add_handle(d->multi, c) == CURLM_OK ? 0 : -1;
}

static int connect_to(struct vg_download *d, const char *url, struct vg_error *reterr)
{
    disconnect(d);
    d->n = 0;
    d->skip = 0;
    d->headed = d->paused = d->ended = false;
    d->refused[0] = d->why[0] = '\0';
    d->moved_ns = vg_now_ns();
    if (vg_allow_url(url, &d->allowed, reterr) < 0)
        return -1;
    d->easy = curl_easy_init();
    return d->easy && set_range(d) == 0 && set_up(d, url) == 0
               ? 0
               : vg_error_set_memory(reterr);
}

static int check_cancelled(const struct vg_download *d, struct vg_error *reterr)
{
    if (vg_fetch_is_stopping()) {
        vg_error_set(reterr, VG_E_DRAINING,
                     "The gateway stops; nothing of the import is left");
        return -1;
    }
    if (!d->source->is_cancelled || !d->source->is_cancelled(d->source->data))
        return 0;
    vg_error_set(reterr, VG_E_JOB_CANCELLED, "The import was cancelled");
    return -1;
}

/* Lets libcurl work, and waits for the network when there is nothing to do. */
static int perform(struct vg_download *d, struct vg_error *reterr)
{
    int running, left;
    const CURLMsg *message;

    if (check_cancelled(d, reterr) < 0)
        return -1;
    if (d->paused) {
        d->paused = false;
        curl_easy_pause(d->easy, CURLPAUSE_CONT);
    }
    curl_multi_perform(d->multi, &running);
    while ((message = curl_multi_info_read(d->multi, &left))) {
        d->ended = true;
        d->result = message->data.result;
    }
    if (d->ended || d->n)
        return 0;
    if (vg_now_ns() > d->moved_ns + vg_fetch_deadline()) {
        d->ended = true;
        d->result = CURLE_OPERATION_TIMEDOUT;
        return 0;
    }
    curl_multi_poll(d->multi, NULL, 0, POLL_MS, NULL);
    return 0;
}

static int fail_result(const struct vg_download *d, struct vg_error *reterr)
{
    if (d->refused[0])
        vg_error_set(reterr, VG_E_IMPORT_NOT_ALLOWED,
                     "The host's name leads to %s, which is no address of the Internet; "
                     "an --import-network of the gateway allows such",
                     d->refused);
    else if (d->result == CURLE_OPERATION_TIMEDOUT)
        vg_error_set(reterr, VG_E_DEADLINE_EXCEEDED,
                     "The server of '%.200s' sent nothing for %lld s", d->source->url,
                     (long long)(vg_fetch_deadline() / VG_SECOND_NS));
    else
        vg_error_set(reterr, VG_E_IMPORT_FAILED, "'%.200s' could not be fetched: %s",
                     d->source->url, d->why[0] ? d->why : curl_easy_strerror(d->result));
    return -1;
}

/* ---- answers ------------------------------------------------------------------------
 */

static const char *get_field(const struct vg_download *d, const char *name)
{
    struct curl_header *field;
    return curl_easy_header(d->easy, name, 0, CURLH_HEADER, -1, &field) == CURLHE_OK
               ? field->value
               : NULL;
}

/* A weak one says nothing of bytes. */
static const char *get_tag(const struct vg_download *d)
{
    const char *tag = get_field(d, "ETag");
    return tag && tag[0] == '"' && strlen(tag) < TAG_SIZE ? tag : "";
}

static void note_first(struct vg_download *d)
{
    curl_off_t length = -1;

    curl_easy_getinfo(d->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    d->total = length < 0 ? VG_LENGTH_UNKNOWN : (uint64_t)length;
    snprintf(d->tag, sizeof(d->tag), "%s", get_tag(d));
}

static int fail_changed(const struct vg_download *d, struct vg_error *reterr)
{
    vg_error_set(reterr, VG_E_IMPORT_FAILED,
                 "The connection broke, and '%.200s' is not what it was before: its ETag "
                 "or its range is another one",
                 d->source->url);
    return -1;
}

/* A 206 goes on; a 200 begins again, and what has come already is passed over. */
static int note_again(struct vg_download *d, long status, struct vg_error *reterr)
{
    const char *range = get_field(d, "Content-Range");
    char wanted[40];

    if (strcmp(get_tag(d), d->tag) != 0)
        return fail_changed(d, reterr);
    if (status == 200) {
        uint64_t skipped = d->received < d->n ? d->received : d->n;
        memmove(d->data, d->data + skipped, d->n - (size_t)skipped);
        d->n -= (size_t)skipped;
        d->skip = d->received - skipped;
        return 0;
    }
    snprintf(wanted, sizeof(wanted), "bytes %llu-", (unsigned long long)d->received);
    return range && strncasecmp(range, wanted, strlen(wanted)) == 0
               ? 0
               : fail_changed(d, reterr);
}

/* Until the answer's fields have come. 1: they have; 0: the connection failed; -1:
 * *reterr.
 */
static int await_fields(struct vg_download *d, struct vg_error *reterr)
{
    while (!d->headed && !d->ended)
        if (perform(d, reterr) < 0)
            return -1;
    return d->headed;
}

static bool is_redirection(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

/* Where a redirection from `url` leads, for curl_free(); NULL: it does not say. libcurl
 * tells it by itself only once the body has come. */
static char *next_url(const struct vg_download *d, const char *url)
{
    const char *location = get_field(d, "Location");
    CURLU *parts = location ? curl_url() : NULL;
    char *next = NULL;

    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_set(parts, CURLUPART_URL, location,
                     CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
        (void)curl_url_get(parts, CURLUPART_URL, &next, 0);
    curl_url_cleanup(parts);
    return next;
}

/* To the last URL of a chain of redirections: 1 and its status; 0: the connection failed;
 * -1: *reterr. */
static int follow(struct vg_download *d, long *ret_status, struct vg_error *reterr)
{
    vg_autofree char *url = strdup(d->source->url);

    for (unsigned int i = 0; url && i <= REDIRECTIONS; i++) {
        if (connect_to(d, url, reterr) < 0)
            return -1;
        int rc = await_fields(d, reterr);
        if (rc <= 0)
            return rc;
        curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, ret_status);
        char *next = is_redirection(*ret_status) ? next_url(d, url) : NULL;
        if (!next)
            return 1;
        free(url);
        url = strdup(next);
        curl_free(next);
    }
    if (!url)
        return vg_error_set_memory(reterr);
    vg_error_set(reterr, VG_E_IMPORT_FAILED, "'%.200s' is redirected more than %d times",
                 d->source->url, REDIRECTIONS);
    return -1;
}

static int fail_status(const struct vg_download *d, long status, struct vg_error *reterr)
{
    vg_error_set(reterr, VG_E_IMPORT_FAILED, "The server of '%.200s' answered %ld",
                 d->source->url, status);
    return -1;
}

/* ---- broken connections -------------------------------------------------------------
 */

static bool may_go_on(const struct vg_download *d)
{
    return d->received && (d->tag[0] || d->source->sha256) && !d->refused[0] &&
           d->tries < TRIES && d->result != CURLE_WRITE_ERROR;
}

/* Longer each time. */
static int wait_before(struct vg_download *d, struct vg_error *reterr)
{
    int64_t until = vg_now_ns() + (FIRST_WAIT_NS << d->tries);

    while (vg_now_ns() < until) {
        if (check_cancelled(d, reterr) < 0)
            return -1;
        curl_multi_poll(d->multi, NULL, 0, POLL_MS, NULL);
    }
    return 0;
}

/* The connection has ended badly: another one. 0: there is one, or there may be another;
 * -1: *reterr. */
static int go_on(struct vg_download *d, struct vg_error *reterr)
{
    long status = 0;

    if (!may_go_on(d))
        return fail_result(d, reterr);
    if (wait_before(d, reterr) < 0)
        return -1;
    d->tries++;
    int rc = follow(d, &status, reterr);
    if (rc <= 0)
        return rc;
    if (status == 200 || status == 206)
        return note_again(d, status, reterr);
    if (status < 500 || d->tries >= TRIES)
        return fail_status(d, status, reterr);
    d->n = 0;
    d->ended = true;
    d->result = CURLE_HTTP_RETURNED_ERROR;
    return 0;
}

/* ---- reading ------------------------------------------------------------------------
 */

int vg_download_peek(struct vg_download *d, size_t want, const char **ret, size_t *ret_n,
                     struct vg_error *reterr)
{
    if (d->taken)
        d->n = 0;
    d->taken = false;
    while (d->n < want) {
        size_t had = d->n;
        if (d->ended && d->result == CURLE_OK)
            break;
        if (d->ended) {
            if (had) /* first what has come: another connection begins behind it */
                break;
            if (go_on(d, reterr) < 0)
                return -1;
            had = 0;
        } else if (perform(d, reterr) < 0) {
            return -1;
        }
        if (d->n > had)
            d->tries = 0;
    }
    *ret = d->data;
    *ret_n = d->n;
    return d->n > 0;
}

int vg_download_read(struct vg_download *d, const char **ret, size_t *ret_n,
                     struct vg_error *reterr)
{
    int rc = vg_download_peek(d, 1, ret, ret_n, reterr);

    if (rc > 0) {
        d->taken = true;
        d->received += *ret_n;
    }
    return rc;
}

uint64_t vg_download_length(const struct vg_download *d)
{
    return d->total;
}

struct vg_download *vg_download_open(const struct vg_fetch_source *source,
                                     struct vg_error *reterr)
{
    struct vg_download *d = calloc(1, sizeof(*d));
    long status = 0;

    if (!d || !(d->multi = curl_multi_init())) {
        free(d);
        (void)vg_error_set_memory(reterr);
        return NULL;
    }
    d->source = source;
    int rc = follow(d, &status, reterr);
    if (rc == 0)
        rc = fail_result(d, reterr);
    if (rc > 0 && status != 200)
        rc = fail_status(d, status, reterr);
    if (rc > 0) {
        note_first(d);
        return d;
    }
    vg_download_close(d);
    return NULL;
}

void vg_download_close(struct vg_download *d)
{
    if (!d)
        return;
    disconnect(d);
    curl_multi_cleanup(d->multi);
    free(d->data);
    free(d);
}
