#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what, on a real libvirtd.

 - Every operation of openapi.yaml, by every role: refused exactly below its x-virtgate-access.
 - Every argument that needs more than its row (ARGUMENTS), likewise.
 - What a viewer may read, with each value of each argument, is what libvirt itself gives on its
   read-only socket: a gateway on that socket, whose client may do everything, is asked the same.
 - No answer to a viewer or an operator shows a guest's password.
 - Jobs are aborted by who may begin them; a disk is not cut by accident; a program that the host
   does not name as an emulator is not run.
"""
import hashlib
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import libvirt
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/harness"))
from description import resolve  # noqa: E402
from gateway import Client, Gateway, check, report  # noqa: E402

ROLES = ("viewer", "operator", "admin")
FORBIDDEN = b"urn:virtgate:error:forbidden"
PASSWORD = "sesame77"
WEBSOCKET = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}

# Arguments that need more than their row: (method, path, body or None, least role). The guest
# `nosuch` is not there: what is allowed is a 404, which changes nothing.
ELEMENT = b'{"uri":"urn:x","key":"x","value":"<a/>"}'
CPU = b'{"cpu":{"model":"qemu64"}}'
CPUS = b'{"cpus":[{"arch":"x86_64","model":"qemu64"}]}'
ARGUMENTS = [
    ("GET", "/hosts?view=full", None, "viewer"),
    ("GET", "/connection/domain-capabilities", None, "operator"),
    ("GET", "/connection/domain-capabilities?emulator=/nosuch", None, "admin"),
    ("POST", "/connection/cpu/compare", CPU, "viewer"),
    ("POST", "/connection/cpu/compare?arch=x86_64", CPU, "admin"),
    ("POST", "/connection/cpu/compare?machine=pc", CPU, "admin"),
    ("POST", "/connection/cpu/compare?virttype=qemu", CPU, "admin"),
    ("POST", "/connection/cpu/compare?emulator=/nosuch", CPU, "admin"),
    ("POST", "/connection/cpu/baseline", CPUS, "viewer"),
    ("POST", "/connection/cpu/baseline?virttype=qemu", CPUS, "admin"),
    ("GET", "/domains/rights?view=config&flags=secure", None, "admin"),
    ("GET", "/domains/rights?view=config&flags=migratable", None, "admin"),
    ("GET", "/domains/rights/xml?flags=secure", None, "admin"),
    ("GET", "/domains/rights/xml?flags=migratable,inactive", None, "admin"),
    ("GET", "/domains/rights-saved/managed-save/xml?flags=secure", None, "admin"),
    ("GET", "/domains/rights-snap/snapshots/s1/xml?flags=secure", None, "admin"),
    ("GET", "/domains/rights/checkpoints/c1/xml?flags=secure", None, "admin"),
    ("GET", "/domains/rights/vcpu-count?flags=guest", None, "operator"),
    ("GET", "/domains/rights/vcpu-count?guest=true", None, "operator"),
    ("GET", "/domains?fields=addresses", None, "viewer"),
    ("GET", "/domains/rights?fields=addresses", None, "viewer"),
    ("GET", "/domains/rights/addresses?source=agent", None, "operator"),
    ("GET", "/domains/rights/addresses?source=arp", None, "viewer"),
    ("GET", "/events?object=qemu-monitor&wait=0", None, "admin"),
    ("POST", "/domains/nosuch/snapshots?name=s", None, "operator"),
    ("POST", "/domains/nosuch/snapshots?flags=quiesce", None, "operator"),
    ("POST", "/domains/nosuch/snapshots?flags=disk-only", None, "admin"),
    ("POST", "/domains/nosuch/snapshots?flags=disk-only,reuse-ext", None, "admin"),
    ("POST", "/domains/nosuch/snapshots?flags=reuse-ext", None, "admin"),
    ("POST", "/domains/nosuch/snapshots", b"<domainsnapshot/>", "admin"),
    ("PATCH", "/domains/nosuch", b'{"autostart":true}', "operator"),
    ("PATCH", "/domains/nosuch", b'{"name":"other"}', "operator"),
    ("PATCH", "/domains/nosuch", b'{"domain":{"title":"x"}}', "admin"),
    ("PUT", "/domains/nosuch/metadata", b'{"type":"title","value":"x"}', "operator"),
    ("PUT", "/domains/nosuch/metadata", ELEMENT, "admin"),
    ("PATCH", "/domains/rights-off/blkio-parameters", b'{"weight":500}', "operator"),
    ("PATCH", "/domains/rights-off/blkio-parameters", b'{"deviceWeight":"/dev/null,300"}', "admin"),
    ("PATCH", "/domains/rights-off/blkio-parameters", b'{"deviceReadIopsSec":"/dev/null,300"}',
     "admin"),
    ("DELETE", "/domains/nosuch?volumes=true", None, "admin"),
    ("POST", "/domains?name=nosuch&memoryMiB=1", b'{"image":{"volume":"nosuch/v"}}', "admin"),
    ("POST", "/domains?name=nosuch&memoryMiB=1", b'{"cloudInit":{"pool":"nosuch"}}', "admin"),
    ("POST", "/domains?name=nosuch&from=nosuch", None, "admin"),
    ("POST", "/domains/nosuch/shutdown?flags=guest-agent", None, "operator"),
    ("POST", "/domains/nosuch/reboot?flags=guest-agent", None, "operator"),
]


def guest(name, disk):
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<iothreads>1</iothreads><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{disk}'/>
<target dev='vda' bus='virtio'/><alias name='ua-disk'/></disk>
<interface type='user'><mac address='52:54:00:aa:bb:01'/><model type='virtio'/></interface>
<graphics type='vnc' port='-1' autoport='yes' passwd='{PASSWORD}'><listen type='address'
address='127.0.0.1'/></graphics></devices></domain>"""


class Guests:
    """One that runs and has a checkpoint, one with a snapshot, one saved, one shut off."""

    NAMES = ("rights", "rights-snap", "rights-saved", "rights-off")

    def __init__(self, conn, folder):
        self.doms = {}
        for name in self.NAMES:
            disk = f"{folder}/{name}.qcow2"
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "8M"], check=True)
            os.chmod(disk, 0o666)
            self.doms[name] = conn.defineXML(guest(name, disk))
            if name != "rights-off":
                self.doms[name].create()
        for point in ("c1", "c2"):
            self.doms["rights"].checkpointCreateXML(
                f"<domaincheckpoint><name>{point}</name></domaincheckpoint>")
        for point in ("s1", "s2"):
            self.doms["rights-snap"].snapshotCreateXML(
                f"<domainsnapshot><name>{point}</name></domainsnapshot>")
        self.doms["rights-saved"].managedSave()

    def remove(self):
        for dom in self.doms.values():
            if dom.isActive():
                dom.destroy()
            dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
                              libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                              libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)


class Operations:
    """Of openapi.yaml: (method, path, operation, its parameters with references resolved)."""

    def __init__(self):
        with open(ROOT / "openapi.yaml", encoding="utf-8") as f:
            self.document = yaml.load(f, Loader=yaml.CSafeLoader)

    def __iter__(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if isinstance(operation, dict) and "x-virtgate-access" in operation:
                    parameters = item.get("parameters", []) + operation.get("parameters", [])
                    yield (method.upper(), path, operation,
                           [resolve(self.document, p) for p in parameters])

    def words(self, schema):
        """The values that a schema names: of an enum, an array of one, a boolean."""
        schema = resolve(self.document, schema)
        if schema.get("type") == "boolean":
            return ["true", "false"]
        if "items" in schema:
            return self.words(schema["items"])
        for part in schema.get("allOf", []):
            if self.words(part):
                return self.words(part)
        return [str(w) for w in schema.get("enum", [])]


def fill(path, parameters, **own):
    for p in parameters:
        if p["in"] == "path":
            value = own.get(p["name"], str(p.get("example", "x")))
            path = path.replace("{" + p["name"] + "}", quote(value, safe=""))
    return path


def bearer(role):
    return {"Authorization": "Bearer " + role}


def is_forbidden(status, body):
    return status == 403 and FORBIDDEN in body


def check_roles(client, operations):
    """What is asked is of a guest that is not there, and says nothing in its body: whoever may
    gets another error, or nothing happens."""
    asked = 0
    for method, path, operation, parameters in operations:
        access = operation["x-virtgate-access"]
        target = fill(path, parameters, domain="nosuch")
        if path.endswith("/events") and "qemu" not in path:
            target += "?wait=0"
        name = operation["operationId"]
        for role in (None, *ROLES):
            status, _, body = client.send(method, target, headers=bearer(role) if role else {})
            if access == "public":
                check(status not in (401, 403), f"{name} is public", f"{role}: {status}")
            elif role is None:
                check(status == 401, f"{name} without a token", f"is {status}")
            else:
                refused = ROLES.index(role) < ROLES.index(access)
                check(is_forbidden(status, body) == refused and (refused or status != 403),
                      f"{name} needs {access}", f"{role}: {status} {body[:300]}")
            asked += 1
    check(asked > 600, "operations were asked", str(asked))


def check_arguments(client):
    for method, path, body, access in ARGUMENTS:
        for role in ROLES:
            status, _, answer = client.send(method, path, body, bearer(role))
            refused = ROLES.index(role) < ROLES.index(access)
            check(is_forbidden(status, answer) == refused, f"{method} {path} {body} needs {access}",
                  f"{role}: {status} {answer[:300]}")


# ---- a viewer beside libvirt's read-only socket ---------------------------------------------------

def vary(operations, client, target, parameters):
    """Queries: none, each value of each argument, and those with each `view`."""
    singles = {}
    for p in parameters:
        if p["in"] != "query" or p["name"] == "numbers":
            continue
        words = operations.words(p["schema"])
        if p["name"] == "flags":  # what this libvirt has may be more
            detail = client.get(f"{target}?flags=nosuch", bearer("admin"))[2]["detail"]
            words = sorted({*words, *detail.partition("accepted: ")[2].split(", ")} - {""})
            check(len(words) > 0, f"{target}: its flags are known", detail)
        for word in words:
            singles.setdefault(p["name"], []).append(f"{p['name']}={word}")
    yield ""
    for name, queries in singles.items():
        for query in queries:
            yield query
            if name != "view":
                for view in singles.get("view", []):
                    yield f"{view}&{query}"


GUESTS = {"{checkpoint}": "rights", "snapshot": "rights-snap", "managed-save": "rights-saved"}
# libvirt refuses to register for these events; the events of others are no error then.
SILENT = "object=qemu-monitor"


def check_viewer(client, read_only, operations):
    asked, refusals, shown = 0, set(), 0
    for method, path, operation, parameters in operations:
        if operation["x-virtgate-access"] != "viewer":
            continue
        guests = [n for part, n in GUESTS.items() if part in path] or ["rights", "rights-off"]
        for name in guests:
            target = fill(path, parameters, domain=name, snapshot="s1", checkpoint="c1",
                          disk="vda", device="52:54:00:aa:bb:01", alias="ua-disk",
                          iothread="1", host="default")
            needed = {p["name"] for p in parameters if p["in"] == "query"}
            queries = vary(operations, client, target, parameters)
            for query, accept in itertools.product(queries, ("application/json",
                                                             "application/xml")):
                if "/events" in path and "wait" in needed:
                    query += ("&" if query else "") + "wait=0"
                url = target + ("?" + query if query else "")
                body = b'{"domains":["rights"]}' if method == "POST" else None
                headers = {"Accept": accept} if "/events" not in path else {}
                mine = client.send(method, url, body, {**headers, **bearer("viewer")})
                theirs = read_only.send(method, url, body, headers)
                asked += 1
                check((mine[0] == 403) == (theirs[0] == 403 or SILENT in query),
                      f"{method} {url} as a viewer and on libvirt's read-only socket",
                      f"{mine[0]} and {theirs[0]} {theirs[2][:300]}")
                check(mine[0] != 403 or query, f"{method} {url} is a viewer's")
                check(PASSWORD.encode() not in mine[2], f"{method} {url} shows the password")
                refusals |= {query} if mine[0] == 403 else set()
                shown += mine[0] == 200
    status, _, body = read_only.send("GET", "/domains/rights/qemu/events?wait=0")
    check(status == 403, "QEMU's events on libvirt's read-only socket", f"{status} {body[:300]}")
    check(asked > 400 and shown > 200, "a viewer's reads were compared", f"{asked}, {shown}")
    for flag in ("flags=secure", "flags=migratable", "flags=guest", "source=agent"):
        check(flag in refusals, f"{flag} is among what both refuse", str(sorted(refusals)))


def check_passwords(client):
    for path in ("/domains/rights/xml?flags=secure", "/domains/rights/xml?flags=migratable",
                 "/domains/rights?view=config&flags=secure"):
        for role in ROLES:
            body = client.send("GET", path, headers=bearer(role))[2]
            check((PASSWORD.encode() in body) == (role == "admin"), f"{path} as {role}")


# ---- what else the roles keep ---------------------------------------------------------------------

def check_jobs(client, folder):
    """A backup is an admin's: an operator ends it by no path; who may not end it sees it."""
    backup = (f"<domainbackup mode='pull'><server transport='unix' socket='{folder}/nbd'/><disks>"
              f"<disk name='vda' backupmode='full'><scratch file='{folder}/scratch'/></disk>"
              "</disks></domainbackup>").encode()
    status, headers, body = client.send("POST", "/domains/rights/backup", backup,
                                        {**bearer("admin"), "Prefer": "respond-async"})
    check(status == 202, "a backup begins", f"{status} {body[:300]}")
    operation = headers["Location"]
    for path in (operation, "/domains/rights/job", "/domains/rights/disks/vda/job"):
        status, _, body = client.send("DELETE", path, headers=bearer("operator"))
        check(is_forbidden(status, body), f"DELETE {path} by an operator",
              f"{status} {body[:300]}")
    status, _, body = client.get(operation, bearer("viewer"))
    check(body["state"] == "running", "the backup goes on", str(body))
    status, _, body = client.send("DELETE", "/domains/rights/job", headers=bearer("admin"))
    check(status == 204, "an admin ends it", f"{status} {body[:300]}")
    for _ in range(1200):
        if client.get(operation, bearer("viewer"))[2]["state"] != "running":
            break
        time.sleep(0.05)
    status, _, body = client.send("DELETE", "/domains/rights/job", headers=bearer("operator"))
    check(status != 403, "an operator may abort what is no admin's", f"{status} {body[:300]}")


def check_resize(client):
    path = "/domains/rights-off/disks/vda/resize"
    client.send("POST", "/domains/rights-off/start", headers=bearer("admin"))

    def capacity():
        return client.get("/domains/rights-off/disks/vda", bearer("viewer"))[2]["capacityBytes"]

    def resize(body, expected, kept):
        status, _, answer = client.send("POST", path, body, bearer("admin"))
        check(status == expected, f"resize {body}", f"{status} {answer[:300]}")
        check(capacity() == kept, f"after resize {body}", str(capacity()))

    mib = 1 << 20
    resize(b'{"size":16777216}', 204, 16 * mib)
    resize(b'{"size":16777216}', 204, 16 * mib)
    resize(b'{"size":16776704}', 400, 16 * mib)
    resize(b'{"size":8388608,"shrink":false}', 400, 16 * mib)
    resize(b'{"size":8388608,"flags":["bytes"]}', 400, 16 * mib)
    resize(b'{"size":8388608,"shrink":true}', 204, 8 * mib)
    client.send("POST", "/domains/rights-off/destroy", headers=bearer("admin"))


def check_emulator(client, folder):
    """libvirt runs what it is given as an emulator; only what the host names gets there."""
    program = Path(folder, "program")
    program.write_text(f"#!/bin/sh\ntouch {folder}/ran\n", encoding="utf-8")
    os.chmod(program, 0o755)
    path = "/connection/domain-capabilities?emulator="
    for emulator in (str(program), "/bin/true", "/usr/bin/../bin/qemu-system-x86_64", "", "x"):
        status, _, body = client.get(path + quote(emulator, safe=""), bearer("admin"))
        check(status == 400 and "/usr/bin/qemu-system-x86_64" in body["detail"],
              f"emulator={emulator}", f"{status} {body}")
    check(not Path(folder, "ran").exists(), "the program is not run")
    status, _, body = client.send("GET", path + "/usr/bin/qemu-system-x86_64",
                                  headers=bearer("admin"))
    check(status == 200 and b"<domainCapabilities>" in body, "an emulator of the host",
          f"{status} {body[:300]}")


def write_tokens(folder):
    path = Path(folder, "tokens")
    path.write_text("".join(f"{r} {r} {hashlib.sha256(r.encode()).hexdigest()}\n" for r in ROLES),
                    encoding="utf-8")
    os.chmod(path, 0o600)
    return str(path)


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    if "VG_QEMU_URI" not in os.environ:
        print("VG_QEMU_URI is not set: run this by tests/run.sh qemu", file=sys.stderr)
        raise SystemExit(77)
    uri = os.environ["VG_QEMU_URI"]
    operations = Operations()
    with libvirt.open(uri) as conn, tempfile.TemporaryDirectory(prefix="vg-rights-") as folder:
        os.chmod(folder, 0o777)
        guests = Guests(conn, folder)
        gateway = Gateway(uri, "--token-file", write_tokens(folder))
        socket = Gateway(uri.replace("libvirt-sock", "libvirt-sock-ro"))
        try:
            client = Client(gateway.port)
            check_roles(client, operations)
            check_arguments(client)
            check_viewer(client, Client(socket.port), operations)
            check_passwords(client)
            check_jobs(client, folder)
            check_resize(client)
            check_emulator(client, folder)
        finally:
            gateway.stop()
            socket.stop()
            guests.remove()
    report()


if __name__ == "__main__":
    main()
