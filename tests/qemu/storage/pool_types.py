#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every type of pool that libvirt has, by the short form, on a real libvirtd: built, started, its volumes,
its end. What a type cannot do on this machine fails with libvirt's error; a type that its daemon has
no driver for is a 501. An rbd pool that hangs is storage.py's.
"""
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
sys.path.insert(0, str(ROOT / "tests/qemu"))
from differential import compare_error, same  # noqa: E402
from gateway import Client, Gateway, check, exchange, report  # noqa: E402

DAEMON = str(ROOT / "tests/qemu/libvirtd.sh")
TARGET = "iqn.2026-01.example:storage"
INITIATOR = "iqn.2026-01.example:gateway"
TYPES = ("dir", "fs", "netfs", "logical", "disk", "iscsi", "iscsi-direct", "scsi", "mpath", "rbd",
         "sheepdog", "gluster", "zfs", "vstorage")


def send(client, method, path, body=None):
    status, _, answer = exchange(client, method, path, body)
    return status, answer


def inside(*command, check_it=True):
    return subprocess.run([DAEMON, "exec", *command], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=check_it).stdout


def new_disk(mebibytes):
    return subprocess.run([DAEMON, "disk", str(mebibytes)], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def make(client, pool):
    """By the short form; it is what libvirt's document says."""
    status, shown = send(client, "POST", "/storage-pools", pool)
    check(status == 201 and shown["active"] and shown["type"] == pool["type"],
          f"a pool of type {pool['type']}", shown)
    for key, value in pool.get("source", {}).items():
        if key in shown.get("source", {}):
            same(f"{pool['type']}: {key}", shown["source"][key], value)
    return "/storage-pools/" + pool["name"], shown


def end(client, path, data=True):
    for action in ("destroy", *(["delete-data"] if data else [])):
        status, answer = send(client, "POST", f"{path}/{action}")
        check(status == 204, f"{path}/{action}", answer)
    check(send(client, "DELETE", path)[0] == 204, f"{path} is undefined")
    check(send(client, "GET", path)[0] == 404, f"{path} has gone")


def check_volume(client, path, name, **more):
    status, shown = send(client, "POST", path + "/volumes", {"name": name, **more})
    check(status == 201, f"{path}: a volume", shown)
    names = [v["name"] for v in send(client, "GET", path + "/volumes")[1]["volumes"]]
    check([n for n in names if n != "lost+found"] == [name], f"{path}: its volumes", names)
    check(send(client, "DELETE", f"{path}/volumes/{name}")[0] == 204, f"{path}: and none again")


# ---- types that are here ------------------------------------------------------------------


def check_fs(client, folder):
    """On an empty device a file system is made; one that is there is kept, whoever made it."""
    device = new_disk(64)
    pool = {"name": "t-fs", "type": "fs", "path": f"{folder}/fs", "build": True, "start": True,
            "source": {"device": device, "format": "ext4"}}
    path, shown = make(client, pool)
    check(shown["capacityBytes"] > 32 << 20, "the size of the file system", shown)
    check_volume(client, path, "one", capacityMiB=1)
    status, _ = send(client, "POST", path + "/volumes", {"name": "kept", "capacityMiB": 1})
    check(status == 201, "a volume that stays", status)
    end(client, path, data=False)
    path, _ = make(client, pool)
    names = [v["name"] for v in send(client, "GET", path + "/volumes")[1]["volumes"]]
    check("kept" in names, "nothing that was there is overwritten", names)
    end(client, path, data=False)
    status, problem = send(client, "POST", "/storage-pools",
                           pool | {"source": {"device": device, "format": "xfs"}})
    check(status >= 400 and problem["error"], "another file system is there", problem)
    check(send(client, "GET", path)[0] == 404, "and the new pool has gone again")


def has_device_mapper():
    try:
        os.close(os.open("/dev/mapper/control", os.O_RDWR))
        return True
    except OSError:
        return False


def check_logical(client):
    device = new_disk(64)
    path, shown = make(client, {"name": "t-vg", "type": "logical", "build": True, "start": True,
                                "source": {"device": device, "name": "vg_types"}})
    check(shown["capacityBytes"] > 32 << 20 and shown["path"] == "/dev/vg_types",
          "the size of the volume group", shown)
    check("vg_types" in inside("vgs", "--noheadings", "-o", "name"), "it is there")
    if has_device_mapper():
        check_volume(client, path, "one", capacityMiB=8)
    else:
        status, problem = send(client, "POST", path + "/volumes", {"name": "one", "capacityMiB": 8})
        check(status == 502 and "device-mapper" in problem["detail"], "no volume without its driver",
              problem)
    end(client, path)
    check("vg_types" not in inside("vgs", "--noheadings", "-o", "name"), "and gone")


def check_disk(client):
    device = new_disk(64)
    path, shown = make(client, {"name": "t-disk", "type": "disk", "path": "/dev", "build": True,
                                "start": True, "source": {"device": device, "format": "gpt"}})
    check(shown["capacityBytes"] > 32 << 20, "the size of the disk", shown)
    status, problem = send(client, "POST", path + "/volumes", {"name": "any", "capacityMiB": 1})
    check(status == 400 and Path(device).name + "p1" in problem["detail"],
          "a partition has its device's name", problem)
    end(client, path, data=False)


def start_target(folder):
    """A target of iSCSI with one unit: the daemon."""
    image = f"{folder}/unit"
    os.makedirs(folder, exist_ok=True)
    Path(image).write_bytes(bytes(8 << 20))
    server = subprocess.Popen([DAEMON, "exec", "tgtd", "-f", "--iscsi", "portal=127.0.0.1:3260"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for words in (("--mode", "target", "--op", "new", "--tid", "1", "--targetname", TARGET),
                  ("--mode", "logicalunit", "--op", "new", "--tid", "1", "--lun", "1",
                   "--backing-store", image),
                  ("--mode", "target", "--op", "bind", "--tid", "1", "--initiator-address", "ALL")):
        for _ in range(100):
            if subprocess.run([DAEMON, "exec", "tgtadm", "--lld", "iscsi", *words], check=False,
                              stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.1)
    return server


def check_iscsi_direct(client, folder):
    server = start_target(folder)
    try:
        path, shown = make(client, {
            "name": "t-direct", "type": "iscsi-direct", "start": True,
            "source": {"host": "127.0.0.1", "device": TARGET, "initiator": INITIATOR}})
        check(shown["capacityBytes"] >> 10 == (8 << 10) - 1, "the size of its units", shown)
        volumes = send(client, "GET", path + "/volumes?view=full")[1]["volumes"]
        check([(v["name"], v["type"]) for v in volumes] ==
              [(f"unit:0:0:{n}", "network") for n in range(2)] and
              volumes[1]["capacityBytes"] == shown["capacityBytes"], "its units", volumes)
        check(send(client, "POST", path + "/refresh")[0] == 204, "it is read again")
        status, found = send(client, "POST", "/connection/storage-pool-sources", {
            "type": "iscsi-direct", "source": f"<source><host name='127.0.0.1'/><initiator>"
            f"<iqn name='{INITIATOR}'/></initiator></source>"})
        check(status == 200 and TARGET in json.dumps(found), "its targets are found", found)
        status, problem = send(client, "DELETE", path + "/volumes/unit:0:0:1")
        check(status == 501, "a unit is not the gateway's to delete", problem)
        end(client, path, data=False)
    finally:
        server.terminate()
        server.wait()
        inside("tgtadm", "--op", "delete", "--mode", "system", check_it=False)


def check_mpath(client):
    path, _ = make(client, {"name": "t-mpath", "type": "mpath", "path": "/dev/mapper",
                                "start": True})
    same("multipath devices", send(client, "GET", path + "/volumes"), (200, {"volumes": []}))
    end(client, path, data=False)


# ---- types that cannot be here ------------------------------------------------------------


def check_refused(client, conn, folder):
    """Defined, and their start is refused."""
    for kind, source in (("netfs", {"host": "127.0.0.1", "dir": "/none", "format": "nfs"}),
                         ("iscsi", {"host": "127.0.0.1", "device": TARGET}),
                         ("scsi", {"adapter": "host0"})):
        path, body = f"/storage-pools/t-{kind}", {"name": f"t-{kind}", "type": kind,
                                                  "path": f"{folder}/{kind}", "source": source}
        status, shown = send(client, "POST", "/storage-pools", body)
        check(status == 201 and shown["source"].items() >= source.items() - {("format", "")},
              f"a pool of type {kind}", shown)
        pool = conn.storagePoolLookupByName(f"t-{kind}")
        if kind == "netfs":
            check(send(client, "POST", path + "/build")[0] == 204, "its folder is made")
        if pool.isActive() == 0:
            compare_error(client, f"start of {kind}", lambda p=pool: p.create(0), "POST",
                          path + "/start")
        check(send(client, "DELETE", path)[0] == 204, f"{path} is undefined")


def check_unsupported(client, conn):
    known = {p.get("type"): p.get("supported") == "yes" for p in
             ElementTree.fromstring(conn.getStoragePoolCapabilities()).findall("pool")}
    for kind in TYPES:
        if known.get(kind, False):
            continue
        status, problem = send(client, "POST", "/storage-pools", {
            "name": f"t-{kind}", "type": kind, "path": "/nosuch",
            "source": {"host": "127.0.0.1", "name": "x", "dir": "/x"}})
        check(status == 501 and problem["error"]["code"] == libvirt.VIR_ERR_INTERNAL_ERROR and
              kind in problem["detail"], f"no driver for {kind}", problem)
    check(not set(known) - set(TYPES), "types that libvirt has", sorted(known))


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    uri = os.environ["VG_QEMU_URI"]
    conn, gateway = libvirt.open(uri), Gateway(uri)
    client = Client(gateway.port)
    folder = str(Path(uri.split("socket=")[1]).parents[1] / "types")
    check_fs(client, folder)
    check_logical(client)
    check_disk(client)
    check_iscsi_direct(client, folder)
    check_mpath(client)
    check_refused(client, conn, folder)
    check_unsupported(client, conn)
    gateway.stop()
    conn.close()
    report()


if __name__ == "__main__":
    main()
