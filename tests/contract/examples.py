#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands in examples/, run or checked by the programs that it is for: promtool, a shell. What
needs npm or HAProxy is tested by tests/fleet.
"""
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

PROMETHEUS = ROOT / "examples/prometheus"


def promtool(*arguments):
    done = subprocess.run(["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True,
                          check=False)
    check(done.returncode == 0, "promtool " + " ".join(arguments), done.stdout + done.stderr)


def check_prometheus():
    promtool("check", "config", "--syntax-only", "prometheus.yml")
    promtool("check", "rules", "alerts.yml")
    promtool("test", "rules", "alerts_test.yml")
    rules = (PROMETHEUS / "alerts.yml").read_text(encoding="utf-8")
    tested = (PROMETHEUS / "alerts_test.yml").read_text(encoding="utf-8")
    for alert in re.findall(r"- alert: (\w+)", rules):
        check(f"alertname: {alert}" in tested, f"{alert} has a test")
    gateway = Gateway("test:///default")
    text = Client(gateway.port).send("GET", "/metrics")[2].decode()
    there = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    for name in set(re.findall(r"\b(?:libvirt|virtgate)_\w+", rules)):
        check(name in there, f"{name} is in /metrics")
    gateway.stop()


class Lines:
    """What a program prints, line by line."""

    def __init__(self, process):
        self.process, self.text = process, ""

    def wait_for(self, wanted, seconds=30):
        end, pipe = time.monotonic() + seconds, self.process.stdout.fileno()
        while wanted not in self.text.splitlines() and time.monotonic() < end:
            if select.select([pipe], [], [], 0.2)[0]:
                self.text += os.read(pipe, 65536).decode()
        found = wanted in self.text.splitlines()
        check(found, f"watch.sh prints {wanted!r}", self.text)
        self.text = ""


def check_watch():
    """Through a restart of the gateway, on the same port."""
    gateway = Gateway("test:///default")
    port = gateway.port
    with subprocess.Popen([ROOT / "examples/watch.sh", f"http://127.0.0.1:{port}"], text=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          start_new_session=True) as process:
        lines, client = Lines(process), Client(port)
        lines.wait_for("test running")
        client.send("POST", "/domains/test/suspend", b"{}")
        lines.wait_for("test suspended paused")
        client.send("POST", "/domains/test/resume", b"{}")
        lines.wait_for("test resumed unpaused")
        gateway.stop()
        gateway = Gateway("test:///default", "--listen", f"127.0.0.1:{port}")
        lines.wait_for("test running")
        Client(port).send("POST", "/domains/test/suspend", b"{}")
        lines.wait_for("test suspended paused")
        os.killpg(process.pid, 15)
    gateway.stop()


def main():
    os.chdir(ROOT)
    check_prometheus()
    check_watch()
    report()


main()
