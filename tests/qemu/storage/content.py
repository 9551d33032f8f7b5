#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bytes into volumes on a real libvirtd: what is in the file afterwards, what libvirt does not
check and the gateway does, and whoever goes away in the middle: client, daemon, gateway.
"""
import base64
import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import libvirt

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, exchange, report  # noqa: E402
from operations import eventually, newest, read_answer, streams_of  # noqa: E402

VOLUMES = "/storage-pools/bytes/volumes"
CONTENT = VOLUMES + "/v/content"
SIZE = 3 << 20
OCTETS = {"Content-Type": "application/octet-stream"}
LIBVIRTD = str(Path(__file__).resolve().parents[1] / "libvirtd.sh")
GUEST = """<domain type='qemu'><name>writer</name><memory unit='MiB'>16</memory>
<os><type arch='x86_64'>hvm</type></os><devices><disk type='file'><source file='%s'/>
<target dev='vda' bus='virtio'/></disk></devices></domain>"""


def send(client, method, path, body=None, headers=None):
    status, _, answer = exchange(client, method, path, body, headers)
    return status, answer


def send_json(client, method, path, body):
    return send(client, method, path, json.dumps(body).encode())


def digest_of(data):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(data).digest()).decode() + ":"


def is_slug(answer, slug):
    return answer is not None and answer.get("type") == f"urn:virtgate:error:{slug}"


class Slow:
    """A client that sends a part of its body, and waits."""

    def __init__(self, gateway, path=CONTENT, length=SIZE, sent=1 << 20):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
        head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        self.socket.sendall(head.encode() + b"s" * sent)

    def answer(self):
        """(status, JSON) until the connection's end."""
        return read_answer(self.socket)


def moved(client):
    """The newest operation, once some of its bytes have moved."""
    def look():
        op = newest(client)
        return op if op["state"] == "running" and op.get("progress", {}).get("bytes") else None
    return eventually(look)


def check_whole(client, file):
    data = os.urandom(SIZE)
    for body, headers, what in (
            (data, OCTETS, "with Content-Length"), (iter([data[:7], data[7:]]), OCTETS, "in chunks"),
            (data, {**OCTETS, "Content-Digest": digest_of(data), "Repr-Digest": digest_of(data)},
             "with digests")):
        file.write_bytes(bytes(SIZE))
        status, answer = send(client, "PUT", CONTENT, body, headers)
        check(status == 204 and file.read_bytes() == data, f"the whole {what}", (status, answer))
    status, answer = send(client, "PUT", CONTENT, b"abc", OCTETS)
    check(status == 204 and file.read_bytes() == b"abc" + data[3:],
          "a shorter body leaves the rest", answer)
    status, answer = send(client, "PUT", CONTENT, b"", OCTETS)
    check(status == 204 and file.read_bytes() == b"abc" + data[3:], "nothing changes nothing",
          answer)
    op = newest(client)
    check(op["kind"] == "putVolumeContent" and op["state"] == "succeeded"
          and op["progress"]["bytes"] == 0 == op["progress"]["totalBytes"], "its operation", op)


def check_large(gateway, client, file):
    """The worker reads the socket itself: the answer is as every other, and the last one."""
    sent = {**OCTETS, "Origin": "http://console.example", "Content-Digest": digest_of(b"x")}
    data = os.urandom(SIZE)
    status, fields, _ = client.send("PUT", CONTENT, data, {**sent, "Content-Digest": digest_of(data)})
    check(status == 204 and file.read_bytes() == data, "a large one", status)
    check(fields.get("Connection") == "close" and fields.get("X-Request-Id") and fields.get("Date") and
          "Content-Length" not in fields and
          fields.get("Access-Control-Allow-Origin") == sent["Origin"], "its answer", dict(fields))
    status, answer = send(client, "PUT", CONTENT, data, sent)
    check(status == 400 and is_slug(answer, "digest-mismatch"), "another digest", answer)
    stopping = Slow(gateway, sent=SIZE - 1)
    moved(client)
    stopping.socket.sendall(b"s")
    check(stopping.answer()[0] == 204 and file.read_bytes() == b"s" * SIZE, "one that pauses")


def check_parts(client, file):
    data = os.urandom(SIZE)
    send(client, "PUT", CONTENT, data, OCTETS)
    for at, n, total in ((0, 1, "*"), (262119, 262122, SIZE), (SIZE - 5, 5, SIZE)):
        part = os.urandom(n)
        data = data[:at] + part + data[at + n:]
        headers = {**OCTETS, "Content-Range": f"bytes {at}-{at + n - 1}/{total}",
                   "Content-Digest": digest_of(part)}
        status, answer = send(client, "PUT", CONTENT, part, headers)
        check(status == 204 and file.read_bytes() == data, f"a part, {n} bytes at {at}", answer)
    status, answer = send_json(client, "POST", CONTENT + "/zero", {"offset": 5, "length": 300000})
    data = data[:5] + bytes(300000) + data[300005:]
    check(status == 204 and file.read_bytes() == data, "zeros", answer)
    status, answer = send_json(client, "POST", CONTENT + "/zero", {"offset": SIZE - 9})
    check(status == 204 and file.read_bytes() == data[:-9] + bytes(9), "zeros to the end", answer)
    status, answer = send_json(client, "POST", CONTENT + "/zero", {"offset": 1, "length": SIZE})
    check(status == 413 and is_slug(answer, "beyond-capacity"), "zeros beyond the end", answer)


def check_refused(client, file):
    send(client, "PUT", CONTENT, bytes(SIZE), OCTETS)
    for headers, body, status, slug in (
            ({"Content-Range": "bytes 5-4/*"}, b"ab", 400, "invalid-value"),
            ({"Content-Range": "bytes 0-1/2 "}, b"abc", 400, "invalid-value"),
            ({"Content-Range": "lines 0-1/2"}, b"ab", 400, "invalid-value"),
            ({"Content-Range": "bytes 0-1/1"}, b"ab", 400, "invalid-value"),
            ({"Content-Range": "bytes 0-9/*"}, iter([b"abc"]), 400, "bad-request"),
            ({"Content-Range": "bytes 0-1/*"}, iter([b"abc"]), 413, "beyond-capacity"),
            ({"Content-Range": f"bytes {SIZE}-{SIZE}/*"}, b"a", 413, "beyond-capacity"),
            ({"Content-Digest": "sha-512=:AAAA:"}, b"a", 400, "invalid-value"),
            ({"Content-Digest": digest_of(b"b")}, b"a", 400, "digest-mismatch"),
            ({"Repr-Digest": digest_of(b"b")}, iter([b"a"]), 400, "digest-mismatch"),
            ({"Content-Range": "bytes 0-0/*", "Repr-Digest": digest_of(b"a")}, b"a", 400,
             "invalid-value"),
            ({"Content-Type": "text/plain"}, b"a", 415, "unsupported-media-type"),
            ({}, bytes(SIZE + 1), 413, "beyond-capacity"),
            ({}, iter([bytes(SIZE), b"1"]), 413, "beyond-capacity")):
        try:
            got, answer = send(client, "PUT", CONTENT, body, {**OCTETS, **headers})
        except OSError as e:  # it is told so while it still sends, and may not have read it
            got, answer = status, {"type": f"urn:virtgate:error:{slug}", "detail": str(e)}
            client.http = None
        check(got == status and is_slug(answer, slug), f"refused: {headers} {slug}", (got, answer))
    check(file.stat().st_size == SIZE, "the volume is as large as before")
    status, answer = send(client, "PUT", CONTENT + "?grow=true", iter([b"a"]), OCTETS)
    check(status == 411 and is_slug(answer, "length-required"), "grow needs a length", answer)
    data = os.urandom(SIZE + 4096)
    status, answer = send(client, "PUT", CONTENT + "?grow=true", data, OCTETS)
    shown = send(client, "GET", VOLUMES + "/v?fields=capacityBytes,physicalBytes")[1]
    check(status == 204 and file.read_bytes() == data
          and shown == {"capacityBytes": SIZE + 4096, "physicalBytes": SIZE + 4096}, "grown", shown)


def check_made(client, folder):
    data = os.urandom(SIZE)
    status, made = send(client, "POST", VOLUMES + "?name=x.iso", data,
                        {**OCTETS, "Content-Digest": digest_of(data)})
    check(status == 201 and made["capacityBytes"] == SIZE
          and (folder / "x.iso").read_bytes() == data, "made and filled", made)
    status, answer = send(client, "POST", VOLUMES + "?name=x.iso", b"other", OCTETS)
    check(status == 409 and (folder / "x.iso").read_bytes() == data, "never twice", answer)
    status, answer = send(client, "POST", VOLUMES + "?name=x.iso", b"other",
                          {**OCTETS, "If-None-Match": "*"})
    check(status == 412, "If-None-Match", answer)
    status, answer = send(client, "POST", VOLUMES + "?name=y.iso", iter([data]), OCTETS)
    check(status == 411, "in chunks a capacity is needed", answer)
    status, answer = send(client, "POST", VOLUMES + f"?name=y.iso&capacityBytes={SIZE}",
                          iter([data]), OCTETS)
    check(status == 201 and (folder / "y.iso").read_bytes() == data, "and taken", answer)
    status, answer = send(client, "POST", VOLUMES + "?name=z.iso", data,
                          {**OCTETS, "Repr-Digest": digest_of(b"")})
    check(status == 400 and is_slug(answer, "digest-mismatch"), "another one than announced",
          answer)
    check(not (folder / "z.iso").exists() and send(client, "GET", VOLUMES + "/z.iso")[0] == 404,
          "nothing is left of it")


def check_holes(client, folder):
    """Zeros are neither sent to the host nor kept, wherever they are."""
    some, hole = os.urandom(1 << 20), bytes(8 << 20)
    for name, body in (("middle", some + hole + some), ("begin", hole + some), ("end", some + hole),
                       ("all", hole), ("odd", some[:12345] + hole[:-7] + some + hole[:333333])):
        status, answer = send(client, "POST", f"{VOLUMES}?name={name}.img", body,
                              {**OCTETS, "Repr-Digest": digest_of(body)})
        file = folder / f"{name}.img"
        kept = file.stat().st_blocks * 512
        check(status == 201 and file.read_bytes() == body and kept < 4 << 20,
              f"holes: {name}", (answer, kept))
        check(newest(client)["progress"]["bytes"] == len(body), "all of it is told of",
              newest(client))
    status, answer = send(client, "POST", f"{VOLUMES}?name=short.img&capacityBytes={SIZE}",
                          some + bytes(1 << 20), OCTETS)
    check(status == 201 and (folder / "short.img").read_bytes() == some + bytes(SIZE - (1 << 20)),
          "fewer than its capacity: it has that", answer)


def check_conflicts(gateway, client):
    slow = Slow(gateway)
    op = moved(client)
    check(op and op["cancellable"] and op["progress"]["totalBytes"] == SIZE, "it runs", op)
    for method, path, body in (("PUT", CONTENT, b"x"), ("DELETE", VOLUMES + "/v", None),
                               ("POST", VOLUMES + "/v/resize", b'{"capacityMiB": 9}'),
                               ("PATCH", VOLUMES + "/v", b'{"capacityMiB": 9}'),
                               ("POST", VOLUMES + "/v/wipe", None),
                               ("POST", CONTENT + "/zero", b"{}"),
                               ("POST", VOLUMES, b'{"name": "c", "clone": "bytes/v"}')):
        status, answer = send(client, method, path, body, OCTETS if body == b"x" else None)
        check(status == 409 and is_slug(answer, "volume-in-use"), f"{method} {path}", answer)
    status, answer = send(client, "DELETE", f"/operations/{op['id']}")
    check(status == 202, "it is cancelled", answer)
    status, answer = slow.answer()
    check(status == 409 and is_slug(answer, "job-cancelled"), "its client is told", answer)
    op = send(client, "GET", f"/operations/{op['id']}?wait=60")[1]
    check(op["state"] == "cancelled" and not op["cancellable"], "so is who asks", op)
    check(send(client, "PUT", CONTENT, b"again", OCTETS)[0] == 204, "and the next one is not")


def check_gone(gateway, client, file):
    slow = Slow(gateway)
    op = moved(client)
    check(streams_of(file) == 1, "a stream")
    slow.socket.close()
    ended = send(client, "GET", f"/operations/{op['id']}?wait=60")[1]
    check(ended["state"] == "failed", "a client that goes away", ended)
    check(eventually(lambda: not streams_of(file)), "leaves no stream")
    check(send(client, "PUT", CONTENT, b"again", OCTETS)[0] == 204, "leaves the volume free")
    status, answer = Slow(gateway).answer()
    check(status == 408 and is_slug(answer, "request-timeout"), "one that sends no more", answer)
    check(send(client, "PUT", CONTENT, b"again", OCTETS)[0] == 204, "likewise")


def check_guest(client, conn, file):
    guest = conn.createXML(GUEST % file)
    status, answer = send(client, "PUT", CONTENT, b"x", OCTETS)
    check(status == 409 and is_slug(answer, "volume-in-use") and "writer" in answer["detail"],
          "a guest that runs uses it", answer)
    check(send(client, "PUT", CONTENT + "?force=true", b"x", OCTETS)[0] == 204, "force")
    wipe = VOLUMES + "/v/wipe"
    status, answer = send(client, "POST", wipe)
    check(status == 409 and is_slug(answer, "volume-in-use"), "nor is it wiped", answer)
    check(file.read_bytes()[:1] == b"x", "it is as it was")
    check(send(client, "POST", wipe, {"force": True})[0] == 204, "wiped all the same")
    guest.destroy()
    check(send(client, "PUT", CONTENT, b"x", OCTETS)[0] == 204, "it does not run any more")


def check_daemon(gateway, client):
    slow = Slow(gateway)
    op = moved(client)
    subprocess.run([LIBVIRTD, "kill"], check=True)
    status, answer = slow.answer()
    check(status == 503 and answer["outcome"] == "unknown", "the daemon is killed", answer)
    subprocess.run([LIBVIRTD, "up"], check=True)
    ended = send(client, "GET", f"/operations/{op['id']}?wait=60")[1]
    check(ended["state"] == "unknown", "nobody knows", ended)
    written = eventually(lambda: send(client, "PUT", CONTENT, b"again", OCTETS)[0] == 204)
    check(written, "the next try works")


def check_end(gateway, client, file):
    slow = Slow(gateway)
    moved(client)
    client.http.close()
    gateway.stop()
    status, answer = slow.answer()
    check(status == 503 and is_slug(answer, "draining"), "the gateway stops", answer)
    check(eventually(lambda: not streams_of(file)), "and leaves no stream")


def main():
    uri = os.environ["VG_QEMU_URI"]
    folder = Path(uri.split("socket=")[1]).parents[1] / "bytes"
    conn = libvirt.open(uri)
    gateway = Gateway(uri, "--transfer-deadline", "6", "--drain-seconds", "2",
                      "--cors-origin", "http://console.example")
    client = Client(gateway.port)
    send_json(client, "POST", "/storage-pools",
              {"name": "bytes", "path": str(folder), "build": True, "start": True})
    status, made = send_json(client, "POST", VOLUMES, {"name": "v", "capacityBytes": SIZE})
    check(status == 201, "a volume", made)
    check_whole(client, folder / "v")
    check_large(gateway, client, folder / "v")
    check_parts(client, folder / "v")
    check_refused(client, folder / "v")
    check_made(client, folder)
    check_holes(client, folder)
    check_conflicts(gateway, client)
    check_gone(gateway, client, folder / "v")
    check_guest(client, conn, folder / "v")
    conn.close()
    check_daemon(gateway, client)
    check_end(gateway, client, folder / "v")
    conn = libvirt.open(uri)
    pool = conn.storagePoolLookupByName("bytes")
    for volume in pool.listAllVolumes():
        volume.delete()
    pool.destroy()
    pool.delete()
    pool.undefine()
    conn.close()
    return report()


if __name__ == "__main__":
    sys.exit(main())
