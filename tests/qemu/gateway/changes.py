#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads never wait for changes. More starts than the gateway makes at a time are held by
libvirt's hook, two guests are frozen with changes at work on them, and reads of other guests
are answered, all of them before any start is. Shown by order: no time is judged."""
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

DAEMON = str(Path(__file__).parents[1] / "libvirtd.sh")
HOLD = Path(os.environ.get("VG_LIBVIRTD_DIR", "/tmp/vg-libvirtd")) / "etc" / "hold"
CHANGES = 4  # guests at a time, with the default pool-size of 4
HELD = [f"hold-{i}" for i in range(CHANGES + 6)]
OTHERS = [f"beside-{i}" for i in range(6)]
READS = 200


def document(name):
    return (f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>"
            "<vcpu>1</vcpu><os><type>hvm</type></os></domain>").encode()


def ask(port, method, path, answers):
    answers.append((path, Client(port, timeout=600).send(method, path)[0]))


def begin(port, method, paths, answers):
    threads = [threading.Thread(target=ask, args=(port, method, path, answers), daemon=True)
               for path in paths]
    for t in threads:
        t.start()
    return threads


def pool(client):
    return client.get("/connection")[2]["pool"]


def await_pool(client, what, good):
    """The pool's size tells the changes at work; the gateway reads for itself, too."""
    for _ in range(2400):
        seen = pool(client)
        if good(seen):
            break
        time.sleep(0.05)
    check(good(seen), what, seen)


def read_others(port, what):
    """From several clients, of every kind that calls libvirt for one guest, never from memory."""
    failed = []

    def read(name):
        client = Client(port)
        for i in range(READS // len(OTHERS)):
            path = f"/domains/{name}" + ("", "/state", "/xml", "?fields=name,memoryKiB")[i % 4]
            status, _, body = client.send("GET", path, headers={"Cache-Control": "no-cache"})
            if status != 200:
                failed.append((path, status, body))

    threads = [threading.Thread(target=read, args=(name,)) for name in OTHERS]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(not failed, what, failed[:3])


def freeze(name):
    pid = int(subprocess.run([DAEMON, "guest-pid", name], check=True, text=True,
                             stdout=subprocess.PIPE).stdout)
    os.kill(pid, signal.SIGSTOP)
    return pid


def held_starts(gateway, client):
    answers = []
    HOLD.touch()
    try:
        threads = begin(gateway.port, "POST", [f"/domains/{name}/start" for name in HELD],
                        answers)
        await_pool(client, "so many starts are at work, the others wait",
                   lambda p: p["size"] == 4 + CHANGES and
                   p["waiting"] >= len(HELD) - CHANGES)
        read_others(gateway.port, "reads are answered while starts are held")
        check(not answers, "no start has been answered by then", answers)
    finally:
        HOLD.unlink()
    for t in threads:
        t.join()
    check(sorted(answers) == sorted((f"/domains/{n}/start", 204) for n in HELD),
          "every start is done", answers)


def frozen_guests(gateway, client):
    """Two calls for each guest are at work, and more for it wait."""
    answers, pids = [], [freeze(name) for name in HELD[:2]]
    try:
        threads = begin(gateway.port, "POST",
                        [f"/domains/{name}/suspend" for name in HELD[:2] for _ in range(4)],
                        answers)
        await_pool(client, "two calls for each frozen guest",
                   lambda p: p["size"] == 4 + 4 and p["waiting"] >= 4)
        read_others(gateway.port, "reads are answered beside frozen guests")
        check(not answers, "no change has been answered by then", answers)
        check(client.send("POST", f"/domains/{HELD[2]}/suspend")[0] == 204,
              "changes of others go on")
        check(not answers, "and still none of a frozen one", answers)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    for t in threads:
        t.join()
    check(len(answers) == 8 and {status for _, status in answers} <= {204, 409},
          "every change is answered", answers)


def main():
    gateway = Gateway(os.environ["VG_QEMU_URI"], "--read-deadline", "60", "--change-deadline",
                      "300")
    client = Client(gateway.port)
    for name in HELD + OTHERS:
        check(client.send("POST", "/domains", document(name))[0] == 201, "define", name)
    held_starts(gateway, client)
    frozen_guests(gateway, client)
    await_pool(client, "the pool has its size again",
               lambda p: p["size"] == 4 and p["inUse"] == 0)
    for name in HELD:
        check(client.send("POST", f"/domains/{name}/destroy")[0] == 204, "destroy", name)
    for name in HELD + OTHERS:
        check(client.send("DELETE", f"/domains/{name}")[0] == 204, "undefine", name)
    gateway.stop()


main()
report()
