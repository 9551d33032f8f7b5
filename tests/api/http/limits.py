#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one client holds, others still have: slots of connections, descriptors, bytes of
bodies, bytes of answers that wait for their readers; each limit at its edge."""
import hashlib
import json
import os
import re
import resource
import socket
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, record, report  # noqa: E402

URI = "test:///default"
MIB = 1 << 20


class Raw:
    """A connection from an address of this machine, or to a unix socket; nothing is read that is
    not asked for."""

    def __init__(self, gateway, host="127.0.0.1", receive=0):
        if host.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(30)
            self.socket.connect(host)
            return
        self.socket = socket.socket()
        if receive:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.socket.bind((host, 0))
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", gateway.port))

    def send(self, path, *fields, method="GET", body=b""):
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]
        self.socket.sendall("\r\n".join(head).encode() + body)

    def read(self):
        """(status, headers, body); status 0: closed without a word."""
        data = b""
        try:
            while b"\r\n\r\n" not in data:
                piece = self.socket.recv(65536)
                if not piece:
                    return 0, {}, b""
                data += piece
            head, _, body = data.partition(b"\r\n\r\n")
            first, *rest = head.decode().split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in rest)}
            while len(body) < int(headers.get("content-length", 0)):
                body += self.socket.recv(65536)
        except ConnectionError:
            return 0, {}, b""
        return int(first.split()[1]), headers, body

    def get(self, path, *fields):
        try:
            self.send(path, *fields)
        except ConnectionError:
            return 0, {}, b""
        status, headers, body = self.read()
        if "json" in headers.get("content-type", ""):
            record("GET", path, status, headers, json.loads(body))
        return status, headers, body

    def is_open(self):
        """Whether the other side has not closed it, by now or in a moment."""
        self.socket.settimeout(0.3)
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except TimeoutError:
            return True
        except ConnectionError:
            return False
        finally:
            self.socket.settimeout(30)

    def close(self):
        self.socket.close()


def check_overloaded(answer, what):
    status, headers, body = answer
    check(status == 503 and json.loads(body)["type"] == "urn:virtgate:error:overloaded" and
          "retry-after" in headers, what, answer)


def until(ask, wanted, what, seconds=20):
    """A slot is free a moment after its connection is closed."""
    end = time.time() + seconds
    while True:
        last = time.time() > end
        answer = ask()
        if answer == wanted or last:
            return check(answer == wanted, what, answer)
        time.sleep(0.05)


def status_of(gateway, host, path, *fields):
    raw = Raw(gateway, host)
    try:
        return raw.get(path, *fields)[0]
    finally:
        raw.close()


def known(gateway, host, n):
    """Kept-alive connections that each brought a request. Who was there before may not have
    gone yet."""
    raws, end = [], time.time() + 20
    while len(raws) < n and time.time() < end:
        raw = Raw(gateway, host)
        if raw.get("/version")[0] == 200:
            raws.append(raw)
        else:
            raw.close()
            time.sleep(0.05)
    check(len(raws) == n, f"{n} clients of {host}", len(raws))
    return raws


def close_all(*lists):
    for raws in lists:
        for raw in raws:
            raw.close()


# ---- connections --------------------------------------------------------------------------------

def check_full(gateway, host, what):
    """No slot is left there but those for health checks."""
    raw = Raw(gateway, host)
    check_overloaded(raw.get("/version"), f"{what}: a request of {host}")
    check(not raw.is_open(), f"{what}: it is closed")
    raw.close()
    for path in ("/health/live", "/health/ready"):
        raw = Raw(gateway, host)
        status, headers, _ = raw.get(path)
        check(status == 200 and headers.get("connection") == "close", f"{what}: {path}", status)
        raw.close()


def test_address(*options, share):
    gateway = Gateway(URI, "--max-connections", "16", *options)
    first = known(gateway, "127.0.0.2", share)
    check_full(gateway, "127.0.0.2", f"{share} of one address")
    check(status_of(gateway, "127.0.0.3", "/version") == 200, "another address is served")
    first.pop().close()
    until(lambda: status_of(gateway, "127.0.0.2", "/version"), 200, "served when one has gone")
    check(all(raw.get("/version")[0] == 200 for raw in first), "those that were there go on")
    close_all(first)
    gateway.stop()


def test_all():
    gateway = Gateway(URI, "--max-connections", "16", "--health-connections", "4")
    held = known(gateway, "127.0.0.2", 8) + known(gateway, "127.0.0.3", 8)
    check_full(gateway, "127.0.0.4", "all slots in use")
    idle = [Raw(gateway, f"127.0.1.{i}") for i in range(1, 40)]
    until(lambda: sum(raw.is_open() for raw in idle) <= 4, True, "idle ones make room for others")
    check_full(gateway, "127.0.0.4", "all slots in use, and idle clients beside")
    check(all(raw.get("/version")[0] == 200 for raw in held), "those that were there go on")
    close_all(held, idle)
    until(lambda: status_of(gateway, "127.0.0.4", "/version"), 200, "served afterwards")
    gateway.stop()


def test_unix():
    """Its users have no limit but that of all; the listeners share it."""
    with tempfile.TemporaryDirectory(prefix="vg-test-") as folder:
        path = f"{folder}/socket"
        gateway = Gateway(URI, "--max-connections", "16", "--listen", f"unix:{path}")
        held = known(gateway, path, 12) + known(gateway, "127.0.0.2", 4)
        check_full(gateway, path, "all slots in use")
        check_full(gateway, "127.0.0.3", "all slots in use")
        close_all(held)
        gateway.stop()


def test_strangers():
    """Whoever has shown nothing goes first, the oldest first, whatever it sends."""
    with tempfile.NamedTemporaryFile("w", prefix="vg-test-") as tokens:
        tokens.write(f"me admin {hashlib.sha256(b'secret').hexdigest()}\n")
        tokens.flush()
        gateway = Gateway(URI, "--max-connections", "16", "--token-file", tokens.name)
        good, bad = "Authorization: Bearer secret", "Authorization: Bearer wrong"
        mine = Raw(gateway, "127.0.0.9")
        check(mine.get("/version", good)[0] == 200, "a token")
        strangers = [Raw(gateway, f"127.0.2.{i}") for i in range(1, 30)]
        half = [Raw(gateway, f"127.0.3.{i}") for i in range(1, 30)]
        for raw in half:
            raw.socket.sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\n")
        until(lambda: sum(raw.is_open() for raw in half) <= 15, True, "there are no more slots")
        answered = []
        for i in range(1, 30):
            answered += [Raw(gateway, f"127.0.4.{i}"), Raw(gateway, f"127.0.5.{i}")]
            answers = [answered[-2].get("/version", bad)[0], answered[-1].get("/health/live")[0]]
            check(answers == [401, 200], "a wrong token, a public path", answers)
        check(status_of(gateway, "127.0.0.8", "/version", good) == 200, "a token beside them")
        check(not strangers[0].is_open(), "the oldest stranger had to go")
        check(mine.get("/version", good)[0] == 200, "a connection with a token stays")
        close_all(strangers, half, answered, [mine])
        gateway.stop()


# ---- descriptors --------------------------------------------------------------------------------

def wrapped(limit, *options):
    before = os.environ.get("VG_WRAP", "")
    os.environ["VG_WRAP"] = f"prlimit --nofile={limit}:{limit} {before}"
    try:
        return Gateway(URI, *options)
    finally:
        os.environ["VG_WRAP"] = before


def log_of(gateway):
    with open(gateway.log.name, encoding="utf-8") as f:
        return f.read()


def test_fitted():
    gateway = wrapped(256)
    found = re.search(r"level=warning .*max-connections is (\d+) instead of 4096", log_of(gateway))
    check(found and 16 <= int(found[1]) < 256, "max-connections is fitted", log_of(gateway))
    idle = [Raw(gateway, f"127.0.6.{i % 250 + 1}") for i in range(300)]
    check(status_of(gateway, "127.0.0.2", "/version") == 200, "served beside 300 idle clients")
    check("cannot accept" not in log_of(gateway), "no descriptor was missing", log_of(gateway))
    close_all(idle)
    gateway.stop()
    for enough in (wrapped(8192), wrapped(128, "--max-connections", "16")):
        check("max-connections is" not in log_of(enough), "nothing to fit", log_of(enough))
        enough.stop()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_no_descriptor():
    """They run out all the same: accepting pauses, is said once, and goes on."""
    gateway = Gateway(URI)
    pid = gateway.process.pid
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    client = Client(gateway.port)
    check(client.send("GET", "/version")[0] == 200, "before")
    in_use = max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (in_use, usual[1]))
    waiting = [Raw(gateway) for _ in range(in_use + 4)]
    for raw in waiting:
        raw.send("/version")
    time.sleep(0.5)
    begun = cpu_seconds(pid)
    time.sleep(2)
    spent = cpu_seconds(pid) - begun
    check(spent < 1, "it does not spin", spent)
    check(client.send("GET", "/version")[0] == 200, "connections that are there go on")
    said = log_of(gateway).count("cannot accept connections")
    check(said == 1, "said once", said)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
    statuses = {raw.read()[0] for raw in waiting}
    check(statuses == {200}, "those that waited are served", statuses)
    close_all(waiting)
    gateway.stop()


# ---- bodies -------------------------------------------------------------------------------------

def stall(gateway, *fields, n, size):
    """Bodies that never come to their end."""
    raws = [Raw(gateway) for _ in range(n)]
    for raw in raws:
        raw.send("/domains/test/devices", *fields, "Content-Type: application/json",
                 f"Content-Length: {size}", method="POST", body=b" " * (size - 1))
    return raws


def post(gateway, *fields, size):
    raw = Raw(gateway)
    raw.send("/domains/nosuch/suspend", *fields, "Content-Type: application/json",
             f"Content-Length: {size}", method="POST", body=b"{" + b" " * (size - 2) + b"}")
    answer = raw.read()
    raw.close()
    return answer


def fill(gateway, held, what, *fields):
    """More of them until no other is taken: what was answered is given back a moment later."""
    def is_full():
        held.extend(stall(gateway, *fields, n=1, size=60000))
        for _ in range(5):
            if post(gateway, *fields, size=60000)[0] != 503:
                return False
            time.sleep(0.05)
        return True
    until(is_full, True, what)


def test_bodies():
    with tempfile.NamedTemporaryFile("w", prefix="vg-test-") as tokens:
        for name in ("a", "b"):
            tokens.write(f"{name} admin {hashlib.sha256(name.encode()).hexdigest()}\n")
        tokens.flush()
        gateway = Gateway(URI, "--token-file", tokens.name, "--max-json-bytes", "65536",
                          "--max-document-bytes", "16384", "--body-memory-per-token", str(MIB),
                          "--body-memory", str(MIB + MIB // 2))
        a, b = "Authorization: Bearer a", "Authorization: Bearer b"
        held = stall(gateway, a, n=15, size=60000)
        until(lambda: post(gateway, a, size=60000)[0], 404, "the last of a's budget")
        fill(gateway, held, "past a's budget", a)
        check_overloaded(post(gateway, a, size=60000), "past a's budget")
        check(post(gateway, b, size=60000)[0] == 404, "b has its own")
        more = stall(gateway, b, n=7, size=60000)
        until(lambda: post(gateway, b, size=60000)[0], 404, "the last of all's budget")
        fill(gateway, more, "past that of all", b)
        check_overloaded(post(gateway, b, size=60000), "past that of all")
        close_all(held, more)
        for token in (a, b):
            until(lambda t=token: post(gateway, t, size=60000)[0], 404, "given back")
        for _ in range(100):
            if post(gateway, a, size=60000)[0] != 404:
                check(False, "every body is given back")
                break
        gateway.stop()


def test_bodies_behind_a_proxy():
    """Without tokens a budget is that of the client whom a trusted proxy names."""
    gateway = Gateway(URI, "--trusted-proxy", "127.0.0.1", "--max-json-bytes", "65536",
                      "--max-document-bytes", "16384", "--body-memory-per-token", str(MIB))
    a, b = "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2"
    held = stall(gateway, a, n=17, size=60000)
    fill(gateway, held, "past a's budget", a)
    check(post(gateway, b, size=60000)[0] == 404, "b has its own")
    check(post(gateway, size=60000)[0] == 404, "the proxy has its own")
    close_all(held)
    until(lambda: post(gateway, a, size=60000)[0], 404, "given back")
    gateway.stop()


# ---- answers ------------------------------------------------------------------------------------

SIZE = 7 * MIB // 2  # more than what the kernel keeps for a client that does not read


def define(client, name):
    text = f"<domain type='test'><name>{name}</name><memory>1024</memory><vcpu>1</vcpu>" \
           f"<description>{name * (SIZE // len(name))}</description>" \
           f"<os><type>hvm</type></os></domain>"
    status, _, body = client.send("POST", "/domains", text.encode())
    check(status in (200, 201), f"define {name}", body[:300])


def deaf(gateway, path):
    """A client that reads no more than the beginning."""
    raw = Raw(gateway, receive=4096)
    raw.send(path)
    return raw, raw.socket.recv(32, socket.MSG_WAITALL)


def test_answers():
    gateway = Gateway(URI, "--answer-memory", str(4 * MIB))
    client = Client(gateway.port)
    for name in ("big-a", "big-b"):
        define(client, name)
        check(len(client.send("GET", f"/domains/{name}/xml")[2]) > SIZE, f"read {name}")
    held = [deaf(gateway, "/domains/big-a/xml") for _ in range(8)]
    check({first[:12] for _, first in held} == {b"HTTP/1.1 200"}, "equal answers share a body",
          [first for _, first in held])
    raw = Raw(gateway)
    check_overloaded(raw.get("/domains/big-b/xml"), "another one is too much")
    check(raw.get("/domains")[0] == 200, "small ones are served")
    check(raw.get("/openapi.yaml")[0] == 200, "those that need no memory, too")
    change = json.dumps({"domain": {"title": "changed"}}).encode()
    raw.send("/domains/big-b", "Content-Type: application/json",
             f"Content-Length: {len(change)}", method="PATCH", body=change)
    status, _, _ = raw.read()
    check(status in (200, 204), "a change that is done is not refused", status)
    for connection, _ in held:
        connection.close()
    until(lambda: status_of(gateway, "127.0.0.1", "/domains/big-b/xml"), 200, "read afterwards")
    status, _, body = raw.get("/domains/big-a/xml")
    check(status == 200 and body.count(b"big-a") > SIZE // 5, "whole", status)
    raw.close()
    gateway.stop()


def main():
    test_address(share=8)
    test_address("--max-connections-per-address", "3", share=3)
    test_all()
    test_unix()
    test_strangers()
    test_fitted()
    test_no_descriptor()
    test_bodies()
    test_bodies_behind_a_proxy()
    test_answers()
    report()


if __name__ == "__main__":
    main()
