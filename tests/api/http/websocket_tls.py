#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""WebSockets over the gateway's own TLS: as without it where libmicrohttpd is 1.0 or later, a clear
refusal before. A proxy that does the TLS: trust_header.py."""
import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Gateway, WebSocket, check, libmicrohttpd, report  # noqa: E402
from tls_files import make_self_signed  # noqa: E402

EVENTS = "/events?object=domain"


class TlsGateway(Gateway):
    def is_ready(self):
        return True


def write(folder, names):
    """The token file."""
    with open(os.open(f"{folder}/tokens", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="ascii") as f:
        f.writelines(f"{n} admin {hashlib.sha256(n.encode()).hexdigest()}\n" for n in names)


class Tls:
    def __init__(self, folder):
        self.context = ssl.create_default_context(cafile=f"{folder}/tls.crt")
        self.context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        self.gateway = TlsGateway("test:///default", "--tls-cert", f"{folder}/tls.crt",
                                  "--tls-key", f"{folder}/tls.key", "--token-file",
                                  f"{folder}/tokens")

    def open(self, path=EVENTS, who="keep", **more):
        return WebSocket(self.gateway.port, path, {"Authorization": f"Bearer {who}"},
                         context=self.context, **more)

    def change(self, verb):
        """By a connection of its own; the status."""
        done = subprocess.run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST",
                               "-H", "Authorization: Bearer keep",
                               f"https://127.0.0.1:{self.gateway.port}/domains/test/{verb}"],
                              capture_output=True, text=True, check=False)
        return done.stdout

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.gateway.process.pid}/fd"))


def test_refused(tls):
    ws = tls.open()
    check(ws.status == 400 and "libmicrohttpd before 1.0" in ws.body["detail"] and
          "HAProxy" in ws.body["detail"], "a WebSocket over TLS is refused, with what to do",
          f"{ws.status} {ws.body}")


def test_events(tls):
    ws = tls.open()
    check(ws.status == 101, "a WebSocket over TLS", f"{ws.status} {ws.body}")
    for verb, told in (("suspend", "suspended"), ("resume", "resumed")) * 10:
        check(tls.change(verb) == "204", verb)
        message = ws.message()
        check(message and json.loads(message[1])["type"] == told, f"{verb} is told", message)
    ws.send(b"are you there", 9)
    check(ws.frame() == (10, b"are you there"), "a ping is answered")
    ws.send(b"\x03\xe8", 8)
    check(ws.end() == 1000, "and the closing handshake is done", ws.code)
    check(ws.socket.recv(1) == b"", "then the connection ends")
    ws.close()
    ws = tls.open("/domains/nosuch/console?refuse=close")
    check(ws.end() == 4404, "a refusal in the close", f"{ws.status} {ws.code}")
    ws.close()


def test_many(tls):
    """All of them are told all, whatever the others do."""
    before, wrong = tls.descriptors(), []
    sockets = [tls.open(timeout=60) for _ in range(40)]
    check(all(ws.status == 101 for ws in sockets), "forty of them")
    ready = threading.Barrier(31)

    def follow(ws):
        ready.wait(60)
        types = [json.loads(ws.message(60)[1])["type"] for _ in range(20)]
        if types != ["suspended", "resumed"] * 10:
            wrong.append(types)

    threads = [threading.Thread(target=follow, args=(ws,)) for ws in sockets[:30]]
    for t in threads:
        t.start()
    ready.wait(60)
    for i in range(10):
        for verb in ("suspend", "resume"):
            check(tls.change(verb) == "204", verb)
        sockets[30 + i].close()  # without a word
    for t in threads:
        t.join(90)
    check(not wrong, "each has heard each event, in order", wrong[:2])
    for ws in sockets:
        ws.close()
    for _ in range(200):
        if tls.descriptors() <= before:
            break
        time.sleep(0.05)
    check(tls.descriptors() <= before, "no descriptor is left", (before, tls.descriptors()))


def test_end(tls, folder):
    """By the token, and by the gateway's stop."""
    ws = tls.open(who="go", timeout=30)
    write(folder, ("keep",))
    tls.gateway.process.send_signal(signal.SIGHUP)
    check(ws.end(30) in (1001, 1008), "a session ends with its token", ws.code)
    sockets = [tls.open(timeout=30) for _ in range(5)]
    tls.gateway.stop()
    for ws in sockets:
        check(ws.end(30) == 1001, "and with the gateway", ws.code)


def main():
    with tempfile.TemporaryDirectory(prefix="vg-wss-") as folder:
        check(make_self_signed(folder, "gateway"), "a certificate is made")
        write(folder, ("keep", "go"))
        tls = Tls(folder)
        if libmicrohttpd() < (1, 0):
            test_refused(tls)
            tls.gateway.stop()
        else:
            test_events(tls)
            test_many(tls)
            test_end(tls, folder)
    report()


main()
