#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/fleet: three gateways with 300 hosts behind HAProxy, one of them killed, its hosts given
to another by the map, while clients read, watch and change. Then what of examples/ needs npm.

All on loopback, on free ports; only what is started here is ended.
"""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/harness"))
from clients import check_clients  # noqa: E402
from gateway import Client, Watcher, WebSocket, check, free_port, report  # noqa: E402

EXAMPLE = ROOT / "examples/fleet"
HOSTS = [f"kvm{i:03}" for i in range(300)]
GUESTS = 3  # of each host
LOST, NEW = "gw2", "gw4"
NODE = """<node><cpu><mhz>1000</mhz><model>x86_64</model><active>2</active><nodes>1</nodes>
<sockets>1</sockets><cores>2</cores><threads>1</threads></cpu><memory>9000000</memory>{guests}</node>"""
GUEST = """<domain type='test'><name>{name}</name><memory>16384</memory><vcpu>1</vcpu>
<os><type>hvm</type></os></domain>"""


def eventually(what, seconds=60):
    """What it came to: true, or its last value."""
    value = None
    for _ in range(int(seconds * 20)):
        try:
            value = what()
            if value:
                break
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.05)
    return value


def guest(name):
    return GUEST.format(name=name).encode()


class Fleet:
    """The files of the example, but for their ports and folders, and what runs with them."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.ports = {f"gw{i}": free_port() for i in (1, 2, 3, 4)}
        self.running = {}
        for h in HOSTS:
            guests = "".join(GUEST.format(name=f"{h}-{i}") for i in range(GUESTS))
            (folder / f"{h}.xml").write_text(NODE.format(guests=guests), encoding="ascii")
        (folder / "hosts").write_text("".join(f"{h} test://{folder}/{h}.xml\n" for h in HOSTS),
                                      encoding="ascii")
        subprocess.run([EXAMPLE / "assign.py", folder / "hosts", folder, "gw1", "gw2", "gw3"],
                       check=True)

    def owners(self):
        lines = (self.folder / "hosts.map").read_text(encoding="ascii").splitlines()
        return dict(line.split() for line in lines)

    def start_gateway(self, name, hosts_of):
        config = self.folder / f"{name}.conf"
        config.write_text(
            (EXAMPLE / "gateway.conf").read_text(encoding="utf-8") +
            f"listen = 127.0.0.1:{self.ports[name]}\nlog-filters = 3:access\n" +
            (self.folder / f"{hosts_of}.hosts").read_text(encoding="utf-8"), encoding="utf-8")
        config.chmod(0o600)
        log = (self.folder / f"{name}.log").open("w")
        self.running[name] = subprocess.Popen(
            [os.environ.get("VIRTGATE_BIN", ROOT / "build/virtgate"), "--config", config],
            stdout=log, stderr=log)
        check(eventually(lambda: Client(self.ports[name]).send("GET", "/health/ready")[0] == 200),
              f"{name} is ready")

    def start_haproxy(self):
        text = (EXAMPLE / "haproxy.cfg").read_text(encoding="utf-8")
        text = text.replace("/etc/haproxy", str(self.folder)).replace("/run/haproxy",
                                                                      str(self.folder))
        text = text.replace("bind 127.0.0.1:8080", f"bind 127.0.0.1:{self.port}")
        for i, port in enumerate(self.ports.values()):
            text = text.replace(f"127.0.0.1:{8081 + i}", f"127.0.0.1:{port}")
        config = self.folder / "haproxy.cfg"
        config.write_text(text, encoding="utf-8")
        done = subprocess.run(["haproxy", "-c", "-f", config], capture_output=True, text=True,
                              check=False)
        check(done.returncode == 0 and "WARNING" not in done.stderr, "haproxy.cfg", done.stderr)
        self.running["haproxy"] = subprocess.Popen(["haproxy", "-f", config], cwd=self.folder,
                                                   stdout=subprocess.DEVNULL,
                                                   stderr=subprocess.DEVNULL)
        check(eventually(lambda: self.get("/gateways")[0] == 200), "HAProxy listens")

    def get(self, path, headers=None):
        return Client(self.port).get(path, headers)

    def send(self, method, path, body=None, headers=None):
        return Client(self.port).send(method, path, body, headers)

    def move(self, *arguments):
        return subprocess.run(
            [EXAMPLE / "move.sh", *arguments], capture_output=True, text=True, check=False,
            env={**os.environ, "HOSTS_MAP": str(self.folder / "hosts.map"),
                 "HAPROXY_SOCKET": str(self.folder / "admin.sock")})

    def ask_haproxy(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.folder / "admin.sock"))
            s.sendall(command.encode() + b"\n")
            return s.makefile().read()

    def stop(self):
        for name, process in reversed(self.running.items()):
            process.terminate()
            status = process.wait(30)
            check(name == "haproxy" or status == 0, f"exit status of {name}", status)


class Reader(threading.Thread):
    """Asks hosts in turn, as long as it runs, and notes each answer that is not 200."""

    def __init__(self, port, hosts):
        super().__init__(daemon=True)
        self.port, self.hosts, self.ending, self.n, self.bad = port, hosts, False, 0, []

    def run(self):
        client = Client(self.port)
        while not self.ending:
            host = self.hosts[self.n % len(self.hosts)]
            status = client.send("GET", f"/hosts/{host}/domains")[0]
            self.n += 1
            if status != 200:
                self.bad.append((host, status))

    def end(self, what):
        self.ending = True
        self.join(30)
        check(self.n > 0 and not self.bad, what, (self.n, self.bad[:5]))


def statuses(fleet, hosts):
    """The answers of all these hosts' lists: {host: (status, headers, body)}."""
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(hosts, pool.map(lambda h: fleet.get(f"/hosts/{h}/domains"), hosts)))


def check_names(fleet, hosts, what):
    wrong = [h for h, (status, _, body) in statuses(fleet, hosts).items() if status != 200 or
             {f"{h}-{i}" for i in range(GUESTS)} - {d["name"] for d in body["domains"]}]
    check(not wrong, f"{what}: {len(hosts)} hosts answer with their own guests", wrong[:5])


def check_assignment(fleet):
    """Rendezvous: one gateway more takes hosts, and none moves between the others."""
    before = fleet.owners()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([EXAMPLE / "assign.py", fleet.folder / "hosts", folder, "gw1", "gw2", "gw3",
                        "gw4"], check=True)
        after = dict(line.split() for line in
                     Path(folder, "hosts.map").read_text(encoding="ascii").splitlines())
    moved = {after[h] for h in HOSTS if after[h] != before[h]}
    check(moved == {"gw4"}, "a gateway more gets hosts, and the others none", moved)
    sizes = [list(before.values()).count(g) for g in ("gw1", "gw2", "gw3")]
    check(sum(sizes) == len(HOSTS) and min(sizes) > 70, "about as many hosts each", sizes)


def check_routes(fleet):
    owners = fleet.owners()
    check_names(fleet, HOSTS, "all are there")
    _, _, body = fleet.get("/gateways")
    check(body["gateways"] == list(fleet.ports), "/gateways", body)
    found = []
    for gateway in ("gw1", "gw2", "gw3"):
        _, _, body = fleet.get(f"/gateways/{gateway}/hosts")
        check({h["host"] for h in body["hosts"]} == {h for h in HOSTS if owners[h] == gateway},
              f"/gateways/{gateway}/hosts")
        found += fleet.get(f"/gateways/{gateway}/hosts/-/domains")[2]["domains"]
    check(len(found) == len(HOSTS) * GUESTS, "guests of all gateways together", len(found))
    check(fleet.get("/openapi.json")[0] == 200, "any gateway has the description")
    for path in ("/hosts/nosuch/domains", "/hosts/-/domains", "/hosts", "/domains",
                 "/gateways/nosuch/hosts", "/nosuch"):
        status, headers, body = fleet.get(path)
        check(status == 404 and headers["Content-Type"] == "application/problem+json" and
              body["status"] == 404 and "/gateways" in body["detail"], f"404: {path}", body)
    check(fleet.get(f"/hosts/{HOSTS[0]}/nosuch")[2]["type"] == "urn:virtgate:error:not-found",
          "a gateway's own 404")


def check_paths_lead_back(fleet, host):
    """Location, operation and ticket of a host lead to its gateway."""
    status, headers, _ = fleet.send("POST", f"/hosts/{host}/domains", guest("made"))
    place = headers.get("Location", "")
    check(status == 201 and fleet.get(place)[0] == 200, "Location", place)
    status, headers, _ = fleet.send("POST", place + "/start", b"{}")
    check(status == 204, "a guest is started", status)
    status, headers, _ = fleet.send("POST", f"/hosts/{host}/domains/made/managed-save", b"{}",
                                    {"Prefer": "respond-async"})
    operation = headers.get("Location", "")
    check(status == 202 and operation.startswith(f"/hosts/{host}/operations/"), "202", operation)
    body = fleet.get(operation + "?wait=20")[2]
    check(body["state"] == "succeeded", "the operation", body)
    path = f"/hosts/{host}/events"
    status, _, body = fleet.send("POST", "/tickets", json.dumps({"path": path}).encode())
    ticket = json.loads(body)
    check(status == 201 and "ticket" in ticket, "a ticket", ticket)
    events = WebSocket(fleet.port, f"{path}?ticket={ticket.get('ticket')}")
    check(events.status == 101, "a WebSocket with the ticket", events.body)
    fleet.send("DELETE", f"/hosts/{host}/domains/made?flags=managed-save")
    check(events.message() is not None, "events by the WebSocket")
    events.close()
    return operation


def check_lost(fleet, lost):
    """A problem of each host that is lost, as the gateways write them."""
    for host, (status, headers, body) in statuses(fleet, lost).items():
        check(status == 503 and headers["Content-Type"] == "application/problem+json" and
              headers["Retry-After"] == "1" and body["status"] == 503 and
              body["type"] == "urn:virtgate:error:host-unreachable" and body["retryable"] and
              body["host"] == host and body["instance"] == f"/hosts/{host}/domains",
              f"a problem of {host}", (status, body))
    status, _, body = fleet.get(f"/gateways/{LOST}/hosts")
    check(status == 503 and "host" not in body, f"/gateways/{LOST}/hosts", body)
    status, _, body = fleet.get(f'/hosts/{lost[0]}/domains/a%22b%5C')
    check(status == 503 and body["instance"].endswith("a%22b%5C"), "a path that needs escapes", body)


def check_watchers(fleet, watchers, lost):
    """What each has is what there is; those of lost hosts listed again, the others never."""
    for host, watcher in watchers.items():
        def same(h=host, w=watcher):
            body = fleet.get(f"/hosts/{h}/domains")[2]
            return w.state() == {d["uuid"]: {k: d[k] for k in ("name", "state", "persistent")}
                                 for d in body["domains"]}
        check(eventually(same), f"the watcher of {host} has what there is")
        check(watcher.failure is None, f"the watcher of {host} runs", watcher.failure)
        check(watcher.lists > 1 if host in lost else watcher.lists == 1,
              f"lists of the watcher of {host}", watcher.lists)


def change(fleet, host, n):
    """A guest that comes and runs, and one that pauses: the nth of each."""
    ok = [fleet.send("POST", f"/hosts/{host}/domains", guest(f"new-{n}"))[0] == 201,
          fleet.send("POST", f"/hosts/{host}/domains/new-{n}/start", b"{}")[0] == 204,
          fleet.send("POST", f"/hosts/{host}/domains/{host}-{n}/suspend", b"{}")[0] == 204]
    check(all(ok), f"changes on {host}", ok)


def main():
    with tempfile.TemporaryDirectory(prefix="vg-fleet-") as name:
        folder = Path(name)
        fleet = Fleet(folder)
        for gateway in ("gw1", "gw2", "gw3"):
            fleet.start_gateway(gateway, gateway)
        fleet.start_haproxy()
        owners = fleet.owners()
        lost = [h for h in HOSTS if owners[h] == LOST]
        kept = [h for h in HOSTS if owners[h] != LOST]
        check_assignment(fleet)
        check_routes(fleet)
        check_paths_lead_back(fleet, kept[0])
        operation = check_paths_lead_back(fleet, lost[0])

        watchers = {h: Watcher(fleet.port, poll=i % 2 == 1, prefix=f"/hosts/{h}")
                    for i, h in enumerate(kept[:4] + lost[:6])}
        for watcher in watchers.values():
            watcher.start()
        check(eventually(lambda: all(w.lists for w in watchers.values())), "watchers list")
        for host in watchers:
            change(fleet, host, 0)
        check_watchers(fleet, watchers, [])

        before = {h: fleet.get(f"/hosts/{h}/domains")[1]["X-Virtgate-Revision"] for h in lost[:3]}
        haproxy = re.search(r"^Pid: \d+$", fleet.ask_haproxy("show info"), re.M)[0]
        reader = Reader(fleet.port, kept)
        reader.start()
        fleet.running[LOST].send_signal(signal.SIGKILL)
        fleet.running.pop(LOST).wait()
        check_lost(fleet, lost)
        for host in kept[:4]:
            change(fleet, host, 1)
        check_watchers(fleet, {h: watchers[h] for h in kept[:4]}, [])

        fleet.start_gateway(NEW, LOST)
        check(eventually(lambda: fleet.get(f"/gateways/{NEW}/health/ready")[0] == 200),
              f"HAProxy finds {NEW}")
        check(fleet.get(f"/hosts/{lost[0]}/domains")[0] == 503, "not before the map says so")
        done = fleet.move(LOST, NEW, lost[0])
        check(done.returncode == 0, "one host is moved", done.stderr)
        check([fleet.get(f"/hosts/{h}/domains")[0] for h in lost[:2]] == [200, 503],
              "it alone answers again")
        done = fleet.move(LOST, NEW)
        check(done.returncode == 0 and done.stdout.startswith(f"{len(lost) - 1} hosts"),
              "the others are", done.stderr)
        check_names(fleet, HOSTS, "after the move")
        for host, revision in before.items():
            status, _, body = fleet.get(f"/hosts/{host}/events?since={revision}&wait=0")
            check(status == 410 and body["type"] == "urn:virtgate:error:gone",
                  f"a revision of {LOST} is a 410 of {NEW}", body)
        status, _, body = fleet.get(operation)
        check(status == 410, f"an operation of {LOST}", body)
        for host in watchers:
            change(fleet, host, 2)
        check_watchers(fleet, watchers, lost)

        reader.end("hosts of the other gateways answered all the while")
        now = re.search(r"^Pid: \d+$", fleet.ask_haproxy("show info"), re.M)[0]
        check(now == haproxy, "HAProxy was not reloaded", now)
        check({g for h, g in fleet.owners().items() if h in lost} == {NEW} and
              all(fleet.owners()[h] == owners[h] for h in kept), "the file has the new map")
        check(fleet.move(LOST, NEW).returncode == 1, "there is nothing to move any more")
        fleet.running.pop("haproxy").terminate()
        fleet.start_haproxy()
        check_names(fleet, lost, "HAProxy, started again")
        for watcher in watchers.values():
            watcher.ending = True
        fleet.stop()
    check_clients()
    report()


main()
