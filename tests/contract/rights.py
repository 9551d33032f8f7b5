#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The permissions that each row of the route tables names, against what libvirt itself asks for.

acl.tsv has libvirt's permissions, function by function, api-coverage.tsv says which operation a
function belongs to, and build/calls.txt which functions each operation was seen to call while the
API and QEMU tests ran (tests/trace). A row names what all of them need, whatever the arguments;
what arguments add (ASKED), handlers ask with vg_request_ask(), and tests/qemu/rights.py asks of a
real libvirtd. Beside libvirt's a row may name only what MORE says. The program's table of roles is
that of the contract.
"""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / os.environ.get("O", "build")

ROLES = ("viewer", "operator", "admin")
OPERATOR = {f"domain:{p}" for p in (
    "start stop reset suspend hibernate pm_control init_control inject_nmi send_input send_signal "
    "set_time fs_freeze fs_trim screenshot snapshot checkpoint write save").split()}
OPERATOR |= {f"network:{p}" for p in "start stop write save".split()}
OPERATOR |= {f"storage_pool:{p}" for p in "start stop refresh write save".split()}
# Of the gateway: document, libvirt takes a definition from the client; path, it names a file,
# device or program of the host; command, QEMU's monitor and any command of the agent; manage, what
# others have.
GATEWAY = {f"gateway:{p}" for p in "document path command manage".split()}

# Beside those of the functions, by operationId.
MORE = {
    # their answers are made of what is in memory
    "listHosts": "connect:getattr",
    "getDomainHistory": "connect:search_domains",
    "defineDomain": "gateway:document",
    "replaceDomain": "gateway:document",
    "redefineDomain": "gateway:document",
    "convertNativeConfig": "gateway:document",
    "convertDomainXml": "gateway:document",
    "createCheckpoint": "gateway:document",
    "beginBackup": "gateway:document",
    "copyDomainDisk": "gateway:document",
    "attachDomainDevice": "gateway:document",
    "updateDomainDevice": "gateway:document",
    "detachDomainDevice": "gateway:document",
    "setManagedSaveXml": "gateway:document",
    "defineNetwork": "gateway:document",
    "replaceNetwork": "gateway:document",
    "redefineNetwork": "gateway:document",
    "updateNetwork": "gateway:document",
    "createNetworkPort": "gateway:document",
    # Functions that libvirt 9.0 lacks.
    "getNetworkMetadata": "network:read",
    "setNetworkMetadata": "network:write network:save",
    "removeNetworkMetadata": "network:write network:save",
    # Made of a network's XML, and changed by virNetworkUpdate.
    "listDhcpHosts": "network:read",
    "getDhcpHost": "network:read",
    "addDhcpHost": "network:write network:save",
    "removeDhcpHost": "network:write network:save",
    "defineStoragePool": "gateway:document",
    "replaceStoragePool": "gateway:document",
    "redefineStoragePool": "gateway:document",
    "defineNodeDevice": "gateway:document",
    # An interface may be named by its MAC address; a new one that cannot be started goes again.
    **{f"{verb}Interface{part}": "connect:search_interfaces" for verb, part in (
        ("get", "Xml"), ("undefine", ""), ("start", ""), ("destroy", ""))},
    **{f"{verb}Interface": "connect:search_interfaces gateway:document"
       for verb in ("replace", "patch", "redefine")},
    "defineInterface": "interface:delete gateway:document",
    "createVolume": "gateway:document",
    "putVolumeContent": "domain:getattr",
    "zeroVolumeContent": "domain:getattr",
    "wipeVolume": "domain:getattr",
    "createUpload": "domain:getattr storage_vol:data_write",
    "patchUpload": "domain:getattr",
    # by QEMU's own server
    "getBackupContent": "domain:block_read",
    **{f"{verb}{kind}": "gateway:document" for kind in ("Secret", "Nwfilter")
       for verb in ("define", "replace", "patch", "redefine")},
    "createNwfilterBinding": "gateway:document",
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
    # Its threads and limits are shown with it.
    "getAdminServer": "daemon:read",
}
# libvirt asks a right to change the host, to read what guests can have; less than its own.
INSTEAD = {"getDomainCapabilities": ("connect:write", "domain:save"),
           "defineDomain": ("connect:write", "domain:save")}
# What arguments add, where functions that need it belong to the operation, too.
ASKED = {
    "defineDomain": "domain:save domain:start connect:read network:getattr storage_pool:getattr "
                    "storage_vol:getattr storage_vol:read "
                    "storage_pool:read storage_vol:create storage_vol:data_write "
                    "storage_vol:resize "
                    # of what it made and took back
                    "domain:delete domain:stop storage_vol:delete",
    "undefineDomain": "connect:search_domains connect:search_storage_pools domain:read "
                      "storage_pool:getattr storage_pool:search_storage_vols "
                      "storage_vol:delete storage_vol:getattr storage_vol:read",
    "patchDomain": "domain:save",
    # why one cannot be made
    "defineStoragePool": "storage_pool:format connect:read "
                         "storage_pool:delete",  # of what it made and took back
    "findStoragePoolSources": "connect:read",
    "createNwfilterBinding": "nwfilter:getattr",
    "beginBackup": "domain:read",
    # the second line: usedBy, left out for whoever lacks it
    "listVolumes": "storage_pool:refresh "
                   "connect:search_domains domain:getattr domain:read",
    # fields=addresses
    "listDomains": "connect:search_networks network:read",
    "getDomain": "connect:search_networks network:read",
    # with view=full
    "listHosts": "connect:read connect:search_domains",
    "insertMedium": "storage_pool:getattr storage_vol:getattr storage_vol:data_read",
    "createVolume": "storage_vol:data_write storage_vol:delete storage_vol:resize",
    "putVolumeContent": "storage_vol:resize",
    "createUpload": "storage_vol:create storage_vol:delete",
    "patchUpload": "storage_vol:delete",
    # which guests a token with a scope may see
    "listDhcpLeases": "connect:search_domains domain:getattr domain:read",
    "listDhcpHosts": "connect:search_domains domain:getattr domain:read",
    "getDhcpHost": "connect:search_domains domain:getattr domain:read",
    "deleteNwfilterBinding": "nwfilter_binding:read",
    # usedBy, left out for whoever lacks it
    "getNetwork": "connect:search_domains domain:getattr domain:read",
    "getStoragePool": "connect:search_domains domain:getattr domain:read",
    "getVolume": "connect:search_domains domain:getattr domain:read",
    "baselineCpu": "connect:write",
    "compareCpu": "connect:write",
}


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


def functions_called():
    """operationId: the functions that it was seen to call; the suites that ran to their end."""
    called, suites = {}, set()
    path = BUILD / "calls.txt"
    for line in path.read_text().splitlines() if path.exists() else ():
        name, function = line.split()
        if name == "#":
            suites.add(function)
        elif name not in ("+", "-"):  # those are for outcomes.py
            if function not in PLUMBING and not EVENTS.search(function):
                called.setdefault(name, set()).add(function)
    return called, suites


# How connections, their events, and the objects of libvirt-admin come and go is no row's own.
PLUMBING = {"virAdmConnectOpen", "virAdmConnectClose", "virAdmConnectIsAlive", "virAdmServerFree",
            "virAdmClientFree"}
EVENTS = re.compile("Event(De)?[rR]egisterAny|CloseCallback")


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
    if not permissions:
        return "public"
    if all(viewer_has(p) for p in permissions):
        return "viewer"
    return "operator" if all(viewer_has(p) or p in OPERATOR for p in permissions) else "admin"


def read_table():
    """permission: the least role that has it, as the program's own table says."""
    text = (ROOT / "server/base/permission.c").read_text()
    found = {}
    for kind, body in re.findall(r'\{"(\w+)",\s*\{(\[VG_ROLE_VIEWER\].*?)\}\}', text, re.DOTALL):
        for role in ROLES:
            words = re.search(rf'\[VG_ROLE_{role.upper()}\] =((?:\s*"[^"]*")*)', body)[1]
            for word in "".join(re.findall(r'"([^"]*)"', words)).split():
                found[f"{kind}:{word}"] = role
    return found


def read_documented():
    """The same as docs/access.md has it, of which a line begins with the kind."""
    text, found = (ROOT / "docs/access.md").read_text(), {}
    for kind, *cells in re.findall(r"^\| `(\w+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$", text, re.M):
        for role, cell in zip(ROLES, cells):
            found.update({f"{kind}:{word}": role for word in re.findall(r"`(\w+)`", cell)})
    return found


def dump_routes():
    out = subprocess.run([BUILD / "virtgate", "--dump-routes"], check=True, text=True, timeout=20,
                         capture_output=True).stdout
    return [json.loads(line) for line in out.splitlines()]


class Rows:
    def __init__(self):
        self.acl = dict(read_tsv("acl.tsv"))
        self.belong = functions_of_rows()
        self.called, suites = functions_called()
        self.complete = {"api", "qemu"} <= suites

    def wanted(self, name, functions):
        """What these functions need of the row or of its arguments."""
        found = {p for f in functions for p in permissions_of(f, self.acl)}
        if name in INSTEAD and INSTEAD[name][0] in found:
            libvirts, ours = INSTEAD[name]
            found = found - {libvirts} | {ours}
        return found

    def faults(self, row):
        name, needs = row["operationId"], set(row["permissions"])
        more = set(MORE.get(name, "").split())
        asked = set(ASKED.get(name, "").split())
        belong = self.belong.get((row["method"], shape(row["pattern"])), set())
        called = self.called.get(name, set())
        wanted = self.wanted(name, belong | called)
        if row["access"] != role_of(needs):
            yield f"the program says {row['access']}"
        if not needs:
            if wanted:
                yield f"is public, and calls what needs {sorted(wanted)}"
            return
        if wanted - needs - asked:
            yield f"lacks {sorted(wanted - needs - asked)}"
        if more - needs:
            yield f"lacks {sorted(more - needs)}, which the contract asks"
        if not belong and not called:
            if needs != {"connect:getattr"} and self.complete:
                yield "was seen to call nothing that needs this"
            return
        surplus = needs - more - wanted
        if self.complete and surplus:
            yield f"{sorted(surplus)}: nothing it was seen to call needs that"


def main():
    passed = failed = 0

    def check(name, errors):
        nonlocal passed, failed
        print(f"[  FAILED  ] {name}: {errors}" if errors else f"[       OK ] {name}")
        passed += not errors
        failed += bool(errors)

    rows = Rows()
    table = read_table()
    libvirts = {":".join(item.split(":")[:2]) for permissions in rows.acl.values()
                for item in permissions.split(",") if item != "-"}
    check("the table has libvirt's permissions and the gateway's own",
          ", ".join(sorted(table.keys() ^ (libvirts | GATEWAY))))
    check("roles are those of the contract",
          ", ".join(sorted(f"{p} is of {r}, not of {role_of({p})}" for p, r in table.items()
                           if r != role_of({p}))))
    documented = read_documented()
    check("docs/access.md has the same table",
          ", ".join(sorted({p for p, _ in table.items() ^ documented.items()})))
    dumped = dump_routes()
    for row in dumped:
        check(f"{row['operationId']} needs {row['access']}: {' '.join(row['permissions'])}",
              "; ".join(rows.faults(row)))
    names = {row["operationId"] for row in dumped}
    check("what is listed here is there",
          ", ".join(sorted((MORE.keys() | INSTEAD.keys() | ASKED.keys()) - names)))
    check("what was traced is there", ", ".join(sorted(rows.called.keys() - names)))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed < 150 else 0


if __name__ == "__main__":
    sys.exit(main())
