#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents: what the gateway gave it takes back, up to the limits that it names.

Sizes as XML and in JSON at their edges and by --max-document-bytes, elements and attributes at
theirs; guests of 900 disks and of 10,000 elements, read as JSON and written back; Python's own
XML declaration; empty bodies; prefixes without a namespace.
"""
import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

XML_MAX = 4 * 1024 * 1024
JSON_MAX = 4 * XML_MAX


def document(name, inside="", text=""):
    return (f"<domain type='test'><name>{name}</name>{text}<memory unit='MiB'>16</memory>"
            f"<vcpu>1</vcpu><os><type>hvm</type></os>{inside}</domain>")


def letters(n):
    n, text = n + 1, ""
    while n:
        n, digit = divmod(n - 1, 26)
        text = chr(97 + digit) + text
    return text


def disks(n):
    return "<devices>" + "".join(
        f"<disk type='file' device='disk'><source file='/nonexistent/{k}.img'/>"
        f"<target dev='vd{letters(k)}' bus='virtio'/></disk>" for k in range(n)) + "</devices>"


def marks(n):
    """n elements of another program's."""
    return f"<metadata><p:a xmlns:p='urn:p'>{'<p:b/>' * (n - 2)}</p:a></metadata>"


def post(client, xml, what, status):
    got, _, body = client.send("POST", "/domains", xml if isinstance(xml, bytes) else xml.encode())
    check(got == status, f"{what} is {got}, not {status}", body[:300])
    return body


def take_back(client, name, what):
    """JSON and XML as they were read, and a change that has nothing to do with their size."""
    at = f"/domains/{name}"
    status, headers, config = client.get(f"{at}?view=config&flags=inactive")
    check(status == 200, f"{what}: read as JSON: {status}")
    body = json.dumps({"domain": config["domain"]}).encode()
    status, _, answer = client.send("PUT", at, body, {"If-Match": headers["ETag"]})
    check(status == 200, f"{what}: PUT of {len(body)} bytes of JSON is {status}", answer[:300])
    xml = client.send("GET", f"{at}/xml?flags=inactive")[2]
    status, _, answer = client.send("PUT", f"{at}/xml", xml)
    check(status == 200, f"{what}: PUT of {len(xml)} bytes of XML is {status}", answer[:300])
    check(client.send("GET", f"{at}/xml?flags=inactive")[2] == xml, f"{what}: the same afterwards")
    for title in ("new", None):
        status, _, answer = client.send("PATCH", at,
                                        json.dumps({"domain": {"title": title}}).encode())
        check(status == 200, f"{what}: PATCH of the title is {status}", answer[:300])


def large(client):
    post(client, document("disks", disks(900)), "900 disks", 201)
    take_back(client, "disks", "900 disks")
    post(client, document("marks", marks(10000)), "10,000 elements", 201)
    take_back(client, "marks", "10,000 elements")
    whole = document("text", text=f"<description>{'&quot;' * 300000}</description>")
    post(client, whole, "300,000 quotes", 201)
    take_back(client, "text", "300,000 quotes")
    own = 6  # elements of a document without any
    post(client, document("most", marks(65536 - own)), "65,536 elements", 201)
    check(client.send("GET", "/domains/most?view=config")[0] == 200, "65,536 elements as JSON")
    body = post(client, document("more", marks(65537 - own)), "65,537 elements", 413)
    check(b"65536 elements" in body, "the limit is named", body)
    many = {"domain": {"@type": "test", "name": "more", "metadata": {"a": {"b": [{}] * 65536}}}}
    body = post(client, json.dumps(many), "too many in JSON", 413)
    check(b"65536 elements" in body and b"/domain/" not in body, "nothing else is blamed", body)
    wide = " ".join(f"a{n}='1'" for n in range(65))
    body = post(client, document("wide", f"<metadata {wide}/>"), "65 attributes", 413)
    check(b"64 attributes" in body, "the limit is named", body)
    patch = {"domain": {"metadata": {"a": {"b": [{}] * 65536}}}}
    status, _, body = client.send("PATCH", "/domains/disks", json.dumps(patch).encode())
    check(status == 413 and b"/domain/" not in body, f"a PATCH that is too large: {status}", body)


def sized(client, path, method, n, as_json, status, chunked=False):
    """A request whose body has n bytes, and whether that many are taken; it is no domain."""
    begin, end = (b'{"xml": "<a/>"', b'}') if as_json else (b"<a>", b"</a>")
    body = begin + b" " * (n - len(begin) - len(end)) + end
    media = {"Content-Type": "application/json" if as_json else "application/xml"}
    got, _, answer = client.send(method, path, iter([body]) if chunked else body, media)
    what = f"{method} {path} of {n} bytes of {'JSON' if as_json else 'XML'}"
    check(got == status, f"{what} is {got}, not {status}", answer[:300])
    if status == 413:
        check(b"max-document-bytes" in answer, f"{what}: the option is named", answer[:300])


def sizes(client, maximum):
    for chunked in (False, True):
        sized(client, "/domains", "POST", maximum, False, 422, chunked)
        sized(client, "/domains", "POST", maximum + 1, False, 413, chunked)
        for path, method in (("/domains", "POST"), ("/domains/test", "PUT"),
                             ("/domains/test", "PATCH"), ("/domains/test/xml", "PUT"),
                             ("/connection/domain-xml-to-native", "POST"), ("/domains/test/metadata", "PUT"),
                             ("/domains/test/devices", "POST"), ("/domains/test/migrate", "POST"),
                             ("/domains/test/checkpoints", "POST"),
                             ("/domains/test/disks/vda/copy", "POST")):
            sized(client, path, method, 4 * maximum + 1, True, 413, chunked)
    sized(client, "/domains", "POST", 4 * maximum, True, 422)
    status, _, body = client.send("PATCH", "/domains/test", b'{"domain": {"title": "%s"}}'
                                  % (b" " * 300000))
    check(status == 200 or maximum < XML_MAX, f"JSON with a document past 256 KiB is {status}",
          body[:300])


def others(client):
    """Rows without documents keep --max-json-bytes."""
    status, _, body = client.send("POST", "/domains/test/reset", b"{" + b" " * 262144 + b"}")
    check(status == 413 and b"max-json-bytes" in body, f"no document: {status}", body)


def declared(client):
    for encoding, status in (("utf8", 201), ("utf-8", 201), ("us-ascii", 201), ("utf-16", 422)):
        tree = ElementTree.fromstring(document(f"python-{encoding}"))
        xml = ElementTree.tostring(tree, encoding=encoding, xml_declaration=True)
        got, _, answer = client.send("POST", "/domains", xml, {"Content-Type": "application/xml"})
        check(got == status, f"encoding {encoding} is {got}", answer)


def empty(client):
    media = {"Content-Type": "application/xml"}
    kinds = ("application/xml", "TEXT/XML;charset=utf-16", "application/soap+xml; charset=utf-8")
    for path in ("/domains", "/domains/test/snapshots", "/domains/test/devices",
                 "/domains/test/checkpoints", "/domains/test/backup"):
        for body in (b"", b" \r\n", b"\xef\xbb\xbf"):
            status, _, answer = client.send("POST", path, body, media)
            check(status == 400 and b"empty" in answer, f"{path} with {body!r} is {status}", answer)
        for kind in kinds:
            for body in (b"", iter([])):
                status, _, answer = client.send("POST", path, body, {"Content-Type": kind})
                check(status == 400 and b"empty" in answer, f"{path}, no {kind}, {body}: {status}",
                      answer)
        status, _, answer = client.send("POST", path, b'{"xml": ""}')
        check(status == 400, f"{path} with an empty member is {status}", answer)
    check(client.get("/domains/test/snapshots")[2]["snapshots"] == [], "no snapshot was made")


def undeclared(client):
    """A prefix that nothing declares has no JSON form: what is refused there is refused here."""
    media = {"Content-Type": "application/xml"}
    for method, path in (("POST", "/domains"), ("PUT", "/domains/test/xml"),
                         ("POST", "/domains/test/devices"), ("PUT", "/domains/test/devices"),
                         ("POST", "/domains/test/devices/detach"),
                         ("POST", "/domains/test/snapshots"), ("POST", "/domains/test/checkpoints"),
                         ("POST", "/domains/test/backup")):
        for xml in (document("lost", "<q:a/>"), document("lost", "<devices q:a=''/>"),
                    document("lost", "<metadata><p:a xmlns:p='urn:p'/><p:b/></metadata>")):
            status, _, answer = client.send(method, path, xml.encode(), media)
            check(status == 400 and b"xmlns:" in answer, f"{method} {path}: {xml} is {status}",
                  answer)
    check(client.get("/domains/lost")[0] == 404, "no domain was made")
    fine = document("found", "<metadata><p:a xmlns:p='urn:p' xml:space='default'><p:b/></p:a>"
                    "</metadata>")
    post(client, fine, "declared prefixes", 201)
    take_back(client, "found", "declared prefixes")


def returned(client):
    """A carriage return, which libvirt writes as it is and reads as a line feed: a guest with one
    in its title is gone when libvirtd restarts."""
    for xml in (document("a&#13;b"), document("cr", text="<title>a&#xD;</title>"),
                document("cr", "<devices><disk type='file&#13;'/></devices>"),
                document("cr", text="<title><![CDATA[a]]>&#13;<![CDATA[b]]></title>")):
        body = post(client, xml, xml, 400)
        check(b"#13" in body, "the refusal names it", body)
    fine = document("crlf", "<metadata><p:a xmlns:p='urn:p' b='&#13;'>&#13;</p:a></metadata>",
                    "<description>a&#13;&#10;b</description>")
    post(client, fine.replace("><", ">\r\n<"), "lines that end with CR LF", 201)


gateway = Gateway("test:///default")
first = Client(gateway.port)
large(first)
sizes(first, XML_MAX)
others(first)
declared(first)
empty(first)
undeclared(first)
returned(first)
gateway.stop()
gateway = Gateway("test:///default", "--max-document-bytes", "100000")
sizes(Client(gateway.port), 100000)
gateway.stop()
report()
