#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks whose start libvirt's hook holds, and with it their locks: more starts than the gateway makes at
a time, lists of networks and reads of them, which wait for the locks (libvirt asks each network whether
it is the one that is looked for). Whatever is no network is answered, all before any start is. Shown by
order: no time is judged."""
import json
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

HOLD = Path(os.environ.get("VG_LIBVIRTD_DIR", "/tmp/vg-libvirtd")) / "etc" / "hold"
CHANGES = 4  # at a time, with the default pool-size of 4
HELD = [f"hold-{i}" for i in range(CHANGES + 2)]
FRESH = {"Cache-Control": "no-cache"}


def ask(port, method, path, answers):
    answers.append((path, Client(port, timeout=600).send(method, path, headers=FRESH)[0]))


def begin(port, method, paths, answers):
    threads = [threading.Thread(target=ask, args=(port, method, path, answers), daemon=True)
               for path in paths]
    for thread in threads:
        thread.start()
    return threads


def waiting(client):
    return client.get("/connection")[2]["pool"]["waiting"]


def main():
    gateway = Gateway(os.environ["VG_QEMU_URI"], "--read-deadline", "300", "--change-deadline", "300")
    client = Client(gateway.port)
    for name in (*HELD, "beside"):
        body = json.dumps({"network": {"name": name}}).encode()
        check(client.send("POST", "/networks", body)[0] == 201, f"{name} is defined")
    starts, reads = [], []
    HOLD.touch()
    try:
        threads = begin(gateway.port, "POST", [f"/networks/{n}/start" for n in HELD], starts)
        end = time.monotonic() + 120
        while waiting(client) < len(HELD) - CHANGES and time.monotonic() < end:
            time.sleep(0.05)
        threads += begin(gateway.port, "GET", [
            "/networks?view=full", *(f"/networks/{n}" for n in HELD),
            *(f"/networks/{n}/dhcp-leases" for n in HELD), "/networks/beside"] * 2, reads)
        time.sleep(0.5)
        for path in ("/domains", "/node", "/storage-pools", "/secrets", "/nwfilters",
                     "/node-devices", "/interfaces", "/connection/capabilities") * 3:
            status, _, answer = client.send("GET", path, headers=FRESH)
            check(status == 200, f"{path} beside networks that are held", answer)
        check(not starts, "no start has been answered by then", starts)
        print(f"# {len(reads)} reads of networks that start were answered, too")
    finally:
        HOLD.unlink()
    for thread in threads:
        thread.join()
    check(sorted(starts) == sorted((f"/networks/{n}/start", 204) for n in HELD), "every start is done",
          starts)
    check(all(status == 200 for _, status in reads), "every read is answered", reads)
    for name in HELD:
        check(client.send("POST", f"/networks/{name}/destroy")[0] == 204, f"{name} is destroyed")
    for name in (*HELD, "beside"):
        check(client.send("DELETE", f"/networks/{name}")[0] == 204, f"{name} is undefined")
    gateway.stop()


main()
report()
