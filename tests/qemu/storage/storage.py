#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Storage pools and volumes on a real libvirtd: what the gateway says against what libvirt says,
what needs real files (resize, wipe, conversion, what vanished), and a pool whose start hangs.
"""
import base64
import json
import os
import sys
import threading
import time
from pathlib import Path

import libvirt

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, exchange, report  # noqa: E402

STATES = ["inactive", "building", "running", "degraded", "inaccessible"]
VOLUMES = "/storage-pools/files/volumes"


def send(client, method, path, body=None):
    status, _, answer = exchange(client, method, path, body)
    return status, answer


def make(client, folder):
    status, pool = send(client, "POST", "/storage-pools",
                        {"name": "files", "path": folder, "build": True, "start": True})
    check(status == 201 and pool["active"], "a pool by a few words is built and started", pool)
    check(Path(folder).is_dir(), "its folder is there")
    for volume in ({"name": "base", "capacityMiB": 64, "format": "qcow2",
                    "permissions": {"mode": "0640"}},
                   {"name": "over", "backing": "base"},
                   {"name": "plain", "clone": "files/base", "format": "raw"},
                   {"name": "copy", "clone": "files/base"}):
        status, made = send(client, "POST", VOLUMES, volume)
        check(status == 201 and made["capacityBytes"] == 64 << 20, f"{volume}", made)


def check_pool(client, conn):
    pool = conn.storagePoolLookupByName("files")
    status, shown = send(client, "GET", "/storage-pools/files")
    state, capacity, _, _ = pool.info()
    wanted = {"name": pool.name(), "uuid": pool.UUIDString(), "active": bool(pool.isActive()),
              "persistent": bool(pool.isPersistent()), "autostart": bool(pool.autostart()),
              "state": STATES[state], "capacityBytes": capacity, "type": "dir"}
    check(status == 200 and wanted.items() <= shown.items(), "a pool as libvirt shows it",
          (wanted, shown))
    listed = {p["name"] for p in send(client, "GET", "/storage-pools")[1]["storagePools"]}
    check(listed == {p.name() for p in conn.listAllStoragePools()}, "the list of pools", listed)


def check_volumes(client, conn):
    pool = conn.storagePoolLookupByName("files")
    shown = {v["name"]: v for v in send(client, "GET", VOLUMES + "?view=full")[1]["volumes"]}
    wanted = {}
    for volume in pool.listAllVolumes():
        kind, capacity, allocation = volume.info()
        physical = volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)[2]
        wanted[volume.name()] = {
            "name": volume.name(), "key": volume.key(), "path": volume.path(),
            "type": ["file", "block", "dir"][kind], "capacityBytes": capacity,
            "allocationBytes": allocation, "physicalBytes": physical}
    check(shown == wanted, "volumes with all figures as libvirt shows them", (shown, wanted))
    over = send(client, "GET", VOLUMES + "/over")[1]
    check(over["format"] == "qcow2" and over["backingStore"]["format"] == "qcow2",
          "an overlay's formats are written down", over)
    check(send(client, "GET", VOLUMES + "/plain")[1]["format"] == "raw", "a clone is converted")
    check(send(client, "GET", VOLUMES + "/copy")[1]["format"] == "qcow2",
          "a clone has its source's format")
    check(send(client, "GET", VOLUMES + "/base")[1]["permissions"]["mode"] == "0640",
          "a volume has the mode that was asked for")


def check_changes(client):
    plain = VOLUMES + "/plain"
    status, shown = send(client, "PATCH", plain, {"capacityMiB": 80})
    check(status == 200 and shown["capacityBytes"] == 80 << 20, "a volume grows", shown)
    status, problem = send(client, "POST", plain + "/resize", {"capacityMiB": 32})
    check(status == 400 and "shrink" in problem["detail"], "shrinking is to be said", problem)
    status, _ = send(client, "POST", plain + "/resize", {"capacityMiB": 32, "shrink": True})
    check(status == 204, "and then done", status)
    path = Path(send(client, "GET", plain)[1]["path"])
    check(path.stat().st_size == 32 << 20, "to what was said")
    path.write_bytes(b"secret" * 1000 + bytes((32 << 20) - 6000))
    status, problem = send(client, "POST", plain + "/wipe")
    check(status == 204, "a volume is wiped", problem)
    check(not any(path.read_bytes()), "nothing is left of what it held",
          path.read_bytes()[:20])
    found = send(client, "GET", f"/volumes?path={path}")[1]
    check(found["name"] == "plain" and found["pool"] == "files", "a volume by its path", found)
    found = send(client, "GET", "/storage-pools/" + str(path.parent).replace("/", "%2F"))[1]
    check(found["name"] == "files", "a pool by its path", found)


def check_owner(client, folder):
    """New files are those of the user whose pool it is."""
    document = f"""<pool type='dir'><name>theirs</name><target><path>{folder}-theirs</path>
<permissions><mode>0750</mode><owner>65534</owner><group>65533</group></permissions></target></pool>"""
    status, _ = send(client, "POST", "/storage-pools?build=true&start=true", {"xml": document})
    check(status == 201, "a pool of another user's")
    at = "/storage-pools/theirs"
    for volume, wanted in (
            ({"name": "new", "capacityMiB": 1}, (65534, 65533, "0600")),
            ({"name": "mine", "capacityMiB": 1, "permissions": {"owner": 0, "group": 0}},
             (0, 0, "0600")),
            ({"name": "mode", "capacityMiB": 1, "permissions": {"mode": "0660"}},
             (65534, 65533, "0660")),
            ({"name": "copy", "clone": "theirs/new"}, (65534, 65533, "0600"))):
        made = send(client, "POST", at + "/volumes", volume)[1].get("permissions", {})
        check((made.get("owner"), made.get("group"), made.get("mode")) == wanted, f"{volume}", made)
        file = os.stat(f"{folder}-theirs/{volume['name']}")
        check((file.st_uid, file.st_gid) == wanted[:2], f"{volume}: the file", file)
    words = ", ".join(f"{k} {base64.b64encode(v).decode()}" for k, v in (("pool", b"theirs"),
                                                                         ("volume", b"tus")))
    status, _, answer = client.send("POST", "/uploads", b"", {
        "Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Metadata": words,
        "Content-Type": "application/offset+octet-stream"})
    check(status == 201 and os.stat(f"{folder}-theirs/tus").st_uid == 65534, "an upload's", answer)
    client.send("DELETE", f"/uploads/{json.loads(answer)['id']}", None, {"Tus-Resumable": "1.0.0"})
    for name in ("new", "mine", "mode", "copy", "tus"):
        send(client, "DELETE", f"{at}/volumes/{name}")
    send(client, "POST", at + "/destroy")
    send(client, "POST", at + "/delete-data")
    check(send(client, "DELETE", at)[0] == 204, "it is gone")


def check_vanished(client, folder):
    Path(folder, "copy").unlink()
    status, body = send(client, "GET", VOLUMES + "?view=full")
    names = [v["name"] for v in body["volumes"]]
    check(status == 200 and names == ["base", "over", "plain"],
          "a list leaves out a volume whose file has gone", body)
    check(send(client, "GET", VOLUMES + "/copy")[0] == 404, "it is a 404 itself")
    Path(folder, "new").write_bytes(bytes(512))
    names = [v["name"] for v in send(client, "GET", VOLUMES + "?refresh=true")[1]["volumes"]]
    check(names == ["base", "new", "over", "plain"], "refresh finds what came", names)


def check_folder(client, folder):
    """A folder in the pool is a volume without bytes."""
    Path(folder, "dir").mkdir()
    Path(folder, "dir", "in it").touch()
    check(send(client, "POST", "/storage-pools/files/refresh")[0] == 204, "a folder is found")
    at = VOLUMES + "/dir"
    check(send(client, "GET", at)[1]["type"] == "dir", "as such")
    for method, path, body in (("GET", at + "/content", None), ("POST", at + "/wipe", None),
                               ("POST", at + "/content/zero", {"offset": 0}),
                               ("POST", at + "/resize", {"capacityMiB": 1}), ("DELETE", at, None)):
        status, problem = send(client, method, path, body)
        check(status == 409, f"{method} {path} of a folder that is not empty", problem)
    Path(folder, "dir", "in it").unlink()
    check(send(client, "DELETE", at)[0] == 204, "an empty one is deleted")


WIPES = ("zero", "nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33", "random")


def check_wipes(client):
    """Each algorithm on a file of its own, with a mark in it: what is left has no mark."""
    at = VOLUMES + "/wiped"
    send(client, "POST", VOLUMES, {"name": "wiped", "capacityBytes": 65536,
                                   "allocationBytes": 65536})
    path = Path(send(client, "GET", at)[1]["path"])
    for algorithm in WIPES:
        path.write_bytes(b"a mark of ours" * 4681)
        status, problem = send(client, "POST", at + "/wipe", {"algorithm": algorithm})
        left = path.read_bytes()
        check(status == 204 and b"a mark" not in left, f"wiped by {algorithm}", problem)
        check((set(left) == {0}) == (algorithm == "zero"), f"{algorithm} is done", left[:20])
    check(send(client, "POST", at + "/wipe", {"algorithm": "x"})[0] == 400, "no such algorithm")
    check(send(client, "DELETE", at)[0] == 204, "the wiped one is deleted")


def check_between(client, folder):
    """Clones from pool to pool, in each format; its size alone may grow."""
    send(client, "POST", "/storage-pools",
         {"name": "other", "path": folder + "-other", "build": True, "start": True})
    others = "/storage-pools/other/volumes"
    for name, more, wanted in (("raw", {"format": "raw"}, ("raw", 64)),
                               ("qcow2", {"format": "qcow2"}, ("qcow2", 64)),
                               ("larger", {"format": "qcow2", "capacityMiB": 96}, ("qcow2", 96))):
        status, made = send(client, "POST", others, {"name": name, "clone": "files/base", **more})
        check(status == 201 and (made["format"], made["capacityBytes"] >> 20) == wanted and
              made["pool"] == "other" and "backingStore" not in made, f"a clone: {more}", made)
    status, problem = send(client, "POST", others, {"name": "raw", "clone": "files/base"})
    check(status == 409, "a taken name", problem)
    status, problem = send(client, "POST", others, {"name": "x", "clone": "files/base",
                                                    "capacityMiB": 8})
    check(status == 400 and "67108864" in problem["detail"], "no clone is smaller", problem)
    status, problem = send(client, "POST", others, {"name": "x", "clone": "files/base",
                                                    "format": "qcow2", "capacityBytes": 1 << 62})
    check(status >= 400 and "error" in problem, "larger than any file", problem)
    check(send(client, "GET", others + "/x")[0] == 404, "nothing is left of it")
    status, problem = send(client, "POST", others, {"name": "x", "clone": "files/nosuch"})
    check(status == 404, "a clone of nothing", problem)
    status, shown = send(client, "POST", others, {"name": "back", "clone": "other/raw",
                                                  "format": "qcow2"})
    check(status == 201 and shown["format"] == "qcow2", "and back", shown)
    for name in ("raw", "qcow2", "larger", "back"):
        check(send(client, "DELETE", f"{others}/{name}")[0] == 204, f"{name} is deleted")
    for action in ("destroy", "delete-data"):
        check(send(client, "POST", f"/storage-pools/other/{action}")[0] == 204, action)
    check(send(client, "DELETE", "/storage-pools/other")[0] == 204, "the other pool has gone")


def check_used(client, conn):
    """Which guests use a volume: by path, by volume, through an overlay; and which its pool."""
    base = send(client, "GET", VOLUMES + "/base")[1]["path"]
    disk = "<disk type='{}' device='disk'><source {}/><target dev='{}' bus='virtio'/></disk>"
    xml = ("<domain type='qemu'><name>{}</name><memory unit='MiB'>16</memory><os><type>hvm</type>"
           "</os><devices>{}</devices></domain>")
    guests = [conn.defineXML(xml.format(name, disk.format(*what))) for name, what in (
        ("by-path", ("file", f"file='{base}'", "vda")),
        ("by-volume", ("volume", "pool='files' volume='base'", "vdb")),
        ("others", ("file", "file='/nosuch'", "vda")))]
    used = send(client, "GET", VOLUMES + "/base?view=full")[1]["usedBy"]
    check([u["name"] for u in used] == ["by-path", "by-volume"], "who uses a volume", used)
    used = send(client, "GET", VOLUMES + "/plain?view=full")[1]["usedBy"]
    check(used == [], "one that nobody uses", used)
    used = send(client, "GET", "/storage-pools/files?view=full")[1]["usedBy"]
    check([u["name"] for u in used] == ["by-path", "by-volume"], "who uses a pool", used)
    status, shown = send(client, "GET", VOLUMES + "?fields=name,usedBy")
    used = {v["name"]: [u["name"] for u in v["usedBy"]] for v in shown["volumes"]}
    check(status == 200 and used["base"] == ["by-path", "by-volume"] and used["plain"] == [],
          "who uses each of a list", shown)
    for guest in guests:
        guest.undefine()


def check_behind(client, conn):
    """Changes behind the gateway's back are seen when their events have come."""
    pool, seen = conn.storagePoolLookupByName("files"), 0
    for n in range(10):
        for _ in range(2):
            send(client, "GET", "/storage-pools")
        pool.destroy() if n % 2 == 0 else pool.create()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            shown = send(client, "GET", "/storage-pools?name=files")[1]["storagePools"][0]
            if shown["active"] == bool(n % 2):
                seen += 1
                break
    check(seen == 10, "a pool's state behind the gateway's back", seen)


def check_hang(gateway, client):
    """While librados looks for a monitor, 30 s long, nothing else of the host waits."""
    send(client, "POST", "/storage-pools",
         {"name": "dead", "type": "rbd", "source": {"host": "127.0.0.1", "port": 9, "name": "x"}})
    send(client, "POST", "/storage-pools/files/start")
    status, _, body = client.send("POST", "/storage-pools/dead/start",
                                  headers={"Prefer": "respond-async"})
    check(status == 202, "the start is an operation", body)
    operation = json.loads(body)["id"]
    time.sleep(1)
    waiting = ["/storage-pools?state=active", "/storage-pools?view=full", "/volumes?path=/x",
               "/storage-pools/dead", "/storage-pools/dead/autostart"] * 2
    readers = [threading.Thread(target=send, args=(Client(gateway.port), "GET", path))
               for path in waiting]
    for reader in readers:
        reader.start()
    time.sleep(0.5)
    for method, path, body, wanted in (
            ("GET", "/domains", None, 200), ("GET", "/domains?view=full", None, 200),
            ("GET", "/networks", None, 200), ("GET", "/node", None, 200),
            ("GET", "/storage-pools/files", None, 200), ("GET", VOLUMES, None, 200),
            ("POST", VOLUMES, {"name": "meanwhile", "capacityMiB": 1}, 201),
            ("DELETE", VOLUMES + "/meanwhile", None, 204),
            ("POST", "/storage-pools/files/refresh", None, 204)):
        status, answer = send(client, method, path, body)
        check(status == wanted, f"{method} {path} while a pool hangs", answer)
    state = send(client, "GET", f"/operations/{operation}")[1]["state"]
    check(state == "running", "it hung all the while", state)
    ended = send(client, "GET", f"/operations/{operation}?wait=90")[1]
    check(ended["state"] == "failed" and "RADOS" in ended["error"]["detail"],
          "and failed with libvirt's error", ended)
    for reader in readers:
        reader.join()
    failure = send(client, "GET", "/storage-pools/dead?fields=failure")[1]["failure"]
    check(failure["operation"] == "start" and "RADOS" in failure["message"],
          "why it is not started is kept", failure)
    send(client, "DELETE", "/storage-pools/dead")


def check_failures(client, conn, folder):
    """Why a pool is not started: what libvirt said to who tried; until somebody starts it."""
    path, lost = "/storage-pools/lost", Path(folder + "-lost")

    def failure():
        return send(client, "GET", path)[1]["failure"]
    send(client, "POST", "/storage-pools", {"name": "lost", "type": "dir", "path": str(lost)})
    check(failure() is None, "nothing has failed yet", failure())
    status, answer = send(client, "POST", path + "/refresh")
    check(status == 409 and failure() is None, "what says nothing of it is not kept", answer)
    status, answer = send(client, "POST", path + "/start")
    check(status >= 400 and failure()["operation"] == "start" and
          failure()["message"] == answer["error"]["message"] and
          failure()["codeName"] == answer["error"]["codeName"], "a start", (answer, failure()))
    full = send(client, "GET", "/storage-pools?view=full&name=lost")[1]["storagePools"]
    check(full[0]["failure"] == failure(), "in a list", full)
    lost.mkdir()
    conn.storagePoolLookupByName("lost").create(0)
    check(failure() is None, "it was started elsewhere", failure())
    conn.storagePoolLookupByName("lost").destroy()
    for _ in range(1200):
        if failure() is None:
            break
        time.sleep(0.05)
    check(failure() is None, "and is forgotten", failure())
    send(client, "POST", path + "/start")
    lost.rmdir()
    status, answer = send(client, "POST", path + "/refresh")
    check(status >= 400 and failure()["operation"] == "refresh" and
          str(lost) in failure()["message"], "a refresh", (answer, failure()))
    document = send(client, "GET", path + "?view=config")[1]["pool"]
    status, answer = send(client, "POST", "/storage-pools", {"pool": document, "start": True})
    check(status >= 400 and failure()["operation"] == "start", "of one that is there", answer)
    check(send(client, "DELETE", path)[0] == 204, "undefined")


def main():
    uri = os.environ["VG_QEMU_URI"]
    folder = str(Path(uri.split("socket=")[1]).parents[1] / "files")
    conn, gateway = libvirt.open(uri), Gateway(uri)
    client = Client(gateway.port)
    make(client, folder)
    check_pool(client, conn)
    check_volumes(client, conn)
    check_between(client, folder)
    check_used(client, conn)
    check_wipes(client)
    check_folder(client, folder)
    check_changes(client)
    check_owner(client, folder)
    check_vanished(client, folder)
    check_behind(client, conn)
    check_hang(gateway, client)
    check_failures(client, conn, folder)
    for name in ("base", "new", "over", "plain"):
        check(send(client, "DELETE", f"{VOLUMES}/{name}")[0] == 204, f"{name} is deleted")
    for action in ("destroy", "delete-data"):
        check(send(client, "POST", f"/storage-pools/files/{action}")[0] == 204, action)
    check(not Path(folder).exists(), "its data is gone")
    check(send(client, "DELETE", "/storage-pools/files")[0] == 204, "undefined")
    gateway.stop()
    conn.close()
    return report()


if __name__ == "__main__":
    sys.exit(main())
