#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""routes/node_device/ on a real host: what its devices are, compared with libvirt's Python binding;
the life of a mediated device up to its start, which needs a driver that is not here, and what else
cannot succeed, with libvirt's error; that lists from memory never miss a write, nor for long a
device that comes or goes."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
sys.path.insert(0, str(ROOT / "tests/qemu"))
from differential import check_all_read, compare_error, error_of, same  # noqa: E402
from gateway import Client, Gateway, check, record, report  # noqa: E402

DAEMON = str(ROOT / "tests/qemu/libvirtd.sh")
BRIDGE = "pci_0000_00_00_0"  # nobody misses it: it has no driver
UUID = "3f3a2e0c-5ad6-4b7e-9f54-2ad9d8f3a1b0"
WWN = ("2000000012341234", "1000000012341234")
# The names that devices have for what libvirt's flags list.
CAPABILITIES = {"system": "SYSTEM", "pci": "PCI_DEV", "usb_device": "USB_DEV",
                "usb": "USB_INTERFACE", "net": "NET", "scsi_host": "SCSI_HOST",
                "scsi_target": "SCSI_TARGET", "scsi": "SCSI", "storage": "STORAGE",
                "fc_host": "FC_HOST", "vports": "VPORTS", "scsi_generic": "SCSI_GENERIC",
                "drm": "DRM", "mdev_types": "MDEV_TYPES", "mdev": "MDEV", "ccw": "CCW_DEV",
                "css": "CSS_DEV", "vdpa": "VDPA", "ap_card": "AP_CARD", "ap_queue": "AP_QUEUE",
                "ap_matrix": "AP_MATRIX", "vpd": "VPD"}


def mdev(parent=BRIDGE):
    return (f"<device><parent>{parent}</parent><capability type='mdev'><type id='some-type'/>"
            f"<uuid>{UUID}</uuid></capability></device>").encode()


def send(client, method, path, body=None):
    """Status and answer, for the record of what the API was seen to do, too."""
    status, headers, answer = client.send(method, path, body)
    shown = answer.decode()
    value = json.loads(shown) if shown[:1] in ("{", "[") else shown or None
    record(method, path, status, {k.lower(): v for k, v in headers.items()}, value)
    return status, value


def names(client, query=""):
    status, body = send(client, "GET", "/node-devices" + query)
    check(status == 200, f"list {query}", str(body))
    return [d["name"] for d in body["nodeDevices"]]


def pages(client, query):
    found, after = [], ""
    while True:
        body = send(client, "GET", "/node-devices" + query + after)[1]
        found += [d["name"] for d in body["nodeDevices"]]
        if "next" not in body:
            return found
        after = "&after=" + quote(body["next"], safe="")


def flag(name):
    return getattr(libvirt, "VIR_CONNECT_LIST_NODE_DEVICES_" + name)


def names_of(conn, flags):
    return sorted(d.name() for d in conn.listAllDevices(flags))


def ip(*words):
    subprocess.run([DAEMON, "exec", "ip", *words], check=True)
    subprocess.run([DAEMON, "exec", "udevadm", "settle", "-t", "10"], check=False)


def wait_for(what, condition):
    done = time.monotonic() + 60
    while not condition():
        if not check(time.monotonic() < done, what):
            return
        time.sleep(0.02)
    check(True, what)


# ---- what they are -------------------------------------------------------------------------


def compare_device(client, dev):
    path = "/node-devices/" + quote(dev.name(), safe="")
    status, got = send(client, "GET", path)
    check(status == 200, path, str(got))
    want = {"name": dev.name(), "active": bool(dev.isActive()),
            "persistent": bool(dev.isPersistent()), "autostart": bool(dev.autostart()),
            "parent": dev.parent(), "capabilities": dev.listCaps()}
    same(path, {k: got.get(k, "(absent)") for k in want}, want)
    xml = dev.XMLDesc(0)
    same(f"{path}/xml", send(client, "GET", path + "/xml"), (200, xml))
    for field in ("path", "driver"):
        check((f"<{field}>" in xml) == (field in got), f"{path} {field}", str(got))
    config = send(client, "GET", path + "?view=config")[1]["device"]
    same(f"{path} capability", got.get("capability"), config.get("capability"))
    same(f"{path}/autostart", send(client, "GET", path + "/autostart"),
         (200, {"autostart": bool(dev.autostart())}))


def check_devices(client, conn):
    devices = conn.listAllDevices(0)
    same("all devices", names(client), sorted(d.name() for d in devices))
    check(BRIDGE in names(client), "a PCI device is there")
    for dev in devices:
        compare_device(client, dev)
    full = send(client, "GET", "/node-devices?view=full")[1]["nodeDevices"]
    same("the full list", full,
         [send(client, "GET", "/node-devices/" + quote(d["name"], safe=""))[1] for d in full])


def check_filters(client, conn):
    for name, what in CAPABILITIES.items():
        same(f"capability={name}", names(client, f"?capability={name}"),
             names_of(conn, flag("CAP_" + what)))
    same("two capabilities", names(client, "?capability=pci,net"),
         names_of(conn, flag("CAP_PCI_DEV") | flag("CAP_NET")))
    for state, what in (("active", "ACTIVE"), ("inactive", "INACTIVE")):
        same(f"state={state}", names(client, f"?state={state}"), names_of(conn, flag(what)))
    same("both states", names(client, "?state=active,inactive"), names(client))
    same("capability and state", names(client, "?capability=net&state=inactive"), [])
    for word, yes in (("true", 1), ("false", 0)):
        want = sorted(d.name() for d in conn.listAllDevices(0) if d.isPersistent() == yes)
        same(f"persistent={word}", names(client, f"?persistent={word}"), want)
        same(f"persistent={word}, page by page", pages(client, f"?persistent={word}&limit=1"), want)


def check_refusals(client, conn):
    """What cannot succeed here, and how libvirt says so."""
    dev = conn.nodeDeviceLookupByName(BRIDGE)
    path = f"/node-devices/{BRIDGE}"
    root = "/node-devices/computer"
    compare_error(client, "no such device", lambda: conn.nodeDeviceLookupByName("nosuch"), "GET",
                  "/node-devices/nosuch")
    compare_error(client, "autostart of what is no mdev", lambda: dev.setAutostart(1), "PUT",
                  path + "/autostart", b'{"autostart":true}')
    compare_error(client, "undefine what is not defined", lambda: dev.undefine(0), "DELETE", path)
    compare_error(client, "start what is active", lambda: dev.create(0), "POST", path + "/start")
    compare_error(client, "destroy what cannot be", dev.destroy, "POST", path + "/destroy")
    # the machine itself: none of this is ever tried on a device that it needs
    computer = conn.nodeDeviceLookupByName("computer")
    compare_error(client, "detach", lambda: computer.detachFlags(None, 0), "POST",
                  root + "/detach")
    compare_error(client, "detach with a driver", lambda: computer.detachFlags("vfio", 0), "POST",
                  root + "/detach", b'{"driver":"vfio"}')
    compare_error(client, "reattach", computer.reAttach, "POST", root + "/reattach")
    compare_error(client, "reset", computer.reset, "POST", root + "/reset")
    compare_error(client, "create an mdev", lambda: conn.nodeDeviceCreateXML(mdev().decode(), 0),
                  "POST", "/node-devices?transient=true", mdev())
    compare_error(client, "an mdev on nothing",
                  lambda: conn.nodeDeviceDefineXML(mdev("nosuch").decode(), 0), "POST",
                  "/node-devices", mdev("nosuch"))
    check(error_of(lambda: conn.nodeDeviceLookupSCSIHostByWWN(*WWN, 0)) is not None,
          "no bus adapter is here")
    status, problem = send(client, "GET", "/node-devices?wwnn={}&wwpn={}".format(*WWN))
    same("look-up by WWN, of which libvirt says nothing", (status, problem["type"]),
         (404, "urn:virtgate:error:not-found"))
    status, body = send(client, "POST", path + "/reattach")
    same("reattach what was never detached", (status, body), (204, None))


# ---- mediated devices ----------------------------------------------------------------------


def check_mdev(client, conn):
    since = client.send("GET", "/node-devices")[1]["X-Virtgate-Revision"]
    status, made = send(client, "POST", "/node-devices", mdev())
    if not check(status == 201, "define an mdev", str(made)):
        return
    path = "/node-devices/" + made["name"]
    dev = conn.nodeDeviceLookupByName(made["name"])
    same("what was defined", {k: made[k] for k in ("active", "persistent", "autostart", "parent",
                                                   "capabilities")},
         {"active": False, "persistent": True, "autostart": False, "parent": BRIDGE,
          "capabilities": ["mdev"]})
    compare_device(client, dev)
    same("it is inactive", names(client, "?state=inactive"), [made["name"]])
    same("it is persistent", names(client, "?persistent=true&capability=mdev"), [made["name"]])
    status, answer = send(client, "POST", "/node-devices", mdev())
    redefined = status == 200
    check(redefined and answer["name"] == made["name"] or status == 409,
          "what is there is a conflict, or the same", f"{status} {answer}")
    status, _, answer = client.send("POST", "/node-devices", mdev(), {"If-None-Match": "*"})
    same("only a new one", (status, json.loads(answer)["type"]),
         (412, "urn:virtgate:error:precondition-failed"))
    same("autostart", send(client, "PUT", path + "/autostart", b'{"autostart":true}'),
         (200, {"autostart": True}))
    same("libvirt's own", dev.autostart(), True)
    compare_error(client, "start without its driver", lambda: dev.create(0), "POST",
                  path + "/start")
    compare_error(client, "destroy what is inactive", dev.destroy, "POST", path + "/destroy")
    same("undefine", send(client, "DELETE", path), (204, None))
    compare_error(client, "it has gone", lambda: conn.nodeDeviceLookupByName(made["name"]), "GET",
                  path)
    seen = events(client, since, made["name"], 5 if redefined else 4)
    own = [event for event in seen if event[0] == "autostart-change"]
    same("what the gateway changed, of which libvirt tells nothing", own, [("autostart-change", None)])
    same("its events", list(dict.fromkeys(event for event in seen if event not in own)),
         [("lifecycle", "defined"), ("update", None), ("lifecycle", "undefined")])
    status, problem = send(client, "POST", "/node-devices?start=true", mdev())
    check(status >= 400 and "mediated device" in problem["detail"], "define and start",
          f"{status} {problem}")
    check(made["name"] not in names(client), "which leaves no definition")


def events(client, since, name, amount):
    """The first events of that device since then."""
    found, done = [], time.monotonic() + 60
    while (len(found) < amount or ("lifecycle", "undefined") not in found) and time.monotonic() < done:
        _, _, body = client.get(f"/events?object=node-device&wait=5&since={since}",
                                {"Accept": "application/json"})
        since = body["revision"]
        found += [(e["event"], e.get("type")) for e in body["events"]
                  if e["nodeDevice"]["name"] == name]
    return found


# ---- memory --------------------------------------------------------------------------------


def check_own_writes(client):
    """Each list after a write has it, from memory or not."""
    sources = []
    for _ in range(10):
        status, made = send(client, "POST", "/node-devices", mdev())
        for there in (True, False):
            for _ in range(2):
                got, headers, body = client.get("/node-devices?state=inactive")
                sources.append(headers["X-Virtgate-Source"])
                check(got == 200 and [d["name"] for d in body["nodeDevices"]] ==
                      [made["name"]] * there, "a list after a write", f"{status} {body}")
            if there:
                send(client, "DELETE", "/node-devices/" + made["name"])
    print(f"# {len(sources)} lists after writes, {sources.count('inventory')} from memory")


def check_behind_its_back(client):
    """A network interface comes and goes: list, then watch, is the list at each time."""
    wait_for("the list is given from memory", lambda: client.send("GET", "/node-devices")[1]
             ["X-Virtgate-Source"] == "inventory")
    for _ in range(3):
        _, headers, body = client.get("/node-devices")
        known = {d["name"] for d in body["nodeDevices"]}
        since = headers["X-Virtgate-Revision"]
        ip("link", "add", "vgv0", "type", "veth", "peer", "name", "vgv1")
        wait_for("it is in the list", lambda: sum("_vgv" in n for n in names(client)) == 2)
        ip("link", "del", "vgv0")
        wait_for("and gone", lambda: not any("_vgv" in n for n in names(client)))
        told, end = [], time.monotonic() + 60
        while len(told) < 4 and time.monotonic() < end:  # a list may be ahead of the events
            _, _, body = client.get(f"/events?object=node-device&wait=5&since={since}",
                                    {"Accept": "application/json"})
            told, since = told + body["events"], body["revision"]
        seen = set(known)
        for e in told:
            if e.get("type") == "created":
                seen.add(e["nodeDevice"]["name"])
            elif e.get("type") == "deleted":
                seen.discard(e["nodeDevice"]["name"])
        check(len(told) >= 4, "both ends came and went", str(told))
        same("events lead from list to list", seen, set(names(client)))


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    conn = libvirt.open(os.environ["VG_QEMU_URI"])
    gateway = Gateway(os.environ["VG_QEMU_URI"])
    client = Client(gateway.port)
    for what in (check_devices, check_filters, check_refusals, check_mdev):
        what(client, conn)
    check_own_writes(client)
    check_behind_its_back(client)
    check_all_read("/node-devices", ("/events",))
    gateway.stop()
    conn.close()
    report()


if __name__ == "__main__":
    main()
