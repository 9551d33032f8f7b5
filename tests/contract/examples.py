#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands in examples/, run or checked by the programs that it is for: promtool, a shell, Python,
Ansible. What needs npm or HAProxy is tested by tests/fleet.
"""
import json
import os
import re
import select
import subprocess
import sys
import tempfile
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


PYTHON_SAYS = ["test running", "made from-python shutoff", "title Made by Python", "events True",
               "gone 404 Domain not found"]


def check_python():
    gateway = Gateway("test:///default")
    url = f"http://127.0.0.1:{gateway.port}"
    done = subprocess.run([ROOT / "examples/python/virtgate.py", url], capture_output=True,
                          text=True, check=False, timeout=120)
    check(done.stdout.splitlines() == PYTHON_SAYS, "what virtgate.py prints", done.stdout + done.stderr)
    sys.path.insert(0, str(ROOT / "examples/python"))
    from virtgate import Gateway as Made, Problem  # pylint: disable=import-outside-toplevel
    made = Made(url, host="default")
    try:
        made.suspendDomain(domain="a name/with all: characters?")
    except Problem as problem:
        check(problem.status == 404 and problem.body["host"] == "default", "its problem", problem.body)
    else:
        check(False, "a problem is raised")
    for call in (lambda: made.getDomain(domain="test", nonsense=1), made.getDomain):
        try:
            call()
        except TypeError:
            check(True, "arguments are checked")
        else:
            check(False, "arguments are checked")
    check(not hasattr(made, "nonsense") and "listDomains" in dir(made), "operations are those of /openapi.json")
    gateway.stop()


def play(folder, port, *options):
    """The numbers of the play's recap."""
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", ROOT / "examples/ansible/guests.yml",
         "-e", f"gateway=http://127.0.0.1:{port}/hosts/default", *options],
        capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "ANSIBLE_HOME": folder, "ANSIBLE_LOCAL_TEMP": folder, "ANSIBLE_NOCOLOR": "1",
             "ANSIBLE_REMOTE_TEMP": folder, "TOKEN": "", "LC_ALL": "C.UTF-8"})
    numbers = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", done.stdout.rsplit("RECAP", 1)[-1])}
    check(done.returncode == 0 and numbers.get("failed") == 0, "the play " + " ".join(options),
          done.stdout + done.stderr)
    return numbers


def check_ansible():
    gateway = Gateway("test:///default")
    client = Client(gateway.port)

    def guests():
        listed = client.send("GET", "/domains?fields=name,state,autostart,title")[2]
        return {d["name"]: (d["state"], d["autostart"], d.get("title")) for d in json.loads(listed)["domains"]
                if d["name"] != "test"}

    wanted = {"web1": ("running", True, "Front end"), "batch1": ("shutoff", False, "Nightly work")}
    with tempfile.TemporaryDirectory(prefix="vg-ansible-") as folder:
        check(play(folder, gateway.port, "--check")["changed"] == 0 and not guests(), "--check changes nothing")
        check(play(folder, gateway.port)["changed"] == 4 and guests() == wanted, "guests as they are to be", guests())
        check(play(folder, gateway.port)["changed"] == 0 and guests() == wanted, "a second run changes nothing")
        client.send("POST", "/domains/web1/destroy", b"{}")
        client.send("PATCH", "/domains/batch1", b'{"domain": {"title": "Other", "vcpu": {"#text": "2"}}}')
        client.send("POST", "/domains/batch1/start", b"{}")
        check(play(folder, gateway.port)["changed"] == 3 and guests() == wanted, "what differs is changed", guests())
    gateway.stop()


def main():
    os.chdir(ROOT)
    check_prometheus()
    check_watch()
    check_python()
    check_ansible()
    report()


main()
