#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--consoles-per-token at its edge, on a guest with consoles and a display: one more is a 429, a
refused one takes no place, and a place is free again as soon as a console has ended."""
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, WebSocket, check, report  # noqa: E402

GUEST = b"""<domain type='qemu'><name>limits</name><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<controller type='usb' model='none'/><memballoon model='none'/>
<serial type='pty'><target port='0'/></serial><serial type='pty'><target port='1'/></serial>
<graphics type='vnc' autoport='yes' listen='127.0.0.1'/><video><model type='vga'/></video>
</devices></domain>"""
CONSOLE, SECOND, DISPLAY = (f"/domains/limits/{p}" for p in (
    "console", "console?device=serial1", "graphics/0"))


def token(name):
    return {"Authorization": f"Bearer {name}"}


def opened(port, path, who="one"):
    ws = WebSocket(port, path, token(who), timeout=60)
    check(ws.status == 101, f"{who} opens {path}", f"{ws.status} {ws.body}")
    return ws


def full(port, path, who="one"):
    """One too many: what the client is told."""
    ws = WebSocket(port, path, token(who), timeout=60)
    check(ws.status == 429 and ws.body["type"].endswith(":rate-limited"), f"{path} is one too many",
          f"{ws.status} {ws.body}")
    check(int(ws.headers.get("retry-after", 0)) > 0, "it says when to try again", ws.headers)
    ws.close()


def soon(port, path, who="one"):
    """A place that was given back: the gateway learns of it when the connection ends."""
    end = time.time() + 10
    while True:
        ws = WebSocket(port, path, token(who), timeout=60)
        if ws.status != 429 or time.time() > end:
            check(ws.status == 101, f"{path} opens again", f"{ws.status} {ws.body}")
            return ws
        ws.close()
        time.sleep(0.02)


def test_edge(port):
    first, display = opened(port, CONSOLE), opened(port, DISPLAY)
    for path in (SECOND, CONSOLE + "?force=true", DISPLAY, "/domains/nosuch/console"):
        full(port, path)
    check(display.read_until(b"RFB 003.008\n") == b"RFB 003.008\n", "those that are open go on")
    other = opened(port, SECOND, "two")
    other.send(b"\x03\xe8", 8)  # the closing handshake
    check(other.end() == 1000, "it is closed", other.code)
    other.close()
    # one that went without a word
    first.close()
    again = soon(port, SECOND)
    full(port, CONSOLE)
    # one that was closed as it should be
    again.send(b"\x03\xe8", 8)
    check(again.end() == 1000, "it is closed", again.code)
    again.close()
    soon(port, CONSOLE).close()
    display.close()


def test_refused(port):
    """What is refused takes no place."""
    for _ in range(5):
        ws = WebSocket(port, "/domains/nosuch/console", token("two"))
        check(ws.status == 404, "there is no such guest", ws.status)
        ws.close()
        ws = WebSocket(port, "/domains/limits/console?device=nosuch", token("two"))
        check(400 <= ws.status < 500 and ws.status != 429, "nor such a device", ws.status)
        ws.close()
    sockets = [soon(port, path, "two") for path in (CONSOLE, DISPLAY)]
    full(port, SECOND, "two")
    for ws in sockets:
        ws.close()


def test_guest_ends(client):
    """A guest that ends gives all places of its consoles back."""
    sockets = [soon(client.port, path) for path in (CONSOLE, DISPLAY)]
    full(client.port, SECOND)
    check(client.send("POST", "/domains/limits/destroy", headers=token("one"))[0] == 204, "off")
    for ws in sockets:
        check(ws.end(30) is not None, "its consoles end", ws.code)
        ws.close()
    check(client.send("POST", "/domains/limits/start", headers=token("one"))[0] == 204, "and on")
    sockets = [soon(client.port, path) for path in (CONSOLE, DISPLAY)]
    full(client.port, SECOND)
    for ws in sockets:
        ws.close()


def main():
    with tempfile.TemporaryDirectory(prefix="vg-consoles-") as folder:
        tokens = Path(folder, "tokens")
        tokens.touch(mode=0o600)
        tokens.write_text("".join(f"{n} admin {hashlib.sha256(n.encode()).hexdigest()}\n"
                                  for n in ("one", "two")), encoding="ascii")
        gateway = Gateway(os.environ["VG_QEMU_URI"], "--token-file", str(tokens),
                          "--consoles-per-token", "2")
        client = Client(gateway.port)
        status, _, body = client.send("POST", "/domains", GUEST, token("one"))
        check(status == 201, "a guest", body)
        check(client.send("POST", "/domains/limits/start", headers=token("one"))[0] == 204,
              "which runs")
        try:
            test_edge(gateway.port)
            test_refused(gateway.port)
            test_guest_ends(client)
        finally:
            client.send("POST", "/domains/limits/destroy", headers=token("one"))
            client.send("DELETE", "/domains/limits", headers=token("one"))
        gateway.stop()
    report()


main()
