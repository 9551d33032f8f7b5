#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recipes of docs/curl.md that need guests which run."""
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "harness"))
from console import Console  # noqa: E402
from gateway import Client, Gateway, check, report  # noqa: E402


def clean(client):
    """Whatever a recipe that failed has left, so that the next test finds none of it."""
    for method, path in (("POST", "/domains/web/destroy"), ("DELETE", "/domains/web"),
                         ("POST", "/networks/lab/destroy"), ("DELETE", "/networks/lab"),
                         *(("DELETE", f"/storage-pools/images/volumes/{name}")
                           for name in ("web.qcow2", "numbers.raw")),
                         ("POST", "/storage-pools/images/destroy"),
                         ("POST", "/storage-pools/images/delete-data"),
                         ("DELETE", "/storage-pools/images")):
        client.send(method, path)


def main():
    uri = os.environ["VG_QEMU_URI"]
    images = str(Path(uri.split("socket=")[1]).parents[1] / "recipes")
    gateway = Gateway(uri)
    with tempfile.TemporaryDirectory() as folder:
        console = Console(folder, **{"localhost:8080": f"127.0.0.1:{gateway.port}",
                                     "/srv/images": images})
        n = console.check_all(HERE.parents[2] / "docs" / "curl.md", "qemu")
    check(n > 0, "docs/curl.md has recipes for QEMU", n)
    clean(Client(gateway.port))
    gateway.stop()
    report()


main()
