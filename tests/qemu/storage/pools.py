#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""routes/storage/ on a real host: every read of pools and volumes against what libvirt's Python binding
says in the same run; and the errors of both."""
import json
import os
import subprocess
import sys
import uuid
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import quote

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
sys.path.insert(0, str(ROOT / "tests/qemu"))
from differential import (check_all_read, compare_error, compare_filters_of,  # noqa: E402
                          compare_objects, error_of, read, same, text)
from gateway import Client, Gateway, check, report  # noqa: E402

DAEMON = str(ROOT / "tests/qemu/libvirtd.sh")
STATES = {getattr(libvirt, "VIR_STORAGE_POOL_" + name.upper()): name
          for name in ("inactive", "building", "running", "degraded", "inaccessible")}
TYPES = {getattr(libvirt, "VIR_STORAGE_VOL_" + name.upper()): name
         for name in ("file", "block", "dir", "network", "netdir", "ploop")}
LIST_TYPES = ("dir", "fs", "netfs", "logical", "disk", "iscsi", "scsi", "mpath", "rbd", "sheepdog",
              "gluster", "zfs", "vstorage", "iscsi-direct")
POOL = "<pool type='dir'><name>{}</name><target><path>{}</path></target></pool>"
VOLUMES = (
    "<volume><name>raw é</name><capacity unit='MiB'>8</capacity></volume>",
    "<volume><name>base%</name><capacity unit='MiB'>16</capacity><target><format type='qcow2'/>"
    "<permissions><mode>0640</mode><owner>0</owner><group>0</group></permissions></target></volume>",
    "<volume><name>over</name><capacity unit='MiB'>16</capacity><target><format type='qcow2'/>"
    "</target><backingStore><path>{}/base%</path><format type='qcow2'/></backingStore></volume>",
    "<volume><name>full</name><capacity unit='MiB'>1</capacity><allocation unit='MiB'>1</allocation>"
    "</volume>")


def first(element, path, attribute):
    found = element.find(path) if element is not None else None
    return None if found is None else found.get(attribute)


def brief(pool):
    return {"name": pool.name(), "uuid": pool.UUIDString(), "active": bool(pool.isActive()),
            "persistent": bool(pool.isPersistent()),
            "type": ElementTree.fromstring(pool.XMLDesc(0)).get("type")}


def fields_of(pool):
    """As the gateway shows them."""
    root, info = ElementTree.fromstring(pool.XMLDesc(0)), pool.info()
    source = root.find("source")
    shown = {"host": first(source, "host", "name"), "name": source.findtext("name"),
             "dir": first(source, "dir", "path"), "device": first(source, "device", "path"),
             "format": first(source, "format", "type")}
    want = brief(pool) | {
        "autostart": bool(pool.autostart()) if pool.isPersistent() else False,
        "state": STATES[info[0]], "capacityBytes": info[1], "allocationBytes": info[2],
        "availableBytes": info[3], "path": root.findtext("target/path"),
        "source": {k: v for k, v in shown.items() if v is not None}}
    return {k: v for k, v in want.items() if v not in (None, {})} | {"failure": None}


FULL = ("name", "uuid", "active", "persistent", "type", "autostart", "state", "capacityBytes",
        "allocationBytes", "availableBytes", "failure")


def path_of(pool):
    return "/storage-pools/" + quote(pool.name(), safe="")


def check_pools(client, conn):
    compare_objects(client, "/storage-pools", "storagePools", conn.listAllStoragePools(),
                    (brief, FULL, fields_of))
    compare_filters_of(client, "storagePools", conn.listAllStoragePools,
                       "VIR_CONNECT_LIST_STORAGE_POOLS_")
    for kind in LIST_TYPES:
        flag = "VIR_CONNECT_LIST_STORAGE_POOLS_" + kind.upper().replace("-", "_")
        same(f"pools of type {kind}",
             [p["name"] for p in read(client, f"/storage-pools?type={kind}")["storagePools"]],
             sorted(p.name() for p in conn.listAllStoragePools(getattr(libvirt, flag))))


def digits(element, name):
    found = element.findtext(name)
    return None if found is None else int(found)


def volume_brief(volume):
    return {"name": volume.name(), "key": volume.key()}


def volume_figures(volume):
    kind, capacity, allocation = volume.info()
    return volume_brief(volume) | {
        "path": volume.path(), "type": TYPES[kind], "capacityBytes": capacity,
        "allocationBytes": allocation,
        "physicalBytes": volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)[2]}


def volume_of(volume):
    """As the gateway shows it."""
    root = ElementTree.fromstring(volume.XMLDesc(0))
    want = volume_figures(volume) | {"pool": volume.storagePoolLookupByVolume().name()}
    target, backing = root.find("target"), root.find("backingStore")
    if first(target, "format", "type") is not None:
        want["format"] = first(target, "format", "type")
    if backing is not None and backing.findtext("path") is not None:
        want["backingStore"] = {"path": backing.findtext("path"),
                                "format": first(backing, "format", "type")}
    if (given := target.find("permissions")) is not None:
        shown = {"mode": given.findtext("mode"), "owner": digits(given, "owner"),
                 "group": digits(given, "group"), "label": given.findtext("label")}
        want["permissions"] = {k: v for k, v in shown.items() if v is not None}
    return want


def check_volumes(client, pool):
    path = path_of(pool) + "/volumes"
    volumes = sorted(pool.listAllVolumes(), key=lambda v: v.name())
    check(len(volumes) >= 4, "there are volumes", str(volumes))
    same("volumes", read(client, path)["volumes"], [volume_brief(v) for v in volumes])
    same("volumes with figures", read(client, path + "?view=full")["volumes"],
         [volume_figures(v) for v in volumes])
    same("volumes, read again", read(client, path + "?refresh=true")["volumes"],
         [volume_brief(v) for v in sorted(pool.listAllVolumes(), key=lambda v: v.name())])
    for volume in volumes:
        at, want = path + "/" + quote(volume.name(), safe=""), volume_of(volume)
        same(at, read(client, at), want)
        same(f"{at}/xml", text(client, at + "/xml"), volume.XMLDesc(0))
        same("by its key", read(client, "/volumes?key=" + quote(volume.key(), safe="")), want)
        same("by its path", read(client, "/volumes?path=" + quote(volume.path(), safe="")), want)


def check_errors(client, conn, pool, folder):
    nowhere, path = str(uuid.uuid4()), path_of(pool)
    idle = conn.storagePoolLookupByName("diff idle")
    volume = pool.storageVolLookupByName("full")
    compare_error(client, "no such name", lambda: conn.storagePoolLookupByName("nosuch"), "GET",
                  "/storage-pools/nosuch")
    compare_error(client, "no such UUID", lambda: conn.storagePoolLookupByUUIDString(nowhere), "GET",
                  f"/storage-pools/{nowhere}?by=uuid")
    compare_error(client, "no such target", lambda: conn.storagePoolLookupByTargetPath("/nosuch"),
                  "GET", "/storage-pools/%2Fnosuch?by=path")
    compare_error(client, "none has the target",
                  lambda: conn.storagePoolLookupByTargetPath("/nosuch"), "GET",
                  "/storage-pools?targetPath=/nosuch")
    by_target = "/storage-pools?targetPath=" + quote(folder, safe="")
    same("the one with the target", [p["name"] for p in read(client, by_target)["storagePools"]],
         [conn.storagePoolLookupByTargetPath(folder).name()])
    same("with the target, and inactive",
         read(client, by_target + "&state=inactive")["storagePools"], [])
    compare_error(client, "no such volume", lambda: pool.storageVolLookupByName("nosuch"), "GET",
                  path + "/volumes/nosuch")
    compare_error(client, "no such key", lambda: conn.storageVolLookupByKey("/nosuch"), "GET",
                  "/volumes?key=%2Fnosuch")
    compare_error(client, "no such path", lambda: conn.storageVolLookupByPath("/nosuch"), "GET",
                  "/volumes?path=%2Fnosuch")
    compare_error(client, "start what runs", lambda: pool.create(0), "POST", path + "/start")
    compare_error(client, "build what runs", lambda: pool.build(0), "POST", path + "/build")
    compare_error(client, "delete the data of what runs", lambda: pool.delete(0), "POST",
                  path + "/delete-data")
    compare_error(client, "undefine what runs", pool.undefine, "DELETE", path)
    compare_error(client, "destroy what is off", idle.destroy, "POST", path_of(idle) + "/destroy")
    compare_error(client, "refresh what is off", lambda: idle.refresh(0), "POST",
                  path_of(idle) + "/refresh")
    compare_error(client, "volumes of what is off", idle.listAllVolumes, "GET",
                  path_of(idle) + "/volumes")
    compare_error(client, "start without its folder", lambda: idle.create(0), "POST",
                  path_of(idle) + "/start")
    for what, xml in (("no name", "<pool type='dir'/>"), ("another root", "<network/>"),
                      ("no target", "<pool type='dir'><name>x</name></pool>"),
                      ("no such type", POOL.replace("'dir'", "'x'").format("x", folder)),
                      ("a target twice", POOL.format("twice", folder))):
        compare_error(client, what, lambda x=xml: conn.storagePoolDefineXML(x, 0), "POST",
                      "/storage-pools", xml.encode())
        compare_error(client, what + ", transient", lambda x=xml: conn.storagePoolCreateXML(x, 0),
                      "POST", "/storage-pools?transient=true", xml.encode())
    compare_error(client, "a clone of a taken name", lambda: pool.createXMLFrom(
        VOLUMES[3], volume, 0), "POST", path + "/volumes", b'{"name":"full","clone":"diff run/full"}')
    for what, xml in (("no name", "<volume><capacity>1</capacity></volume>"),
                      ("a taken name", VOLUMES[3]),
                      ("no such format", VOLUMES[1].replace("base%", "x").replace("qcow2", "x"))):
        compare_error(client, "a volume: " + what, lambda x=xml: pool.createXML(x, 0), "POST",
                      path + "/volumes", xml.encode())
    compare_error(client, "an algorithm that files do not have", lambda: volume.wipePattern(
        libvirt.VIR_STORAGE_VOL_WIPE_ALG_TRIM, 0), "POST", path + "/volumes/full/wipe",
        b'{"algorithm":"trim"}')
    # libvirt grows what the file already has, but not beyond the file system
    compare_error(client, "larger than any file", lambda: volume.resize(1 << 62, 0), "POST",
                  path + "/volumes/full/resize", json.dumps({"capacityBytes": 1 << 62}).encode())


def new_disk(mebibytes):
    return subprocess.run([DAEMON, "disk", str(mebibytes)], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def make_pools(conn, folder):
    os.makedirs(folder, exist_ok=True)
    run = conn.storagePoolDefineXML(POOL.format("diff run", folder), 0)
    run.create(0)
    run.setAutostart(1)
    os.makedirs(folder + "-b", exist_ok=True)
    group = conn.storagePoolDefineXML(
        "<pool type='logical'><name>diff-vg</name><source><device path='{}'/><name>vg_diff</name>"
        "<format type='lvm2'/></source><target><path>/dev/vg_diff</path></target></pool>".format(
            new_disk(32)), 0)
    group.build(0)
    group.create(0)
    return [run, conn.storagePoolDefineXML(POOL.format("diff idle", folder + "-idle"), 0),
            conn.storagePoolCreateXML(POOL.format("diff%é", folder + "-b"), 0), group,
            conn.storagePoolDefineXML(
                "<pool type='iscsi-direct'><name>diff-iscsi</name><source><host name='127.0.0.1'/>"
                "<device path='iqn.2026-01.example:t'/><initiator><iqn name='iqn.2026-01.example:i'/>"
                "</initiator></source></pool>", 0)]


def remove(pool):
    persistent = pool.isPersistent()
    if pool.isActive():
        for volume in pool.listAllVolumes():
            volume.delete(0)
        pool.destroy()
    if persistent:
        error_of(lambda: pool.delete(0))
        pool.undefine()


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    uri = os.environ["VG_QEMU_URI"]
    conn, gateway = libvirt.open(uri), Gateway(uri)
    client = Client(gateway.port)
    folder = str(Path(uri.split("socket=")[1]).parents[1] / "pools")
    mine = make_pools(conn, folder)
    try:
        for xml in VOLUMES:
            mine[0].createXML(xml.format(folder), 0)
        check_pools(client, conn)
        check_volumes(client, mine[0])
        check_errors(client, conn, mine[0], folder)
        check_all_read("/storage-pools", ("/events", "/content"))
        check_all_read("/volumes")
    finally:
        for pool in mine:
            remove(pool)
    gateway.stop()
    conn.close()
    report()


if __name__ == "__main__":
    main()
