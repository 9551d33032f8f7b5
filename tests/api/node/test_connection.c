/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/node/connection.c: /version, /connection, /connection/capabilities.
 */
#include "tests/harness/steps.h"

#include <stdlib.h>
#include <string.h>

static const struct step rows[] = {
    {"GET", "/version", 200,
     "{'gateway':{'version':'<string>'},"
     "'client':{'version':'$client','number':'$number'},"
     "'libvirt':{'version':'$client','number':'$number'},"
     "'hypervisor':{'type':'TEST','version':'0.0.2','number':2}}",
     .wants = {"Content-Type: application/json*"}},
    {"HEAD", "/version", 200, "", .wants = {"Content-Length: [1-9]*"}},
    {"GET", "/connection", 200,
     "{'host':'default','uri':'test:///default','hostname':'<string>','type':'TEST',"
     "'encrypted':false,'secure':true,'alive':true,'readOnly':false,"
     "'pool':{'size':'<int>','inUse':'<int>','idle':'<int>','waiting':'<int>'}}"},
    {"GET", "/connection/capabilities", 200, NULL,
     .wants = {"Content-Type: application/xml*"},
     .contains = "*<capabilities>*</capabilities>*"},
    {"GET", "/connection/capabilities", 200,
     "{'capabilities':{'host':{'cpu':{'arch':'i686'}},'guest':[{'os_type':'hvm'},'...']}"
     "}",
     .headers = {"Accept: application/json"},
     .wants = {"Content-Type: application/json*"}},
    /* the test driver has none, or few: tests/qemu/domain/test_config.c sees them */
    {"GET", "/connection/domain-capabilities?arch=x86_64", 501, LIBVIRT("NO_SUPPORT"),
     .lacks = "tell-domain-capabilities"},
    {"GET", "/connection/domain-capabilities?arch=x86_64", 200, NULL,
     .contains = "<domainCapabilities>*<arch>x86_64</arch>*",
     .needs = "tell-domain-capabilities"},
    {"GET", "/connection/domain-capabilities?arch=vax", 400, LIBVIRT("INVALID_ARG"),
     .needs = "tell-domain-capabilities"},
    {"GET", "/connection/domain-capabilities?emulator=/bin/sh", 400,
     GATEWAY("invalid-value"), .contains = "*accepted: /usr/bin/test-hv\"*"},
    {"GET", "/connection/domain-capabilities?cpu=x", 400, GATEWAY("unknown-key"),
     .contains = "*emulator, arch, machine, virttype*"},
    {"GET", "/connection?x=1", 400, GATEWAY("unknown-key")},
    {"GET", "/version?flags=x", 400, GATEWAY("unknown-key")},
    {"DELETE", "/connection", 405, GATEWAY("method-not-allowed"),
     .wants = {"Allow: *GET*"}},
};

static const struct step read_only[] = {
    {"GET", "/connection", 200, "{'readOnly':true,'alive':true}"},
};

/* What is secret in a URI is never shown, wherever the URI is: also where libvirt's
 * message quotes it, and on the log, whatever its level. */
static const struct step secret[] = {
    {"GET", "/hosts", 200,
     "{'hosts':[{'uri':'~*//user:[*][*][*]@*keyfile=[*][*][*]*'}]}"},
    {"GET", "/health/ready", 503, "{'hosts':[{'reason':'unreachable'}]}"},
};

static void test_secret(const char *uri, const struct step *rows_, size_t n)
{
    struct scenario s;
    if (!scenario_begin_unready(&s, "secrets in URI",
                                ARGS("-c", uri, "--log-level", "1")))
        return;
    scenario_run(&s, rows_, n);
    const char *const paths[] = {
        "/hosts",   "/hosts/default", "/connection",         "/health/ready",
        "/domains", "/domains/test",  "/domains/test/start", "/hosts/-/domains",
        "/metrics"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        bool change = strstr(paths[i], "start");
        struct response *r =
            scenario_send(&s, change ? "POST" : "GET", paths[i], NULL, NULL);
        check_response(r->status && !strstr(r->body, "hunter2"), r,
                       "%s shows a secret of the URI", paths[i]);
        response_free(r);
    }
    char *log = read_whole(s.server.log);
    check_that(log && !strstr(log, "hunter2"), "the log shows a secret of the URI");
    free(log);
    scenario_end(&s);
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "connection", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    if (scenario_begin(&s, "read-only", ARGS("-c", "test:///default", "--read-only"))) {
        scenario_run(&s, read_only, COUNT(read_only));
        scenario_end(&s);
    }
    test_secret("test+tcp://user:hunter2@127.0.0.1:1/default?keyfile=/x/hunter2&PassWord="
                "hunter2",
                secret, COUNT(secret));
    /* drivers that nobody has: libvirt quotes the URI */
    test_secret("nosuch://user:hunter2@h/?password=hunter2", NULL, 0);
    test_secret("qemu+nosuch://user:hunter2@h/?keyfile=hunter2", NULL, 0);
    /* ssh names the file */
    test_secret("qemu+ssh://127.0.0.1:1/system?keyfile=/x/%68unter2", NULL, 0);
    return checks_report();
}
