#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Backups in pull mode, read by nothing but HTTP: full, then incremental to its checkpoint, each while
the guest's disk is written. What is restored of them is the disk as it was, byte for byte.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, record, report  # noqa: E402

MIB = 1 << 20
SIZE = 8 * MIB
AT = "/domains/backup/backup"
CONTENT = AT + "/disks/vda/content"
# The disk of the device, as QEMU names it.
BACKEND = "/machine/peripheral/virtio-disk0/virtio-backend"
GUEST = ("<domain type='qemu'><name>backup</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>"
         "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
         "<emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>"
         "<memballoon model='none'/><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
         "<source file='{}'/><target dev='vda' bus='virtio'/></disk></devices></domain>")


class Backups:
    def __init__(self, client, folder):
        self.client = client
        self.disk = bytearray(SIZE)  # what the guest's is to hold
        self.socket = f"{folder}/nbd"

    def call(self, method, path, body=None, headers=None):
        data = json.dumps(body).encode() if body is not None else None
        status, headers, answer = self.client.send(method, path, data, headers)
        is_json = headers.get("Content-Type", "").endswith("json")
        record(method, path, status, dict(headers), answer.decode() if is_json else "")
        return status, headers, answer

    def write(self, pattern, offset, length):
        """As the guest would."""
        status, _, answer = self.call("POST", "/domains/backup/qemu/monitor", {
            "hmp": f'qemu-io -d {BACKEND} "write -P {pattern} {offset} {length}"'})
        check(status == 200 and json.loads(answer)["text"].strip() == "", "the disk is written", answer)
        self.disk[offset:offset + length] = bytes([pattern]) * length

    def begin(self, **wishes):
        status, headers, answer = self.call("POST", AT, {"pull": True, "socket": self.socket, **wishes})
        check(status == 202, f"a backup begins: {wishes}", answer)
        return headers.get("Location")

    def end(self, operation):
        check(self.call("DELETE", "/domains/backup/job")[0] == 204, "it is ended")
        status, _, answer = self.call("GET", f"{operation}?wait=20")
        check(status == 200 and json.loads(answer)["state"] == "succeeded", "which is its good end", answer)

    def extents(self, query, headers=None):
        status, _, answer = self.call("GET", f"{CONTENT}?extents=true{query}", headers=headers)
        check(status == 200, f"extents{query}", answer[:300])
        extents = json.loads(answer)["extents"] if status == 200 else []
        for one, after in zip(extents, extents[1:]):
            check(one["offset"] + one["length"] == after["offset"], "extents follow each other", extents)
        return extents

    def part(self, offset, length):
        status, headers, answer = self.call(
            "GET", CONTENT, headers={"Range": f"bytes={offset}-{offset + length - 1}"})
        check(status == 206 and headers["Content-Range"] == f"bytes {offset}-{offset + length - 1}/{SIZE}",
              "a range of it", (status, answer[:300]))
        return answer


def check_refused(b):
    for body, words in (({"pull": True, "backup": "<domainbackup/>"}, b"one of"),
                        ({"incremental": "c1"}, b"pull"),
                        ({"pull": True, "socket": "nbd"}, b"socket"),
                        ({"pull": True, "address": "127.0.0.1"}, b"port")):
        status, _, answer = b.call("POST", AT, body)
        check(status == 400 and words in answer, f"{body} is refused", answer)
    check(b.call("GET", CONTENT)[0] == 404, "without a backup there is no content")
    check(b.call("GET", CONTENT + "?changed=true")[0] == 400, "changes are of extents")


def full(b):
    operation = b.begin(checkpoint="c1")
    before = bytes(b.disk)
    b.write(0x33, 5 * MIB, 65536)  # not in the backup
    status, headers, answer = b.call("GET", CONTENT)
    check(status == 200 and answer == before, "the whole disk as it was when it began",
          (status, len(answer), answer[:300]))
    check(headers["Accept-Ranges"] == "bytes" and "ETag" in headers, "it has ranges", headers)
    check(b.part(MIB - 100, 70000) == before[MIB - 100:MIB - 100 + 70000], "a part is that part")
    status, headers, answer = b.call("HEAD", CONTENT)
    check(status == 200 and headers["Content-Length"] == str(SIZE) and not answer, "HEAD tells its size")
    holes = [(e["offset"], e["length"]) for e in b.extents("") if e["zero"]]
    check(sum(n for _, n in holes) == SIZE - 2 * MIB, "what was never written is zero", holes)
    check(all(not any(before[at:at + n]) for at, n in holes), "and reads so", holes)
    some = b.extents("", {"Range": f"bytes={MIB}-{MIB + 99}"})
    check(some == [{"offset": MIB, "length": 100, "zero": False}], "extents of a range", some)
    status, _, answer = b.call("GET", CONTENT + "?extents=true&changed=true")
    check(status == 409 and b"incremental" in answer, "a full one knows no changes", answer)
    check(b.call("GET", AT + "/disks/vdb/content")[0] == 404, "another disk is none of it")
    b.end(operation)
    check(b.call("GET", CONTENT)[0] == 404, "when it has ended, it is gone")
    return before


def incremental(b, whole):
    b.write(0x44, 3 * MIB + 65536, 131072)
    before = bytes(b.disk)
    operation = b.begin(incremental="c1", checkpoint="c2")
    b.write(0x55, 0, MIB)  # after it
    changed = [e for e in b.extents("&changed=true") if e["changed"]]
    check(sum(e["length"] for e in changed) == 65536 + 131072, "what changed, and no more", changed)
    changes = [(e["offset"], b.part(e["offset"], e["length"])) for e in changed]
    b.end(operation)
    check(restore(b, whole, changes) == before, "the volume is the disk, byte for byte")


def restore(b, whole, changes):
    """Into a volume, the full one and then what changed."""
    pool = "/storage-pools/restored"
    at = f"{pool}/volumes/disk.raw/content"
    status, _, answer = b.call("POST", "/storage-pools?transient=true", {
        "name": "restored", "type": "dir", "path": os.path.dirname(b.socket)})
    check(status == 201, "a pool", answer)
    status, _, answer = b.call("POST", f"{pool}/volumes", {
        "name": "disk.raw", "capacityMiB": SIZE // MIB, "format": "raw"})
    check(status == 201, "a volume", answer)
    octets = {"Content-Type": "application/octet-stream"}
    status, _, answer = b.client.send("PUT", at, whole, octets)
    check(status == 204, "the full backup is restored", answer)
    for offset, data in changes:
        status, _, answer = b.client.send("PUT", at, data, {
            **octets, "Content-Range": f"bytes {offset}-{offset + len(data) - 1}/{SIZE}"})
        check(status == 204, "and what changed", answer)
    status, _, answer = b.client.send("GET", at)
    check(status == 200, "it can be read", answer[:300])
    b.call("POST", f"{pool}/destroy")
    return answer


def main():
    folder = tempfile.mkdtemp(prefix="vg-backup-")
    os.chmod(folder, 0o777)
    image = f"{folder}/disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "8M"], check=True)
    os.chmod(image, 0o666)
    gateway = Gateway(os.environ["VG_QEMU_URI"])
    client = Client(gateway.port)
    b = Backups(client, folder)
    try:
        status = client.send("POST", "/domains", GUEST.format(image).encode())[0]
        check(status == 201, "the guest is defined", status)
        # no firmware reads the disk meanwhile
        check(b.call("POST", "/domains/backup/start", {"flags": ["paused"]})[0] == 204, "it starts")
        b.write(0x11, MIB, MIB)
        b.write(0x22, 6 * MIB, MIB)
        check_refused(b)
        incremental(b, full(b))
        client.send("POST", "/domains/backup/destroy")
        client.send("DELETE", "/domains/backup?flags=checkpoints-metadata")
    finally:
        gateway.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return report()


if __name__ == "__main__":
    sys.exit(main())
