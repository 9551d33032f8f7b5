/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/guest_info.c: host name and addresses of a guest.
 */
#include "tests/harness/steps.h"

#define DOMAIN(name)                                                                     \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<vcpu>2</vcpu><os><type>hvm</type></os></domain>"

static const struct step rows[] = {
    {"GET", "/domains/test/hostname", 200, "{'hostname':'testhost'}"},
    {"GET", "/domains/test/hostname?source=agent", 400, LIBVIRT("INVALID_ARG")},
    {"GET", "/domains/test/hostname?flags=lease", 400, LIBVIRT("INVALID_ARG")},
    {"GET", "/domains/test/hostname?source=dns", 400, GATEWAY("unknown-value"),
     .contains = "*lease*agent*"},
    {"GET", "/domains/test/hostname?flags=dns", 400, GATEWAY("unknown-flag")},
    {"GET", "/domains/nosuch/hostname", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/test/addresses", 200,
     "{'interfaces':[{'name':'testnet0','mac':'aa:bb:cc:dd:ee:ff','addresses':[{'type':'"
     "ipv4','address':'~192.168.122.*','prefix':24,'source':'lease'}]}]}"},
    {"GET", "/domains/test/addresses?wait=60", 200,
     "{'interfaces':[{'addresses':[{'source':'lease'}]}]}"},
    {"GET", "/domains/test/addresses?wait=301", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/test/addresses?source=arp", 200,
     "{'interfaces':[{'addresses':[{'source':'arp'}]}]}"},
    {"GET", "/domains/test/addresses?source=agent", 200, "{'interfaces':[{}]}"},
    {"GET", "/domains/test/addresses?source=dns", 400, GATEWAY("unknown-value"),
     .contains = "*arp*"},
    {"GET", "/domains/nosuch/addresses", 404, LIBVIRT("NO_DOMAIN")},
    {"POST", "/domains", 201, NULL, .xml = DOMAIN("off")},
    {"GET", "/domains/off/hostname", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/off/addresses?wait=60", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/off/addresses", 409, LIBVIRT("OPERATION_INVALID")},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "guest-info", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    return checks_report();
}
