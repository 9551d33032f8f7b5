#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Resumable uploads (tus 1.0.0) into volumes on a real libvirtd: what is in the file afterwards,
where an upload goes on when the client, the daemon or the request before went away, what becomes
of those that nobody goes on with, and whose they are.
"""
import base64
import hashlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import tempfile
import threading
from pathlib import Path

import libvirt

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, exchange as send, report  # noqa: E402
from operations import eventually, newest, read_answer  # noqa: E402

UPLOADS = "/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
SIZE = 3 << 20
LIBVIRTD = str(Path(__file__).resolve().parents[1] / "libvirtd.sh")
GUEST = """<domain type='qemu'><name>writer</name><memory unit='MiB'>16</memory>
<os><type arch='x86_64'>hvm</type></os><devices><disk type='file'><source file='%s'/>
<target dev='vda' bus='virtio'/></disk></devices></domain>"""


def metadata(**values):
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}"
                    for key, value in values.items())


def create(client, length, path=UPLOADS, headers=None, **values):
    """(status, fields, answer)."""
    return send(client, "POST", path, None,
                {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata(**values),
                 **(headers or {})})


def patch(client, location, offset, data, headers=None):
    return send(client, "PATCH", location, data,
                {**TUS, "Content-Type": "application/offset+octet-stream",
                 "Upload-Offset": str(offset), **(headers or {})})


def head(client, location):
    """(status, offset)."""
    status, fields, _ = send(client, "HEAD", location, None, TUS)
    return status, int(fields.get("Upload-Offset", -1))


def is_slug(answer, slug):
    return answer is not None and answer.get("type") == f"urn:virtgate:error:{slug}"


class Slow:
    """A client that sends a part of its body, and waits."""

    def __init__(self, gateway, location, offset, data, length):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
        text = (f"PATCH {location} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\n"
                f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}\r\n"
                f"Content-Length: {length}\r\n\r\n")
        self.socket.sendall(text.encode() + data)

    def answer(self):
        return read_answer(self.socket)


def moved(client, least=1):
    """The newest operation, once some of its bytes have moved."""
    def look():
        op = newest(client)
        return op if op["state"] == "running" and op.get("progress", {}).get("bytes", 0) >= least \
            else None
    return eventually(look)


def check_whole(client, file):
    data = os.urandom(SIZE)
    digest = hashlib.sha256(data).hexdigest()
    status, fields, made = create(client, SIZE, pool="tus", volume=file.name, sha256=digest)
    location = fields["Location"]
    check(status == 201 and location == f"/uploads/{made['id']}" and made["state"] == "waiting"
          and fields["Upload-Offset"] == "0" and fields["Upload-Expires"].endswith(" GMT")
          and fields["Tus-Resumable"] == "1.0.0", "an upload begins", (status, made))
    check(file.stat().st_size == SIZE, "its volume is there, of its length")
    for at in range(0, SIZE, 1 << 20):
        status, fields, answer = patch(client, location, at, data[at:at + (1 << 20)])
        check(status == 204 and fields["Upload-Offset"] == str(at + (1 << 20)),
              f"a part at {at}", (status, answer))
    check(file.read_bytes() == data, "the bytes are those")
    status, fields, shown = send(client, "GET", location)
    check(status == 200 and shown["state"] == "complete" and shown["offsetBytes"] == SIZE
          and fields["Upload-Length"] == str(SIZE) and "Upload-Expires" not in fields
          and fields["Upload-Metadata"] == metadata(pool="tus", volume=file.name, sha256=digest)
          and fields["Cache-Control"] == "no-store", "it is complete", (status, shown))
    check(head(client, location) == (200, SIZE), "HEAD tells so")
    check(patch(client, location, SIZE, b"")[0] == 204, "nothing more is accepted as such")
    status, _, answer = patch(client, location, SIZE, b"x")
    check(status == 413, "a byte more is not", answer)
    op = newest(client)
    check(op["kind"] == "patchUpload", "a part is an operation", op)
    check(send(client, "DELETE", location, None, TUS)[0] == 204 and file.exists(),
          "ended when it is complete, the volume stays")
    check(head(client, location)[0] == 404, "it is no more there")
    status, fields, _ = create(client, 0, pool="tus", volume="empty")
    check(status == 201 and head(client, fields["Location"]) == (200, 0)
          and (file.parent / "empty").stat().st_size == 0, "of no bytes")
    status, fields, _ = create(client, 4, pool="tus", volume=file.name)
    status, fields, answer = patch(client, fields["Location"], 0, iter([b"ab", b"cd"]))
    check(status == 204 and file.read_bytes() == b"abcd" + data[4:],
          "in chunks, into a volume that is there: the rest stays", answer)
    status, fields, _ = create(client, 4, pool="tus", volume="byhost", path="/hosts/default/uploads")
    location = fields["Location"]
    check(status == 201 and location.startswith("/hosts/default/uploads/"), "below the host",
          location)
    override = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0", **TUS,
                "Content-Type": "application/offset+octet-stream"}
    check(client.send("POST", location, b"wxyz", override)[0] == 204
          and (file.parent / "byhost").read_bytes() == b"wxyz", "PATCH sent as POST")


def check_refused(client, file):
    for headers, want, slug in (
            ({"Tus-Resumable": "0.2.2"}, 412, "tus-version"), ({}, 412, "tus-version")):
        status, fields, answer = send(client, "POST", UPLOADS, None, headers)
        check(status == want and is_slug(answer, slug) and fields["Tus-Version"] == "1.0.0",
              f"the version {headers}", answer)
    where = {"Upload-Metadata": metadata(pool="tus", volume="x")}
    for headers, want, slug in (
            ({**where}, 411, "length-required"),
            ({**where, "Upload-Defer-Length": "1"}, 411, "length-required"),
            ({**where, "Upload-Length": "-1"}, 400, "invalid-value"),
            ({**where, "Upload-Length": "9223372036854775808"}, 400, "invalid-value"),
            ({"Upload-Length": "1"}, 400, "missing-key"),
            ({"Upload-Length": "1", "Upload-Metadata": metadata(pool="tus")}, 400, "missing-key"),
            ({"Upload-Length": "1", "Upload-Metadata": "pool !!!!,volume eA=="}, 400,
             "invalid-value"),
            ({"Upload-Length": "1", "Upload-Metadata": metadata(pool="tus", volume="a\x01")}, 400,
             "invalid-value"),
            ({"Upload-Length": "1", "Upload-Metadata": metadata(pool="tus", volume="x",
                                                               sha256="abc")}, 400, "invalid-value"),
            ({"Upload-Length": "1", "Upload-Metadata": metadata(pool="tus", volume="x",
                                                               format="dir")}, 400, "invalid-value"),
            ({**where, "Upload-Length": str(1 << 60)}, 413, "beyond-capacity"),
            ({"Upload-Length": str(SIZE + 1),
              "Upload-Metadata": metadata(pool="tus", volume=file.name)}, 413, "beyond-capacity"),
            ({"Upload-Length": "1", "Upload-Metadata": metadata(pool="tus", volume=file.name,
                                                               format="qcow2")}, 409, "conflict"),
            ({"Upload-Length": "1", "If-None-Match": "*",
              "Upload-Metadata": metadata(pool="tus", volume=file.name)}, 412,
             "precondition-failed")):
        status, _, answer = send(client, "POST", UPLOADS, None, {**TUS, **headers})
        check(status == want and is_slug(answer, slug), f"refused: {headers}", answer)
    status, _, answer = create(client, 1, pool="none", volume="x")
    check(status == 404, "no such pool", answer)
    check(not (file.parent / "x").exists(), "and nothing was made")

    location = create(client, 10, pool="tus", volume="refused")[1]["Location"]
    for offset, data, headers, want, slug in (
            (1, b"x", {}, 409, "conflict"), ("a", b"x", {}, 400, "invalid-value"),
            (0, b"x" * 11, {}, 413, "beyond-capacity"),
            (0, iter([b"x" * 11]), {}, 413, "beyond-capacity"),
            (0, b"x", {"Content-Type": "application/octet-stream"}, 415, "unsupported-media-type"),
            (0, b"x", {"Upload-Checksum": "md5 AAAA"}, 400, "invalid-value"),
            (0, b"x", {"Upload-Checksum": "sha1 AAAA"}, 400, "invalid-value"),
            (0, b"x", {"Upload-Checksum": "sha1 " + base64.b64encode(b"0" * 20).decode()}, 460,
             "checksum-mismatch")):
        status, fields, answer = patch(client, location, offset, data, headers)
        check(status == want and is_slug(answer, slug), f"a part refused: {offset} {headers}",
              (status, answer))
        check(head(client, location) == (200, 0), "and nothing has arrived", headers)
    status, _, answer = send(client, "PATCH", location, b"x",
                             {**TUS, "Content-Type": "application/offset+octet-stream"})
    check(status == 400, "without an offset", answer)
    for name, algorithm in (("sha1", hashlib.sha1), ("sha256", hashlib.sha256)):
        at = head(client, location)[1]
        sum_ = base64.b64encode(algorithm(b"abc").digest()).decode()
        status, _, answer = patch(client, location, at, b"abc", {"Upload-Checksum": f"{name} {sum_}"})
        check(status == 204 and head(client, location) == (200, at + 3), f"a checksum, {name}",
              answer)
    check(patch(client, "/uploads/" + "0" * 32, 0, b"x")[0] == 404, "no such upload")
    check(send(client, "DELETE", location, None, TUS)[0] == 204
          and not (file.parent / "refused").exists(), "ended, the volume that it made goes with it")

    status, fields, _ = create(client, 3, pool="tus", volume="other",
                               sha256=hashlib.sha256(b"abc").hexdigest())
    status, _, answer = patch(client, fields["Location"], 0, b"xyz")
    check(status == 400 and is_slug(answer, "digest-mismatch"), "another content", answer)
    check(head(client, fields["Location"])[0] == 404 and not (file.parent / "other").exists(),
          "leaves nothing")


def check_conflicts(client, file):
    unused = create(client, SIZE, pool="tus", volume="held")[1]["Location"]
    location = create(client, SIZE, pool="tus", volume="held")[1]["Location"]
    check(location != unused and head(client, unused)[0] == 404 and head(client, location)[0] == 200,
          "an upload of which nothing has come gives way")
    patch(client, location, 0, b"abc")
    volume = "/storage-pools/tus/volumes/held"
    status, _, answer = create(client, SIZE, pool="tus", volume="held")
    check(status == 409 and is_slug(answer, "volume-in-use"), "a second upload", answer)
    status, _, answer = send(client, "DELETE", volume)
    check(status == 409 and is_slug(answer, "volume-in-use"), "deleting meanwhile", answer)
    check(send(client, "DELETE", location, None, TUS)[0] == 204, "the upload ends")
    check(not (file.parent / "held").exists(), "with its volume")
    existing = file.parent / "kept"
    send(client, "POST", "/storage-pools/tus/volumes",
         json.dumps({"name": "kept", "capacityBytes": 4096}).encode())
    location = create(client, 10, pool="tus", volume="kept")[1]["Location"]
    check(patch(client, location, 0, b"abc")[0] == 204
          and send(client, "DELETE", location, None, TUS)[0] == 204
          and existing.read_bytes()[:4] == b"abc\0", "one that was there stays, as it is")


def check_breaks(gateway, client, file):
    """Clients that go away, each in its way; what has come counts."""
    data = os.urandom(SIZE)
    location = create(client, SIZE, pool="tus", volume="broken",
                      sha256=hashlib.sha256(data).hexdigest())[1]["Location"]
    slow = Slow(gateway, location, 0, data[:1 << 20], SIZE)
    moved(client, 4 * 262120)  # as much as libvirt's messages take, whole
    slow.socket.close()
    offset = eventually(lambda: head(client, location)[1])
    check(offset == 1 << 20, "a client that is gone: all of it counts", offset)

    slow = Slow(gateway, location, offset, data[offset:offset + 1000], SIZE - offset)
    eventually(lambda: send(client, "GET", location)[2]["state"] == "receiving")
    check(gateway.heard(1), "it has been read")
    time.sleep(0.5)  # nothing tells when a piece that is not full has gone to libvirt
    status, _, answer = patch(client, location, offset, b"x")
    check(status == 409 and is_slug(answer, "conflict"), "two at a time", answer)
    check(send(client, "GET", location)[2]["state"] == "receiving", "GET just looks")
    status, at = head(client, location)
    check(status == 200 and at == offset + 1000, "HEAD ends one that hangs, and takes what it had",
          (status, at, offset))
    status, answer = slow.answer()
    check(status == 409, "which is told so", answer)

    slow = Slow(gateway, location, at, data[at:at + 1000], SIZE - at)
    eventually(lambda: send(client, "GET", location)[2]["state"] == "receiving")
    status, answer = slow.answer()
    check(status == 408, "a client that stalls", answer)
    check(head(client, location) == (200, at + 1000), "keeps what it sent")
    at += 1000
    check(patch(client, location, at, data[at:])[0] == 204
          and (file.parent / "broken").read_bytes() == data, "and the whole is what it is to be")

    location = create(client, SIZE, pool="tus", volume="cancelled")[1]["Location"]
    slow = Slow(gateway, location, 0, data[:1 << 20], SIZE)
    op = moved(client)
    check(send(client, "DELETE", f"/operations/{op['id']}")[0] in (202, 204), "cancelled")
    status, answer = slow.answer()
    check(status == 410, "the client is told that it is over", answer)
    check(head(client, location)[0] == 404 and not (file.parent / "cancelled").exists(),
          "a cancelled operation ends the upload")

    location = create(client, SIZE, pool="tus", volume="ended")[1]["Location"]
    slow = Slow(gateway, location, 0, data[:1 << 20], SIZE)
    moved(client)
    check(send(client, "DELETE", location, None, TUS)[0] == 204
          and not (file.parent / "ended").exists(), "ended while it receives")
    check(slow.answer()[0] in (409, 410), "which is told so")


def check_guest(client, conn, file):
    guest = conn.createXML(GUEST % file)
    status, _, answer = create(client, 1, pool="tus", volume=file.name)
    check(status == 409 and is_slug(answer, "volume-in-use") and "writer" in answer["detail"],
          "a guest that runs uses it", answer)
    status, fields, _ = create(client, 1, path=UPLOADS + "?force=true", pool="tus",
                               volume=file.name)
    check(status == 201 and patch(client, fields["Location"], 0, b"f")[0] == 204, "by force")
    guest.destroy()


def check_own(client, conn, folder):
    """Nobody deletes what is held by way of the guest whose it is."""
    location = create(client, 2, pool="tus", volume="own")[1]["Location"]
    conn.defineXML(GUEST % (folder / "own"))
    status, _, answer = send(client, "DELETE", "/domains/writer?volumes=true")
    check(status == 409 and is_slug(answer, "volume-in-use"), "its guest goes, too", answer)
    check(send(client, "GET", "/domains/writer")[0] == 200
          and patch(client, location, 0, b"ab")[0] == 204, "the guest and the upload stay")
    status, _, answer = send(client, "DELETE", "/domains/writer?volumes=true")
    check(status == 204 and not (folder / "own").exists(), "both go once it is free", answer)


def check_makers(gateway):
    """Whoever makes a volume and fails does not delete it from under somebody who has it."""
    volumes = "/storage-pools/tus/volumes"
    wrong = {"Content-Type": "application/octet-stream",
             "Content-Digest": f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"}
    lost = []

    def attempt(makes, name, begun):
        client = Client(gateway.port)
        if makes:
            client.send("POST", f"{volumes}?name={name}", b"x" * 100, wrong)
        else:
            begun.append(create(client, 3, pool="tus", volume=name))
        client.http.close()

    client = Client(gateway.port)
    for n in range(15):
        begun = []
        threads = [threading.Thread(target=attempt, args=(i % 3, f"maker{n}", begun))
                   for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for status, fields, _ in begun:
            if status == 201 and head(client, fields["Location"])[0] == 200:
                lost += [patch(client, fields["Location"], 0, b"abc")[0]]
    client.http.close()
    check(lost and set(lost) == {204}, "an upload whose volume others fail to make", lost)


def check_limits(uri, folder):
    """Whose an upload is, how many there may be, and until when."""
    tokens = {name: secrets.token_hex(16) for name in ("one", "two", "boss", "viewer")}
    lines = {"one": "admin %s deny=gateway:manage", "two": "admin %s deny=gateway:manage",
             "boss": "admin %s", "viewer": "viewer %s"}
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as file:
        for name, line in lines.items():
            file.write(f"{name} {line % hashlib.sha256(tokens[name].encode()).hexdigest()}\n")
        file.flush()
        gateway = Gateway(uri, "--token-file", file.name, "--uploads-per-token", "2",
                          "--upload-expiry", "8", "--cors-origin", "https://panel.example")
        client = Client(gateway.port)
        bearer = {name: {"Authorization": f"Bearer {token}"} for name, token in tokens.items()}
        status, _, answer = create(client, 1, pool="tus", volume="a", headers=bearer["viewer"])
        check(status == 403, "a viewer uploads nothing", answer)
        status, fields, answer = create(client, 9, pool="tus", volume="a", headers=bearer["one"])
        location = fields["Location"]
        check(status == 201 and answer["principal"] == "one", "one begins", answer)
        for method, headers in (("HEAD", {}), ("GET", {}), ("DELETE", {}),
                                ("PATCH", {"Content-Type": "application/offset+octet-stream",
                                           "Upload-Offset": "0"})):
            status, _, answer = send(client, method, location, b"x" if headers else None,
                                     {**TUS, **headers, **bearer["two"]})
            check(status == 404, f"it is not there for two: {method}", (status, answer))
        seen = {name: [u["volume"] for u in send(client, "GET", UPLOADS, None,
                                                 bearer[name])[2]["uploads"]]
                for name in ("one", "two", "boss")}
        check(seen == {"one": ["a"], "two": [], "boss": ["a"]}, "who sees it", seen)
        create(client, 9, pool="tus", volume="b", headers=bearer["one"])
        status, _, answer = create(client, 9, pool="tus", volume="c", headers=bearer["one"])
        check(status == 429 and is_slug(answer, "rate-limited") and not (folder / "c").exists(),
              "no more than so many", answer)
        check(create(client, 9, pool="tus", volume="c", headers=bearer["two"])[0] == 201,
              "another token has its own")
        check(patch(client, location, 0, b"abc", bearer["one"])[0] == 204, "it goes on")
        check(eventually(lambda: not any((folder / name).exists() for name in "abc")),
              "what nobody goes on with expires, and its volume")
        check(send(client, "GET", UPLOADS, None, bearer["boss"])[2] == {"uploads": []},
              "none is left")
        check_cors(client)
        gateway.stop()


def check_cors(client):
    status, fields, _ = send(client, "OPTIONS", UPLOADS)
    check(status == 204 and fields["Tus-Version"] == "1.0.0"
          and fields["Tus-Extension"] == "creation,termination,checksum,expiration"
          and fields["Tus-Checksum-Algorithm"] == "sha1,sha256"
          and "Access-Control-Allow-Origin" not in fields, "OPTIONS", dict(fields))
    page = {"Origin": "https://panel.example", "Access-Control-Request-Method": "PATCH"}
    status, fields, _ = send(client, "OPTIONS", UPLOADS + "/x", None, page)
    allowed = fields.get("Access-Control-Allow-Headers", "")
    exposed = fields.get("Access-Control-Expose-Headers", "")
    check(status == 204 and fields["Access-Control-Allow-Origin"] == page["Origin"]
          and all(name in allowed for name in ("Tus-Resumable", "Upload-Offset", "Upload-Metadata",
                                               "Upload-Length", "Upload-Checksum"))
          and all(name in exposed for name in ("Location", "Upload-Offset", "Upload-Length",
                                               "Upload-Expires", "Tus-Resumable")),
          "a page that is allowed", dict(fields))
    status, fields, _ = send(client, "OPTIONS", UPLOADS, None,
                             {"Origin": "https://else.example"})
    check("Access-Control-Allow-Origin" not in fields, "and one that is not", dict(fields))


def check_daemon(gateway, client, folder):
    """What was finished before the daemon died has arrived, and the upload goes on from there."""
    data = os.urandom(SIZE)
    location = create(client, SIZE, pool="tus", volume="killed",
                      sha256=hashlib.sha256(data).hexdigest())[1]["Location"]
    check(patch(client, location, 0, data[:1 << 20])[0] == 204, "a part before")
    slow = Slow(gateway, location, 1 << 20, data[1 << 20:2 << 20], 2 << 20)
    moved(client)
    subprocess.run([LIBVIRTD, "kill"], check=True)
    status, answer = slow.answer()
    check(status == 503, "the daemon is killed", answer)
    subprocess.run([LIBVIRTD, "up"], check=True)
    offset = eventually(lambda: head(client, location) == (200, 1 << 20))
    check(offset, "what was finished before has arrived", head(client, location))
    status, _, answer = patch(client, location, 1 << 20, data[1 << 20:])
    check(status == 204 and (folder / "killed").read_bytes() == data, "and it goes on", answer)


def check_restart(uri, gateway, client, folder):
    """A gateway that stops forgets: the same upload begins anew, into the volume that is there."""
    location = create(client, 6, pool="tus", volume="restart")[1]["Location"]
    patch(client, location, 0, b"abc")
    client.http.close()
    client.http = None
    gateway.stop()
    again = Gateway(uri)
    client = Client(again.port)
    check(head(client, location)[0] == 404, "the next gateway knows nothing of it")
    status, fields, answer = create(client, 6, pool="tus", volume="restart")
    check(status == 201 and patch(client, fields["Location"], 0, b"uvwxyz")[0] == 204
          and (folder / "restart").read_bytes() == b"uvwxyz", "and begins anew", answer)
    client.http.close()
    again.stop()


def main():
    uri = os.environ["VG_QEMU_URI"]
    folder = Path(uri.split("socket=")[1]).parents[1] / "tus"
    conn = libvirt.open(uri)
    gateway = Gateway(uri, "--transfer-deadline", "6", "--drain-seconds", "2")
    client = Client(gateway.port)
    send(client, "POST", "/storage-pools",
         json.dumps({"name": "tus", "path": str(folder), "build": True, "start": True}).encode())
    file = folder / "v"
    check_whole(client, file)
    check_refused(client, file)
    check_conflicts(client, file)
    check_breaks(gateway, client, file)
    check_guest(client, conn, file)
    check_own(client, conn, folder)
    check_makers(gateway)
    check_limits(uri, folder)
    conn.close()
    check_daemon(gateway, client, folder)
    check_restart(uri, gateway, client, folder)
    conn = libvirt.open(uri)
    pool = conn.storagePoolLookupByName("tus")
    pool.refresh()
    for volume in pool.listAllVolumes():
        volume.delete()
    pool.destroy()
    pool.delete()
    pool.undefine()
    conn.close()
    return report()


if __name__ == "__main__":
    sys.exit(main())
