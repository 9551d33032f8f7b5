#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is not there is a 404: every operation of openapi.yaml whose path names a part of a domain
is asked for one that the domain does not have, on QEMU and the test driver, running and shut off,
with the example of its body. And what is taken, or has no place, is a 409."""
import json
import os
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/harness"))
from description import resolve  # noqa: E402
from gateway import Client, Gateway, WebSocket, check, report  # noqa: E402

SPEC = yaml.load((ROOT / "openapi.yaml").read_text(), yaml.CSafeLoader)
METHODS = ("get", "put", "patch", "post", "delete")
# Names that nothing has, of each variable below {domain}; a number where the path takes one.
NOSUCH = {"{vcpu}": "99", "{iothread}": "99", "{index}": "99"}
# No parts of a domain's document: which processes and users there are only the guest knows, and
# the events of lifecycle-actions are words of libvirt.
OTHERS = ("{pid}", "{user}", "{event}")
# Names that only a running domain has: of one that is off, that it is off may be said.
RUNNING = ("/interfaces/nosuch", "/devices/nosuch", "/console?device=nosuch")
# Parts that are named in the query.
QUERIES = [("GET", "/domains/{domain}/console?device=nosuch", None),
           ("GET", "/domains/{domain}/screenshot?screen=99", None),
           ("GET", "/domains/{domain}/managed-save/xml", None),
           ("GET", "/domains/{domain}/current-snapshot", None),
           ("DELETE", "/domains/{domain}/managed-save", None)]


# The test driver has every screen, and removes an image that is not there.
LENIENT = ("/screenshot?screen=99", "/managed-save")


def guest(name, machine="q35", more=""):
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>
<vcpu>1</vcpu><os><type arch='x86_64' machine='{machine}'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<controller type='usb' model='none'/><memballoon model='none'/>{more}</devices></domain>"""


PORTS = """<controller type='pci' index='1' model='pcie-root-port'/>
<controller type='pci' index='2' model='pcie-root-port'/><serial type='pty'/>
<graphics type='vnc' autoport='yes' listen='127.0.0.1'/><video><model type='vga'/></video>"""
INTERFACE = """<interface type='user'><mac address='52:54:00:00:00:07'/><model type='virtio'/>
</interface>"""


def example_body(operation):
    content = operation.get("requestBody", {}).get("content", {})
    for media in ("application/json", "application/merge-patch+json"):
        if media in content:
            first = next(iter(content[media].get("examples", {}).values()), {})
            value = content[media].get("example", first.get("value", {}))
            return json.dumps(value).encode()
    return None


def example_query(item, operation):
    parameters = (resolve(SPEC, p) for p in item.get("parameters", []) + operation.get("parameters", []))
    pairs = [f"{p['name']}={p['example']}" for p in parameters
             if p["in"] == "query" and p.get("required")]
    return "?" + "&".join(pairs) if pairs else ""


def requests():
    """(method, target with {domain}, body) of every operation on a part of a domain."""
    yield from QUERIES
    for path, item in SPEC["paths"].items():
        _, domain, rest = path.partition("/domains/{domain}/")
        variables = [s for s in rest.split("/") if s.startswith("{") and s not in OTHERS]
        if not domain or not variables:
            continue
        target = path
        for variable in variables:
            target = target.replace(variable, NOSUCH.get(variable, "nosuch"))
        for method in METHODS:
            if method in item:
                yield (method.upper(), target + example_query(item, item[method]),
                       example_body(item[method]))


def ask(client, method, target, body):
    """Status and body; WebSockets are asked for by a handshake."""
    if any(s in target for s in ("/console", "/channels/", "/graphics/")):
        socket = WebSocket(client.port, target)
        socket.close()
        return socket.status, socket.body
    headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    status, _, text = client.send(method, target, body, headers)
    return status, text[:300]


def test_missing(client, name, unsupported, running):
    """`unsupported`: the driver lacks some, and says so."""
    for method, target, body in requests():
        target = target.replace("{domain}", name)
        status, text = ask(client, method, target, body)
        fine = unsupported and (status == 501 or (status < 300 and target.endswith(LENIENT)))
        fine = fine or (status == 409 and not running and any(p in target for p in RUNNING))
        check(status == 404 or fine,
              f"{method} {target} is 404, not {status}:", text)


def expect(client, status, method, target, body=None):
    if body is None:
        data = None
    else:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
    got, _, text = client.send(method, target, data)
    check(got == status, f"{method} {target} is {status}, not {got}:", text[:300])
    return json.loads(text) if text else None


def aliases(client, flags=""):
    return [d["alias"] for d in expect(client, 200, "GET", f"/domains/has/devices{flags}")
            ["devices"] if d["type"] == "interface"]


def test_taken(client):
    """Names, numbers and places that something else has."""
    made = expect(client, 201, "POST", "/domains", guest("twin"))
    expect(client, 409, "POST", "/domains", guest("twin"))
    same = guest("twin").replace("<memory", f"<uuid>{made['uuid']}</uuid><memory")
    again = expect(client, 200, "POST", "/domains", same)
    check(again["uuid"] == made["uuid"], "defined again", again)
    expect(client, 409, "POST", "/domains", same.replace("twin", "other"))
    expect(client, 409, "POST", "/domains/twin/rename", {"name": "has"})
    expect(client, 204, "DELETE", "/domains/twin")
    for flags in (["live"], ["config"]):
        expect(client, 201, "POST", "/domains/has/iothreads", {"id": 3, "flags": flags})
        expect(client, 409, "POST", "/domains/has/iothreads", {"id": 3, "flags": flags})
    many = INTERFACE.replace("<mac address='52:54:00:00:00:07'/>", "") * 300
    expect(client, 409, "POST", "/domains", guest("much", more=many))


def test_no_file(client):
    """Names, paths and sizes that no file of the host can have are the client's mistake."""
    long = "x" * 300
    expect(client, 400, "POST", "/domains", guest(long))
    expect(client, 400, "POST", "/nwfilters", f"<filter name='{long}'/>")
    expect(client, 400, "POST", "/domains/has/save", {"file": f"/nonexistent/{'x' * 4200}"})
    expect(client, 404, "GET", f"/domains/{long}")


def test_no_place(client):
    """The guest has a few slots to plug into; a detach of both frees one in both."""
    both = "/domains/has/devices?flags=live,config"
    for i in range(7, 17):
        status, _, text = client.send("POST", both, INTERFACE.replace(":07", f":{i:02}").encode())
        if status != 204:
            break
    error = json.loads(text).get("error", {}) if text else {}
    check(i > 7 and (status, error.get("codeName")) == (409, "VIR_ERR_INTERNAL_ERROR"),
          f"after {i - 7} interfaces there is no slot: 409, not {status}", text)
    first = aliases(client)[0]
    expect(client, 202, "DELETE", f"/domains/has/devices/{first}?flags=live,config")
    left = expect(client, 200, "GET", "/domains/has/interfaces?flags=inactive")["interfaces"]
    check("52:54:00:00:00:07" not in [i["mac"] for i in left], "it is in no definition", left)


def test_several(client):
    """What is there is not called missing where libvirt cannot tell which is meant."""
    expect(client, 201, "POST", "/domains", guest("pair", more=INTERFACE * 2))
    expect(client, 204, "POST", "/domains/pair/start", {})
    for flags in ("live,config", "config", "live"):
        expect(client, 409, "POST", f"/domains/pair/devices/detach?flags={flags}", INTERFACE)
    problem = expect(client, 409, "DELETE", "/domains/pair/devices/net0?flags=live,config")
    check("has no device" not in problem["detail"], "net0 is there", problem)
    expect(client, 404, "DELETE", "/domains/pair/devices/net0?flags=config")
    expect(client, 404, "DELETE", "/domains/pair/devices/net9?flags=live,config")
    expect(client, 204, "POST", "/domains/pair/destroy", {})
    expect(client, 204, "DELETE", "/domains/pair")


def main():
    gateway = Gateway(os.environ["VG_QEMU_URI"])
    client = Client(gateway.port)
    expect(client, 201, "POST", "/domains", guest("has", more=PORTS))
    test_missing(client, "has", False, False)
    expect(client, 204, "POST", "/domains/has/start", {})
    test_missing(client, "has", False, True)
    test_taken(client)
    test_no_file(client)
    test_no_place(client)
    test_several(client)
    expect(client, 204, "POST", "/domains/has/destroy", {})
    expect(client, 204, "DELETE", "/domains/has?flags=snapshots-metadata")
    gateway.stop()

    gateway = Gateway("test:///default")
    client = Client(gateway.port)
    test_missing(client, "test", True, True)
    expect(client, 204, "POST", "/domains/test/destroy", {})
    test_missing(client, "test", True, False)
    gateway.stop()
    report()


main()
