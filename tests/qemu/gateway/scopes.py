#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A token with `domains=` on a real host: what networks, filters and errors tell of guests.

web-1 and db-1 run on a network of their own; db-1 is hidden. Whatever can be read without naming a
guest is searched for db-1's name, UUID and MAC address, and each of its parts answers as one that
does not exist. tests/api/http/scopes.py asks every row.
"""
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
from gateway import Client, Gateway, check, record, report  # noqa: E402

UUIDS = {"web-1": "6f1c1b7e-5b0e-4f6e-9d50-0c6a2e0d1a01", "db-1": "6f1c1b7e-5b0e-4f6e-9d50-0c6a2e0d1a02"}
MACS = {"web-1": "52:54:00:5c:00:01", "db-1": "52:54:00:5c:00:02"}
NET = """<network><name>scoped</name><bridge name='vgscoped'/><ip address='192.168.77.1'
netmask='255.255.255.0'><dhcp><range start='192.168.77.10' end='192.168.77.90'/>
<host mac='52:54:00:5c:00:01' name='one' ip='192.168.77.5'/>
<host mac='52:54:00:5c:00:02' name='two' ip='192.168.77.6'/></dhcp></ip></network>"""


def guest(name):
    return f"""<domain type='qemu'><name>{name}</name><uuid>{UUIDS[name]}</uuid>
<memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type><boot dev='network'/>
</os><devices><controller type='usb' model='none'/><memballoon model='none'/><interface type='network'><mac address='{MACS[name]}'/><source network='scoped'/>
<model type='e1000'/><filterref filter='scoped'/></interface></devices></domain>"""


def get(client, path, who="web", method="GET", body=None):
    status, head, text = client.send(method, path, body, {"Authorization": f"Bearer {who}"})
    record(method, path, status, dict(head), text.decode())
    return status, text.decode()


def is_told(text):
    return [w for w in ("db-1", UUIDS["db-1"], MACS["db-1"]) if w in text]


def plain(answer, it):
    status, text = answer
    return status, re.sub(r'"requestId":"[^"]*"', "", text.replace(it, "<it>"))


def same(client, pattern, hidden, missing, method="GET"):
    got = [plain(get(client, pattern.format(it), method=method), it) for it in (hidden, missing)]
    check(got[0] == got[1] and got[0][0] == 404, f"{method} {pattern} of {hidden}", got)


def leases_of(client, who):
    answer = json.loads(get(client, "/networks/scoped/dhcp-leases", who)[1])
    return sorted(lease["mac"] for lease in answer["leases"])


def wait_for_leases(client):
    """The guests' firmware asks for an address when it boots from the network."""
    end = time.monotonic() + 240
    while len(leases_of(client, "all")) < 2 and time.monotonic() < end:
        time.sleep(0.5)


def check_network(client):
    listed = {who: json.loads(get(client, "/networks/scoped/ports", who)[1])["ports"]
              for who in ("all", "web")}
    check(len(listed["all"]) == 2 and len(listed["web"]) == 1, "ports", listed)
    hidden = next(p["uuid"] for p in listed["all"] if p not in listed["web"])
    owner = json.loads(get(client, f"/networks/scoped/ports/{listed['web'][0]['uuid']}")[1])
    check(owner["owner"]["name"] == "web-1", "the port of its own guest", owner)
    for tail in ("", "/xml", "/parameters"):
        same(client, "/networks/scoped/ports/{}" + tail, hidden, str(uuid.uuid4()))
    hosts = {who: [h["mac"] for h in json.loads(
        get(client, "/networks/scoped/dhcp-hosts", who)[1])["dhcpHosts"]] for who in listed}
    check(hosts == {"all": list(MACS.values()), "web": [MACS["web-1"]]}, "fixed addresses", hosts)
    same(client, "/networks/scoped/dhcp-hosts/{}", MACS["db-1"], "52:54:00:5c:00:03")
    check(leases_of(client, "all") == list(MACS.values()) and
          leases_of(client, "web") == [MACS["web-1"]], "leases", leases_of(client, "all"))
    got = get(client, f"/networks/scoped/dhcp-leases?mac={MACS['db-1']}")
    check(json.loads(got[1]) == {"leases": []}, "the lease of a hidden guest", got)


def check_bindings(client):
    listed = {who: [b["portDev"] for b in json.loads(
        get(client, "/nwfilter-bindings", who)[1])["nwfilterBindings"]] for who in ("all", "web")}
    check(len(listed["all"]) == 2 and len(listed["web"]) == 1, "bindings", listed)
    hidden = next(iter(set(listed["all"]) - set(listed["web"])))
    for tail in ("", "/xml"):
        same(client, "/nwfilter-bindings/{}" + tail, hidden, "vnet99")
    same(client, "/nwfilter-bindings/{}", hidden, "vnet99", "DELETE")


def check_content(client):
    """Every read of the table that names nothing, and what is below the network."""
    out = subprocess.run([os.environ.get("VIRTGATE_BIN", "build/virtgate"), "--dump-routes"],
                         check=True, text=True, capture_output=True, timeout=20).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    since = client.send("GET", "/domains", headers={"Authorization": "Bearer all"})[1][
        "X-Virtgate-Revision"]
    get(client, "/domains/db-1/suspend", "all", "POST")
    get(client, "/domains/db-1/resume", "all", "POST")
    for row in rows:
        path = row["pattern"].replace("{network}", "scoped")
        if row["method"] != "GET" or "{" in path or row["gives"] == "websocket" or \
                path in ("/networks/scoped", "/networks/scoped/xml"):
            continue
        for mark in ([f"?wait=0&since={since}"] if row["gives"] == "events" else
                     ["", "?view=full"]):
            status, text = get(client, path + mark)
            check(not is_told(text), f"{path}{mark} tells of nobody", f"{status} {is_told(text)}")


def check_errors(client):
    """libvirt quotes the guest that has the UUID, and finds it by what is sent."""
    made = guest("web-1").replace("web-1", "web-2").replace(UUIDS["web-1"], UUIDS["db-1"])
    status, text = get(client, "/domains", "web", "POST", made.encode())
    check(status == 409 and "db-1" not in text, "a UUID that is taken", (status, text))
    for by in (UUIDS["db-1"], "db-1"):
        for tail in ("", "/xml", "/stats", "/state", "/interfaces", "/addresses", "/job"):
            same(client, "/domains/{}" + tail, by,
                 str(uuid.uuid4()) if by == UUIDS["db-1"] else "db-2")


def check_volumes(client, conn, folder):
    """A volume that web-2 and db-1 have is neither written nor deleted, and db-1 is not named."""
    pool = conn.storagePoolCreateXML(f"<pool type='dir'><name>scoped</name><target><path>{folder}"
                                     "</path></target></pool>")
    for name in ("shared", "own"):
        pool.createXML(f"<volume><name>{name}</name><capacity>512</capacity></volume>")

    def disks(names):
        return "".join(f"<disk type='volume'><source pool='scoped' volume='{name}'/><target "
                       f"dev='vd{'ab'[i]}' bus='virtio'/></disk>" for i, name in enumerate(names))

    def define(name, names):
        return conn.defineXML(f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>"
                              "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
                              f"{disks(names)}</devices></domain>")

    define("web-2", ("shared", "own"))
    other = define("db-2", ("shared",))
    status, text = get(client, "/domains/web-2?volumes=true", "web", "DELETE")
    check(status == 409 and "db-2" not in text and "'shared'" in text and
          sorted(pool.listVolumes()) == ["own", "shared"], "a hidden guest's volume", (status, text))
    other.create()
    for method, tail in (("PUT", ""), ("POST", "/zero")):
        status, _, text = client.send(
            method, f"/storage-pools/scoped/volumes/shared/content{tail}",
            b"x" * 512 if method == "PUT" else b'{"offset":0,"length":512}',
            {"Authorization": "Bearer web", **({"Content-Type": "application/octet-stream"}
                                               if method == "PUT" else {})})
        check(status == 409 and b"db-2" not in text and b"outside of this token" in text,
              f"{method} content{tail} of a hidden guest's volume", (status, text))
    other.destroy()
    other.undefine()
    status, text = get(client, "/domains/web-2?volumes=true", "web", "DELETE")
    check(status == 204 and pool.listVolumes() == [], "its own volumes", (status, text))
    pool.destroy()


def main():
    uri = os.environ["VG_QEMU_URI"]
    conn = libvirt.open(uri)
    libvirt.registerErrorHandler(lambda *_: None, None)
    conn.nwfilterDefineXML(f"<filter name='scoped'><uuid>{uuid.uuid4()}</uuid></filter>")
    net = conn.networkCreateXML(NET)
    guests = [conn.createXML(guest(name)) for name in MACS]
    with tempfile.TemporaryDirectory(prefix="vg-scopes-") as folder:
        tokens = Path(folder, "tokens")
        tokens.touch(mode=0o600)
        tokens.write_text("".join(
            f"{name} admin {hashlib.sha256(name.encode()).hexdigest()} {scope}\n" for name, scope in
            (("all", ""), ("web", "domains=web-* allow=gateway:document,nwfilter_binding:delete,"
                           "storage_vol:data_write,storage_vol:delete"))),
            encoding="utf-8")
        gateway = Gateway(uri, "--token-file", str(tokens))
        client = Client(gateway.port)
        wait_for_leases(client)
        check_network(client)
        check_bindings(client)
        check_content(client)
        check_errors(client)
        Path(folder, "pool").mkdir()
        Path(folder).chmod(0o755)
        check_volumes(client, conn, f"{folder}/pool")
        gateway.stop()
    for one in guests:
        one.destroy()
    net.destroy()
    conn.nwfilterLookupByName("scoped").undefine()
    conn.close()
    report()


main()
