/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/agent.c, domain_agent_users.c, domain_monitor.c: what the test driver
 * plays of a guest agent, and what is refused before libvirt is asked. A real agent
 * answers in tests/qemu/domain/test_agent.c.
 */
#include "tests/harness/steps.h"

#include <stdlib.h>
#include <string.h>

#define AGENT    "/domains/test/agent"
#define KEYS     AGENT "/users/root/authorized-keys"
#define PASSWORD AGENT "/users/root/password"
#define MONITOR  "/domains/test/qemu/monitor"

static const struct step filesystems[] = {
    {"GET", AGENT "/filesystems", 200,
     "{'filesystems':[{'mountpoint':'/','name':'vda1','type':'ext4','devices':['vda']},"
     "{'mountpoint':'/boot','devices':['vda']}]}"},
    {"GET", AGENT "/filesystems?types=ext4", 400, GATEWAY("unknown-key")},
    {"POST", AGENT "/fs-freeze", 200, "{'filesystems':1}",
     .json = "{'mountpoints':['/boot']}"},
    {"POST", AGENT "/fs-freeze", 200, "{'filesystems':1}"},
    {"POST", AGENT "/fs-freeze", 200, "{'filesystems':0}", .json = "{}"},
    {"POST", AGENT "/fs-thaw", 200, "{'filesystems':1}", .json = "{'mountpoints':['/']}"},
    {"POST", AGENT "/fs-thaw", 200, "{'filesystems':1}", .json = "{'mountpoints':[]}"},
    {"POST", AGENT "/fs-freeze", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'mountpoints':['/nosuch']}"},
    {"POST", AGENT "/fs-freeze", 400, GATEWAY("invalid-value"),
     .json = "{'mountpoints':'/'}"},
    {"POST", AGENT "/fs-freeze", 400, GATEWAY("invalid-value"),
     .json = "{'mountpoints':['/',1]}"},
    {"POST", AGENT "/fs-freeze", 400, GATEWAY("invalid-value"),
     .json = "{'mountpoints':{}}"},
    {"POST", AGENT "/fs-freeze?mountpoints=/", 400, GATEWAY("unknown-key")},
    {"POST", AGENT "/fs-thaw", 400, GATEWAY("unknown-key"), .json = "{'mountpoint':'/'}",
     .contains = "*mountpoints*"},
    /* none of these froze anything */
    {"POST", AGENT "/fs-thaw", 200, "{'filesystems':0}"},
    {"POST", AGENT "/fs-trim", 204, ""},
    {"POST", AGENT "/fs-trim?mountpoint=/&minimumBytes=4096", 204, ""},
    {"POST", AGENT "/fs-trim", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'mountpoint':'/nosuch'}"},
    {"POST", AGENT "/fs-trim", 400, GATEWAY("invalid-value"),
     .json = "{'minimumBytes':-1}"},
    {"POST", AGENT "/fs-trim", 400, GATEWAY("invalid-value"),
     .json = "{'minimumBytes':'much'}"},
    {"POST", "/domains/nosuch/agent/fs-freeze", 404, LIBVIRT("NO_DOMAIN")},
    {"POST", "/domains/nosuch/agent/fs-thaw", 404, LIBVIRT("NO_DOMAIN")},
};

static const struct step times[] = {
    {"GET", AGENT "/time", 200, "{'seconds':627319920,'nseconds':0}"},
    {"PUT", AGENT "/time", 204, "",
     .json = "{'seconds':1700000000,'nseconds':999999999}"},
    {"GET", AGENT "/time", 200, "{'seconds':1700000000,'nseconds':999999999}"},
    {"PUT", AGENT "/time", 204, "", .json = "{'flags':['sync']}"},
    {"PUT", AGENT "/time?seconds=7&flags=sync", 204, ""},
    {"PUT", AGENT "/time?seconds=8", 204, ""},
    {"GET", AGENT "/time", 200, "{'seconds':8,'nseconds':0}"},
    {"PUT", AGENT "/time", 400, GATEWAY("missing-key"), .json = "{}",
     .contains = "*seconds*"},
    {"PUT", AGENT "/time", 400, GATEWAY("missing-key"), .json = "{'flags':[]}"},
    {"PUT", AGENT "/time", 400, GATEWAY("missing-key"), .json = "{'nseconds':1}"},
    {"PUT", AGENT "/time", 400, GATEWAY("invalid-value"), .json = "{'seconds':-1}"},
    {"PUT", AGENT "/time", 400, GATEWAY("invalid-value"),
     .json = "{'seconds':1,'nseconds':1000000000}"},
    {"PUT", AGENT "/time", 400, GATEWAY("unknown-flag"), .json = "{'flags':['now']}"},
    {"GET", AGENT "/time", 200, "{'seconds':8}"},
};

/* Arguments first, then what the driver says. */
static const struct step elsewhere[] = {
    {"GET", AGENT "/info", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", AGENT "/info?types=os,hostname", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", AGENT "/info?types=os,shoes", 400, GATEWAY("unknown-flag"),
     .contains = "*interfaces*"},
    {"GET", AGENT "/vcpus", 501, LIBVIRT("NO_SUPPORT")},
    {"PATCH", AGENT "/vcpus", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'cpus':'1','online':false}"},
    {"PATCH", AGENT "/vcpus", 400, GATEWAY("missing-key"), .json = "{'cpus':'1'}"},
    {"PATCH", AGENT "/vcpus", 400, GATEWAY("missing-key"), .json = "{'online':true}"},
    {"PATCH", AGENT "/vcpus", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':1,'online':true}"},
    {"PATCH", AGENT "/vcpus", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':'1','online':'yes'}"},
    {"PUT", AGENT "/timeout", 501, LIBVIRT("NO_SUPPORT"), .json = "{'timeoutSeconds':1}"},
    {"PUT", AGENT "/timeout?timeout=nowait", 501, LIBVIRT("NO_SUPPORT")},
    {"PUT", AGENT "/timeout", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PUT", AGENT "/timeout", 400, GATEWAY("invalid-value"),
     .json = "{'timeoutSeconds':0}"},
    {"PUT", AGENT "/timeout", 400, GATEWAY("invalid-value"),
     .json = "{'timeoutSeconds':5,'timeout':'default'}", .contains = "*not both*"},
    {"PUT", AGENT "/timeout", 400, GATEWAY("unknown-value"), .json = "{'timeout':'soon'}",
     .contains = "*block*nowait*"},
    {"POST", AGENT "/command", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'execute':'guest-ping'}"},
    {"POST", AGENT "/command?execute=guest-ping&timeout=shutdown", 501,
     LIBVIRT("NO_SUPPORT")},
    {"POST", AGENT "/command", 400, GATEWAY("missing-key"), .json = "{'arguments':{}}"},
    {"POST", AGENT "/command", 400, GATEWAY("invalid-value"),
     .json = "{'execute':'guest-ping','arguments':[]}"},
    {"POST", AGENT "/command", 400, GATEWAY("invalid-value"),
     .json = "{'execute':'guest-ping','timeoutSeconds':3,'timeout':'default'}"},
    {"POST", AGENT "/command", 400, GATEWAY("invalid-value"), .json = "{'execute':7}"},
    {"POST", MONITOR, 501, LIBVIRT("NO_SUPPORT"), .json = "{'execute':'query-status'}"},
    {"POST", MONITOR, 501, LIBVIRT("NO_SUPPORT"), .json = "{'hmp':'info status'}"},
    {"POST", MONITOR, 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", MONITOR, 400, GATEWAY("missing-key"), .json = "{'flags':['hmp']}"},
    {"POST", MONITOR, 400, GATEWAY("invalid-value"), .json = "{'execute':'a','hmp':'b'}"},
    {"POST", MONITOR, 400, GATEWAY("invalid-value"),
     .json = "{'hmp':'info','arguments':{}}"},
    {"POST", MONITOR, 400, GATEWAY("invalid-value"),
     .json = "{'execute':'info','arguments':{},'flags':['hmp']}"},
    {"POST", MONITOR, 400, GATEWAY("unknown-flag"),
     .json = "{'execute':'info','flags':['qmp']}"},
    {"GET", MONITOR, 405, GATEWAY("method-not-allowed")},
};

static const struct step users[] = {
    {"PUT", PASSWORD, 204, "", .json = "{'password':'s3cret-word'}"},
    {"PUT", PASSWORD, 204, "",
     .json = "{'password':'s3cret-word','flags':['encrypted']}"},
    {"PUT", PASSWORD "?flags=encrypted", 204, "", .json = "{'password':'s3cret-word'}"},
    {"PUT", PASSWORD, 400, GATEWAY("missing-key"), .json = "{}"},
    {"PUT", PASSWORD, 400, GATEWAY("invalid-value"), .json = "{'password':7}"},
    {"PUT", PASSWORD, 400, GATEWAY("unknown-flag"),
     .json = "{'password':'s3cret-word','flags':['md5']}"},
    {"PUT", "/domains/nosuch/agent/users/root/password", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'password':'s3cret-word'}"},
    {"GET", KEYS, 501, LIBVIRT("NO_SUPPORT")},
    {"PUT", KEYS, 501, LIBVIRT("NO_SUPPORT"), .json = "{'keys':[]}"},
    {"POST", KEYS, 501, LIBVIRT("NO_SUPPORT"), .json = "{'keys':['ssh-ed25519 A a']}"},
    {"DELETE", KEYS, 501, LIBVIRT("NO_SUPPORT"), .json = "{'keys':['ssh-ed25519 A a']}"},
    {"PUT", KEYS, 400, GATEWAY("missing-key"), .json = "{}"},
    {"DELETE", KEYS, 400, GATEWAY("missing-key")},
    {"POST", KEYS, 400, GATEWAY("invalid-value"), .json = "{'keys':'ssh-ed25519 A a'}"},
    {"POST", KEYS, 400, GATEWAY("invalid-value"), .json = "{'keys':[null]}"},
    {"PUT", KEYS "?keys=a", 400, GATEWAY("unknown-key")},
};

static const struct step off[] = {
    {"POST", "/domains/test/destroy", 204, ""},
    {"GET", AGENT "/filesystems", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", AGENT "/fs-freeze", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", AGENT "/fs-trim", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", AGENT "/time", 409, LIBVIRT("OPERATION_INVALID")},
    {"PUT", AGENT "/time", 409, LIBVIRT("OPERATION_INVALID"), .json = "{'seconds':1}"},
    {"PUT", PASSWORD, 409, LIBVIRT("OPERATION_INVALID"), .json = "{'password':'x'}"},
};

/* Broken in every way, a password is in no answer; and whatever came before, in no log.
 */
static void test_secret(struct scenario *s)
{
    static const char *const bodies[] = {
        "{\"password\" \"s3cret-word\"}",
        "{\"password\":\"s3cret-word\" \"flags\":[]}",
        "{\"password\":\"s3cret-word",
        "{\"password\":s3cret-word}",
        "{\"password\":\"s3cret-word\",\"password\":\"s3cret-word\"}",
        "[\"s3cret-word\"]",
        "\"s3cret-word\"",
        "{\"password\":[\"s3cret-word\"]}",
        "{\"password\":\"s3cret-word\",\"flags\":\"s\"}",
    };
    const char *const json[] = {"Content-Type: application/json", NULL};

    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct response *r = scenario_send(s, "PUT", PASSWORD, json, bodies[i]);
        check_response(r->status == 400 && !strstr(r->body, "s3cret"), r, "%s",
                       bodies[i]);
        response_free(r);
    }
    struct response *r =
        scenario_send(s, "PUT", PASSWORD "?password=s3cret-word", NULL, NULL);
    check_response(r->status == 400 && !strstr(r->body, "s3cret"), r, "in the query");
    response_free(r);
    sleep_seconds(0.3); /* the log's writer waits for more */
    char *log = read_whole(s->server.log);
    check_that(log && strstr(log, "/users/root/password") && !strstr(log, "s3cret"),
               "the log: %s", log ? log : "none");
    free(log);
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "agent",
                       ARGS("-c", "test:///default", "--log-outputs", "1:stderr"))) {
        scenario_run(&s, filesystems, COUNT(filesystems));
        scenario_run(&s, times, COUNT(times));
        scenario_run(&s, elsewhere, COUNT(elsewhere));
        scenario_run(&s, users, COUNT(users));
        test_secret(&s);
        scenario_run(&s, off, COUNT(off));
        scenario_end(&s);
    }
    return checks_report();
}
