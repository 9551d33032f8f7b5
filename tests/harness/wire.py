# SPDX-License-Identifier: LGPL-2.1-or-later
"""Between a client library and a libvirtd: sockets that pass all on, but for calls of one procedure.

Those either reach the daemon under a number that it does not know, as calls do of a library that
is newer than it, and fail with its own error; or their connection ends, as when the daemon dies.
"""
import contextlib
import os
import socket
import struct
import threading

REMOTE, ADMIN = 0x20008086, 0x06900690  # the programs of libvirt-sock and libvirt-admin-sock
SOCKETS = ("libvirt-sock", "libvirt-admin-sock")
UNKNOWN = 0x7FFF
CALLS = (0, 4)  # a call, and one with file descriptors
# Length of all, program, version, procedure, type, serial, status (libvirt's virnetprotocol.x).
HEADER = struct.Struct("!7I")
PROCEDURE = slice(12, 16)


class Wire:
    """Sockets in `folder` for those of the same names in `daemon`."""

    def __init__(self, daemon, folder):
        self.target, self.cuts, self.met, self.spared = None, False, 0, 0
        self.ends = []
        self.lock = threading.Lock()
        for name in SOCKETS:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(os.path.join(folder, name))
            listener.listen(64)
            threading.Thread(target=self.accept, daemon=True,
                             args=(listener, os.path.join(daemon, name))).start()

    @contextlib.contextmanager
    def breaking(self, program, procedure, cuts, after=0):
        """Breaks this procedure's calls, but for the first ones, until the end of the block; counts
        them in `met`."""
        with self.lock:
            self.target, self.cuts, self.met, self.spared = (program, procedure), cuts, 0, after
        yield
        with self.lock:
            self.target = None

    def hang_up(self):
        """Ends all connections there are."""
        with self.lock:
            ends, self.ends = self.ends, []
        for end in ends:
            shut(end)

    def accept(self, listener, path):
        while True:
            near = listener.accept()[0]
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(path)
            except OSError:
                near.close()
                continue
            with self.lock:
                self.ends.append(near)
            renamed = {}  # the procedures of calls that the daemon is to refuse, by their serials
            for args in ((near, far, self.to_daemon), (far, near, to_client)):
                threading.Thread(target=pump, daemon=True, args=(*args, renamed)).start()

    def to_daemon(self, message, renamed):
        _, program, _, procedure, kind, serial, _ = HEADER.unpack_from(message)
        with self.lock:
            if kind not in CALLS or self.target != (program, procedure):
                return message
            if self.spared > 0:
                self.spared -= 1
                return message
            self.met += 1
            if self.cuts:
                return None
        renamed[serial] = message[PROCEDURE]
        message[PROCEDURE] = UNKNOWN.to_bytes(4, "big")
        return message


def to_client(message, renamed):
    """A reply is told of as the procedure that was asked."""
    *_, procedure, _, serial, _ = HEADER.unpack_from(message)
    if procedure == UNKNOWN:
        message[PROCEDURE] = renamed.pop(serial)
    return message


def read_message(source):
    """One message with its length; empty at the end."""
    message = bytearray()
    wanted = 4
    while len(message) < wanted:
        piece = source.recv(wanted - len(message))
        if not piece:
            return b""
        message += piece
        if len(message) == 4:
            wanted = int.from_bytes(message, "big")
    return message


def shut(end):
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def pump(source, sink, change, renamed):
    """Passes messages on; the end of one side is the end of both."""
    with contextlib.suppress(OSError):
        while message := read_message(source):
            message = change(message, renamed)
            if message is None:
                break
            sink.sendall(message)
    shut(source)
    shut(sink)
