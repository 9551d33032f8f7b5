/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Numbers in documents: each limit at its edge, as it is written in other ways, and what
 * only looks like one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/xml/limits.h"
#include "server/xml/tree.h"

static const struct {
    const char *xml, *words; /* words: of the refusal; NULL: it passes */
} rows[] = {
    {"<domain><vcpu>16384</vcpu></domain>", NULL},
    {"<domain><vcpu>16385</vcpu></domain>", "<vcpu> is '16385'; 0 to 16384"},
    {"<domain><vcpu> 4294967295 </vcpu></domain>", "<vcpu>"},
    {"<domain><vcpu>42949<!-- -->67295</vcpu></domain>", "<vcpu>"},
    {"<domain><vcpu><![CDATA[99999999999999999999]]></vcpu></domain>", "<vcpu>"},
    {"<domain><vcpu>-1</vcpu></domain>", "<vcpu>"},
    {"<domain><vcpu>two</vcpu></domain>", NULL}, /* libvirt says so */
    {"<domainsnapshot><domain><vcpu>99999</vcpu></domain></domainsnapshot>", "<vcpu>"},
    /* names that are folders */
    {"<domain><name>.</name></domain>", "called '.'"},
    {"<p:domain xmlns:p='u'><p:name>.<!-- -->.</p:name></p:domain>", "called '..'"},
    {"<domainsnapshot><name>.</name><inactiveDomain><name>&#46;</name></inactiveDomain>"
     "</domainsnapshot>",
     "called '.'"},
    {"<domain><name>...</name></domain>", NULL},
    {"<domain><name> .</name></domain>", NULL},
    {"<network><name>.</name></network>", NULL},
    {"<domain><iothreads>16385</iothreads></domain>", "<iothreads>"},
    {"<domain><cputune><cachetune><cache id='65536'/></cachetune></cputune></domain>",
     "<cache> id"},
    {"<domain><cpu><cache level='65536'/></cpu></domain>", NULL},
    {"<domain><cputune><memorytune><node id='65536'/></memorytune></cputune></domain>",
     "<node> id"},
    {"<controller type='scsi' index='1023'/>", NULL},
    {"<controller type='scsi' index='1024'/>", "<controller> index"},
    {"<controller type='scsi' index='0x7fffffff'/>", "<controller> index"},
    {"<disk><address controller='1024'/></disk>", "<address> controller"},
    {"<disk><address type='pci' slot='0xff'/></disk>", NULL},
    {"<disk><target dev='vdzzz'/></disk>", NULL},
    {"<disk><target dev='xvdzzz'/></disk>", NULL},
    {"<disk><target dev='sdaaaa'/></disk>", "dev='sdaaaa'"},
    {"<disk><target dev='a'/></disk>", NULL},
    {"<interface><target dev='vnetlong'/></interface>", NULL},
    {"<metadata><p:a xmlns:p='u'><vcpu>99999</vcpu></p:a></metadata>", NULL},
    /* libvirt finds the root, some elements and all attributes by their local names */
    {"<p:domain xmlns:p='u'><vcpu>99999</vcpu></p:domain>", "<vcpu>"},
    {"<domain><p:vcpu xmlns:p='u'>99999</p:vcpu></domain>", "<vcpu>"},
    {"<controller xmlns='u' index='1024'/>", "<controller> index"},
    {"<controller xmlns:p='u' p:index='1024'/>", "<controller> index"},
    {"<controller xmlns:p='u' p:index='1024' index='1'/>", "<controller> index"},
    {"<address xmlns:p='u' p:controller='1024' controller='1'/>", "<address> controller"},
    {"<disk><target xmlns:p='u' p:dev='sdaaaa' dev='sda'/></disk>", "dev='sdaaaa'"},
    {"<disk><source protocol='iscsi' name=''/></disk>", "<source>"},
    {"<disk><source protocol='iscsi' xmlns:p='u' p:name=''/></disk>", "<source>"},
    {"<disk><source protocol='iscsi' name='iqn.2013-07.com.example:disks'/></disk>",
     NULL},
    {"<disk><source protocol='iscsi'/></disk>", NULL},
    {"<disk><source protocol='nbd' name=''/></disk>", NULL},
    {"<disk><source name=''/></disk>", NULL},
    {"<host protocol='iscsi' name=''/>", NULL},
#define CELLS(first)                                                                     \
    "<numa><cell id='0'><distances>" first "</distances></cell><cell id='1'/></numa>"
    {CELLS("<sibling id='0' value='10'/><sibling id='1' value='255'/>"), NULL},
    {CELLS("<sibling id='2' value='20'/>"), "<sibling>"},
    {CELLS("<sibling id='1' value='10'/>"), "<sibling>"},
    {CELLS("<sibling id='0' value='11'/>"), "<sibling>"},
    {CELLS("<sibling id='1' value='256'/>"), "<sibling>"},
    {CELLS("<sibling id='1' value='9'/>"), "<sibling>"},
    {CELLS("<sibling id='1'/>"), "<sibling>"},
    {CELLS("<sibling xmlns:p='u' p:id='9' id='1' value='20'/>"), "<sibling>"},
    {CELLS("<sibling value='20'/>"), "<sibling>"},
    /* what libvirt does not find is none */
    {CELLS(""), "<distances>"},
    {CELLS("text<!-- -->"), "<distances>"},
    {CELLS("<p:sibling xmlns:p='u' id='0' value='10'/>"), "<distances>"},
    {"<numa><cell><distances><sibling id='1' value='20'/></distances></cell>"
     "<cell xmlns='u'/></numa>",
     "<distances>"},
/* a cell without an id has its place; libvirt takes more spellings of numbers */
#define SECOND(id, sibling)                                                              \
    "<numa><cell/><cell" id "><distances><sibling " sibling "/></distances></cell></"    \
    "numa>"
    {SECOND("", "id='1' value='10'"), NULL},
    {SECOND("", "id='0' value='20'"), NULL},
    {SECOND("", "id='1' value='20'"), "<distances>"},
    {SECOND("", "id='0' value='10'"), "<distances>"},
    {SECOND(" id='0'", "id='0' value='10'"), NULL},
    {SECOND(" id='+1'", "id='1' value='20'"), "<distances>"},
    {SECOND(" id=' 1'", "id='1' value='20'"), "<distances>"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_error e = {0};
        vg_auto_doc doc = vg_xml_parse(rows[i].xml);
        int rc = vg_xml_limits(doc, &e);
        if (rc != (rows[i].words ? -1 : 0) ||
            (rows[i].words && !strstr(e.detail, rows[i].words)))
            fail_msg("%s: %s", rows[i].xml, e.detail ? e.detail : "accepted");
        assert_int_equal(e.status, rows[i].words ? 400 : 0);
        vg_error_clear(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
