/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a domain's document says of itself: whose it is, as libvirt takes it, and its
 * figures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/core/request.h"
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

static const struct {
    const char *inner;
    int64_t vcpus, max_vcpus, memory, max_memory;
} figures[] = {
    {"", 1, 1, 0, 0},
    {"<vcpu>4</vcpu>", 4, 4, 0, 0},
    {"<vcpu current='2'>4</vcpu>", 2, 4, 0, 0},
    {"<memory unit='KiB'>32</memory><currentMemory unit='KiB'>24</currentMemory>", 1, 1,
     24, 32},
    {"<memory unit='KiB'>99999999999999999999</memory>", 1, 1, 0, 0},
};

static void test_figures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        struct vg_xml_domain d = {0}, copy = {0};
        char xml[256];
        snprintf(xml, sizeof(xml), "<domain>%s</domain>", figures[i].inner);
        assert_int_equal(vg_xml_read_domain(xml, &d), 0);
        assert_int_equal(vg_xml_domain_copy(&copy, &d), 0);
        vg_xml_domain_clear(&d);
        assert_int_equal(copy.vcpus, figures[i].vcpus);
        assert_int_equal(copy.max_vcpus, figures[i].max_vcpus);
        assert_int_equal(copy.memory, figures[i].memory);
        assert_int_equal(copy.max_memory, figures[i].max_memory);
        vg_xml_domain_clear(&copy);
    }
}

/* Devices that are to be detached: libvirt ends without what it finds one by. */
static const struct {
    const char *xml;
    bool accepted;
} detached[] = {
    {"<disk><target dev='vda'/></disk>", true},
    {"<disk><x:target xmlns:x='u'/><target dev='vda'/></disk>", true},
    {"<filesystem><target dir='t'/></filesystem>", true},
    {"<interface type='user'/>", true},
    {"<disk", true}, /* libvirt says so */
    {"<disk/>", false},
    {"<disk><target bus='sata'/></disk>", false},
    {"<disk><target dev=''/></disk>", false},
    {"<disk><target/><target dev='vda'/></disk>", false},
    {"<disk><x:target xmlns:x='u' dev='vda'/></disk>", false},
    {"<p:disk xmlns:p='u'><target bus='sata'/></p:disk>", false},
    {"<disk><source><target dev='vda'/></source></disk>", false},
    {"<filesystem><target dir=''/></filesystem>", false},
};

static void test_detached(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(detached) / sizeof(detached[0]); i++) {
        struct vg_request rq = {0};
        int rc = vg_xml_check_detached(&rq, detached[i].xml);
        if (rc != (detached[i].accepted ? 0 : -1))
            fail_msg("%s: %d", detached[i].xml, rc);
        assert_int_equal(rq.error.status, rc ? 400 : 0);
        vg_error_clear(&rq.error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_identity),
                                       cmocka_unit_test(test_figures),
                                       cmocka_unit_test(test_detached)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
