/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/save.c on the test driver, and what routes/domain/job.c and
 * domain_migration.c say where a driver has neither. Guests:
 * tests/qemu/gateway/test_operation.c.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_SUPPORT LIBVIRT("NO_SUPPORT")

static const struct step save[] = {
    {"POST", "/domains/test/save", 204, "", .json = "{'file':'${dir}/a'}"},
    {"GET", "/domains/test/state", 200, "{'state':'shutoff','stateReason':'saved'}"},
    {"POST", "/domains/test/save", 409, NULL, .json = "{'file':'${dir}/b'}"},
    {"GET", "/save-images/xml?file=${dir}/a", 200, NULL,
     .contains = "<domain type='test'>*<name>test</name>*",
     .wants = {"Content-Type: application/xml*"}},
    {"GET", "/save-images/xml?file=${dir}/a&flags=secure", 200, NULL,
     .headers = {"Accept: application/json"}, .contains = "*{\"xml\":\"<domain *"},
    {"POST", "/save-images/restore", 204, "", .json = "{'file':'${dir}/a'}"},
    {"GET", "/domains/test/state", 200, "{'state':'running'}"},
    {"POST", "/save-images/restore", 409, NULL, .json = "{'file':'${dir}/a'}"},
    {"POST", "/domains/test/save?file=${dir}/a", 204, ""},
    {"PUT", "/save-images/xml", 204, "",
     .json = "{'file':'${dir}/a','xml':'<domain type=\\u0027test\\u0027><name>test</name>"
             "<uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid><title>again</title>"
             "<memory>65536</memory><os><type>hvm</type></os></domain>'}"},
    {"GET", "/save-images/xml?file=${dir}/a", 200, NULL,
     .contains = "*<title>again</title>*"},
    {"POST", "/save-images/restore", 204, "", .json = "{'file':'${dir}/a'}"},
    {"GET", "/domains/test", 200, "{'title':'again','active':true}"},
    /* what is refused, and changes nothing */
    {"POST", "/domains/test/save", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/domains/test/save", 400, GATEWAY("invalid-value"), .json = "{'file':'a'}",
     .contains = "*absolute*"},
    {"POST", "/domains/test/save", 400, GATEWAY("unknown-flag"),
     .json = "{'file':'/a','flags':['fast']}", .contains = "*bypass-cache*"},
    {"POST", "/domains/test/save", 422, GATEWAY("unsafe-xml"),
     .json = "{'file':'${dir}/a','xml':'<!DOCTYPE d []><domain/>'}"},
    {"POST", "/domains/nosuch/save", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'file':'${dir}/c'}"},
    {"POST", "/domains/test/save", 415, GATEWAY("unsupported-media-type"),
     .xml = "<domain/>"},
    {"POST", "/domains/test/save", 404, "{'type':'~urn:libvirt:error:*'}",
     .json = "{'file':'${dir}/none/a'}"},
    {"GET", "/domains/test/state", 200, "{'state':'running'}"},
    {"POST", "/save-images/restore", 400, GATEWAY("invalid-value"),
     .json = "{'file':'a'}"},
    {"POST", "/save-images/restore", 404, "{'type':'~urn:libvirt:error:*'}",
     .json = "{'file':'${dir}/none'}"},
    {"GET", "/save-images/xml", 400, GATEWAY("missing-key")},
    {"GET", "/save-images/xml?file=a", 400, GATEWAY("invalid-value")},
    {"GET", "/save-images/xml?file=${dir}/none", 404, "{'type':'~urn:libvirt:error:*'}"},
    {"PUT", "/save-images/xml", 400, GATEWAY("missing-key"),
     .json = "{'file':'${dir}/a'}"},
    {"PUT", "/save-images/xml?file=${dir}/a", 400, "{'type':'~urn:*'}", .xml = "<domain"},
    {"PUT", "/save-images/xml?file=${dir}/none", 404, "{'type':'~urn:libvirt:error:*'}",
     .xml = "<domain type='test'><name>test</name><memory>65536</memory>"
            "<os><type>hvm</type></os></domain>"},
};

static const struct step managed[] = {
    {"GET", "/domains/test/managed-save", 200, "{'exists':false}"},
    {"HEAD", "/domains/test/managed-save", 404, ""},
    {"POST", "/domains/test/managed-save", 204, "", .json = "{}"},
    {"GET", "/domains/test/managed-save", 200, "{'exists':true}"},
    {"HEAD", "/domains/test/managed-save", 200, ""},
    {"GET", "/domains?managedSave=true", 200, "{'domains':[{'name':'test'}]}"},
    {"POST", "/domains/test/managed-save", 409, NULL},
    {"DELETE", "/domains/test/managed-save", 204, ""},
    {"GET", "/domains/test/managed-save", 200, "{'exists':false}"},
    {"POST", "/domains/test/start", 204, ""},
    {"POST", "/domains/test/managed-save", 400, GATEWAY("unknown-key"),
     .json = "{'file':'/a'}"},
    {"GET", "/domains/nosuch/managed-save", 404, LIBVIRT("NO_DOMAIN")},
    {"DELETE", "/domains/nosuch/managed-save", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/test/managed-save/xml", 501, NO_SUPPORT},
    {"GET", "/domains/test/managed-save/xml?flags=nosuch", 400, GATEWAY("unknown-flag")},
    {"PUT", "/domains/test/managed-save/xml", 501, NO_SUPPORT, .xml = "<domain/>"},
    {"PUT", "/domains/test/managed-save/xml", 400, GATEWAY("missing-key"), .json = "{}"},
};

static const struct step dump[] = {
    {"POST", "/domains/test/dump", 204, "", .json = "{'to':'${dir}/core'}"},
    {"GET", "/domains/test/state", 200, "{'state':'running'}"},
    {"POST", "/domains/test/dump", 204, "",
     .json = "{'to':'${dir}/core','format':'raw','flags':['crash']}"},
    {"GET", "/domains/test/state", 200, "{'state':'~*','stateReason':'crashed'}"},
    {"POST", "/domains/test/dump", 409, NULL, .json = "{'to':'${dir}/core'}"},
    {"POST", "/domains/test/start", 204, ""},
    {"POST", "/domains/test/dump", 400, GATEWAY("missing-key"),
     .json = "{'format':'raw'}"},
    {"POST", "/domains/test/dump", 400, GATEWAY("invalid-value"),
     .json = "{'to':'core'}"},
    {"POST", "/domains/test/dump", 400, GATEWAY("unknown-value"),
     .json = "{'to':'/a','format':'elf'}", .contains = "*kdump-zlib*"},
    {"POST", "/domains/nosuch/dump", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'to':'${dir}/a'}"},
};

/* Every argument that names a file of a host whose driver is in the gateway, with every
 * way out of the folder: a file beside it, "..", links to files, folders and nothing,
 * what is no regular file, the folder itself, a folder whose name begins like it. */
static void test_outside(struct scenario *s, const char *const files[])
{
    static const struct step rows[] = {
        {"POST", "/domains/test/save", 403, GATEWAY("local-path"),
         .json = "{'file':'${file}'}", .contains = "*--local-dir*"},
        {"POST", "/domains/test/save?file=${file}", 403, GATEWAY("local-path")},
        {"POST", "/domains/test/dump", 403, GATEWAY("local-path"),
         .json = "{'to':'${file}'}"},
        {"POST", "/hosts/b/domains/test/dump?to=${file}", 403, GATEWAY("local-path")},
        {"POST", "/domains/test/dump", 403, GATEWAY("local-path"),
         .json = "{'to':'${file}'}", .headers = {"Prefer: respond-async"}},
        {"POST", "/save-images/restore", 403, GATEWAY("local-path"),
         .json = "{'file':'${file}'}"},
        {"GET", "/save-images/xml?file=${file}", 403, GATEWAY("local-path")},
        {"PUT", "/save-images/xml?file=${file}", 403, GATEWAY("local-path"),
         .xml = "<domain/>"},
        {"GET", "/domains/test/state", 200, "{'state':'running'}"},
    };
    for (size_t i = 0; files[i]; i++) {
        json_object_set_new(s->captures, "file", json_string(files[i]));
        scenario_run(s, rows, COUNT(rows));
    }
}

static const char make_ways_out[] =
    "cd \"$1\"; mkdir beside in/sub in2; echo own >beside/own; ln -s ../beside/own "
    "in/file; "
    "ln -s ../beside in/folder; ln -s ../beside/new in/nothing; ln -s . in/here; "
    "ln -s ../../in2 in/sub/up; mkfifo in/fifo; ln -s loop in/loop";

/* Nothing outside was made or changed, and what leads to inside is good. */
static void test_inside(struct scenario *s, const char *dir)
{
    static const struct step rows[] = {
        {"POST", "/domains/test/dump", 204, "", .json = "{'to':'${dir}/sub/core'}"},
        {"POST", "/domains/test/dump", 204, "", .json = "{'to':'${dir}/here/sub/core'}"},
        {"POST", "/domains/test/dump", 204, "", .json = "{'to':'${dir}/..name'}"},
    };
    scenario_run(s, rows, COUNT(rows));
    check_that(run_program(ARGS("sh", "-c",
                                "cd \"$1\" && [ \"$(cat beside/own)\" = own ] && "
                                "[ \"$(ls beside in2 | tr '\\n' ' ')\" = "
                                "'beside: own  in2: ' ]",
                                "sh", dir)) == 0,
               "files outside of --local-dir are as they were");
}

static void test_local_dir(struct scenario *s, const char *dir)
{
    static const char *const ways[] = {"beside/own", "in/../beside/own", "in/sub/../a",
                                       "in/file",    "in/folder/own",    "in/folder/new",
                                       "in/nothing", "in/sub/up/new",    "in/fifo",
                                       "in/loop",    "in/sub",           "in2/new",
                                       "in",         "in/a/x",           "in/none/.."};
    char texts[COUNT(ways)][80];
    const char *files[COUNT(ways) + 2] = {"/dev/null"};
    for (size_t i = 0; i < COUNT(ways); i++) {
        snprintf(texts[i], sizeof(texts[i]), "%s/%s", dir, ways[i]);
        files[i + 1] = texts[i];
    }
    run_program(ARGS("sh", "-ec", make_ways_out, "sh", dir));
    test_outside(s, files);
    test_inside(s, dir);
}

/* The test driver has no jobs and does not migrate; it is asked and says so. */
static const struct step without[] = {
    {"GET", "/domains/test/job", 501, NO_SUPPORT},
    {"GET", "/domains/test/job?flags=completed", 501, NO_SUPPORT},
    {"GET", "/domains/test/job?flags=all", 400, GATEWAY("unknown-flag")},
    {"GET", "/domains/nosuch/job", 404, LIBVIRT("NO_DOMAIN")},
    {"DELETE", "/domains/test/job", 501, NO_SUPPORT},
    {"DELETE", "/domains/test/job?flags=x", 400, GATEWAY("unknown-flag")},
    {"GET", "/domains/test/migration", 501, NO_SUPPORT},
    {"PATCH", "/domains/test/migration", 501, NO_SUPPORT, .json = "{'maxSpeedMiBps':5}"},
    {"PATCH", "/domains/test/migration", 400, GATEWAY("unknown-key"),
     .json = "{'speed':5}", .contains = "*maxDowntimeMs*"},
    {"PATCH", "/domains/test/migration", 400, GATEWAY("invalid-value"),
     .json = "{'maxSpeedMiBps':-1}"},
    {"PATCH", "/domains/test/migration", 400, GATEWAY("invalid-value"),
     .json = "{'maxDowntimeMs':'long'}"},
    {"POST", "/domains/test/migration/postcopy", 501, NO_SUPPORT},
    {"POST", "/domains/test/migrate", 501, NO_SUPPORT, .json = "{'destinationHost':'b'}"},
    {"POST", "/domains/test/migrate", 422, LIBVIRT("ARGUMENT_UNSUPPORTED"),
     .json = "{'destinationUri':'qemu+tls://rack2/system'}"},
    {"POST", "/domains/test/migrate", 422, LIBVIRT("ARGUMENT_UNSUPPORTED"),
     .json = "{'mode':'direct','destinationUri':'tcp://rack2'}"},
    {"POST", "/domains/test/migrate", 400, GATEWAY("missing-key"), .json = "{}",
     .contains = "*destinationHost*"},
    {"POST", "/domains/test/migrate", 400, GATEWAY("missing-key"),
     .json = "{'mode':'direct'}", .contains = "*destinationUri*"},
    {"POST", "/domains/test/migrate", 400, GATEWAY("invalid-value"),
     .json = "{'destinationHost':'b','destinationUri':'qemu+tls://b/system'}"},
    {"POST", "/domains/test/migrate", 400, GATEWAY("invalid-value"),
     .json = "{'mode':'managed','destinationHost':'nosuch'}", .contains = "*/hosts*"},
    {"POST", "/domains/test/migrate", 400, GATEWAY("unknown-value"),
     .json = "{'mode':'fast','destinationHost':'b'}", .contains = "*peer2peer*"},
    {"POST", "/domains/test/migrate", 400, GATEWAY("unknown-flag"),
     .json = "{'destinationHost':'b','flags':['fast']}", .contains = "*undefine-source*"},
    {"POST", "/domains/test/migrate", 400, GATEWAY("unknown-key"),
     .json = "{'destinationHost':'b','params':{'speed':1}}"},
    {"POST", "/domains/test/migrate", 400, GATEWAY("invalid-value"),
     .json = "{'destinationHost':'b','params':[]}"},
    {"POST", "/domains/test/migrate", 422, GATEWAY("unsafe-xml"),
     .json = "{'destinationHost':'b','params':{'destinationXml':'<!DOCTYPE d []><d/>'}}"},
    {"POST", "/domains/test/migrate", 400, GATEWAY("invalid-value"),
     .json = "{'destinationUri':'qemu+ext:///system?command=/bin/true'}",
     .contains = "*runs a program*"},
    {"POST", "/domains/nosuch/migrate", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'destinationHost':'b'}"},
    /* the host that failed is the other */
    {"POST", "/domains/test/migrate", 503,
     "{'type':'~urn:virtgate:error:host-unreachable','host':'c','retryable':true}",
     .json = "{'destinationHost':'c'}", .contains = "*'c'*"},
};

int main(void)
{
    char dir[] = "/tmp/vg-save-XXXXXX", in[32];
    struct scenario s;
    if (!mkdtemp(dir))
        return checks_report();
    snprintf(in, sizeof(in), "%s/in", dir);
    mkdir(in, 0700);
    if (!scenario_begin(
            &s, "save",
            ARGS("--connect", "test:///default", "--host", "b=test:///default", "--host",
                 "c=qemu+unix:///system?socket=/nonexistent", "--local-dir", in)))
        return checks_report();
    json_object_set_new(s.captures, "dir", json_string(in));
    scenario_run(&s, save, COUNT(save));
    scenario_run(&s, managed, COUNT(managed));
    scenario_run(&s, dump, COUNT(dump));
    scenario_run(&s, without, COUNT(without));
    test_local_dir(&s, dir);
    scenario_end(&s);
    /* without the option there is no folder */
    snprintf(in, sizeof(in), "%s/new", dir);
    if (scenario_begin(
            &s, "no --local-dir",
            ARGS("--connect", "test:///default", "--host", "b=test:///default"))) {
        test_outside(&s, ARGS(in, "/dev/null"));
        scenario_end(&s);
    }
    run_program(ARGS("rm", "-r", dir));
    return checks_report();
}
