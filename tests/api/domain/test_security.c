/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/security.c. The test driver has one label, by the older call, and no
 * launch security.
 */
#include "tests/harness/steps.h"

static const struct step rows[] = {
    {"GET", "/domains/test/security-labels", 200,
     "{'labels':[{'label':'libvirt-test','enforcing':true}]}"},
    {"GET", "/domains/test/security-labels?x=1", 400, GATEWAY("unknown-key")},
    {"GET", "/domains/nosuch/security-labels", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/test/launch-security", 400, LIBVIRT("INVALID_ARG")},
    {"GET", "/domains/nosuch/launch-security", 404, LIBVIRT("NO_DOMAIN")},
    {"PUT", "/domains/test/launch-security", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'sevSecretHeader':'aGVhZGVy','sevSecret':'c2VjcmV0'}"},
    {"PUT", "/domains/test/launch-security", 400, LIBVIRT("INVALID_ARG"), .json = "{}"},
    {"PUT", "/domains/test/launch-security", 400, GATEWAY("unknown-key"),
     .json = "{'sevSecrets':'x'}", .contains = "*sevSecret*"},
    {"PUT", "/domains/test/launch-security", 400, GATEWAY("invalid-value"),
     .json = "{'sevSecret':1}"},
    {"PUT", "/domains/nosuch/launch-security", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'sevSecret':'x'}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "security", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    return checks_report();
}
