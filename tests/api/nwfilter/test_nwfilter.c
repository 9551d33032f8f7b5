/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/nwfilter/ where the driver has no filters: each row says so, and what is wrong
 * with a request is said before. tests/qemu/nwfilter has the rest.
 */
#include "tests/harness/steps.h"

#define FILTER "<filter name='f'/>"

static const struct step lacking[] = {
    {"GET", "/nwfilters", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/hosts/-/nwfilters", 200, NULL,
     .contains = "*unreachable*VIR_ERR_NO_SUPPORT*"},
    {"POST", "/nwfilters", 501, LIBVIRT("NO_SUPPORT"), .xml = FILTER},
    {"POST", "/nwfilters?dryRun=true", 200, NULL, .json = "{'filter':{'@name':'f'}}",
     .contains = "*<filter name=*f*"},
    {"GET", "/nwfilters/f", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/nwfilters/f/xml", 501, LIBVIRT("NO_SUPPORT")},
    {"DELETE", "/nwfilters/f", 501, LIBVIRT("NO_SUPPORT")},
    {"PUT", "/nwfilters/f/xml", 501, LIBVIRT("NO_SUPPORT"), .xml = FILTER},
    {"GET", "/nwfilter-bindings", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/nwfilter-bindings/tap0", 501, LIBVIRT("NO_SUPPORT")},
    {"POST", "/nwfilter-bindings", 501, LIBVIRT("NO_SUPPORT"), .xml = "<filterbinding/>"},
    {"DELETE", "/nwfilter-bindings/tap0", 501, LIBVIRT("NO_SUPPORT")},
};

static const struct step wrong[] = {
    {"GET", "/nwfilters?state=active", 400, GATEWAY("unknown-key")},
    {"GET", "/nwfilters?flags=active", 400, GATEWAY("unknown-key")},
    {"GET", "/nwfilters?fields=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*rules*"},
    {"GET", "/nwfilters/f?by=id", 400, GATEWAY("unknown-value"),
     .contains = "*name, uuid*"},
    {"GET", "/nwfilters/f?flags=x", 400, GATEWAY("unknown-key")},
    {"POST", "/nwfilters", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/nwfilters", 400, GATEWAY("unknown-key"), .json = "{'network':{}}"},
    {"POST", "/nwfilters?transient=true", 400, GATEWAY("unknown-key"), .xml = FILTER},
    {"POST", "/nwfilters?dryRun=true", 400, GATEWAY("invalid-value"), .xml = "<network/>",
     .contains = "*<filter>*"},
    {"PUT", "/nwfilters/f", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PATCH", "/nwfilters/f", 400, GATEWAY("missing-key"), .json = "{}"},
    {"GET", "/nwfilter-bindings/t?by=uuid", 400, GATEWAY("unknown-value")},
    {"POST", "/nwfilter-bindings", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/nwfilter-bindings?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .xml = "<filterbinding/>"},
    {"PUT", "/nwfilter-bindings/t", 405, GATEWAY("method-not-allowed")},
    {"POST", "/nwfilters/f/start", 404, GATEWAY("not-found")},
};

int main(void)
{
    struct scenario s;

    if (scenario_begin(&s, "nwfilter", ARGS("-c", "test:///default"))) {
        scenario_run(&s, lacking, COUNT(lacking));
        scenario_run(&s, wrong, COUNT(wrong));
        scenario_end(&s);
    }
    return checks_report();
}
