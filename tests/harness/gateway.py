# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests in Python share: checks that are counted, a gateway, a client, watchers."""
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time

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


class Client:
    """One kept-alive connection; not for several threads."""

    def __init__(self, port):
        self.port = port
        self.http = None

    def send(self, method, path, body=None, headers=None):
        """(status, headers, bytes). A connection that broke is opened again for a read."""
        headers = dict(headers or {})
        if body is not None:
            headers.setdefault("Content-Type", "application/xml" if body[:1] == b"<"
                               else "application/json")
        for again in (True, False):
            if self.http is None:
                self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
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


class Gateway:
    def __init__(self, uri, *options):
        self.log = tempfile.NamedTemporaryFile(prefix="vg-test-", suffix=".log")
        command = [os.environ.get("VIRTGATE_BIN", "build/virtgate"), "--connect", uri,
                   "--listen", "127.0.0.1:0", "--log-filters", "3:access", *options]
        self.process = subprocess.Popen(command, stderr=self.log, stdout=self.log)
        self.port = None
        for _ in range(400):
            with open(self.log.name, encoding="utf-8") as f:
                found = re.search(r"listening.*127\.0\.0\.1:(\d+)", f.read())
            if found:
                self.port = int(found[1])
                break
            time.sleep(0.05)
        for _ in range(200):
            if Client(self.port).send("GET", "/health/ready")[0] == 200:
                return
            time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if not check(self.process.wait(30) == 0, "exit status of the gateway"):
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
    connection now and then and resumes where it was.
    """

    def __init__(self, port, breaks=None, poll=False):
        super().__init__(daemon=True)
        self.port, self.breaks, self.poll = port, breaks, poll
        self.domains, self.seen = {}, None
        self.lists = self.events = self.resumes = 0
        self.ending = False
        self.failure = None
        self.lock = threading.Lock()

    def list(self):
        while not self.ending:
            client = Client(self.port)
            status, headers, body = client.get("/domains")
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
        path, headers = f"/events?since={self.seen}", {"Accept": "text/event-stream"}
        if self.resumes % 2:
            path, headers = "/events", {**headers, "Last-Event-ID": self.seen}
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
        status, _, body = Client(self.port).get(f"/events?since={self.seen}&wait=2")
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
