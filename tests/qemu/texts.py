#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""No text of a client makes a guest that libvirtd cannot read again.

Walks all text arguments of openapi.yaml (query, path, members of bodies at any depth, keys of
objects that take any) and sends to each, one at a time, what XML 1.0 does not have, on
test:///default and on the private libvirtd (VG_QEMU_URI). Each is refused, and the guests can be
read whole after every operation. Then: what XML has is kept exactly, namespaces that libvirt
would write wrongly are refused; libvirtd restarts, and every guest is there.
"""
import copy
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import quote

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "harness"))
from description import resolve  # noqa: E402
from gateway import Client, Gateway, check, report  # noqa: E402

SPEC = yaml.load((ROOT.parent / "openapi.yaml").read_text(),
                 getattr(yaml, "CSafeLoader", yaml.SafeLoader))
# In a body as JSON's escapes, in a target as the bytes of UTF-8, if need be of what is none.
# A CR alone is XML's, but libvirt writes it as it is, and reads a line feed.
BAD = ("\x01", "\x1b", "\ufffe", "\uffff", "\ud800", "\udfff", "\r")
# All that XML has and somebody may stumble over.
GOOD = "a\tb <&>\"' ]]> \x7f\x85 \ufffd \U0001ffff \u2028 %s &amp; -->"
# No document and no name is made of these: they may hold any text.
FREE = {("runGuestAgentCommand", "arguments"), ("runMonitorCommand", "arguments")}
GUESTS = ("text-off", "text-on")
DEPTH = 6


def is_text(schema):
    types = schema.get("type", "string")
    return "string" in (types if isinstance(types, list) else [types])


# ---- the arguments -------------------------------------------------------------------------


def branches(schema):
    """The schema and what it is composed of."""
    schema = resolve(SPEC, schema)
    yield schema
    for way in ("oneOf", "anyOf", "allOf"):
        for part in schema.get(way, ()):
            yield from branches(part)


def members(schema, way=()):
    """The ways to all texts that a value of this schema may hold: names of members, [] for an
    item, {} for the value and {key} for the key of an object that takes any."""
    if len(way) > DEPTH:
        return
    for part in branches(schema):
        if is_text(part) and way and "properties" not in part and "oneOf" not in part:
            yield way
        for name, inner in part.get("properties", {}).items():
            yield from members(inner, way + (name,))
        if isinstance(part.get("items"), dict):
            yield from members(part["items"], way + ("[]",))
        if part.get("type") == "object" and part.get("additionalProperties", True) is not False:
            yield way + ("{key}",)
            yield way + ("{}",)


def place(way, text, base):
    """`base` with the text at the end of the way, everything else as it was."""
    if not way:
        return text
    step, rest = way[0], way[1:]
    if step == "[]":
        old = base if isinstance(base, list) else []
        return [place(rest, text, old[0] if old else None), *old[1:]]
    object_ = dict(base) if isinstance(base, dict) else {}
    if step == "{key}":
        object_["a" + text] = "b"
    else:
        name = "any" if step == "{}" else step
        object_[name] = place(rest, text, object_.get(name))
    return object_


def examples(media):
    """Bodies to put texts into: complete ones come furthest."""
    given = [resolve(SPEC, e)["value"] for e in media.get("examples", {}).values()]
    given += [media["example"]] if "example" in media else []
    given = [e for e in given if isinstance(e, dict)]
    return given or [{}]


def requests(operation, item, path):
    """(what, method-less request) of each text argument, as a function of the text."""
    names = [resolve(SPEC, p) for p in [*item.get("parameters", ()), *operation.get("parameters", ())]]
    for p in names:
        if p["in"] == "query":
            name = p["name"]
            yield (f"?{name}", True,
                   lambda text, name=name: (f"{path}?{name}={encode('x' + text)}", None))
        elif p["in"] == "path" and p["name"] not in ("domain", "host"):
            word = "{" + p["name"] + "}"
            yield (word, p["name"] == "user", lambda text, word=word: (
                operation["x-path"].replace(word, encode("x" + text)), None))
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        if kind != "application/json":
            continue
        for way in dict.fromkeys(members(media["schema"])):
            if (operation["operationId"], way[0]) in FREE:
                continue
            for base in examples(media):
                yield ("/".join(way), True, lambda text, way=way, base=base: (
                    path, place(way, "x" + text, copy.deepcopy(base))))


def encode(text):
    return quote(text.encode("utf-8", "surrogatepass"))


def operations():
    for path, item in SPEC["paths"].items():
        for method, operation in item.items():
            if method in ("get", "put", "patch", "post", "delete"):
                yield path, method.upper(), item, operation


def target(path, guest, values):
    path = path.replace("{domain}", guest)
    for word, value in values.items():
        path = path.replace("{" + word + "}", value)
    return path


# ---- sending -------------------------------------------------------------------------------

VALUES = {"disk": "vda", "device": "vda", "interface": "vnet0", "alias": "video0",
          "snapshot": "none", "checkpoint": "none", "user": "root", "vcpu": "0", "iothread": "1",
          "operation": "0-0", "name": "none", "event": "lifecycle", "pid": "1", "index": "0",
          "host": "default", "file": "index.html", "dumpGuestId": "0"}


def headers_for(operation):
    """What /uploads wants before it looks at anything else."""
    media = "application/offset+octet-stream"
    taken = media in operation.get("requestBody", {}).get("content", {})
    return {"Tus-Resumable": "1.0.0", **({"Content-Type": media} if taken else {})}


def is_whole(client, guest, what):
    for path in (f"/domains/{guest}/xml?flags=inactive", f"/domains/{guest}?view=config"):
        status, _, body = client.send("GET", path)
        ok = status == 200
        if ok and "/xml" in path:
            try:
                ElementTree.fromstring(body)
            except ElementTree.ParseError as e:
                ok, body = False, str(e)
        check(ok, f"after {what}: GET {path} is {status}", body[:300])


def walk(gateway, driver, guests):
    client, sent = Client(gateway.port), 0
    for path, method, item, operation in operations():
        name = operation["operationId"]
        for guest in guests if "{domain}" in path else guests[:1]:
            operation["x-path"] = target(path, guest, {k: v for k, v in VALUES.items()
                                                       if "{" + k + "}" not in path})
            at = target(path, guest, VALUES)
            tried = dict(operation, **{"x-path": path.replace("{domain}", guest)})
            for word, value in VALUES.items():
                if path.count("{") - ("{domain}" in path) > 1:
                    tried["x-path"] = tried["x-path"].replace("{" + word + "}", value)
            for what, strict, make in requests(tried, item, at):
                for bad in BAD:
                    where, body = make(bad)
                    data = None if body is None else json.dumps(body).encode()
                    status, _, answer = client.send(method, where, data, headers_for(operation))
                    sent += 1
                    fine = 400 <= status < 500 or status == 501
                    if strict and "426" not in operation["responses"]:
                        fine = status == 400
                    if driver == "test" and path.startswith("/admin"):
                        fine = fine or status == 501  # it has no daemon
                    check(fine, f"{driver}: {name} {what} with {bad!r}: {status}",
                          f"{method} {where} {data} {answer[:300]}")
            if method != "GET":
                for there in guests:
                    is_whole(client, there, name)
    check(sent > 2000, f"{driver}: only {sent} requests")
    print(f"# {driver}: {sent} requests")


# ---- what is kept --------------------------------------------------------------------------


def document(kind, name):
    return (f"<domain type='{kind}'><name>{name}</name><memory unit='MiB'>16</memory>"
            "<vcpu>1</vcpu><os><type>hvm</type></os><devices/></domain>").encode()


def put(client, path, body):
    return client.send("PUT", path, json.dumps(body).encode())


def keep(gateway, driver):
    """What XML has, is there as it was sent."""
    client, at = Client(gateway.port), f"/domains/{GUESTS[0]}"
    for kind, text in (("title", GOOD), ("description", GOOD + "\n2")):
        status = put(client, f"{at}/metadata", {"type": kind, "value": text,
                                                "flags": ["config"]})[0]
        check(status == 204, f"{driver}: a good {kind} is {status}")
        got = client.get(f"{at}/metadata?type={kind}&flags=config")[2].get(kind)
        check(got == text, f"{driver}: {kind}", f"{got!r}")
    for number, (key, uri) in enumerate((("p", "urn:a"), ("p-1.\u00fc", "http://a.example/?x=1;y"),
                                         ("_", "urn:\"> é"))):
        answer = put(client, f"{at}/metadata", {"key": key, "uri": uri, "flags": ["config"],
                                                "value": f"<o n='{number}'>&amp;&lt;</o>"})
        check(answer[0] == 204, f"{driver}: element {key} {uri}", answer)
        status, _, body = client.get(f"{at}/metadata?uri={encode(uri)}&flags=config")
        check(status == 200 and "&amp;&lt;" in body["element"], f"{driver}: {uri}", body)
    is_whole(client, GUESTS[0], "good texts")


def namespaces(gateway, driver, kind):
    """Those that libvirt would write so that it cannot read them."""
    client, at = Client(gateway.port), f"/domains/{GUESTS[0]}"
    uris = ("https://panel.example/meta?tenant=1&zone=b", "", "a<b", "a\tb", "a\nb", "'\"",
            "http://www.w3.org/2000/xmlns/", "http://www.w3.org/XML/1998/namespace")
    keys = ("", "1", "a b", "a:b", "<", "xml", "xmlns", "XML", "xmlfoo", "a/", "a'b", "&amp;")
    for key, uri in [("p", u) for u in uris] + [(k, "urn:k") for k in keys]:
        answer = put(client, f"{at}/metadata", {"key": key, "uri": uri, "value": "<o/>",
                                                "flags": ["config"]})
        check(answer[0] == 400, f"{driver}: key {key!r} of {uri!r} is {answer[0]}", answer)
    inner = "<o xmlns:q='urn:q?a=1&amp;b=2'/>"
    answer = put(client, f"{at}/metadata", {"key": "p", "uri": "urn:p", "value": inner})
    check(answer[0] == 400, f"{driver}: a namespace in an element is {answer[0]}", answer)
    for bad in (b"<metadata><q:o xmlns:q='urn:q?a=1&#38;b=2'/></metadata>",
                b"<metadata><q:o/></metadata>", b"<title>a&#13;b</title>"):
        whole = document(kind, GUESTS[0]).replace(b"<devices/>", bad)
        answers = [client.send("POST", "/domains", whole),
                   client.send("POST", "/domains", json.dumps({"xml": whole.decode()}).encode()),
                   client.send("PUT", f"{at}/xml", whole)]
        check([a[0] for a in answers] == [400] * 3, f"{driver}: {bad} in a document", answers)
    is_whole(client, GUESTS[0], "bad namespaces")


def empty(gateway, driver):
    """An empty document is none: nothing is made of it."""
    for path, method, _, operation in operations():
        content = operation.get("requestBody", {}).get("content", {})
        if "application/xml" not in content:
            continue
        client = Client(gateway.port)
        for body in (b"", b" \n"):
            status = client.send(method, target(path, GUESTS[0], VALUES), body,
                                 {"Content-Type": "application/xml"})[0]
            check(status in (400, 404) if "save" in path else status == 400,
                  f"{driver}: {method} {path} with {body!r} is {status}")


def run(uri, driver, kind):
    gateway = Gateway(uri)
    client = Client(gateway.port)
    for name in GUESTS:
        status = client.send("POST", "/domains", document(kind, name))[0]
        check(status == 201, f"{driver}: {name} is defined: {status}")
    check(client.send("POST", f"/domains/{GUESTS[1]}/start")[0] == 204, f"{driver}: start")
    walk(gateway, driver, GUESTS)
    namespaces(gateway, driver, kind)
    keep(gateway, driver)
    empty(gateway, driver)
    if driver == "qemu":
        before = {n: client.send("GET", f"/domains/{n}/xml?flags=inactive")[2] for n in GUESTS}
        subprocess.run([ROOT / "qemu" / "libvirtd.sh", "restart"], check=True)
        gateway.stop()
        gateway = Gateway(uri)
        client = Client(gateway.port)
        for name in GUESTS:
            is_whole(client, name, "libvirtd's restart")
            after = client.send("GET", f"/domains/{name}/xml?flags=inactive")[2]
            check(after == before[name], f"{name} is as it was", f"\n{before[name]}\n{after}")
    for name in GUESTS:
        client.send("POST", f"/domains/{name}/destroy")
        status = client.send("DELETE", f"/domains/{name}?flags=snapshots-metadata")[0]
        check(status == 204, f"{driver}: {name} is undefined: {status}")
    gateway.stop()


run("test:///default", "test", "test")
if "VG_QEMU_URI" in os.environ:
    run(os.environ["VG_QEMU_URI"], "qemu", "qemu")
report()
