/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/gateway/metrics.c: GET /metrics with a live host, a dead one and a mute one.
 * What the formats demand is checked in tests/contract/metrics.py.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UUID      "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define DOMAIN(h) "{host=\"" h "\",domain=\"test\",uuid=\"" UUID "\"}"
#define TEXT      "Content-Type: text/plain; version=0.0.4; charset=utf-8"
#define OPEN      "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8"
#define REQUESTS(route, method, code)                                                    \
    "*\nvirtgate_http_requests_total{route=\"" route "\",method=\"" method               \
    "\",code=\"" code "\"}"
/* What Prometheus 2.42 sends. */
#define PROMETHEUS                                                                       \
    "Accept: application/openmetrics-text;version=1.0.0,application/"                    \
    "openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

static const struct step rows[] = {
    {"GET", "/metrics", 200, NULL, .wants = {TEXT, "!ETag"},
     .contains = "*\nlibvirt_up{host=\"default\"} 1\n*"},
    {"HEAD", "/metrics", 200, "", .wants = {TEXT, "Content-Length: [1-9]*"}},
    {"GET", "/metrics", 200, NULL,
     .contains = REQUESTS("/metrics", "HEAD", "200") " 1\n*"},
    {"GET", "/metrics", 200, NULL, .headers = {"Accept: */*"}, .wants = {TEXT}},
    {"GET", "/metrics", 200, NULL, .headers = {"Accept: text/*"}, .wants = {TEXT}},
    {"GET", "/metrics", 200, NULL, .headers = {PROMETHEUS},
     .wants = {OPEN, "Vary: *Acc*"},
     .contains = "*# TYPE virtgate_http_requests counter\n*\n# EOF\n"},
    {"GET", "/metrics", 200, NULL,
     .headers = {"Accept: application/openmetrics-text;q=0.3, text/plain;q=0.5"},
     .wants = {TEXT}, .contains = "*# TYPE virtgate_http_requests_total counter\n*"},
    {"GET", "/metrics", 406,
     "{'type':'urn:virtgate:error:not-acceptable',"
     "'detail':'~*text/plain*openmetrics-text*'}",
     .headers = {"Accept: application/json"}},
    {"HEAD", "/metrics", 406, "", .headers = {"Accept: application/xml"}},
    {"GET", "/metrics?host=nosuch", 404, GATEWAY("not-found")},
    {"GET", "/metrics?host=", 404, GATEWAY("not-found")},
    {"GET", "/metrics?nosuch=1", 400,
     "{'type':'urn:virtgate:error:unknown-key','detail':'~*host*'}"},
    {"GET", "/metrics?host=a&nosuch=1", 400, GATEWAY("unknown-key")},
    {"GET", "/metrics?host=a&host=a", 400, GATEWAY("duplicate-key")},
    {"POST", "/metrics", 405, GATEWAY("method-not-allowed"), .wants = {"Allow: *GET*"}},
    {"GET", "/hosts/a/metrics", 404, GATEWAY("not-found")},
    {"GET", "/hosts/-/metrics", 404, GATEWAY("not-found")},

    /* the gateway's own */
    {"GET", "/domains/test", 200, "{'name':'test'}"},
    {"GET", "/domains/test", 200, "{'name':'test'}"},
    {"GET", "/domains/no%22such", 404, NULL},
    {"GET", "/secret%22path", 404, GATEWAY("not-found")},
    {"GET", "/metrics", 200, NULL,
     .contains = REQUESTS("/domains/{domain}", "GET", "200") " 2\n*"},
    {"GET", "/metrics", 200, NULL,
     .contains = REQUESTS("/domains/{domain}", "GET", "404") " 1\n*"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*\nvirtgate_http_request_duration_seconds_bucket{route=\"/domains/"
                 "{domain}\",method=\"GET\",le=\"+Inf\"} 3\n*"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*\nvirtgate_http_request_duration_seconds_count{route=\"/domains/"
                 "{domain}\",method=\"GET\"} 3\n*"},
    {"GET", "/metrics", 200, NULL, .contains = REQUESTS("unmatched", "GET", "404") " *"},
    {"GET", "/metrics", 200, NULL,
     .contains = REQUESTS("unmatched", "POST", "405") " 1\n*"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*\nvirtgate_libvirt_errors_total{code=\"VIR_ERR_NO_DOMAIN\"} 1\n*"},
    {"GET", "/connection", 200, "{'pool':{'size':'$size'}}"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*\nvirtgate_host_pool_size{host=\"default\"} ${size}\n*"},

    /* domains, as other paths have them */
    {"GET", "/domains/test/state", 200, "{'stateCode':'$running'}"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*\nlibvirt_domain_info_vstate" DOMAIN("default") " ${running}\n*"},
    {"POST", "/domains/test/suspend", 204, ""},
    {"GET", "/domains/test/state", 200, "{'stateCode':'$paused'}"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*\nlibvirt_domain_info_vstate" DOMAIN("default") " ${paused}\n*"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*\nlibvirt_domain_info_vstate" DOMAIN("a") " *"},
    {"POST", "/domains", 201, NULL,
     .xml = "<domain type='test'><name>q\"b\\&#xe9;</name>"
            "<uuid>00000000-0000-4000-8000-000000000001</uuid><memory>65536</memory>"
            "<os><type>hvm</type></os></domain>"},
    {"GET", "/metrics?host=default", 200, NULL,
     .contains =
         "*\nlibvirt_domain_info_vstate{host=\"default\",domain=\"q\\\\\"b\\\\\\\\"
         "\xC3\xA9\",uuid=\"00000000-0000-4000-8000-000000000001\"} 5\n*"},
    {"GET", "/metrics?host=default", 200, NULL,
     .contains = "*\nlibvirt_domains{host=\"default\"} 2\n# HELP*"},

    /* one host alone */
    {"GET", "/metrics?host=a", 200, NULL, .contains = "*\nlibvirt_up{host=\"a\"} 1\n*"},

    /* a dead host */
    {"GET", "/metrics", 200, NULL, .contains = "*\nlibvirt_up{host=\"b\"} 0\n*"},
    {"GET", "/metrics", 200, NULL, .contains = "*\nvirtgate_host_up{host=\"b\"} 0\n*"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*\nvirtgate_host_breaker_open{host=\"b\"} 1\n*"},
    {"GET", "/metrics?host=b", 200, NULL, .contains = "*\nlibvirt_up{host=\"b\"} 0\n*"},
};

/* Whether an answer of /metrics has a line with this text. */
static bool body_has(struct scenario *s, const char *path, const char *text)
{
    struct response *r = scenario_send(s, "GET", path, NULL, NULL);
    bool found = r->status == 200 && r->body && strstr(r->body, text);
    response_free(r);
    return found;
}

static void test_one_host(struct scenario *s)
{
    check_that(!body_has(s, "/metrics?host=a", "host=\"default\""),
               "?host=a tells of another host");
    check_that(!body_has(s, "/metrics?host=a", "virtgate_http_requests_total"),
               "?host=a tells of the gateway itself");
    check_that(!body_has(s, "/metrics?host=b", "libvirt_domain_info_vstate"),
               "a dead host has domains");
    check_that(!body_has(s, "/metrics", "secret"), "a path that is no route is a label");
    check_that(!body_has(s, "/metrics", "NaN") && !body_has(s, "/metrics", "nan"),
               "NaN in /metrics");
}

/* ---- rights ------------------------------------------------------------------------ */

static void test_rights(void)
{
    static const struct step denied = {"GET", "/metrics", 401, GATEWAY("unauthorized")};
    char path[64], command[256];
    snprintf(path, sizeof(path), "/tmp/vg-test-metrics.%d", (int)getpid());
    snprintf(command, sizeof(command),
             "umask 077; echo \"v viewer $(printf viewer-token | sha256sum | cut -d' ' "
             "-f1)\" >%s",
             path);
    if (run_program(ARGS("/bin/sh", "-c", command)) != 0)
        check_that(false, "no token file");
    struct scenario s;
    if (scenario_begin(&s, "metrics, rights",
                       ARGS("-c", "test:///default", "--token-file", path))) {
        static const struct step viewer = {
            "GET",
            "/metrics",
            200,
            NULL,
            .headers = {"Authorization: Bearer viewer-token"},
            .contains = "*\nlibvirt_up{host=\"default\"} 1\n*"};
        scenario_run(&s, &denied, 1);
        scenario_run(&s, &viewer, 1);
        scenario_end(&s);
    }
    unlink(path);
}

/* ---- a host that takes connections and never says a word --------------------------- */

static void test_mute(void)
{
    static const struct step scrape[] = {
        {"GET", "/metrics", 200, NULL, .contains = "*\nlibvirt_up{host=\"mute\"} 0\n*"},
        {"GET", "/metrics", 200, NULL,
         .contains = "*\nlibvirt_domain_info_vstate" DOMAIN("default") " 1\n*"},
        {"GET", "/metrics", 200, NULL, .headers = {PROMETHEUS}, .contains = "*\n# EOF\n"},
    };
    char path[64], uri[128];
    snprintf(path, sizeof(path), "/tmp/vg-test-mute-m.%d", (int)getpid());
    snprintf(uri, sizeof(uri), "mute=qemu+unix:///system?socket=%s", path);
    int fd = listen_mutely(path);
    check_that(fd >= 0, "a socket at %s", path);
    struct scenario s;
    if (scenario_begin_unready(
            &s, "metrics, mute host",
            ARGS("-c", "test:///default", "--host", uri, "--log-level", "1"))) {
        static const struct step live = {"GET", "/domains", 200, "{'domains':'<array>'}"};
        scenario_until(&s, &live, 60);
        struct response *r = scenario_send(&s, "GET", "/metrics", NULL, NULL);
        /* far from Prometheus' own 10 s; not a measurement */
        check_response(r->status == 200 && r->seconds < 25, r, "a scrape took %.2f s",
                       r->seconds);
        response_free(r);
        scenario_run(&s, scrape, COUNT(scrape));
        scenario_end(&s);
    }
    close(fd);
    unlink(path);
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "metrics",
                       ARGS("-c", "test:///default", "--host", "a=test:///default",
                            "--host", "b=test+unix:///nosuch?socket=/nonexistent"))) {
        scenario_run(&s, rows, COUNT(rows));
        test_one_host(&s);
        scenario_end(&s);
    }
    test_rights();
    test_mute();
    return checks_report();
}
