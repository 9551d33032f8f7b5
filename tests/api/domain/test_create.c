/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/create.c: the short form and its checks, on a driver without domain
 * capabilities, or with some that say nothing of devices; XML and JSON documents are in
 * test_domain.c and test_domain_config.c.
 */
#include "tests/harness/steps.h"

#define UUID_BEGUN "0d7c9d5e-4ad8-4b51-9f0e-0d5c7a3b2f11"
#define BASE       "'name':'web','memoryMiB':64"

static const struct step create[] = {
    {"POST", "/domains?dryRun=true", 200, NULL, .json = "{" BASE "}",
     .contains = "*<domain type=*test*>*<memory unit=*MiB*>64</memory>*"
                 "<vcpu>1</vcpu>*<type arch=*i686*>hvm</type>*<console *"},
    {"GET", "/domains/web", 404, LIBVIRT("NO_DOMAIN")},
    /* text is text, whatever it looks like */
    {"POST", "/domains", 200, "{'xml':'~*<name>a&lt;b&gt;&amp;</name>*'}",
     .json = "{'name':'a<b>&','memoryMiB':64,'dryRun':true}"},
    {"POST", "/domains", 201, "{'name':'web','maxMemoryKiB':65536,'maxVcpus':1}",
     .json = "{" BASE "}", .wants = {"Location: /domains/web"}},
    {"POST", "/domains", 201,
     "{'name':'full','uuid':'00000000-0000-4000-8000-00000000000a',"
     "'title':'All of it','maxVcpus':2,'persistent':true}",
     .json = "{'name':'full','uuid':'00000000-0000-4000-8000-00000000000a',"
             "'title':'All of it','description':'d','memoryMiB':64,'vcpus':2,"
             "'virtType':'test','arch':'i686','console':false,'graphics':'vnc',"
             "'disks':[{'path':'/guest/a.img','format':'raw'},"
             "{'path':'/dev/sr0','device':'cdrom'},"
             "{'path':'/guest/b.img','format':'qcow2','readOnly':true}],"
             "'interfaces':[{'network':'default','model':'virtio'},"
             "{'bridge':'br0','mac':'52:54:00:00:00:01'}],'boot':['cdrom','hd']}"},
    {"GET", "/domains/full?view=config", 200,
     "{'domain':{'description':'d','os':{'boot':[{'@dev':'cdrom'},{'@dev':'hd'}]},"
     "'devices':{'disk':[{'@type':'file','source':{'@file':'/guest/a.img'},"
     "'driver':{'@type':'raw'},'target':{'@dev':'vda','@bus':'virtio'}},"
     "{'driver':{'@type':'qcow2'},'readonly':{},'target':{'@dev':'vdb'}},"
     "{'@type':'block','@device':'cdrom','source':{'@dev':'/dev/sr0'},'readonly':{}}],"
     "'interface':[{'@type':'network','model':{'@type':'virtio'}},"
     "{'@type':'bridge','source':{'@bridge':'br0'},"
     "'mac':{'@address':'52:54:00:00:00:01'}}],"
     "'graphics':[{'@type':'vnc'}],'console':'<absent>'}}}"},
    {"POST", "/domains?transient=true", 201,
     "{'name':'gone','active':true,'persistent':false}",
     .json = "{'name':'gone','memoryMiB':64}"},
    {"POST", "/domains?start=true", 201,
     "{'name':'begun','active':true,'persistent':true,'autostart':true}",
     .json = "{'name':'begun','uuid':'" UUID_BEGUN "','memoryMiB':64,'autostart':true}"},
    {"GET", "/domains/begun/state", 200, "{'state':'running'}"},
    {"POST", "/domains", 200, "{'name':'begun','active':true,'autostart':false}",
     .json = "{'name':'begun','uuid':'" UUID_BEGUN "','memoryMiB':64,'start':true,"
             "'autostart':false}"},
    {"POST", "/domains/begun/destroy", 204},
    {"DELETE", "/domains/begun", 204},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{'name':'gone','memoryMiB':64,'transient':true,'autostart':true}",
     .contains = "*'autostart' is for what is defined*"},
    {"POST", "/domains?dryRun=true", 200,
     "{'xml':'~*<memory unit=?MiB?>128</memory>*<currentMemory unit=?MiB?>64</*"
     "<vcpu current=?1?>4</vcpu>*'}",
     .json = "{" BASE ",'maxMemoryMiB':128,'maxVcpus':4}"},
    {"POST", "/domains?dryRun=true", 200, "{'xml':'~*<vcpu current=?2?>2</vcpu>*'}",
     .json = "{" BASE ",'vcpus':2,'maxVcpus':2,'maxMemoryMiB':64}"},
    {"POST", "/domains", 400, "{'detail':'~*line 1, column 8: <domain'}",
     .xml = "<domain"},
    /* a dry run of documents */
    {"POST", "/domains?dryRun=true", 200, "{'xml':'~?domain/>'}", .xml = "<domain/>"},
    {"POST", "/domains?dryRun=true", 400, GATEWAY("invalid-value"), .xml = "<dom",
     .contains = "*not well-formed*<domain>*"},
    {"POST", "/domains?dryRun=true", 400, GATEWAY("invalid-value"), .xml = "<network/>",
     .contains = "*root element must be <domain>*"},
    {"POST", "/domains?dryRun=true", 200, "{'xml':'~<domain type=?test?/>*'}",
     .json = "{'domain':{'@type':'test'}}"},
};

/* The driver keeps no bytes; what is in the documents, and in the operation. */
static const struct step clone[] = {
    {"POST", "/storage-pools/default-pool/volumes", 201, NULL,
     .json = "{'name':'tpl.img','capacityMiB':8}"},
    {"POST", "/domains", 201, NULL,
     .json = "{'name':'tpl','memoryMiB':64,'graphics':'vnc','title':'Template',"
             "'disks':[{'path':'/default-pool/tpl.img','format':'raw'},"
             "{'path':'/dev/sr0','device':'cdrom'}],"
             "'interfaces':[{'network':'default','mac':'52:54:00:00:00:77'}]}"},
    {"POST", "/domains?dryRun=true", 200, "{'xml':'~*<title>Template</title>*'}",
     .json = "{'from':'tpl','name':'dry'}"},
    {"GET", "/storage-pools/default-pool/volumes/dry.img", 404, NULL},
    {"POST", "/domains", 201,
     "{'name':'made','title':'Own','maxMemoryKiB':32768,'maxVcpus':3,'active':true,"
     "'autostart':true}",
     .json = "{'from':'tpl','name':'made','title':'Own','memoryMiB':32,'vcpus':3,"
             "'start':true,'autostart':true}",
     .wants = {"Location: /domains/made"}},
    {"GET", "/operations?limit=1", 200,
     "{'operations':[{'steps':[{'name':'copy','state':'succeeded'},"
     "{'name':'define','state':'succeeded'},{'name':'start','state':'succeeded'}]}]}"},
    {"GET", "/domains/made?view=config", 200,
     "{'domain':{'devices':{'disk':[{'source':{'@file':'/default-pool/made.img'},"
     "'driver':{'@type':'raw'}},{'source':{'@dev':'/dev/sr0'}}]}}}"},
    {"GET", "/storage-pools/default-pool/volumes/made.img", 200,
     "{'capacityBytes':8388608}"},
    {"POST", "/domains", 201, "{'name':'thin','active':false,'autostart':false}",
     .json = "{'from':'tpl','name':'thin','copy':false}"},
    {"GET", "/storage-pools/default-pool/volumes/thin.qcow2", 200,
     "{'backingStore':{'path':'/default-pool/tpl.img','format':'raw'}}"},
    /* undone: a name that is taken */
    {"POST", "/storage-pools/default-pool/volumes", 201, NULL,
     .json = "{'name':'bad.img','capacityMiB':1}"},
    {"POST", "/domains", 409, NULL, .json = "{'from':'tpl','name':'bad'}"},
    {"GET", "/domains/bad", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/storage-pools/default-pool/volumes/bad.img", 200,
     "{'capacityBytes':1048576}"},
    /* refused */
    {"POST", "/domains", 409, GATEWAY("conflict"), .json = "{'from':'made','name':'x'}",
     .contains = "*'made' runs*"},
    {"POST", "/domains", 409, GATEWAY("conflict"), .json = "{'from':'full','name':'x'}",
     .contains = "*'vda'*no volume*"},
    {"POST", "/domains", 409, GATEWAY("conflict"), .json = "{'from':'tpl','name':'tpl'}",
     .contains = "*for a new one*"},
    {"POST", "/domains", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'from':'nosuch','name':'x'}"},
    {"POST", "/domains", 400, GATEWAY("missing-key"), .json = "{'from':'tpl'}",
     .contains = "*'name'*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{'from':'tpl','name':'x','boot':['hd']}",
     .contains = "*'boot' is the source*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{'name':'x','memoryMiB':64,'copy':true}", .contains = "*are for a clone*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{'from':'tpl','name':'x','transient':true}", .contains = "*'from'*"},
    {"POST", "/domains/made/destroy", 204},
    {"DELETE", "/domains/made?volumes=true", 204},
    {"GET", "/storage-pools/default-pool/volumes/made.img", 404, NULL},
    {"DELETE", "/domains/tpl?volumes=true", 409, GATEWAY("conflict"),
     .contains = "*thin.qcow2*"},
    {"DELETE", "/domains/thin?volumes=true", 204},
    {"DELETE", "/domains/tpl?volumes=true", 204},
    {"DELETE", "/storage-pools/default-pool/volumes/bad.img", 204},
};

static const struct step refused[] = {
    {"POST", "/domains", 409, NULL,
     .json = "{" BASE ",'uuid':'00000000-0000-4000-8000-00000000000b'}"},
    {"POST", "/domains", 400, GATEWAY("missing-key"), .json = "{'name':'x'}",
     .contains = "*memoryMiB*"},
    {"POST", "/domains", 400, GATEWAY("missing-key"), .json = "{'memoryMiB':64}",
     .contains = "*'name'*"},
    {"POST", "/domains", 400, GATEWAY("missing-key"), .json = "{'dryRun':true}",
     .contains = "*exactly one*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .json = "{" BASE ",'xml':'<a/>'}",
     .contains = "*exactly one*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .json = "{'domain':{},'xml':''}",
     .contains = "*exactly one*"},
    {"POST", "/domains?name=x", 400, GATEWAY("invalid-value"), .xml = "<a/>",
     .contains = "*exactly one*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{'name':'x','memoryMiB':0}"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{'name':'x','memoryMiB':64,'memoryKiB':65536}",
     .contains = "*'memoryKiB'*'memoryGiB' is accepted*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{'name':'x','memoryGiB':16777217}"},
    {"POST", "/domains?dryRun=true", 200, NULL, .json = "{'name':'x','memoryGiB':1}",
     .contains = "*<memory unit=*MiB*>1024</memory>*"},
    {"POST", "/domains?dryRun=true", 200, NULL, .json = "{'name':'x','memoryKiB':2047}",
     .contains = "*<memory unit=*KiB*>2047</memory>*"},
    {"POST", "/domains?dryRun=true", 200, NULL,
     .json = "{'name':'x','memoryBytes':1048577,'maxMemoryBytes':1073741824}",
     .contains = "*<memory unit=*MiB*>1024</memory>*<currentMemory unit=*KiB*>1025<*"},
    {"POST", "/domains?dryRun=true&name=x&memoryKiB=2048", 200, NULL, .json = "{}",
     .contains = "*<memory unit=*MiB*>2<*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .json = "{" BASE ",'vcpus':0}"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .json = "{" BASE ",'vcpus':'2'}"},
    {"POST", "/domains", 400, GATEWAY("unknown-value"),
     .json = "{" BASE ",'graphics':'crt'}", .contains = "*none, vnc, spice*"},
    {"POST", "/domains", 400, GATEWAY("unknown-value"),
     .json = "{" BASE ",'firmware':'cfe'}", .contains = "*bios, efi*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .json = "{" BASE ",'console':1}"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .json = "{" BASE ",'disks':{}}"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .json = "{" BASE ",'disks':[1]}",
     .contains = "*disks/0*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .json = "{" BASE ",'disks':[{}]}",
     .contains = "*one of 'volume' and 'path'*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'disks':[{'path':'/a'},{'path':'/a','volume':'a/b'}]}",
     .contains = "*disks/1*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'disks':[{'path':'a'}]}", .contains = "*absolute*"},
    /* what an image is nobody guesses */
    {"POST", "/domains", 400, GATEWAY("missing-key"),
     .json = "{" BASE ",'disks':[{'path':'/a'}]}", .contains = "*'format'*'/a'*"},
    {"POST", "/domains?dryRun=true", 400, GATEWAY("missing-key"),
     .json = "{" BASE ",'disks':[{'path':'/dev/sda','readOnly':true}]}",
     .contains = "*'format'*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'vcpus':2,'maxVcpus':1}", .contains = "*maxVcpus*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'maxMemoryMiB':63}", .contains = "*maxMemoryMiB*"},
    {"POST", "/domains", 400, GATEWAY("missing-key"), .json = "{'maxVcpus':1}"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'disks':[{'volume':'a'}]}", .contains = "*POOL/VOLUME*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'disks':[{'volume':'a/'}]}", .contains = "*POOL/VOLUME*"},
    {"POST", "/domains", 400, GATEWAY("unknown-key"),
     .json = "{" BASE ",'disks':[{'size':1}]}",
     .contains = "*disks/0*volume, path, format, device, readOnly*"},
    {"POST", "/domains", 400, GATEWAY("unknown-value"),
     .json = "{" BASE ",'disks':[{'path':'/a','device':'tape'}]}",
     .contains = "*disks/0*disk, cdrom*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'interfaces':[{}]}", .contains = "*interfaces/0*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'interfaces':[{'network':'a','bridge':'b'}]}"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .json = "{" BASE ",'boot':'hd'}"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'boot':['hd','tape']}", .contains = "*boot/1*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'boot':['hd','hd','hd','hd','hd']}", .contains = "*at most 4*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{'name':'\\u0001','memoryMiB':64}", .contains = "*'name'*(U+0001)*"},
    /* said by ?dryRun=, too */
    {"POST", "/domains?dryRun=true", 400, GATEWAY("invalid-value"),
     .json = "{'name':'a/b','memoryMiB':64}", .contains = "*'name'*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'uuid':'1234'}", .contains = "*'uuid'*36 characters*"},
    {"POST", "/domains?dryRun=true", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'title':'a\\nb'}", .contains = "*'title'*one line*"},
    {"POST", "/domains?dryRun=true", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'boot':['hd','cdrom','hd']}", .contains = "*boot/2*once*"},
    {"POST", "/domains?dryRun=true", 400, GATEWAY("invalid-value"),
     .json = "{" BASE ",'interfaces':[{'network':'default','mac':'52:54:00:1:2'}]}",
     .contains = "*interfaces/0*'mac'*"},
    {"POST", "/domains?dryRun=true", 200, "{'xml':'~*52:54:0:1:2:a*'}",
     .json = "{" BASE ",'interfaces':[{'network':'default','mac':'52:54:0:1:2:a'}]}"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .json = "{" BASE ",'arch':'vax'}",
     .lacks = "tell-domain-capabilities"},
    {"POST", "/domains", 400, LIBVIRT("INVALID_ARG"), .json = "{" BASE ",'arch':'vax'}",
     .contains = "*vax*", .needs = "tell-domain-capabilities"},
    {"POST", "/domains", 404, LIBVIRT("NO_STORAGE_POOL"),
     .json = "{" BASE ",'disks':[{'volume':'nosuch/v'}]}"},
    {"POST", "/domains", 404, LIBVIRT("NO_STORAGE_VOL"),
     .json = "{" BASE ",'disks':[{'volume':'default-pool/v'}]}"},
    {"POST", "/domains", 404, LIBVIRT("NO_NETWORK"),
     .json = "{" BASE ",'interfaces':[{'network':'nosuch'}]}"},
    {"GET", "/domains?fields=name", 200,
     "{'domains':[{'name':'full'},{'name':'gone'},{'name':'test'},{'name':'web'}]}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "domain_create", ARGS("-c", "test:///default"))) {
        scenario_run(&s, create, COUNT(create));
        scenario_run(&s, clone, COUNT(clone));
        scenario_run(&s, refused, COUNT(refused));
        scenario_end(&s);
    }
    return checks_report();
}
