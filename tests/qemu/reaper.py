#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a program and reaps what it leaves behind, as an init process does.

QEMU is reparented when libvirtd daemonizes it. A container's process 1 may reap late, and
libvirtd waits for a killed guest until its zombie is gone (1.5 to 2.7 s measured). Ends when no
child is left.

  reaper.py PROGRAM [ARGUMENT...]
"""
import ctypes
import os
import signal
import sys

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        print(f"reaper.py: prctl: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
        return 1
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    if os.fork() == 0:
        for restored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(restored, signal.SIG_DFL)
        os.execvp(sys.argv[1], sys.argv[1:])
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return 0


if __name__ == "__main__":
    sys.exit(main())
