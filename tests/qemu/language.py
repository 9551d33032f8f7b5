#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's words decide nothing: the tests of errors pass with a libvirtd, and a gateway, whose
language is German (libvirt-l10n)."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

DAEMON = str(ROOT / "tests/qemu/libvirtd.sh")
PROGRAMS = ("domain/test_device", "domain/test_blockjob", "domain/test_snapshot",
            "gateway/test_operation", "gateway/test_operation_job")
SCRIPTS = ("missing.py", "domain/unsendable.py")


def set_language(folder):
    """A German locale of our own: the machine need not have one."""
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", f"{folder}/de_DE.UTF-8"],
                   check=True)
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "VG_RECORD"):
        os.environ.pop(name, None)
    os.environ |= {"LANG": "de_DE.UTF-8", "LOCPATH": folder, "VG_LIBVIRTD_DIR": f"{folder}/d"}


def test_language():
    """Else the rest would show nothing."""
    gateway = Gateway(os.environ["VG_QEMU_URI"])
    _, _, problem = Client(gateway.port).get("/domains/nosuch")
    check(problem["detail"].startswith("Domain nicht gefunden"), "libvirtd is German", problem)
    gateway.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="vg-de.") as folder:
        os.chmod(folder, 0o755)
        set_language(folder)
        started = subprocess.run([DAEMON, "start"], stdout=subprocess.PIPE, text=True, check=True)
        os.environ["VG_QEMU_URI"] = started.stdout.strip()
        try:
            test_language()
            build = ROOT / os.environ.get("O", "build") / "tests/qemu"
            for program in [*(build / p for p in PROGRAMS),
                            *(ROOT / "tests/qemu" / s for s in SCRIPTS)]:
                done = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=False,
                                      errors="replace")
                check(done.returncode == 0, f"{program.name} in German:", done.stdout[-3000:])
        finally:
            subprocess.run([DAEMON, "stop"], check=False)
    report()


main()
