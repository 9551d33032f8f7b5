#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which gateway has which host.

    assign.py HOSTS FOLDER GATEWAY...

HOSTS has a line "NAME URI" for each host. Writes FOLDER/hosts.map for HAProxy, and for each gateway
the hosts that its config file ends with, FOLDER/GATEWAY.hosts. The choice is by rendezvous hashing:
it depends on the names alone, so that it is the same wherever it is made, and one gateway more
or less moves no hosts but those that it gets or had.
"""
import hashlib
import sys
from pathlib import Path


def weight(gateway, host):
    return hashlib.sha256(f"{gateway} {host}".encode()).digest()


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    folder, gateways = Path(sys.argv[2]), sys.argv[3:]
    hosts = dict(line.split(maxsplit=1) for line in lines if line.strip() and line[0] != "#")
    owner = {h: max(gateways, key=lambda g, h=h: weight(g, h)) for h in hosts}
    (folder / "hosts.map").write_text("".join(f"{h} {owner[h]}\n" for h in hosts),
                                      encoding="utf-8")
    for gateway in gateways:
        (folder / f"{gateway}.hosts").write_text(
            "".join(f"[host {h}]\nuri = {hosts[h]}\n" for h in hosts if owner[h] == gateway),
            encoding="utf-8")


main()
