#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""coherence.py for what a guest stands on: networks, storage pools, node devices and secrets, on a real
libvirtd, and networks and pools on the test driver.

1. Who writes and then reads sees its write, by each way of reading that may be answered from memory,
   while others read and write.
2. A change behind the gateway's back is seen when its event has come.
3. A list, and the events after it, are the list at each time: of several watchers, some of which drop
   their connection now and then, while the gateway and libvirt change at once.

VG_PAIRS: five times the changes of each kind and driver.
"""
import http.client
import json
import os
import random
import sys
import threading
import time
import uuid
from pathlib import Path

import libvirt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "harness"))
from gateway import Client, Gateway, check, read_stream, report  # noqa: E402

AMOUNT = max(8, int(os.environ.get("VG_PAIRS", "200")) // 5)


# ---- kinds ----------------------------------------------------------------------------------


class Kind:
    """One that toggles between two states: `number` of them, which are alike. `on` is what a read
    shows of it: whether it is active, or for those that are made and removed, whether it is there."""

    path = items = event = key = ""
    fields = "active"  # that tell whether it is on
    writers = 3
    slow = 1  # of a real host: so many times fewer changes

    def name(self, number):
        return f"coherent-{number}"

    def make(self, client, number):
        """What stays there all the while."""

    def remove(self, client, number):
        pass

    def set(self, client, number, on):
        """By the gateway: the status."""
        raise NotImplementedError

    def behind(self, conn, number, on):
        """By libvirt."""
        raise NotImplementedError

    def listed(self, client, number):
        """(whether it is on, the answer's source) by the list."""
        _, headers, body = client.get(self.path)
        return self.shows([i for i in body[self.items] if i[self.key] == self.name(number)]), \
            headers["X-Virtgate-Source"]

    def ways(self):
        return (self.listed, self.filtered, self.one)

    def filtered(self, client, number):
        return self.listed(client, number)

    def one(self, client, number):
        name = self.name(number)
        status, headers, body = client.get(f"{self.path}/{name}?fields={self.fields}")
        return self.shows([body] if status == 200 else []), headers.get("X-Virtgate-Source")

    def shows(self, found):
        return bool(found) and found[0]["active"]

    def apply(self, known, event):
        """One event on {key: on}."""
        raise NotImplementedError


class Runs(Kind):
    """Kinds that are defined, started and stopped."""

    key = "name"

    def document(self, number):
        raise NotImplementedError

    def find(self, conn, name):
        raise NotImplementedError

    def make(self, client, number):
        status = client.send("POST", self.path, self.document(number).encode())[0]
        check(status == 201, f"{self.name(number)} is made", status)

    def remove(self, client, number):
        client.send("POST", f"{self.path}/{self.name(number)}/destroy")
        client.send("DELETE", f"{self.path}/{self.name(number)}")

    def set(self, client, number, on):
        return client.send("POST", f"{self.path}/{self.name(number)}/"
                                   f"{'start' if on else 'destroy'}")[0]

    def behind(self, conn, number, on):
        found = self.find(conn, self.name(number))
        found.create() if on else found.destroy()

    def filtered(self, client, number):
        _, headers, body = client.get(f"{self.path}?name={self.name(number)}&state=active")
        return len(body[self.items]) == 1, headers["X-Virtgate-Source"]

    def state_of(self, body):
        return {i["name"]: i["active"] for i in body[self.items]}

    def libvirts(self, conn):
        return {i.name(): bool(i.isActive()) for i in self.all(conn)}

    def apply(self, known, event):
        name = event[self.event]["name"]
        if event["type"] == "started":
            known[name] = True
        elif event["type"] == "stopped":
            known[name] = False
        elif event["type"] == "defined":
            known.setdefault(name, False)
        elif event["type"] == "undefined":
            known.pop(name, None)


class Networks(Runs):
    path, items, event, object = "/networks", "networks", "network", "network"
    slow = 4  # a bridge and a firewall each

    def document(self, number):
        return f"<network><name>{self.name(number)}</name></network>"

    def find(self, conn, name):
        return conn.networkLookupByName(name)

    def all(self, conn):
        return conn.listAllNetworks()


class Pools(Runs):
    path, items, event, object = "/storage-pools", "storagePools", "storagePool", "storage-pool"

    def __init__(self, folder):
        self.folder = folder

    def document(self, number):
        path = f"{self.folder}/{self.name(number)}"
        os.makedirs(path, exist_ok=True)
        return (f"<pool type='dir'><name>{self.name(number)}</name><target><path>{path}</path>"
                "</target></pool>")

    def find(self, conn, name):
        return conn.storagePoolLookupByName(name)

    def all(self, conn):
        return conn.listAllStoragePools()


class Comes(Kind):
    """Kinds that are made and removed."""

    def document(self, number):
        raise NotImplementedError

    def set(self, client, number, on):
        if on:
            return client.send("POST", self.path, self.document(number).encode())[0]
        return client.send("DELETE", f"{self.path}/{self.name(number)}")[0]

    def remove(self, client, number):
        client.send("DELETE", f"{self.path}/{self.name(number)}")

    def shows(self, found):
        return bool(found)

    def state_of(self, body):
        return {i[self.key]: True for i in body[self.items]}

    def apply(self, known, event):
        name = event[self.event][self.key]
        if event["type"] in ("defined", "created"):
            known[name] = True
        elif event["type"] in ("undefined", "deleted"):
            known.pop(name, None)


class Secrets(Comes):
    path, items, event, object, key = "/secrets", "secrets", "secret", "secret", "uuid"
    fields = "uuid"

    def name(self, number):
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"coherent-{number}"))

    def document(self, number):
        return (f"<secret><uuid>{self.name(number)}</uuid><usage type='ceph'>"
                f"<name>coherent-{number}</name></usage></secret>")

    def behind(self, conn, number, on):
        if on:
            conn.secretDefineXML(self.document(number))
        else:
            conn.secretLookupByUUIDString(self.name(number)).undefine()

    def libvirts(self, conn):
        return {s.UUIDString(): True for s in conn.listAllSecrets()}


class Devices(Comes):
    """Mediated devices that are defined: one at a time, as libvirt itself loses sight of one for a
    moment while it reads what became of another."""

    writers = 1

    path, items, event, object, key = ("/node-devices", "nodeDevices", "nodeDevice", "node-device",
                                       "name")
    fields = "name"
    parent = "pci_0000_00_00_0"

    def name(self, number):
        number = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"coherent-{number}")).replace("-", "_")
        return f"mdev_{number}_{self.parent[4:]}"

    def document(self, number):
        number = uuid.uuid5(uuid.NAMESPACE_DNS, f"coherent-{number}")
        return (f"<device><parent>{self.parent}</parent><capability type='mdev'><type id='any'/>"
                f"<uuid>{number}</uuid></capability></device>")

    def undefine(self, conn, number, until):
        """libvirtd looks through all of them after each change, and loses a new one meanwhile."""
        while True:
            try:
                return conn.nodeDeviceLookupByName(self.name(number)).undefine(0)
            except libvirt.libvirtError as e:
                if e.get_error_code() != libvirt.VIR_ERR_NO_NODE_DEVICE or time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def behind(self, conn, number, on):
        done = time.monotonic() + 60
        if on:
            conn.nodeDeviceDefineXML(self.document(number), 0)
        else:
            self.undefine(conn, number, done)
        while self.libvirts(conn).get(self.name(number), False) != on and time.monotonic() < done:
            time.sleep(0.02)

    def filtered(self, client, number):
        _, headers, body = client.get(f"{self.path}?capability=mdev")
        return self.shows([i for i in body[self.items] if i["name"] == self.name(number)]), \
            headers["X-Virtgate-Source"]

    def libvirts(self, conn):
        return {d.name(): True for d in conn.listAllDevices()}


# ---- write, then read -----------------------------------------------------------------------


def write_and_read(kind, port, number, amount, wrong, sources):
    client = Client(port)
    for n in range(amount):
        on = n % 2 == 0
        status = kind.set(client, number, on)
        for way in (kind.ways()[n // 2 % 3],) * 2:
            seen, source = way(client, number)
            sources.append(source)
            if status >= 300 or seen != on:
                wrong.append((kind.name(number), on, status, way.__name__, seen, source))


def read_all_day(kind, port, stop):
    client = Client(port)
    while not stop.is_set():
        client.get(kind.path)


def check_own_writes(kind, what, gateway, amount):
    wrong, sources, stop = [], [], threading.Event()
    reader = threading.Thread(target=read_all_day, args=(kind, gateway.port, stop))
    writers = [threading.Thread(target=write_and_read,
                                args=(kind, gateway.port, n, amount, wrong, sources))
               for n in range(kind.writers)]
    for t in (reader, *writers):
        t.start()
    for t in writers:
        t.join()
    stop.set()
    reader.join()
    check(len(sources) == 2 * amount * kind.writers, f"{what}: every read was answered", len(sources))
    check(not wrong, f"{what}: {len(wrong)} of {len(sources)} reads missed the write", wrong[:5])
    client, end = Client(gateway.port), time.monotonic() + 60
    while kind.listed(client, 0)[1] != "inventory" and time.monotonic() < end:
        time.sleep(0.02)
    check(time.monotonic() < end, f"{what}: reads come from memory")
    print(f"# {what}: {len(sources)} reads after writes, {sources.count('inventory')} from memory")


# ---- behind its back ------------------------------------------------------------------------


def check_behind(kind, what, gateway, conn, amount):
    client, delays = Client(gateway.port), []
    for n in range(amount):
        on = n % 2 == 0
        for way in kind.ways():
            way(client, 0)
            way(client, 0)
        kind.behind(conn, 0, on)
        done = time.monotonic()
        while any(way(client, 0)[0] != on for way in kind.ways()):
            if time.monotonic() > done + 60:
                break
        else:
            delays.append(time.monotonic() - done)
    check(len(delays) == amount, f"{what}: every change behind its back is seen", len(delays))
    if delays:
        delays.sort()
        print(f"# {what}: seen after the change's call returned: p50 "
              f"{delays[len(delays) // 2] * 1000:.2f} ms, at most {delays[-1] * 1000:.2f} ms")


# ---- list, then watch -----------------------------------------------------------------------


class Watcher(threading.Thread):
    """What a kind is by one list and the events after it; with `rng` its connection breaks."""

    def __init__(self, kind, port, rng=None):
        super().__init__(daemon=True)
        self.kind, self.port, self.rng = kind, port, rng
        self.known, self.seen, self.events, self.lists = {}, None, 0, 0
        self.ending, self.lock = False, threading.Lock()

    def list(self):
        _, headers, body = Client(self.port).get(self.kind.path)
        with self.lock:
            self.known, self.seen = self.kind.state_of(body), headers["X-Virtgate-Revision"]
        self.lists += 1

    def follow(self):
        """One connection's life. False: list again."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        client.request("GET", f"/events?object={self.kind.object}&since={self.seen}",
                       headers={"Accept": "text/event-stream"})
        answer = client.getresponse()
        if answer.status != 200:
            return answer.status != 410
        left = self.rng.randrange(1, 8) if self.rng else None
        for name, number, event in read_stream(answer):
            if name == "reset":
                return False
            with self.lock:
                if event["event"] == "lifecycle":
                    self.kind.apply(self.known, event)
                self.seen = number
            self.events += 1
            if left is not None:
                left -= 1
                if left == 0:
                    client.close()
                    break
            if self.ending:
                break
        return True

    def run(self):
        self.list()
        while not self.ending:
            try:
                if not self.follow():
                    self.list()
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)

    def state(self):
        with self.lock:
            return dict(self.known)


def toggle(change, amount):
    for n in range(amount):
        change(n % 2 == 0)


def check_watch(kind, what, gateway, conn, amount):
    """Half of the changes by the gateway, half behind its back, of different ones."""
    watchers = [Watcher(kind, gateway.port), Watcher(kind, gateway.port, random.Random(15)),
                Watcher(kind, gateway.port, random.Random(16))]
    for watcher in watchers:
        watcher.start()
    own = threading.Thread(target=toggle, args=(
        lambda on: kind.set(Client(gateway.port), 1, on), amount + 1))
    own.start()
    if kind.writers == 1:
        own.join()
    toggle(lambda on: kind.behind(conn, 2, on) if conn else kind.set(Client(gateway.port), 2, on),
           amount + 1)
    own.join()
    want = kind.libvirts(conn) if conn else kind.state_of(Client(gateway.port).get(kind.path)[2])
    done = time.monotonic() + 60
    while any(w.state() != want for w in watchers) and time.monotonic() < done:
        time.sleep(0.02)
    for number, watcher in enumerate(watchers):
        check(watcher.state() == want, f"{what}: watcher {number} has what is there",
              f"{sorted(set(watcher.state().items()) ^ set(want.items()))} after {watcher.events}")
        check(watcher.events >= amount, f"{what}: watcher {number} was told", watcher.events)
        watcher.ending = True
    # each watcher ends with the next event
    client = Client(gateway.port)
    for on in (False, True, False):
        kind.set(client, 1, on)
    listed = kind.state_of(client.get(kind.path)[2])
    check(listed.get(kind.name(2), False), f"{what}: the last change is in the list", listed)


# ---- all of it ------------------------------------------------------------------------------


def run(kind, what, gateway, conn):
    begun, amount = time.monotonic(), AMOUNT // (kind.slow if conn else 1) // 2 * 2
    for number in range(3):
        kind.make(Client(gateway.port), number)
    check_own_writes(kind, what, gateway, amount)
    if conn:
        check_behind(kind, what, gateway, conn, amount)
    check_watch(kind, what, gateway, conn, amount)
    for number in range(3):
        kind.remove(Client(gateway.port), number)
    print(f"# {what}: {time.monotonic() - begun:.1f} s")


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    uri = os.environ["VG_QEMU_URI"]
    folder = Path(uri.split("socket=")[1]).parents[1] / "coherent"
    folder.mkdir(exist_ok=True)
    gateway = Gateway("test:///default", "--local-dir", str(folder))
    for kind in (Networks(), Pools(folder)):
        run(kind, f"test {kind.items}", gateway, None)
    gateway.stop()
    conn, gateway = libvirt.open(uri), Gateway(uri)
    for kind in (Networks(), Pools(folder), Secrets(), Devices()):
        run(kind, f"qemu {kind.items}", gateway, conn)
    gateway.stop()
    conn.close()
    report()


if __name__ == "__main__":
    main()
