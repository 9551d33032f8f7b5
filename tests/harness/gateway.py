# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests in Python share: checks that are counted, a gateway, a client, watchers."""
import ctypes
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

# Seconds until something that must come has not, on a machine that does ten other things: a limit on
# what a test waits for, not on how fast it is.
LONG_ENOUGH = 60

counts = {"passed": 0, "failed": 0}
counting = threading.Lock()


def check(ok, what, detail=""):
    with counting:
        counts["passed" if ok else "failed"] += 1
    if not ok:
        print(f"FAILED {what} {detail}", flush=True)
    return ok


def report():
    """Ends a test program: the line that tests/run.sh reads, and the exit status."""
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    raise SystemExit(1 if counts["failed"] or not counts["passed"] else 0)


# (method, path without its query, status) of what was recorded.
recorded = set()


def libmicrohttpd():
    """Its version, which decides what there is: (1, 0)."""
    library = ctypes.CDLL("libmicrohttpd.so.12")
    library.MHD_get_version.restype = ctypes.c_char_p
    return tuple(int(n) for n in library.MHD_get_version().decode().split(".")[:2])


def exchange(client, method, path, body=None, headers=None):
    """(status, header fields, answer: the value of JSON, bytes as they are, or text; None without
    one); recorded, but for bytes. The body is text, an object for JSON, or bytes, in pieces too."""
    if isinstance(body, (dict, str)):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    status, fields, answer = client.send(method, path, body, headers)
    if fields.get("Content-Type") == "application/octet-stream":
        record(method, path, status, dict(fields), None)
        return status, fields, answer
    shown = answer.decode()
    record(method, path, status, dict(fields), shown)
    return status, fields, json.loads(shown) if shown[:1] in ("{", "[") else shown or None


def record(method, path, status, headers, body):
    """For tests/contract/openapi.py, as record_exchange() of steps.c."""
    recorded.add((method, path.partition("?")[0], status))
    if "VG_RECORD" in os.environ:
        with open(os.environ["VG_RECORD"], "a", encoding="utf-8") as f:
            f.write(json.dumps({"method": method, "path": path, "status": status,
                                "headers": headers, "body": body}) + "\n")


class Client:
    """One kept-alive connection; not for several threads."""

    def __init__(self, port, timeout=180):
        self.port = port
        self.timeout = timeout
        self.http = None

    def open(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)

    def send(self, method, path, body=None, headers=None):
        """(status, headers, bytes). A connection that broke is opened again for a read."""
        headers = dict(headers or {})
        if body is not None and "Content-Type" not in headers:
            headers["Content-Type"] = ("application/xml" if body[:1] == b"<"
                                       else "application/json")
        for again in (True, False):
            if self.http is None:
                self.http = self.open()
            try:
                self.http.request(method, path, body, headers)
                answer = self.http.getresponse()
                return answer.status, answer.headers, answer.read()
            except (http.client.HTTPException, OSError):
                self.http.close()
                self.http = None
                if not again or method != "GET":
                    raise
        raise AssertionError

    def get(self, path, headers=None):
        status, headers, body = self.send("GET", path, headers=headers)
        return status, headers, json.loads(body) if body else None


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=180)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class OtherClient(Client):
    """On connections that `make` makes."""

    def __init__(self, make):
        super().__init__(0)
        self.open = make


def unix_client(path):
    return OtherClient(lambda: UnixConnection(path))


def clients_read(port):
    """How many clients are connected; -1: one of them waits to be accepted, or to be read."""
    n = 0
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in list(table)[1:]:
            _, local, _, state, queues = line.split()[:5]
            if int(local.partition(":")[2], 16) != port:
                continue
            if int(queues.partition(":")[2], 16):
                return -1
            n += state == "01"  # established
    return n


def free_port():
    """One that nobody else is given before it is used: below those that the system gives to whoever
    connects, and each process looks from elsewhere on."""
    for _ in range(1000):
        free_port.last += 1
        port = 10000 + free_port.last % 20000
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise OSError("no port is free")


free_port.last = os.getpid() * 13


class Gateway:
    def __init__(self, uri, *options):
        self.log = tempfile.NamedTemporaryFile(prefix="vg-test-", suffix=".log")
        wrap = os.environ.get("VG_WRAP", "").split()  # valgrind ...
        command = [*wrap, os.environ.get("VIRTGATE_BIN", "build/virtgate"), "--connect", uri,
                   "--listen", "127.0.0.1:0", "--log-filters", "3:access", *options]
        self.process = subprocess.Popen(command, stderr=self.log, stdout=self.log)
        self.port = None
        for _ in range(LONG_ENOUGH * 20):
            with open(self.log.name, encoding="utf-8") as f:
                found = re.search(r"listening.*127\.0\.0\.1:(\d+)", f.read())
            if found:
                self.port = int(found[1])
                break
            time.sleep(0.05)
        self.prefix = options[options.index("--path-prefix") + 1] if "--path-prefix" in options \
            else ""
        for _ in range(LONG_ENOUGH * 20):
            if self.is_ready():
                return
            time.sleep(0.05)

    def is_ready(self):
        return Client(self.port).send("GET", self.prefix + "/health/ready")[0] == 200

    def heard(self, clients):
        """Waits until it has read all that at least so many connections sent: what was asked is at
        work, or waits in it."""
        for _ in range(LONG_ENOUGH * 50):
            if clients_read(self.port) >= clients:
                return True
            time.sleep(0.02)
        return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if not check(self.process.wait(LONG_ENOUGH) == 0, "exit status of the gateway"):
            with open(self.log.name, encoding="utf-8") as f:
                print(f.read()[-4000:])


def read_stream(answer):
    """The (event, id, data) of a text/event-stream, until it ends."""
    event, number, data = "message", None, []
    for raw in answer:
        line = raw.decode().rstrip("\n")
        if not line:
            if data:
                yield event, number, json.loads("\n".join(data))
            event, data = "message", []
        elif line.startswith("id: "):
            number = line[4:]
        elif line.startswith("event: "):
            event = line[7:]
        elif line.startswith("data: "):
            data.append(line[6:])


class Watcher(threading.Thread):
    """Rebuilds the domains of a host from one list and the events after it, nothing else.

    Lists again only when it is told to: by a reset, or by 410. With `breaks` it drops its
    connection now and then and resumes where it was. `prefix` is before all paths: "/hosts/a".
    """

    def __init__(self, port, breaks=None, poll=False, prefix=""):
        super().__init__(daemon=True)
        self.port, self.breaks, self.poll, self.prefix = port, breaks, poll, prefix
        self.domains, self.seen = {}, None
        self.lists = self.events = self.resumes = 0
        self.ending = False
        self.failure = None
        self.lock = threading.Lock()

    def list(self):
        while not self.ending:
            client = Client(self.port)
            status, headers, body = client.get(self.prefix + "/domains")
            if status == 200:
                break
            time.sleep(0.05)
        else:
            return
        self.lists += 1
        with self.lock:
            self.domains = {d["uuid"]: {k: d[k] for k in ("name", "state", "persistent")}
                            for d in body["domains"]}
            self.seen = headers["X-Virtgate-Revision"]

    def apply(self, e):
        if e["event"] != "lifecycle" or e["object"] != "domain":
            return
        uuid, kind = e["domain"]["uuid"], e["type"]
        known = self.domains.get(uuid)
        if kind in ("defined", "started") and known is None:
            known = self.domains[uuid] = {"state": "shutoff", "persistent": False}
        if known is None:
            return
        known["name"] = e["domain"]["name"]
        if kind == "defined":
            known["persistent"] = True
        elif kind == "undefined":
            known["persistent"] = False
        elif kind in ("started", "resumed"):
            known["state"] = "running"
        elif kind == "suspended":
            known["state"] = "paused"
        elif kind == "stopped":
            known["state"] = "shutoff"
        if known["state"] == "shutoff" and not known["persistent"]:
            del self.domains[uuid]

    def follow(self):
        """One connection's life. False: list again."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        path, headers = f"{self.prefix}/events?since={self.seen}", {"Accept": "text/event-stream"}
        if self.resumes % 2:
            path, headers = self.prefix + "/events", {**headers, "Last-Event-ID": self.seen}
        client.request("GET", path, headers=headers)
        answer = client.getresponse()
        if answer.status != 200:
            client.close()
            return answer.status != 410
        left = self.breaks and self.breaks()
        for event, number, data in read_stream(answer):
            if event == "reset":
                client.close()
                return False
            with self.lock:
                self.apply(data)
                self.seen = number
            self.events += 1
            if left is not None:
                left -= 1
                if left <= 0:
                    break
        client.close()
        self.resumes += 1
        return True

    def ask(self):
        """One long poll. False: list again."""
        status, _, body = Client(self.port).get(f"{self.prefix}/events?since={self.seen}&wait=2")
        if status != 200:
            return status != 410
        for e in body["events"]:
            if e["event"] == "reset":
                return False
            with self.lock:
                self.apply(e)
            self.events += 1
        with self.lock:
            self.seen = body["revision"]
        return True

    def run(self):
        try:
            self.list()
            while not self.ending:
                try:
                    if not (self.ask() if self.poll else self.follow()):
                        self.list()
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)
        except Exception as e:  # shown by the test
            self.failure = e
            raise

    def state(self):
        with self.lock:
            return {u: dict(d) for u, d in self.domains.items()}


class WebSocket:
    """A raw client (RFC 6455); close codes and frames as they come."""

    KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455, section 1.3

    def __init__(self, port, path, headers=None, timeout=LONG_ENOUGH, context=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        if context:  # of TLS
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.left, self.code, self.reason = b"", None, ""
        fields = {"Host": f"127.0.0.1:{port}", "Connection": "Upgrade",
                  "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                  "Sec-WebSocket-Key": self.KEY, **(headers or {})}
        lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items() if v)]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self.left:
            piece = self.socket.recv(4096)
            if not piece:
                break
            self.left += piece
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in rest)}
        self.body = None
        if self.status != 101:
            size = int(self.headers.get("content-length", 0))
            self.body = json.loads(self.exactly(size) or "null")
        record("GET", path, self.status, self.headers, self.body)

    def exactly(self, n):
        while len(self.left) < n:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError
            self.left += piece
        data, self.left = self.left[:n], self.left[n:]
        return data

    def frame(self):
        """(opcode, payload) of the next frame."""
        first, second = self.exactly(2)
        n = second & 127
        if n == 126:
            n = int.from_bytes(self.exactly(2), "big")
        elif n == 127:
            n = int.from_bytes(self.exactly(8), "big")
        return first & 15, self.exactly(n)

    def send(self, data, opcode=2, masked=True):
        n = len(data)
        mark = 128 if masked else 0
        head = bytes([128 | opcode])
        if n < 126:
            head += bytes([mark | n])
        elif n < 65536:
            head += bytes([mark | 126]) + n.to_bytes(2, "big")
        else:
            head += bytes([mark | 127]) + n.to_bytes(8, "big")
        if masked:
            key = os.urandom(4)
            head += key
            data = bytes(b ^ key[i & 3] for i, b in enumerate(data))
        self.socket.sendall(head + data)

    def message(self, seconds=LONG_ENOUGH):
        """(opcode, payload) of the next message; pings are answered. None: it ended."""
        end = time.time() + seconds
        while True:
            self.socket.settimeout(max(0.05, end - time.time()))
            try:
                opcode, data = self.frame()
            except EOFError:
                return None
            if opcode == 9:
                self.send(data, 10)
            elif opcode == 8:
                self.code = int.from_bytes(data[:2], "big") if data else 1005
                self.reason = data[2:].decode()
                try:
                    self.send(data[:2], 8)
                except OSError:
                    pass
                return None
            else:
                return opcode, data

    def read_until(self, what, seconds=LONG_ENOUGH):
        """All bytes up to and with `what`; what there was when it does not come."""
        data, end = b"", time.time() + seconds
        try:
            while what not in data and time.time() < end:
                message = self.message(end - time.time())
                if message is None:
                    break
                data += message[1]
        except TimeoutError:
            pass
        return data

    def end(self, seconds=LONG_ENOUGH):
        """The close code, when it has ended."""
        deadline = time.time() + seconds
        try:
            while time.time() < deadline and self.message(deadline - time.time()):
                pass
        except (TimeoutError, ConnectionError):
            pass
        return self.code

    def close(self):
        self.socket.close()
