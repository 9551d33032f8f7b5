#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a program and reaps what it leaves behind, as an init process does.

QEMU is reparented when libvirtd daemonizes it. A container's process 1 may reap late, and
libvirtd waits for a killed guest until its zombie is gone (1.5 to 2.7 s measured). Ends when no
child is left. A program that crashes is begun again, as systemd does with libvirtd, unless the
file VG_ENDING says that it is to end; one that is killed is not. libvirtd 9.0 crashes now and then
when a client goes while it registers for events.

  reaper.py PROGRAM [ARGUMENT...]
"""
import ctypes
import os
import signal
import sys

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)
RESTARTS = 20


def begin() -> int:
    pid = os.fork()
    if pid == 0:
        for restored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(restored, signal.SIG_DFL)
        os.execvp(sys.argv[1], sys.argv[1:])
    return pid


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        print(f"reaper.py: prctl: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
        return 1
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    child, left = begin(), RESTARTS
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return 0
        if pid == child and os.WIFSIGNALED(status) and os.WTERMSIG(status) in CRASHES and \
                left > 0 and not os.path.exists(os.environ.get("VG_ENDING", "")):
            print(f"reaper.py: {sys.argv[1]} crashed with signal {os.WTERMSIG(status)}",
                  file=sys.stderr, flush=True)
            child, left = begin(), left - 1


if __name__ == "__main__":
    sys.exit(main())
