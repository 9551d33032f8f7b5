#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""SIGTERM ends the gateway within --drain-seconds, with status 0, whoever holds it up: a log
that nobody reads, clients that send half a request, clients that read no answer."""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

BINARY = os.environ.get("VIRTGATE_BIN", "build/virtgate")
LIMIT = 120  # seconds: far more than --drain-seconds, so that a loaded machine does not fail


def start(*options, uri="test:///default"):
    """A gateway whose log goes to a pipe, read as far as its port."""
    command = [*os.environ.get("VG_WRAP", "").split(), BINARY, "--connect", uri, "--listen",
               "127.0.0.1:0", "--log-level", "1", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    for line in process.stderr:
        if found := re.search(rb"listening.*127\.0\.0\.1:(\d+)", line):
            return process, int(found[1])
    raise SystemExit("the gateway does not listen")


def end(process, what):
    process.send_signal(signal.SIGTERM)
    try:
        check(process.wait(LIMIT) == 0, what, process.returncode)
    except subprocess.TimeoutExpired:
        check(False, what, "it does not end")
        process.kill()


def fill_pipe(port):
    """64 KiB of log and more."""
    client = Client(port)
    for _ in range(500):
        status, _, _ = client.send("GET", "/version?" + "x" * 200)
        if status != 400:
            return check(False, "a request while the log's pipe is full", status)
    return check(True, "requests are answered while the log's pipe is full")


def test_unread_pipe():
    for options in ([], ["--drain-seconds", "1"],
                    ["--log-outputs", "1:stderr 1:file:/dev/null"]):
        process, port = start(*options)
        fill_pipe(port)
        end(process, f"exit while nobody reads the log's pipe {options}")
        process.stderr.close()


def test_unopened_pipe():
    """SIGHUP opens the log's file again: a pipe by now, which blocks until it has a reader."""
    with tempfile.TemporaryDirectory(prefix="vg-test-") as folder:
        path = f"{folder}/log"
        gateway = Gateway("test:///default", "--log-outputs", f"1:stderr 1:file:{path}")
        os.unlink(path)
        os.mkfifo(path)
        gateway.process.send_signal(signal.SIGHUP)
        client = Client(gateway.port)
        check(all(client.send("GET", "/version")[0] == 200 for _ in range(100)),
              "requests while the log's file cannot be opened")
        end(gateway.process, "exit while the log's file cannot be opened")


def ask(port, method, path):
    s = socket.create_connection(("127.0.0.1", port), 30)
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    s.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n".encode())
    return s


def test_endless_call():
    """A driver in the gateway's own process cannot be cut: it opens a pipe for ever. All that
    waits for it, and for the hosts after it, is answered: each kind of worker has a queue."""
    kinds = (("GET", "/domains"), ("POST", "/domains/test/suspend"),
             ("POST", "/domains/test/agent/fs-freeze"), ("GET", "/domains/test/hostname"),
             ("POST", "/domains/test/managed-save"))
    with tempfile.TemporaryDirectory(prefix="vg-test-") as folder:
        os.mkfifo(f"{folder}/node.xml")
        uri = f"test://{folder}/node.xml"
        process, port = start("--drain-seconds", "2", "--allow-unsafe-uri", "--host", f"b={uri}",
                              uri=uri)
        status = Client(port).send("GET", "/health/live")[0]
        check(status == 200, "alive while a call never returns", status)
        waiting = [(method, path, ask(port, method, path)) for method, rest in kinds
                   for path in (rest, f"/hosts/b{rest}")]
        check(Client(port).send("GET", "/health/live")[0] == 200, "alive while requests wait")
        end(process, "exit while a call never returns")
        for method, path, s in waiting:
            try:
                data = s.recv(65536)
            except OSError as e:
                data = str(e).encode()
            check(data.startswith(b"HTTP/1.1 503 "), f"{method} {path} is answered", data)
            s.close()
        process.stderr.close()


def test_slow_clients():
    process, port = start("--drain-seconds", "2")
    half = socket.create_connection(("127.0.0.1", port), 30)
    half.sendall(b"POST /domains/test/suspend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n")
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", port))
    deaf.sendall(b"GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40)
    end(process, "exit with half a request and an answer that is not read")
    half.close()
    deaf.close()


def test_unit():
    """systemd is more patient than the gateway."""
    help_text = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True)
    drain = re.search(r"--drain-seconds.*?\(default (\d+)\)", help_text.stdout, re.S)
    unit = Path(__file__).resolve().parents[3] / "docs/virtgate.service"
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.M)
    check(int(stop[1]) == int(drain[1]) + 10, "TimeoutStopSec is --drain-seconds and 10")


def main():
    test_unit()
    test_unread_pipe()
    test_unopened_pipe()
    test_endless_call()
    test_slow_clients()
    report()


if __name__ == "__main__":
    main()
