/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/gateway/operation.c and the rule of long work: Prefer, 202, the list and its
 * filters, waiting, ids of other runs, rights, Idempotency-Key. The test driver's work is
 * done at once; what takes time is in tests/qemu/gateway/test_operation.c.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UUID  "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define ASYNC "Prefer: respond-async"

static const struct step rule[] = {
    {"GET", "/operations", 200, "{'operations':[],'next':'<absent>'}"},
    /* at once: 202, and the operation tells the rest */
    {"POST", "/domains/test/managed-save", 202,
     "{'id':'$first','kind':'managedSaveDomain','host':'default','state':'<string>',"
     "'path':'/domains/test/managed-save','domain':{'name':'test','uuid':'" UUID "'},"
     "'requestId':'r1','principal':null,'createdAt':'<string>','startedAt':'<string>',"
     "'endedAt':null,'cancelRequested':false}",
     .headers = {ASYNC, "X-Request-Id: r1"},
     .wants = {"Location: /operations/*-1", "Preference-Applied: respond-async"}},
    {"GET", "/operations/${first}?wait=10", 200,
     "{'id':'$first','state':'succeeded','status':204,'endedAt':'<string>',"
     "'cancellable':false,'error':'<absent>','result':'<absent>','progress':'<absent>'}"},
    {"GET", "/domains/test/managed-save", 200, "{'exists':true}"},
    {"POST", "/domains/test/start", 204, ""},
    /* not preferred: the answer is that of the work */
    {"POST", "/domains/test/managed-save", 204, "",
     .wants = {"!Location", "!Preference-Applied"}},
    {"POST", "/domains/test/managed-save", 409,
     "{'type':'~urn:libvirt:error:*','status':409}"},
    {"POST", "/domains/test/start", 204, ""},
    {"POST", "/domains/test/managed-save", 204, "", .headers = {"Prefer: wait=20"},
     .wants = {"Preference-Applied: wait=20"}},
    {"POST", "/domains/test/start", 204, ""},
    {"POST", "/domains/test/managed-save", 202, "{'id':'$waited'}",
     .headers = {"Prefer: wait=0"},
     .wants = {"Preference-Applied: wait=0", "Location: /operations/*"}},
    {"GET", "/operations/${waited}?wait=10", 200, "{'state':'succeeded'}"},
    {"POST", "/domains/test/start", 204, ""},
    /* unknown and malformed preferences are nobody's error */
    {"POST", "/domains/test/managed-save", 204, "",
     .headers = {"Prefer: wait=ten, handling=lenient, wait"},
     .wants = {"!Preference-Applied"}},
    {"POST", "/domains/test/start", 204, "", .headers = {ASYNC},
     .wants = {"!Preference-Applied"}},
    /* bad arguments are answered at once, and are no operation */
    {"POST", "/domains/test/managed-save", 400, GATEWAY("unknown-flag"),
     .json = "{'flags':['nosuch']}", .headers = {ASYNC}},
    {"POST", "/domains/nosuch/managed-save", 404, LIBVIRT("NO_DOMAIN"),
     .headers = {ASYNC}, .wants = {"!Location"}},
    {"GET", "/operations", 200,
     "{'operations':[{'state':'succeeded'},{'state':'succeeded'},{'state':'succeeded'},"
     "{'state':'failed','status':409,'error':{'type':'~urn:libvirt:error:*',"
     "'error':{'codeName':'<string>','domainName':'<string>','message':'<string>'}}},"
     "{'state':'succeeded'},{'id':'$first'}]}"},
};

static const struct step asking[] = {
    {"GET", "/events?object=operation&last=2&wait=0", 200,
     "{'events':[{'object':'operation','event':'begun','domain':{'name':'test'},"
     "'operation':{'kind':'managedSaveDomain','state':'running','principal':null,"
     "'path':'/domains/test/managed-save','status':'<absent>'}},"
     "{'event':'ended','operation':{'kind':'managedSaveDomain','state':'succeeded',"
     "'status':204}}]}"},
    {"GET", "/events?event=ended&domain=test&last=5&wait=0", 200,
     "{'events':[{'event':'ended'},{'operation':{'state':'failed','status':409}},"
     "{},{},{}]}"},
    {"GET", "/operations?state=failed", 200,
     "{'operations':[{'id':'$failed','state':'failed'}]}"},
    {"GET", "/operations?state=running,pending,cancelled,unknown", 200,
     "{'operations':[]}"},
    {"GET", "/operations?state=done", 400, GATEWAY("unknown-flag"),
     .contains = "*succeeded*"},
    {"GET", "/operations?kind=managedSaveDomain&domain=test&host=default", 200,
     "{'operations':[{},{},{},{},{},{}]}"},
    {"GET", "/operations?domain=" UUID, 200, "{'operations':[{},{},{},{},{},{}]}"},
    {"GET", "/operations?kind=saveDomain", 200, "{'operations':[]}",
     .wants = {"X-Virtgate-Revision: *-*"}},
    {"GET", "/operations?kind=zzz", 400, GATEWAY("unknown-value"),
     .contains = "*saveDomain, *"},
    {"GET", "/operations?kind=getVersion", 400, GATEWAY("unknown-value")},
    {"GET", "/operations?host=nosuch", 400, GATEWAY("unknown-value")},
    {"GET", "/operations?domain=6695EB01-F6A4-8304-79AA-97F2502E193F", 200,
     "{'operations':[{},{},{},{},{},{}]}"},
    {"GET", "/operations?domain=6695eb01f6a4830479aa97f2502e193f", 200,
     "{'operations':[{},{},{},{},{},{}]}"},
    {"GET", "/operations?domain=6695eb01f6a4830479aa97f2502e193", 200,
     "{'operations':[]}"},
    {"GET", "/operations?domain=other", 200, "{'operations':[]}"},
    {"GET", "/operations?host=b", 200, "{'operations':[]}"},
    {"GET", "/hosts/b/operations", 200, "{'operations':[]}"},
    {"GET", "/hosts/default/operations", 200, "{'operations':[{},{},{},{},{},{}]}"},
    {"GET", "/operations?limit=2", 200, "{'operations':[{},{'id':'$at'}],'next':'$at'}",
     .wants = {"Link: </operations?after=*limit=2>; rel=\"next\""}},
    {"GET", "/operations?limit=10&after=${at}", 200,
     "{'operations':[{},{},{},{'id':'$first'}],'next':'<absent>'}", .wants = {"!Link"}},
    {"GET", "/operations?limit=0", 400, GATEWAY("invalid-value")},
    {"GET", "/operations?nosuch=1", 400, GATEWAY("unknown-key")},
    {"GET", "/operations/${first}", 200, "{'id':'$first','domain':{'name':'test'}}",
     .wants = {"ETag: *"}},
    {"GET", "/hosts/default/operations/${first}", 200, "{'id':'$first'}"},
    {"GET", "/hosts/b/operations/${first}", 404, GATEWAY("not-found"),
     .contains = "*another host*"},
    {"GET", "/operations/${first}?wait=301", 400, GATEWAY("invalid-value")},
    {"GET", "/operations/${first}?wait=x", 400, GATEWAY("invalid-value")},
    {"GET", "/operations/${first}", 200, "{'id':'$first'}", .headers = {"Prefer: wait=5"},
     .wants = {"Preference-Applied: wait=5"}},
    {"GET", "/operations/nosuch", 404, GATEWAY("not-found")},
    {"GET", "/operations/0-1", 404, GATEWAY("not-found")},
    {"GET", "/operations/18000000000-3", 410, GATEWAY("gone"),
     .contains = "*earlier run*"},
    {"DELETE", "/operations/nosuch", 404, GATEWAY("not-found")},
    {"DELETE", "/operations/18000000000-3", 410, GATEWAY("gone")},
    {"DELETE", "/operations/${first}", 409, GATEWAY("conflict"), .contains = "*ended*"},
    {"DELETE", "/operations/${first}", 412, GATEWAY("precondition-failed"),
     .headers = {"If-Match: \"0\""}},
    {"DELETE", "/operations/${first}", 409, GATEWAY("conflict"),
     .headers = {"If-Match: *"}},
    {"DELETE", "/operations/${first}?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*postcopy*"},
    {"POST", "/operations", 405, GATEWAY("method-not-allowed"),
     .wants = {"Allow: GET, HEAD, OPTIONS"}},
    {"GET", "/hosts/-/operations", 404, GATEWAY("not-found")},
};

/* The first answer is that of all: one effect, one operation. */
/* What libvirt is silent about. */
static const struct step changes[] = {
    {"PUT", "/domains/test/autostart", 200, "{'autostart':true}",
     .json = "{'autostart':true}"},
    {"GET", "/events?event=autostart-change&last=5&wait=0", 200,
     "{'events':[{'object':'domain','domain':{'name':'test'},'autostart':true}]}"},
    {"PATCH", "/domains/test", 200, "{'autostart':false}", .json = "{'autostart':false}"},
    {"PUT", "/networks/default/autostart", 200, "{'autostart':true}",
     .json = "{'autostart':true}"},
    {"PATCH", "/storage-pools/default-pool", 200, "{'autostart':true}",
     .json = "{'autostart':true}"},
    {"POST", "/networks", 201, "{'autostart':true}",
     .json = "{'autostart':true,'xml':'<network><name>n</name></network>'}"},
    {"PUT", "/networks/missing/autostart", 404, "{'status':404}",
     .json = "{'autostart':true}"},
    {"GET", "/events?event=autostart-change&last=5&wait=0", 200,
     "{'events':[{'autostart':true},"
     "{'object':'domain','domain':{'name':'test'},'autostart':false},"
     "{'object':'network','network':{'name':'default','uuid':'<uuid>'},"
     "'autostart':true},"
     "{'object':'storage-pool','storagePool':{'name':'default-pool','uuid':'<uuid>'},"
     "'autostart':true},{'object':'network','network':{'name':'n'}}]}"},
    {"DELETE", "/networks/n", 204, ""},
    {"POST", "/domains/test/snapshots", 201, "{'name':'one'}", .json = "{'name':'one'}"},
    {"POST", "/domains/test/snapshots/one/revert", 204, ""},
    {"DELETE", "/domains/test/snapshots/one", 204, ""},
    {"GET", "/events?event=snapshot-change&last=5&wait=0", 200,
     "{'events':[{'type':'created','snapshot':'one'},{'type':'reverted'},"
     "{'type':'deleted','snapshot':'one','object':'domain'}]}"},
};

static const struct step once[] = {
    {"POST", "/hosts/b/domains/test/managed-save", 202, "{'id':'$id','host':'b'}",
     .headers = {ASYNC, "Idempotency-Key: k"},
     .wants = {"Location: /hosts/b/operations/*"}},
    {"POST", "/hosts/b/domains/test/managed-save", 202, "{'id':'$id'}",
     .headers = {ASYNC, "Idempotency-Key: k"},
     .wants = {"Location: /hosts/b/operations/*", "Preference-Applied: respond-async"}},
    {"GET", "/operations/${id}?wait=10", 200, "{'state':'succeeded','host':'b'}"},
    {"GET", "/hosts/b/operations", 200, "{'operations':[{'id':'$id'}]}"},
    {"POST", "/hosts/b/domains/test/save", 422, GATEWAY("idempotency-mismatch"),
     .json = "{'file':'/tmp/x'}", .headers = {"Idempotency-Key: k"}},
    {"POST", "/hosts/b/domains/test/start", 204, ""},
};

/* What answers nobody: the host is down, and what it did is still known. */
static void test_down(struct scenario *s)
{
    static const struct step down[] = {
        {"POST", "/hosts/c/domains/test/managed-save", 503, GATEWAY("host-unreachable"),
         .headers = {ASYNC}},
        {"GET", "/hosts/c/operations", 200, "{'operations':[]}"},
    };
    scenario_run(s, down, COUNT(down));
}

static const char make_tokens[] =
    "umask 077; h() { printf %s \"$1\" | sha256sum | cut -d' ' -f1; }; "
    "{ echo \"vera viewer $(h viewer)\"; echo \"oskar operator $(h operator)\"; "
    "echo \"anna admin $(h admin)\"; } "
    ">\"$1\"";

/* A viewer sees operations; who cancels needs what the beginning needed. */
static void test_rights(void)
{
    static const struct step rows[] = {
        {"POST", "/domains/test/save", 403, GATEWAY("forbidden"),
         .json = "{'file':'/tmp/vg-rights.save'}",
         .headers = {"Authorization: Bearer operator"}},
        {"POST", "/domains/test/managed-save", 202, "{'id':'$id','principal':'oskar'}",
         .headers = {"Authorization: Bearer operator", ASYNC}},
        {"GET", "/operations/${id}?wait=10", 200, "{'id':'$id','principal':'oskar'}",
         .headers = {"Authorization: Bearer viewer"}},
        {"DELETE", "/operations/${id}", 403, GATEWAY("forbidden"),
         .headers = {"Authorization: Bearer viewer"}},
        /* what the row's role began, and what an argument of it needed more for */
        {"POST", "/domains/test/snapshots?name=own", 202, "{'id':'$own'}",
         .headers = {"Authorization: Bearer operator", ASYNC}},
        {"GET", "/operations/${own}?wait=10", 200, "{'state':'succeeded'}",
         .headers = {"Authorization: Bearer viewer"}},
        {"DELETE", "/operations/${own}", 409, GATEWAY("conflict"),
         .headers = {"Authorization: Bearer operator"}},
        {"POST", "/domains/test/snapshots", 202, "{'id':'$document'}",
         .xml = "<domainsnapshot><name>document</name></domainsnapshot>",
         .headers = {"Authorization: Bearer admin", ASYNC}},
        {"DELETE", "/operations/${document}", 403, GATEWAY("forbidden"),
         .headers = {"Authorization: Bearer operator"}, .contains = "*admin*"},
        {"GET", "/operations/${document}?wait=10", 200, "{'state':'succeeded'}",
         .headers = {"Authorization: Bearer viewer"}},
        {"DELETE", "/operations/${document}", 409, GATEWAY("conflict"),
         .headers = {"Authorization: Bearer admin"}},
        {"GET", "/operations", 401, GATEWAY("unauthorized")},
        {"GET", "/save-images/xml?file=/tmp/vg-rights.save", 403, GATEWAY("forbidden"),
         .headers = {"Authorization: Bearer operator"}},
    };
    char dir[] = "/tmp/vg-operation-XXXXXX", file[64];
    struct scenario s;

    if (!mkdtemp(dir))
        return;
    snprintf(file, sizeof(file), "%s/tokens", dir);
    run_program(ARGS("bash", "-ec", make_tokens, "tokens", file));
    if (scenario_begin(&s, "operations: rights",
                       ARGS("-c", "test:///default", "--token-file", file))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    unlink(file);
    rmdir(dir);
}

int main(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "operations",
                        ARGS("--connect", "test:///default", "--host",
                             "b=test:///default", "--host",
                             "c=qemu+unix:///system?socket=/nonexistent")))
        return checks_report();
    scenario_run(&s, rule, COUNT(rule));
    scenario_run(&s, asking, COUNT(asking));
    scenario_run(&s, once, COUNT(once));
    scenario_run(&s, changes, COUNT(changes));
    test_down(&s);
    scenario_end(&s);
    test_rights();
    return checks_report();
}
