#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""README's way from an empty host to a guest: its lines run as they are, but for the port, the pool's
folder and the guest's memory. Then what stands in the way of a start, which undoes a new guest.
"""
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import libvirt

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

ADDRESS = 60  # seconds; a guest of QEMU's own emulation that boots from the network


def send(client, method, path, body=None):
    status, _, answer = client.send(method, path, json.dumps(body).encode() if body else None)
    return status, json.loads(answer) if answer else None


def run_tour(port, folder):
    readme = (HERE.parents[2] / "README.md").read_text()
    blocks = [b for b in re.findall(r"```sh\n(.*?)```", readme, re.S) if "storage-pools" in b]
    check(len(blocks) == 1, "README has the tour", len(blocks))
    script = blocks[0].replace("localhost:8080", f"localhost:{port}").replace(
        "/srv/images", folder).replace('"memoryMiB": 512', '"memoryMiB": 64')
    done = subprocess.run(["bash", "-e", "-c", script], text=True, capture_output=True, check=False)
    check(done.returncode == 0 and "urn:" not in done.stdout, "its lines succeed", done.stdout)


def check_guest(client):
    status, guest = send(client, "GET", "/domains/web")
    check(status == 200 and guest["active"] and guest["persistent"], "the guest runs", guest)
    leases, end = [], time.monotonic() + ADDRESS
    while not leases and time.monotonic() < end:
        time.sleep(0.5)
        leases = send(client, "GET", "/networks/lab/dhcp-leases")[1]["leases"]
    check(len(leases) == 1 and leases[0]["address"], "it has an address of the network", leases)
    for path in ("/networks/lab", "/storage-pools/images", "/storage-pools/images/volumes/web.qcow2"):
        used = send(client, "GET", path + "?view=full")[1]["usedBy"]
        check([u["name"] for u in used] == ["web"], f"{path} is used by it", used)


def check_undone(client):
    """A volume that is there when the guest is defined and not when it starts."""
    status, _ = send(client, "POST", "/domains", {
        "name": "late", "memoryMiB": 64, "start": True, "interfaces": [{"network": "lab"}],
        "disks": [{"path": "/nosuch.qcow2", "format": "qcow2"}]})
    check(status >= 400, "a guest whose disk is not there does not start", status)
    check(send(client, "GET", "/domains/late")[0] == 404, "and is not left behind")


def main():
    uri = os.environ["VG_QEMU_URI"]
    folder = str(Path(uri.split("socket=")[1]).parents[1] / "tour")
    conn, gateway = libvirt.open(uri), Gateway(uri)
    client = Client(gateway.port)
    run_tour(gateway.port, folder)
    check_guest(client)
    check_undone(client)
    for method, path in (("POST", "/domains/web/destroy"), ("DELETE", "/domains/web"),
                         ("DELETE", "/storage-pools/images/volumes/web.qcow2"),
                         ("POST", "/storage-pools/images/destroy"),
                         ("POST", "/storage-pools/images/delete-data"),
                         ("DELETE", "/storage-pools/images"),
                         ("POST", "/networks/lab/destroy"), ("DELETE", "/networks/lab")):
        status, answer = send(client, method, path)
        check(status == 204, f"{method} {path}", answer)
    gateway.stop()
    conn.close()
    return report()


if __name__ == "__main__":
    sys.exit(main())
