#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A token whose line of the file changes: nothing that was kept while it might see more is given to it,
not by an Idempotency-Key, an ETag, nor from memory."""
import hashlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

TOKEN = {"Authorization": "Bearer t"}
UUID = "5f1c1b7e-5b0e-4f6e-9d50-0c6a2e0d1aff"


def document(name, uuid=""):
    return (f"<domain type='test'><name>{name}</name>{uuid}<memory>1024</memory>"
            "<os><type>hvm</type></os></domain>").encode()


class Rights:
    """The token's line in the file of a gateway that runs."""

    def __init__(self, folder):
        self.path = f"{folder}/tokens"
        self.write("admin")
        self.gateway = Gateway("test:///default", "--token-file", self.path)
        self.client = Client(self.gateway.port)

    def write(self, rest):
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="ascii") as f:
            f.write(f"t {rest.replace(' ', ' ' + hashlib.sha256(b't').hexdigest() + ' ', 1)}\n"
                    if " " in rest else f"t {rest} {hashlib.sha256(b't').hexdigest()}\n")

    def become(self, rest):
        def who():
            return self.client.get("/whoami", TOKEN)[2]
        before = who()
        self.write(rest)
        self.gateway.process.send_signal(signal.SIGHUP)
        for _ in range(3000):
            if who() != before:
                return
            time.sleep(0.02)
        check(False, f"the token becomes {rest}", before)

    def send(self, method, path, body=None, **headers):
        return self.client.send(method, path, body, {**TOKEN, **headers})


def test_key(rights):
    """Made once, told to nobody who may see less, and to the same caller again."""
    key = {"Idempotency-Key": "k1"}
    made = rights.send("POST", "/domains", document("db-1", f"<uuid>{UUID}</uuid>"), **key)
    check(made[0] == 201, "a domain", made)
    for rest in ("admin domains=web-* allow=gateway:document,domain:write,domain:save",
                 "admin deny=domain:reset", "admin hosts=def*"):
        rights.become(rest)
        status, headers, body = rights.send("POST", "/domains",
                                            document("db-1", f"<uuid>{UUID}</uuid>"), **key)
        check(status == 422 and json.loads(body)["type"].endswith("idempotency-mismatch") and
              UUID.encode() not in body and b"db-1" not in body and "Location" not in headers,
              f"{rest}: not told", f"{status} {body}")
        rights.become("admin")
    rights.become("viewer")
    status = rights.send("POST", "/domains", document("db-1"), **key)[0]
    check(status == 403, "who may not is told that first", status)
    rights.become("admin")
    again = rights.send("POST", "/domains", document("db-1", f"<uuid>{UUID}</uuid>"), **key)
    check((again[0], again[2]) == (201, made[2]), "the same rights: the same answer", again)
    # once is once, also with other rights
    key = {"Idempotency-Key": "k2"}
    check(rights.send("POST", "/domains/db-1/snapshots", b'{"name": "one"}', **key)[0] == 201,
          "a snapshot")
    check(rights.send("DELETE", "/domains/db-1/snapshots/one")[0] == 204, "which is deleted")
    rights.become("operator")
    status = rights.send("POST", "/domains/db-1/snapshots", b'{"name": "one"}', **key)[0]
    check(status == 422, "is not made again", status)
    check(rights.send("GET", "/domains/db-1/snapshots/one")[0] == 404, "and is not there")
    rights.become("admin")


def test_memory(rights):
    """Lists from memory, and entity tags of them."""
    for path in ("/domains", "/domains?fields=name"):
        for _ in range(3):
            status, headers, body = rights.send("GET", path)
        check(status == 200 and b"db-1" in body, f"{path} shows it", body)
        rights.become("admin domains=test")
        for more in ({}, {"If-None-Match": headers["ETag"]}):
            status, _, body = rights.send("GET", path, **more)
            check(status == 200 and b"db-1" not in body and b'"test"' in body,
                  f"{path} does not show it {more}", f"{status} {body}")
        rights.become("admin")
        check(b"db-1" in rights.send("GET", path)[2], f"{path} shows it again")
    tag = rights.send("GET", "/domains/db-1")[1]["ETag"]
    rights.become("admin domains=test")
    for more in ({"If-None-Match": tag}, {"If-None-Match": "*"}, {}):
        check(rights.send("GET", "/domains/db-1", **more)[0] == 404, f"nor does its own path {more}")
    status = [rights.send("POST", f"/domains/{name}/start", **{"If-Match": tag})[0]
              for name in ("db-1", "db-0")]
    check(status[0] == status[1] >= 400, "nor by a condition", status)
    rights.become("admin")


def main():
    with tempfile.TemporaryDirectory(prefix="vg-changed-") as folder:
        rights = Rights(folder)
        test_key(rights)
        test_memory(rights)
        rights.gateway.stop()
    report()


main()
