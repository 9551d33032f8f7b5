/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /admin on the private libvirtd: its servers, threads, limits, clients, and its log.
 * What needs a daemon of its own (TLS, no room, one that hangs) is in admin.py.
 */
#include "tests/qemu/guest.h"

#include <stdlib.h>
#include <string.h>

#define SERVER  "/admin/servers/libvirtd"
#define POOL    SERVER "/threadpool"
#define LIMITS  SERVER "/client-limits"
#define CLIENTS SERVER "/clients"
#define UNIX    "'connectedAt':'<string>','connectedAtSeconds':'<int>','transport':'unix'"

static const struct step reads[] = {
    {"GET", "/admin", 200, "{'uri':'<string>','alive':true}",
     .contains = "*libvirtd:///system?socket=*/libvirt-admin-sock*"},
    {"GET", "/admin/version", 200,
     "{'client':{'version':'<string>','number':'<int>'},"
     "'daemon':{'version':'$version','number':'$number'}}"},
    {"GET", "/version", 200,
     "{'client':{'version':'${version}','number':${number}},"
     "'libvirt':{'version':'${version}','number':${number}}}"},
    {"GET", "/admin/servers", 200, "{'servers':[{'name':'admin'},{'name':'libvirtd'}]}"},
    {"GET", "/admin/servers?view=full", 200,
     "{'servers':[{'name':'admin','threadpool':{'minWorkers':'<int>'},"
     "'clientLimits':{'nclientsMax':'<int>'}},{'name':'libvirtd'}]}"},
    {"GET", "/admin/servers?name=lib*", 200, "{'servers':[{'name':'libvirtd'}]}"},
    {"GET", "/admin/servers?fields=clientLimits&name=a*", 200,
     "{'servers':[{'name':'<absent>','clientLimits':{'nclientsMax':'<int>'},"
     "'threadpool':'<absent>'}]}"},
    {"GET", "/admin/servers?fields=nosuch", 400, GATEWAY("unknown-flag")},
    {"GET", "/admin/servers?limit=1", 200,
     "{'servers':[{'name':'admin'}],'next':'admin'}", .wants = {"Link: *after=admin*"}},
    {"GET", "/admin/servers?limit=1&after=admin", 200,
     "{'servers':[{'name':'libvirtd'}],'next':'<absent>'}"},
    {"GET", "/admin/servers?view=most", 400, GATEWAY("unknown-value")},
    {"GET", SERVER, 200,
     "{'name':'libvirtd','threadpool':{'minWorkers':'$min','maxWorkers':'$max',"
     "'prioWorkers':'$prio','freeWorkers':'<int>','nWorkers':'<int>','jobQueueDepth':"
     "'<int>'},'clientLimits':{'nclientsMax':'$clients','nclients':'<int>',"
     "'nclientsUnauthMax':'$unauth','nclientsUnauth':'<int>'}}"},
    {"GET", "/admin/servers/nosuch", 404, LIBVIRT("NO_SERVER")},
    {"GET", "/admin/servers/nosuch/threadpool", 404, LIBVIRT("NO_SERVER")},
    {"GET", "/admin/servers/nosuch/client-limits", 404, LIBVIRT("NO_SERVER")},
    {"GET", "/admin/servers/nosuch/clients", 404, LIBVIRT("NO_SERVER")},
    {"GET", "/admin?x=1", 400, GATEWAY("unknown-key")},
};

static const struct step threads[] = {
    {"GET", POOL, 200, "{'minWorkers':${min},'maxWorkers':${max}}"},
    {"PATCH", POOL, 200, "{'minWorkers':${min},'maxWorkers':40,'prioWorkers':7}",
     "{'maxWorkers':40,'prioWorkers':7}"},
    {"GET", POOL, 200, "{'maxWorkers':40,'prioWorkers':7}"},
    {"PATCH", POOL, 400, LIBVIRT("INVALID_ARG"), "{'minWorkers':50}"},
    {"PATCH", POOL, 422, LIBVIRT("ARGUMENT_UNSUPPORTED"), "{'jobQueueDepth':9}"},
    {"PATCH", POOL, 400, GATEWAY("unknown-key"), "{'nosuch':9}",
     .contains = "*minWorkers, maxWorkers*"},
    {"PATCH", POOL, 400, GATEWAY("invalid-value"), "{'maxWorkers':-1}"},
    {"PATCH", POOL, 400, GATEWAY("missing-key")},
    {"PATCH", POOL, 200, "{'maxWorkers':40}", "{}"},
    {"PATCH", "/admin/servers/nosuch/threadpool", 404, LIBVIRT("NO_SERVER"), "{}"},
    {"PATCH", POOL, 412, GATEWAY("precondition-failed"), "{'maxWorkers':41}",
     .headers = {"If-Match: \"0000000000000000\""}},
    {"PATCH", POOL, 200, "{'maxWorkers':${max}}",
     "{'maxWorkers':${max},'prioWorkers':${prio}}"},
};

static const struct step limits[] = {
    {"GET", LIMITS, 200, "{'nclientsMax':${clients},'nclientsUnauthMax':${unauth}}"},
    {"PATCH", LIMITS, 200, "{'nclientsMax':777,'nclientsUnauthMax':11}",
     "{'nclientsMax':777,'nclientsUnauthMax':11}"},
    {"PATCH", LIMITS, 200, "{'nclientsMax':778,'nclientsUnauthMax':11}",
     "{'nclientsMax':778}"},
    {"PATCH", LIMITS, 400, LIBVIRT("INVALID_ARG"), "{'nclientsMax':5}"},
    {"PATCH", LIMITS, 422, LIBVIRT("ARGUMENT_UNSUPPORTED"), "{'nclients':999}"},
    {"PATCH", LIMITS, 200, "{'nclientsMax':${clients},'nclientsUnauthMax':${unauth}}",
     "{'nclientsMax':${clients},'nclientsUnauthMax':${unauth}}"},
};

/* The gateway's own connections are among them, and the one that asks. */
static const struct step clients[] = {
    {"GET", CLIENTS, 200,
     "{'clients':[{'id':'$id'," UNIX ",'readonly':'<absent>'},'...']}"},
    {"GET", CLIENTS "?view=full", 200,
     "{'clients':[{" UNIX ",'readonly':false,'unixUserId':0,'unixUserName':'root',"
     "'unixGroupId':0,'unixGroupName':'root','unixProcessId':'<int>'},'...']}"},
    {"GET", CLIENTS "/${id}", 200, "{'id':${id}," UNIX ",'readonly':false}"},
    {"GET", CLIENTS "/99999", 404, LIBVIRT("NO_CLIENT")},
    {"GET", CLIENTS "/18446744073709551616", 400, GATEWAY("invalid-value")},
    {"GET", CLIENTS "/18446744073709551615", 404, LIBVIRT("NO_CLIENT")},
    {"GET", CLIENTS "/one", 400, GATEWAY("invalid-value")},
    {"DELETE", CLIENTS "/99999", 404, LIBVIRT("NO_CLIENT")},
    {"DELETE", CLIENTS "/${id}", 204, ""},
    {"GET", CLIENTS "/${id}", 404, LIBVIRT("NO_CLIENT")},
    {"GET", "/admin/servers/admin/clients", 200, "{'clients':[{'id':'$own'}]}"},
    {"GET", "/admin/servers/admin/clients?fields=id,unixUserId", 200,
     "{'clients':[{'id':'<int>','unixUserId':'<int>','transport':'<absent>'}]}"},
    {"GET", "/admin/servers/admin/clients?fields=transport", 200,
     "{'clients':[{'id':'<absent>','transport':'unix'}]}"},
    {"GET", "/admin/servers/admin/clients?after=${own}", 200, "{'clients':[]}"},
    {"GET", "/admin/servers/admin/clients?limit=1", 200,
     "{'clients':['<object>'],'next':'<absent>'}"},
    {"GET", "/admin/servers/admin/clients?fields=nosuch", 400, GATEWAY("unknown-flag")},
    {"GET", "/admin/servers/admin/clients?after=x", 400, NULL},
    {"DELETE", "/admin/servers/admin/clients/${own}", 204, ""},
    {"GET", "/admin/servers/admin/clients/${own}", 404, LIBVIRT("NO_CLIENT")},
};
static const struct step again = {"GET", "/domains", 200, "{'domains':'<array>'}"};

static const struct step logging[] = {
    {"GET", "/admin/logging", 200, "{'filters':'','outputs':'$outputs'}"},
    {"PUT", "/admin/logging/filters", 200,
     "{'filters':'<string>','outputs':'${outputs}'}", "{'filters':'3:vg_one 4:vg_two'}",
     .contains = "*3:*vg_one* 4:*vg_two*"},
    {"GET", "/admin/logging", 200, NULL, .contains = "*3:*vg_one* 4:*vg_two*"},
    {"PUT", "/admin/logging/filters", 400, LIBVIRT("INVALID_ARG"), "{'filters':'7:x'}"},
    {"PUT", "/admin/logging/filters", 400, GATEWAY("missing-key"), "{}"},
    {"PUT", "/admin/logging/filters?filters=", 200, "{'filters':''}"},
    {"PUT", "/admin/logging/outputs", 200, "{'outputs':'3:stderr'}",
     "{'outputs':'3:stderr'}"},
    {"PUT", "/admin/logging/outputs", 400, LIBVIRT("INVALID_ARG"), "{'outputs':'x'}"},
    {"PUT", "/admin/logging/outputs", 200, "{'outputs':'${outputs}'}",
     "{'outputs':'${outputs}'}"},
    {"PUT", "/admin/timeout", 204, "", "{'seconds':86400}"},
    {"PUT", "/admin/timeout", 204, "", "{'seconds':0}"},
    {"PUT", "/admin/timeout", 400, GATEWAY("invalid-value"), "{'seconds':-1}"},
    {"PUT", "/admin/timeout", 400, GATEWAY("invalid-value"), "{'seconds':2147483648}"},
    {"PUT", "/admin/timeout", 400, GATEWAY("missing-key"), "{}"},
    {"POST", SERVER "/reload-tls", 409, LIBVIRT("INTERNAL_ERROR"),
     .contains = "*no tls service*"},
    {"POST", "/admin/servers/nosuch/reload-tls", 404, LIBVIRT("NO_SERVER")},
};

/* Hosts without an admin socket, one whose own is named, and one whose is not there. */
static const struct step others[] = {
    {"GET", "/hosts/mock/admin", 501, GATEWAY("not-supported"),
     .contains = "*without a daemon*admin-uri*"},
    {"GET", "/hosts/far/admin", 501, GATEWAY("not-supported"),
     .contains = "*not on this machine*admin-uri*"},
    {"GET", "/hosts/named/admin/servers", 200, "{'servers':[{'name':'admin'},{}]}"},
    {"GET", "/hosts/wrong/admin", 503, GATEWAY("host-unreachable"),
     .contains = "*/nosuch/libvirt-admin-sock*"},
    {"GET", "/hosts/-/admin", 404, GATEWAY("not-found")},
};

static void run_hosts(void)
{
    struct scenario s;
    char *named = NULL;

    if (asprintf(&named, "named=libvirtd:///system?socket=%.*s/libvirt-admin-sock",
                 (int)(strrchr(guest_uri(), '/') - strchr(guest_uri(), '=') - 1),
                 strchr(guest_uri(), '=') + 1) < 0)
        abort();
    if (scenario_begin_unready(
            &s, "admin of other hosts",
            ARGS("--host", "mock=test:///default", "--host",
                 "far=qemu+tcp://127.0.0.1:1/system", "--host", "named=test:///default",
                 "--admin-uri", named, "--host", "wrong=test:///default", "--admin-uri",
                 "wrong=libvirtd:///system?socket=/nosuch/libvirt-admin-sock"))) {
        scenario_run(&s, others, COUNT(others));
        scenario_end(&s);
    }
    free(named);
}

int main(void)
{
    struct scenario s;

    if (scenario_begin(&s, "admin", ARGS("-c", guest_uri()))) {
        scenario_run(&s, reads, COUNT(reads));
        scenario_run(&s, threads, COUNT(threads));
        scenario_put_back(&s, LIMITS);
        scenario_run(&s, limits, COUNT(limits));
        scenario_run(&s, clients, COUNT(clients));
        scenario_until(&s, &again, 60);
        scenario_run(&s, logging, COUNT(logging));
        scenario_end(&s);
    }
    run_hosts();
    return checks_report();
}
