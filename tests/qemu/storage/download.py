#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bytes out of volumes: against their files, in parts, with holes; clients that are slow, pause, or
go; volumes that are written meanwhile; a transfer that is cancelled; a daemon that dies.
"""
import http.client
import base64
import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import libvirt

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, record, report  # noqa: E402
from operations import streams_of  # noqa: E402

MIB = 1 << 20
VOLUMES = "/storage-pools/bytes/volumes"
LIBVIRTD = str(Path(__file__).resolve().parents[1] / "libvirtd.sh")


def get(client, name, headers=None, method="GET", query=""):
    path = f"{VOLUMES}/{name}/content{query}"
    status, fields, body = client.send(method, path, headers=headers)
    shown = body.decode() if fields.get("Content-Type", "").endswith("json") else ""
    record(method, path, status, dict(fields), shown)
    return status, fields, body


def operations(client):
    return [o for o in client.get("/operations")[2]["operations"]
            if o["kind"] == "getVolumeContent"]


def wait_for(what, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.05)
    return False


def status_of(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key + ":"))


class Raw:
    """A client that reads when it likes."""

    def __init__(self, port, name, headers=""):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(f"GET {VOLUMES}/{name}/content HTTP/1.1\r\nHost: localhost\r\n"
                            f"{headers}\r\n".encode())
        self.got = 0

    def read(self, n=None):
        """Until n bytes came, or the end; True: the end."""
        while n is None or self.got < n:
            try:
                piece = self.socket.recv(65536)
            except ConnectionError:
                piece = b""
            if not piece:
                return True
            self.got += len(piece)
        return False

    def close(self):
        self.socket.close()


def make(conn, folder):
    """Files that were written long ago, and one that was not."""
    noise = random.Random(1)
    folder.mkdir(exist_ok=True)
    files = {"plain": noise.randbytes(9 * MIB + 77), "small": noise.randbytes(1000), "empty": b"",
             'a "b" ü%.iso': noise.randbytes(5)}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with open(folder / "sparse", "wb") as file:
        file.truncate(64 * MIB)
        file.seek(8 * MIB)
        file.write(noise.randbytes(MIB))
    with open(folder / "large", "wb") as file:
        for _ in range(256):
            file.write(noise.randbytes(MIB))
    for path in folder.iterdir():
        os.utime(path, (1700000000, 1700000000))
    xml = f"<pool type='dir'><name>bytes</name><target><path>{folder}</path></target></pool>"
    conn.storagePoolCreateXML(xml, 0)


def check_whole(client, folder):
    for name in ("plain", "small", "empty", "sparse"):
        data = (folder / name).read_bytes()
        status, fields, body = get(client, name)
        check(status == 200 and body == data, f"all bytes of {name}", (status, len(body)))
        check(fields["Accept-Ranges"] == "bytes" and fields["Content-Type"] ==
              "application/octet-stream" and fields["ETag"].startswith('"'), "the header", fields)
        status, head, body = get(client, name, method="HEAD")
        check(status == 200 and int(head["Content-Length"]) == len(data) and not body and
              head["ETag"] == fields["ETag"], f"HEAD of {name}", head)
        check(get(client, name, {"If-None-Match": fields["ETag"]})[0] == 304, "304")
        check(get(client, name, {"If-Match": fields["ETag"]})[0] == 200, "If-Match")
        check(get(client, name, {"If-Match": '"0123456789abcdef"'})[0] == 412, "412")
    status, fields, body = client.send("GET", VOLUMES + "/plain/content",
                                       headers={"Accept-Encoding": "gzip"})
    check("Content-Encoding" not in fields and len(body) == 9 * MIB + 77, "nothing is compressed")
    check(fields["Content-Disposition"] == 'attachment; filename="plain"', "its name")
    data = (folder / "large").read_bytes()
    for header, at in ({}, 0), ({"Range": "bytes=12345677-"}, 12345677):
        _, fields, body = get(client, "large", header)
        check(body == data[at:] and fields["Connection"] == "close",
              f"a large one from {at} on, which goes past libmicrohttpd", (len(body), fields))
    odd = "a%20%22b%22%20%C3%BC%25.iso"
    fields = get(client, odd)[1]
    check(fields["Content-Disposition"] == f"attachment; filename*=UTF-8''{odd}", "an odd name",
          fields["Content-Disposition"])
    check(get(client, "nosuch")[0] == 404, "none of that name")
    check(get(client, "plain", query="?nosuch=1")[0] == 400, "an unknown argument")


def check_ranges(client, folder):
    data = (folder / "plain").read_bytes()
    size = len(data)
    rows = [("bytes=0-0", 0, 1), ("bytes=100-", 100, size - 100), ("bytes=-5", size - 5, 5),
            (f"bytes={size - 1}-{size * 2}", size - 1, 1), (f"bytes=0-{size - 1}", 0, size),
            (f"bytes={4 * MIB - 1}-{4 * MIB}", 4 * MIB - 1, 2), ("bytes=262144-262144", 262144, 1),
            ("bytes=1-5000000", 1, 5000000)]
    for text, begin, length in rows:
        status, fields, body = get(client, "plain", {"Range": text})
        wanted = f"bytes {begin}-{begin + length - 1}/{size}"
        check(status == 206 and body == data[begin:begin + length] and
              fields["Content-Range"] == wanted, text, (status, len(body), dict(fields)))
    for text in ("bytes=0-1,5-6", "lines=1-2", "bytes=9-3", "bytes=x"):
        status, fields, body = get(client, "plain", {"Range": text})
        check(status == 200 and body == data and "Content-Range" not in fields,
              f"{text} is the whole", status)
    for text in (f"bytes={size}-", "bytes=-0", "bytes=99999999999999999999-"):
        status, fields, body = get(client, "plain", {"Range": text})
        check(status == 416 and fields["Content-Range"] == f"bytes */{size}" and
              json.loads(body)["type"].endswith(":range-not-satisfiable"), text, (status, body))
    check(get(client, "empty", {"Range": "bytes=0-"})[0] == 416, "of nothing there is no part")
    for text in ("bytes=0-9", f"bytes={size}-"):
        status, fields, _ = get(client, "plain", {"Range": text}, "HEAD")
        check(status == 200 and fields["Content-Length"] == str(size) and
              "Content-Range" not in fields, "HEAD has no part", (text, status))


def check_if_range(client, folder):
    path = folder / "changing"
    path.write_bytes(b"a" * 1000)
    os.utime(path, (1700000000, 1700000000))
    check(client.send("GET", VOLUMES + "?refresh=true")[0] == 200, "refresh")
    tag = get(client, "changing")[1]["ETag"]
    part = {"Range": "bytes=0-9", "If-Range": tag}
    check(get(client, "changing", part)[0] == 206, "If-Range with what it is")
    path.write_bytes(b"b" * 1000)
    os.utime(path, (1700000001, 1700000001))
    status, fields, body = get(client, "changing", part)
    check(status == 200 and body == b"b" * 1000 and fields["ETag"] != tag,
          "a change of the same length is another content", status)
    path.write_bytes(b"c" * 1000)
    status, fields, body = get(client, "changing")
    check("ETag" not in fields and body == b"c" * 1000, "just written, it has no tag", dict(fields))
    status, _, body = get(client, "changing", {"Range": "bytes=0-9", "If-Range": tag})
    check(status == 200 and len(body) == 1000, "nor is a part of it given for one")
    # written through the gateway, within the grain of the time of its last change
    tags = set()
    for letter in b"defg":
        check(client.send("PUT", VOLUMES + "/changing/content", bytes([letter]) * 1000,
                          {"Content-Type": "application/octet-stream"})[0] == 204, "it is written")
        os.utime(path, (1700000000, 1700000000))
        status, fields, body = get(client, "changing", {"Range": "bytes=0-9", "If-Range": tag})
        check(status == 200 and body == bytes([letter]) * 1000 and fields["ETag"] not in tags | {tag},
              "the gateway's own write is another content", (status, dict(fields)))
        tag = fields["ETag"]
        tags.add(tag)
    check(get(client, "changing", {"Range": "bytes=0-9", "If-Range": tag})[0] == 206,
          "what is not written stays")


def check_digest(client):
    """What the host reads and the client does not."""
    whole = get(client, "sparse")[2]
    for headers, part in (({}, whole), ({"Range": "bytes=1000-9999999"}, whole[1000:10000000])):
        status, _, body = get(client, "sparse", headers, query="?digest=sha-256")
        shown = json.loads(body)
        value = base64.b64encode(hashlib.sha256(part).digest()).decode()
        check(status == 200 and shown["digest"] == f"sha-256=:{value}:"
              and shown["length"] == len(part) and shown["sizeBytes"] == len(whole),
              f"a digest of {len(part)} bytes", (status, shown))
    value = base64.b64encode(hashlib.sha256(b"").digest()).decode()
    check(json.loads(get(client, "empty", query="?digest=sha-256")[2])["digest"]
          == f"sha-256=:{value}:", "of nothing")
    for query in ("?digest=md5", "?digest=sha-256&extents=true"):
        check(get(client, "sparse", query=query)[0] == 400, f"refused: {query}")


def check_extents(client):
    status, fields, body = get(client, "sparse", query="?extents=true")
    shown = json.loads(body)
    check(status == 200 and shown["sizeBytes"] == 64 * MIB and shown["extents"] == [
        {"offset": 0, "length": 8 * MIB, "zero": True},
        {"offset": 8 * MIB, "length": MIB, "zero": False},
        {"offset": 9 * MIB, "length": 55 * MIB, "zero": True}], "data and holes", shown)
    status, _, body = get(client, "sparse", {"Range": f"bytes={8 * MIB + 4096}-{10 * MIB - 1}"},
                          query="?extents=true")
    shown = json.loads(body)
    check(status == 200 and shown["offset"] == 8 * MIB + 4096 and shown["extents"] == [
        {"offset": 8 * MIB + 4096, "length": MIB - 4096, "zero": False},
        {"offset": 9 * MIB, "length": MIB, "zero": True}], "the same of a part", shown)
    check(json.loads(get(client, "empty", query="?extents=true")[2])["extents"] == [], "of nothing")
    check(get(client, "sparse", {"Range": "bytes=67108864-"}, query="?extents=true")[0] == 416,
          "beyond the end")


def room_of(mib):
    """In KiB; a sanitizer keeps what was freed for a while."""
    return (mib + (64 if "ASAN_OPTIONS" in os.environ else 0)) << 10


def check_slow(gateway):
    """1 MiB in a second, some seconds long."""
    Raw(gateway.port, "large").close()
    before = status_of(gateway.process.pid, "VmRSS")
    slow, most, begun = Raw(gateway.port, "large"), 0, time.monotonic()
    while time.monotonic() - begun < 6:
        slow.read(int((time.monotonic() - begun) * MIB))
        time.sleep(0.02)
        most = max(most, status_of(gateway.process.pid, "VmRSS"))
    check(most - before < room_of(8), "a slow client costs little memory, in KiB", most - before)
    slow.close()


def check_paused(gateway, client, folder):
    """A hundred that read nothing, then everything that was theirs to the end."""
    check(wait_for(lambda: all(o["state"] != "running" for o in operations(client))), "all ended")
    before = status_of(gateway.process.pid, "VmRSS")
    threads = status_of(gateway.process.pid, "Threads")
    paused = [Raw(gateway.port, "large", "Range: bytes=0-20000000\r\n") for _ in range(100)]
    check(wait_for(lambda: sum(o["state"] == "running" for o in operations(client)) == 100),
          "a hundred are operations", len(operations(client)))
    time.sleep(2)
    used = status_of(gateway.process.pid, "VmRSS") - before
    check(wait_for(lambda: not streams_of(folder / "large")), "they hold no stream of libvirt's")
    check(status_of(gateway.process.pid, "Threads") <= threads + 2, "nor threads, but for the workers")
    check(used < room_of(64 + 32), "a hundred that pause stay within the memory, in KiB", used)
    check(get(client, "plain")[2] == (folder / "plain").read_bytes(), "others are served meanwhile")
    readers = [threading.Thread(target=raw.read, args=(20000001,)) for raw in paused]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(120)
    check(all(raw.got >= 20000001 for raw in paused), "each gets all of it",
          [raw.got for raw in paused if raw.got < 20000001][:5])
    for raw in paused:
        raw.close()


def check_gone(client, gateway, folder):
    """A client that goes leaves nothing; one that is cancelled is cut."""
    gone = Raw(gateway.port, "large")
    gone.read(MIB)
    running = operations(client)[0]
    check(running["state"] == "running" and running["progress"]["totalBytes"] == 256 * MIB and
          running["progress"]["bytes"] >= MIB - 1024, "its progress", running)  # but the header
    status, _, body = client.send("DELETE", VOLUMES + "/large")
    check(status == 409 and json.loads(body)["type"].endswith(":volume-in-use"),
          "what is read is not deleted", (status, body))
    gone.close()
    check(wait_for(lambda: operations(client)[0]["state"] == "failed", 100), "a client has gone",
          operations(client)[0])
    cut = Raw(gateway.port, "large")
    cut.read(MIB)
    status = client.send("DELETE", "/operations/" + operations(client)[0]["id"])[0]
    check(status in (202, 204), "cancelled", status)
    check(wait_for(lambda: operations(client)[0]["state"] == "cancelled", 60), "that it is",
          operations(client)[0])
    check(cut.read() and cut.got < 256 * MIB, "its connection is closed before the end", cut.got)
    cut = Raw(gateway.port, "large")
    cut.read(MIB)
    session = client.get("/sessions?kind=transfer")[2]["sessions"]
    check(len(session) == 1 and session[0]["operation"] == operations(client)[0]["id"] and
          session[0]["path"] == VOLUMES + "/large/content", "it is a session", session)
    status = client.send("DELETE", f"/sessions/{session[0]['id']}")[0]
    check(status == 204 and not client.get("/sessions")[2]["sessions"], "which is ended", status)
    check(wait_for(lambda: operations(client)[0]["state"] == "cancelled", 60), "and cancelled",
          operations(client)[0])
    check(cut.read() and cut.got < 256 * MIB, "as its operation", cut.got)
    check(wait_for(lambda: not streams_of(folder / "large")), "no stream is left")


def check_written(client, gateway, folder):
    """Two contents are not put together to one."""
    reader = Raw(gateway.port, "large")
    reader.read(MIB)
    with open(folder / "large", "r+b") as file:
        file.seek(200 * MIB)
        file.write(b"x")
    check(reader.read() and reader.got < 256 * MIB, "a volume that is written breaks off",
          reader.got)
    os.utime(folder / "large", (1700000000, 1700000000))


def check_daemon(client, gateway):
    """Its daemon dies: the answer breaks off, and the next one is whole."""
    reader = Raw(gateway.port, "large")
    reader.read(MIB)
    subprocess.run([LIBVIRTD, "kill"], check=True)
    ended = reader.read()
    check(ended and reader.got < 256 * MIB, "the daemon's death breaks it off", reader.got)
    subprocess.run([LIBVIRTD, "up"], check=True, stdout=subprocess.DEVNULL)
    check(wait_for(lambda: client.send("GET", "/health/ready")[0] == 200, 60), "it is back")
    check(wait_for(lambda: operations(client)[0]["state"] != "running"), "no transfer is left")


def main():
    uri = os.environ["VG_QEMU_URI"]
    folder = Path("/tmp", f"vg-download-{os.getpid()}")
    conn = libvirt.open(uri)
    make(conn, folder)
    gateway = Gateway(uri, "--transfers", "2")
    client = Client(gateway.port)
    try:
        check_whole(client, folder)
        check_ranges(client, folder)
        check_if_range(client, folder)
        check_extents(client)
        check_digest(client)
        check_slow(gateway)
        check_paused(gateway, client, folder)
        check_gone(client, gateway, folder)
        check_written(client, gateway, folder)
        stopped = Raw(gateway.port, "large")
        stopped.read(MIB)
        check_daemon(client, gateway)
    except (http.client.HTTPException, OSError) as e:
        check(False, "a test", repr(e))
    finally:
        gateway.stop()
        libvirt.open(uri).storagePoolLookupByName("bytes").destroy()
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    report()


main()
