#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Consoles, channels and graphics of real guests through WebSockets: a shell on the serial
console, an echo on a channel, VNC's greeting; and how each of them ends."""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, WebSocket, check, report  # noqa: E402

DAEMON = str(Path(__file__).parents[1] / "libvirtd.sh")
IMAGE = str(Path(__file__).parents[1] / "agent_image.sh")
GUEST = "/domains/shell"


def guest(name, folder, more=""):
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>96</memory>
<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type>
<kernel>{folder}/vmlinuz</kernel><initrd>{folder}/initrd</initrd>
<cmdline>quiet console=ttyS0 rdinit=/bin/sh</cmdline></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<controller type='usb' model='none'/><memballoon model='none'/>
<serial type='pty'/><console type='pty'/>{more}</devices></domain>""".encode()


DEVICES = """<channel type='unix'><target type='virtio' name='org.virtgate.echo'/></channel>
<graphics type='vnc' autoport='yes' listen='127.0.0.1'/><video><model type='vga'/></video>"""


def problem(client, path, status, slug, headers=None):
    """A WebSocket that is refused: its status and the tail of the problem's type."""
    socket = WebSocket(client.port, path, headers)
    body = socket.body or {}
    socket.close()
    check(socket.status == status and body.get("type", "").endswith(slug),
          f"{path} is refused: {status} {slug}", f"{socket.status} {body}")
    return body


def run(socket, command, want, seconds=60):
    """Types a command; what the shell says up to `want`."""
    socket.send(command.encode() + b"\n")
    return socket.read_until(want, seconds)


def test_shell(gateway):
    console = WebSocket(gateway.port, GUEST + "/console",
                        {"Sec-WebSocket-Protocol": "chat, binary"})
    check(console.status == 101, "the console opens", console.status)
    check(console.headers.get("sec-websocket-protocol") == "binary", "binary is agreed to")
    console.send(b"\n")  # it may have shown its prompt before
    check(b"# " in console.read_until(b"# ", 120), "the shell's prompt")
    check(b"=42=" in run(console, "echo =$((6*7))=", b"=42="), "a command's answer")
    problem(Client(gateway.port), GUEST + "/console", 409, "VIR_ERR_OPERATION_FAILED")
    second = WebSocket(gateway.port, GUEST + "/console?force=true")
    check(second.status == 101, "force takes the console over", second.status)
    check(console.end() == 4001 and console.reason == "taken over", "who had it is told",
          f"{console.code} {console.reason}")
    check(b"=56=" in run(second, "echo =$((7*8))=", b"=56="), "the other one has it")
    second.send("echo =$((9*9))=\n".encode(), 1)
    check(b"=81=" in second.read_until(b"=81="), "text messages are typed, too")
    second.send(b"", 8)
    check(second.end() == 1005, "the client's close is answered", second.code)
    again = until_open(gateway, GUEST + "/console?device=serial0")
    check(b"=72=" in run(again, "echo =$((8*9))=", b"=72="), "and it is free again")
    return again


def until_open(gateway, path, seconds=60):
    end = time.time() + seconds
    while True:
        socket = WebSocket(gateway.port, path)
        if socket.status == 101 or time.time() > end:
            check(socket.status == 101, f"{path} opens", socket.status)
            return socket
        socket.close()
        time.sleep(0.1)


def test_channel(gateway, console):
    for command in ("mount -t devtmpfs dev /dev", "mount -t sysfs sys /sys"):
        console.send(command.encode() + b"\n")
    modules = "virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci " \
              "virtio_console"
    got = run(console, f"for m in {modules}; do insmod /lib/modules/$m.ko; done; "
              "ls /dev/vport*; echo =rea''dy=", b"=ready=")
    check(b"=ready=" in got, "modules are loaded", got[-300:])
    channel = WebSocket(gateway.port, GUEST + "/channels/org.virtgate.echo")
    check(channel.status == 101, "the channel opens", channel.status)
    console.send(b"p=$(ls /dev/vport* | head -n 1); cat <>$p >&0 &\n")
    every = bytes(range(256)) * 16
    channel.send(every)
    check(channel.read_until(every, 30) == every, "all bytes come back as they are")
    problem(Client(gateway.port), GUEST + "/channels/org.virtgate.echo", 409,
            "VIR_ERR_OPERATION_FAILED")
    channel.close()
    until_open(gateway, GUEST + "/channels/org.virtgate.echo?flags=force").close()


def test_graphics(gateway):
    screen = WebSocket(gateway.port, GUEST + "/graphics/0?flags=skipauth")
    check(screen.status == 101, "the display opens", screen.status)
    check(screen.read_until(b"\n") == b"RFB 003.008\n", "VNC greets")
    screen.send(b"RFB 003.008\n")
    check(screen.read_until(b"\x01\x01") == b"\x01\x01", "and goes on: no password")
    screen.close()


def told(gateway, path, code, reason):
    """What a page's script reads of a refusal."""
    socket = WebSocket(gateway.port, path + "?refuse=close")
    check(socket.end() == code and socket.reason.startswith(reason), f"{path} is {code}",
          f"{socket.code} {socket.reason}")
    socket.close()


def test_refused(gateway, client):
    told(gateway, "/domains/off/console", 4409,
         "Requested operation is not valid: domain is not running")
    told(gateway, GUEST + "/graphics/9", 4404, "The domain has no display '9'")
    problem(client, "/domains/off/console", 409, "VIR_ERR_OPERATION_INVALID")
    problem(client, "/domains/off/channels/x", 404, "VIR_ERR_OPERATION_INVALID")
    problem(client, "/domains/off/graphics/0", 404, "VIR_ERR_OPERATION_INVALID")
    problem(client, "/domains/nosuch/console", 404, "VIR_ERR_NO_DOMAIN")
    for path in ("/console?device=nosuch", "/channels/nosuch", "/graphics/7"):
        body = problem(client, GUEST + path, 404, "VIR_ERR_INTERNAL_ERROR")
        check("error" in body, "libvirt's own error", body)
    problem(client, GUEST + "/graphics/x", 400, "invalid-value")
    problem(client, GUEST + "/console?force=perhaps", 400, "invalid-value")
    problem(client, GUEST + "/console?flags=nosuch", 400, "unknown-flag")
    problem(client, GUEST + "/channels/x?device=y", 400, "unknown-key")
    for path in ("console", "channels/x", "graphics/0"):
        status, headers, body = client.get(f"{GUEST}/{path}")
        check(status == 426 and headers["Upgrade"] == "websocket" and
              body["type"] == "urn:virtgate:error:upgrade-required",
              f"{path} without an upgrade is 426", f"{status} {body}")


def resident_kib(gateway):
    text = Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="utf-8")
    return int(text.split("VmRSS:")[1].split()[0])


def test_slow(gateway, console):
    """Who reads nothing costs a bounded amount of memory, and hinders nobody."""
    before = resident_kib(gateway)
    console.send(b"while true; do cat /bin/busybox /bin/busybox; done &\n")
    time.sleep(6)
    check(resident_kib(gateway) - before < 16384, "a slow reader is bounded",
          resident_kib(gateway) - before)
    check(Client(gateway.port).get(GUEST)[0] == 200, "others are served meanwhile")
    console.close()


def test_limit(gateway):
    """--consoles 2."""
    one = until_open(gateway, GUEST + "/console?force=true")
    two = until_open(gateway, GUEST + "/graphics/0")
    body = problem(Client(gateway.port), GUEST + "/graphics/0", 503, "overloaded")
    check(body.get("retryable") is True, "which may be tried again", body)
    two.close()
    until_open(gateway, GUEST + "/graphics/0").close()
    one.close()


def test_daemon_killed(gateway):
    console = until_open(gateway, GUEST + "/console?force=true")
    subprocess.run([DAEMON, "kill"], check=True)
    check(console.end() == 1011 and console.reason, "a dead host ends its consoles",
          f"{console.code} {console.reason}")
    subprocess.run([DAEMON, "up"], check=True)
    for _ in range(600):
        if Client(gateway.port).get(GUEST)[0] == 200:
            break
        time.sleep(0.1)
    until_open(gateway, GUEST + "/console?force=true").close()


def test_end_of_guest(gateway, client):
    console = until_open(gateway, GUEST + "/console?force=true")
    client.send("POST", GUEST + "/destroy", b"{}")
    check(console.end() in (1000, 1011), "the guest's end is the console's", console.code)


def test_stop(gateway):
    console = until_open(gateway, GUEST + "/console?force=true")
    screen = until_open(gateway, GUEST + "/graphics/0")
    gateway.process.terminate()
    check(console.end() == 1001, "the console is told that the gateway stops", console.code)
    check(screen.end() == 1001, "the display, too", screen.code)
    gateway.stop()


def main():
    uri = os.environ.get("VG_QEMU_URI")
    if not uri:
        print("no libvirtd: run it by tests/run.sh")
        raise SystemExit(77)
    with tempfile.TemporaryDirectory(prefix="vg-console-") as folder:
        os.chmod(folder, 0o755)
        if subprocess.run([IMAGE, folder], check=False).returncode:
            print("no packages for the guest: its consoles are not tested")
            raise SystemExit(77)
        # test_slow() looks at its memory: no freed blocks in AddressSanitizer's quarantine
        os.environ["ASAN_OPTIONS"] = f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb=1"
        gateway = Gateway(uri, "--consoles", "4")
        client = Client(gateway.port)
        client.send("POST", "/domains", guest("off", folder))
        status, _, body = client.send("POST", "/domains", guest("shell", folder, DEVICES))
        check(status == 201, "the guest is defined", body)
        client.send("POST", GUEST + "/start", b"{}")
        test_refused(gateway, client)
        console = test_shell(gateway)
        test_channel(gateway, console)
        test_graphics(gateway)
        test_slow(gateway, console)
        gateway.stop()
        with open(gateway.log.name, encoding="utf-8") as f:
            log = f.read()
        check("opened" in log and "closed" in log and "kind=console" in log,
              "opening and closing are on record", log[-2000:])
        gateway = Gateway(uri, "--consoles", "2")
        test_limit(gateway)
        test_daemon_killed(gateway)
        test_stop(gateway)
        gateway = Gateway(uri)
        client = Client(gateway.port)
        test_end_of_guest(gateway, client)
        for name in ("off", "shell"):
            client.send("DELETE", f"/domains/{name}")
        gateway.stop()
    report()


main()
