/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whose a document is, as libvirt takes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "virtgate/cleanup.h"
#include "virtgate/xml.h"

#define SMBIOS(type, entry)                                                              \
    "<sysinfo type='" type "'><system>" entry "</system></sysinfo>"
#define ENTRY(uuid) "<entry name='uuid'>" uuid "</entry>"

static const struct {
    const char *xml, *name, *uuid;
} identities[] = {
    {"<domain/>", NULL, NULL},
    {"<domain><name>a</name><uuid>u</uuid></domain>", "a", "u"},
    {"<domain><name></name><uuid/></domain>", NULL, NULL},
    {"<domain><x:name xmlns:x='x'>b</x:name><name>a</name></domain>", "a", NULL},
    {"<domain><x:uuid xmlns:x='x'>v</x:uuid><uuid>u</uuid></domain>", NULL, "u"},
    {"<domain>" SMBIOS("smbios", ENTRY("u")) "</domain>", NULL, "u"},
    {"<domain><uuid>v</uuid>" SMBIOS("smbios", ENTRY("u")) "</domain>", NULL, "v"},
    {"<domain><uuid/>" SMBIOS("smbios", ENTRY("u")) "</domain>", NULL, "u"},
    {"<domain>" SMBIOS("fwcfg", ENTRY("u")) "</domain>", NULL, NULL},
    {"<domain>" SMBIOS("smbios", "<entry name='serial'>s</entry>") "</domain>", NULL,
     NULL},
    {"<domain>" SMBIOS("smbios", ENTRY("u") ENTRY("v")) "</domain>", NULL, "u"},
    {"<domain>" SMBIOS("smbios", ENTRY("u")) SMBIOS("smbios", ENTRY("v"))
         SMBIOS("smbios", "") "</domain>",
     NULL, "v"},
    {"<network>" SMBIOS("smbios", ENTRY("u")) "</network>", NULL, NULL},
};

static void assert_text(const char *xml, const char *is, const char *wanted)
{
    if (!is != !wanted || (is && strcmp(is, wanted) != 0))
        fail_msg("%s: %s, not %s", xml, is ? is : "none", wanted ? wanted : "none");
}

static void test_identity(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
        const char *xml = identities[i].xml;
        vg_autofree char *name = NULL;
        vg_autofree char *uuid = NULL;
        assert_int_equal(vg_xml_identity(xml, &name, &uuid), 0);
        assert_text(xml, name, identities[i].name);
        assert_text(xml, uuid, identities[i].uuid);
    }
    char *name = NULL;
    assert_int_equal(vg_xml_identity("<domain>", &name, NULL), -1);
    assert_null(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_identity)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
