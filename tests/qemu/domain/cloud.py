#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest from an image in one call, on real QEMU (VG_QEMU_URI).

 - The guest (tests/qemu/cloud_image.sh) starts from an overlay of the image, finds its seed by the
   label on a SATA CD, takes name and key from it, and gets an address by DHCP, which the answer tells.
   So does its clone, whose seed is a disk, under a name and an address of its own.
 - What is in the seed, read back from the volume; passwords only as hashes.
 - Steps, and what is left when one fails: nothing, whichever it is. A repeated key makes no second
   guest; dryRun makes nothing; a cancelled wait is undone.
 - DELETE ?volumes=true removes what was made for the guest and what is its own, and nothing else.
"""
import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
from gateway import Client, Gateway, check, report  # noqa: E402
from operations import post, newest, states  # noqa: E402

URI = os.environ["VG_QEMU_URI"]
DIR = os.environ.get("VG_LIBVIRTD_DIR", "/tmp/vg-libvirtd") + "/vg-cloud"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHZpcnRnYXRlIHRlc3QgKg"
NETWORK = ("<network><name>vg-cloud</name><bridge name='vgcloud0'/>"
           "<ip address='192.168.87.1' netmask='255.255.255.0'>"
           "<dhcp><range start='192.168.87.10' end='192.168.87.99'/></dhcp></ip></network>")
FORM = {"memoryMiB": 256, "virtType": "qemu", "image": {"volume": "vg-cloud/tiny.img"}}


class Host:
    def __init__(self):
        self.conn = libvirt.open(URI)
        self.pool = self.conn.storagePoolCreateXML(
            f"<pool type='dir'><name>vg-cloud</name><target><path>{DIR}</path></target></pool>",
            libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)
        self.network = None
        try:
            subprocess.run([ROOT / "tests/qemu/cloud_image.sh", f"{DIR}/tiny.img"], check=True,
                           cwd=ROOT, stdin=subprocess.DEVNULL)
            self.pool.refresh()
            self.network = self.conn.networkCreateXML(NETWORK)
        except BaseException: # which leaves nothing for the tests that follow
            self.close()
            raise

    def volumes(self):
        self.pool.refresh()
        return sorted(v.name() for v in self.pool.listAllVolumes())

    def guests(self):
        return sorted(d.name() for d in self.conn.listAllDomains())

    def close(self):
        for dom in self.conn.listAllDomains():
            if dom.name().startswith("cl-"):
                if dom.isActive():
                    dom.destroy()
                dom.undefine()
        if self.network:
            self.network.destroy()
        self.pool.refresh()
        for volume in self.pool.listAllVolumes():
            volume.delete()
        self.pool.destroy()
        os.rmdir(DIR)


def seed_of(name, form):
    """The seed's files, as another program reads them."""
    path = f"{DIR}/{name}-seed.iso"
    label = subprocess.run(["blkid", "-p", "-o", "value", "-s", "LABEL", path], check=True,
                           capture_output=True, text=True).stdout.strip()
    check(label == "cidata", f"{form}: label {label}")
    return {file: subprocess.run(["bsdtar", "-xOf", path, file], capture_output=True,
                                 text=True, check=False).stdout
            for file in ("user-data", "meta-data", "network-config")}


def make(client, body, headers):
    """The guest, waited for; None: it was not made."""
    status, head, guest = post(client, body, {**headers, "Prefer": "wait=80"})
    for _ in range(4 if status == 202 else 0):
        operation = json.loads(client.send("GET", head["Location"] + "?wait=60")[2])
        status, guest = operation.get("status"), operation.get("result", operation.get("error"))
        if status:
            break
    return guest if check(status == 201, f"{body['name']}: {status} {guest}") else None


def real_guest(client, host):
    body = {**FORM, "name": "cl-web", "network": "vg-cloud", "start": True, "waitForAddress": 240,
            "cloudInit": {"hostname": "cl-web-1", "user": "debian", "sshKeys": [KEY],
                          "password": None}}
    headers = {"Idempotency-Key": "cloud-1"}
    guest = make(client, body, headers)
    if not guest:
        return
    check(guest["cloudInit"] == "unverified" and guest["active"], f"guest: {guest}")
    lease = [a for a in guest["addresses"] if a["source"] == "lease"]
    check(lease and lease[0]["address"].startswith("192.168.87."), f"addresses: {guest}")
    names = [v["hostname"] for v in host.network.DHCPLeases() if v["mac"] == lease[0]["mac"]]
    check(names == ["cl-web-1"], f"the guest calls itself {names}")
    check(states(newest(client)) == dict.fromkeys(
        ("overlay", "seed", "define", "start", "address"), "succeeded"), f"{newest(client)}")
    status, _, again = post(client, body, headers)
    check(status in (201, 202) and host.guests().count("cl-web") == 1, f"again: {status} {again}")
    xml = host.conn.lookupByName("cl-web").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    check("ds=nocloud" in xml and "bus='sata'" in xml, f"no serial number, or no CD: {xml}")
    overlay = host.pool.storageVolLookupByName("cl-web.qcow2").XMLDesc()
    check("<format type='raw'/>" in overlay.partition("<backingStore>")[2], overlay)


def real_clone(client, host):
    """Of a guest with a seed, which runs when it is asked for first; its own is a disk."""
    body = {"from": "cl-web", "name": "cl-web2", "copy": False, "start": True, "waitForAddress": 240,
            "cloudInit": {"hostname": "cl-web-2", "user": "debian", "sshKeys": [KEY], "seed": "disk"}}
    status, _, answer = post(client, body)
    check(status == 409, f"a clone of what runs: {status} {answer}")
    source = host.conn.lookupByName("cl-web")
    source.destroy()
    guest = make(client, body, {})
    if guest:
        macs = {v["mac"]: v["hostname"] for v in host.network.DHCPLeases()}
        mac = guest["addresses"][0]["mac"]
        check(macs.get(mac) == "cl-web-2" and mac not in source.XMLDesc(), f"{macs} {guest}")
        host.conn.lookupByName("cl-web2").destroy()
        status, _, answer = client.send("DELETE", "/domains/cl-web2?volumes=true")
        check(status == 204, f"DELETE of the clone: {status} {answer}")
    source.create()


def delete(client, host):
    before = host.volumes()
    status, _, answer = client.send("DELETE", "/domains/cl-web?volumes=true")
    check(status == 409, f"DELETE of a running one: {status} {answer}")
    check(host.volumes() == before, "volumes of a running guest are gone")
    host.conn.lookupByName("cl-web").destroy()
    status, _, answer = client.send("DELETE", "/domains/cl-web?volumes=true")
    check(status == 204, f"DELETE: {status} {answer}")
    check("cl-web" not in host.guests(), "the guest is still there")
    check(host.volumes() == ["tiny.img"], f"left: {host.volumes()}")


def seeds(client, host):
    body = {**FORM, "name": "cl-seed", "uuid": "00c0ffee-0000-4000-8000-0000000000c1",
            "image": {"volume": "vg-cloud/tiny.img", "sizeMiB": 48, "copy": True},
            "cloudInit": {"hostname": "a.example.org", "user": "bob", "sshKeys": [KEY],
                          "password": "corr\"ect: horse", "packages": ["nginx"],
                          "networkConfig": {"version": 2}}}
    status, _, guest = post(client, body)
    check(status == 201 and guest["cloudInit"] == "unverified", f"seed: {status} {guest}")
    files = seed_of("cl-seed", body)
    check(files["user-data"].startswith("#cloud-config\n"), files["user-data"])
    config = json.loads(files["user-data"].partition("\n")[2])
    check(config["user"] == {"name": "bob"} and config["ssh_authorized_keys"] == [KEY] and
          config["packages"] == ["nginx"] and config["fqdn"] == "a.example.org", f"{config}")
    hashed = config["password"]
    salt = hashed.rpartition("$")[0]
    made = subprocess.run(["openssl", "passwd", "-6", "-salt", salt.partition("$6$")[2],
                           "-stdin"], input="corr\"ect: horse", capture_output=True, text=True,
                          check=True).stdout.strip()
    check(hashed.startswith("$6$") and (made == hashed or "rounds=" in salt), f"{hashed}, {made}")
    meta = json.loads(files["meta-data"])
    check(meta == {"instance-id": body["uuid"], "local-hostname": "a.example.org"}, f"{meta}")
    check(json.loads(files["network-config"]) == {"version": 2}, files["network-config"])
    xml = host.conn.lookupByName("cl-seed").XMLDesc()
    check("horse" not in xml and "device='cdrom'" in xml and "bus='sata'" in xml, xml)
    disk = host.pool.storageVolLookupByName("cl-seed.qcow2")
    check(disk.info()[1] == 48 << 20 and "backingStore" not in disk.XMLDesc(), disk.XMLDesc())
    # an overlay of the disk keeps it; a medium of the user's is not touched
    client.send("POST", "/storage-pools/vg-cloud/volumes",
                b'{"name":"kept.qcow2","backing":"cl-seed.qcow2"}')
    status, _, answer = client.send("DELETE", "/domains/cl-seed?volumes=true")
    check(status == 409 and b"kept.qcow2" in answer, f"a disk that others stand on: {answer}")
    host.pool.storageVolLookupByName("kept.qcow2").delete()
    status, _, answer = client.send("DELETE", "/domains/cl-seed?volumes=true")
    check(status == 204 and host.volumes() == ["tiny.img"], f"{answer} {host.volumes()}")


def whole_data(client, host):
    text = "#!/bin/sh\necho 'as it is'\n"
    status, _, guest = post(client, {**FORM, "name": "cl-own", "cloudInit": {"userData": text}})
    check(status == 201, f"userData: {status} {guest}")
    check(seed_of("cl-own", text)["user-data"] == text, "user-data is another")
    status, _, guest = post(client, {**FORM, "name": "cl-own"})
    check(status == 409, f"a name that is there: {status} {guest}")
    client.send("DELETE", "/domains/cl-own?volumes=true")
    check(host.volumes() == ["tiny.img"], f"left: {host.volumes()}")


def failing(client, host):
    """(what is there before, the request, the step that fails)"""
    cloud = {**FORM, "name": "cl-bad", "cloudInit": {"user": "bob"}, "start": True}
    def volume(name):
        host.pool.createXML(f"<volume><name>{name}</name><capacity>512</capacity></volume>")
    for taken, more, failed, code in (
            ("cl-bad.qcow2", {}, "overlay", 409),
            ("cl-bad-seed.iso", {}, "seed", 409),
            (None, {"uuid": "00c0ffee-0000-4000-8000-0000000000c2", "machine": "nosuch-1"},
             "define", None),
            (None, {"interfaces": [{"bridge": "nosuch0"}]}, "start", None),
            (None, {"network": "vg-cloud", "boot": ["cdrom"], "waitForAddress": 2}, "address",
             504)):
        if taken:
            volume(taken)
        before = host.volumes()
        status, _, answer = post(client, {**cloud, **more})
        check(status >= 400 and (code is None or status == code), f"{failed}: {status} {answer}")
        check("cl-bad" not in host.guests(), f"{failed}: the guest is there")
        check(host.volumes() == before, f"{failed}: left {host.volumes()}")
        seen = states(newest(client))
        if failed != "define": # refused before anything is made
            check(seen.get(failed) == "failed" and
                  set(seen.values()) <= {"failed", "undone", "pending"}, f"{failed}: {seen}")
        if failed == "address":
            began, ended = (datetime.fromisoformat(newest(client)["steps"][-1][key][:-1])
                            for key in ("startedAt", "endedAt"))
            check((ended - began).total_seconds() >= 1.9, f"it waited {ended - began}")
        if taken:
            host.pool.storageVolLookupByName(taken).delete()


def refused(client, host):
    for more, code in (
            ({"image": {"volume": "tiny.img"}}, 400), ({"image": {"volume": "vg-cloud/no"}}, 404),
            ({"image": {"volume": "vg-cloud/tiny.img", "sizeMiB": 1}}, 400),
            ({"image": {"volume": "vg-cloud/tiny.img", "sizeMiB": 99, "sizeGiB": 1}}, 400),
            ({"image": {"volume": "vg-cloud/tiny.img", "pool": "nosuch"}}, 404),
            ({"image": {}}, 400), ({"image": "x"}, 400), ({"cloudInit": []}, 400),
            ({"cloudInit": {"hostname": "-a"}}, 400), ({"cloudInit": {"user": "A b"}}, 400),
            ({"cloudInit": {"sshKeys": ["a\nb"]}}, 400), ({"cloudInit": {"nosuch": 1}}, 400),
            ({"cloudInit": {"userData": "x", "user": "bob"}}, 400),
            ({"waitForAddress": 5}, 400), ({"waitForAddress": 0, "start": True}, 400),
            ({"transient": True}, 400), ({"network": "a", "interfaces": []}, 400)):
        status, _, answer = post(client, {**FORM, "name": "cl-no", **more})
        check(status == code, f"{more}: {status} {answer}")
    status, _, answer = post(client, {**FORM, "name": "cl-dry", "cloudInit": {"user": "bob"}},
                             query="?dryRun=true")
    check(status == 200 and f"{DIR}/cl-dry.qcow2" in answer["xml"] and
          f"{DIR}/cl-dry-seed.iso" in answer["xml"], f"dryRun: {answer}")
    check(host.volumes() == ["tiny.img"], f"dryRun made {host.volumes()}")


def cancelled(client, host):
    body = {**FORM, "name": "cl-stop", "network": "vg-cloud", "start": True, "boot": ["cdrom"],
            "waitForAddress": 200}
    status, head, answer = post(client, body, {"Prefer": "respond-async"})
    check(status == 202, f"async: {status} {answer}")
    path = head["Location"]
    for _ in range(600):
        operation = json.loads(client.send("GET", path)[2])
        if states(operation).get("address") == "running":
            break
        time.sleep(0.1)
    check(operation["cancellable"], f"{operation}")
    status, _, answer = client.send("DELETE", path)
    check(status in (202, 204), f"cancel: {status} {answer}")
    operation = json.loads(client.send("GET", path + "?wait=60")[2])
    check(operation["state"] == "cancelled", f"{operation}")
    check("cl-stop" not in host.guests() and host.volumes() == ["tiny.img"], "it is not undone")


def secrets(client, log):
    post(client, {**FORM, "name": "cl-no", "cloudInit": {"password": "s3cret-word\n"}})
    answer = client.send("POST", "/domains", b'{"cloudInit": {"password": "s3cret-word" "x"}}')[2]
    check(b"s3cret-word" not in answer, f"quoted: {answer}")
    check("s3cret-word" not in Path(log).read_text() and "horse" not in Path(log).read_text(),
          "a password is in the log")


def main():
    host = Host()
    try:
        gateway = Gateway(URI, "--log-level", "1")
        try:
            client = Client(gateway.port)
            for part in (refused, seeds, whole_data, failing, cancelled):
                part(client, host)
            real_guest(client, host)
            real_clone(client, host)
            delete(client, host)
            secrets(client, gateway.log.name)
        finally:
            gateway.stop()
    finally:
        host.close()
    report()


main()
