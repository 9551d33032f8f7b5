#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--consoles-per-token at its edge, on a guest with consoles and a display: one more is a 429, a
refused one takes no place, and a place is free again as soon as a console has ended. Also over TLS,
where there are WebSockets (libmicrohttpd 1.0)."""
import hashlib
import http.client
import os
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, WebSocket, check, libmicrohttpd, report  # noqa: E402

GUEST = b"""<domain type='qemu'><name>limits</name><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<controller type='usb' model='none'/><memballoon model='none'/>
<serial type='pty'><target port='0'/></serial><serial type='pty'><target port='1'/></serial>
<graphics type='vnc' autoport='yes' listen='127.0.0.1'/><video><model type='vga'/></video>
</devices></domain>"""
CONSOLE, SECOND, DISPLAY = (f"/domains/limits/{p}" for p in (
    "console", "console?device=serial1", "graphics/0"))


MAKE = r"""
cd "$1"; exec 2>openssl.log
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gateway \
  -addext subjectAltName=IP:127.0.0.1 -keyout tls.key -out tls.crt; chmod 600 tls.key
"""


class TlsClient(Client):
    def __init__(self, port, context):
        super().__init__(port)
        self.context = context

    def open(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=self.timeout,
                                           context=self.context)


class TlsGateway(Gateway):
    def is_ready(self):
        return True


def token(name):
    return {"Authorization": f"Bearer {name}"}


def opened(place, path, who="one"):
    ws = WebSocket(place.port, path, token(who), 60, place.context)
    check(ws.status == 101, f"{who} opens {path}", f"{ws.status} {ws.body}")
    return ws


def full(place, path, who="one"):
    """One too many: what the client is told."""
    ws = WebSocket(place.port, path, token(who), 60, place.context)
    check(ws.status == 429 and ws.body["type"].endswith(":rate-limited"), f"{path} is one too many",
          f"{ws.status} {ws.body}")
    check(int(ws.headers.get("retry-after", 0)) > 0, "it says when to try again", ws.headers)
    ws.close()


def soon(place, path, who="one"):
    """A place that was given back: the gateway learns of it when the connection ends, and libvirt
    of a console's end a moment later."""
    end = time.time() + 60
    while True:
        ws = WebSocket(place.port, path, token(who), 60, place.context)
        if ws.status not in (409, 429) or time.time() > end:
            check(ws.status == 101, f"{path} opens again", f"{ws.status} {ws.body}")
            return ws
        ws.close()
        time.sleep(0.02)


def test_edge(place):
    first, display = opened(place, CONSOLE), opened(place, DISPLAY)
    for path in (SECOND, CONSOLE + "?force=true", DISPLAY, "/domains/nosuch/console"):
        full(place, path)
    check(display.read_until(b"RFB 003.008\n") == b"RFB 003.008\n", "those that are open go on")
    other = opened(place, SECOND, "two")
    other.send(b"\x03\xe8", 8)  # the closing handshake
    check(other.end() == 1000, "it is closed", other.code)
    other.close()
    # one that went without a word
    first.close()
    again = soon(place, SECOND)
    full(place, CONSOLE)
    # one that was closed as it should be
    again.send(b"\x03\xe8", 8)
    check(again.end() == 1000, "it is closed", again.code)
    again.close()
    soon(place, CONSOLE).close()
    display.close()


def test_refused(place):
    """What is refused takes no place."""
    for _ in range(5):
        ws = WebSocket(place.port, "/domains/nosuch/console", token("two"), 60, place.context)
        check(ws.status == 404, "there is no such guest", ws.status)
        ws.close()
        ws = WebSocket(place.port, "/domains/limits/console?device=nosuch", token("two"), 60,
                       place.context)
        check(400 <= ws.status < 500 and ws.status != 429, "nor such a device", ws.status)
        ws.close()
    sockets = [soon(place, path, "two") for path in (CONSOLE, DISPLAY)]
    full(place, SECOND, "two")
    for ws in sockets:
        ws.close()


def test_guest_ends(place):
    """A guest that ends gives all places of its consoles back."""
    sockets = [soon(place, path) for path in (CONSOLE, DISPLAY)]
    full(place, SECOND)
    check(place.send("POST", "/domains/limits/destroy", headers=token("one"))[0] == 204, "off")
    for ws in sockets:
        check(ws.end(30) is not None, "its consoles end", ws.code)
        ws.close()
    check(place.send("POST", "/domains/limits/start", headers=token("one"))[0] == 204, "and on")
    sockets = [soon(place, path) for path in (CONSOLE, DISPLAY)]
    full(place, SECOND)
    for ws in sockets:
        ws.close()


def test_gateway(folder, tls):
    options = ["--token-file", f"{folder}/tokens", "--consoles-per-token", "2"]
    if tls:
        context = ssl.create_default_context(cafile=f"{folder}/tls.crt")
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        gateway = TlsGateway(os.environ["VG_QEMU_URI"], *options, "--tls-cert",
                             f"{folder}/tls.crt", "--tls-key", f"{folder}/tls.key")
        place = TlsClient(gateway.port, context)
    else:
        gateway = Gateway(os.environ["VG_QEMU_URI"], *options)
        place = Client(gateway.port)
        place.context = None
    status, _, body = place.send("POST", "/domains", GUEST, token("one"))
    check(status == 201, "a guest", body)
    check(place.send("POST", "/domains/limits/start", headers=token("one"))[0] == 204,
          "which runs")
    try:
        test_edge(place)
        test_refused(place)
        test_guest_ends(place)
    finally:
        place.send("POST", "/domains/limits/destroy", headers=token("one"))
        place.send("DELETE", "/domains/limits", headers=token("one"))
    gateway.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="vg-consoles-") as folder:
        tokens = Path(folder, "tokens")
        tokens.touch(mode=0o600)
        tokens.write_text("".join(f"{n} admin {hashlib.sha256(n.encode()).hexdigest()}\n"
                                  for n in ("one", "two")), encoding="ascii")
        check(subprocess.run(["bash", "-ec", MAKE, "sh", folder], check=False).returncode == 0,
              "a certificate is made")
        for tls in (False, True):
            if not tls or libmicrohttpd() >= (1, 0):
                test_gateway(folder, tls)
    report()


main()
