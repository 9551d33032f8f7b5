/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/gateway/system.c: /, /health/live, /health/ready, /openapi.yaml, /openapi.json;
 * and the program's own command line.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct step served[] = {
    {"GET", "/", 200, "{}", .wants = {"Content-Type: application/json*"}},
    {"GET", "/", 200, NULL, .contains = "*/domains*"},
    {"GET", "/", 200, NULL, .contains = "*\"features\":*\"tickets\"*"},
    {"GET", "/", 200,
     "{'links':{'whoami':'/whoami','sessions':'/sessions','uploads':'/uploads',"
     "'admin':'/admin','nwfilterBindings':'/nwfilter-bindings'}}"},
    {"GET", "/whoami", 200,
     "{'name':null,'role':'admin','scope':{'hosts':['*'],'domains':['*']},'via':'none',"
     "'expiresAt':null}"},
    {"GET", "/whoami", 200, NULL, .contains = "*\"gateway:manage\"*"},
    {"GET", "/whoami?x=1", 400, GATEWAY("unknown-key")},
    {"GET", "/health/live", 200, "{'status':'live'}"},
    {"HEAD", "/health/live", 200, ""},
    {"GET", "/health/ready", 200, "{'status':'ready','hosts':[{'host':'default'}]}"},
    {"GET", "/openapi.yaml", 200, NULL, .wants = {"Content-Type: *yaml*"},
     .contains = "*openapi:*3.1*"},
    {"GET", "/openapi.yaml", 200, NULL, .headers = {"Accept: text/yaml"},
     .wants = {"Content-Type: application/yaml"}},
    {"GET", "/openapi.yaml", 200, NULL, .headers = {"Accept: text/html, */*;q=0.8"}},
    {"GET", "/openapi.yaml", 406,
     "{'type':'urn:virtgate:error:not-acceptable','detail':'~*application/yaml*'}",
     .headers = {"Accept: application/json"}},
    {"GET", "/openapi.json", 406, GATEWAY("not-acceptable"),
     .headers = {"Accept: application/yaml"}},
    {"GET", "/openapi.json", 200,
     "{'openapi':'~3.1.*','info':{'version':'<string>'},"
     "'paths':{'/domains/{domain}':{'get':{'operationId':'<string>'}}}}",
     .wants = {"Content-Type: application/*json*", "ETag: \"*\""}},
    {"GET", "/nosuch", 404,
     "{'type':'urn:virtgate:error:not-found','status':404,'title':'<string>',"
     "'detail':'<string>','instance':'/nosuch','requestId':'<string>','error':'<absent>',"
     "'retryable':false}",
     .wants = {"Content-Type: application/problem+json*"}},
    {"GET", "/health", 404, GATEWAY("not-found")},
    {"GET", "/domains/test/nosuch", 404, GATEWAY("not-found")},
    {"POST", "/health/live", 405, GATEWAY("method-not-allowed"),
     .wants = {"Allow: *GET*"}},
    {"GET", "/health/live?verbose=1", 400, GATEWAY("unknown-key")},
};

/* One live host and one that cannot be reached. */
static const struct step half_dead[] = {
    {"GET", "/health/live", 200, "{'status':'live'}"},
    {"GET", "/health/ready", 200,
     "{'status':'degraded','hosts':['...',{'host':'b','state':'down',"
     "'reason':'unreachable','error':'<absent>'},'...']}"},
};

static const struct step all_dead[] = {
    {"GET", "/health/live", 200, "{'status':'live'}"},
    {"GET", "/health/ready", 503,
     "{'status':'unavailable','hosts':['...',{'host':'default','state':'down',"
     "'reason':'unreachable','error':'<absent>'}]}"},
    {"GET", "/domains", 503,
     "{'type':'~urn:*','status':503,'retryable':true,'host':'default'}",
     .wants = {"Retry-After: [0-9]*"}},
};

static void serve(const char *name, const char *const args[], const struct step *rows,
                  size_t n)
{
    struct scenario s;
    if (!scenario_begin_unready(&s, name, args))
        return;
    /* The first connection is opened beside the serving, so wait for what the rows
     * expect. */
    for (size_t i = 0; i < n; i++)
        scenario_until(&s, &rows[i], i < 2 ? 5 : 0);
    scenario_end(&s);
}

static void test_output(const char *const args[], int want, const char *contains)
{
    char *output = NULL;
    int status = server_run(args, &output);
    check_that(status == want && output && strstr(output, contains),
               "%s: status %d (should be %d), should print %s, prints %s", args[0],
               status, want, contains, output ? output : "nothing");
    free(output);
}

static void test_command_line(void)
{
    test_output(ARGS("--version"), 0, "virtgate 0.");
    test_output(ARGS("--help"), 0, "--token-file");
    test_output(ARGS("--check-config", "--connect", "test:///default"), 0, "");
    test_output(ARGS("--nosuch"), 2, "nosuch");
    test_output(ARGS("--pool-size", "many"), 2, "pool-size");
    test_output(ARGS("--pool-size", "0"), 2, "pool-size");
    test_output(ARGS("--listen", "nowhere"), 2, "listen");
    test_output(ARGS("--listen", "0.0.0.0:0"), 2, "allow-insecure");
    test_output(ARGS("--host", "a"), 2, "host");
    test_output(ARGS("--host", "a=test:///default", "--host", "a=test:///default"), 2,
                "a");
    test_output(ARGS("--connect", "qemu+ext:///system?command=/bin/true"), 2, "unsafe");
    test_output(ARGS("--config", "/nonexistent/virtgate.conf"), 2, "/nonexistent");
}

/* A variable that is no option's is said, but for those of a service of that name. */
static void test_strays(void)
{
    char *output = NULL;
    const char *const check[] = {"--check-config", "--connect", "test:///default", NULL};
    setenv("VIRTGATE_POOL_SIZ", "3", 1);
    setenv("VIRTGATE_SERVICE_HOST", "10.0.0.1", 1);
    setenv("VIRTGATE_PORT_8080_TCP", "tcp://10.0.0.1:8080", 1);
    int status = server_run(check, &output);
    const char *said = output ? output : "";
    check_that(status == 0 && strstr(said, "VIRTGATE_POOL_SIZ:") &&
                   !strstr(said, "SERVICE_HOST") && !strstr(said, "PORT_8080"),
               "stray variables: status %d, prints %s", status, said);
    free(output);
    struct scenario s;
    if (scenario_begin(&s, "stray variables", ARGS("-c", "test:///default"))) {
        char *log = read_whole(s.server.log);
        check_that(log && strstr(log, "VIRTGATE_POOL_SIZ:"), "the log says so, too: %s",
                   log ? log : "nothing");
        free(log);
        scenario_end(&s);
    }
    unsetenv("VIRTGATE_POOL_SIZ");
    unsetenv("VIRTGATE_SERVICE_HOST");
    unsetenv("VIRTGATE_PORT_8080_TCP");
}

static void test_config_file(void)
{
    char path[] = "/tmp/vg-test-conf.XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        abort();
    dprintf(fd, "# a comment\npool-size = 2\n\n[host a]\nuri = test:///default\n");
    test_output(ARGS("--check-config", "--config", path), 0, "");
    struct scenario s;
    if (scenario_begin(&s, "config file",
                       ARGS("--config", path, "-c", "test:///default"))) {
        static const struct step rows[] = {
            {"GET", "/hosts/a/domains/test", 200, "{'name':'test'}"},
            {"GET", "/hosts/a/connection", 200, "{'uri':'test:///default'}"},
        };
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    dprintf(fd, "nosuch = 1\n");
    close(fd);
    char where[64];
    snprintf(where, sizeof(where), "%s:6", path);
    test_output(ARGS("--check-config", "--config", path), 2, where);
    unlink(path);
}

int main(void)
{
    serve("system", ARGS("-c", "test:///default"), served, COUNT(served));
    serve("half dead",
          ARGS("-c", "test:///default", "--host",
               "b=test+unix:///nosuch?socket=/nonexistent"),
          half_dead, COUNT(half_dead));
    serve("all dead", ARGS("-c", "test+unix:///nosuch?socket=/nonexistent"), all_dead,
          COUNT(all_dead));
    test_command_line();
    test_strays();
    test_config_file();
    return checks_report();
}
