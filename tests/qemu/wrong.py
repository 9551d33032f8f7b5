#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is wrong in what a client sends is a 4xx, also where libvirt calls it an internal error of its
own, a failed operation, or a failed system call. Each row is one document that a real libvirtd refuses;
tests/api/ has those of the test driver."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from gateway import Client, Gateway, check, exchange, report  # noqa: E402

UUID = "9c7b2b5e-93bd-4b44-9e8d-a8c8c1d7b5ab"
NAME, OF = "<name>o</name>", f"<uuid>{UUID}</uuid>"
OWNER, MAC = f"<owner>{NAME}{OF}</owner>", "<mac address='52:54:00:00:00:19'/>"
PARTS = [  # of ports and bindings
    MAC, OWNER, f"<owner>{NAME}</owner>{MAC}", f"<owner>{OF}</owner>{MAC}",
    f"<owner>{NAME}<uuid>x</uuid></owner>{MAC}", f"{OWNER}<mac/>", f"{OWNER}<mac address='x'/>"]
DEVICE, LINK = "<portdev name='wrong0'/>", "<linkdev name='lo'/>"
BINDS = "<filterref filter='wrong'/>"
RULE = "<rule action='drop' direction='in'>%s</rule>"
MDEV = "<device><parent>computer</parent><capability type='mdev'><type id='t'/>%s</capability></device>"


GUEST = """<domain type='qemu'><name>%s</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
<controller type='scsi' index='0' model='virtio-scsi'/><memballoon model='none'/>
%s
<interface type='user'>%s<model type='virtio'/></interface>%s</devices></domain>"""
PORTS = "".join(f"<controller type='pci' index='{i}' model='pcie-root-port'/>" for i in range(1, 6))
DISK = ("<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/>"
        "<target dev='sdc' bus='scsi'/></disk>")

USER = "<interface type='user'><model type='virtio'/></interface>"
REDEFINED = ("<domaincheckpoint><name>c</name><disks><disk name='sda' checkpoint='bitmap'/></disks>"
             "<domain type='qemu'><name>wrong</name><memory>16384</memory><os><type>hvm</type></os>"
             "</domain></domaincheckpoint>")
DRIVE = "<disk type='file' device='cdrom'><target dev='sdb' bus='scsi'/></disk>"


def devices(folder):
    """(document, status) of those that a running guest cannot be given."""
    (Path(folder) / "junk").write_text("no image")
    yield DISK % "/nonexistent/disk", 422
    yield DISK % f"{folder}/junk", 422
    yield "<interface type='user'><model type='nosuch'/></interface>", 422
    yield "<interface type='direct'><source dev='nosuch'/><model type='virtio'/></interface>", 422
    yield "<interface type='bridge'><source bridge='nosuch'/><model type='virtio'/></interface>", 422
    yield "<interface type='direct'><source dev='sixteenletters0x'/><model type='virtio'/></interface>", 400
    yield "<controller type='scsi' index='0' model='virtio-scsi'/>", 409
    yield "<lease><key>k</key><target path='/x'/></lease>", 422
    yield (DISK % f"{folder}/sda").replace("<target", "<wwn>x</wwn><target"), 422


def calls(folder):
    """(method, path, body, status), of a running guest."""
    for path, body in (("/vcpus/0/pin", '{"cpus":[4000]}'), ("/emulator-pin", '{"cpus":[4000]}')):
        yield "PUT", path, body, 400
    yield "PUT", "/memory-stats/period", '{"seconds":5}', 404
    yield "PUT", "/disks/sdb/threshold", '{"bytes":1}', 409
    yield "PATCH", "/disks/sdb/iotune", '{"readBytesSec":1000}', 409
    yield "GET", "/disks/sdb/iotune", None, 409
    missing = f"{folder}/none/x"
    yield ("POST", "/snapshots?flags=disk-only", "<domainsnapshot><disks><disk name='sda' "
           f"snapshot='external'><source file='{missing}'/></disk></disks></domainsnapshot>", 422)
    yield "POST", "/snapshots?flags=redefine", "<domainsnapshot><name>s</name></domainsnapshot>", 422
    yield "POST", "/checkpoints?flags=redefine", REDEFINED, 422
    yield "PUT", "/devices?flags=live", USER, 409
    yield "POST", "/devices/detach?flags=live", "<lease><key>k</key><target path='/x'/></lease>", 422
    yield ("POST", "/backup", "<domainbackup mode='pull'><server transport='unix' "
           f"socket='{missing}'/></domainbackup>", 422)
    yield ("POST", "/backup", "<domainbackup mode='push'><disks><disk name='sda' type='file'>"
           f"<target file='{missing}'/></disk></disks></domainbackup>", 422)


def check_guests(client, folder):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{folder}/sda", "4M"], check=True)
    own = (DISK % f"{folder}/sda").replace("sdc", "sda")
    send(client, "POST", "/domains", GUEST % ("wrong", PORTS, MAC, own + DRIVE + USER), 201)
    send(client, "POST", "/domains", GUEST % ("wrong2", PORTS, "", DISK % "/nonexistent/disk"), 201)
    send(client, "POST", "/domains/wrong/start", '{"flags":["paused"]}', 204)
    before = send(client, "GET", "/domains/wrong/xml", None, 200)
    for document, wanted in devices(folder):
        send(client, "POST", "/domains/wrong/devices?flags=live", document, wanted)
    check(send(client, "GET", "/domains/wrong/xml", None, 200) == before, "the guest is as it was")
    send(client, "POST", "/domains/wrong2/start", None, 409)
    send(client, "POST", "/domains?transient=true",
         GUEST % ("wrong3", PORTS, "", DISK % "/nonexistent/disk"), 422)
    send(client, "GET", "/domains/wrong/interfaces/52:54:00:00:00:19/stats", None, 409)
    send(client, "GET", "/domains/wrong/interfaces/52:54:00:00:00:18/stats", None, 404)
    send(client, "POST", "/domains/wrong/migrate", '{"destinationUri":"://"}', 400)
    for method, path, body, wanted in calls(folder):
        send(client, method, "/domains/wrong" + path, body, wanted)
    # a guest that is paused lets go of nothing; QEMU asks it anew after a while
    tries = [exchange(client, "DELETE", "/domains/wrong/devices/net0?flags=live")[0] for _ in range(20)]
    check(tries[0] == 202 and 409 in tries and {*tries} <= {202, 409}, "it is asked already", tries)
    send(client, "POST", "/domains/wrong/destroy", None, 204)
    for name in ("wrong", "wrong2"):
        send(client, "DELETE", f"/domains/{name}", None, 204)


def documents():
    """(path, document, status)."""
    ports, bindings = "/networks/wrong/ports", "/nwfilter-bindings"
    for parts in PARTS:
        yield ports, f"<networkport>{parts}</networkport>", 422
        yield bindings, f"<filterbinding>{DEVICE}{BINDS}{parts}</filterbinding>", 422
    for uuid in ("x", ""):
        yield ports, f"<networkport><uuid>{uuid}</uuid>{OWNER}{MAC}</networkport>", 422
    for parts in (DEVICE, BINDS, DEVICE + BINDS + "<linkdev/>", DEVICE + "<filterref/>"):
        yield bindings, f"<filterbinding>{parts}{OWNER}{MAC}</filterbinding>", 422
    yield (bindings, f"<filterbinding>{DEVICE}<filterref filter='nosuch'/>{OWNER}{MAC}</filterbinding>"
           .replace("wrong0", "lo"), 422)
    for rule in ("<rule/>", "<rule action='drop'/>", RULE % "<ip protocol='x'/>",
                 RULE % "<ip srcportstart='1'/>", RULE % "<mac srcmacaddr='x'/>",
                 RULE % "<tcp flags='x'/>"):
        yield "/nwfilters", f"<filter name='wrong2'>{rule}</filter>", 422
        yield "/nwfilters", f"<filter name='wrong'>{rule}</filter>", 422
    yield "/nwfilters", "<filter/>", 422
    yield "/nwfilters", "<filter name='wrong2'><uuid>x</uuid></filter>", 422
    yield "/nwfilters", "<filter name='../wrong2'/>", 400
    for usage in ("<usage type='volume'/>", "<usage type='iscsi'><target/></usage>",
                  "<usage type='ceph'><volume>v</volume></usage>"):
        yield "/secrets", f"<secret>{usage}</secret>", 422
    yield "/secrets", "<secret><uuid>x</uuid></secret>", 422
    for mdev in (MDEV % "<uuid>x</uuid>", MDEV % OF, (MDEV % "").replace("computer", "nosuch"),
                 "<device><parent>computer</parent></device>"):
        yield "/node-devices", mdev, 422
    yield "/networks", "<network><name>wrong2</name><uuid>x</uuid></network>", 422
    yield ("/networks", "<network><name>wrong2</name><ip address='192.168.9.1' prefix='24'><dhcp>"
           "<range start='192.168.9.2' end='x'/></dhcp></ip></network>", 422)


def pools(folder):
    yield ("/storage-pools", f'{{"name":"wrong2","type":"dir","path":"{folder}/none","start":true}}', 422)
    other = f"<pool type='dir'><name>wrong2</name><target><path>{folder}</path></target></pool>"
    yield "/storage-pools", other, 409
    yield "/storage-pools?transient=true", other, 409
    yield ("/storage-pools", "<pool type='scsi'><name>wrong2</name><source><adapter type='fc_host' "
           "wwnn='x' wwpn='10000000c9831b4b'/></source><target><path>/dev/disk/by-path</path></target>"
           "</pool>", 422)


def send(client, method, path, body, wanted):
    status, _, answer = exchange(client, method, path, body,
                                 {"Content-Type": "application/xml"} if body and body[0] == "<" else None)
    check(status == wanted, f"{method} {path} {body} is {wanted}, not", f"{status} {answer}")
    return answer


def main():
    with tempfile.TemporaryDirectory(prefix="vg-wrong.") as folder:
        os.chmod(folder, 0o755)
        gateway = Gateway(os.environ["VG_QEMU_URI"])
        client = Client(gateway.port)
        made = [("/networks", "<network><name>wrong</name></network>", "/networks/wrong"),
                ("/nwfilters", "<filter name='wrong'/>", "/nwfilters/wrong"),
                ("/storage-pools", f"<pool type='dir'><name>wrong</name><target><path>{folder}</path>"
                 "</target></pool>", "/storage-pools/wrong")]
        for path, document, _ in made:
            send(client, "POST", path, document, 201)
        for path in ("/networks/wrong", "/storage-pools/wrong"):
            send(client, "POST", path + "/start", None, 204)
        for path, document, wanted in (*documents(), *pools(folder)):
            send(client, "POST", path, document, wanted)
        filters = send(client, "GET", "/nwfilters/wrong", None, 200)
        check(filters["rules"] == [], "a filter stays as it was", filters)
        send(client, "POST", "/connection/storage-pool-sources", '{"type":"sheepdog"}', 501)
        send(client, "POST", "/storage-pools", '{"name":"wrong3","type":"dir","path":"%s/none"}' % folder,
             201)
        send(client, "POST", "/storage-pools/wrong3/start", None, 409)
        send(client, "DELETE", "/storage-pools/wrong3", None, 204)
        check_guests(client, folder)
        for path in ("/networks/wrong", "/storage-pools/wrong"):
            send(client, "POST", path + "/destroy", None, 204)
        for _, _, path in made:
            send(client, "DELETE", path, None, 204)
        gateway.stop()
    report()


if __name__ == "__main__":
    main()
