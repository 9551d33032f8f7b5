#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""POST /tickets and ?ticket=: what a browser's EventSource and WebSocket send, and what a thief
would. In a real browser: tests/browser."""
import hashlib
import http.client
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, WebSocket, check, record, report  # noqa: E402

A, B = "http://a.example", "http://b.example:81"
KEEP, GO, LOOK = ({"Authorization": f"Bearer {name}"} for name in ("keep", "go", "look"))
SITE = {"Sec-Fetch-Site": "same-origin"}
given = []  # every ticket


def write(path, tokens):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as f:
        for name, (role, *keys) in ((n, r.split(" ")) for n, r in tokens.items()):
            f.write(" ".join((name, role, hashlib.sha256(name.encode()).hexdigest(), *keys)) + "\n")


def ask(client, path, headers, status=201):
    """A ticket, or the answer that is none."""
    got, head, body = client.send("POST", "/tickets", json.dumps({"path": path}).encode(), headers)
    body = json.loads(body)
    record("POST", "/tickets", got, {k.lower(): v for k, v in head.items()}, body)
    check(got == status, f"a ticket for {path}: {status}", f"{got} {body}")
    if got != 201:
        return body
    given.append(body["ticket"])
    return body["ticket"]


def stream(port, path, ticket, headers=None):
    """The status of an EventSource's request."""
    http_client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    mark = "&" if "?" in path else "?"
    http_client.request("GET", f"{path}{mark}ticket={ticket}",
                        headers={"Accept": "text/event-stream", **(headers or {})})
    answer = http_client.getresponse()
    body = answer.readline() if answer.status == 200 else answer.read()
    check(not ticket or ticket.encode() not in body, "no answer shows the ticket", body)
    if answer.status != 200:
        problem = json.loads(body)
        check(problem["instance"] == path.split("?")[0], "a problem's instance", problem)
    http_client.close()
    return answer.status


def socket(port, path, ticket, headers=None):
    """The status of a WebSocket's request."""
    mark = "&" if "?" in path else "?"
    ws = WebSocket(port, f"{path}{mark}ticket={ticket}", headers)
    ws.close()
    return ws.status


def test_good(gateway, client):
    for opens, good in ((stream, 200), (socket, 101)):
        for path in ("/events", "/events?object=domain&event=lifecycle", "/domains/test/events",
                     "/hosts/default/events", "/hosts/-/events"):
            ticket = ask(client, path.split("?")[0], KEEP)
            check(opens(gateway.port, path, ticket) == good, f"{path} opens with a ticket")
            check(opens(gateway.port, path, ticket) == 401, f"{path}: a ticket is used up")
    # the driver has no consoles, and says so to whoever is let in
    ticket = ask(client, "/domains/test/console", KEEP)
    check(socket(gateway.port, "/domains/test/console?force=true", ticket) == 501,
          "a console is asked for with a ticket")
    for ticket in ("", "0" * 40, "nonsense", "x" * 3000):
        check(stream(gateway.port, "/events", ticket) == 401, "no ticket at all")


def test_other_path(gateway, client):
    for made, used in (("/events", "/domains/test/events"), ("/events", "/hosts/default/events"),
                       ("/domains/test/events", "/events"),
                       ("/domains/test/events", "/domains/other/events")):
        ticket = ask(client, made, KEEP)
        check(stream(gateway.port, used, ticket) == 401, f"{made}: not for {used}")
        check(stream(gateway.port, made, ticket) == 401, f"{made}: and gone then")
    ticket = ask(client, "/domains/test/events", KEEP)
    check(socket(gateway.port, "/domains/test/console", ticket) == 401, "nor for a console")


def test_other_page(gateway, client):
    own = {"Origin": f"http://127.0.0.1:{gateway.port}"}
    for made, used, good in (({"Origin": A}, {"Origin": A}, True),
                             ({"Origin": A}, {"Origin": B}, False),
                             ({"Origin": A}, {}, False),
                             ({"Origin": A}, SITE, False),
                             ({"Origin": A}, own, False),
                             (own, own, True),
                             (own, SITE, True),
                             (own | SITE, SITE, True),
                             (SITE, {}, True),  # of a page without TLS
                             (own, {"Origin": A}, False),
                             ({}, {}, True),
                             ({}, {"Origin": A}, False),
                             ({}, own, False)):
        for opens, status in ((stream, 200), (socket, 101)):
            ticket = ask(client, "/events", KEEP | made)
            check(opens(gateway.port, "/events", ticket, used) == (status if good else 401),
                  f"made by {made}, used by {used}: {good}")
    ticket = ask(client, "/events", KEEP | {"Origin": A})
    check(stream(gateway.port, "/events", ticket, {"Origin": "http://evil.example"}) == 403,
          "a page that is not allowed is refused as such")


def test_rights(gateway, client):
    """A ticket is as good as its token, as that is when it is used."""
    check(client.send("POST", "/tickets?path=/events")[0] == 401, "nobody gets none")
    body = ask(client, "/domains/test/console", LOOK, 403)
    check("'admin'" in body["detail"], "nor for what the token may not do", body)
    for path in ("/domains", "/nosuch", "/domains/test/start", "events", "/hosts/nosuch/events"):
        check(ask(client, path, KEEP, 400)["type"].endswith("invalid-value"), f"{path} is none")
    ticket = ask(client, "/events", LOOK)
    check(client.get(f"/domains?ticket={ticket}")[0] == 401, "it opens nothing but streams")
    status, _, body = client.get(f"/domains?ticket={ticket}", KEEP)
    check(status == 400 and "ticket" in body["detail"], "which do not know it", body)
    check(client.send("DELETE", f"/events?ticket={ticket}")[0] == 405, "nor do other methods")
    status, _, body = client.get(f"/domains/test/events?object=x&ticket={ticket}", KEEP)
    check(status == 400 and ticket not in body["detail"], "a token in the header is enough", body)
    check(stream(gateway.port, "/events?object=qemu-monitor", ticket) == 403,
          "a viewer's ticket is a viewer's")
    # it was not used by the request that had a token
    ticket = ask(client, "/events", KEEP)
    check(client.get(f"/events?wait=0&ticket={ticket}", KEEP)[0] == 200, "both at a time")
    check(stream(gateway.port, "/events", ticket) == 200, "and the ticket is still good")


def test_revoked(gateway, client, path):
    ticket, open_one = (ask(client, "/events", GO) for _ in range(2))
    ws = WebSocket(gateway.port, f"/events?ticket={open_one}", timeout=30)
    check(ws.status == 101, "it opens a WebSocket")
    write(path, {"keep": "admin", "look": "viewer"})
    gateway.process.send_signal(signal.SIGHUP)
    check(ws.end(30) in (1001, 1008), "which ends with the token", ws.code)
    check(stream(gateway.port, "/events", ticket) == 401, "a ticket ends with its token, too")


def wait_for_rights(client, what):
    for _ in range(1200):
        if what(client.get("/whoami", KEEP)[2]):
            return
        time.sleep(0.05)
    check(False, "the token file is read again")


def test_denied(gateway, client, path):
    """deny= holds for tickets, too: for those that are made, and for those that wait."""
    console, events = (ask(client, p, KEEP) for p in ("/domains/test/console", "/events"))
    write(path, {"keep": "admin deny=domain:open_device", "look": "viewer"})
    gateway.process.send_signal(signal.SIGHUP)
    wait_for_rights(client, lambda who: "domain:open_device" not in who["permissions"])
    body = ask(client, "/domains/test/console", KEEP, 403)
    check(body["permission"] == "domain:open_device" and "deny=" in body["detail"],
          "no ticket for what deny= takes", body)
    check(socket(gateway.port, "/domains/test/console", console) == 403,
          "nor is one good that was made before")
    check(stream(gateway.port, "/events", events) == 200, "another is")


def test_scoped(gateway, client, path):
    """hosts= and domains= hold for tickets: what is outside is not there, then as now."""
    write(path, {"keep": "admin"})
    gateway.process.send_signal(signal.SIGHUP)
    wait_for_rights(client, lambda who: "domain:open_device" in who["permissions"])
    kept = [ask(client, p, KEEP) for p in ("/domains/test/console", "/domains/test/events",
                                           "/hosts/default/events")]
    write(path, {"keep": "admin domains=web-*"})
    gateway.process.send_signal(signal.SIGHUP)
    wait_for_rights(client, lambda who: who["scope"]["domains"] == ["web-*"])
    check(socket(gateway.port, "/domains/test/console", kept[0]) == 404,
          "a ticket made before finds no guest that is outside by now")
    check(stream(gateway.port, "/domains/test/events", kept[1]) == 404, "nor its events")
    check(stream(gateway.port, "/hosts/default/events", kept[2]) == 200, "the rest is there")
    shown, missing = (stream(gateway.port, f"/domains/{name}/events",
                             ask(client, f"/domains/{name}/events", KEEP))
                      for name in ("test", "nosuch"))
    check(shown == missing == 404, "a hidden guest's is that of none", (shown, missing))
    kept = ask(client, "/hosts/default/events", KEEP)
    write(path, {"keep": "admin hosts=kvm*"})
    gateway.process.send_signal(signal.SIGHUP)
    wait_for_rights(client, lambda who: who["scope"]["hosts"] == ["kvm*"])
    check(stream(gateway.port, "/hosts/default/events", kept) == 404, "nor a host's")
    body = [ask(client, f"/hosts/{name}/events", KEEP, 400)["type"] for name in ("default", "nosuch")]
    check(body[0] == body[1], "there is no ticket for it", body)


def test_expiry(gateway, client, path):
    """A ticket ends with its token, also when that expires."""
    for seconds in (4, 8, 16, 32):  # longer where the machine was busy
        end = int(time.time()) + seconds
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
        write(path, {"keep": f"admin {at}"})
        gateway.process.send_signal(signal.SIGHUP)
        known = False
        while not known and time.time() < end - 1:
            time.sleep(0.05)
            known = client.get("/whoami", KEEP)[2].get("expiresAt") == at
        if known and time.time() < end - 1:
            break
    kept, used = (ask(client, "/events", KEEP) for _ in range(2))
    ws = WebSocket(gateway.port, f"/events?ticket={used}", timeout=30)
    check(ws.status == 101, "it is good as long as the token", ws.status)
    check(ws.end(30) == 1008, "what it opened ends with the token", ws.code)
    check(stream(gateway.port, "/events", kept) == 401, "and so does one that waits")


def test_without_tokens():
    """A page need not know whether there are any."""
    gateway = Gateway("test:///default")
    client = Client(gateway.port)
    ticket = ask(client, "/events", {})
    check(stream(gateway.port, "/events", ticket) == 200, "without tokens a ticket is good, too")
    check(stream(gateway.port, "/events", ticket) == 401, "once")
    gateway.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="vg-tickets-") as folder:
        path = f"{folder}/tokens"
        write(path, {"keep": "admin", "go": "admin", "look": "viewer"})
        gateway = Gateway("test:///default", "--token-file", path, "--cors-origin", A,
                          "--cors-origin", B, "--log-level", "1", "--log-filters", "1:access")
        client = Client(gateway.port)
        late, in_time = ask(client, "/events", KEEP), ask(client, "/events", KEEP)
        begun = time.monotonic()
        test_good(gateway, client)
        test_other_path(gateway, client)
        test_other_page(gateway, client)
        test_rights(gateway, client)
        if time.monotonic() - begun < 25:
            check(stream(gateway.port, "/events", in_time) == 200, "it waits for its use")
        test_revoked(gateway, client, path)
        test_denied(gateway, client, path)
        test_without_tokens()
        time.sleep(max(0.0, 30.5 - (time.monotonic() - begun)))
        check(stream(gateway.port, "/events", late) == 401, "after 30 s it is too late")
        test_scoped(gateway, client, path)
        test_expiry(gateway, client, path)
        gateway.stop()
        with open(gateway.log.name, encoding="utf-8") as f:
            log = f.read()
        check("path=/events " in log and not any(t in log for t in given),
              "no ticket stands in the log")
    report()


main()
