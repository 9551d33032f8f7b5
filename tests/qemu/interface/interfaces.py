#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""routes/interface/ on a real host, whose backend only reads: what its interfaces are, compared with
libvirt's Python binding; every change is refused with libvirt's error."""
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
sys.path.insert(0, str(ROOT / "tests/qemu"))
from differential import check_all_read, compare_error, same, text  # noqa: E402
from gateway import Client, Gateway, check, report  # noqa: E402
from operations import eventually  # noqa: E402

DAEMON = str(ROOT / "tests/qemu/libvirtd.sh")
LINKS = ((("link", "add", "vgi0", "type", "veth", "peer", "name", "vgi1"),
          ("link", "add", "vgbr", "type", "bridge"),
          ("link", "set", "vgi0", "master", "vgbr"),
          ("link", "set", "vgi1", "mtu", "1400"),
          ("link", "set", "vgi0", "up"),
          ("link", "set", "vgi1", "up"),
          ("link", "set", "vgbr", "up")))
ETHERNET = "<interface type='ethernet' name='vgi9'/>"


def ip(*words):
    subprocess.run([DAEMON, "exec", "ip", *words], check=True)


def until_up():
    """The kernel looks at links in its own time."""
    def states():
        return subprocess.run([DAEMON, "exec", "sh", "-c", "cat /sys/class/net/vg*/operstate"],
                              check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    check(eventually(lambda: states() == ["up"] * 3), "the links are up", states())


def read(client, path):
    return json.loads(text(client, path) or "{}")


def fields_of(interface):
    """As the gateway shows them."""
    root = ElementTree.fromstring(interface.XMLDesc(0))
    want = {"name": interface.name(), "mac": interface.MACString(),
            "active": bool(interface.isActive()), "type": root.get("type")}
    if (mtu := root.find("mtu")) is not None:
        want["mtu"] = int(mtu.get("size"))
    if (link := root.find("link")) is not None:
        want["link"] = {"state": link.get("state")}
        if link.get("speed"):
            want["link"]["speedMbps"] = int(link.get("speed"))
    if (bridge := root.find("bridge")) is not None:
        want["ports"] = [i.get("name") for i in bridge.findall("interface")]
    return want


def check_reads(client, conn):
    interfaces = sorted(conn.listAllInterfaces(0), key=lambda i: i.name())
    same("their names", [i.name() for i in interfaces], ["lo", "vgbr", "vgi1"])
    want = [fields_of(i) for i in interfaces]
    same("the full list", read(client, "/interfaces?view=full")["interfaces"], want)
    same("the default list", read(client, "/interfaces")["interfaces"],
         [{k: f[k] for k in ("name", "mac", "active")} for f in want])
    for i, fields in zip(interfaces, want):
        path = "/interfaces/" + i.name()
        same(path, read(client, path), fields)
        same(f"{path}/xml", text(client, path + "/xml"), i.XMLDesc(0))
        same(f"{path}/xml, inactive", text(client, path + "/xml?flags=inactive"),
             i.XMLDesc(libvirt.VIR_INTERFACE_XML_INACTIVE))
        same(f"{path} by MAC", read(client, "/interfaces/" + i.MACString()),
             fields_of(conn.interfaceLookupByMACString(i.MACString())))
    same("the bridge's port", read(client, "/interfaces/vgbr")["ports"], ["vgi0"])
    for state in ("active", "inactive"):
        flag = getattr(libvirt, "VIR_CONNECT_LIST_INTERFACES_" + state.upper())
        same(f"state={state}",
             [i["name"] for i in read(client, f"/interfaces?state={state}")["interfaces"]],
             sorted(i.name() for i in conn.listAllInterfaces(flag)))
    compare_error(client, "no such interface", lambda: conn.interfaceLookupByName("nosuch"), "GET",
                  "/interfaces/nosuch")
    mac = "02:00:00:00:00:99"
    compare_error(client, "no such MAC", lambda: conn.interfaceLookupByMACString(mac), "GET",
                  f"/interfaces/{mac}?by=mac")


def check_several(client, conn):
    """Two with one address."""
    mac = "02:00:00:00:00:07"
    for name in ("vgi0", "vgi1"):
        ip("link", "set", name, "address", mac)
    compare_error(client, "several", lambda: conn.interfaceLookupByMACString(mac), "GET",
                  "/interfaces/" + mac)
    same("is a conflict", client.send("GET", "/interfaces/" + mac)[0], 409)


def check_changes(client, conn):
    interface = conn.interfaceLookupByName("vgi1")
    path = "/interfaces/vgi1"
    compare_error(client, "define", lambda: conn.interfaceDefineXML(ETHERNET, 0), "POST",
                  "/interfaces", ETHERNET.encode())
    compare_error(client, "redefine", lambda: conn.interfaceDefineXML(ETHERNET, 0), "PUT",
                  path + "/xml", ETHERNET.replace("vgi9", "vgi1").encode())
    compare_error(client, "start", lambda: interface.create(0), "POST", path + "/start")
    compare_error(client, "destroy", lambda: interface.destroy(0), "POST", path + "/destroy")
    compare_error(client, "undefine", interface.undefine, "DELETE", path)
    compare_error(client, "begin", lambda: conn.changeBegin(0), "POST", "/interface-change")
    compare_error(client, "commit", lambda: conn.changeCommit(0), "POST",
                  "/interface-change/commit")
    compare_error(client, "roll back", lambda: conn.changeRollback(0), "POST",
                  "/interface-change/rollback")


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    conn = libvirt.open(os.environ["VG_QEMU_URI"])
    gateway = Gateway(os.environ["VG_QEMU_URI"])
    client = Client(gateway.port)
    for words in LINKS:
        ip(*words)
    until_up()
    try:
        check_reads(client, conn)
        check_several(client, conn)
        check_changes(client, conn)
    finally:
        ip("link", "del", "vgi0")
        ip("link", "del", "vgbr")
    check_all_read("/interfaces")
    gateway.stop()
    conn.close()
    report()


if __name__ == "__main__":
    main()
