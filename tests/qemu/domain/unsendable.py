#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain whose document is longer than libvirtd may send (a quotation mark is one character of
what was defined, and six of what libvirt writes): what changes it says so, what needs the document
is a 502 of that domain alone, and lists have all the others. 413 is for what the gateway's own side
cannot send."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

QUOTES = '"' * 900_000


def document(name, text, folder):
    return f"""<domain type='qemu'><name>{name}</name><title>{name}'s</title>
<description>{text}</description><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<controller type='usb' model='none'/><memballoon model='none'/>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='{folder}/{name}.qcow2'/>
<target dev='vda' bus='virtio'/></disk></devices></domain>"""


def expect(client, status, method, target, body=None):
    got, _, text = client.send(method, target, body.encode() if body is not None else None)
    check(got == status, f"{method} {target} is {status}, not {got}:", text[:300])
    return json.loads(text) if text else {}


def test_changes(client, folder):
    """What succeeded says so, without what cannot be read again."""
    made = expect(client, 201, "POST", "/domains", document("long", QUOTES, folder))
    check("title" not in made and made.get("osType") == "hvm" and made.get("maxVcpus") == 1,
          "all but the title", made)
    again = document("long", QUOTES, folder).replace(
        "<memory", f"<uuid>{made['uuid']}</uuid><memory")
    expect(client, 200, "POST", "/domains", again)
    expect(client, 200, "PUT", "/domains/long/xml", again)
    expect(client, 200, "PATCH", "/domains/long?autostart=true")
    expect(client, 201, "POST", "/domains/long/snapshots", '{"name": "s"}')
    expect(client, 204, "PUT", "/domains/long/metadata?type=title&value=other")


def test_reads(client):
    for target in ("/domains/long", "/domains/long/xml", "/domains/long?view=config",
                   "/domains/long?fields=title", "/domains/long/devices",
                   "/domains/long/snapshots/s"):
        error = expect(client, 502, "GET", target)
        check(error.get("error", {}).get("codeName") == "VIR_ERR_RPC" and
              error.get("retryable") is False, f"{target} is libvirt's own error", error)
    expect(client, 200, "GET", "/domains/long?fields=name,state,osType,maxVcpus,memoryKiB")
    expect(client, 200, "GET", "/domains/long/state")
    for target in ("/domains?fields=name,title", "/hosts/-/domains?fields=name,title"):
        domains = {d["name"]: d for d in expect(client, 200, "GET", target)["domains"]}
        check("title" not in domains["long"] and domains["short"]["title"] == "short's",
              f"{target}: the field is left out of one", domains)
    listed = expect(client, 200, "GET", "/domains/long/snapshots")["snapshots"]
    check([s["name"] for s in listed] == ["s"] and "creationTimeSeconds" not in listed[0],
          "the snapshot's name", listed)
    expect(client, 200, "GET", "/domain-stats")


def test_too_large(client, folder):
    """More than libvirt can send from here, by each way a document or a text comes."""
    text = "&amp;" * 900_000
    error = expect(client, 413, "POST", "/domains", document("more", text, folder))
    check(error["status"] == 413 and error["retryable"] is False, "a problem", error)
    body = json.dumps({"domain": {"@type": "qemu", "name": "more", "description": "&" * 900_000,
                                  "memory": "16384", "os": {"type": "hvm"}}})
    expect(client, 413, "POST", "/domains", body)
    expect(client, 404, "GET", "/domains/more")
    body = json.dumps({"type": "description", "value": "a" * 4_300_000})
    error = expect(client, 413, "PUT", "/domains/short/metadata", body)
    check(error.get("error", {}).get("codeName") == "VIR_ERR_RPC", "libvirt's own limit", error)


def main():
    folder = tempfile.mkdtemp(prefix="vg-long-")
    os.chmod(folder, 0o777)
    for name in ("long", "short"):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{folder}/{name}.qcow2", "1M"],
                       check=True)
        os.chmod(f"{folder}/{name}.qcow2", 0o666)
    gateway = Gateway(os.environ["VG_QEMU_URI"])
    client = Client(gateway.port)
    expect(client, 201, "POST", "/domains", document("short", "x", folder))
    test_changes(client, folder)
    test_reads(client)
    test_too_large(client, folder)
    for name in ("long", "short"):
        expect(client, 204, "DELETE", f"/domains/{name}?flags=snapshots-metadata")
    gateway.stop()
    shutil.rmtree(folder)
    report()


main()
