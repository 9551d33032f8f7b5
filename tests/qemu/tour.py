#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""README's way from an empty host and an image to a guest that knows a key, and what docs/guests.md
shows from there: their lines run as they are, but for the port, the pool's folder and the guest's
memory. Then what stands in the way of a start, which undoes a new guest.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import libvirt

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "harness"))
from console import Console  # noqa: E402
from gateway import Client, Gateway, check, report  # noqa: E402

ROOT = HERE.parents[2]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHZpcnRnYXRlIHRvdXIgKg me@here"


def send(client, method, path, body=None):
    status, _, answer = client.send(method, path, json.dumps(body).encode() if body else None)
    return status, json.loads(answer) if answer else None


def make_home(folder):
    """A key, and an image with what does as cloud-init does."""
    (folder / ".ssh").mkdir()
    (folder / ".ssh/id_ed25519.pub").write_text(KEY + "\n")
    subprocess.run([ROOT / "tests/qemu/cloud_image.sh", folder / "raw.img"], check=True, cwd=ROOT)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", folder / "raw.img",
                    folder / "debian.qcow2"], check=True)


def run_tour(port, images, home):
    """README's lines; the last thing that they print."""
    readme = (ROOT / "README.md").read_text()
    blocks = [b for b in re.findall(r"```sh\n(.*?)```", readme, re.S) if "storage-pools" in b]
    check(len(blocks) == 1, "README has the tour", len(blocks))
    script = blocks[0].replace("localhost:8080", f"localhost:{port}").replace(
        "/srv/images", images).replace('"memoryMiB": 2048', '"memoryMiB": 256')
    done = subprocess.run(["bash", "-e", "-c", script], text=True, capture_output=True, check=False,
                          cwd=home, env={**os.environ, "HOME": str(home)})
    check(done.returncode == 0 and "urn:" not in done.stdout, "its lines succeed", done.stdout)
    return done.stdout.strip().splitlines()[-1]


def check_guest(client, last):
    status, guest = send(client, "GET", "/domains/web")
    check(status == 200 and guest["active"] and guest["persistent"], "the guest runs", guest)
    leases = send(client, "GET", "/networks/lab/dhcp-leases")[1]["leases"]
    check(len(leases) == 1 and last == "ssh me@" + leases[0]["address"] and
          leases[0]["hostname"] == "web", "the line to type ends the tour", (last, leases))
    for path in ("/networks/lab", "/storage-pools/images", "/storage-pools/images/volumes/web.qcow2"):
        used = send(client, "GET", path + "?view=full")[1]["usedBy"]
        check([u["name"] for u in used] == ["web"], f"{path} is used by it", used)
    seed = client.send("GET", "/storage-pools/images/volumes/web-seed.iso/content")[2]
    check(KEY.encode() in seed, "its seed has the key")


def run_samples(port, images, home):
    console = Console(home, **{"localhost:8080": f"127.0.0.1:{port}", "/srv/images": images})
    n = console.check_all(ROOT / "docs" / "guests.md", "qemu")
    check(n > 0, "docs/guests.md has samples", n)


def check_undone(client):
    """A volume that is there when the guest is defined and not when it starts."""
    status, _ = send(client, "POST", "/domains", {
        "name": "late", "memoryMiB": 64, "start": True, "interfaces": [{"network": "lab"}],
        "disks": [{"path": "/nosuch.qcow2", "format": "qcow2"}]})
    check(status >= 400, "a guest whose disk is not there does not start", status)
    check(send(client, "GET", "/domains/late")[0] == 404, "and is not left behind")


def clean(client):
    for name in ("web1", "web2", "files", "files2", "disc"): # of a sample that failed
        client.send("POST", f"/domains/{name}/destroy")
        client.send("DELETE", f"/domains/{name}")
    for method, path in (("POST", "/domains/web/destroy"), ("DELETE", "/domains/web?volumes=true"),
                         *(("DELETE", f"/storage-pools/images/volumes/{name}")
                           for name in ("debian.qcow2", "tools.iso")),
                         ("POST", "/storage-pools/images/destroy"),
                         ("POST", "/storage-pools/images/delete-data"),
                         ("DELETE", "/storage-pools/images"),
                         ("POST", "/networks/lab/destroy"), ("DELETE", "/networks/lab")):
        status, answer = send(client, method, path)
        check(status == 204, f"{method} {path}", answer)


def main():
    uri = os.environ["VG_QEMU_URI"]
    images = str(Path(uri.split("socket=")[1]).parents[1] / "tour")
    conn, gateway = libvirt.open(uri), Gateway(uri)
    client = Client(gateway.port)
    with tempfile.TemporaryDirectory(prefix="virtgate-test-") as folder:
        home = Path(folder)
        make_home(home)
        last = run_tour(gateway.port, images, home)
        check_guest(client, last)
        run_samples(gateway.port, images, home)
    client = Client(gateway.port)  # the other one was idle for minutes where a machine is slow
    check_undone(client)
    clean(client)
    gateway.stop()
    conn.close()
    return report()


if __name__ == "__main__":
    sys.exit(main())
