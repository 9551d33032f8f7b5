#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""RFC 6455 on the wire: the handshake, the frames of the event stream, how it ends."""
import json
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, WebSocket, check, report  # noqa: E402

EVENTS = "/events?object=domain"


def test_handshake(port):
    socket = WebSocket(port, EVENTS)
    check(socket.status == 101, "an upgrade is answered 101", socket.status)
    check(socket.headers.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
          "the accept of RFC 6455's own key", socket.headers)
    socket.close()
    for field, value, status in (("Sec-WebSocket-Version", "8", 426),
                                 ("Sec-WebSocket-Version", None, 426),
                                 ("Sec-WebSocket-Key", "short", 400),
                                 ("Sec-WebSocket-Key", None, 400),
                                 ("Connection", "keep-alive", 400)):
        socket = WebSocket(port, EVENTS, {field: value})
        check(socket.status == status, f"{field}: {value} is refused", socket.status)
        check(status == 400 or socket.headers.get("sec-websocket-version") == "13",
              "426 says which version is spoken", socket.headers)
        socket.close()
    status, _, body = Client(port).get("/domains/test/console")
    check(status == 426 and body["type"] == "urn:virtgate:error:upgrade-required",
          "a console without an upgrade is 426", f"{status} {body}")
    socket = WebSocket(port, "/domains/test/console")
    check(socket.status == 501, "libvirt's word on a driver without consoles", socket.status)
    socket.close()
    socket = WebSocket(port, EVENTS, {"Origin": "http://elsewhere.example"})
    check(socket.status == 403, "pages of other origins may not", socket.status)
    socket.close()


def test_events(port):
    client, socket = Client(port), WebSocket(port, EVENTS)
    client.send("POST", "/domains/test/suspend")
    opcode, data = socket.message()
    check(opcode == 1 and json.loads(data)["type"] == "suspended", "an event is a text message",
          data)
    since = json.loads(data)["revision"]
    client.send("POST", "/domains/test/resume")
    later = WebSocket(port, f"{EVENTS}&since={since}")
    check(json.loads(later.message()[1])["type"] == "resumed", "since is where it begins")
    later.close()
    gone = WebSocket(port, EVENTS, {"Last-Event-ID": "000000000000-1"})
    check(json.loads(gone.message()[1])["event"] == "reset", "what is gone begins with a reset")
    gone.close()
    other = WebSocket(port, "/events?object=network")
    client.send("POST", "/domains/test/suspend")
    client.send("POST", "/domains/test/resume")
    try:
        check(other.message(1) is None and False, "nothing passes the filter")
    except TimeoutError:
        check(True, "nothing passes the filter")
    other.close()


def refused(port, path, code, reason, headers=None):
    socket = WebSocket(port, path, headers)
    check(socket.status == 101, f"{path} is upgraded", f"{socket.status} {socket.body}")
    check(socket.end() == code and socket.reason == reason, f"{path} is closed with {code}",
          f"{socket.code} {socket.reason}")
    socket.close()


def test_refusals(port):
    """What a browser's script can read of a refusal: the code and text of the close."""
    refused(port, "/domains/nosuch/console?refuse=close", 4404, "Domain not found")
    refused(port, "/domains/test/graphics/0?refuse=close", 4501,
            "this function is not supported by the connection driver: virDomainOpenGraphicsFD")
    refused(port, "/domains/test/console?refuse=close&x=1", 4400, "Unknown key")
    refused(port, f"{EVENTS}&refuse=close&since=0-1", 4410, "No longer there")
    refused(port, "/nosuch?refuse=close", 4404, "Not found")
    for path, status in (("/domains/nosuch/console", 404), (f"{EVENTS}&refuse=no", 400)):
        socket = WebSocket(port, path)
        check(socket.status == status, f"{path} is refused as it was", socket.status)
        socket.close()
    path = "/domains/nosuch/console?refuse=close"
    for field, value, status in (("Origin", "http://elsewhere.example", 403),
                                 ("Sec-WebSocket-Version", "8", 426),
                                 ("Sec-WebSocket-Key", "short", 400)):
        socket = WebSocket(port, path, {field: value})
        check(socket.status == status, f"{field}: {value} is refused without an upgrade",
              socket.status)
        socket.close()
    status, _, body = Client(port).get("/domains/nosuch/console?refuse=close")
    check(status == 426, "without an upgrade it is 426", f"{status} {body}")
    socket = WebSocket(port, f"{EVENTS}&refuse=close")
    Client(port).send("POST", "/domains/test/suspend")
    check(json.loads(socket.message()[1])["type"] == "suspended", "what is not refused goes on")
    Client(port).send("POST", "/domains/test/resume")
    socket.close()
    silent = WebSocket(port, path)
    silent.frame()
    try:
        silent.exactly(1)
        check(False, "it is closed")
    except EOFError:
        check(True, "who does not close is not waited for")
    silent.close()


def test_frames(port):
    socket = WebSocket(port, EVENTS)
    socket.send(b"are you there", 9)
    check(socket.frame() == (10, b"are you there"), "a ping is answered with its own bytes")
    socket.send(b"\x03\xe8bye", 8)
    check(socket.end() == 1000, "the close is answered with its code", socket.code)
    for what, code in (("unmasked", 1002), ("oversized", 1009)):
        socket = WebSocket(port, EVENTS)
        socket.send(b"x" * (10 if what == "unmasked" else 5000), 1, what != "unmasked")
        check(socket.end() == code, f"{what} frames end it with {code}", socket.code)
        socket.close()


def test_faults(port):
    """Frames that RFC 6455, 5, does not allow end it with a close; wslay gives no code (1005)
    where the fault is in the header of a control frame."""
    mask = bytes(4)
    for what, frame, code in (("a ping in pieces", b"\x09\x80" + mask, 1005),
                              ("a ping of 126 bytes", b"\x89\xfe\x00\x7e" + mask, 1005),
                              ("a reserved bit", b"\xc1\x80" + mask, 1002),
                              ("a reserved opcode", b"\x83\x80" + mask, 1002),
                              ("a piece of nothing", b"\x80\x80" + mask, 1002)):
        socket = WebSocket(port, EVENTS)
        socket.socket.sendall(frame)
        check(socket.end() == code, f"{what} ends it with {code}", socket.code)
        socket.close()


PING = b"\x89\xfd" + bytes(4 + 125)  # masked by nothing
EMPTY = b"\x82\x80" + bytes(4)


def test_deaf(port):
    """Who asks without end and reads no answer is not listened to any more."""
    deaf, sent = WebSocket(port, EVENTS, timeout=2), 0
    try:
        while sent < 256 << 20:
            sent += deaf.socket.send(PING * 500)
    except TimeoutError:
        pass
    check(sent < 256 << 20, "a client that reads nothing is bounded", sent)
    deaf.close()


def test_talker(port):
    """One that never stops talking does not keep others from being heard."""
    talker, other, done = WebSocket(port, EVENTS), WebSocket(port, EVENTS), threading.Event()

    def talk():
        while not done.is_set():
            talker.socket.sendall(EMPTY * 1000)

    thread = threading.Thread(target=talk)
    thread.start()
    for _ in range(5):
        time.sleep(0.1)
        other.send(b"heard?", 9)
        check(other.frame() == (10, b"heard?"), "another one's ping is answered meanwhile")
    check(thread.is_alive(), "it still talks")
    done.set()
    thread.join()
    talker.close()
    other.close()


def test_lasting():
    """A WebSocket outlives what a request's body and its answer may take."""
    gateway = Gateway("test:///default", "--body-timeout", "1")
    socket = WebSocket(gateway.port, EVENTS)
    time.sleep(2.5)
    socket.send(b"still there?", 9)
    check(socket.frame() == (10, b"still there?"), "it lasts longer than body-timeout")
    socket.close()
    gateway.stop()


def main():
    gateway = Gateway("test:///default")
    test_handshake(gateway.port)
    test_events(gateway.port)
    test_refusals(gateway.port)
    test_frames(gateway.port)
    test_faults(gateway.port)
    test_deaf(gateway.port)
    test_talker(gateway.port)
    test_lasting()
    socket = WebSocket(gateway.port, EVENTS)
    gateway.process.terminate()
    check(socket.end() == 1001, "the gateway's end is told", socket.code)
    gateway.stop()
    report()


main()
