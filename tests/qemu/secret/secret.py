#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""routes/secret/ on a real host: secrets and their values, each answer and each error against
libvirt's Python binding, which also changes them behind the gateway's back; lists from memory that
events keep true; and values that are nowhere afterwards: in no log at its highest level, no event,
no error, and not in the memory of the gateway."""
import base64
import json
import os
import re
import sys
import time
import uuid
from pathlib import Path

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
sys.path.insert(0, str(ROOT / "tests/qemu"))
from differential import check_all_read, compare_error, expect, names, same, text  # noqa: E402
from gateway import Client, Gateway, check, exchange, report  # noqa: E402

TYPES = names("VIR_SECRET_USAGE_TYPE_")
ELEMENTS = {"volume": "volume", "ceph": "name", "iscsi": "target", "tls": "name", "vtpm": "name"}
BYTES = "application/octet-stream"


def document(number, usage="", ephemeral="no", private="no", more=""):
    return (f"<secret ephemeral='{ephemeral}' private='{private}'><uuid>{number}</uuid>{more}"
            f"{usage}</secret>")


def ceph(name):
    return f"<usage type='ceph'><name>{name}</name></usage>"


def libvirts(secret):
    xml = secret.XMLDesc()
    return {"uuid": secret.UUIDString(), "usageType": TYPES[secret.usageType()],
            "usageId": secret.usageID(), "ephemeral": "ephemeral='yes'" in xml,
            "private": "private='yes'" in xml}


def check_lists(client, conn):
    secrets = [conn.secretDefineXML(document(uuid.uuid4(), ceph(f"list-{n}"), eph, priv))
               for n, (eph, priv) in enumerate((("no", "no"), ("yes", "no"), ("no", "yes")))]
    secrets.append(conn.secretDefineXML(document(uuid.uuid4())))
    want = sorted((libvirts(s) for s in conn.listAllSecrets()), key=lambda s: s["uuid"])
    expect(client, "GET", "/secrets", 200, secrets=want)
    for key in ("ephemeral", "private"):
        for value in ("true", "false"):
            expect(client, "GET", f"/secrets?{key}={value}", 200,
                   secrets=[s for s in want if s[key] == (value == "true")])
    expect(client, "GET", "/secrets?flags=no-private", 200,
           secrets=[s for s in want if not s["private"]])
    expect(client, "GET", "/secrets?limit=2&fields=usageId", 200, next=want[1]["uuid"], secrets=[
        {"uuid": s["uuid"], "usageId": s["usageId"]} for s in want[:2]])
    expect(client, "GET", f"/secrets?after={want[1]['uuid']}", 200, secrets=want[2:])
    expect(client, "GET", "/hosts/-/secrets", 200, unreachable=[],
           secrets=[s | {"host": "default"} for s in want])
    by_usage = "/secrets?usageType=ceph&usageId=list-1"
    expect(client, "GET", by_usage, 200, secrets=[s for s in want if s["usageId"] == "list-1"])
    compare_error(client, "no such use", lambda: conn.secretLookupByUsage(
        libvirt.VIR_SECRET_USAGE_TYPE_CEPH, "none"), "GET", "/secrets?usageType=ceph&usageId=none")
    expect(client, "GET", "/secrets?usageType=ceph", 400)
    expect(client, "GET", by_usage + "&fields=uuid,description", 200)
    expect(client, "GET", "/secrets?usageId=list-1", 400)
    expect(client, "GET", by_usage + "&private=true", 200, secrets=[])
    for one in want:
        path = "/secrets/" + one["uuid"]
        expect(client, "GET", path, 200, **one)
        same("XML", text(client, path + "/xml"),
             conn.secretLookupByUUIDString(one["uuid"]).XMLDesc())
    none = "/secrets/" + str(uuid.uuid4())
    compare_error(client, "not there", lambda: conn.secretLookupByUUIDString(none[9:]), "GET", none)
    expect(client, "GET", "/secrets/name", 404)
    for secret in secrets:
        secret.undefine()
    expect(client, "GET", by_usage, 404)


def check_life(client, conn):
    number = str(uuid.uuid4())
    fields, _ = expect(client, "POST", "/secrets", 201,
                       document(number, ceph("life"), more="<description>one</description>"),
                       uuid=number, usageType="ceph", usageId="life", description="one")
    at = "/secrets/" + number
    same("Location", fields["Location"], at)
    expect(client, "POST", "/secrets", 200, document(number, ceph("life")))
    expect(client, "POST", "/secrets", 412, document(number, ceph("life")), {"If-None-Match": "*"})
    expect(client, "POST", "/secrets", 409, document(uuid.uuid4(), ceph("life")))
    expect(client, "POST", "/secrets", 409, document(number, ceph("else")))
    _, config = expect(client, "GET", at + "?view=config", 200)
    expect(client, "PUT", at, 200, config, uuid=number)
    tag = client.send("GET", at)[1]["ETag"]
    patch = {"secret": {"description": "two"}}
    expect(client, "PATCH", at, 200, patch, {"If-Match": tag}, description="two")
    expect(client, "PATCH", at, 412, patch, {"If-Match": tag})
    expect(client, "PATCH", at, 409, {"secret": {"uuid": str(uuid.uuid4())}})
    expect(client, "PATCH", at, 409, {"secret": {"uuid": None}})
    expect(client, "PUT", at + "/xml", 200, document(number, ceph("life")), uuid=number)
    expect(client, "PUT", at + "/xml", 409, "<secret/>")
    expect(client, "PUT", at + "/xml?flags=validate", 422,
           document(number, more="<nosuch/>"))
    expect(client, "DELETE", at, 204)
    expect(client, "DELETE", at, 404)
    # short forms
    for kind, element in ELEMENTS.items():
        name = "/vg/secret" if kind == "volume" else f"short-{kind}"
        _, made = expect(client, "POST", "/secrets", 201, {"usageType": kind, "usageId": name},
                         usageType=kind, usageId=name, ephemeral=False, private=False)
        check(f"<{element}>{name}</{element}>" in
              conn.secretLookupByUUIDString(made["uuid"]).XMLDesc(), f"short form of {kind}")
        expect(client, "POST", "/secrets", 409, {"usageType": kind, "usageId": name})
        expect(client, "DELETE", "/secrets/" + made["uuid"], 204)
    _, made = expect(client, "POST", "/secrets", 201, {
        "usageType": "none", "description": "a<b", "ephemeral": True, "private": True,
        "uuid": number}, description="a<b", ephemeral=True, private=True, uuid=number)
    expect(client, "DELETE", at, 204)
    expect(client, "POST", "/secrets", 400, {"usageType": "ceph"})
    expect(client, "POST", "/secrets", 400, {"usageType": "none", "usageId": "x"})
    expect(client, "POST", "/secrets", 400, {"usageId": "x"})


def until_from_memory(client, path):
    for _ in range(2000):
        fields, answer = expect(client, "GET", path, 200)
        if fields["X-Virtgate-Source"] == "inventory":
            return answer
        time.sleep(0.02)
    check(False, f"{path} is never from memory")
    return answer


def check_memory(client, conn):
    """Own changes show at once, others' with their event; list, then watch: nothing is missed."""
    number = str(uuid.uuid4())
    until_from_memory(client, "/secrets")
    for _ in range(5):
        expect(client, "POST", "/secrets", 201, document(number, ceph("memory")))
        seen = expect(client, "GET", "/secrets", 200)[1]["secrets"]
        check(number in [s["uuid"] for s in seen], "an own secret is there at once")
        expect(client, "DELETE", "/secrets/" + number, 204)
        seen = expect(client, "GET", "/secrets", 200)[1]["secrets"]
        check(number not in [s["uuid"] for s in seen], "and gone at once")
    until_from_memory(client, "/secrets")
    since = client.send("GET", "/secrets")[1]["X-Virtgate-Revision"]
    theirs = conn.secretDefineXML(document(number, ceph("memory")))
    theirs.setValue(b"behind", 0)
    watched = []
    while len(watched) < 2:
        got = expect(client, "GET", f"/events?object=secret&wait=60&since={since}", 200)[1]
        if not got["events"]:
            break
        watched += got["events"]
        since = got["revision"]
    same("events", [(e["event"], e["secret"]["uuid"]) for e in watched],
         [("lifecycle", number), ("value-changed", number)])
    seen = until_from_memory(client, "/secrets")["secrets"]
    check(number in [s["uuid"] for s in seen], "what others defined is there after its event")
    one = until_from_memory(client, "/secrets/" + number)
    same("one from memory", one, libvirts(theirs))
    events = f"/secrets/{number}/events?wait=60&since={since}"
    theirs.setValue(b"again", 0)
    got = expect(client, "GET", events, 200)[1]["events"]
    same("its events", [(e["event"], e["secret"]["uuid"]) for e in got],
         [("value-changed", number)])
    theirs.undefine()
    for _ in range(2000):  # until its event has come
        if number not in str(exchange(client, "GET", "/secrets")[2]):
            break
        time.sleep(0.02)
    expect(client, "GET", "/secrets/" + number, 404)


# ---- values -------------------------------------------------------------------------------------

def memory_of(pid):
    """All that a process can write, in pieces, but the stack of its first thread, which libvirt's
    event loop is on: what it saves of registers there is not ours; and but what is larger than any
    memory of ours, the sanitizers' shadows."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            first, last, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            size = int(last, 16) - int(first, 16)
            if rights[:2] != "rw" or "[v" in line or "[stack]" in line or size > 1 << 30:
                continue
            try:
                memory.seek(int(first, 16))
                yield line.strip(), memory.read(size)
            except OSError:
                continue


def places(pid, value):
    return [f"{line} +{hex(data.find(value))} {data[max(0, data.find(value) - 64):][:100]!r}"
            for line, data in memory_of(pid) if value in data]


def check_values(client, conn):
    number = str(uuid.uuid4())
    at = f"/secrets/{number}/value"
    secret = conn.secretDefineXML(document(number, ceph("value")))
    compare_error(client, "no value yet", secret.value, "GET", at)
    for value in (b"x", bytes(range(256)), b"{\"json\": 1}", os.urandom(40000)):
        expect(client, "PUT", at, 204, value, {"Content-Type": BYTES})
        same("libvirt's", secret.value(), value)
        fields, got = expect(client, "GET", at, 200)
        same("the value", got, value)
        same("its type", fields["Content-Type"], BYTES)
        same("who may store it", fields["Cache-Control"], "no-store")
        check("ETag" not in fields, "it has no entity tag")
        check("Content-Encoding" not in client.send(
            "GET", at, headers={"Accept-Encoding": "gzip"})[1], "it is not compressed")
    expect(client, "PUT", at, 415, b"{}", {"Content-Type": "application/json"})
    expect(client, "PUT", at, 400)
    too_long = bytes(65537)
    _, problem = expect(client, "PUT", at, 413, too_long, {"Content-Type": BYTES})
    same("too long for libvirt", problem["error"]["code"], libvirt.VIR_ERR_RPC)
    expect(client, "PUT", at + "?x=1", 400, b"x", {"Content-Type": BYTES})
    expect(client, "GET", at, 406, headers={"Accept": "application/json"})
    expect(client, "PUT", f"/secrets/{uuid.uuid4()}/value", 404, b"x", {"Content-Type": BYTES})
    secret.undefine()
    private = conn.secretDefineXML(document(number, ceph("value"), private="yes"))
    expect(client, "PUT", at, 204, b"x", {"Content-Type": BYTES})
    compare_error(client, "private", private.value, "GET", at)
    expect(client, "GET", at, 403)
    private.undefine()


def pass_around(client, at, value):
    expect(client, "PUT", at, 204, value, {"Content-Type": BYTES})
    same("the value", expect(client, "GET", at, 200)[1], value)
    expect(client, "PUT", at, 204, (value[i:i + 100] for i in range(0, len(value), 100)),
           {"Content-Type": BYTES})
    expect(client, "PUT", at, 415, value, {"Content-Type": "text/plain"})
    expect(client, "PUT", f"/secrets/{uuid.uuid4()}/value", 404, value, {"Content-Type": BYTES})


def check_traces(client, gateway, conn):
    """The value is written and read, by one whole and in pieces, and refused; then looked for. Once
    before with another one: the loader saves registers on the stack when it first finds a function,
    and registers hold what was copied last."""
    number = str(uuid.uuid4())
    at = f"/secrets/{number}/value"
    secret = conn.secretDefineXML(document(number, ceph("traces")))
    since = client.send("GET", "/secrets")[1]["X-Virtgate-Revision"]
    for _ in range(2):
        half = os.urandom(24).hex().encode()
        pass_around(client, at, (half + b"-S3CRET-") * 20)
    events = expect(client, "GET", f"/events?wait=1&since={since}", 200)[1]
    check(half.decode() not in json.dumps(events), "no event has it")
    client.http.close()
    client.http = None
    for _ in range(20):
        expect(client, "GET", "/secrets", 200, headers={"Cache-Control": "no-cache"})
    log = Path(gateway.log.name).read_text(encoding="utf-8", errors="replace")
    check("/secrets" in log, "the log tells of the requests")
    check(half.decode() not in log and base64.b64encode(half).decode() not in log,
          "the log has it not")
    for _ in range(20):  # what a connection had goes with it, which the gateway hears of in its own time
        found = places(gateway.process.pid, half)
        if not found:
            break
        time.sleep(0.5)
    check(not found, "the gateway's memory has it not", "\n    ".join(found))
    secret.undefine()


def main():
    uri = os.environ["VG_QEMU_URI"]
    conn = libvirt.open(uri)
    libvirt.registerErrorHandler(lambda *_: None, None)
    gateway = Gateway(uri, "--log-filters", "1:*")
    client = Client(gateway.port)
    check_lists(client, conn)
    check_life(client, conn)
    check_memory(client, conn)
    check_values(client, conn)
    check_traces(client, gateway, conn)
    check_all_read("/secrets")
    conn.close()
    gateway.stop()
    report()


main()
