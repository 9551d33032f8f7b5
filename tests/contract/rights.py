#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which role each operation needs, computed from what libvirt's own access control asks for.

acl.tsv has libvirt's permissions, function by function, api-coverage.tsv says which operation a
function belongs to, MORE what an operation needs beside them. The least role that has them all is
what openapi.yaml must say (x-virtgate-access; openapi.py holds it against the route table). What flags
and other arguments add, tests/qemu/rights.py asks of a real libvirtd.
"""
import re
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

ROLES = ("viewer", "operator", "admin")
# Of domains, networks and pools; what changes others needs the role admin.
OPERATOR = {f"{kind}:{p}" for kind in ("network", "storage_pool")
            for p in "start stop refresh write save".split()} | {f"domain:{p}" for p in (
    "start stop reset suspend hibernate pm_control init_control inject_nmi send_input send_signal "
    "set_time fs_freeze fs_trim screenshot snapshot checkpoint write save").split()}

# Beside libvirt's, by operationId: gateway:document, libvirt takes a definition from the client;
# gateway:path, it names a file, device or program of the host; gateway:command, QEMU's monitor and
# any command of the agent.
MORE = {
    "defineDomain": "gateway:document",
    "replaceDomain": "gateway:document",
    "redefineDomain": "gateway:document",
    "convertDomainXml": "gateway:document",
    "createCheckpoint": "gateway:document",
    "beginBackup": "gateway:document",
    "attachDomainDevice": "gateway:document",
    "updateDomainDevice": "gateway:document",
    "detachDomainDevice": "gateway:document",
    "setManagedSaveXml": "gateway:document",
    "defineNetwork": "gateway:document",
    "replaceNetwork": "gateway:document network:write network:save",
    "redefineNetwork": "gateway:document",
    # Of two changes each needs this; the document needs gateway:document, too.
    "patchNetwork": "network:write",
    "watchNetworkEvents": "network:getattr",
    "saveDomain": "gateway:path",
    "dumpDomain": "gateway:path",
    "restoreSaveImage": "gateway:path",
    "getSaveImageXml": "gateway:path",
    "setSaveImageXml": "gateway:path gateway:document",
    "runGuestAgentCommand": "gateway:command",
    "runMonitorCommand": "gateway:command",
    "getGuestAuthorizedKeys": "domain:set_password",
    "replaceGuestAuthorizedKeys": "domain:set_password",
    "addGuestAuthorizedKeys": "domain:set_password",
    "removeGuestAuthorizedKeys": "domain:set_password",
    "getDomainLaunchSecurity": "domain:read_secure",
    "setDomainLaunchSecurity": "domain:read_secure",
    "endDomainDiskJob": "domain:block_write",
    # libvirt refuses it on a read-only connection, though its access control would not.
    "getNodeSev": "connect:write",
    # Of three changes each needs this; `domain` needs gateway:document, too.
    "patchDomain": "domain:write",
    # Made of the domain's XML, or one of a list.
    "listDomainDevices": "domain:read",
    "getDomainDevice": "domain:read",
    "listDomainDisks": "domain:read",
    "listDomainInterfaces": "domain:read",
    "getDomainIOThread": "domain:read",
    # The least of what can begin an operation; each needs what it needed to begin it.
    "cancelOperation": "domain:hibernate",
}
# libvirt asks a right to change the host, to read what guests can have; less than its own.
INSTEAD = {"getDomainCapabilities": "domain:save",
           # connect:write is of what asks for a hypervisor's CPUs.
           "baselineCpu": "connect:read", "compareCpu": "connect:read"}
# Nothing of libvirt is called for these, or only what a connection has been asked already.
NO_CALL = {"getMetrics", "listHosts", "getHost", "listDomainsOfAllHosts", "listNetworksOfAllHosts",
           "watchEventsOfAllHosts",
           "listOperations", "getOperation", "createTicket"}


def read_tsv(name):
    for line in (HERE / name).read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def shape(path):
    """Whatever its parameters are called."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def functions_of_rows():
    """(method, shape of the path): the functions that belong there."""
    rows = {}
    for name, _, where in read_tsv("api-coverage.tsv"):
        where = re.sub(r"\([^)]*\)|->.*", "", where)
        for methods, path in re.findall(r"([A-Z|]+) (/(?:\{[^}]*\}|[^ ?;,{])*)", where):
            for method in methods.split("|"):
                rows.setdefault((method, shape(path)), set()).add(name)
    return rows


def permissions_of(function, acl):
    """Those that every call needs: no flag and no argument among their conditions. A domain's
    live state or its definition, one of the two a call changes: domain:save is in."""
    found = set()
    for item in acl[function].split(","):
        parts = item.split(":", 2)
        always = len(parts) == 2 or "AFFECT_CONFIG" in parts[-1]
        if item != "-" and always:
            found.add(":".join(parts[:2]))
    return found


def role_of(permissions):
    """The least role that has them all."""
    def viewer_has(p):
        what = p.split(":")[1]
        return not p.startswith("daemon:") and (what in ("getattr", "read") or
                                                what.startswith("search_"))
    if all(viewer_has(p) for p in permissions):
        return "viewer"
    return "operator" if all(viewer_has(p) or p in OPERATOR for p in permissions) else "admin"


def main():
    acl = dict(read_tsv("acl.tsv"))
    rows = functions_of_rows()
    with open(ROOT / "openapi.yaml", encoding="utf-8") as f:
        document = yaml.load(f, Loader=yaml.CSafeLoader)
    passed = failed = 0

    def check(name, errors):
        nonlocal passed, failed
        print(f"[  FAILED  ] {name}: {errors}" if errors else f"[       OK ] {name}")
        passed += not errors
        failed += bool(errors)

    seen = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            access = isinstance(operation, dict) and operation.get("x-virtgate-access")
            if not access:
                continue
            name = operation["operationId"]
            seen.add(name)
            if access == "public":
                continue
            functions = rows.get((method.upper(), shape(path)), set())
            wanted = {p for f in functions for p in permissions_of(f, acl)}
            wanted = set(INSTEAD[name].split()) if name in INSTEAD else wanted
            wanted |= set(MORE.get(name, "").split())
            wanted |= {"connect:getattr"} if name in NO_CALL else set()
            needs = ", ".join(sorted(wanted))
            check(f"{name} needs {role_of(wanted)}: {needs}",
                  "nobody knows what it calls" if not wanted and not functions
                  else "" if role_of(wanted) == access else f"documented is {access}")
    check("what is listed here is there",
          ", ".join(sorted((MORE.keys() | INSTEAD.keys() | NO_CALL) - seen)))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed < 150 else 0


if __name__ == "__main__":
    sys.exit(main())
