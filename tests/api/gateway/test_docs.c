/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/gateway/docs.c: the page at /docs and what it loads. What a browser makes of it:
 * docs_page.py.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICY  "Content-Security-Policy: default-src 'none'; script-src 'self';*"
#define BROWSER "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

static const struct step page[] = {
    {"GET", "/", 200, "{'links':{'docs':'/docs'}}"},
    {"GET", "/docs", 200, NULL, .headers = {BROWSER},
     .wants = {"Content-Type: text/html; charset=utf-8", POLICY, "ETag: \"*\"",
               "X-Content-Type-Options: nosniff"},
     .contains = "*<!DOCTYPE html>*docs/docs.js*"},
    {"GET", "/docs", 200, NULL, .headers = {"Accept: text/html"}},
    {"HEAD", "/docs", 200, "", .wants = {"Content-Type: text/html*", POLICY}},
    {"GET", "/docs", 406, GATEWAY("not-acceptable"),
     .headers = {"Accept: application/json"}},
    {"GET", "/docs?x=1", 400, GATEWAY("unknown-key")},
    {"GET", "/docs?url=http://elsewhere.example/", 400, GATEWAY("unknown-key")},
    {"POST", "/docs", 405, GATEWAY("method-not-allowed"),
     .wants = {"Allow: GET, HEAD, OPTIONS"}},
    {"GET", "/docs/", 404, GATEWAY("not-found")},
    {"GET", "/hosts/default/docs", 404, GATEWAY("not-found")},
};

/* `make DOCS=no`, which the Makefile passes on. */
static const struct step without[] = {
    {"GET", "/docs", 200, NULL, .headers = {BROWSER},
     .wants = {"Content-Type: text/html; charset=utf-8", POLICY},
     .contains = "*<!DOCTYPE html>*built without*openapi.yaml*"},
    {"GET", "/docs/docs.js", 404, GATEWAY("not-found")},
    {"GET", "/docs/swagger-ui-bundle.js", 404, NULL},
};

/* The console; what a browser makes of it: test_ui.mjs. */
static const struct step console[] = {
    {"GET", "/", 200, "{'links':{'ui':'/ui/'}}"},
    {"GET", "/ui/", 200, NULL, .headers = {BROWSER},
     .wants = {"Content-Type: text/html; charset=utf-8", POLICY, "ETag: \"*\""},
     .contains = "*<!DOCTYPE html>*"},
    {"GET", "/ui", 200, NULL, .wants = {POLICY}, .contains = "*url=ui/*"},
    {"POST", "/ui/", 405, GATEWAY("method-not-allowed")},
    {"GET", "/ui//", 404, GATEWAY("not-found")},
    {"GET", "/ui/nosuch", 404,
     "{'type':'urn:virtgate:error:not-found','detail':'~*nosuch*'}"},
    {"GET", "/ui/..%2fapp.js", 404, GATEWAY("not-found")},
    {"GET", "/domains/", 404,
     "{'type':'urn:virtgate:error:not-found','detail':'~*slash*'}"},
};

static const struct step console_files[] = {
    {"GET", "/ui/app.js", 200, NULL, .headers = {"Accept-Encoding: gzip"},
     .wants = {"Content-Type: text/javascript; charset=utf-8", "Content-Encoding: gzip"}},
    {"GET", "/ui/app.css", 200, NULL, .wants = {"Content-Type: text/css; charset=utf-8"}},
    {"GET", "/ui/licences.txt", 200, NULL, .wants = {"Content-Type: text/plain*"},
     .contains = "*(MPL-2.0)*"},
};

static const struct step files[] = {
    {"GET", "/docs/docs.js", 200, NULL,
     .wants = {"Content-Type: text/javascript; charset=utf-8", "!Content-Encoding",
               "ETag: \"*\"", "Vary: *Accept-Encoding*"},
     .contains = "*validatorUrl: null*"},
    {"GET", "/docs/swagger-ui.css", 200, NULL, .headers = {"Accept: text/css,*/*;q=0.1"},
     .wants = {"Content-Type: text/css; charset=utf-8",
               "X-Content-Type-Options: nosniff"},
     .contains = "*.swagger-ui*"},
    {"GET", "/docs/LICENSE", 200, NULL, .wants = {"Content-Type: text/plain*"},
     .contains = "*Apache License*Version 2.0*"},
    {"GET", "/docs/NOTICE", 200, NULL, .contains = "*SmartBear*"},
    {"HEAD", "/docs/swagger-ui-bundle.js", 200, "", .headers = {"Accept-Encoding: gzip"},
     .wants = {"Content-Encoding: gzip", "ETag: \"*-gz\""}},
    {"GET", "/docs/nosuch", 404,
     "{'type':'urn:virtgate:error:not-found','detail':'~*nosuch*'}"},
    {"GET", "/docs/docs.js/x", 404, GATEWAY("not-found")},
    {"GET", "/docs/..%2fdocs.js", 404, GATEWAY("not-found")},
    {"GET", "/docs/docs.js?v=1", 400, GATEWAY("unknown-key")},
    {"GET", "/docs/docs.js", 406, GATEWAY("not-acceptable"),
     .headers = {"Accept: application/json"}},
};

/* The body is as it came: not unpacked. */
static struct response *get_as(struct scenario *s, const char *encoding, const char *tag)
{
    return client_send(s->client, "GET", "/docs/swagger-ui-bundle.js",
                       ARGS(encoding, tag), NULL, 0);
}

/* Compressed as it was embedded, or unpacked; each form has its own tag. */
static void test_forms(struct scenario *s)
{
    struct response *gzip = get_as(s, "Accept-Encoding: gzip", "X-Nothing: 1");
    struct response *plain = get_as(s, "Accept-Encoding: identity", "X-Nothing: 1");
    char *gzip_tag = response_header(gzip, "ETag");
    char *plain_tag = response_header(plain, "ETag");

    check_that(gzip->status == 200 && memcmp(gzip->body, "\x1f\x8b", 2) == 0,
               "gzip: status %ld, %zu bytes", gzip->status, gzip->body_len);
    check_that(plain->status == 200 && plain->body_len > 2 * gzip->body_len &&
                   strstr(plain->body, "SwaggerUIBundle") &&
                   strlen(plain->body) == plain->body_len,
               "identity: status %ld, %zu bytes", plain->status, plain->body_len);
    check_that(gzip_tag && plain_tag && strcmp(gzip_tag, plain_tag) != 0,
               "tags: %s of gzip, %s without", gzip_tag, plain_tag);
    char condition[100];
    snprintf(condition, sizeof(condition), "If-None-Match: %s", gzip_tag);
    struct response *again = get_as(s, "Accept-Encoding: gzip", condition);
    check_that(again->status == 304 && again->body_len == 0, "again: status %ld",
               again->status);
    free(gzip_tag);
    free(plain_tag);
    response_free(gzip);
    response_free(plain);
    response_free(again);
}

static void test_page(struct scenario *s)
{
    scenario_run(s, page, COUNT(page));
    scenario_run(s, files, COUNT(files));
    test_forms(s);
}

int main(void)
{
    const char *docs = getenv("DOCS");
    const char *ui = getenv("UI");
    struct scenario s;
    if (scenario_begin(&s, "docs", ARGS("-c", "test:///default"))) {
        if (docs && strcmp(docs, "no") == 0)
            scenario_run(&s, without, COUNT(without));
        else
            test_page(&s);
        scenario_run(&s, console, COUNT(console));
        if (!ui || strcmp(ui, "no") != 0)
            scenario_run(&s, console_files, COUNT(console_files));
        scenario_end(&s);
    }
    return checks_report();
}
