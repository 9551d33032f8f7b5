#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes on after its request was allowed (streams, polls, WebSockets) ends with the token:
when it expires, when its line goes, when its role changes; by SIGHUP as by the file alone.
Others' goes on."""
import hashlib
import http.client
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, WebSocket, check, report  # noqa: E402

PATIENCE = 60  # of the tests; what does not end goes on for ever, or for 300 s
OVER = "The token is no longer valid"


def line(name, role="admin", expires=""):
    return f"{name} {role} {hashlib.sha256(name.encode()).hexdigest()} {expires}\n"


def write(path, *lines):
    """As people do who care: whole, under another name, and then moved."""
    new = path + ".new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as f:
        f.writelines(lines)
    os.rename(new, path)


def bearer(name):
    return {"Authorization": f"Bearer {name}"}


class Stream(threading.Thread):
    """An event stream, or a poll: reads to its end."""

    def __init__(self, port, path, token, accept):
        super().__init__(daemon=True)
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.http.request("GET", path, headers={**bearer(token), "Accept": accept})
        self.path, self.data, self.status = path, b"", None
        if accept != "application/json":
            self.answer = self.http.getresponse()
            self.status = self.answer.status
            self.answer.readline()
        self.poll = self.status is None
        self.start()

    def run(self):
        try:
            if self.poll:
                self.answer = self.http.getresponse()
                self.status = self.answer.status
            while piece := self.answer.read1(4096):
                self.data += piece
        except OSError as e:
            self.data += str(e).encode()

    def ended(self):
        self.join(PATIENCE)
        return not self.is_alive()


class Sessions:
    """One of each kind."""

    def __init__(self, gateway, token):
        self.token, port = token, gateway.port
        stream, poll = "text/event-stream", "application/json"
        self.streams = [Stream(port, "/events", token, stream),
                        Stream(port, "/hosts/-/events", token, stream),
                        Stream(port, "/domains/test/events", token, stream)]
        self.polls = [Stream(port, "/events?wait=300", token, poll),
                      Stream(port, "/domains/test/events?wait=300", token, poll)]
        self.socket = WebSocket(port, "/events?object=domain", bearer(token), PATIENCE)
        self.deaf = WebSocket(port, "/events?object=network", bearer(token), PATIENCE)
        check(gateway.heard(len(self.streams + self.polls) + 2), f"polls of {token} have come")
        time.sleep(0.3)  # and wait

    def check_open(self):
        check(all(s.status == 200 for s in self.streams), f"streams of {self.token} begin")
        check(self.socket.status == self.deaf.status == 101, f"WebSockets of {self.token} open")

    def expect_end(self, how):
        for s in self.streams:
            check(s.ended(), f"{how}: {s.path} ends")
        for p in self.polls:
            check(p.ended() and p.status == 401 and json.loads(p.data)["detail"] == OVER,
                  f"{how}: a poll is answered 401", f"{p.status} {p.data}")
        check(self.socket.end(PATIENCE) == 1008 and self.socket.reason == OVER,
              f"{how}: a WebSocket is closed", f"{self.socket.code} {self.socket.reason}")
        try:  # who does not answer the close frame is cut
            while self.deaf.socket.recv(4096):
                pass
            cut = True
        except TimeoutError:
            cut = False
        except ConnectionError:
            cut = True
        check(cut, f"{how}: a WebSocket that answers nothing is cut")
        self.close()

    def expect_life(self, client, how):
        """They tell what happens."""
        for action in ("suspend", "resume"):
            client.send("POST", f"/domains/test/{action}", headers=bearer("keep"))
        message = self.socket.message(PATIENCE)
        check(message and json.loads(message[1])["type"] == "suspended",
              f"{how}: another token's WebSocket goes on", message)
        check(all(p.ended() and p.status == 200 for p in self.polls),
              f"{how}: another token's polls are answered", [p.status for p in self.polls])
        end = time.time() + PATIENCE
        while time.time() < end and not all(b"suspended" in s.data for s in self.streams):
            time.sleep(0.05)
        check(all(b"suspended" in s.data and s.is_alive() for s in self.streams),
              f"{how}: another token's streams go on", [s.data for s in self.streams])
        self.close()

    def close(self):
        self.socket.close()
        self.deaf.close()


def become_known(gateway, client, how):
    end = time.time() + PATIENCE
    while client.send("GET", "/version", headers=bearer("go"))[0] != 200 and time.time() < end:
        time.sleep(0.1)
    check(client.send("GET", "/version", headers=bearer("go"))[0] == 200,
          f"{how}: a token that was added is known without a signal")
    return Sessions(gateway, "go"), Sessions(gateway, "keep")


def test(gateway, path, how, before, after, hup=False, still=False):
    """`after` is written when all sessions are open; None: the clock alone ends them. `still`:
    the token is good for something then."""
    write(path, line("keep"), before)
    client = Client(gateway.port)
    going, staying = become_known(gateway, client, how)
    check_end(gateway, path, client, going, staying, how, after, hup, still)


def test_expired(gateway, path):
    """The token lasts until all sessions are open: longer, where that took too long."""
    client = Client(gateway.port)
    for seconds in (10, 20, 40):
        end = time.time() + seconds
        write(path, line("keep"), line("go", expires=soon(seconds)))
        going, staying = become_known(gateway, client, "expired")
        if time.time() < end - 1:
            break
        going.close()
        staying.close()
    check_end(gateway, path, client, going, staying, "expired", None)


def check_end(gateway, path, client, going, staying, how, after, hup=False, still=False):
    going.check_open()
    staying.check_open()
    if after is not None:
        write(path, line("keep"), after)
    if hup:
        gateway.process.send_signal(signal.SIGHUP)
    going.expect_end(how)
    if hup:  # it ends all that watch: who comes back is asked for its token
        staying.close()
    else:
        staying.expect_life(client, how)
    status = client.send("GET", "/version", headers=bearer("go"))[0]
    check(status == (200 if still else 401), f"{how}: what the token is good for", status)


def soon(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def test_bad_file(gateway, path):
    """A file that is refused ends nothing."""
    write(path, line("keep"), line("go"))
    client = Client(gateway.port)
    sessions, other = become_known(gateway, client, "a bad file")
    other.close()
    sessions.check_open()
    write(path, "nonsense\n")
    end, log = time.time() + PATIENCE, ""
    while "the old tokens stay in force" not in log and time.time() < end:
        time.sleep(0.1)
        with open(gateway.log.name, encoding="utf-8") as f:
            log = f.read()
    check("expected NAME ROLE SHA256" in log, "what is wrong with the file is said", log[-500:])
    time.sleep(2)
    with open(gateway.log.name, encoding="utf-8") as f:
        check(f.read().count("the old tokens stay in force") == 1, "and said once")
    sessions.expect_life(client, "a bad file")


def main():
    with tempfile.TemporaryDirectory(prefix="vg-sessions-") as folder:
        path = f"{folder}/tokens"
        write(path, line("keep"))
        gateway = Gateway("test:///default", "--token-file", path)
        test(gateway, path, "removed", line("go"), "")
        test(gateway, path, "another role", line("go"), line("go", "operator"), still=True)
        test(gateway, path, "removed, SIGHUP", line("go"), "", hup=True)
        test_expired(gateway, path)
        test(gateway, path, "an earlier expiry", line("go", expires=soon(3600)),
             line("go", expires=soon(-1)))
        test_bad_file(gateway, path)
        gateway.stop()
    report()


main()
