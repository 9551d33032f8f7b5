#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--pass-identity: a libvirtd that asks polkit, with rules of its own, and callers who are users of
this machine. Each may do what the rules say of that user, on connections that take turns."""
import hashlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
from gateway import Client, Gateway, WebSocket, check, report  # noqa: E402

DAEMON = str(ROOT / "tests/qemu/libvirtd.sh")
RULES = str(Path(__file__).with_name("identity.rules"))
NAMES = ("games", "mail", "news", "stranger", "root", "viewer")
# What libvirt itself refuses to a user of this machine whom the rules give nothing.
DENIED = ("/networks", "/storage-pools", "/storage-pools/p", "/storage-pools/p/volumes", "/interfaces",
          "/interfaces/lo", "/nwfilters", "/nwfilter-bindings", "/secrets", "/node-devices",
          "/node-devices/computer", "/node", "/node/memory", "/node/memory/stats", "/node/cpu-map",
          "/node/cpu-stats", "/node/cells/free-memory", "/node/security-model",
          "/connection/capabilities", "/connection/storage-pool-capabilities", "/connection/max-vcpus")
SEES = {"games": {"web"}, "mail": {"db"}}


def guest(name):
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><serial type='pty'/>
<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>""".encode()


class UnixClient(Client):
    def __init__(self, path):
        super().__init__(0)
        self.path = path

    def open(self):
        connection = http.client.HTTPConnection("localhost", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.path)
        return connection


def token(name):
    return {"Authorization": f"Bearer {name}"}


def names_of(client, who, path="/domains"):
    """The domains that one sees; the status where that is none."""
    status, headers, body = client.get(path, token(who))
    check(headers.get("X-Virtgate-Source") != "inventory", f"{path}: nothing from memory")
    return {d["name"] for d in body["domains"]} if status == 200 else status


def test_lists(client):
    for path in ("/domains", "/hosts/-/domains", "/domains?view=full"):
        for _ in range(3):
            for who, seen in SEES.items():
                found = names_of(client, who, path)
                check(found == seen, f"{who} {path}", found)
    for who in ("stranger", "root"):  # neither is a user that the rules know
        found = names_of(client, who)
        check(found == 403, f"{who} is nobody to libvirt", found)


def test_changes(client):
    for who, name, status in (("games", "web", 204), ("mail", "web", 403), ("games", "db", 403),
                              ("mail", "db", 204), ("root", "db", 403), ("stranger", "web", 403),
                              ("viewer", "web", 403)):
        for verb in ("start", "reset", "destroy"):
            got, _, body = client.send("POST", f"/domains/{name}/{verb}", headers=token(who))
            check(got == status, f"{who}: {verb} {name}", f"{got} {body[:300]}")
        got, _, body = client.send("GET", f"/domains/{name}/xml", headers=token(who))
        check(got == (200 if status == 204 else 403), f"{who}: document of {name}",
              f"{got} {body[:300]}")
    got, _, body = client.get("/domains/db", token("games"))
    check(got == 403 and body["error"]["codeName"] == "VIR_ERR_ACCESS_DENIED",
          "it is libvirt that says no", body)


def test_denied(client):
    for path in DENIED:
        status, _, body = client.get(path, token("news"))
        check(status == 403 and body["error"]["codeName"] == "VIR_ERR_ACCESS_DENIED",
              f"{path} for whom libvirt gives nothing", f"{status} {body}")
    for path, items in (("/storage-pools", "storagePools"), ("/networks", "networks")):
        status, _, body = client.get(path, token("mail"))
        check(status == 200 and body[items] == [], f"{path}: none that one may see", body)


def test_console(gateway, client):
    """It has a connection of its own."""
    check(client.send("POST", "/domains/web/start", headers=token("games"))[0] == 204, "it runs")
    for who, status in (("games", 101), ("mail", 403), ("games", 101)):
        ws = WebSocket(gateway.port, "/domains/web/console?force=true", token(who), timeout=60)
        check(ws.status == status, f"{who} at web's console", f"{ws.status} {ws.body}")
        ws.close()
    client.send("POST", "/domains/web/destroy", headers=token("games"))


def test_content(client):
    """Bytes of volumes go by connections of another kind."""
    for who, status in (("games", 200), ("mail", 403), ("games", 200)):
        got, _, body = client.send("GET", "/storage-pools/p/volumes/v/content",
                                   headers=token(who))
        check(got == status and (got != 200 or body == b"v" * 5000), f"{who} reads v",
              f"{got} {body[:300]}")


def test_turns(gateway):
    """Many at a time, on the same few connections."""
    wrong = []

    def ask(who):
        client = Client(gateway.port)
        other = "db" if who == "games" else "web"
        for i in range(40):
            found = names_of(client, who, f"/domains?limit={i + 2}")
            if found != SEES[who]:
                wrong.append((who, found))
            status = client.send("GET", f"/domains/{other}", headers=token(who))[0]
            if status != 403:
                wrong.append((who, other, status))

    threads = [threading.Thread(target=ask, args=(who,)) for who in SEES for _ in range(5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(not wrong, "nobody has another's connection", wrong[:5])


def test_same(gateway):
    """The same question at the same time: each has an answer of one's own."""
    wrong = []
    gate = threading.Barrier(10)

    def ask(who):
        client = Client(gateway.port)
        for _ in range(20):
            gate.wait(60)
            found = names_of(client, who)
            if found != SEES[who]:
                wrong.append((who, found))

    threads = [threading.Thread(target=ask, args=(who,)) for who in SEES for _ in range(5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(not wrong, "no answer is shared", wrong[:5])


def test_socket(path):
    """The gateway's own user, by a unix socket: root is who root is."""
    client = UnixClient(path)
    status, _, body = client.get("/domains")
    check(status == 200 and {d["name"] for d in body["domains"]} == {"web", "db"},
          "root sees both", body)


def prepare(uri, folder):
    """By the gateway itself, which root is."""
    gateway = Gateway(uri)
    client = Client(gateway.port)
    for name in ("web", "db"):
        status, _, body = client.send("POST", "/domains", guest(name))
        check(status == 201, f"define {name}", body)
    Path(folder, "pool").mkdir()
    pool = f"<pool type='dir'><name>p</name><target><path>{folder}/pool</path></target></pool>"
    check(client.send("POST", "/storage-pools", pool.encode())[0] == 201, "a pool")
    check(client.send("POST", "/storage-pools/p/start")[0] == 204, "it is started")
    status, _, body = client.send("POST", "/storage-pools/p/volumes?name=v", b"v" * 5000,
                                  {"Content-Type": "application/octet-stream"})
    check(status == 201, "a volume", body)
    gateway.stop()


def test_options(folder):
    told = subprocess.run([os.environ.get("VIRTGATE_BIN", "build/virtgate"), "--check-config",
                           "--pass-identity"], capture_output=True, text=True, check=False)
    check(told.returncode != 0 and "nobody has a name here" in told.stderr,
          "names are needed", told.stderr)
    # of a driver in the gateway's own process there is nobody to tell
    gateway = Gateway("test:///default", "--pass-identity", "--token-file", f"{folder}/tokens")
    found = names_of(Client(gateway.port), "viewer")
    check(found == {"test"}, "the test driver has no access control", found)
    check(Client(gateway.port).get("/domains")[0] == 401, "nobody without a name")
    gateway.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="vg-ident.") as folder:
        os.chmod(folder, 0o755)
        os.environ.update(VG_LIBVIRTD_DIR=f"{folder}/d", VG_LIBVIRTD_POLKIT=RULES)
        os.environ.pop("VG_QEMU_URI", None)
        tokens = Path(folder, "tokens")
        tokens.touch(mode=0o600)
        tokens.write_text("".join(
            f"{n} {'viewer' if n == 'viewer' else 'admin'} {hashlib.sha256(n.encode()).hexdigest()}\n"
            for n in NAMES), encoding="ascii")
        test_options(folder)
        uri = subprocess.run([DAEMON, "start"], stdout=subprocess.PIPE, text=True,
                             check=True).stdout.strip()
        try:
            prepare(uri, folder)
            gateway = Gateway(uri, "--pass-identity", "--token-file", str(tokens), "--listen",
                              f"unix:{folder}/socket", "--unix-role", "uid:0=admin")
            client = Client(gateway.port)
            test_lists(client)
            test_changes(client)
            test_denied(client)
            test_console(gateway, client)
            test_content(client)
            test_turns(gateway)
            test_same(gateway)
            test_socket(f"{folder}/socket")
            test_lists(client)
            gateway.stop()
        finally:
            subprocess.run([DAEMON, "stop"], check=False)
    report()


main()
