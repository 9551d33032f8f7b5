#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The short form of a guest on real QEMU (VG_QEMU_URI): what an image is, libvirt says or the
client, nobody guesses; the guest has room to grow: a root port for a device that comes while it
runs, vCPUs, memory.
"""
import json
import os
import sys
from pathlib import Path

import libvirt

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

URI = os.environ["VG_QEMU_URI"]
DIR = os.environ.get("VG_LIBVIRTD_DIR", "/tmp/vg-libvirtd") + "/vg-create"
VOLUMES = {"q.img": "qcow2", "r.qcow2": "raw", "v.vmdk": "vmdk"}  # no name tells the format


def make_pool():
    pool = libvirt.open(URI).storagePoolCreateXML(
        f"<pool type='dir'><name>vg-create</name><target><path>{DIR}</path></target></pool>",
        libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)
    for name, kind in VOLUMES.items():
        pool.createXML(f"<volume><name>{name}</name><capacity unit='MiB'>8</capacity>"
                       f"<target><format type='{kind}'/></target></volume>")
    return pool


def remove_pool(pool):
    for volume in pool.listAllVolumes():
        volume.delete()
    pool.destroy()
    os.rmdir(DIR)


def post(client, form, dry=True):
    body = {"name": "grown", "memoryMiB": 32, "virtType": "qemu", **form, "dryRun": dry}
    status, _, answer = client.send("POST", "/domains", json.dumps(body).encode())
    return status, json.loads(answer)


def driver(client, disk):
    """The format that a disk gets; the error's status and type."""
    status, answer = post(client, {"disks": [disk]})
    if status != 200:
        return status, answer["type"].rpartition(":")[2]
    return answer["xml"].partition('<driver type="')[2].partition('"')[0]


def formats(client):
    for name, kind in VOLUMES.items():
        for disk in ({"path": f"{DIR}/{name}"}, {"volume": f"vg-create/{name}"}):
            got = driver(client, disk)
            check(got == kind, f"{disk}: {got}, not {kind}")
    for disk, want in (
            ({"path": f"{DIR}/q.img", "format": "raw"}, "raw"),
            ({"path": "/nonexistent/a.qcow2", "format": "qcow2"}, "qcow2"),
            ({"path": "/nonexistent/a.qcow2"}, (400, "missing-key")),
            ({"path": "/nonexistent/a.img", "readOnly": True}, (400, "missing-key")),
            ({"path": "/dev/nonexistent"}, (400, "missing-key")),
            ({"path": f"{DIR}/../vg-create/q.img"}, (400, "missing-key")),
            ({"path": "/nonexistent/a.iso", "device": "cdrom"}, "raw")):
        got = driver(client, disk)
        check(got == want, f"{disk}: {got}, not {want}")


def answers(client):
    """What the answer tells of a new one without asking is what libvirt says, whatever the one
    before of that name was left as; and so it is of one that is defined anew."""
    xml = ("<domain type='qemu'><name>told</name><title>a &lt;title&gt;</title>"
           "<uuid>00c0ffee-0000-4000-8000-00000000701d</uuid>"
           "<maxMemory slots='2' unit='MiB'>128</maxMemory><memory unit='MiB'>64</memory>"
           "<currentMemory unit='MiB'>32</currentMemory><vcpu current='2'>4</vcpu>"
           "<os><type>hvm</type></os><cpu><numa><cell id='0' cpus='0-3' memory='64' unit='MiB'/>"
           "</numa></cpu></domain>").encode()
    for wanted in (201, 200, 201):
        status, _, made = client.send("POST", "/domains", xml)
        fresh = client.send("GET", "/domains/told", headers={"Cache-Control": "no-cache"})[2]
        check(status == wanted and json.loads(made) == json.loads(fresh),
              f"the answer of a define, {status}", f"{made} {fresh}")
        client.send("PUT", "/domains/told/autostart", b'{"autostart": true}')
        client.send("POST", "/domains/told/start")
        check(client.send("POST", "/domains/told/managed-save")[0] == 204, "managed save")
        if wanted == 200:
            check(client.send("DELETE", "/domains/told?flags=managed-save")[0] == 204, "undefine")
    client.send("DELETE", "/domains/told?flags=managed-save")


def grows(client):
    form = {"vcpus": 1, "maxVcpus": 2, "maxMemoryMiB": 64, "disks": [{"path": f"{DIR}/q.img"}]}
    xml = post(client, form)[1]["xml"]
    check(xml.count('model="pcie-root-port"') == 14, "14 root ports", xml)
    check("pcie" not in post(client, {"machine": "pc"})[1]["xml"], "none where there is no PCIe")
    status, answer = post(client, form, False)
    check(status == 201, f"define: {status}", answer)
    at = "/domains/grown"
    check(client.send("POST", f"{at}/start")[0] == 204, "start")
    shown = client.get(f"{at}?fields=vcpus,maxVcpus,maxMemoryKiB")[2]
    check(shown == {"vcpus": 1, "maxVcpus": 2, "maxMemoryKiB": 65536},
          "the sizes", shown)
    for path, body in (("vcpu-count", {"count": 2, "flags": ["live"]}),
                       ("memory", {"memoryKiB": 49152, "flags": ["live"]})):
        status, _, answer = client.send("PUT", f"{at}/{path}", json.dumps(body).encode())
        check(status in (200, 204), f"{path} grows while it runs: {status}", answer)
    disk = (f"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
            f"<source file='{DIR}/r.qcow2'/><target dev='vdz' bus='virtio'/></disk>").encode()
    status, _, answer = client.send("POST", f"{at}/devices?flags=live", disk)
    check(status == 204, f"a disk comes while it runs: {status}", answer)
    client.send("POST", f"{at}/destroy")
    check(client.send("DELETE", at)[0] == 204, "undefine")
    status, answer = post(client, {"maxVcpus": 60000})
    check(status == 400 and "maxVcpus" in answer["detail"], "more than the host has", answer)


made = make_pool()
gateway = Gateway(URI)
formats(Client(gateway.port))
answers(Client(gateway.port))
grows(Client(gateway.port))
gateway.stop()
remove_pool(made)
report()
