#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The private libvirtd of libvirtd.sh: what its namespaces have, and that nothing of it is left
when it stops, or when the test that wanted it is killed."""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import libvirt

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/harness"))
from gateway import check, report  # noqa: E402

DAEMON = str(ROOT / "tests/qemu/libvirtd.sh")
NETWORK = """<network><name>env</name><forward mode='nat'/><bridge name='vgenv0'/>
<ip address='192.168.99.1' netmask='255.255.255.0'><dhcp>
<range start='192.168.99.10' end='192.168.99.20'/></dhcp></ip></network>"""
MDEV = """<device><parent>pci_0000_00_00_0</parent>
<capability type='mdev'><type id='any'/></capability></device>"""


def call(*args, **env):
    return subprocess.run([DAEMON, *args], stdout=subprocess.PIPE, text=True, check=False,
                          env=os.environ | env).stdout.strip()


def eventually(what):
    for _ in range(600):
        if what():
            return True
        time.sleep(0.1)
    return False


def left_of(folder, namespace):
    """What is there of a daemon: its folder, its loop devices, processes in its network namespace."""
    loops = subprocess.run(["losetup", "--list", "--noheadings", "--output", "BACK-FILE"],
                           stdout=subprocess.PIPE, text=True, check=True).stdout
    left = [folder] if os.path.exists(folder) else []
    left += [line for line in loops.splitlines() if line.startswith(folder + "/")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "ns/net") == namespace:
                left.append((process / "comm").read_text().strip())
        except OSError:
            pass
    return left


def use(folder, uri):
    """A network, a node device, a loop device and a program that stays. Its network namespace."""
    conn = libvirt.open(uri)
    conn.networkCreateXML(NETWORK)
    conn.nodeDeviceDefineXML(MDEV)
    device = call("disk", "8", VG_LIBVIRTD_DIR=folder)
    check(device.startswith("/dev/loop"), "a loop device", device)
    inside = call("exec", "sh", "-c", "ls /sys/class/net; setsid sleep 600 >&- &",
                  VG_LIBVIRTD_DIR=folder).split()
    check({"lo", "vgenv0"} <= set(inside) and not os.path.exists("/sys/class/net/vgenv0"),
          "interfaces of its own", str(inside))
    check(any("lo" in d.name() for d in conn.listAllDevices()), "node devices")
    conn.close()
    return call("exec", "readlink", "/proc/self/ns/net", VG_LIBVIRTD_DIR=folder)


def check_stop(folder):
    uri = call("start", VG_LIBVIRTD_DIR=folder)
    namespace = use(folder, uri)
    check(len(left_of(folder, namespace)) > 3, "what is left would be seen")
    other = folder + "-b"
    call("start", VG_LIBVIRTD_DIR=other, VG_LIBVIRTD_HOSTNAME="vg-other", VG_QEMU_URI=uri)
    shared = call("exec", "readlink", "/proc/self/ns/net", VG_LIBVIRTD_DIR=other)
    check(shared == namespace, "those that migrate share a network", shared)
    call("stop", VG_LIBVIRTD_DIR=other)
    check(not os.path.exists(other), "the other stops alone")
    check("libvirtd" in left_of(folder, namespace), "and leaves this one")
    call("stop", VG_LIBVIRTD_DIR=folder)
    check(eventually(lambda: not left_of(folder, namespace)), "nothing is left after stop",
          str(left_of(folder, namespace)))


def check_killed(folder):
    with subprocess.Popen([DAEMON, "run", "sh", "-c", "echo $VG_QEMU_URI; exec sleep 600"],
                          env=os.environ | {"VG_LIBVIRTD_DIR": folder}, text=True,
                          stdout=subprocess.PIPE, start_new_session=True) as runner:
        namespace = use(folder, runner.stdout.readline().strip())
        os.killpg(runner.pid, 9)
    check(eventually(lambda: not left_of(folder, namespace)), "nothing is left of a killed test",
          str(left_of(folder, namespace)))


def main():
    os.environ.pop("VG_LIBVIRTD_BESIDE", None)
    with tempfile.TemporaryDirectory(prefix="vg-env.") as folder:
        os.chmod(folder, 0o755)
        check_stop(folder + "/a")
        check_killed(folder + "/k")
    report()


if __name__ == "__main__":
    main()
