/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/snapshot.c, domain_checkpoint.c and domain_backup.c on the test driver.
 * Disks and backups: tests/qemu/domain/test_snapshot.c.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>

#define NO_SNAPSHOT   LIBVIRT("NO_DOMAIN_SNAPSHOT")
#define NO_CHECKPOINT LIBVIRT("NO_DOMAIN_CHECKPOINT")
#define NO_SUPPORT    LIBVIRT("NO_SUPPORT")
#define AT            "/domains/test/snapshots"
#define CURRENT       "/domains/test/current-snapshot"
#define CHECKPOINTS   "/domains/test/checkpoints"

static const struct step snapshots[] = {
    {"GET", AT, 200, "{'hasCurrent':false,'snapshots':[]}"},
    {"GET", CURRENT, 404, NO_SNAPSHOT},
    {"HEAD", CURRENT, 404, NULL},
    {"GET", AT "/current", 404, NO_SNAPSHOT},
    {"POST", AT, 201,
     "{'name':'b','parent':null,'description':'one & <two>','state':'running',"
     "'creationTimeSeconds':'<int>','creationTime':'<time>','current':true,"
     "'hasMetadata':true}",
     .json = "{'name':'b','description':'one & <two>'}", .wants = {"Location: " AT "/b"}},
    {"POST", AT "?name=a%20%2F", 201, "{'name':'a /','parent':'b'}",
     .wants = {"Location: " AT "/a%20%2F"}},
    {"POST", AT, 202, "{'id':'$op','kind':'createSnapshot'}",
     .xml = "<domainsnapshot><name>c</name></domainsnapshot>",
     .headers = {"Prefer: respond-async"}, .wants = {"Location: /operations/*"}},
    {"GET", "/operations/${op}?wait=10", 200,
     "{'state':'succeeded','status':201,'result':{'name':'c','parent':'a /'}}"},
    {"POST", "/domains/test/suspend", 204, ""},
    {"POST", AT "/b/revert", 204, "", .json = "{}"},
    {"GET", "/domains/test/state", 200, "{'state':'running'}"},
    {"POST", AT, 201, "{'parent':'b','name':'~[0-9]*'}"},
    {"GET", CURRENT, 200, "{'current':true,'name':'$made','parent':'b'}"},
    {"GET", AT, 200,
     "{'hasCurrent':true,'snapshots':[{'name':'$made'},{'name':'a /'},"
     "{'name':'b','children':'<absent>'},{'name':'c'}]}"},
    {"GET", AT "?tree=true", 200,
     "{'snapshots':[{'name':'b','children':[{'name':'$made','children':[]},"
     "{'name':'a /','children':[{'name':'c','children':[]}]}]}]}"},
    {"GET", AT "?flags=roots", 200, "{'snapshots':[{'name':'b'}]}"},
    {"GET", AT "?flags=leaves,topological", 200, "{'snapshots':[{},{}]}"},
    {"GET", AT "/b", 200, "{'name':'b','current':false}"},
    {"GET", AT "/c/parent", 200, "{'name':'a /'}"},
    {"GET", AT "/b/parent", 404, NO_SNAPSHOT},
    {"GET", AT "/b/children", 200, "{'snapshots':[{'name':'$made'},{'name':'a /'}]}"},
    {"GET", AT "/b/children?flags=descendants&tree=true", 200,
     "{'snapshots':[{'name':'$made'},{'name':'a /','children':[{'name':'c'}]}]}"},
    {"GET", AT "/b/children?tree=true", 200,
     "{'snapshots':[{'name':'$made'},{'name':'a /','children':[{'name':'c'}]}]}"},
    {"GET", AT "/b/xml", 200, NULL, .wants = {"Content-Type: application/xml*"},
     .contains = "<domainsnapshot>*<name>b</name>*"},
    {"GET", AT "/b", 200, NULL, .headers = {"Accept: application/xml"},
     .wants = {"Content-Type: application/xml*"},
     .contains = "<domainsnapshot>*<name>b</name>*"},
    {"GET", AT "/b/xml?flags=secure", 200, NULL, .headers = {"Accept: application/json"},
     .contains = "*{\"xml\":*"},
    {"GET", "/domains?snapshots=true", 200, "{'domains':[{'name':'test'}]}"},
};

/* Words of the API are names like any other. */
static const struct step named[] = {
    {"POST", AT, 201, "{'name':'current'}", .json = "{'name':'current'}",
     .wants = {"Location: " AT "/current"}},
    {"POST", AT, 201, "{'name':'revert'}", .json = "{'name':'revert'}"},
    {"GET", AT "/current", 200, "{'name':'current','current':false}"},
    {"GET", AT "/current/xml", 200, NULL, .contains = "*<name>current</name>*"},
    {"GET", CURRENT, 200, "{'name':'revert','current':true,'parent':'current'}"},
    {"POST", AT "/current/revert", 204, ""},
    {"GET", CURRENT, 200, "{'name':'current'}"},
    {"POST", AT "/revert/revert", 204, ""},
    {"DELETE", AT "/current", 204, ""},
    {"GET", AT "/current", 404, NO_SNAPSHOT},
    {"GET", CURRENT, 200, "{'name':'revert'}"},
    {"DELETE", AT "/revert", 204, ""},
    {"POST", AT, 201, "{'name':'..'}", .json = "{'name':'..'}",
     .wants = {"Location: " AT "/%2E%2E"}},
    {"GET", AT "/%2e%2E", 200, "{'name':'..'}"},
    {"DELETE", AT "/..", 204, ""},
};

static const struct step refused[] = {
    {"POST", AT, 409, LIBVIRT("OPERATION_FAILED"), .json = "{'name':'b'}"},
    {"POST", AT, 400, NULL, .json = "{'name':'x\\u0001y'}",
     .contains = "*'name'*character that XML does not have*"},
    {"POST", AT, 400, NULL, .json = "{'name':'x','description':'\\u0008'}"},
    {"POST", AT, 400, GATEWAY("invalid-value"),
     .json = "{'name':'d','xml':'<domainsnapshot/>'}"},
    {"POST", AT, 422, GATEWAY("unsafe-xml"), .xml = "<!DOCTYPE d []><domainsnapshot/>"},
    {"POST", AT, 400, NULL, .xml = "<domainsnapshot"},
    {"POST", AT, 400, GATEWAY("unknown-flag"), .json = "{'flags':['x']}",
     .contains = "*disk-only*"},
    {"POST", "/domains/nosuch/snapshots", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/nosuch/snapshots", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", AT "?flags=x", 400, GATEWAY("unknown-flag")},
    {"GET", AT "?tree=x", 400, GATEWAY("invalid-value")},
    {"GET", AT "/x", 404, NO_SNAPSHOT},
    {"GET", AT "/x/xml", 404, NO_SNAPSHOT},
    {"GET", AT "/x/parent", 404, NO_SNAPSHOT},
    {"GET", AT "/x/children", 404, NO_SNAPSHOT},
    {"POST", AT "/x/revert", 404, NO_SNAPSHOT, .headers = {"Prefer: respond-async"}},
    {"POST", AT "/b/revert", 400, GATEWAY("unknown-flag"), .json = "{'flags':['x']}"},
    {"DELETE", AT "/x", 404, NO_SNAPSHOT},
    {"DELETE", AT "/b?flags=x", 400, GATEWAY("unknown-flag"), .contains = "*children*"},
    {"GET", AT, 200, "{'snapshots':[{},{},{},{}]}"},
    {"DELETE", AT "/a%20%2F", 204, ""},
    {"GET", AT "/c/parent", 200, "{'name':'b'}"},
    {"DELETE", AT "/b?flags=children", 204, "", .headers = {"Prefer: wait=10"},
     .wants = {"Preference-Applied: wait=10"}},
    {"GET", AT, 200, "{'hasCurrent':false,'snapshots':[]}"},
};

static const struct step checkpoints[] = {
    {"GET", CHECKPOINTS, 200, "{'checkpoints':[]}"},
    {"POST", CHECKPOINTS, 201,
     "{'name':'two','parent':null,'description':'second','creationTimeSeconds':'<int>',"
     "'creationTime':'<time>'}",
     .xml = "<domaincheckpoint><name>two</name><description>second</description>"
            "</domaincheckpoint>",
     .wants = {"Location: " CHECKPOINTS "/two"}},
    {"POST", CHECKPOINTS, 201, "{'name':'one','parent':'two'}",
     .json = "{'xml':'<domaincheckpoint><name>one</name></domaincheckpoint>'}"},
    {"GET", CHECKPOINTS, 200, "{'checkpoints':[{'name':'one'},{'name':'two'}]}"},
    {"GET", CHECKPOINTS "?flags=topological", 200,
     "{'checkpoints':[{'name':'two'},{'name':'one'}]}"},
    {"GET", CHECKPOINTS "?tree=true", 200,
     "{'checkpoints':[{'name':'two','children':[{'name':'one','children':[]}]}]}"},
    {"GET", CHECKPOINTS "/one", 200, "{'name':'one','parent':'two'}"},
    {"GET", CHECKPOINTS "/one/parent", 200, "{'name':'two'}"},
    {"GET", CHECKPOINTS "/two/parent", 404, NO_CHECKPOINT},
    {"GET", CHECKPOINTS "/two/children?flags=descendants", 200,
     "{'checkpoints':[{'name':'one'}]}"},
    {"GET", CHECKPOINTS "/two", 200, NULL, .headers = {"Accept: application/xml"},
     .contains = "<domaincheckpoint>*<name>two</name>*"},
    {"GET", CHECKPOINTS "/two/xml?flags=no-domain", 200, NULL,
     .contains = "<domaincheckpoint>*<name>two</name>*"},
    {"GET", "/domains?checkpoints=true", 200, "{'domains':[{'name':'test'}]}"},
    {"POST", CHECKPOINTS, 409, LIBVIRT("OPERATION_FAILED"),
     .json = "{'xml':'<domaincheckpoint><name>one</name></domaincheckpoint>'}"},
    {"POST", CHECKPOINTS, 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", CHECKPOINTS, 400, GATEWAY("unknown-flag"),
     .json = "{'xml':'<domaincheckpoint/>','flags':['x']}", .contains = "*quiesce*"},
    {"GET", "/domains/nosuch/checkpoints", 404, LIBVIRT("NO_DOMAIN")},
    {"POST", "/domains/nosuch/checkpoints", 404, NULL, .xml = "<domaincheckpoint/>"},
    {"GET", CHECKPOINTS "?flags=x", 400, GATEWAY("unknown-flag")},
    {"GET", CHECKPOINTS "/x", 404, NO_CHECKPOINT},
    {"GET", CHECKPOINTS "/x/xml", 404, NO_CHECKPOINT},
    {"GET", CHECKPOINTS "/x/children", 404, NO_CHECKPOINT},
    {"GET", CHECKPOINTS "/two/xml?flags=x", 400, GATEWAY("unknown-flag")},
    {"DELETE", CHECKPOINTS "/x", 404, NO_CHECKPOINT},
    {"DELETE", CHECKPOINTS "/two?flags=x", 400, GATEWAY("unknown-flag")},
    {"DELETE", CHECKPOINTS "/two?flags=children-only", 204, ""},
    {"DELETE", CHECKPOINTS "/two", 204, ""},
    {"GET", CHECKPOINTS, 200, "{'checkpoints':[]}"},
};

static const struct step backup[] = {
    {"GET", "/domains/test/backup", 501, NO_SUPPORT},
    {"POST", "/domains/test/backup", 501, NO_SUPPORT, .xml = "<domainbackup/>",
     .headers = {"Prefer: wait=5"}, .wants = {"!Location"}},
    {"GET", "/operations?kind=beginBackup", 200, "{'operations':[]}"},
    {"POST", "/domains/test/backup", 400, GATEWAY("missing-key"), .json = "{}",
     .contains = "*as application/xml, or as*backup*"},
    {"POST", "/domains/test/backup", 422, GATEWAY("unsafe-xml"),
     .json = "{'backup':'<domainbackup/>','checkpoint':'<!DOCTYPE d []><d/>'}"},
    {"POST", "/domains/test/backup?flags=x", 400, GATEWAY("unknown-flag"),
     .xml = "<domainbackup/>", .contains = "*reuse-external*"},
    {"GET", "/domains/nosuch/backup", 404, LIBVIRT("NO_DOMAIN")},
};

/* libvirt names them by the second: what comes too soon is a conflict. */
static void test_unnamed(struct scenario *s)
{
    int made = 0, taken = 0;

    for (int i = 0; i < 10; i++) {
        struct response *r = scenario_send(s, "POST", AT, NULL, NULL);
        made += r->status == 201;
        taken += r->status == 409;
        check_response(r->status == 201 || r->status == 409, r, "an unnamed snapshot");
        response_free(r);
    }
    struct response *list = scenario_send(s, "GET", AT "?flags=roots", NULL, NULL);
    json_t *body = json_loads(list->body, 0, NULL);
    const char *root = json_string_value(
        json_object_get(json_array_get(json_object_get(body, "snapshots"), 0), "name"));
    char path[128];
    snprintf(path, sizeof(path), AT "/%s?flags=children", root ? root : "");
    response_free(scenario_send(s, "DELETE", path, NULL, NULL));
    json_decref(body);
    response_free(list);
    check_that(made && taken, "unnamed snapshots: %d made, %d refused", made, taken);
}

int main(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "snapshots", ARGS("--connect", "test:///default")))
        return checks_report();
    scenario_run(&s, snapshots, COUNT(snapshots));
    scenario_run(&s, named, COUNT(named));
    scenario_run(&s, refused, COUNT(refused));
    test_unnamed(&s);
    scenario_run(&s, checkpoints, COUNT(checkpoints));
    scenario_run(&s, backup, COUNT(backup));
    scenario_end(&s);
    return checks_report();
}
