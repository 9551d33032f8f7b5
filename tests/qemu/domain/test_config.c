/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * On real QEMU: a guest from the short form, defined, started and destroyed, with a
 * volume of a pool; capabilities; the configuration as JSON there and back, secrets,
 * namespaces and a running guest included; conversion to QEMU's command line.
 */
#include "tests/qemu/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/libvirt.h>

static const struct step capabilities[] = {
    {"GET", "/connection/domain-capabilities", 200, NULL,
     .wants = {"Content-Type: application/xml*"},
     .contains = "<domainCapabilities>*<arch>x86_64</arch>*"},
    {"GET", "/connection/domain-capabilities?machine=q35&arch=x86_64&virttype=qemu", 200,
     "{'domainCapabilities':{'domain':'qemu','machine':'~pc-q35-*',"
     "'vcpu':{'@max':'<string>'},'devices':{'disk':{'@supported':'yes',"
     "'enum':['...',{'@name':'bus','value':'<array>'},'...']}}}}",
     .headers = {"Accept: application/json"}},
    {"GET", "/connection/domain-capabilities?emulator=/usr/bin/qemu-system-x86_64", 200,
     NULL, .contains = "*<path>/usr/bin/qemu-system-x86_64</path>*"},
    {"GET", "/connection/domain-capabilities?arch=vax", 400, "{'error':{}}"},
    {"GET", "/connection/domain-capabilities?machine=nosuch", 400, "{'error':{}}"},
    {"GET", "/connection/domain-capabilities?nosuch=1", 400, GATEWAY("unknown-key")},
    {"GET", "/connection/capabilities", 200,
     "{'capabilities':{'guest':[{'os_type':'hvm'},'...']}}",
     .headers = {"Accept: application/json"}},
    {"POST", "/connection/domain-xml-to-native", 200,
     "{'config':'~*qemu-system-x86_64 -name guest=c1*'}",
     .json = "{'format':'qemu-argv','domain':{'@type':'qemu','name':'c1','memory':16384,"
             "'os':{'type':{'@arch':'x86_64','@machine':'pc','#text':'hvm'}}}}"},
    {"POST", "/connection/domain-xml-to-native", 200, "{'config':'~*guest=c2*'}",
     .json =
         "{'format':'qemu-argv','xml':'<domain type=\\u0027qemu\\u0027><name>c2</name>"
         "<memory>16384</memory><os><type>hvm</type></os></domain>'}"},
    {"POST", "/connection/domain-xml-to-native", 400,
     "{'error':{'codeName':'VIR_ERR_INVALID_ARG'}}",
     .json = "{'format':'nosuch','domain':{}}"},
    {"POST", "/connection/domain-xml-from-native", 501,
     "{'error':{'codeName':'VIR_ERR_NO_SUPPORT'}}",
     .json = "{'format':'qemu-argv','config':'qemu'}"},
};

static const struct step create[] = {
    {"POST", "/domains?dryRun=true", 200,
     "{'xml':'~*machine=?pc-q35-*<acpi/>*<driver type=?qcow2? name=?qemu?/>*"
     "<target dev=?vda? bus=?virtio?/>*<channel *'}",
     .json = "{'name':'n1','memoryMiB':32,'disks':[{'volume':'vg-new/d.qcow2'}]}"},
    {"GET", "/domains/n1", 404, NULL},
    {"POST", "/domains", 201, "{'name':'n1','maxMemoryKiB':32768,'maxVcpus':2}",
     .json = "{'name':'n1','memoryMiB':32,'vcpus':2,'graphics':'vnc','boot':['hd'],"
             "'disks':[{'volume':'vg-new/d.qcow2'},{'volume':'vg-new/c.iso',"
             "'device':'cdrom'}]}"},
    {"GET", "/domains/n1?view=config", 200,
     "{'domain':{'@type':'qemu','devices':{'disk':[{'@type':'volume',"
     "'source':{'@pool':'vg-new','@volume':'d.qcow2'},'driver':{'@type':'qcow2'}},"
     "{'@device':'cdrom','driver':{'@type':'raw'},'target':{'@bus':'sata'}}],"
     "'rng':[{'@model':'virtio'}],'graphics':[{'@type':'vnc'}]}}}"},
    {"POST", "/domains/n1/start", 204, ""},
    {"GET", "/domains/n1/state", 200, "{'state':'running'}"},
    /* what runs, and what starts next */
    {"PATCH", "/domains/n1", 200, "{'state':'running'}",
     .json = "{'domain':{'title':'next','vcpu':{'#text':1}}}"},
    {"GET", "/domains/n1?view=config", 200,
     "{'domain':{'@id':'<string>','title':'<absent>'}}"},
    {"GET", "/domains/n1?view=config&flags=inactive", 200,
     "{'domain':{'title':'next','vcpu':{'#text':'1'}}}"},
    {"POST", "/domains/n1/destroy", 204, ""},
    {"GET", "/domains/n1", 200, "{'title':'next','maxVcpus':1}"},
    {"DELETE", "/domains/n1", 204, ""},
    {"POST", "/domains?transient=true&flags=paused", 201,
     "{'name':'n2','state':'paused','persistent':false}",
     .json = "{'name':'n2','memoryMiB':32,'machine':'pc','virtType':'qemu',"
             "'console':false}"},
    {"GET", "/domains/n2/xml", 200, NULL, .contains = "*machine='pc-i440fx-*"},
    {"POST", "/domains/n2/destroy", 204, ""},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{'name':'n3','memoryMiB':32,'vcpus':60000}", .contains = "*on this host*"},
    {"POST", "/domains", 404, "{'error':{'codeName':'VIR_ERR_NO_STORAGE_VOL'}}",
     .json = "{'name':'n3','memoryMiB':32,'disks':[{'volume':'vg-new/nosuch'}]}"},
    {"POST", "/domains", 422, "{'error':{}}",
     .json = "{'name':'n3','memoryMiB':32,'arch':'sparc'}"},
    {"GET", "/domains", 200, "{'domains':[]}"},
};

/* Secrets, QEMU's own namespace, a comment's place in foreign metadata, and devices that
 * do not stand in groups. */
#define RICH                                                                             \
    "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"       \
    "<name>rich</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>"                      \
    "<metadata><x:app xmlns:x='urn:x' n='1'><x:a/><!-- b --><x:c>d &amp; "               \
    "e</x:c></x:app>"                                                                    \
    "</metadata><os><type arch='x86_64' machine='pc'>hvm</type></os>"                    \
    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"                          \
    "<serial type='pty'/><rng model='virtio'><backend model='random'>/dev/random"        \
    "</backend></rng><serial type='null'/>"                                              \
    "<graphics type='vnc' autoport='yes' passwd='hunter2'/></devices>"                   \
    "<qemu:commandline><qemu:arg value='-snapshot'/></qemu:commandline></domain>"

static const struct step rich[] = {
    {"POST", "/domains", 201, NULL, .xml = RICH},
    {"GET", "/domains/rich?view=config", 200,
     "{'domain':{'metadata':{'x:app':{'@xmlns:x':'urn:x','@n':'1','x:c':'d & e'}},"
     "'devices':{'graphics':[{'@passwd':'<absent>'}]},"
     "'qemu:commandline':{'qemu:arg':[{'@value':'-snapshot'}]}}}"},
    {"GET", "/domains/rich?view=config&flags=secure", 200,
     "{'domain':{'devices':{'graphics':[{'@passwd':'hunter2'}]}}}"},
    /* a change elsewhere keeps the password */
    {"PATCH", "/domains/rich", 200, "{'title':'t'}", .json = "{'domain':{'title':'t'}}"},
    {"GET", "/domains/rich?view=config&flags=secure", 200,
     "{'domain':{'devices':{'graphics':[{'@passwd':'hunter2'}]}}}"},
};
static const struct step no_rich[] = {{"DELETE", "/domains/rich", 204, ""}};

/* What libvirt shows, put back, is shown again, letter for letter. */
static void test_put_back(struct scenario *s)
{
    const char *path = "/domains/rich?view=config&flags=inactive,secure";
    struct response *before = scenario_send(s, "GET", path, NULL, NULL);
    struct response *put = scenario_send(
        s, "PUT", "/domains/rich", ARGS("Content-Type: application/json"), before->body);
    struct response *after = scenario_send(s, "GET", path, NULL, NULL);
    check_response(put->status == 200, put, "put back");
    check_response(after->status == 200 && strcmp(before->body, after->body) == 0, after,
                   "it is still %s", before->body);
    response_free(before);
    response_free(put);
    response_free(after);
}

static const struct step running[] = {
    {"POST", "/domains", 201, NULL, .xml = GUEST("n2")},
    {"POST", "/domains/n2/start", 204, ""},
};

/* A device attached behind the gateway's back, which no event tells: the tag of what is
 * in memory may be refused once for it, and then no more. */
static void test_silent_change(struct scenario *s, virConnectPtr conn)
{
    static const char path[] = "/domains/n2";
    virDomainPtr dom = virDomainLookupByName(conn, "n2");
    char *before = scenario_if_match(s, path);
    check_that(dom && virDomainAttachDeviceFlags(
                          dom, "<watchdog model='i6300esb' action='none'/>",
                          VIR_DOMAIN_AFFECT_CONFIG) == 0,
               "attach a device");
    long stale = scenario_patch_title(s, path, "stale", before);
    check_that(stale == 412, "what was seen before it lets a change through: %ld", stale);
    char *after = scenario_if_match(s, path);
    long fresh = scenario_patch_title(s, path, "fresh", after);
    long again = scenario_patch_title(s, path, "again", after);
    check_that(fresh == 200 && again == 412, "the next one: %ld, %ld", fresh, again);
    free(before);
    free(after);
    if (dom)
        virDomainFree(dom);
}
static const struct step kept[] = {
    {"GET", "/domains/n2?view=config&flags=inactive", 200,
     "{'domain':{'title':'fresh','devices':{'watchdog':[{'@model':'i6300esb'}]}}}"},
};

/* ---- a pool with two volumes ------------------------------------------------------- */

static virStoragePoolPtr make_pool(virConnectPtr conn)
{
    static const char *const volumes[] = {
        "<volume><name>d.qcow2</name><capacity unit='MiB'>8</capacity>"
        "<target><format type='qcow2'/></target></volume>",
        "<volume><name>c.iso</name><capacity unit='MiB'>1</capacity></volume>",
    };
    const char *dir = getenv("VG_LIBVIRTD_DIR");
    char xml[512];
    snprintf(xml, sizeof(xml),
             "<pool type='dir'><name>vg-new</name><target><path>%s/vg-new</path></target>"
             "</pool>",
             dir ? dir : "/tmp/vg-libvirtd");
    virStoragePoolPtr pool =
        virStoragePoolCreateXML(conn, xml, VIR_STORAGE_POOL_CREATE_WITH_BUILD);
    for (size_t i = 0; pool && i < COUNT(volumes); i++) {
        virStorageVolPtr volume = virStorageVolCreateXML(pool, volumes[i], 0);
        check_that(volume != NULL, "make a volume");
        if (volume)
            virStorageVolFree(volume);
    }
    return pool;
}

static void remove_pool(virStoragePoolPtr pool)
{
    static const char *const names[] = {"d.qcow2", "c.iso"};
    for (size_t i = 0; i < COUNT(names); i++) {
        virStorageVolPtr volume = virStorageVolLookupByName(pool, names[i]);
        if (volume) {
            virStorageVolDelete(volume, 0);
            virStorageVolFree(volume);
        }
    }
    virStoragePoolDestroy(pool);
    virStoragePoolFree(pool);
}

int main(void)
{
    struct scenario s;
    virConnectPtr conn = virConnectOpen(guest_uri());
    virStoragePoolPtr pool = conn ? make_pool(conn) : NULL;

    check_that(pool != NULL, "make a pool");
    if (pool && scenario_begin(&s, "domain_config", ARGS("-c", guest_uri()))) {
        scenario_run(&s, capabilities, COUNT(capabilities));
        scenario_run(&s, create, COUNT(create));
        scenario_run(&s, running, COUNT(running));
        test_silent_change(&s, conn);
        scenario_run(&s, kept, COUNT(kept));
        scenario_run(&s, rich, COUNT(rich));
        test_put_back(&s);
        scenario_run(&s, no_rich, COUNT(no_rich));
        guests_remove(&s);
        scenario_end(&s);
    }
    if (pool)
        remove_pool(pool);
    if (conn)
        virConnectClose(conn);
    return checks_report();
}
