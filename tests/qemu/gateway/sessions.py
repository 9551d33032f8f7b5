#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Consoles, displays and waits for operations end with their token; another token's go on. Who has
which open, who is told that it is taken over or ended. Event streams, polls and how a token can end:
tests/api/http/sessions.py."""
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, WebSocket, check, record, report  # noqa: E402

PATIENCE = 60
GUEST = "/domains/session"
ROLES = {"see": "viewer", "out": "admin domains=other-*"}
BACKUP = """<domainbackup mode='pull'><server transport='unix' socket='{0}/nbd'/><disks>
<disk name='vda' type='file'><scratch file='{0}/scratch'/></disk></disks></domainbackup>"""


def guest(folder):
    return f"""<domain type='qemu'><name>session</name><memory unit='MiB'>32</memory>
<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
<source file='{folder}/disk'/><target dev='vda' bus='virtio'/></disk>
<controller type='usb' model='none'/><memballoon model='none'/>
<serial type='pty'/><serial type='pty'><target port='1'/></serial><console type='pty'/>
<graphics type='vnc' autoport='yes' listen='127.0.0.1'/><video><model type='vga'/></video>
</devices></domain>""".encode()


def write(path, *names):
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as f:
        for name in names:
            role = ROLES.get(name, "admin")
            f.write(f"{name} {role.split()[0]} {hashlib.sha256(name.encode()).hexdigest()} "
                    f"{' '.join(role.split()[1:])}\n")
    os.rename(path + ".new", path)


def bearer(name):
    return {"Authorization": f"Bearer {name}"}


class Wait(threading.Thread):
    """For an operation's end."""

    def __init__(self, port, operation, token):
        super().__init__(daemon=True)
        self.args, self.answer = (Client(port), operation, token), None
        self.start()

    def run(self):
        client, operation, token = self.args
        self.answer = client.get(f"{operation}?wait=80", bearer(token))


def expect_closed(socket, what):
    check(socket.end(PATIENCE) == 1008 and socket.reason == "The token is no longer valid",
          f"{what} is closed with the token", f"{socket.code} {socket.reason}")
    socket.close()


def test(gateway, path, operation):
    port = gateway.port
    sockets = {name: WebSocket(port, f"{GUEST}/{name}", bearer("go"), PATIENCE)
               for name in ("console?device=serial0", "graphics/0")}
    other = WebSocket(port, f"{GUEST}/console?device=serial1", bearer("keep"), PATIENCE)
    for name, socket in (*sockets.items(), ("another console", other)):
        check(socket.status == 101, f"{name} opens", f"{socket.status} {socket.body}")
    going, staying = Wait(port, operation, "go"), Wait(port, operation, "keep")
    time.sleep(1)
    write(path, "keep")
    for name, socket in sockets.items():
        expect_closed(socket, name)
    going.join(PATIENCE)
    check(going.answer and going.answer[0] == 401, "a wait is answered 401", going.answer)
    check(staying.is_alive(), "another token's goes on", staying.answer)
    other.send(b"still there?", 9)
    check(other.frame()[0] in (2, 10), "and so does its console")
    again = WebSocket(port, f"{GUEST}/console?device=serial0", bearer("go"))
    check(again.status == 401, "it cannot be opened again", again.status)
    for _ in range(600):
        again = WebSocket(port, f"{GUEST}/console?device=serial0", bearer("keep"))
        if again.status == 101:
            break
        time.sleep(0.1)
    check(again.status == 101, "the console is free again", again.status)
    status = Client(port).send("DELETE", operation, headers=bearer("keep"))[0]
    check(status in (200, 202, 204), "the operation is ended", status)
    staying.join(PATIENCE)
    check(staying.answer and staying.answer[0] == 200, "who waits is told", staying.answer)
    other.close()
    again.close()


def listed(client, query="", token="keep"):
    status, head, body = client.get(f"/sessions{query}", bearer(token))
    record("GET", f"/sessions{query}", status, dict(head), body)
    check(status == 200, f"/sessions{query}", body)
    return body["sessions"]


def expect_end(socket, code, reason, what):
    check(socket.end(PATIENCE) == code and socket.reason == reason, what,
          f"{socket.code} {socket.reason}")
    socket.close()


def test_register(gateway):
    """Who has what open; in use, taken over, ended."""
    port, client = gateway.port, Client(gateway.port)
    check(listed(client) == [], "nothing is open")
    console = WebSocket(port, f"{GUEST}/console", bearer("go"), PATIENCE)
    display = WebSocket(port, f"{GUEST}/graphics/0", bearer("keep"), PATIENCE)
    sessions = listed(client)
    check([(s["kind"], s["principal"], s["device"], s["path"]) for s in sessions] ==
          [("console", "go", None, f"{GUEST}/console"),
           ("display", "keep", "0", f"{GUEST}/graphics/0")], "both are listed", sessions)
    check(all(s["domain"]["name"] == "session" and s["host"] == "default" for s in sessions),
          "with their guest", sessions)
    for query, n in (("?domain=session", 2), (f"?domain={sessions[0]['domain']['uuid']}", 2),
                     ("?domain=other", 0), ("?kind=display", 1), ("?kind=console,channel", 1),
                     ("?principal=keep", 1), ("?kind=transfer", 0)):
        check(len(listed(client, query)) == n, f"{query}: {n}", listed(client, query))
    one = client.get(f"/sessions/{sessions[0]['id']}", bearer("keep"))
    check(one[0] == 200 and one[2] == sessions[0], "one of them", one)
    record("GET", f"/sessions/{sessions[0]['id']}", one[0], dict(one[1]), one[2])
    refused = WebSocket(port, f"{GUEST}/console", bearer("keep"))
    check(refused.status == 409 and refused.body["holder"] == "go", "in use, and by whom",
          refused.body)
    expect_end(WebSocket(port, f"{GUEST}/console?refuse=close", bearer("keep")), 4409,
               "in use by go", "a browser is told so")
    second = WebSocket(port, f"{GUEST}/console?force=true", bearer("keep"), PATIENCE)
    check(second.status == 101, "it is taken over", second.status)
    expect_end(console, 4001, "taken over by keep", "who had it is told")
    for _ in range(600):
        consoles = listed(client, "?kind=console")
        if len(consoles) == 1:
            break
        time.sleep(0.1)
    path = f"/sessions/{consoles[0]['id']}"
    for who, status in (("see", 403), ("out", 404)):
        got = client.send("DELETE", path, headers=bearer(who))
        check(got[0] == status, f"it is not ended by '{who}'", got)
        check(len(listed(client, token=who)) == (2 if who == "see" else 0), f"what '{who}' sees")
    for method in ("DELETE", "GET"):
        got = client.send(method, "/sessions/1-1", headers=bearer("go"))
        check(got[0] == 404, f"{method}: there is no such session", got)
    got = client.send("DELETE", path, headers=bearer("go"))
    check(got[0] == 204, "it is ended", got)
    record("DELETE", path, got[0], dict(got[1]), None)
    expect_end(second, 4002, "ended by go", "and told by whom")
    got = client.send("DELETE", f"/sessions/{sessions[1]['id']}", headers=bearer("go"))
    check(got[0] == 204, "the display, too", got)
    expect_end(display, 4002, "ended by go", "it is told likewise")
    for _ in range(600):  # a client is told before its session is over
        sessions = listed(client)
        if not sessions:
            break
        time.sleep(0.1)
    check(sessions == [], "nothing is open any more", sessions)


def main():
    uri = os.environ.get("VG_QEMU_URI")
    if not uri:
        print("no libvirtd: run it by tests/run.sh")
        raise SystemExit(77)
    with tempfile.TemporaryDirectory(prefix="vg-sessions-") as folder:
        os.chmod(folder, 0o777)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{folder}/disk", "16M"],
                       check=True)
        os.chmod(f"{folder}/disk", 0o666)
        path = f"{folder}/tokens"
        write(path, "keep", "go", "see", "out")
        gateway = Gateway(uri, "--token-file", path)
        client = Client(gateway.port)
        status, _, body = client.send("POST", "/domains", guest(folder), bearer("keep"))
        check(status == 201, "a guest is defined", body)
        status, _, body = client.send("POST", GUEST + "/start", headers=bearer("keep"))
        check(status == 204, "and started", body)
        test_register(gateway)
        status, headers, body = client.send("POST", GUEST + "/backup",
                                            BACKUP.format(folder).encode(), bearer("keep"))
        check(status == 202, "a backup goes on until it is ended", f"{status} {body}")
        test(gateway, path, headers["Location"])
        check(json.loads(body)["kind"] == "beginBackup", "it was one", body)
        client.send("POST", GUEST + "/destroy", headers=bearer("keep"))
        client.send("DELETE", GUEST, headers=bearer("keep"))
        gateway.stop()
    report()


main()
