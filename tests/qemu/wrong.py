#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is wrong in a client's document is a 4xx, also where libvirt calls it an internal error of its
own, a failed operation, or a failed system call. Each row is one document that a real libvirtd refuses;
tests/api/ has those of the test driver."""
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from gateway import Client, Gateway, check, exchange, report  # noqa: E402

UUID = "9c7b2b5e-93bd-4b44-9e8d-a8c8c1d7b5ab"
NAME, OF = "<name>o</name>", f"<uuid>{UUID}</uuid>"
OWNER, MAC = f"<owner>{NAME}{OF}</owner>", "<mac address='52:54:00:00:00:19'/>"
PARTS = [  # of ports and bindings
    MAC, OWNER, f"<owner>{NAME}</owner>{MAC}", f"<owner>{OF}</owner>{MAC}",
    f"<owner>{NAME}<uuid>x</uuid></owner>{MAC}", f"{OWNER}<mac/>", f"{OWNER}<mac address='x'/>"]
DEVICE, LINK = "<portdev name='wrong0'/>", "<linkdev name='lo'/>"
BINDS = "<filterref filter='wrong'/>"
RULE = "<rule action='drop' direction='in'>%s</rule>"
MDEV = "<device><parent>computer</parent><capability type='mdev'><type id='t'/>%s</capability></device>"


def documents():
    """(path, document, status)."""
    ports, bindings = "/networks/wrong/ports", "/nwfilter-bindings"
    for parts in PARTS:
        yield ports, f"<networkport>{parts}</networkport>", 422
        yield bindings, f"<filterbinding>{DEVICE}{BINDS}{parts}</filterbinding>", 422
    for uuid in ("x", ""):
        yield ports, f"<networkport><uuid>{uuid}</uuid>{OWNER}{MAC}</networkport>", 422
    for parts in (DEVICE, BINDS, DEVICE + BINDS + "<linkdev/>", DEVICE + "<filterref/>"):
        yield bindings, f"<filterbinding>{parts}{OWNER}{MAC}</filterbinding>", 422
    for rule in ("<rule/>", "<rule action='drop'/>", RULE % "<ip protocol='x'/>",
                 RULE % "<ip srcportstart='1'/>", RULE % "<mac srcmacaddr='x'/>",
                 RULE % "<tcp flags='x'/>"):
        yield "/nwfilters", f"<filter name='wrong2'>{rule}</filter>", 422
        yield "/nwfilters", f"<filter name='wrong'>{rule}</filter>", 422
    yield "/nwfilters", "<filter/>", 422
    yield "/nwfilters", "<filter name='wrong2'><uuid>x</uuid></filter>", 422
    yield "/nwfilters", "<filter name='../wrong2'/>", 400
    for usage in ("<usage type='volume'/>", "<usage type='iscsi'><target/></usage>",
                  "<usage type='ceph'><volume>v</volume></usage>"):
        yield "/secrets", f"<secret>{usage}</secret>", 422
    yield "/secrets", "<secret><uuid>x</uuid></secret>", 422
    for mdev in (MDEV % "<uuid>x</uuid>", MDEV % OF, (MDEV % "").replace("computer", "nosuch"),
                 "<device><parent>computer</parent></device>"):
        yield "/node-devices", mdev, 422
    yield "/networks", "<network><name>wrong2</name><uuid>x</uuid></network>", 422
    yield ("/networks", "<network><name>wrong2</name><ip address='192.168.9.1' prefix='24'><dhcp>"
           "<range start='192.168.9.2' end='x'/></dhcp></ip></network>", 422)


def pools(folder):
    other = f"<pool type='dir'><name>wrong2</name><target><path>{folder}</path></target></pool>"
    yield "/storage-pools", other, 409
    yield "/storage-pools?transient=true", other, 409
    yield ("/storage-pools", "<pool type='scsi'><name>wrong2</name><source><adapter type='fc_host' "
           "wwnn='x' wwpn='10000000c9831b4b'/></source><target><path>/dev/disk/by-path</path></target>"
           "</pool>", 422)


def send(client, method, path, body, wanted):
    status, _, answer = exchange(client, method, path, body,
                                 {"Content-Type": "application/xml"} if body and body[0] == "<" else None)
    check(status == wanted, f"{method} {path} {body} is {wanted}, not", f"{status} {answer}")
    return answer


def main():
    with tempfile.TemporaryDirectory(prefix="vg-wrong.") as folder:
        os.chmod(folder, 0o755)
        gateway = Gateway(os.environ["VG_QEMU_URI"])
        client = Client(gateway.port)
        made = [("/networks", "<network><name>wrong</name></network>", "/networks/wrong"),
                ("/nwfilters", "<filter name='wrong'/>", "/nwfilters/wrong"),
                ("/storage-pools", f"<pool type='dir'><name>wrong</name><target><path>{folder}</path>"
                 "</target></pool>", "/storage-pools/wrong")]
        for path, document, _ in made:
            send(client, "POST", path, document, 201)
        for path in ("/networks/wrong", "/storage-pools/wrong"):
            send(client, "POST", path + "/start", None, 204)
        for path, document, wanted in (*documents(), *pools(folder)):
            send(client, "POST", path, document, wanted)
        filters = send(client, "GET", "/nwfilters/wrong", None, 200)
        check(filters["rules"] == [], "a filter stays as it was", filters)
        send(client, "POST", "/connection/storage-pool-sources", '{"type":"sheepdog"}', 501)
        for path in ("/networks/wrong", "/storage-pools/wrong"):
            send(client, "POST", path + "/destroy", None, 204)
        for _, _, path in made:
            send(client, "DELETE", path, None, 204)
        gateway.stop()
    report()


if __name__ == "__main__":
    main()
