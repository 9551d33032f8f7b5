#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""routes/nwfilter/ on a real host: filters and their bindings, each answer and each error against
libvirt's Python binding, which also changes them behind the gateway's back. libvirt tells of that
by no event, so nothing may come from memory."""
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
sys.path.insert(0, str(ROOT / "tests/qemu"))
from differential import check_all_read, compare_error, expect, same, text  # noqa: E402
from gateway import Client, Gateway, check, exchange, report  # noqa: E402

DAEMON = str(ROOT / "tests/qemu/libvirtd.sh")
RULES = ("<rule action='drop' direction='in' priority='500'><tcp dstportstart='23'/></rule>"
         "<filterref filter='clean'><parameter name='IP' value='192.0.2.1'/></filterref>")
UUID = "c2a6b3f1-6ad9-4c59-8d7a-2f6f0c1d7e11"
OTHER = "c2a6b3f1-6ad9-4c59-8d7a-2f6f0c1d7e12"


def document(name, rules="", uuid=UUID):
    return f"<filter name='{name}' chain='root'><uuid>{uuid}</uuid>{rules}</filter>"


# ---- filters ------------------------------------------------------------------------------------

def check_lists(client, conn):
    for name in ("clean", "no-ip-a", "no-ip-b", "ünïcode \u4e2d", "a&b"):
        conn.nwfilterDefineXML(document(escape(name), RULES.replace("clean", "clean")
                                        if name != "clean" else "", str(uuid.uuid4())))
    filters = sorted(conn.listAllNWFilters(), key=lambda f: f.name())
    want = [{"name": f.name(), "uuid": f.UUIDString()} for f in filters]
    fields, got = expect(client, "GET", "/nwfilters", 200, nwfilters=want)
    same("a list's source", fields["X-Virtgate-Source"], "libvirt")
    fields, _ = expect(client, "GET", "/nwfilters", 200)
    same("and again", fields["X-Virtgate-Source"], "libvirt")
    full = expect(client, "GET", "/nwfilters?view=full", 200)[1]["nwfilters"]
    same("full lists: which", [f["name"] for f in full], [f["name"] for f in want])
    for shown, one in zip(full, want):
        if one["name"] == "a&b":  # libvirt's document of it is no XML
            same("what cannot be read", shown, one)
            continue
        same(f"{one['name']}: in a full list", shown,
             expect(client, "GET", "/nwfilters/" + quote(one["name"]), 200)[1])
    expect(client, "GET", "/nwfilters?name=no-ip-*&fields=name", 200, nwfilters=[
        {"name": f.name()} for f in filters if f.name().startswith("no-ip-")])
    expect(client, "GET", "/nwfilters?limit=2", 200, nwfilters=want[:2], next=want[1]["name"])
    expect(client, "GET", f"/nwfilters?after={quote(want[1]['name'])}", 200, nwfilters=want[2:])
    expect(client, "GET", "/hosts/-/nwfilters?limit=1", 200,
           nwfilters=[want[0] | {"host": "default"}], unreachable=[])
    for f in filters:
        same(f"XML of {f.name()}", text(client, f"/nwfilters/{quote(f.name())}/xml"), f.XMLDesc())
        same(f"{f.name()} by UUID", text(client, f"/nwfilters/{f.UUIDString()}/xml?by=uuid"),
             f.XMLDesc())


def check_life(client, conn):
    fields, _ = expect(client, "POST", "/nwfilters", 201, document("mine", RULES), uuid=UUID,
                       chain="root", rules=[
                           {"action": "drop", "direction": "in", "priority": 500,
                            "matches": [{"protocol": "tcp", "dstportstart": "23"}]}],
                       filters=[{"filter": "clean",
                                 "parameters": [{"name": "IP", "value": "192.0.2.1"}]}])
    same("Location", fields["Location"], "/nwfilters/mine")
    mine = conn.nwfilterLookupByName("mine")
    same("XML", text(client, "/nwfilters/mine/xml"), mine.XMLDesc())
    expect(client, "POST", "/nwfilters", 200, document("mine"), rules=[])
    expect(client, "POST", "/nwfilters", 412, document("mine"), {"If-None-Match": "*"})
    expect(client, "POST", "/nwfilters", 409, document("mine", uuid=OTHER))
    expect(client, "POST", "/nwfilters?dryRun=true", 200, document("none"))
    expect(client, "POST", "/nwfilters", 400, {})
    expect(client, "POST", "/nwfilters", 400, "<filter")
    compare_error(client, "not there", lambda: conn.nwfilterLookupByName("none"), "GET",
                  "/nwfilters/none")
    _, config = expect(client, "GET", "/nwfilters/mine?view=config", 200)
    same("PUT of what GET gives", expect(client, "PUT", "/nwfilters/mine", 200, config)[1],
         expect(client, "GET", "/nwfilters/mine", 200)[1])
    tag = client.send("GET", "/nwfilters/mine")[1]["ETag"]
    patch = {"filter": {"@priority": "-700", "rule": [{"@action": "accept", "@direction": "out"}]}}
    expect(client, "PATCH", "/nwfilters/mine", 200, patch, {"If-Match": tag}, priority=-700)
    expect(client, "PATCH", "/nwfilters/mine", 412, patch, {"If-Match": tag})
    expect(client, "PATCH", "/nwfilters/mine", 409, {"filter": {"@name": "another"}})
    expect(client, "PUT", "/nwfilters/mine/xml", 200, document("mine", RULES))
    expect(client, "PUT", "/nwfilters/mine/xml", 409, document("another"))
    expect(client, "PUT", "/nwfilters/none/xml", 404, document("none"))
    expect(client, "PUT", "/nwfilters/mine/xml?flags=validate", 422,
           f"<filter name='mine'><uuid>{UUID}</uuid><nosuch/></filter>")
    # behind its back
    conn.nwfilterDefineXML(document("mine", "<rule action='reject' direction='out'/>"))
    expect(client, "GET", "/nwfilters/mine", 200, rules=[
        {"action": "reject", "direction": "out", "priority": 500, "matches": []}])
    conn.nwfilterDefineXML(document("another", uuid=OTHER))
    expect(client, "GET", "/nwfilters?name=another", 200,
           nwfilters=[{"name": "another", "uuid": OTHER}])
    conn.nwfilterLookupByName("another").undefine()
    expect(client, "GET", "/nwfilters?name=another", 200, nwfilters=[])


# ---- bindings -----------------------------------------------------------------------------------

def binding(device, filter_name="mine", more=""):
    return (f"<filterbinding><owner><name>test</name><uuid>{OTHER}</uuid></owner>"
            f"<portdev name='{device}'/><mac address='52:54:00:00:00:01'/>"
            f"<filterref filter='{filter_name}'>{more}</filterref></filterbinding>")


def is_running(client, operation):
    return expect(client, "GET", operation, 200)[1]["state"] in ("pending", "running")


def wait_for(client, path, body, method="POST"):
    """The end of what is long work: at once, or of the operation."""
    status, fields, answer = exchange(client, method, path, body, {"Prefer": "wait=30"})
    at = fields["Location"]
    while status == 202 and is_running(client, at):
        time.sleep(0.05)
    if status == 202:
        answer = expect(client, "GET", at, 200)[1]
        status = answer.get("error", {"status": 200})["status"]
    return status, fields, answer


def check_bindings(client, conn):
    subprocess.run([DAEMON, "exec", "ip", "tuntap", "add", "vgtap0", "mode", "tap"], check=True)
    expect(client, "GET", "/nwfilter-bindings", 200, nwfilterBindings=[])
    status, _, answer = wait_for(client, "/nwfilter-bindings", binding(
        "vgtap0", more="<parameter name='IP' value='192.0.2.7'/>"))
    check(status in (200, 201), f"a binding: {status}", answer)
    want = {"portDev": "vgtap0", "filter": "mine", "owner": {"name": "test", "uuid": OTHER},
            "mac": "52:54:00:00:00:01", "parameters": [{"name": "IP", "value": "192.0.2.7"}]}
    got = expect(client, "GET", "/nwfilter-bindings/vgtap0", 200)[1]
    same("a binding", got, want | {"parameters": got["parameters"]})
    check({"name": "IP", "value": "192.0.2.7"} in got["parameters"], "its parameters", got)
    theirs = conn.nwfilterBindingLookupByPortDev("vgtap0")
    same("its filter", theirs.filterName(), "mine")
    same("its XML", text(client, "/nwfilter-bindings/vgtap0/xml"), theirs.XMLDesc())
    expect(client, "GET", "/nwfilter-bindings", 200,
           nwfilterBindings=[{"portDev": "vgtap0", "filter": "mine"}])
    expect(client, "GET", "/nwfilter-bindings?view=full", 200, nwfilterBindings=[got])
    expect(client, "GET", "/hosts/-/nwfilter-bindings", 200, unreachable=[])
    # the filter is in use, the device has a binding
    compare_error(client, "in use", conn.nwfilterLookupByName("mine").undefine, "DELETE",
                  "/nwfilters/mine")
    expect(client, "DELETE", "/nwfilters/mine", 409)
    expect(client, "POST", "/nwfilter-bindings", 409, binding("vgtap0"), {"Prefer": "wait=30"})
    expect(client, "POST", "/nwfilter-bindings", 412, binding("vgtap0"),
           {"Prefer": "wait=30", "If-None-Match": "*"})
    status = wait_for(client, "/nwfilter-bindings", binding("vgtap1", "none"))[0]
    check(status in (200, 201), f"a filter that is not there is accepted, too: {status}")
    conn.nwfilterBindingLookupByPortDev("vgtap1").delete()
    expect(client, "POST", "/nwfilter-bindings?dryRun=true", 200, binding("vgtap1"))
    compare_error(client, "not there", lambda: conn.nwfilterBindingLookupByPortDev("none"), "GET",
                  "/nwfilter-bindings/none")
    expect(client, "DELETE", "/nwfilter-bindings/none", 404)
    status = wait_for(client, "/nwfilter-bindings/vgtap0", None, "DELETE")[0]
    check(status in (200, 204), f"a binding's end: {status}")
    expect(client, "GET", "/nwfilter-bindings/vgtap0", 404)
    # behind its back
    conn.nwfilterBindingCreateXML(binding("vgtap0"))
    expect(client, "GET", "/nwfilter-bindings", 200,
           nwfilterBindings=[{"portDev": "vgtap0", "filter": "mine"}])
    conn.nwfilterBindingLookupByPortDev("vgtap0").delete()
    expect(client, "GET", "/nwfilter-bindings", 200, nwfilterBindings=[])


def check_reads_go_on(client, port):
    """While a binding is made, lists answer."""
    other = Client(port)
    status, fields, _ = exchange(client, "POST", "/nwfilter-bindings", binding("vgtap0"),
                             {"Prefer": "respond-async"})
    check(status in (201, 202), f"a binding is an operation: {status}")
    while status == 202 and is_running(other, fields["Location"]):
        expect(other, "GET", "/nwfilters?name=mine", 200)
        expect(other, "GET", "/domains", 200)
        time.sleep(0.05)
    expect(other, "GET", "/nwfilter-bindings/vgtap0", 200)
    check(wait_for(client, "/nwfilter-bindings/vgtap0", None, "DELETE")[0] in (200, 204),
          "its end")


def main():
    uri = os.environ["VG_QEMU_URI"]
    conn = libvirt.open(uri)
    libvirt.registerErrorHandler(lambda *_: None, None)
    gateway = Gateway(uri)
    client = Client(gateway.port)
    check_lists(client, conn)
    check_life(client, conn)
    check_bindings(client, conn)
    check_reads_go_on(client, gateway.port)
    expect(client, "DELETE", "/nwfilters/mine", 204)
    expect(client, "DELETE", "/nwfilters/mine", 404)
    for one in sorted(conn.listAllNWFilters(), key=lambda f: f.name() == "clean"):
        expect(client, "DELETE", "/nwfilters/" + quote(one.name()), 204)
    check_all_read("/nwfilters")
    check_all_read("/nwfilter-bindings")
    conn.close()
    gateway.stop()
    report()


main()
