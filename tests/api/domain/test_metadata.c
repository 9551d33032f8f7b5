/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/metadata.c: title, description, elements by namespace.
 */
#include "tests/harness/steps.h"

#define DOMAIN(name)                                                                     \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<vcpu>2</vcpu><os><type>hvm</type></os></domain>"

static const struct step rows[] = {
    {"GET", "/domains/test/metadata", 200,
     "{'title':null,'description':null,'element':'<absent>'}"},
    {"GET", "/domains/test/metadata?type=title", 404, LIBVIRT("NO_DOMAIN_METADATA")},
    {"GET", "/domains/test/metadata?uri=http://virtgate.example/a", 404,
     LIBVIRT("NO_DOMAIN_METADATA")},
    {"PUT", "/domains/test/metadata", 204, "", .json = "{'type':'title','value':'Mail'}"},
    {"PUT", "/domains/test/metadata?type=description&value=Two+lines%0Aof+text", 204, ""},
    {"GET", "/domains/test/metadata", 200,
     "{'title':'Mail','description':'Two lines\\nof text'}"},
    {"GET", "/domains/test/metadata?type=title", 200,
     "{'title':'Mail','description':'<absent>'}"},
    {"GET", "/domains/test", 200, "{'title':'Mail'}"},
    {"GET", "/domains/test/metadata?type=title&flags=config", 404,
     LIBVIRT("NO_DOMAIN_METADATA")},
    {"PUT", "/domains/test/metadata", 204, "",
     .json = "{'type':'title','value':'Post','flags':['live','config']}"},
    {"GET", "/domains/test/metadata?type=title&flags=config", 200, "{'title':'Post'}"},
    {"PUT", "/domains/test/metadata", 204, "",
     .json = "{'uri':'http://virtgate.example/a','key':'a','value':'<keep "
             "days=\\u00277\\u0027/>'}"},
    {"GET", "/domains/test/metadata?uri=http://virtgate.example/a", 200,
     "{'element':'~<keep days=*/>','title':'<absent>'}"},
    {"GET", "/domains/test/metadata?type=element&uri=http://virtgate.example/a", 200,
     "{'element':'~<keep*'}"},
    {"PUT", "/domains/test/metadata", 400, LIBVIRT("XML_DETAIL"),
     .json = "{'uri':'http://virtgate.example/a','key':'a','value':'<keep'}"},
    {"PUT", "/domains/test/metadata", 422, GATEWAY("unsafe-xml"),
     .json = "{'uri':'http://virtgate.example/a','key':'a','value':'<!DOCTYPE a><a/>'}"},
    {"PUT", "/domains/test/metadata", 400, GATEWAY("invalid-value"),
     .json = "{'uri':'http://virtgate.example/b','key':'b','value':'<a><p:c/></a>'}",
     .contains = "*xmlns:p=*"},
    {"PUT", "/domains/test/metadata", 400, GATEWAY("invalid-value"),
     .json = "{'uri':'http://virtgate.example/b','key':'b','value':'<b:a/>'}",
     .contains = "*'b:a'*"},
    {"PUT", "/domains/test/metadata", 400, GATEWAY("missing-key"),
     .json = "{'type':'element','value':'<a/>'}", .contains = "*'uri'*"},
    {"PUT", "/domains/test/metadata", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'type':'title','value':'two\\nlines'}"},
    {"PUT", "/domains/test/metadata", 400, GATEWAY("missing-key"),
     .json = "{'value':'x'}"},
    {"PUT", "/domains/test/metadata", 400, GATEWAY("missing-key"),
     .json = "{'type':'title'}"},
    {"PUT", "/domains/test/metadata", 400, GATEWAY("unknown-value"),
     .json = "{'type':'colour','value':'x'}", .contains = "*description*"},
    {"GET", "/domains/test/metadata?uri=http://virtgate.example/a", 200,
     "{'element':'~<keep*'}"},
    {"GET", "/domains/test/metadata?type=element", 400, GATEWAY("missing-key"),
     .contains = "*'uri'*"},
    {"GET", "/domains/test/metadata?type=title&flags=nosuch", 400,
     GATEWAY("unknown-flag")},
    {"GET", "/domains/nosuch/metadata", 404, LIBVIRT("NO_DOMAIN")},
    {"DELETE", "/domains/test/metadata?uri=http://virtgate.example/a", 204, ""},
    {"GET", "/domains/test/metadata?uri=http://virtgate.example/a", 404,
     LIBVIRT("NO_DOMAIN_METADATA")},
    {"DELETE", "/domains/test/metadata?type=title", 204, ""},
    {"GET", "/domains/test/metadata", 200, "{'title':null}"},
    {"DELETE", "/domains/test/metadata", 400, GATEWAY("missing-key")},
    {"DELETE", "/domains/nosuch/metadata?type=title", 404, LIBVIRT("NO_DOMAIN")},
    {"PUT", "/domains/nosuch/metadata", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'type':'title','value':'x'}"},
    {"POST", "/domains", 201, NULL, .xml = DOMAIN("off")},
    {"PUT", "/domains/off/metadata", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'type':'title','value':'x','flags':['live']}"},
    {"DELETE", "/domains/off/metadata?type=title&flags=live", 409,
     LIBVIRT("OPERATION_INVALID")},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "metadata", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    return checks_report();
}
