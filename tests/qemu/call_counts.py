#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many of libvirt's functions an answer costs, counted by the traced gateway on a real libvirtd: a
list's default fields cost lists alone, whatever there is; a page asks for what is on it, after it was
cut; fields that are not wanted cost nothing; a new guest is looked up only where its document does
not say that it is new, and its answer is exact all the same.
"""
import json
import os
import re
import sys
import tempfile
import uuid
from collections import Counter
from pathlib import Path

import libvirt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

TRACED = os.environ.get("O", "build") + "/tests/trace/virtgate"
VOLUMES = 1000
PAGE = 100
GUESTS = 3
GUEST = """<domain type='qemu'><name>counted{n}</name><memory unit='MiB'>16</memory><os><type>hvm</type>
</os><devices><disk type='file'><driver name='qemu' type='raw'/><source file='{path}'/>
<target dev='vda' bus='virtio'/><shareable/></disk></devices></domain>"""

NEW = """<domain type='qemu'><name>new</name>{}<memory unit='MiB'>16</memory><os><type>hvm</type></os>
</domain>"""
MANY = """<domain type='qemu'><name>new</name><title>Many</title><memory unit='MiB'>32</memory>
<currentMemory unit='MiB'>24</currentMemory><maxMemory slots='2' unit='MiB'>64</maxMemory>
<vcpu current='2'>4</vcpu><os><type>hvm</type></os>
<cpu><numa><cell id='0' cpus='0-3' memory='32' unit='MiB'/></numa></cpu></domain>"""


class Counted:
    """A gateway that notes every call; the operation's own are asked for."""

    def __init__(self, uri, *options):
        self.file = tempfile.NamedTemporaryFile(prefix="vg-calls-")
        mine = {"VG_TRACE": self.file.name, "VG_TRACE_ALL": "1", "VIRTGATE_BIN": TRACED}
        kept = {k: os.environ.get(k) for k in mine}
        os.environ.update(mine)
        self.gateway = Gateway(uri, *options)
        for key, value in kept.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
        self.client = Client(self.gateway.port)

    def calls(self):
        """{function: calls} of operations since begin(); the sampler's apart."""
        lines = Path(self.file.name).read_text(encoding="utf-8").splitlines()
        return dict(Counter(line.split()[1] for line in lines
                            if re.fullmatch(r"(?!listDomainStats)\w{3,} vir\w+", line)))

    def get(self, path, source="libvirt", headers=None):
        """(the answer, calls) of a request."""
        os.truncate(self.file.name, 0)
        status, told, body = self.client.get(path, headers or {"Cache-Control": "no-cache"})
        check(status == 200 and told["X-Virtgate-Source"] == source, path, f"{status} {body}")
        return body, self.calls()

    def change(self, want, method, path, body=None, headers=None):
        """The same of a change that is answered by the status `want`."""
        os.truncate(self.file.name, 0)
        status, _, text = self.client.send(method, path, body, headers)
        check(status == want, f"{method} {path} is {want}", f"{status} {text}")
        return json.loads(text) if text else None, self.calls()


def check_calls(counted, path, want):
    """Where `want` is a number, so many in all at most, and none but list calls."""
    body, calls = counted.get(path)
    if isinstance(want, int):
        check(calls and sum(calls.values()) <= want and all("List" in name for name in calls),
              f"{path} costs {want} list calls", calls)
    else:
        check(calls == want, f"{path} costs {want}", calls)
    return body


def check_lists(counted):
    """Two for `active`; of networks and pools two more for `persistent`; one for each type of pool
    that is not known yet, of which most hosts have one."""
    devices = check_calls(counted, "/node-devices", {"virConnectListAllNodeDevices": 2})
    check(len(devices["nodeDevices"]) > 5, "a host has devices", len(devices["nodeDevices"]))
    check_calls(counted, "/node-devices?fields=name", {"virConnectListAllNodeDevices": 1})
    check_calls(counted, "/node-devices?limit=5", {"virConnectListAllNodeDevices": 2})
    check_calls(counted, "/networks", 3)
    check_calls(counted, "/storage-pools", 4)
    check_calls(counted, "/networks?fields=name,uuid", {"virConnectListAllNetworks": 1})
    check_calls(counted, "/nwfilters", {"virConnectListAllNWFilters": 1})
    check_calls(counted, "/secrets?fields=uuid", {"virConnectListAllSecrets": 1})


def check_volumes(counted, path):
    body = check_calls(counted, path, {"virStoragePoolLookupByName": 1,
                                       "virStoragePoolListAllVolumes": 1})
    check(len(body["volumes"]) == VOLUMES, "a list of all", len(body["volumes"]))
    body = check_calls(counted, f"{path}?view=full&limit={PAGE}", {
        "virStoragePoolLookupByName": 1, "virStoragePoolListAllVolumes": 1,
        "virStorageVolGetPath": PAGE, "virStorageVolGetInfoFlags": 2 * PAGE})
    check([v["name"] for v in body["volumes"]] == [f"v{n:04}" for n in range(PAGE)],
          "the first page", body["volumes"][:3])
    body = check_calls(counted, f"{path}?fields=capacityBytes,type&limit={PAGE}"
                       f"&after={body['next']}", {
                           "virStoragePoolLookupByName": 1, "virStoragePoolListAllVolumes": 1,
                           "virStorageVolGetInfoFlags": PAGE})
    check(len(body["volumes"]) == PAGE and body["next"] == f"v{2 * PAGE - 1:04}", "the second page",
          body.get("next"))
    body = check_calls(counted, f"{path}?name=v000*&fields=physicalBytes", {
        "virStoragePoolLookupByName": 1, "virStoragePoolListAllVolumes": 1,
        "virStorageVolGetInfoFlags": 10})


def check_users(counted, path):
    """Who uses each of a page: the guests' documents are read once, not once for each volume."""
    body, calls = counted.get(f"{path}?fields=name,usedBy&limit={PAGE}")
    check(calls["virConnectListAllDomains"] == 1 and
          calls["virDomainGetXMLDesc"] == calls["virDomainIsActive"] >= GUESTS, "users", calls)
    users = {v["name"]: [guest["name"] for guest in v["usedBy"]] for v in body["volumes"]}
    check(users["v0007"] == [f"counted{n}" for n in range(GUESTS)] and users["v0008"] == [],
          "those of v0007", users["v0007"])


def check_new(counted, what, xml, lookups):
    """What a definition costs, and that it tells what a GET does."""
    made, calls = counted.change(201, "POST", "/domains", xml.encode())
    check(calls == {"virDomainDefineXMLFlags": 1, "virDomainGetXMLDesc": 1, **lookups},
          f"defining one {what}", calls)
    shown, _ = counted.get("/domains/new")
    check(made == shown, f"the answer of one {what}", f"{made}, later {shown}")
    return made


def check_definitions(counted):
    by_uuid = {"virDomainLookupByUUIDString": 1}
    smbios = "<sysinfo type='smbios'><system><entry name='uuid'>{}</entry></system></sysinfo>"
    for what, more, lookups in (
            ("plain", "", {}), ("with a UUID", f"<uuid>{uuid.uuid4()}</uuid>", by_uuid),
            ("with an empty UUID", "<uuid/>", {}),
            ("whose SMBIOS has the UUID", smbios.format(uuid.uuid4()), by_uuid),
            ("with an SMBIOS", smbios.replace("uuid", "serial").format("s-1"), {}),
            ("of another's UUID", f"<p:uuid xmlns:p='u'>{uuid.uuid4()}</p:uuid>", {})):
        check_new(counted, what, NEW.format(more), lookups)
        check_taken(counted, what, NEW.format(more), again=bool(lookups))
        _, calls = counted.change(204, "DELETE", "/domains/new")
        check(calls == {"virDomainLookupByName": 1, "virDomainUndefineFlags": 1}, "undefine", calls)
    made = check_new(counted, "of many figures", MANY, {})
    check(made["maxMemoryKiB"] == 32768 and made["memoryKiB"] == 24576 and made["vcpus"] == 2 and
          made["maxVcpus"] == 4 and made["title"] == "Many" and made["cpuTimeNs"] == 0, "figures",
          made)
    counted.change(204, "DELETE", "/domains/new")


def check_taken(counted, what, xml, again):
    """One that is there: with its UUID it is defined again, its name alone is taken."""
    counted.change(412, "POST", "/domains", xml.encode(), {"If-None-Match": "*"})
    counted.change(200 if again else 409, "POST", "/domains", xml.encode())
    shown, _ = counted.get("/domains/new")
    check(shown["persistent"] and shown["state"] == "shutoff", f"one {what} is as it was", shown)


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    uri = os.environ["VG_QEMU_URI"]
    folder = Path(uri.split("socket=")[1]).parents[1] / "counted"
    conn = libvirt.open(uri)
    folder.mkdir(exist_ok=True)
    for n in range(VOLUMES):
        (folder / f"v{n:04}").write_bytes(b"")
    pool = conn.storagePoolDefineXML(f"<pool type='dir'><name>counted</name><target><path>{folder}"
                                     "</path></target></pool>", 0)
    pool.create(0)
    networks = [conn.networkDefineXML(f"<network><name>counted{n}</name></network>")
                for n in range(5)]
    guests = [conn.defineXML(GUEST.format(n=n, path=folder / "v0007")) for n in range(GUESTS)]
    counted = Counted(uri)
    try:
        check_lists(counted)
        check_volumes(counted, "/storage-pools/counted/volumes")
        check_users(counted, "/storage-pools/counted/volumes")
        check_definitions(counted)
    finally:
        counted.gateway.stop()
        for guest in guests:
            guest.undefine()
        pool.destroy()
        pool.undefine()
        for network in networks:
            network.undefine()
    conn.close()
    report()


if __name__ == "__main__":
    main()
