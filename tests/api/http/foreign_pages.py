#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a browser may do on behalf of a page: every route, and every way a page makes requests.

The names that the gateway answers to are checked with every configuration there is.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, WebSocket, check, report  # noqa: E402

ALLOWED = "https://page.example"
PUBLIC = re.compile(r"/|/health/.*|/openapi\..*|/docs(/.*)?|/ui(/.*)?")


def routes():
    program = os.environ.get("VIRTGATE_BIN", "build/virtgate")
    lines = subprocess.run([program, "--dump-routes"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    return [(row["method"], re.sub(r"\{[^}]*\}", "x", row["pattern"]))
            for row in map(json.loads, lines)]


def refused(answer):
    status, headers, body = answer
    return (status == 403 and b"urn:virtgate:error:forbidden" in body
            and not headers.get("Access-Control-Allow-Origin"))


def test_every_route(port):
    """No row is reached by a page of another site but the public ones."""
    client = Client(port)
    for method, path in routes():
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            answer = client.send(method, path, headers=headers)
            public = PUBLIC.fullmatch(path) is not None
            check(refused(answer) != public, f"{method} {path} {headers}", answer[0])


def test_rule(port):
    here = f"127.0.0.1:{port}"
    rows = [  # passes, headers
        (True, {}),
        (True, {"Sec-Fetch-Site": "same-origin"}),
        (True, {"Sec-Fetch-Site": "none"}),
        (False, {"Sec-Fetch-Site": "same-site"}),
        (False, {"Sec-Fetch-Site": "cross-site"}),
        (False, {"Sec-Fetch-Site": "anything-new"}),
        (False, {"Sec-Fetch-Site": ""}),
        (True, {"Origin": f"http://{here}"}),
        (True, {"Origin": f"https://{here}"}),
        (False, {"Origin": f"app://{here}"}),
        (False, {"Origin": f"http://{here}0"}),
        (False, {"Origin": "http://127.0.0.1"}),
        (False, {"Origin": f"http://localhost:{port}"}),
        (False, {"Origin": f"http://evil.example/http://{here}"}),
        (False, {"Origin": "null"}),
        (False, {"Origin": ""}),
        # a proxy that changed Host: the browser's own word decides
        (True, {"Origin": "https://gw.example", "Sec-Fetch-Site": "same-origin"}),
        (False, {"Origin": f"http://{here}", "Sec-Fetch-Site": "cross-site"}),
        (False, {"Origin": f"http://{here}", "Sec-Fetch-Site": "same-site"}),
        # an allowed origin is one, whatever else is sent
        (True, {"Origin": ALLOWED}),
        (True, {"Origin": ALLOWED, "Sec-Fetch-Site": "cross-site"}),
        (True, {"Origin": ALLOWED, "Sec-Fetch-Site": "same-site"}),
        (False, {"Origin": ALLOWED + ":8443", "Sec-Fetch-Site": "cross-site"}),
        (False, {"Origin": ALLOWED.upper(), "Sec-Fetch-Site": "cross-site"}),
    ]
    client = Client(port)
    for passes, headers in rows:
        for method, path in (("GET", "/domains"), ("HEAD", "/domains"),
                             ("POST", "/domains/test/suspend"), ("POST", "/domains/test/resume"),
                             ("OPTIONS", "/domains"), ("GET", "/events?poll=1&timeout=0")):
            status = client.send(method, path, headers=headers)[0]
            check((status != 403) == passes, f"{method} {path} with {headers}", status)
        stream = {**headers, "Accept": "text/event-stream"}
        if not passes:
            check(client.send("GET", "/events", headers=stream)[0] == 403,
                  f"an EventSource with {headers}")
        if "" in headers.values():
            continue  # the client leaves such fields out
        socket = WebSocket(port, "/events?object=domain", headers)
        check((socket.status == 101) == passes, f"a WebSocket with {headers}", socket.status)
        socket.close()


def test_hosts(port, what):
    """421 is for names alone, whatever is configured."""
    rows = [
        (True, "127.0.0.1"), (True, "10.42.0.7:8080"), (True, "192.0.2.255"),
        (True, "[::1]"), (True, "[2001:db8::7]:8080"), (True, "[::ffff:192.0.2.1]"),
        (True, "localhost"), (True, "LOCALHOST:1"), (True, os.uname().nodename),
        (True, "gw.example"), (True, "gw.example:443"), (True, "GW.example"),
        (False, "evil.example"), (False, "localhost.evil.example"), (False, "gw.example.evil"),
        (False, "127.0.0.1.evil.example"), (False, "x.gw.example"), (False, "1.2.3"),
        (False, "::1"), (False, "256.1.1.1"),
    ]
    client = Client(port)
    for known, host in rows:
        for path in ("/domains", "/health/ready", "/docs", "/nosuch"):
            status = client.send("GET", path, headers={"Host": host})[0]
            bad = host == "::1"
            check(status == 400 if bad else (status != 421) == known,
                  f"{what}: Host: {host} {path}", status)
    for host in ("", "gw.example:x", "gw.example:123456", "a b", "user@localhost", "[::1", "[::1]x",
                 "localhost/x", "localhost,localhost"):
        status = client.send("GET", "/domains", headers={"Host": host})[0]
        check(status == 400, f"{what}: Host: {host!r} is malformed", status)
    socket = WebSocket(port, "/events?object=domain", {"Host": "evil.example"})
    check(socket.status == 421, f"{what}: a WebSocket to a name that is not known", socket.status)
    socket.close()


def with_gateway(test, *options):
    gateway = Gateway("test:///default", "--cors-origin", ALLOWED, "--allowed-host", "gw.example",
                      *options)
    test(gateway.port)
    gateway.stop()


def main():
    with_gateway(test_every_route)
    with_gateway(test_rule)
    with_gateway(lambda port: test_hosts(port, "plain"))
    with_gateway(lambda port: test_hosts(port, "--allow-insecure"), "--allow-insecure")
    with tempfile.NamedTemporaryFile("w") as tokens:
        tokens.write("a admin " + "0" * 63 + "1\n")
        tokens.flush()
        with_gateway(lambda port: test_hosts(port, "--token-file"), "--token-file", tokens.name)
    report()


main()
