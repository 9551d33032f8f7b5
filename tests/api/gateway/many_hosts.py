#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""500 hosts on one gateway: what each costs, how many threads there are, and that the list of all
their guests, which is kept, is never an old one. Nothing here is timed.
"""
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

HOSTS, GUESTS = 500, 20
KIB_EACH = 200
ALL = "/hosts/-/domains"
MEASURED = "ASAN_OPTIONS" not in os.environ and "TSAN_OPTIONS" not in os.environ and \
    "VG_WRAP" not in os.environ
NODE = """<node><cpu><mhz>1000</mhz><model>x86_64</model><active>2</active><nodes>1</nodes>
<sockets>1</sockets><cores>2</cores><threads>1</threads></cpu><memory>9000000</memory>{guests}</node>"""
GUEST = """<domain type='test'><name>{name}</name><memory>16384</memory><vcpu>1</vcpu>
<os><type>hvm</type></os></domain>"""
# libvirt's own driver has the guests in the gateway's memory: what it takes for them without one.
DRIVER = """
import sys
import libvirt
def rss():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmRSS"))
conns = [libvirt.open(sys.argv[1])]
before = rss()
conns += [libvirt.open(uri) for uri in sys.argv[2:]]
print((rss() - before) / (len(conns) - 1))
"""


def make_hosts(folder, n, guests):
    """The URIs of that many, each with its own file."""
    uris = []
    for i in range(n):
        path = Path(folder, f"h{i:03}.xml")
        path.write_text(NODE.format(guests="".join(
            GUEST.format(name=f"g{i:03}-{k:02}") for k in range(guests))), encoding="ascii")
        uris.append(f"test://{path}")
    return uris


def start(folder, uris, *options):
    """A gateway with these hosts, in a config file, and none called `default`."""
    config = Path(folder, "virtgate.conf")
    config.write_text("".join(f"[host h{i:03}]\nuri = {uri}\n" for i, uri in enumerate(uris)),
                      encoding="ascii")
    config.chmod(0o600)
    return Gateway(uris[0], "--config", str(config), *options)


def status_of(gateway, key):
    text = Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(key + ":"))


def eventually(what, seconds=60):
    value = what()
    end = time.monotonic() + seconds
    while not value and time.monotonic() < end:
        time.sleep(0.1)
        value = what()
    return value


def is_kept(client, path=ALL, headers=None):
    """Whether it comes from memory; what settles after a change is waited for."""
    return eventually(lambda: client.get(path, headers)[1]["X-Virtgate-Source"] == "inventory")


def whole(body):
    """An answer that lacks no host, which may be late where the machine is loaded; else None."""
    return None if body["unreachable"] else body


def check_cost(folder):
    """Memory and threads, of one host more and of all of them; a guest's history is its own."""
    uris = make_hosts(folder, HOSTS, GUESTS)
    kib = {}
    for n in (1, HOSTS):
        # a list of all is whole where each host has time to answer
        gateway = start(folder, uris[:n], "--history", "no", "--read-deadline", "60")
        client = Client(gateway.port)
        body = eventually(lambda c=client: whole(c.get(ALL)[2]), 240)
        check(body and len(body["domains"]) == (n + 1) * GUESTS, f"the guests of {n} hosts", body)
        check(is_kept(client), f"those of {n} hosts are kept")
        most = n + 60  # the first list of all asked all at once: a worker each, for a minute
        check(eventually(lambda g=gateway, m=most: status_of(g, "Threads") <= m),
              f"threads of {n} hosts", status_of(gateway, "Threads"))
        kib[n] = status_of(gateway, "VmRSS")
        gateway.stop()
    driver = float(subprocess.run(["/usr/bin/python3", "-c", DRIVER, *uris], text=True,
                                  capture_output=True, check=True).stdout)
    each = (kib[HOSTS] - kib[1]) / (HOSTS - 1) - driver
    if MEASURED:
        check(0 < each < KIB_EACH, "KiB of a host, warm", (each, driver))
    print(f"a host: {each:.0f} KiB, and {driver:.0f} of the driver's own")


def check_threads(folder):
    """Left alone, hosts share a few threads, those of their samples among them."""
    gateway = start(folder, make_hosts(folder, HOSTS, 0))
    check(eventually(lambda: status_of(gateway, "Threads") < 60), "threads of idle hosts",
          status_of(gateway, "Threads"))
    gateway.stop()


def state_of(body, host, name):
    return [d["state"] for d in body["domains"] if d["host"] == host and d["name"] == name]


def check_kept(folder):
    """Kept, and never old: whoever changes a guest reads it changed."""
    gateway = start(folder, make_hosts(folder, 20, 3))
    client = Client(gateway.port)
    check(is_kept(client), "the list is kept")
    _, headers, body = client.get(ALL)
    again = client.send("GET", ALL)
    check(json.loads(again[2]) == body and again[1]["ETag"] == headers["ETag"], "the same again")
    check(int(headers["Age"]) >= 0, "Age")
    check(client.send("GET", ALL, headers={"If-None-Match": headers["ETag"]})[0] == 304, "304")
    fresh = client.get(ALL, {"Cache-Control": "no-cache"})
    check(fresh[1]["X-Virtgate-Source"] == "libvirt" and fresh[2] == body, "no-cache asks")
    check(is_kept(client, "/hosts/h003/domains"), "one host's own list is kept, too")
    for i, (act, state) in enumerate(4 * [("suspend", "paused"), ("resume", "running")]):
        host, name = f"h{i // 2:03}", f"g{i // 2:03}-01"
        status = client.send("POST", f"/hosts/{host}/domains/{name}/{act}", b"{}")[0]
        _, _, body = client.get(ALL)
        check(status == 204 and state_of(body, host, name) == [state], f"after {act}", body)
        check(is_kept(client), f"kept again after {act}")
        check(state_of(client.get(ALL)[2], host, name) == [state], f"and right after {act}")
    client.send("POST", "/hosts/h004/domains/g004-00/destroy", b"{}")
    status = client.send("DELETE", "/hosts/h004/domains/g004-00")[0]
    check(not state_of(client.get(ALL)[2], "h004", "g004-00"), "what is gone is gone", status)
    for query in ("?fields=name", "?limit=5", "?state=running&name=g00*"):
        check(is_kept(client, ALL + query), f"{query} is kept by itself")
        status, _, body = client.get(ALL + query)
        asked = client.get(ALL + query, {"Cache-Control": "no-cache"})[2]
        check(status == 200 and body == asked, f"{query} is as libvirt tells", body)
    gateway.stop()


def check_rights(folder):
    """What is kept for one caller is not for another who sees other hosts."""
    tokens = {"all": "viewer", "some": "viewer hosts=h00*", "guest": "viewer domains=g001-01"}
    secrets = {name: f"{name}-0123456789abcdef0123456789abcdef" for name in tokens}
    path = Path(folder, "tokens")
    path.write_text("".join(
        "{} {} {} {}\n".format(name, rights.split()[0],
                               hashlib.sha256(secrets[name].encode()).hexdigest(),
                               " ".join(rights.split()[1:])).replace(" \n", "\n")
        for name, rights in tokens.items()), encoding="ascii")
    path.chmod(0o600)
    gateway = start(folder, make_hosts(folder, 20, 3), "--token-file", str(path))
    client = Client(gateway.port)
    for _ in range(3):
        for name, hosts, guests in (("all", 21, 63), ("some", 10, 30), ("guest", 1, 1)):
            headers = {"Authorization": f"Bearer {secrets[name]}"}
            check(is_kept(client, headers=headers), f"kept for {name}")
            body = client.get(ALL, headers)[2]
            check(len({d["host"] for d in body["domains"]}) == hosts and
                  len(body["domains"]) == guests, f"what {name} sees", body)
    gateway.stop()


def check_down(folder):
    """A host that is down is in each answer, with a problem of its own."""
    gateway = start(folder, make_hosts(folder, 3, 3) + [f"test+unix:///default?socket={folder}/no"])
    client = Client(gateway.port)
    seen = set()
    for _ in range(4):
        _, headers, body = client.get(ALL)
        check([u["host"] for u in body["unreachable"]] == ["h003"] and
              len(body["domains"]) == 12, "the others' guests, and who is down", body)
        seen.add(body["unreachable"][0]["error"]["requestId"])
        check(body["unreachable"][0]["error"]["requestId"] == headers["X-Request-Id"],
              "the problem is of this request")
    check(len(seen) == 4, "each answer has a problem of its own", seen)
    gateway.stop()


def main():
    os.chdir(ROOT)
    for part in (check_cost, check_threads, check_kept, check_rights, check_down):
        with tempfile.TemporaryDirectory() as folder:
            part(folder)
    report()


main()
