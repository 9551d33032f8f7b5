#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""SIGTERM while the host is frozen: what is in flight cannot be carried out, and every client
is told so. The answers are on the wire before the connections go: those that the log counts
are those that clients got."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

CLIENTS = 24
DAEMON = str(Path(__file__).parents[1] / "libvirtd.sh")
XML = b"""<domain type='qemu'><name>stop-me</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type>hvm</type></os></domain>"""


def target(i):
    """Reads that are not equal, changes, and reads of all hosts: each way to wait."""
    if i % 6 == 0:
        return "POST", "/domains/stop-me/start"
    if i % 6 == 1:
        return "GET", f"/hosts/-/domains?fields=name,title&limit={i}"
    if i % 6 == 2:
        return "GET", f"/domains/stop-me/xml?flags={'inactive' if i % 12 == 2 else 'secure'}"
    return "GET", f"/domains?fields=name,title&limit={i}"


def ask(port, i):
    s = socket.create_connection(("127.0.0.1", port), 60)
    method, path = target(i)
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    s.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n".encode())
    return s


def read_to_end(s):
    data = b""
    try:
        while piece := s.recv(65536):
            data += piece
    except OSError as e:
        return data, str(e)
    return data, "closed"


def check_answer(i, data, end):
    head, _, body = data.partition(b"\r\n\r\n")
    first = head.split(b"\r\n")[0].decode()
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    whole = length is not None and len(body) == int(length[1])
    check(whole, f"client {i} gets a whole answer: {target(i)}", f"{data!r} {end}")
    if not whole:
        return
    problem = json.loads(body)
    listed = target(i)[1].startswith("/hosts/-/") and first.split()[1] == "200"
    if listed:
        return check(problem["unreachable"], f"client {i}: the host is unreachable", data)
    check(first.split()[1] == "503" and problem["type"].endswith(":draining"),
          f"client {i} is told that the gateway stops", data)
    if target(i)[0] == "POST" and "outcome" in problem:
        check(problem["outcome"] == "unknown", f"client {i}: the outcome", data)
    check(re.search(rb"(?i)\r\nretry-after: \d+", head), f"client {i}: Retry-After", data)


def main():
    gateway = Gateway(os.environ["VG_QEMU_URI"], "--drain-seconds", "5",
                      "--log-filters", "2:access")
    client = Client(gateway.port)
    check(client.send("POST", "/domains", XML)[0] in (200, 201), "define")
    subprocess.run([DAEMON, "freeze"], check=True)
    try:
        clients = [ask(gateway.port, i) for i in range(CLIENTS)]
        check(gateway.heard(CLIENTS), "all have been read")
        time.sleep(0.3)
        gateway.process.send_signal(signal.SIGTERM)
        answers = [read_to_end(s) for s in clients]
        check(gateway.process.wait(60) == 0, "exit status")
    finally:
        subprocess.run([DAEMON, "thaw"], check=True)
    with open(gateway.log.name, encoding="utf-8") as f:
        log = f.read()
    check(f"stopping: {CLIENTS} requests in flight" in log, "all were in flight", log[-2000:])
    for i, (data, end) in enumerate(answers):
        check_answer(i, data, end)
    logged = len(re.findall(r"source=access .*status=503",
                            log.partition("stopping:")[2]))
    seen = sum(data.startswith(b"HTTP/1.1 503 ") for data, _ in answers)
    check(logged == seen, "the log tells what the clients got", f"{logged}, {seen}")
    gateway = Gateway(os.environ["VG_QEMU_URI"])
    Client(gateway.port).send("DELETE", "/domains/stop-me")
    gateway.stop()
    report()


if __name__ == "__main__":
    main()
