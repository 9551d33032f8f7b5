/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/guest_info.c, domain_control.c, domain_metadata.c, domain_security.c on
 * QEMU.
 */
#include "tests/qemu/guest.h"

static const struct step rows[] = {
    {"POST", "/domains", 201, NULL, .xml = GUEST("v1")},
    {"GET", "/domains/v1/control", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/v1/hostname", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/v1/addresses", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/v1/launch-security", 200, "{}"},
    {"PUT", "/domains/v1/launch-security", 501, LIBVIRT("OPERATION_UNSUPPORTED"),
     .json = "{'sevSecretHeader':'aGVhZGVy','sevSecret':'c2VjcmV0'}"},
    {"PUT", "/domains/v1/lifecycle-actions/crash", 204, "",
     .json = "{'action':'preserve','flags':['config']}"},
    {"PUT", "/domains/v1/lifecycle-actions/crash", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'action':'preserve','flags':['live']}"},
    {"PUT", "/domains/v1/metadata", 204, "", .json = "{'type':'title','value':'Mail'}"},
    {"GET", "/domains/v1/metadata", 200, "{'title':'Mail','description':null}"},
    {"DELETE", "/domains/v1/metadata?type=title", 204, ""},
    {"GET", "/domains/v1/metadata?type=title", 404, LIBVIRT("NO_DOMAIN_METADATA")},
    {"PUT", "/domains/v1/metadata", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'type':'title','value':'Mail','flags':['live']}"},
    {"POST", "/domains/v1/start", 204, ""},
    {"GET", "/domains/v1/control", 200,
     "{'state':'ok','details':'none','stateTimeMs':'<int>'}"},
    {"GET", "/domains/v1/messages", 200, "{'messages':'<array>'}"},
    {"GET", "/domains/v1/security-labels", 200, "{'labels':'<array>'}"},
    {"GET", "/domains/v1/launch-security", 200, "{}"},
    {"PUT", "/domains/v1/launch-security", 501, LIBVIRT("OPERATION_UNSUPPORTED"),
     .json = "{'sevSecretHeader':'aGVhZGVy','sevSecret':'c2VjcmV0'}"},
    {"GET", "/domains/v1/hostname", 422, LIBVIRT("ARGUMENT_UNSUPPORTED")},
    {"GET", "/domains/v1/hostname?source=agent", 422, LIBVIRT("ARGUMENT_UNSUPPORTED")},
    {"GET", "/domains/v1/addresses?source=agent", 422, LIBVIRT("ARGUMENT_UNSUPPORTED")},
    {"GET", "/domains/v1/addresses", 200, "{'interfaces':[]}"},
    {"GET", "/domains/v1/addresses?wait=1", 200, "{'interfaces':[]}"},
    {"PUT", "/domains/v1/lifecycle-actions/reboot", 204, "",
     .json = "{'action':'destroy'}"},
    {"PUT", "/domains/v1/metadata", 204, "",
     .json = "{'uri':'http://virtgate.example/a','key':'a','value':'<keep/"
             ">','flags':['live']}"},
    {"GET", "/domains/v1/metadata?uri=http://virtgate.example/a&flags=live", 200,
     "{'element':'~<keep*>'}"},
    {"GET", "/domains/v1/metadata?uri=http://virtgate.example/a&flags=config", 404,
     LIBVIRT("NO_DOMAIN_METADATA")},
    {"DELETE", "/domains/v1/metadata?uri=http://virtgate.example/a", 204, ""},
    {"POST", "/domains/v1/destroy", 204, ""},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "guest-info", ARGS("-c", guest_uri()))) {
        scenario_run(&s, rows, COUNT(rows));
        guests_remove(&s);
        scenario_end(&s);
    }
    return checks_report();
}
