/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * HTTP as any client may use it, well-formed: methods, negotiation, limits, decoding,
 * caching, compression, the request id. What is malformed is in test_http_raw.c.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct step methods[] = {
    {"HEAD", "/domains/test", 200, "", .wants = {"Content-Length: [1-9]*"}},
    {"HEAD", "/domains/nosuch", 404, ""},
    {"OPTIONS", "/domains/test", 204, "", .wants = {"Allow: *GET*"}},
    {"OPTIONS", "/domains/test", 204, "",
     .wants = {"Accept-Patch: application/merge-patch+json"}},
    {"OPTIONS", "/hosts/default/domains/test/scheduler", 204, "",
     .wants = {"Accept-Patch: application/merge-patch+json"}},
    {"OPTIONS", "/domains", 204, "", .wants = {"Allow: *POST*", "!Accept-Patch"}},
    {"POST", "/domains/test", 405, GATEWAY("method-not-allowed"), .json = "{}",
     .wants = {"Accept-Patch: application/merge-patch+json"}},
    {"PATCH", "/domains/test", 415, GATEWAY("unsupported-media-type"),
     .headers = {"Content-Type: application/json-patch+json"}, .json = "[]",
     .wants = {"Accept-Patch: application/merge-patch+json"}},
    {"OPTIONS", "/domains/test/start", 204, "", .wants = {"Allow: *POST*"}},
    {"OPTIONS", "/nosuch", 404, NULL},
    {"POST", "/domains/test", 405, GATEWAY("method-not-allowed"), .json = "{}",
     .wants = {"Allow: *GET*", "Allow: *DELETE*", "Allow: *HEAD*"}},
    {"POST", "/version", 405, GATEWAY("method-not-allowed"), .wants = {"Allow: *GET*"}},
};

#define BROWSER                                                                          \
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"

static const struct step negotiation[] = {
    {"GET", "/version", 200, NULL, .headers = {"Accept: */*"}},
    {"GET", "/version", 200, NULL, .headers = {"Accept: application/*"}},
    {"GET", "/version", 200, NULL,
     .headers = {"Accept: text/html, application/json;q=0.5"}},
    {"GET", "/version", 406, GATEWAY("not-acceptable"), .headers = {"Accept: text/html"}},
    {"GET", "/version", 406, GATEWAY("not-acceptable"),
     .headers = {"Accept: application/xml"}},
    {"GET", "/version", 406, GATEWAY("not-acceptable"),
     .headers = {"Accept: application/json;q=0"}},
    /* the range that matches most exactly counts (RFC 9110, 12.5.1) */
    {"GET", "/version", 406, GATEWAY("not-acceptable"),
     .headers = {"Accept: */*, application/json;q=0"}},
    {"GET", "/domains/test", 200, NULL,
     .headers = {"Accept: application/xml;q=0, application/*"},
     .wants = {"Content-Type: application/json"}},
    /* a browser's: XML it is where there is XML, but not of a choice of fields */
    {"GET", "/domains/test", 200, NULL, .headers = {BROWSER},
     .wants = {"Content-Type: application/xml"}},
    {"GET", "/domains/test?fields=name", 200, "{'name':'test'}", .headers = {BROWSER},
     .wants = {"Content-Type: application/json"}},
    {"GET", "/domains/test?fields=name", 400, GATEWAY("invalid-value"),
     .headers = {"Accept: application/xml"}},
    {"GET", "/domains/test", 200, NULL,
     .headers = {"Accept: application/xml ;\t Q=0 , */*"},
     .wants = {"Content-Type: application/json"}},
    /* several lines are one list (RFC 9110, 5.3) */
    {"GET", "/version", 200, NULL,
     .headers = {"Accept: application/json", "Accept: text/html"}},
    {"GET", "/domains/test", 200, NULL,
     .headers = {"Accept: application/json, application/xml;q=0.5"},
     .wants = {"Content-Type: application/json*", "Vary: *Accept*"}},
    {"GET", "/domains/test", 200, NULL,
     .headers = {"Accept: application/xml, application/json;q=0.5"},
     .wants = {"Content-Type: application/xml*"}},
    {"POST", "/domains/test/suspend", 415, GATEWAY("unsupported-media-type"),
     .json = NULL, .xml = "<a/>"},
    {"POST", "/domains/test/suspend", 204, "",
     .headers = {"Content-Type: application/json; charset=utf-8"}},
    {"POST", "/domains/test/resume", 204, "", .headers = {"Content-Length: 0"}},
};

static const struct step decoding[] = {
    {"GET", "/domains/%74%65%73%74", 200, "{'name':'test'}"},
    {"GET", "/domains/te%2Fst", 404,
     "{'instance':'/domains/te%2Fst','error':{'code':42}}"},
    {"GET", "/domains/test%00", 400, GATEWAY("bad-request")},
    {"GET", "/domains/%00", 400, GATEWAY("bad-request")},
    {"GET", "/domains/%", 400, GATEWAY("bad-request")},
    {"GET", "/domains/%4", 400, GATEWAY("bad-request")},
    {"GET", "/domains/%zz", 400, GATEWAY("bad-request")},
    {"GET", "/domains?name=%zz", 400, GATEWAY("bad-request")},
    {"GET", "/domains?name=%00", 400, GATEWAY("bad-request")},
    {"GET", "/domains?name=te%73t", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/domains?n%61me=test", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/domains?name=a+b", 200, "{'domains':[]}"},
    {"GET", "/domains?", 200, "{'domains':[{}]}"},
    {"GET", "/domains?&&", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/domains?name=test&name=test", 400, GATEWAY("duplicate-key")},
    {"GET", "/domains?name=test&n%61me=x", 400, GATEWAY("duplicate-key")},
    {"GET", "/domains?nosuch=1", 400, GATEWAY("unknown-key"),
     .contains = "*state*limit*"},
    {"GET", "/domains?Name=test", 400, GATEWAY("unknown-key")},
    {"GET", "/domains?", 200, "{'domains':[{'name':'test'}]}"},
    /* single surrogates, and other bytes that are no text, in a query */
    {"GET", "/domains?name=%ED%A0%80", 400, GATEWAY("invalid-value"),
     .contains = "*UTF-8*"},
    {"GET", "/domains?%ED%BF%BF=1", 400, GATEWAY("invalid-value")},
    {"GET", "/health/live?a=%FF", 400, GATEWAY("invalid-value")},
    {"GET", "/metrics?host=%C3", 400, GATEWAY("invalid-value")},
    {"GET", "/operations?domain=%ED%A0%80", 400, GATEWAY("invalid-value")},
    {"POST", "/domains/test/snapshots?name=%ED%A0%80", 400, GATEWAY("invalid-value")},
    {"POST", "/domains/test/rename?name=%C0%AF", 400, GATEWAY("invalid-value")},
    {"PUT", "/domains/test/metadata?type=title&value=%F5%80%80%80", 400,
     GATEWAY("invalid-value")},
    {"GET", "/domains?name=%F0%9F%98%80", 200, "{'domains':[]}"},
    {"GET", "/domains/", 404, GATEWAY("not-found")},
    {"GET", "//domains", 404, GATEWAY("not-found")},
    {"GET", "/domains/../version", 404, GATEWAY("not-found")},
    {"GET", "/domains/%2e%2e", 404, "{'error':{'code':42}}"},
    {"GET", "/domains/%C3%A9%F0%9F%98%80", 404, "{'error':{'code':42}}"},
    {"GET", "/domains/%FF%FE", 404, "{'error':{'code':42}}"},
    {"GET", "/Domains", 404, GATEWAY("not-found")},
};

static const struct step bodies[] = {
    {"POST", "/domains/test/start", 400, "{'type':'~urn:virtgate:error:*'}",
     .json = "{'flags':[],'flags':[]}"},
    {"POST", "/domains/test/start", 400, GATEWAY("invalid-json"),
     .json = "{'flags':[]} x"},
    {"POST", "/domains/test/start", 400, GATEWAY("invalid-json"), .json = "nonsense"},
    {"POST", "/domains/test/start", 400, NULL, .json = "'text'"},
    {"POST", "/domains/test/start", 400, NULL, .json = "null"},
    {"POST", "/domains/test/start", 400, GATEWAY("invalid-json"),
     .json = "{'flags':['\\u0000']}"},
    {"POST", "/domains/test/start", 400, NULL, .json = "{'flags':['\xff']}"},
    {"POST", "/domains/test/start", 400, GATEWAY("unknown-key"), .json = "{'nosuch':1}"},
    {"GET", "/domains/test", 200, "{'state':'running'}"},
};

#define ID_128                                                                           \
    "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"                   \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct step caching[] = {
    {"GET", "/domains/test", 200, NULL, .wants = {"ETag: \"*\"", "X-Request-Id: ?*"}},
    {"GET", "/version", 200, NULL, .headers = {"X-Request-Id: my-id_1.2-3"},
     .wants = {"X-Request-Id: my-id_1.2-3"}},
    {"GET", "/version", 200, NULL, .headers = {"X-Request-Id: " ID_128},
     .wants = {"X-Request-Id: " ID_128}},
    {"GET", "/version", 200, NULL, .headers = {"X-Request-Id: " ID_128 "x"},
     .wants = {"X-Request-Id: [!x]?????????????????????????"}},
    {"GET", "/nosuch", 404, "{'requestId':'my-id'}", .headers = {"X-Request-Id: my-id"},
     .wants = {"X-Request-Id: my-id"}},
    {"GET", "/nosuch", 404, "{'requestId':'<string>'}",
     .headers = {"X-Request-Id: not an id \"at\" all"}, .wants = {"X-Request-Id: [!n]*"}},
    {"GET", "/version", 200, NULL,
     .headers = {"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
    {"GET", "/version", 200, NULL,
     .wants = {"X-Content-Type-Options: nosniff", "!Content-Security-Policy"}},
    {"GET", "/domains", 200, NULL, .wants = {"Cache-Control: no-cache"}},
};

static void test_etag(struct scenario *s, const char *path)
{
    struct response *r = scenario_send(s, "GET", path, NULL, NULL);
    char *etag = response_header(r, "ETag");
    check_response(etag && etag[0] == '"', r, "%s: a strong ETag", path);
    char *headers[4] = {NULL};
    if (etag && asprintf(&headers[0], "If-None-Match: %s", etag) > 0 &&
        asprintf(&headers[1], "If-None-Match: \"x\", %s", etag) > 0 &&
        asprintf(&headers[2], "If-None-Match: W/%s", etag) > 0) {
        headers[3] = strdup("If-None-Match: *");
        for (size_t i = 0; i < 4; i++) {
            struct response *again =
                scenario_send(s, "GET", path, ARGS(headers[i]), NULL);
            char *tag = response_header(again, "ETag");
            check_response(again->status == 304 && again->body_len == 0 && tag &&
                               strcmp(tag, etag) == 0,
                           again, "%s with %s", path, headers[i]);
            free(tag);
            response_free(again);
        }
        struct response *other =
            scenario_send(s, "GET", path, ARGS("If-None-Match: \"other\""), NULL);
        check_response(other->status == 200, other, "%s with another ETag", path);
        response_free(other);
    }
    for (size_t i = 0; i < 4; i++)
        free(headers[i]);
    free(etag);
    response_free(r);
}

/* A changed state is a changed ETag. */
static void test_etag_changes(struct scenario *s)
{
    struct response *before = scenario_send(s, "GET", "/domains/test", NULL, NULL);
    response_free(scenario_send(s, "POST", "/domains/test/suspend", NULL, NULL));
    char *etag = response_header(before, "ETag");
    char *header = NULL;
    if (asprintf(&header, "If-None-Match: %s", etag ? etag : "") < 0)
        abort();
    struct response *after = scenario_send(s, "GET", "/domains/test", ARGS(header), NULL);
    check_response(after->status == 200, after, "ETag %s after a change", etag);
    response_free(scenario_send(s, "POST", "/domains/test/resume", NULL, NULL));
    response_free(after);
    response_free(before);
    free(header);
    free(etag);
}

/* A body of n bytes that is a fine argument but for its size. */
static char *padded(const char *open, const char *close, size_t n)
{
    char *text = malloc(n + 1);
    if (!text)
        abort();
    memset(text, ' ', n);
    memcpy(text, open, strlen(open));
    memcpy(text + n - strlen(close), close, strlen(close));
    text[n] = '\0';
    return text;
}

static void expect_sized(struct scenario *s, size_t n, bool xml, bool chunked, long want)
{
    char *body = xml ? padded("<domain ", ">", n) : padded("{", "}", n);
    const char *type =
        xml ? "Content-Type: application/xml" : "Content-Type: application/json";
    const char *path = xml ? "/domains" : "/domains/test/reset";
    struct response *r = scenario_send(
        s, "POST", path, chunked ? ARGS(type, "Transfer-Encoding: chunked") : ARGS(type),
        body);
    check_response(r->status == want, r, "%s of %zu bytes%s: should be %ld",
                   xml ? "XML" : "JSON", n, chunked ? ", chunked" : "", want);
    if (want == 413)
        check_response(is_problem(r, 413, ":payload-too-large"), r, "a 413 is a problem");
    response_free(r);
    free(body);
}

static void test_sizes(struct scenario *s)
{
    const size_t json = 262144, xml = 4194304;
    for (int chunked = 0; chunked < 2; chunked++) {
        expect_sized(s, json - 1, false, chunked, 204);
        expect_sized(s, json, false, chunked, 204);
        expect_sized(s, json + 1, false, chunked, 413);
        expect_sized(s, 4 * json, false, chunked, 413);
        expect_sized(s, xml, true, chunked, 400);
        expect_sized(s, xml + 1, true, chunked, 413);
    }
    char path[8192];
    snprintf(path, sizeof(path), "/domains/%0*d", 5000, 0);
    struct response *r = scenario_send(s, "GET", path, NULL, NULL);
    check_response(is_problem(r, 414, ":uri-too-long"), r, "a target of 5 kB");
    response_free(r);
    char header[16384];
    snprintf(header, sizeof(header), "X-Long: %0*d", 15000, 0);
    r = scenario_send(s, "GET", "/version", ARGS(header), NULL);
    check_response(r->status == 431, r, "a header of 15 kB");
    response_free(r);
    r = scenario_send(s, "GET", "/version", NULL, NULL);
    check_response(r->status == 200, r, "the next request after refusals");
    response_free(r);
}

static void test_depth(struct scenario *s)
{
    enum { DEPTH = 3000 };
    char *body = malloc(2 * DEPTH + 32);
    if (!body)
        abort();
    char *p = stpcpy(body, "{\"flags\":");
    memset(p, '[', DEPTH);
    memset(p + DEPTH, ']', DEPTH);
    memcpy(p + (size_t)2 * DEPTH, "}", 2);
    struct response *r = scenario_send(s, "POST", "/domains/test/start",
                                       ARGS("Content-Type: application/json"), body);
    check_response(is_problem(r, 400, ":invalid-json"), r, "JSON %d deep", DEPTH);
    response_free(r);
    free(body);
}

static void expect_gzip(struct scenario *s, const char *accept, const char *path,
                        bool want)
{
    struct response *r =
        scenario_send(s, "GET", path, accept ? ARGS(accept) : NULL, NULL);
    char *encoding = response_header(r, "Content-Encoding");
    bool zipped = r->body_len > 2 && memcmp(r->body, "\x1f\x8b", 2) == 0;
    check_response(r->status == 200 && zipped == want &&
                       (want ? encoding && strcmp(encoding, "gzip") == 0 : !encoding),
                   r, "%s with %s: gzip should be %s", path, accept, want ? "on" : "off");
    free(encoding);
    response_free(r);
}

static void test_gzip(struct scenario *s)
{
    expect_gzip(s, "Accept-Encoding: gzip", "/openapi.json", true);
    expect_gzip(s, "Accept-Encoding: br, gzip;q=0.8", "/openapi.json", true);
    expect_gzip(s, "Accept-Encoding: gzip;q=0", "/openapi.json", false);
    expect_gzip(s, "Accept-Encoding: br", "/openapi.json", false);
    expect_gzip(s, NULL, "/openapi.json", false);
    expect_gzip(s, "Accept-Encoding: gzip", "/health/live", false);
    /* what it unpacks to is the same document; curl unpacks */
    struct response *plain = scenario_send(s, "GET", "/openapi.json", NULL, NULL);
    CURL *curl = curl_easy_init();
    char url[128];
    snprintf(url, sizeof(url), "%s/openapi.json", s->server.base);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    CURLcode rc = curl_easy_perform(curl);
    fclose(out);
    check_that(
        rc == CURLE_OK && size == plain->body_len && memcmp(text, plain->body, size) == 0,
        "gzip of /openapi.json unpacks to %zu bytes of %zu", size, plain->body_len);
    curl_easy_cleanup(curl);
    free(text);
    response_free(plain);
}

/* One connection serves many requests. */
static void test_keep_alive(struct scenario *s)
{
    long connects = 0;
    for (int i = 0; i < 50; i++) {
        struct response *r =
            client_get(s->client, i % 3 ? "/version" : "/domains/nosuch");
        long n = 0;
        curl_easy_getinfo(s->client->curl, CURLINFO_NUM_CONNECTS, &n);
        connects += n;
        response_free(r);
    }
    check_that(connects <= 1, "50 requests took %ld new connections", connects);
}

/* Every line of one head is in the other, but for the time. */
static bool same_head(const struct response *a, const struct response *b)
{
    for (const char *line = a->head; *line; line += strcspn(line, "\n") + 1) {
        size_t n = strcspn(line, "\n") + 1;
        if (strncasecmp(line, "Date:", 5) != 0 && !memmem(b->head, b->head_len, line, n))
            return false;
    }
    return a->head_len == b->head_len;
}

/* The same answer again on one connection is what a new connection gets: its own id, and
 * nothing of the answers before. */
static void test_repeated(struct scenario *s)
{
    static const struct {
        const char *method, *path;
        const char *header; /* NULL: none; TAG: If-None-Match with the answer's tag */
    } calls[] = {
#define TAG "If-None-Match"
        {"GET", "/version", NULL},
        {"GET", "/version", NULL},
        {"GET", "/version", TAG},
        {"GET", "/version", TAG},
        {"HEAD", "/version", NULL},
        {"GET", "/version", NULL},
        {"GET", "/health/live", TAG},
        {"GET", "/health/live", NULL},
        {"GET", "/version?numbers=string", NULL},
        {"GET", "/version", "Connection: close"},
        {"GET", "/version", NULL},
        {"GET", "/version", "Origin: http://allowed.example"},
        {"GET", "/version", NULL},
        {"GET", "/openapi.json", TAG},
        {"GET", "/openapi.json", "Accept-Encoding: gzip"},
        {"GET", "/openapi.json", NULL},
        {"GET", "/openapi.json", TAG},
        {"POST", "/version", NULL},
        {"GET", "/hosts/default/version", NULL},
        {"GET", "/version", TAG},
    };
    for (size_t i = 0; i < COUNT(calls); i++) {
        char id[40], condition[64] = "";
        snprintf(id, sizeof(id), "X-Request-Id: repeated-%zu", i);
        const char *header = calls[i].header ? calls[i].header : "X-Nothing: 1";
        if (strcmp(header, TAG) == 0) {
            struct response *first = client_get(s->client, calls[i].path);
            char *tag = response_header(first, "ETag");
            snprintf(condition, sizeof(condition), TAG ": %s", tag ? tag : "");
            header = condition;
            free(tag);
            response_free(first);
        }
        struct client *fresh = client_new(s->server.base);
        struct response *want =
            client_send(fresh, calls[i].method, calls[i].path, ARGS(id, header), NULL, 0);
        struct response *r = client_send(s->client, calls[i].method, calls[i].path,
                                         ARGS(id, header), NULL, 0);
        check_response(r->status == want->status && same_head(r, want) &&
                           r->body_len == want->body_len &&
                           memcmp(r->body, want->body, r->body_len) == 0 &&
                           (condition[0] == '\0') == (r->status != 304),
                       r, "call %zu, %s %s: as on a new connection", i, calls[i].method,
                       calls[i].path);
        response_free(r);
        response_free(want);
        client_free(fresh);
    }
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(
            &s, "http",
            ARGS("-c", "test:///default", "--cors-origin", "http://allowed.example"))) {
        scenario_run(&s, methods, COUNT(methods));
        scenario_run(&s, negotiation, COUNT(negotiation));
        scenario_run(&s, decoding, COUNT(decoding));
        scenario_run(&s, bodies, COUNT(bodies));
        scenario_run(&s, caching, COUNT(caching));
        test_etag(&s, "/domains");
        test_etag(&s, "/domains/test/autostart");
        test_etag(&s, "/openapi.yaml");
        test_etag_changes(&s);
        test_sizes(&s);
        test_depth(&s);
        test_gzip(&s);
        test_keep_alive(&s);
        test_repeated(&s);
        scenario_end(&s);
    }
    return checks_report();
}
