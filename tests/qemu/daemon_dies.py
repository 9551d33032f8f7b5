#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that dies while it is asked: reads of every kind stand in its queue, it is frozen, killed and
started again. Each is answered by the daemon that came after it, or by an error that says that it
may be tried again; a change that says nothing of its outcome was not made.
"""
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "harness"))
from gateway import Client, Gateway, check, record, report  # noqa: E402

DAEMON = str(ROOT / "qemu/libvirtd.sh")
AT_ONCE = 6  # as many as the gateway has connections for
READS = ("/networks?limit=1", "/interfaces", "/storage-pools?limit=1", "/nwfilters",
         "/nwfilter-bindings", "/secrets?limit=1", "/node-devices?limit=1",
         "/node", "/node/memory", "/node/cpu-map", "/node/cpu-stats", "/node/security-model",
         "/connection", "/connection/capabilities", "/version", "/node/cells/free-memory",
         "/node/memory/stats", "/connection/max-vcpus")
ADMIN = ("/admin", "/admin/version", "/admin/logging", "/admin/servers",
         "/admin/servers/libvirtd/clients", "/admin/servers/libvirtd/threadpool")
LOCAL = ("/connection", "/version", "/admin")  # what the connection itself knows


def daemon(verb):
    subprocess.run([DAEMON, verb], check=True, stdout=subprocess.DEVNULL)


def ask(port, method, path, body, answers):
    begun = time.monotonic()
    status, fields, answer = Client(port).send(method, path, body, {"Cache-Control": "no-cache"})
    record(method, path, status, dict(fields), answer.decode())
    answers.append((method, path, status, json.loads(answer) if answer[:1] == b"{" else None,
                    time.monotonic() - begun))


def die_under(port, requests):
    """The answers to these, which the daemon was asked when it died."""
    answers = []
    threads = [threading.Thread(target=ask, args=(port, *r, answers)) for r in requests]
    daemon("freeze")
    for thread in threads:
        thread.start()
    time.sleep(1)
    check(all(a[1] in LOCAL for a in answers), "none is answered by a daemon that is frozen",
          answers)
    daemon("kill")
    daemon("up")
    for thread in threads:
        thread.join()
    return answers


def until_up(port):
    end = time.monotonic() + 60
    for path in ("/networks", "/admin/servers"):
        while Client(port).send("GET", path, headers={"Cache-Control": "no-cache"})[0] != 200 and \
                time.monotonic() < end:
            time.sleep(0.05)


def check_reads(port):
    again = 0
    for paths in [READS[i:i + AT_ONCE] for i in range(0, len(READS), AT_ONCE)] + [ADMIN]:
        until_up(port)
        answers = die_under(port, [("GET", path, None) for path in paths])
        check(len(answers) == len(paths), "each is answered", answers)
        for _, path, status, body, took in answers:
            again += status != 200
            check(status == 200 or (status in (502, 503) and body["retryable"]),
                  f"GET {path} while the daemon dies", f"{status} {body}")
            check(took < 60, f"GET {path} is answered in time", took)
    print(f"# {again} of {len(READS) + len(ADMIN)} are to be tried again")


def check_changes(port):
    number = str(uuid.uuid4())
    made = {"/networks": "/networks/dies", "/secrets": f"/secrets/{number}",
            "/nwfilters": "/nwfilters/dies"}
    until_up(port)
    answers = die_under(port, [
        ("POST", "/networks", b"<network><name>dies</name></network>"),
        ("POST", "/secrets", f"<secret><uuid>{number}</uuid></secret>".encode()),
        ("POST", "/nwfilters", b"<filter name='dies'/>")])
    until_up(port)
    for method, path, status, body, _ in answers:
        check(status == 201 or status in (502, 503, 504) and body["retryable"],
              f"{method} {path} while the daemon dies", f"{status} {body}")
        known = status != 201 and "outcome" not in body
        gone = Client(port).send("DELETE", made[path])[0]
        check(gone == (404 if known else 204) or not known and status != 201,
              f"{path}: what was not made is not there", f"{status} {gone}")


def main():
    with tempfile.TemporaryDirectory(prefix="vg-dies.") as folder:
        os.chmod(folder, 0o755)
        os.environ["VG_LIBVIRTD_DIR"] = folder + "/d"
        os.environ.pop("VG_LIBVIRTD_BESIDE", None)
        uri = subprocess.run([DAEMON, "start"], check=True, stdout=subprocess.PIPE,
                             text=True).stdout.strip()
        try:
            # a daemon that begins anew on a busy machine takes longer than the usual ten seconds
            gateway = Gateway(uri, "--pool-size", str(AT_ONCE), "--read-deadline", "40")
            check_reads(gateway.port)
            check_changes(gateway.port)
            gateway.stop()
        finally:
            daemon("stop")
    report()


if __name__ == "__main__":
    main()
