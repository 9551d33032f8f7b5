#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest as a clone of another, on real QEMU (VG_QEMU_URI).

 - What is the source's alone is another in the clone: UUID, MAC addresses, genid, SMBIOS serial
   numbers, ports of displays, the agent's socket, the firmware's variables; what a guest knows its
   disks by is not. Disks are copied byte for byte, or stood on; what is shared stays shared.
 - The clone of a clone starts; one that cannot be made leaves nothing, whichever step it is.
 - Refused: a source that runs, or is saved; a disk that is no volume, or encrypted.
 - A source outside of a token's scope is not there; passwords come into the clone, and into no
   answer, and only for who may see them.
"""
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
from gateway import Client, Gateway, check, report  # noqa: E402
from operations import eventually, post, newest, states  # noqa: E402

URI = os.environ["VG_QEMU_URI"]
DIR = os.environ.get("VG_LIBVIRTD_DIR", "/tmp/vg-libvirtd") + "/vg-clone"
MIB = 1 << 20
WORD = "s3cretwd"
SOURCE = f"""<domain type='qemu'><name>kl-src</name>
<uuid>00c10ee0-0000-4000-8000-000000000001</uuid><genid>11c10ee0-0000-4000-8000-000000000001</genid>
<title>The source</title><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<sysinfo type='smbios'><system><entry name='manufacturer'>virtgate</entry>
<entry name='serial'>SERIAL-1</entry><entry name='uuid'>00c10ee0-0000-4000-8000-000000000001</entry>
</system><baseBoard><entry name='serial'>SERIAL-2</entry></baseBoard></sysinfo>
<os><type arch='x86_64' machine='pc'>hvm</type><smbios mode='sysinfo'/></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='writeback'/>
<source file='{DIR}/root.qcow2'/><target dev='vda' bus='virtio'/><serial>DISK-1</serial></disk>
<disk type='volume' device='disk'><driver name='qemu' type='raw'/>
<source pool='vg-clone' volume='data.img'/><target dev='vdb' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{DIR}/shared.img'/>
<target dev='vdc' bus='virtio'/><readonly/></disk>
<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='hda' bus='ide'/>
<readonly/></disk>
<interface type='user'><mac address='52:54:00:c1:0e:01'/><model type='virtio'/></interface>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<graphics type='vnc' port='5999' autoport='no' passwd='{WORD}'>
<listen type='address' address='127.0.0.1'/></graphics></devices></domain>"""
BARE = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='pc'>hvm</type>{os}</os><features><acpi/></features><devices>{devices}</devices></domain>"""


def image(*args):
    subprocess.run(["qemu-img", *args], check=True, capture_output=True)


def digest(path):
    """Of what a guest reads there, whatever the format."""
    with tempfile.NamedTemporaryFile() as raw:
        image("convert", "-O", "raw", path, raw.name)
        return hashlib.sha256(Path(raw.name).read_bytes()).hexdigest()


class Host:
    def __init__(self):
        self.conn = libvirt.open(URI)
        os.makedirs(DIR + "/other")
        Path(f"{DIR}/data.img").write_bytes(os.urandom(MIB) + bytes(3 * MIB))
        Path(f"{DIR}/shared.img").write_bytes(bytes(MIB))
        Path(f"{DIR}/vars.fd").write_bytes(os.urandom(MIB))
        image("convert", "-O", "qcow2", f"{DIR}/data.img", f"{DIR}/root.qcow2")
        for name in os.listdir(DIR):
            os.chmod(f"{DIR}/{name}", 0o777 if name == "other" else 0o666)
        self.pools = [self.conn.storagePoolCreateXML(
            f"<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>")
            for name, path in (("vg-clone", DIR), ("vg-clone2", DIR + "/other"))]
        self.before = self.volumes()
        self.source = self.conn.defineXML(SOURCE)

    def volumes(self):
        """Their names, with those of the other pool."""
        for pool in self.pools:
            pool.refresh()
        return sorted(v.name() for pool in self.pools for v in pool.listAllVolumes()
                      if v.info()[0] != libvirt.VIR_STORAGE_VOL_DIR)

    def config(self, name):
        return self.conn.lookupByName(name).XMLDesc(
            libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)

    def guests(self):
        return sorted(d.name() for d in self.conn.listAllDomains() if d.name().startswith("kl-"))

    def close(self):
        for dom in self.conn.listAllDomains():
            if dom.name().startswith("kl-"):
                if dom.isActive():
                    dom.destroy()
                dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
                                  libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
        for pool in self.pools:
            pool.destroy()
        subprocess.run(["rm", "-rf", "--", DIR], check=True)


def delete(client, host, name):
    """With what was made for it, and nothing else."""
    dom = host.conn.lookupByName(name)
    if dom.isActive():
        dom.destroy()
    status, _, answer = client.send("DELETE", f"/domains/{name}?volumes=true")
    check(status == 204, f"DELETE {name}: {status} {answer}")


def full_copy(client, host):
    body = {"from": "kl-src", "name": "kl-full", "title": "The clone"}
    key = {"Idempotency-Key": "clone-1"}
    status, head, guest = post(client, body, key)
    check(status == 201 and head["Location"] == "/domains/kl-full" and not guest["active"],
          f"full: {status} {guest}")
    check(states(newest(client)) == {"copy": "succeeded", "define": "succeeded"}, newest(client))
    made = sorted(set(host.volumes()) - set(host.before))
    check(made == ["kl-full-vdb.img", "kl-full.qcow2"], f"made: {made}")
    for new, old in (("kl-full.qcow2", "root.qcow2"), ("kl-full-vdb.img", "data.img")):
        check(digest(f"{DIR}/{new}") == digest(f"{DIR}/{old}"), f"{new} has other bytes")
    xml, source = host.config("kl-full"), host.config("kl-src")
    for gone in ("000000000001", "52:54:00:c1:0e:01", "SERIAL-", "5999", "root.qcow2", "data.img",
                 "The source", "name='uuid'"):
        check(gone in source + "data.img" and gone not in xml, f"{gone} is in the clone: {xml}")
    for kept in ("DISK-1", "cache='writeback'", f"{DIR}/shared.img", "org.qemu.guest_agent.0",
                 "manufacturer'>virtgate", "device='cdrom'", f"passwd='{WORD}'", "The clone",
                 f"file='{DIR}/kl-full.qcow2'", f"file='{DIR}/kl-full-vdb.img'", "<genid>"):
        check(kept in xml, f"{kept} is not in the clone: {xml}")
    status, _, again = post(client, body, key)
    check(status == 201 and again["uuid"] == guest["uuid"], f"again: {status} {again}")
    status, _, answer = post(client, body)
    check(status == 409, f"a name that is there: {status} {answer}")
    check(host.config("kl-src") == source, "the source is another")
    # its own clone, in another pool, which starts beside it
    host.conn.lookupByName("kl-full").create()
    status, _, answer = post(client, {"from": "kl-full", "name": "kl-no"})
    check(status == 409 and "runs" in answer["detail"], f"a source that runs: {status} {answer}")
    host.conn.lookupByName("kl-full").destroy()
    status, _, guest = post(client, {"from": "kl-full", "name": "kl-second", "pool": "vg-clone2",
                                     "memoryMiB": 24, "vcpus": 2, "start": True})
    check(status == 201 and guest["active"] and guest["vcpus"] == 2 and
          guest["maxMemoryKiB"] == 24 << 10, f"second: {status} {guest}")
    check(os.path.exists(f"{DIR}/other/kl-second.qcow2"), "it is not in the other pool")
    host.conn.lookupByName("kl-full").create()
    delete(client, host, "kl-second")
    delete(client, host, "kl-full")
    check(host.volumes() == host.before, f"left: {host.volumes()}")


def overlay(client, host):
    status, _, guest = post(client, {"from": "kl-src", "name": "kl-thin", "copy": False,
                                     "uuid": "00c10ee0-0000-4000-8000-0000000000aa",
                                     "start": True, "autostart": True})
    check(status == 201 and guest["active"] and guest["autostart"] and
          guest["uuid"] == "00c10ee0-0000-4000-8000-0000000000aa", f"overlay: {status} {guest}")
    check(states(newest(client)) == dict.fromkeys(("overlay", "define", "start"), "succeeded"),
          newest(client))
    for new, old, form in (("kl-thin.qcow2", "root.qcow2", "qcow2"),
                           ("kl-thin-vdb.qcow2", "data.img", "raw")):
        xml = host.pools[0].storageVolLookupByName(new).XMLDesc().partition("<backingStore>")[2]
        check(f"{DIR}/{old}" in xml and f"<format type='{form}'/>" in xml, f"{new}: {xml}")
    # what is stood on is not deleted with its guest
    status, _, answer = client.send("DELETE", "/domains/kl-src?volumes=true")
    check(status == 409 and b"kl-thin" in answer, f"DELETE of the source: {status} {answer}")
    delete(client, host, "kl-thin")
    check(host.volumes() == host.before, f"left: {host.volumes()}")


def firmware(client, host):
    nvram = ("<loader readonly='yes' type='pflash'>/nosuch/CODE.fd</loader>"
             "<nvram template='/nosuch/VARS.fd'>{}</nvram>")
    host.conn.defineXML(BARE.format(name="kl-efi", os=nvram.format(f"{DIR}/vars.fd"), devices=""))
    host.conn.defineXML(BARE.format(name="kl-efi2", os=nvram.format("/nosuch/own.fd"), devices=""))
    status, _, answer = post(client, {"from": "kl-efi", "name": "kl-efi3"})
    check(status == 201, f"variables: {status} {answer}")
    check(f">{DIR}/kl-efi3_VARS.fd</nvram>" in host.config("kl-efi3"), host.config("kl-efi3"))
    check(Path(f"{DIR}/kl-efi3_VARS.fd").read_bytes() == Path(f"{DIR}/vars.fd").read_bytes(),
          "the variables are others")
    status, _, answer = post(client, {"from": "kl-efi2", "name": "kl-efi4"})
    xml = host.config("kl-efi4") if status == 201 else answer
    check(status == 201 and "/nosuch/own.fd" not in xml and "template='/nosuch/VARS.fd'" in xml, xml)
    for name in ("kl-efi3", "kl-efi4"):
        status, _, answer = client.send("DELETE", f"/domains/{name}?flags=nvram")
        check(status == 204, f"DELETE {name}: {answer}")
    check(host.volumes() == host.before, f"left: {host.volumes()}")
    for name in ("kl-efi", "kl-efi2"):
        host.conn.lookupByName(name).undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)


def seeds(client, host):
    """The source's seed says who the source is: a clone has its own, or none."""
    status, _, answer = post(client, {"from": "kl-src", "name": "kl-a",
                                      "cloudInit": {"hostname": "a", "seed": "disk"}})
    check(status == 201 and answer["cloudInit"] == "unverified", f"seed: {status} {answer}")
    check("kl-a-seed.iso" in host.volumes() and "ua-virtgate-seed" in host.config("kl-a") and
          "dev='vdd' bus='virtio'" in host.config("kl-a"), host.config("kl-a"))
    status, _, answer = post(client, {"from": "kl-a", "name": "kl-b"})
    check(status == 201 and "seed.iso" not in host.config("kl-b") and
          "kl-b-seed.iso" not in host.volumes(), f"without: {status} {answer}")
    status, _, answer = post(client, {"from": "kl-a", "name": "kl-c", "copy": False,
                                      "cloudInit": {"hostname": "c"}})
    xml = host.config("kl-c") if status == 201 else answer
    check(f"{DIR}/kl-c-seed.iso" in xml and "kl-a-seed" not in xml and
          "<target dev='hdb' bus='ide'/>" in xml, f"{status} {xml}")
    host.conn.lookupByName("kl-c").create() # it can have all that
    for name in ("kl-c", "kl-b", "kl-a"):
        delete(client, host, name)
    check(host.volumes() == host.before, f"left: {host.volumes()}")


def failing(client, host):
    def taken(name):
        host.pools[0].createXML(f"<volume><name>{name}</name><capacity>512</capacity></volume>")
    for copy in (True, False):
        step = "copy" if copy else "overlay"
        for there, more, failed in (
                ("kl-bad-vdb" + (".img" if copy else ".qcow2"), {}, step),
                ("kl-bad-seed.iso", {"cloudInit": {"hostname": "b"}}, "seed"),
                (None, {"memoryMiB": 1 << 33, "start": True}, "start")):
            if there:
                taken(there)
            before = host.volumes()
            status, _, answer = post(client, {"from": "kl-src", "name": "kl-bad", "copy": copy,
                                              **more})
            check(status >= 400, f"{failed}: {status} {answer}")
            seen = states(newest(client))
            check(seen.get(failed) == "failed" and
                  set(seen.values()) <= {"failed", "undone", "pending"}, f"{failed}: {seen}")
            check("kl-bad" not in host.guests() and host.volumes() == before,
                  f"{failed}: left {host.volumes()}")
            if there:
                host.pools[0].storageVolLookupByName(there).delete()


def moving(client, host):
    """A source that changes while it is copied: no clone is of two moments."""
    path = f"{DIR}/moving.img"
    with open(path, "wb") as file:
        file.truncate(2 << 30)  # long enough to change it meanwhile
    os.chmod(path, 0o666)
    host.pools[0].refresh()
    dom = host.conn.defineXML(BARE.format(name="kl-moving", os="", devices=(
        f"<disk type='file'><driver name='qemu' type='raw'/><source file='{path}'/>"
        "<target dev='vda'/></disk>")))
    before = host.volumes()

    def write():
        with open(path, "r+b") as file:
            file.write(b"x")

    for change, what in ((write, "was written while"), (dom.create, "was started while")):
        status, _, _ = post(client, {"from": "kl-moving", "name": "kl-no"},
                            {"Prefer": "respond-async"})
        eventually(lambda: os.path.exists(f"{DIR}/kl-no.img"))
        change()
        eventually(lambda: newest(client)["state"] != "running", 120)
        op = newest(client)
        check(status == 202 and op["state"] == "failed" and what in json.dumps(op), f"{what}: {op}")
        check("kl-no" not in host.guests() and host.volumes() == before, f"left: {host.volumes()}")
    dom.destroy()
    dom.undefine()
    os.unlink(path)


def refused(client, host):
    disk = "<disk type='{}'><driver name='qemu' type='raw'/>{}<target dev='vda'/></disk>"
    for name, devices in (
            ("kl-file", disk.format("file", "<source file='/nosuch/a.img'/>")),
            ("kl-net", disk.format("network", "<source protocol='nbd' name='a'><host name='127.0.0.1'/>"
                                              "</source>")),
            ("kl-luks", disk.format("file", f"<source file='{DIR}/data.img'><encryption format='luks'>"
                                    "<secret type='passphrase' uuid='00c10ee0-0000-4000-8000-"
                                    "00000000005e'/></encryption></source>"))):
        host.conn.defineXML(BARE.format(name=name, os="", devices=devices))
        status, _, answer = post(client, {"from": name, "name": "kl-no"})
        check(status == 409 and "vda" in answer["detail"], f"{name}: {status} {answer}")
    # a disk of raw bytes on which its guest has written what names a file of the host
    image("create", "-f", "qcow2", "-b", f"{DIR}/shared.img", "-F", "raw", f"{DIR}/evil.img")
    host.pools[0].refresh()
    host.conn.defineXML(BARE.format(name="kl-evil", os="", devices=disk.format(
        "file", f"<source file='{DIR}/evil.img'/>")))
    status, _, answer = post(client, {"from": "kl-evil", "name": "kl-no"})
    check(status == 409 and "looks like qcow2" in answer["detail"], f"evil: {status} {answer}")
    status, _, answer = post(client, {"from": "kl-evil", "name": "kl-evil2", "copy": False})
    xml = host.pools[0].storageVolLookupByName("kl-evil2.qcow2").XMLDesc()
    check(status == 201 and "<format type='raw'/>" in xml.partition("<backingStore>")[2], xml)
    for name in ("kl-evil2", "kl-evil"):
        delete(client, host, name)
    host.source.create()
    host.source.managedSave()
    status, _, answer = post(client, {"from": "kl-src", "name": "kl-no"})
    check(status == 409 and "managed-save" in answer["detail"], f"saved: {status} {answer}")
    host.source.managedSaveRemove()
    for more, code in (({"from": "kl-nosuch"}, 404), ({"pool": "nosuch"}, 404), ({"copy": 2}, 400),
                       ({"machine": "pc"}, 400), ({"image": {"volume": "vg-clone/data.img"}}, 400),
                       ({"disks": []}, 400), ({"transient": True}, 400), ({"name": "a/b"}, 400),
                       ({"from": ""}, 404), ({"name": "kl-src"}, 409),
                       ({"uuid": "00c10ee0-0000-4000-8000-000000000001"}, 409)):
        status, _, answer = post(client, {"from": "kl-src", "name": "kl-no", **more})
        check(status == code, f"{more}: {status} {answer}")
    status, _, answer = post(client, {"from": "kl-src", "name": "kl-dry"}, query="?dryRun=true")
    check(status == 200 and f"{DIR}/kl-dry.qcow2" in answer["xml"] and WORD not in answer["xml"],
          f"dryRun: {answer}")
    check(host.volumes() == host.before and "kl-no" not in host.guests(), "something was made")


def rights(host):
    """Tokens: what is not to be seen is not there, and passwords are for who may see them."""
    names = ("all", "blind", "narrow")
    more = {"blind": " deny=domain:read_secure",
            "narrow": " domains=kl-n*,kl-no allow=gateway:document,storage_vol:create"}
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens"
        tokens.write_text("".join(
            f"{n} admin {hashlib.sha256(n.encode()).hexdigest()}{more.get(n, '')}\n" for n in names))
        tokens.chmod(0o600)
        gateway = Gateway(URI, "--token-file", str(tokens))
        try:
            client = Client(gateway.port)
            def ask(who, body, query=""):
                return post(client, body, {"Authorization": f"Bearer {who}"}, query)
            body = {"from": "kl-src", "name": "kl-new"}
            status, _, answer = ask("blind", body)
            check(status == 403 and "read_secure" in json.dumps(answer) and
                  WORD not in json.dumps(answer), f"blind: {status} {answer}")
            status, _, answer = ask("blind", body, "?dryRun=true")
            check(status == 200 and WORD not in answer["xml"], f"blind: {status} {answer}")
            seen = {}
            for source in ("kl-src", "kl-nosuch"):
                status, _, answer = ask("narrow", {"from": source, "name": "kl-new"})
                seen[source] = (status, json.dumps({k: v for k, v in answer.items()
                                                    if k != "requestId"}).replace(source, "?"))
            check(seen["kl-src"] == seen["kl-nosuch"] and seen["kl-src"][0] == 404, f"narrow: {seen}")
            check(host.volumes() == host.before, "something was made")
            status, _, answer = ask("all", body)
            check(status == 201 and WORD not in json.dumps(answer), f"all: {status} {answer}")
            status, _, answer = ask("narrow", {"from": "kl-new", "name": "elsewhere"})
            check(status == 403, f"a name outside: {status} {answer}")
            client.send("DELETE", "/domains/kl-new?volumes=true", None,
                        {"Authorization": "Bearer all"})
        finally:
            gateway.stop()


def main():
    host = Host()
    try:
        gateway = Gateway(URI, "--log-level", "1")
        try:
            client = Client(gateway.port)
            for part in (moving, refused, full_copy, overlay, firmware, seeds, failing):
                part(client, host)
            check(WORD not in Path(gateway.log.name).read_text(), "a password is in the log")
        finally:
            gateway.stop()
        rights(host)
    finally:
        host.close()
    report()


main()
