#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--trust-header: HAProxy as docs/access.md has it, which checks the tokens of an identity provider,
what strangers try beside it, and WebSockets over its TLS."""
import base64
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import (  # noqa: E402
    Client, Gateway, OtherClient, WebSocket, check, free_port, report, unix_client)
from tls_files import make_self_signed, shell  # noqa: E402

USER, ROLE = "X-Remote-User", "X-Remote-Role"
ISSUER = "https://login.example.org/realms/virt"
UID = f"uid:{os.geteuid()}"
MAKE = r"""
cd "$1"; exec 2>>openssl.log
openssl genrsa -out provider.key 2048; openssl rsa -in provider.key -pubout -out provider.pem
openssl genrsa -out other.key 2048
cat tls.crt tls.key >virtgate.pem
"""


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_token(folder, key="provider", alg="RS256", **claims):
    """A JSON Web Token of that provider's key."""
    claims = {"iss": ISSUER, "aud": "virtgate", "exp": int(time.time()) + 600, **claims}
    head = {"alg": alg, "typ": "JWT"}
    text = ".".join(encode(json.dumps(part).encode()) for part in (head, claims))
    if alg == "none":
        return text + "."
    sign = ["openssl", "dgst", "-sha256", "-sign", f"{folder}/{key}.key"]
    if alg == "HS256":  # with what everybody knows, the provider's public key
        sign = ["openssl", "dgst", "-sha256", "-mac", "hmac", "-macopt",
                "hexkey:" + Path(folder, "provider.pem").read_bytes().hex(), "-binary"]
    return text + "." + encode(subprocess.run(sign, input=text.encode(), check=True,
                                              capture_output=True).stdout)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Proxy:
    """The documented HAProxy, with this test's files and ports."""

    def __init__(self, folder):
        text = Path("docs/access.md").read_text(encoding="utf-8")
        sample, = re.findall(r"^```haproxy\n(.*?)```$", text, re.M | re.S)
        self.port, self.folder = free_port(), folder
        for said, here in ((":443", f"127.0.0.1:{self.port}"), ("/etc/haproxy/", f"{folder}/"),
                           ("/run/virtgate/virtgate.sock", f"{folder}/socket")):
            check(said in sample, f"the sample has {said}")
            sample = sample.replace(said, here)
        file = Path(folder, "haproxy.conf")
        file.write_text("defaults\n    timeout connect 2s\n    timeout client 20s\n"
                        f"    timeout server 20s\n{sample}", encoding="utf-8")
        told = subprocess.run(["haproxy", "-c", "-f", str(file)], capture_output=True, text=True,
                              check=False)
        check(told.returncode == 0 and "ALERT" not in told.stderr, "HAProxy takes the sample",
              told.stderr)
        self.process = subprocess.Popen(["haproxy", "-f", str(file)], cwd=folder,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.05)

    def context(self):
        context = ssl.create_default_context(cafile=f"{self.folder}/tls.crt")
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        return context

    def client(self):
        return OtherClient(lambda: http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=30, context=self.context()))

    def websocket(self, path, headers=None):
        return WebSocket(self.port, path, headers, context=self.context())

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def start(folder, role, *options):
    return Gateway("test:///default", "--listen", f"unix:{folder}/socket", "--unix-role",
                   f"{UID}={role}", "--trust-header", USER, "--trust-role-header", ROLE,
                   "--trusted-proxy", "unix", *options)


def whoami(client, headers):
    """(status, name, role, via)"""
    status, _, body = client.send("GET", "/whoami", headers=headers)
    who = json.loads(body) if status == 200 else {}
    return status, who.get("name"), who.get("role"), who.get("via")


def test_known(proxy, folder):
    """Each request is its caller's, on connections to the gateway that all of them share."""
    people = [("alice", "viewer"), ("bob@example.org", "operator"), ("carol", "admin")]
    tokens = {name: make_token(folder, preferred_username=name, virtgate_role=role)
              for name, role in people}
    client = proxy.client()
    for _ in range(4):
        for name, role in people:
            found = whoami(client, bearer(tokens[name]))
            check(found == (200, name, role, "header"), f"{name} is {role}", found)
            found = whoami(client, {**bearer(tokens[name]), USER: "carol", ROLE: "admin"})
            check(found == (200, name, role, "header"), f"{name} says to be carol", found)
            status, _, body = client.send("POST", "/domains/test/suspend",
                                          headers=bearer(tokens[name]))
            check(status == (403 if role == "viewer" else 204), f"{name} suspends", body)
            client.send("POST", "/domains/test/resume", headers=bearer(tokens["carol"]))
    key = {"Idempotency-Key": "k"}
    for name, wanted in (("bob@example.org", 204), ("bob@example.org", 204), ("carol", 409)):
        status, _, body = client.send("POST", "/domains/test/suspend",
                                      headers={**bearer(tokens[name]), **key})
        check(status == wanted, f"{name}'s key is {name}'s", f"{status} {body}")
    client.send("POST", "/domains/test/resume", headers=bearer(tokens["carol"]))
    return tokens


def test_strangers(proxy, folder):
    """What no provider has said."""
    good = {"preferred_username": "eve", "virtgate_role": "admin"}
    client = proxy.client()
    right = make_token(folder, **good)
    check(whoami(client, bearer(right))[0] == 200, "a right token")
    rows = [("no token", {}), ("a name alone", {USER: "eve"}),
            ("both", {USER: "eve", ROLE: "admin"}), ("a basic one", {"Authorization": "Basic eDp5"}),
            ("no JWT", bearer("x")), ("two dots", bearer("..")),
            ("another's key", bearer(make_token(folder, "other", **good))),
            ("alg none", bearer(make_token(folder, alg="none", **good))),
            ("the public key as a secret", bearer(make_token(folder, alg="HS256", **good))),
            ("a changed one", bearer(right.replace(".", ".e", 1))),
            ("no signature", bearer(right.rpartition(".")[0] + "."))]
    for what, claims in (("expired", {"exp": int(time.time()) - 5}), ("never expires", {"exp": None}),
                         ("of another issuer", {"iss": ISSUER + "x"}),
                         ("for others", {"aud": "account"}),
                         ("without a name", {"preferred_username": None}),
                         ("an empty name", {"preferred_username": ""}),
                         ("a long name", {"preferred_username": "e" * 64}),
                         ("a name of two lines", {"preferred_username": f"e\r\n{ROLE}: admin"}),
                         ("a name of two", {"preferred_username": "eve, carol"})):
        rows.append((what, bearer(make_token(folder, **{**good, **claims}))))
    for what, headers in rows:
        status = whoami(client, headers)[0]
        check(status == 401, f"{what}: 401", status)
    for role in (None, "", "root", "admin,viewer", "viewer\r\nX-A: b"):
        token = make_token(folder, preferred_username="eve", virtgate_role=role)
        check(whoami(client, bearer(token))[0] == 403, f"the role {role!r}")
    check(client.send("GET", "/health/live")[0] == 200, "what is public is public")


def test_streams(proxy, tokens):
    """A ticket through the proxy, and a WebSocket over its TLS."""
    client = proxy.client()

    def ticket(name):
        status, _, body = client.send("POST", "/tickets", b'{"path": "/events"}',
                                      bearer(tokens[name]))
        check(status == 201, f"a ticket of {name}", body)
        return json.loads(body)["ticket"]

    for headers, query in ((bearer(tokens["alice"]), ""), ({}, f"?ticket={ticket('alice')}")):
        ws = proxy.websocket("/events" + query, headers)
        check(ws.status == 101, f"a WebSocket over TLS {query}", ws.body)
        client.send("POST", "/domains/test/suspend", headers=bearer(tokens["carol"]))
        client.send("POST", "/domains/test/resume", headers=bearer(tokens["carol"]))
        check(b'"suspended"' in ws.read_until(b'"resumed"'), "its events")
        ws.close()
    ws = proxy.websocket("/events")
    check(ws.status == 401, "and none without a name", ws.status)
    used = ticket("alice")
    for wanted in (101, 401):
        ws = proxy.websocket(f"/events?ticket={used}")
        check(ws.status == wanted, f"a ticket once: {wanted}", ws.status)
        ws.close()
    ws = proxy.websocket(f"/events?object=qemu-monitor&ticket={ticket('alice')}")
    check(ws.status == 403, "a viewer's ticket is a viewer's", ws.status)


def ask_raw(path, lines):
    """The status of GET /whoami with such header lines."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(b"\r\n".join([b"GET /whoami HTTP/1.1", b"Host: localhost", b"Connection: close",
                                *(line.encode() for line in lines), b"", b""]))
        data = b""
        while piece := s.recv(65536):
            data += piece
    return int(data.split()[1])


def test_direct(folder):
    """The headers on the socket itself, and over TCP."""
    tokens = Path(folder, "tokens")
    tokens.touch(mode=0o600)
    tokens.write_text(f"t viewer {hashlib.sha256(b't').hexdigest()}\n", encoding="ascii")
    gateway = start(folder, "operator", "--token-file", str(tokens), "--failed-tokens", "0")
    path = f"{folder}/socket"
    unix, tcp = unix_client(path), Client(gateway.port)
    both = {USER: "eve", ROLE: "admin"}
    rows = [  # client, headers, whoami
        (unix, both, (200, "eve", "operator", "header")),
        (unix, {USER: "eve", ROLE: "viewer"}, (200, "eve", "viewer", "header")),
        (unix, {USER: "e" * 63, ROLE: "viewer"}, (200, "e" * 63, "viewer", "header")),
        (unix, {USER: UID, ROLE: "viewer"}, (200, UID, "viewer", "header")),
        (unix, {**both, **bearer("t")}, (200, "t", "viewer", "token")),
        (unix, bearer("t"), (200, "t", "viewer", "token")),
        (tcp, {**both, **bearer("t")}, (200, "t", "viewer", "token")),
    ] + [(client, headers, (401, None, None, None)) for client, headers in (
        (unix, {}), (unix, {USER: "eve"}), (unix, {ROLE: "admin"}), (unix, {USER: "", ROLE: "admin"}),
        (unix, {USER: "e" * 64, ROLE: "admin"}), (unix, {USER: "eve", ROLE: "root"}),
        (unix, {USER: b"\xff", ROLE: "admin"}), (unix, {**both, **bearer("x")}), (tcp, both), (tcp, {USER: "eve"}),
        (tcp, {ROLE: "admin"}))]
    for client, headers, wanted in rows:
        found = whoami(client, headers)
        check(found == wanted, f"{'unix' if client is unix else 'TCP'} {headers}", found)
    found = ask_raw(path, [f"{USER}: eve", f"{USER}: carol", f"{ROLE}: admin"])
    check(found == 401, "two names", found)
    found = ask_raw(path, [f"{USER}: eve", f"{ROLE}: viewer", f"{ROLE}: admin"])
    check(found == 401, "two roles", found)
    found = ask_raw(path, [f"{USER.lower()}: ä", f"{ROLE.upper()}: admin"])
    check(found == 200, "a name in UTF-8, in a field of any case", found)
    gateway.stop()
    # a gateway that asks nobody over TCP does not let a proxy's callers in there
    gateway = Gateway("test:///default", "--listen", f"unix:{path}", "--trust-header", USER)
    tcp, unix = Client(gateway.port), unix_client(path)
    check(whoami(tcp, {}) == (200, None, "admin", "none"), "open over TCP")
    check(whoami(tcp, {USER: "eve"})[0] == 401, "but to no name in a header")
    found = whoami(unix, {USER: "eve"})
    check(found == (200, "eve", "admin", "header"), "without a role: the process's", found)
    check(whoami(unix, {})[0] == 401, "none without a name")
    gateway.stop()
    gateway = Gateway("test:///default", "--listen", f"unix:{path}", "--trust-header", USER,
                      "--unix-role", f"uid:{os.geteuid() + 1}=admin")
    found = whoami(unix_client(path), {USER: "eve"})
    check(found[0] == 401, "a process without a role is nobody's proxy", found)
    gateway.stop()


def test_options(folder):
    """What would believe nobody, or everybody, is refused."""
    unix = ["--listen", f"unix:{folder}/socket"]
    tokens = ["--token-file", f"{folder}/tokens"]
    for options, text in ((["--trust-header", USER], "on a unix socket alone"),
                          ([*unix, "--trust-role-header", ROLE], "needs --trust-header as well"),
                          ([*unix, *tokens, "--trust-header", USER], "needs --unix-role as well"),
                          ([*unix, "--trust-header", USER, "--trust-role-header", USER.lower()],
                           "is the header of --trust-role-header"),
                          ([*unix, "--trust-header", "Host"], "the name of a header"),
                          ([*unix, "--trust-header", "a b"], "the name of a header")):
        told = subprocess.run([os.environ.get("VIRTGATE_BIN", "build/virtgate"), "--check-config",
                               "--connect", "test:///default", *options],
                              capture_output=True, text=True, check=False, timeout=30)
        check(told.returncode != 0 and text in told.stderr, f"{options[-2:]}", told.stderr)


def main():
    with tempfile.TemporaryDirectory(prefix="vg-trust-") as folder:
        check(make_self_signed(folder, "proxy") and shell(MAKE, folder), "keys are made")
        gateway = start(folder, "admin")
        proxy = Proxy(folder)
        tokens = test_known(proxy, folder)
        test_strangers(proxy, folder)
        test_streams(proxy, tokens)
        proxy.stop()
        gateway.stop()
        test_direct(folder)
        test_options(folder)
    report()


main()
