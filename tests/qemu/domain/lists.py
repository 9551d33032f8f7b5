#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lists that tell titles, agents and addresses: what is remembered of each guest's document is asked
once, and again only of the guest that has changed, whoever changes it; leases are a call for each
network, shared for a few seconds. Calls are counted by the traced gateway.
"""
import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/harness"), str(ROOT / "tests/qemu")]
from gateway import check, record, report  # noqa: E402
from call_counts import Counted  # noqa: E402

LIVE = ("listed-a", "listed-b")
MACS = {"listed-a": "52:54:00:5d:00:01", "listed-b": "52:54:00:5d:00:02"}
FIXED = {"listed-a": "192.168.78.5", "listed-b": "192.168.78.6"}
NET = """<network><name>listed</name><bridge name='vglisted'/><ip address='192.168.78.1'
netmask='255.255.255.0'><dhcp><range start='192.168.78.10' end='192.168.78.90'/>
<host mac='52:54:00:5d:00:01' ip='192.168.78.5'/><host mac='52:54:00:5d:00:02' ip='192.168.78.6'/>
</dhcp></ip></network>"""
TRIES = 30


def guest(name, devices=""):
    return f"""<domain type='qemu'><name>{name}</name><title>of {name}</title>
<memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type><boot dev='network'/></os>
<features><acpi/></features><devices><controller type='usb' model='none'/><memballoon model='none'/>{devices}</devices></domain>"""


def interface(name):
    return f"""<interface type='network'><mac address='{MACS[name]}'/><source network='listed'/>
<model type='e1000'/></interface>"""


class Lists:
    def __init__(self, counted):
        self.counted = counted

    def get(self, path, who="all", source="libvirt"):
        """{name: guest}, {function: calls that are made for each guest or network}."""
        body, calls = self.counted.get(path, source, {"Authorization": f"Bearer {who}"})
        return ({d["name"]: d for d in body["domains"] if d["name"].startswith("listed")},
                {name: n for name, n in calls.items() if name in (
                    "virDomainGetMetadata", "virDomainGetXMLDesc", "virConnectListAllNetworks",
                    "virNetworkGetDHCPLeases")})

    def send(self, method, path, body=None, who="all"):
        status, headers, text = self.counted.client.send(
            method, path, body and json.dumps(body).encode(), {"Authorization": f"Bearer {who}"})
        record(method, path, status, dict(headers), text.decode())
        return status, text


def await_that(what, good):
    """Events come in their own time."""
    for _ in range(1200):
        if seen := good():
            break
        time.sleep(0.05)
    check(seen, what)


# Never from the answers that are kept: memory changes with every list.
WITH_TITLE = "/domains?fields=name,title,agent,autostart"


def settle(lists):
    """A list for which no guest is asked: what has just changed is asked again."""
    await_that("lists come to rest", lambda: not lists.get(WITH_TITLE)[1])


def check_titles(lists, doms):
    settle(lists)
    got, _ = lists.get(WITH_TITLE)
    check({n: d["title"] for n, d in got.items()} == {n: f"of {n}" for n in doms}, "titles", got)
    doms["listed-a"].setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "another", None, None,
                                 libvirt.VIR_DOMAIN_AFFECT_LIVE)
    asked = []

    def is_told():
        got, calls = lists.get(WITH_TITLE)
        asked.append(sum(calls.values()))
        return got["listed-a"]["title"] == "another"
    await_that("a title that virsh changes", is_told)
    check(max(asked) == 1, "one guest is asked, not all", asked)
    settle(lists)
    doms["listed-off"].setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "off", None, None,
                                   libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    await_that("a title of one that is off",
               lambda: lists.get(WITH_TITLE)[0]["listed-off"]["title"] == "off")
    status, text = lists.send("DELETE", "/domains/listed-off/metadata?type=title")
    check(status == 204, "a title goes", (status, text))
    check(lists.get(WITH_TITLE)[0]["listed-off"]["title"] is None, "no title")


def check_own_changes(lists):
    """What the gateway changes is shown by whatever is read after that, by any name for the guest."""
    uuid = lists.get("/domains?fields=name,uuid,autostart")[0]["listed-a"]["uuid"]
    wrong = []
    for i in range(TRIES):
        by = ("listed-a", uuid, uuid.upper())[i % 3]
        flags = {"flags": ["live"]}
        status, text = lists.send("PUT", f"/domains/{by}/metadata",
                                  {"type": "title", "value": f"t{i}", **flags})
        check(status == 204, "a title is set", (status, text))
        for path in (WITH_TITLE, "/domains?fields=name,title"):
            told = lists.counted.client.get(path, {"Authorization": "Bearer all"})[2]["domains"]
            if [d["title"] for d in told if d["name"] == "listed-a"] != [f"t{i}"]:
                wrong.append((i, path))
    check(not wrong, "own changes are seen at once", wrong)


def check_whole_answers(lists):
    """Titles do not keep an answer from being given from memory."""
    path = "/domains?fields=name,state,title"
    await_that("events settle", lambda: lists.counted.client.send(
        "GET", path, headers={"Authorization": "Bearer all"})[1]["X-Virtgate-Source"] == "inventory")
    got, calls = lists.get(path, source="inventory")
    check(got["listed-b"]["title"] == "of listed-b" and not calls, "from memory", (got, calls))


def check_addresses(lists, doms, conn):
    path = "/domains?fields=name,addresses"
    want = {name: [{"mac": MACS[name], "type": "ipv4", "address": FIXED[name], "prefix": 24,
                    "source": "lease"}]
            for name in LIVE} | {"listed-off": []}

    def told():
        return {n: d["addresses"] for n, d in lists.get(path)[0].items()}
    # the guests' firmware asks for an address when it boots from the network
    end = time.monotonic() + 240
    while told() != want and time.monotonic() < end:
        time.sleep(0.5)
    check(told() == want, "addresses", told())
    settle(lists)
    await_that("leases are shared for a while", lambda: lists.get(path)[1] == {})
    time.sleep(3.1)  # VG_LEASES_SECONDS
    networks = len(conn.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE))
    check(lists.get(path)[1] == {"virConnectListAllNetworks": 1,
                                 "virNetworkGetDHCPLeases": networks}, "then read again")
    one = json.loads(lists.send("GET", "/domains/listed-a?fields=addresses")[1])
    check(one == {"addresses": want["listed-a"]}, "of one guest", one)
    status, text = lists.send("GET", path, who="blind")
    check(status == 403 and b"network:read" in text, "leases need a right", (status, text))
    got, _ = lists.get(path, "scoped")
    check(list(got) == ["listed-b"] and got["listed-b"]["addresses"] == want["listed-b"],
          "a token of one guest", got)
    # an interface that comes, with the lease that another guest's had
    doms["listed-a"].destroy()
    await_that("one that is gone", lambda: "listed-a" not in told())
    doms["listed-b"].attachDeviceFlags(interface("listed-a"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    await_that("of an interface that came", lambda: told()["listed-b"] ==
               want["listed-b"] + want["listed-a"])


def main():
    uri = os.environ["VG_QEMU_URI"]
    conn = libvirt.open(uri)
    libvirt.registerErrorHandler(lambda *_: None, None)
    net = conn.networkCreateXML(NET)
    doms = {name: conn.createXML(guest(name, interface(name))) for name in LIVE}
    doms["listed-off"] = conn.defineXML(guest("listed-off"))
    with tempfile.TemporaryDirectory(prefix="vg-lists-") as folder:
        tokens = Path(folder, "tokens")
        tokens.touch(mode=0o600)
        tokens.write_text("".join(
            f"{name} {role} {hashlib.sha256(name.encode()).hexdigest()} {rest}\n"
            for name, role, rest in (("all", "admin", ""), ("blind", "viewer", "deny=network:read"),
                                     ("scoped", "viewer", "domains=*-b"))), encoding="utf-8")
        lists = Lists(Counted(uri, "--token-file", str(tokens)))
        check_titles(lists, doms)
        check_own_changes(lists)
        check_whole_answers(lists)
        check_addresses(lists, doms, conn)
        lists.counted.gateway.stop()
    doms["listed-b"].destroy()
    doms["listed-off"].undefine()
    net.destroy()
    conn.close()
    report()


main()
