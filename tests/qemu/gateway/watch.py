#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gapless list-then-watch: thousands of random changes, through the gateway and behind its
back, while watchers rebuild the state from one list plus the stream; some resume, some poll.
At the end every rebuilt state must be libvirt's. On the private libvirtd (VG_QEMU_URI) the
daemon is killed and restarted in the middle; then on test:///default.

VG_CHANGES: changes for each writer and driver.
"""
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import libvirt

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, Watcher, check, report  # noqa: E402

CHANGES = int(os.environ.get("VG_CHANGES", "400"))
DOMAINS = 8
SETTLE = 60


def xml(kind, i, name=None):
    return f"""<domain type='{kind}'><name>{name or f'w{i}'}</name>
<uuid>00000000-0000-4000-8000-0000000000{i:02d}</uuid><memory unit='MiB'>16</memory>
<vcpu>1</vcpu><os><type>hvm</type></os></domain>"""


def steps(rng, i, transient):
    """One round for a domain: every change ends where the next round can begin."""
    calm = [("suspend",), ("resume",)]
    round_ = [("define",)] if not transient else [("create",)]
    if rng.random() < 0.3 and not transient:
        round_ += [("undefine",)]
        return round_
    if not transient:
        round_ += [("start",)]
    for _ in range(rng.randrange(4, 14)):
        round_ += calm
    if not transient and rng.random() < 0.3:
        round_ += [("undefine",), ("define",)]
    round_ += [("destroy",)]
    if not transient:
        round_ += [("undefine",)]
    return round_


class ByGateway:
    def __init__(self, port, kind):
        self.client, self.kind = Client(port), kind

    def do(self, i, what):
        document = xml(self.kind, i).encode()
        if what == "define":
            return self.client.send("POST", "/domains", document)[0]
        if what == "create":
            return self.client.send("POST", "/domains?transient=true", document)[0]
        if what == "undefine":
            return self.client.send("DELETE", f"/domains/w{i}")[0]
        return self.client.send("POST", f"/domains/w{i}/{what}")[0]


class BehindItsBack:
    """libvirt itself; opened again whenever the daemon went away."""

    def __init__(self, uri, kind):
        self.uri, self.kind, self.conn = uri, kind, None

    def do(self, i, what):
        for _ in range(200):
            try:
                if self.conn is None:
                    self.conn = libvirt.open(self.uri)
                return self.once(i, what)
            except libvirt.libvirtError:
                if self.conn is not None and self.conn.isAlive():
                    return None  # in the wrong state: the round goes on
                self.conn = None
                time.sleep(0.05)
        return None

    def once(self, i, what):
        if what == "define":
            return self.conn.defineXML(xml(self.kind, i))
        if what == "create":
            return self.conn.createXML(xml(self.kind, i))
        domain = self.conn.lookupByName(f"w{i}")
        return {"undefine": domain.undefine, "start": domain.create,
                "destroy": domain.destroy, "suspend": domain.suspend,
                "resume": domain.resume}[what]()


def write(writer, seed, mine, changes, ended):
    rng, n = random.Random(seed), 0
    while n < changes:
        i = rng.choice(mine)
        for (what,) in steps(rng, i, rng.random() < 0.3):
            try:
                writer.do(i, what)
            except OSError:
                pass
            n += 1
    ended.append(n)


def truth(conn):
    names = {libvirt.VIR_DOMAIN_RUNNING: "running", libvirt.VIR_DOMAIN_PAUSED: "paused",
             libvirt.VIR_DOMAIN_SHUTOFF: "shutoff"}
    return {d.UUIDString(): {"name": d.name(), "state": names.get(d.state()[0], "?"),
                             "persistent": bool(d.isPersistent())}
            for d in conn.listAllDomains()}


def of_gateway(port):
    body = Client(port).get("/domains", {"Cache-Control": "no-cache"})[2]
    return {d["uuid"]: {k: d[k] for k in ("name", "state", "persistent")}
            for d in body["domains"]}


def daemon(action):
    subprocess.run([str(Path(__file__).parents[1] / "libvirtd.sh"), action], check=True,
                   stdout=subprocess.DEVNULL)


def prove(name, uri, changes, writers, real_state, disturb):
    gateway = Gateway(uri)
    rng = random.Random(name)
    watchers = [Watcher(gateway.port) for _ in range(3)]
    watchers += [Watcher(gateway.port, breaks=lambda: rng.randrange(1, 40)) for _ in range(3)]
    watchers += [Watcher(gateway.port, poll=True) for _ in range(2)]
    for w in watchers:
        w.start()
    ended, threads = [], []
    share = DOMAINS // len(writers)
    for k, make in enumerate(writers):
        mine = range(k * share, (k + 1) * share)
        threads.append(threading.Thread(
            target=write, args=(make(gateway.port), f"{name}{k}", mine, changes, ended)))
    for t in threads:
        t.start()
    late = Watcher(gateway.port)
    time.sleep(0.2)
    late.start()
    disturb()
    for t in threads:
        t.join()
    watchers.append(late)
    end = time.time() + SETTLE
    while True:
        want = real_state(gateway)
        wrong = [w for w in watchers if w.state() != want]
        if not wrong or time.time() > end:
            break
        time.sleep(0.1)
    check(len(ended) == len(writers) and sum(ended) >= changes * len(writers),
          f"{name}: all writers ended", ended)
    for n, w in enumerate(watchers):
        check(w.failure is None and w.state() == want, f"{name}: watcher {n}",
              f"failure {w.failure}\n    rebuilt: {w.state()}\n    libvirt: {want}")
        check(w.events > 0, f"{name}: watcher {n} saw events")
    for w in watchers:
        w.ending = True
    print(f"# {name}: {sum(ended)} changes, events seen "
          f"{[w.events for w in watchers]}, lists {[w.lists for w in watchers]}, "
          f"resumed {[w.resumes for w in watchers]}")
    gateway.stop()
    return watchers


def on_qemu(uri):
    conns = []

    def real_state(_):
        try:
            if not conns or not conns[-1].isAlive():
                conns.append(libvirt.open(uri))
            return truth(conns[-1])
        except libvirt.libvirtError:
            conns.clear()
            return None

    def disturb():
        time.sleep(1)
        daemon("kill")
        time.sleep(0.5)
        daemon("up")
        time.sleep(3)
        daemon("restart")

    writers = [lambda port: ByGateway(port, "qemu"), lambda port: ByGateway(port, "qemu"),
               lambda port: BehindItsBack(uri, "qemu"), lambda port: BehindItsBack(uri, "qemu")]
    watchers = prove("qemu", uri, CHANGES, writers, real_state, disturb)
    for n, w in enumerate(watchers[:3]):
        check(w.lists >= 2, f"qemu: watcher {n} was told of the daemon's restart", w.lists)
    for d in libvirt.open(uri).listAllDomains():
        if d.name().startswith("w"):
            persistent = d.isPersistent()
            if d.isActive():
                d.destroy()
            if persistent:
                d.undefine()


def on_test():
    writers = [lambda port: ByGateway(port, "test")] * 4
    watchers = prove("test", "test:///default", 5 * CHANGES, writers,
                     lambda gateway: of_gateway(gateway.port), lambda: None)
    for n, w in enumerate(watchers):
        check(w.lists == 1, f"test: watcher {n} listed once", w.lists)


libvirt.registerErrorHandler(lambda *_: None, None)
on_test()
if "VG_QEMU_URI" in os.environ:
    on_qemu(os.environ["VG_QEMU_URI"])
else:
    check(False, "VG_QEMU_URI is not set")
report()
