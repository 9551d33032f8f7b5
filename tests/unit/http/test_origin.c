/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The names that the gateway answers to (Host), and the pages that may call it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/internal.h"

#include <unistd.h>

static char hosts[][32] = {"gate.example", "Other.Example"};
static char listens[][32] = {"0.0.0.0:8080", "[::]:8081", "vm-host:80", "unix"};
static char origins[][32] = {"https://app.example", "http://a.example:8080"};
static char *host_list[] = {hosts[0], hosts[1]};
static char *listen_list[] = {listens[0], listens[1], listens[2], listens[3]};
static char *origin_list[] = {origins[0], origins[1]};

static struct vg_config config;
static struct vg_http_conn conn;

static int start(void **state)
{
    (void)state;
    config.allowed_hosts.v = host_list;
    config.allowed_hosts.n = 2;
    config.listen.v = listen_list;
    config.listen.n = 4;
    config.cors_origins.v = origin_list;
    config.cors_origins.n = 2;
    return 0;
}

static int check_call(struct vg_http_call *call, const char *target)
{
    call->rq = vg_request_new();
    call->conn = &conn;
    assert_int_equal(vg_request_parse_target(call->rq, target), 0);
    int rc = vg_http_check_sender(call, &config);
    int status = rc < 0 ? call->rq->error.status : 0;
    vg_request_unref(call->rq);
    return status;
}

/* ---- Host -------------------------------------------------------------------------- */

static void check_host(const char *host, int want)
{
    struct vg_http_call call = {.headers.host = host};

    conn = (struct vg_http_conn){0};
    int is = check_call(&call, "/domains");
    if (is != want)
        fail_msg("Host: %s gives %d instead of %d", host, is, want);
    assert_int_equal(call.close, want == 400);
    assert_int_equal(conn.host[0] != '\0', want == 0 && host && strlen(host) < 64);
}

static void test_known(void **state)
{
    char name[256];
    (void)state;
    check_host(NULL, 0); /* HTTP/1.0 */
    check_host("localhost", 0);
    check_host("LOCALHOST:8080", 0);
    check_host("127.0.0.1", 0);
    check_host("192.0.2.1:1", 0); /* an address cannot be pointed elsewhere */
    check_host("[::1]", 0);
    check_host("[2001:db8::1]:65535", 0);
    check_host("gate.example", 0);
    check_host("GATE.example:443", 0);
    check_host("other.example", 0);
    check_host("vm-host", 0);
    check_host("VM-host:1234", 0);
    assert_int_equal(gethostname(name, sizeof(name)), 0);
    check_host(name, 0);
}

static void test_unknown(void **state)
{
    (void)state;
    check_host("evil.example", 421);
    check_host("gate.example.evil", 421);
    check_host("gate.exampl", 421);
    check_host("localhost.evil", 421);
    check_host("vm-hos", 421);
    check_host("unix", 421);
    check_host("127.0.0.1.evil", 421);
    check_host("1.2.3", 421);
    check_host("[1.2.3.4]", 421);
    check_host("[]", 421);
    check_host("[localhost]", 421);
    check_host("2130706433", 421); /* no number stands for an address */
    check_host("[1234:1234:1234:1234:1234:1234:1234:1234:1234:1234:1234]", 421);
}

static void test_malformed(void **state)
{
    static const char *const hosts_[] = {
        "",           ":80",     "localhost:x",     "localhost:80x",  "localhost:123456",
        "a b",        "a/b",     "a@localhost",     "localhost,evil", "a?b",
        "a#b",        "a\\b",    "\"localhost\"",   "<localhost>",    "[::1",
        "[::1]x",     "[::1]80", "localhost:80:80", "localhost\t",    "[",
        "local\thost"};
    (void)state;
    for (size_t i = 0; i < sizeof(hosts_) / sizeof(hosts_[0]); i++)
        check_host(hosts_[i], 400);
    check_host("localhost:", 0); /* an empty port is one (RFC 3986) */
    check_host("localhost:12345", 0);
}

/* Asked once for what a connection always says; another is asked again. */
static void test_remembered(void **state)
{
    struct vg_http_call call = {.headers.host = "localhost"};
    (void)state;
    conn = (struct vg_http_conn){0};
    assert_int_equal(check_call(&call, "/domains"), 0);
    assert_string_equal(conn.host, "localhost");
    call.headers.host = "evil.example";
    assert_int_equal(check_call(&call, "/domains"), 421);
    assert_string_equal(conn.host, "localhost");
    assert_int_equal(check_call(&call, "/domains"), 421);
    strcpy(conn.host, "evil.example"); /* so it is not asked */
    assert_int_equal(check_call(&call, "/domains"), 0);
    conn = (struct vg_http_conn){.local = true}; /* no browser opens a unix socket */
    assert_int_equal(check_call(&call, "/domains"), 0);
    call.headers.host = "a b";
    assert_int_equal(check_call(&call, "/domains"), 400);
}

static void test_long_name(void **state)
{
    char longest[65];
    (void)state;
    config.allowed_hosts.v = (char *[]){longest};
    config.allowed_hosts.n = 1;
    memset(longest, 'a', sizeof(longest));
    longest[64] = '\0'; /* does not fit in what is remembered */
    check_host(longest, 0);
    longest[63] = '\0';
    check_host(longest, 0);
    assert_string_equal(conn.host, longest);
    (void)start(NULL);
}

/* ---- pages ------------------------------------------------------------------------- */

static void check_page(const char *target, const char *origin, const char *site, int want,
                       const char *allowed)
{
    struct vg_http_call call = {
        .headers = {.host = "localhost:8080", .origin = origin, .fetch_site = site}};

    conn = (struct vg_http_conn){0};
    int is = check_call(&call, target);
    if (is != want)
        fail_msg("%s, Origin: %s, %s: %d instead of %d", target, origin, site, is, want);
    assert_int_equal(call.origin != NULL, allowed != NULL);
    if (allowed)
        assert_string_equal(call.origin, allowed);
    free(call.origin);
}

static void test_pages(void **state)
{
    (void)state;
    check_page("/domains", NULL, NULL, 0, NULL);
    check_page("/domains", "http://localhost:8080", NULL, 0, NULL);
    check_page("/domains", "https://LOCALHOST:8080", NULL, 0, NULL); /* a proxy's TLS */
    check_page("/domains", "http://localhost", NULL, 403, NULL);
    check_page("/domains", "http://localhost:80801", NULL, 403, NULL);
    check_page("/domains", "http://localhost:8080.evil", NULL, 403, NULL);
    check_page("/domains", "ftp://localhost:8080", NULL, 403, NULL);
    check_page("/domains", "null", NULL, 403, NULL);
    check_page("/domains", "", NULL, 403, NULL);
    check_page("/domains", NULL, "same-origin", 0, NULL);
    check_page("/domains", NULL, "none", 0, NULL);
    check_page("/domains", NULL, "same-site", 403, NULL);
    check_page("/domains", NULL, "cross-site", 403, NULL);
    check_page("/domains", NULL, "", 403, NULL);
    /* the browser's word, whatever a proxy did to Host */
    check_page("/domains", "http://public.example", "same-origin", 0, NULL);
    check_page("/domains", "http://localhost:8080", "cross-site", 403, NULL);
}

static void test_allowed_pages(void **state)
{
    (void)state;
    check_page("/domains", "https://app.example", NULL, 0, "https://app.example");
    check_page("/domains", "https://app.example", "cross-site", 0, "https://app.example");
    check_page("/domains", "http://a.example:8080", NULL, 0, "http://a.example:8080");
    check_page("/domains", "https://app.example.evil", NULL, 403, NULL);
    check_page("/domains", "https://app.exampl", NULL, 403, NULL);
    check_page("/domains", "http://app.example", NULL, 403, NULL);
    assert_null(vg_http_find_origin("https://app", &config));
    assert_false(vg_http_is_own_origin("http://x", NULL));
}

static void test_public(void **state)
{
    static const char *const everybody[] = {
        "/",      "/?x", "/health", "/health/ready", "/docs",          "/docs/a.css",
        "/ui/?x", "/ui", "/ui/app", "/openapi.yaml", "/openapi.json?x"};
    static const char *const others[] = {"/healthy", "/doc",      "/docsx",    "/u",
                                         "/uix",     "/openapi.", "/openapix", "/domains",
                                         "/x?/docs", "/metrics"};
    (void)state;
    for (size_t i = 0; i < sizeof(everybody) / sizeof(everybody[0]); i++)
        check_page(everybody[i], "http://evil.example", "cross-site", 0, NULL);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        check_page(others[i], "http://evil.example", "cross-site", 403, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),         cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_malformed),     cmocka_unit_test(test_remembered),
        cmocka_unit_test(test_long_name),     cmocka_unit_test(test_pages),
        cmocka_unit_test(test_allowed_pages), cmocka_unit_test(test_public),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
