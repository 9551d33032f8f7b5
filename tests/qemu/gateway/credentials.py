#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A libvirtd that asks for credentials, which the gateway does not have: its host is unreachable,
and trying again does not help."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

DAEMON = str(ROOT / "tests/qemu/libvirtd.sh")


def daemon(verb):
    return subprocess.run([DAEMON, verb], stdout=subprocess.PIPE, text=True, check=True).stdout


def main():
    with tempfile.TemporaryDirectory(prefix="vg-auth.") as folder:
        os.chmod(folder, 0o755)
        os.environ["VG_LIBVIRTD_DIR"] = f"{folder}/d"
        uri = daemon("start").strip()
        try:
            config = Path(folder, "d/etc/libvirtd.conf")
            config.write_text(config.read_text().replace('"none"', '"sasl"'))
            daemon("restart")
            gateway = Gateway(os.environ["VG_QEMU_URI"], "--host", f"refuses={uri}")
            for target in ("/hosts/refuses/domains", "/hosts/refuses/connection"):
                status, headers, problem = Client(gateway.port).get(target)
                check(status == 503 and problem["retryable"] is False and
                      problem["error"]["codeName"] == "VIR_ERR_AUTH_FAILED" and
                      "Retry-After" not in headers, f"{target} says why", (status, problem))
            gateway.stop()
        finally:
            daemon("stop")
    report()


main()
