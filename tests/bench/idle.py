#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it costs to have something and do nothing with it.

idle.py connections VIRTGATE N   open N connections that have asked once: percent of a core
idle.py hosts VIRTGATE N         N hosts of the test driver: threads, KiB of each host
"""
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time

SECONDS = 10
TICKS = os.sysconf("SC_CLK_TCK")


def ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def status(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key + ":"))


def start(virtgate, *options):
    """A gateway and its port, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([virtgate, "--listen", f"127.0.0.1:{port}", "--log-level", "4",
                                *options], stderr=subprocess.DEVNULL)
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process, port
        except OSError:
            time.sleep(0.01)
    raise SystemExit("the gateway does not come up")


def connections(virtgate, n):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(n + 1000, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    process, port = start(virtgate, "--connect", "test:///default", "--idle-timeout", "600",
                          "--max-connections", str(n + 100))
    opened = []
    for _ in range(n):
        c = socket.create_connection(("127.0.0.1", port))
        c.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        c.recv(4096)
        opened.append(c)
    time.sleep(2)
    before = ticks(process.pid)
    time.sleep(SECONDS)
    after = ticks(process.pid)
    print(f"{(after - before) / TICKS / SECONDS * 100:.2f}")
    process.terminate()
    process.wait()


def settled(virtgate, *options):
    """The most threads, and KiB, of a gateway that was left alone for a while."""
    process, _ = start(virtgate, *options)
    time.sleep(10)  # what the start needed has gone
    most = 0
    for _ in range(SECONDS * 20):
        most = max(most, status(process.pid, "Threads"))
        time.sleep(0.05)
    rss = status(process.pid, "VmRSS")
    process.terminate()
    process.wait()
    return most, rss


def hosts(virtgate, n):
    with tempfile.TemporaryDirectory() as folder:
        def options(count):
            made = []
            for i in range(count):
                path = f"{folder}/h{i}.xml"
                with open(path, "w", encoding="ascii") as file:
                    file.write("<node/>")
                made += ["--host", f"h{i}=test://{path}"]
            return made
        _, one = settled(virtgate, *options(1))
        threads, many = settled(virtgate, *options(n))
    print(threads, f"{(many - one) / (n - 1):.1f}")


{"connections": connections, "hosts": hosts}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
