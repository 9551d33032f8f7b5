#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls that fail though all that they are about is there: the daemon does not know the call, or ends
when it is asked. Each row is one function of libvirt that nothing else makes fail, asked of a real
libvirtd with two sockets between (harness/wire.py). The answer has libvirt's error; where that is
of one field of many, the others are told. A read is asked twice, a change never; and the next answer
is what it was before.
"""
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "harness"))
from gateway import Client, Gateway, check, record, report  # noqa: E402
from wire import ADMIN, REMOTE, Wire  # noqa: E402

UUID = "9c7b2b5e-93bd-4b44-9e8d-a8c8c1d7b5aa"
NETWORK, PORT = "/networks/refused", f"/networks/refused/ports/{UUID}"
POOL, VOLUME = "/storage-pools/refused", "/storage-pools/refused/volumes/v"
FILTER, BINDING, SECRET = "/nwfilters/refused", "/nwfilter-bindings/refused0", f"/secrets/{UUID}"
LO, COMPUTER = "/interfaces/lo", "/node-devices/computer"
LOGGING, SERVER = "/admin/logging", "/admin/servers/libvirtd"

# Of a request: (program, procedure, function, method, path, the field that it tells: None, all).
# The numbers are those of libvirt's remote_protocol.x and admin_protocol.x, and do not change.
CALLS = [
    (REMOTE, 283, "virConnectListAllNetworks", "GET", "/networks", None),
    (REMOTE, 43, "virNetworkGetXMLDesc", "GET", NETWORK + "/xml", None),
    (REMOTE, 44, "virNetworkGetAutostart", "GET", NETWORK + "/autostart", None),
    (REMOTE, 44, "virNetworkGetAutostart", "GET", NETWORK, "autostart"),
    (REMOTE, 152, "virNetworkIsActive", "GET", NETWORK, "active"),
    (REMOTE, 153, "virNetworkIsPersistent", "GET", NETWORK, "persistent"),
    (REMOTE, 407, "virNetworkPortGetParameters", "GET", PORT + "/parameters", None),
    (REMOTE, 409, "virNetworkPortGetXMLDesc", "GET", PORT + "/xml", None),
    (REMOTE, 410, "virNetworkPortDelete", "DELETE", PORT, None),
    (REMOTE, 281, "virConnectListAllStoragePools", "GET", "/storage-pools", None),
    (REMOTE, 88, "virStoragePoolGetXMLDesc", "GET", POOL + "/xml", None),
    (REMOTE, 89, "virStoragePoolGetAutostart", "GET", POOL + "/autostart", None),
    (REMOTE, 87, "virStoragePoolGetInfo", "GET", POOL, "capacityBytes"),
    (REMOTE, 154, "virStoragePoolIsActive", "GET", POOL, "active"),
    (REMOTE, 155, "virStoragePoolIsPersistent", "GET", POOL, "persistent"),
    (REMOTE, 86, "virStoragePoolLookupByVolume", "GET", "/volumes?path={volume}", "pool"),
    (REMOTE, 99, "virStorageVolGetXMLDesc", "GET", VOLUME + "/xml", None),
    (REMOTE, 100, "virStorageVolGetPath", "GET", VOLUME, "path"),
    (REMOTE, 209, "virStorageVolDownload", "GET", VOLUME + "/content", None),
    (REMOTE, 208, "virStorageVolUpload", "PUT", VOLUME + "/content", None),
    (REMOTE, 143, "virSecretGetXMLDesc", "GET", SECRET + "/xml", None),
    (REMOTE, 146, "virSecretUndefine", "DELETE", SECRET, None),
    (REMOTE, 177, "virNWFilterGetXMLDesc", "GET", FILTER + "/xml", None),
    (REMOTE, 398, "virNWFilterBindingGetXMLDesc", "GET", BINDING + "/xml", None),
    (REMOTE, 400, "virNWFilterBindingDelete", "DELETE", BINDING, None),
    (REMOTE, 284, "virConnectListAllInterfaces", "GET", "/interfaces", None),
    (REMOTE, 130, "virInterfaceGetXMLDesc", "GET", LO + "/xml", None),
    (REMOTE, 156, "virInterfaceIsActive", "GET", LO, "active"),
    (REMOTE, 114, "virNodeDeviceGetXMLDesc", "GET", COMPUTER + "/xml", None),
    (REMOTE, 117, "virNodeDeviceListCaps", "GET", COMPUTER, "capabilities"),
    (REMOTE, 6, "virNodeGetInfo", "GET", "/node", None),
    (REMOTE, 293, "virNodeGetCPUMap", "GET", "/node/cpu-map", None),
    (REMOTE, 122, "virNodeGetSecurityModel", "GET", "/node/security-model", None),
    (REMOTE, 102, "virNodeGetFreeMemory", "GET", "/node/memory", None),
    (REMOTE, 7, "virConnectGetCapabilities", "GET", "/connection/capabilities", None),
    (ADMIN, 3, "virAdmConnectGetLibVersion", "GET", "/admin/version", None),
    (ADMIN, 4, "virAdmConnectListServers", "GET", "/admin/servers", None),
    (ADMIN, 6, "virAdmServerGetThreadPoolParameters", "GET", SERVER + "/threadpool", None),
    (ADMIN, 8, "virAdmServerListClients", "GET", SERVER + "/clients", None),
    (ADMIN, 10, "virAdmClientGetInfo", "GET", SERVER + "/clients/{client}", None),
    (ADMIN, 12, "virAdmServerGetClientLimits", "GET", SERVER + "/client-limits", None),
    (ADMIN, 14, "virAdmConnectGetLoggingOutputs", "GET", LOGGING, None),
    (ADMIN, 15, "virAdmConnectGetLoggingFilters", "GET", LOGGING, None),
    (ADMIN, 19, "virAdmConnectSetDaemonTimeout", "PUT", "/admin/timeout", None),
]
BODIES = {VOLUME + "/content": (b"w" * 5000, "application/octet-stream"),
          "/admin/timeout": (b'{"seconds":0}', "application/json")}

# Of a connection that is made: (procedure, function, calls of it before, path, what is told without;
# None: there is no connection). The name of libvirt's own driver is libvirt's choice.
FACTS = [
    (3, "virConnectGetType", 0, "/connection", {"type": "remote"}),
    (59, "virConnectGetHostname", 0, "/connection", {"hostname": None}),
    (4, "virConnectGetVersion", 0, "/version", {"hypervisor": {"type": "QEMU"}}),
    (149, "virConnectIsEncrypted", 0, "/connection", None),
    (149, "virConnectIsSecure", 1, "/connection", None),
]
# What makes answers from memory true: (procedure, function, list).
EVENTS = [
    (313, "virConnectNetworkEventRegisterAny", "/networks"),
    (368, "virConnectStoragePoolEventRegisterAny", "/storage-pools"),
    (374, "virConnectNodeDeviceEventRegisterAny", "/node-devices"),
]


class Asker:
    def __init__(self, gateway, wire):
        self.client, self.wire = Client(gateway.port), wire

    def send(self, method, path, body=None, fields=None, recorded=True):
        """(status, header fields, the answer's JSON or text)."""
        status, headers, answer = self.client.send(method, path, body, fields)
        answer = answer.decode()
        if recorded or status != 200:
            record(method, path, status, dict(headers), answer)
        return status, headers, json.loads(answer) if answer[:1] == "{" else answer

    def ask(self, method, path):
        body, media = BODIES[path] if method == "PUT" else (None, None)
        fields = {"Cache-Control": "no-cache"} | ({"Content-Type": media} if media else {})
        # a 200 may lack what the description promises: the field that libvirt refuses
        status, _, answer = self.send(method, path, body, fields, recorded=False)
        return status, answer

    def until(self, what, done):
        end = time.monotonic() + 60
        while not (is_done := done()) and time.monotonic() < end:
            time.sleep(0.02)
        check(is_done, what)

    def until_up(self, path):
        self.until(f"{path} is there again", lambda: self.ask("GET", path)[0] == 200)

    def source(self, path):
        return self.send("GET", path)[1].get("X-Virtgate-Source")

    def until_events(self, path="/secrets"):
        """Secrets are what the gateway registers for last; a libvirtd 9.0 whose client goes while it
        registers may crash."""
        self.until(f"{path} is remembered", lambda: self.source(path) == "inventory")


def prepare(asker, folder):
    for path, body in (
            ("/networks", '{"name":"refused","mode":"isolated","start":true}'),
            (NETWORK + "/ports", f"<networkport><uuid>{UUID}</uuid><owner><name>o</name>"
             f"<uuid>{UUID}</uuid></owner><mac address='52:54:00:00:00:09'/></networkport>"),
            ("/storage-pools", json.dumps({"name": "refused", "type": "dir", "build": True,
                                           "path": folder + "/pool", "start": True})),
            (POOL + "/volumes", '{"name":"v","capacityBytes":5000}'),
            ("/secrets", f"<secret><uuid>{UUID}</uuid></secret>"),
            ("/nwfilters", "<filter name='refused'/>"),
            ("/nwfilter-bindings", f"<filterbinding><owner><name>o</name><uuid>{UUID}</uuid></owner>"
             "<portdev name='refused0'/><mac address='52:54:00:00:00:09'/>"
             "<filterref filter='refused'/></filterbinding>")):
        status, _, answer = asker.send("POST", path, body.encode())
        check(status == 201, f"POST {path}", f"{status} {answer}")


def clean_up(asker):
    """All is there still: of what was refused nothing was done."""
    for method, path in (("DELETE", PORT), ("DELETE", BINDING), ("DELETE", FILTER),
                         ("DELETE", SECRET), ("DELETE", VOLUME), ("POST", POOL + "/destroy"),
                         ("DELETE", POOL), ("POST", NETWORK + "/destroy"), ("DELETE", NETWORK)):
        status, _, answer = asker.send(method, path)
        check(status == 204, f"{method} {path}", f"{status} {answer}")


def check_unknown(asker, row, path):
    """The daemon does not know this call."""
    program, procedure, function, method, _, field = row
    before = asker.ask("GET", path)[1] if field else {}
    with asker.wire.breaking(program, procedure, cuts=False):
        status, answer = asker.ask(method, path)
    check(asker.wire.met > 0, f"{function} is called by {method} {path}")
    if field:
        check(status == 200 and field in before and field not in answer and
              answer.keys() < before.keys(), f"{function}: all but {field}", f"{status} {answer}")
        return
    error = answer.get("error", {})
    check(status == 501 and error["codeName"] == "VIR_ERR_NO_SUPPORT" and not answer["retryable"] and
          "unknown procedure" in answer["detail"], f"{function} fails", f"{status} {answer}")


def check_end(asker, row, path):
    """The daemon ends at this call: a read is asked of the next one, which ends, too."""
    program, procedure, function, method, _, _ = row
    with asker.wire.breaking(program, procedure, cuts=True):
        status, answer = asker.ask(method, path)
    reads = method == "GET"
    check(asker.wire.met == (2 if reads else 1), f"{method} {path} is asked", asker.wire.met)
    check(status == 503 and answer["retryable"] and answer["error"]["message"] and
          answer.get("outcome") == (None if reads else "unknown"),
          f"{function}: its daemon ended", f"{status} {answer}")


def check_calls(asker):
    values = {"volume": asker.ask("GET", VOLUME)[1]["path"],
              "client": asker.ask("GET", SERVER + "/clients")[1]["clients"][0]["id"]}
    for row in CALLS:
        for broken in (check_unknown, check_end):
            path = row[4].format(**values)
            read = path if row[3] == "GET" and "{client}" not in row[4] else "/node"
            broken(asker, row, path)
            asker.until_up(read)
            asker.until_up("/admin/servers")
            # those of before have ended
            values["client"] = asker.ask("GET", SERVER + "/clients")[1]["clients"][0]["id"]


@contextlib.contextmanager
def connected_again(asker, procedure, function, cuts, after=0):
    """All connections end, and while the block runs none is made whose calls of this are answered."""
    asker.until_events()
    with asker.wire.breaking(REMOTE, procedure, cuts, after):
        asker.wire.hang_up()
        asker.until(f"{function} is called", lambda: asker.wire.met > 0)
        yield


def check_facts(asker):
    """What a connection is asked when it is made: some of it may stay unknown."""
    for procedure, function, after, path, less in FACTS:
        whole = asker.ask("GET", path)[1]
        for cuts in (False, True):
            answers = []

            def told(answers=answers, path=path, wanted=503 if cuts or less is None else 200):
                answers.append(asker.ask("GET", path))
                return answers[-1][0] == wanted
            with connected_again(asker, procedure, function, cuts, after):
                asker.until(f"{function} is told of", told)
            answer = answers[-1][1]
            if cuts or less is None:
                check(answer["retryable"] and "cannot be reached" in answer["detail"],
                      f"{function}: the host cannot be used", answer)
            else:
                same = {k: v for k, v in whole.items() if k not in ("pool", *less)}
                check(answer.items() >= (same | less).items(), f"{function}: the rest is told", answer)
            if not cuts and less is None:
                check("unknown procedure" in answer["detail"], f"{function}: why", answer)
            asker.until_up(path)


def check_events(asker):
    """A daemon without events of a kind: its objects are not remembered, but asked each time."""
    for procedure, function, path in EVENTS:
        asker.until_events(path)
        with connected_again(asker, procedure, function, cuts=False):
            asker.until_events()
        sources = [asker.source(path) for _ in range(5)]
        check(set(sources) == {"libvirt"}, f"{path} without its events", sources)
        asker.wire.hang_up()


def main():
    daemon = os.path.dirname(os.environ["VG_QEMU_URI"].partition("socket=")[2])
    with tempfile.TemporaryDirectory(prefix="vg-wire.") as folder:
        os.chmod(folder, 0o755)
        wire = Wire(daemon, folder)
        gateway = Gateway(f"qemu+unix:///system?socket={folder}/libvirt-sock")
        asker = Asker(gateway, wire)
        prepare(asker, folder)
        check_calls(asker)
        check_facts(asker)
        check_events(asker)
        asker.until_up("/networks")
        clean_up(asker)
        gateway.stop()
    report()


if __name__ == "__main__":
    main()
