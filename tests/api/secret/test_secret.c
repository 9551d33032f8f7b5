/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/secret/ where the driver has no secrets: each row says so, and what is wrong
 * with a request is said before. tests/qemu/secret has the rest.
 */
#include "tests/harness/steps.h"

#define UUID   "0e7b9e7e-3f0a-4d5b-9a55-6f1f0a4c2b10"
#define SECRET "<secret><uuid>" UUID "</uuid></secret>"

static const struct step lacking[] = {
    {"GET", "/secrets", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/hosts/-/secrets", 200, NULL,
     .contains = "*unreachable*VIR_ERR_NO_SUPPORT*"},
    {"GET", "/secrets?usageType=ceph&usageId=a", 501, LIBVIRT("NO_SUPPORT")},
    {"POST", "/secrets", 501, LIBVIRT("NO_SUPPORT"), .xml = SECRET},
    {"GET", "/secrets/" UUID, 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/secrets/" UUID "/xml", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/secrets/" UUID "/value", 501, LIBVIRT("NO_SUPPORT")},
    {"DELETE", "/secrets/" UUID, 501, LIBVIRT("NO_SUPPORT")},
};

/* The short form, only shown. */
static const struct step forms[] = {
    {"POST", "/secrets?dryRun=true", 200, NULL,
     .json = "{'usageType':'volume','usageId':'/a<b','ephemeral':true}",
     .contains = "*ephemeral=*yes**usage type=*volume**<volume>/a&lt;b</volume>*"},
    {"POST", "/secrets?dryRun=true", 200, NULL,
     .json = "{'usageType':'iscsi','usageId':'t','private':true,'description':'d'}",
     .contains = "*private=*yes**<description>d</description>*<target>t</target>*"},
    {"POST", "/secrets?dryRun=true", 200, NULL, .json = "{'usageType':'none'}",
     .contains = "*<secret ephemeral=*no* private=*no*/>*"},
    {"POST", "/secrets?dryRun=true&usageType=tls&usageId=t", 200, NULL,
     .contains = "*<name>t</name>*"},
    {"POST", "/secrets", 400, GATEWAY("missing-key"), .json = "{'usageType':'tls'}"},
    {"POST", "/secrets", 400, GATEWAY("missing-key"), .json = "{'usageId':'t'}"},
    {"POST", "/secrets", 400, GATEWAY("invalid-value"),
     .json = "{'usageType':'none','usageId':'t'}"},
    {"POST", "/secrets", 400, GATEWAY("unknown-value"), .json = "{'usageType':'x'}",
     .contains = "*ceph*"},
    {"POST", "/secrets", 400, GATEWAY("invalid-value"),
     .json = "{'usageType':'none','secret':{}}"},
};

static const struct step wrong[] = {
    {"GET", "/secrets?usageType=ceph", 400, GATEWAY("missing-key")},
    {"GET", "/secrets?usageId=a", 400, GATEWAY("missing-key")},
    {"GET", "/secrets?state=active", 400, GATEWAY("unknown-key")},
    {"GET", "/secrets/name", 404, GATEWAY("not-found")},
    {"GET", "/secrets/" UUID "?by=name", 400, GATEWAY("unknown-value")},
    {"GET", "/secrets/" UUID "/value?x=1", 400, GATEWAY("unknown-key")},
    {"GET", "/secrets/" UUID "/value", 406, GATEWAY("not-acceptable"),
     .headers = {"Accept: application/json"}},
    {"PUT", "/secrets/" UUID "/value", 415, GATEWAY("unsupported-media-type"),
     .json = "{'value':'x'}", .contains = "*application/octet-stream*"},
    {"PUT", "/secrets/" UUID "/value", 415, GATEWAY("unsupported-media-type"),
     .xml = "<x/>"},
    {"POST", "/secrets/" UUID "/value", 405, GATEWAY("method-not-allowed")},
    {"DELETE", "/secrets/" UUID "/value", 405, GATEWAY("method-not-allowed")},
};

int main(void)
{
    struct scenario s;

    if (scenario_begin(&s, "secret", ARGS("-c", "test:///default"))) {
        scenario_run(&s, lacking, COUNT(lacking));
        scenario_run(&s, forms, COUNT(forms));
        scenario_run(&s, wrong, COUNT(wrong));
        scenario_end(&s);
    }
    return checks_report();
}
