#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same facts twice in one run: by the gateway, and by libvirt's own Python binding.

On the private libvirtd (VG_QEMU_URI) everything is compared; on test:///default, whose state
is each process's own, only what every process finds alike. The names of enum constants come
from the binding's constants, not from the gateway's tables.
"""
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import libvirt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "harness"))
from gateway import Client, Gateway, check, exchange, record, recorded, report  # noqa: E402


def same(what, got, want):
    check(got == want, what, f"\n    gateway: {got!r}\n    libvirt: {want!r}")


# ---- the gateway's side --------------------------------------------------------------------


def text(client, path):
    status, fields, body = client.send("GET", path)
    record("GET", path, status, dict(fields), body.decode())
    check(status == 200, f"GET {path} is {status}", body[:500])
    return body.decode() if status == 200 else ""


def expect(client, method, path, want, body=None, headers=None, **members):
    """(header fields, answer) of a call that has that status, and these members in its JSON."""
    status, fields, answer = exchange(client, method, path, body, headers)
    check(status == want, f"{method} {path} is {status}, not {want}", str(answer)[:400])
    for key, value in members.items():
        same(f"{method} {path}: {key}", answer.get(key), value)
    return fields, answer


def read(client, path):
    return json.loads(text(client, path) or "{}")


# ---- libvirt's side ------------------------------------------------------------------------


def names(prefix):
    """{value: name} of the constants with a prefix, by the rule of the API."""
    return {
        value: key[len(prefix):].lower().replace("_", "-")
        for key, value in vars(libvirt).items()
        if key.startswith(prefix) and isinstance(value, int) and not key.endswith("_LAST")
    }


STATES = {
    getattr(libvirt, "VIR_DOMAIN_" + n): n.lower()
    for n in ("NOSTATE", "RUNNING", "BLOCKED", "PAUSED", "SHUTDOWN", "SHUTOFF", "CRASHED",
              "PMSUSPENDED")
}
REASONS = {
    state: names(f"VIR_DOMAIN_{name.upper()}_") for state, name in STATES.items()
}


def version(number):
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"


def domain_fields(dom):
    state, reason = dom.state()
    info = dom.info()
    active = bool(dom.isActive())
    try:
        title = dom.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None)
    except libvirt.libvirtError:
        title = None
    want = {
        "id": dom.ID() if active else None,
        "name": dom.name(),
        "uuid": dom.UUIDString(),
        "state": STATES[state],
        "stateReason": REASONS[state][reason],
        "active": active,
        "persistent": bool(dom.isPersistent()),
        "autostart": bool(dom.autostart()) if dom.isPersistent() else False,
        "managedSave": bool(dom.hasManagedSaveImage()),
        "osType": dom.OSType(),
        "maxMemoryKiB": info[1],
        "memoryKiB": info[2],
        "vcpus": info[3],
        "maxVcpus": dom.vcpusFlags(
            libvirt.VIR_DOMAIN_VCPU_MAXIMUM
            | (libvirt.VIR_DOMAIN_AFFECT_LIVE if active else libvirt.VIR_DOMAIN_AFFECT_CONFIG)),
        "title": title,
    }
    return want


# view=full leaves out what only the guest's monitor or its XML tells; fields= asks for it.
NOT_IN_FULL = ("osType", "vcpus", "maxVcpus", "title")


def compare_domain(what, got, want, may_lack=()):
    for key, value in want.items():
        if key not in got and key in may_lack:
            continue
        # absent is "not applicable"; libvirt says it by an error or by None
        if value is None and key not in got:
            check(True, what)
            continue
        same(f"{what} {key}", got.get(key, "(absent)"), value)


ERROR_CODES = {v: k for k, v in vars(libvirt).items() if k.startswith(("VIR_ERR_", "VIR_WAR_"))
               and isinstance(v, int) and k not in ("VIR_ERR_NONE", "VIR_ERR_WARNING",
                                                    "VIR_ERR_ERROR")}
ERROR_DOMAINS = {v: k for k, v in vars(libvirt).items() if k.startswith("VIR_FROM_")}
ERROR_LEVELS = {0: "VIR_ERR_NONE", 1: "VIR_ERR_WARNING", 2: "VIR_ERR_ERROR"}
NINE = ("code", "domain", "message", "level", "str1", "str2", "str3", "int1", "int2")


def error_of(call):
    try:
        call()
    except libvirt.libvirtError as e:
        return e.err
    return None


def detail_of(message):
    """libvirt's message; of malformed XML the pointer below the quoted line is a column."""
    found = re.fullmatch(r"(.*)\n(.*)\n(-*\^)", message)
    return f"{found[1]}, column {len(found[3])}: {found[2]}" if found else message


def compare_error(client, what, call, method, path, body=None):
    """The nine fields of virError, as libvirtError.err has them: (code, domain, message, level,
    str1, str2, str3, int1, int2)."""
    want = error_of(call)
    status, headers, answer = client.send(method, path, body)
    check(want is not None, f"{what}: libvirt-python fails")
    check(status >= 400 and "problem+json" in headers["Content-Type"],
          f"{what}: {method} {path}", f"{status} {answer[:500]}")
    if want is None or status < 400:
        return
    problem = json.loads(answer)
    got = problem.get("error", {})
    same(f"{what}: nine fields", tuple(got.get(k, "(absent)") for k in NINE), tuple(want))
    same(f"{what}: codeName", got.get("codeName"), ERROR_CODES.get(want[0]))
    same(f"{what}: domainName", got.get("domainName"), ERROR_DOMAINS.get(want[1]))
    same(f"{what}: levelName", got.get("levelName"), ERROR_LEVELS.get(want[3]))
    same(f"{what}: type", problem.get("type"), "urn:libvirt:error:" + ERROR_CODES.get(want[0], ""))
    same(f"{what}: status", problem.get("status"), status)
    same(f"{what}: detail", problem.get("detail"), detail_of(want[2]))


def compare_filters_of(client, kind, list_all, prefix):
    """Lists of what has a state, is defined, and starts with the host."""
    for query, flag in (("state=active", "ACTIVE"), ("state=inactive", "INACTIVE"),
                        ("persistent=true", "PERSISTENT"), ("persistent=false", "TRANSIENT"),
                        ("autostart=true", "AUTOSTART"), ("autostart=false", "NO_AUTOSTART")):
        path = {"networks": "/networks", "storagePools": "/storage-pools"}[kind]
        same(f"{path}?{query}",
             [found["name"] for found in read(client, f"{path}?fields=name&{query}")[kind]],
             sorted(found.name() for found in list_all(getattr(libvirt, prefix + flag))))


def compare_objects(client, path, key, objects, views):
    """Networks or pools: in lists, alone, by UUID, as XML, and whether they start with the host.
    `views`: what of one a list shows, one of view=full (names), and all of it."""
    brief, in_full, fields_of = views
    objects = sorted(objects, key=lambda o: o.name())
    same(f"the list {path}", read(client, path)[key], [brief(o) for o in objects])
    full = {o["name"]: o for o in read(client, path + "?view=full")[key]}
    same(f"the full list {path}: which", list(full), [o.name() for o in objects])
    for one in objects:
        here, want = f"{path}/{quote(one.name(), safe='')}", fields_of(one)
        same(f"{here} in a full list", full[one.name()], {k: want[k] for k in in_full})
        same(here, read(client, here), want)
        same(f"{here} by UUID", read(client, f"{path}/{one.UUIDString()}"), want)
        same(f"{here}/xml", text(client, here + "/xml"), one.XMLDesc(0))
        # of both kinds the flag is 1
        same(f"{here}/xml, inactive", text(client, here + "/xml?flags=inactive"), one.XMLDesc(1))
        if one.isPersistent():
            same(f"{here}/autostart", read(client, here + "/autostart"),
                 {"autostart": bool(one.autostart())})
        else:
            compare_error(client, "autostart of what is not defined",
                          lambda o=one: o.setAutostart(1), "PUT", here + "/autostart",
                          b'{"autostart":true}')


def check_all_read(prefix, but=()):
    """Every endpoint below the prefix that is read was read with success, but those whose path ends
    so: a new one is to be compared, too."""
    rows = subprocess.run([os.environ.get("VIRTGATE_BIN", "build/virtgate"), "--dump-routes"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    for row in map(json.loads, rows.splitlines()):
        pattern = row["pattern"]
        if row["method"] != "GET" or not (pattern + "/").startswith(prefix + "/") or \
                pattern.endswith(but):
            continue
        regex = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(pattern)))
        check(any(method == "GET" and status == 200 and regex.fullmatch(path)
                  for method, path, status in recorded), f"GET {pattern} is compared")


# ---- what is compared ----------------------------------------------------------------------


def compare_connection(client, conn, uri):
    got = read(client, "/version")
    same("client version", got.get("client"),
         {"version": version(libvirt.getVersion()), "number": libvirt.getVersion()})
    same("libvirt version", got.get("libvirt"),
         {"version": version(conn.getLibVersion()), "number": conn.getLibVersion()})
    same("hypervisor", got.get("hypervisor"),
         {"type": conn.getType(), "version": version(conn.getVersion()),
          "number": conn.getVersion()})
    got = read(client, "/connection")
    want = {"uri": conn.getURI(), "hostname": conn.getHostname(), "type": conn.getType(),
            "encrypted": bool(conn.isEncrypted()), "secure": bool(conn.isSecure()),
            "alive": bool(conn.isAlive()), "readOnly": False, "host": "default"}
    for key, value in want.items():
        same(f"{uri} connection {key}", got.get(key), value)
    same(f"{uri} capabilities", text(client, "/connection/capabilities"), conn.getCapabilities())


def compare_domains(client, conn):
    doms = sorted(conn.listAllDomains(), key=lambda d: d.name())
    full = read(client, "/domains?view=full").get("domains", [])
    brief = read(client, "/domains").get("domains", [])
    same("names in order", [d["name"] for d in brief], [d.name() for d in doms])
    same("names, full", [d["name"] for d in full], [d.name() for d in doms])
    by_name = {d["name"]: d for d in full}
    asked = read(client, "/domains?fields=name,autostart," + ",".join(NOT_IN_FULL))
    fields = {d["name"]: d for d in asked.get("domains", [])}
    for dom, short in zip(doms, brief):
        name = dom.name()
        want = domain_fields(dom)
        path = "/domains/" + quote(name, safe="")
        compare_domain(f"list {name}", by_name.get(name, {}), want, NOT_IN_FULL)
        compare_domain(f"fields {name}", fields.get(name, {}),
                       {k: want[k] for k in ("name", "autostart", *NOT_IN_FULL)})
        compare_domain(f"show {name}", read(client, path + "?by=name"), want)
        brief_keys = ("id", "name", "uuid", "state", "stateReason", "active", "persistent")
        same(f"brief {name}", short, {k: want[k] for k in brief_keys})
        state, reason = dom.state()
        same(f"state {name}", read(client, path + "/state?by=name"),
             {"state": STATES[state], "stateReason": REASONS[state][reason],
              "stateCode": state, "stateReasonCode": reason})
        same(f"xml {name}", text(client, path + "/xml?by=name"), dom.XMLDesc(0))
        if dom.isPersistent():
            same(f"autostart {name}", read(client, path + "/autostart?by=name"),
                 {"autostart": bool(dom.autostart())})
            same(f"inactive xml {name}", text(client, path + "/xml?by=name&flags=inactive,secure"),
                 dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE))


LIST_FILTERS = {
    "state=active": "ACTIVE", "state=inactive": "INACTIVE", "state=running": "RUNNING",
    "state=paused": "PAUSED", "state=shutoff": "SHUTOFF",
    "persistent=true": "PERSISTENT", "persistent=false": "TRANSIENT",
    "autostart=true": "AUTOSTART", "autostart=false": "NO_AUTOSTART",
    "managedSave=true": "MANAGEDSAVE", "managedSave=false": "NO_MANAGEDSAVE",
    "snapshots=true": "HAS_SNAPSHOT", "snapshots=false": "NO_SNAPSHOT",
    "checkpoints=true": "HAS_CHECKPOINT", "checkpoints=false": "NO_CHECKPOINT",
}


def compare_filters(client, conn):
    for query, flag in LIST_FILTERS.items():
        flags = getattr(libvirt, "VIR_CONNECT_LIST_DOMAINS_" + flag)
        found = read(client, "/domains?fields=name&" + query).get("domains", [])
        same(f"filter {query}", [d["name"] for d in found],
             sorted(d.name() for d in conn.listAllDomains(flags)))


def camel(text):
    first, *rest = re.split("[-_]", text)
    return first + "".join(w[:1].upper() + w[1:] for w in rest)


# These grow between two calls, so they are compared for presence and order only.
MOVING = re.compile(r"time|delay|wait|rd\.|wr\.|fl\.|bytes|pkts|user|system|last-update|rss|halt|exits|"
                    r"usable|unused|available|swap|disk|major|minor|requests|injection|"
                    r"io-exits|irq|nmi|tlb|fpu|insn|mmu|pf-|hypercalls|signal|preempt|host-state|"
                    r"guest-mode|request-irq|blocking|haltpoll")


VCPU_STATES = {libvirt.VIR_VCPU_OFFLINE: "offline", libvirt.VIR_VCPU_RUNNING: "running",
               libvirt.VIR_VCPU_BLOCKED: "blocked"}
DIRTY_RATE_STATUSES = {libvirt.VIR_DOMAIN_DIRTYRATE_UNSTARTED: "unstarted",
                       libvirt.VIR_DOMAIN_DIRTYRATE_MEASURING: "measuring",
                       libvirt.VIR_DOMAIN_DIRTYRATE_MEASURED: "measured"}


def lookup(stats, dotted):
    """The value of a dotted name: vcpu.3.time is the entry of `vcpu.list` whose index is 3 (an
    offline one leaves a gap), other groups are plain arrays."""
    vcpu = re.fullmatch(r"vcpu\.(\d+)\.(.*)", dotted)
    if vcpu:
        for entry in stats.get("vcpu", {}).get("list", []):
            if entry.get("index") == int(vcpu[1]):
                return lookup(entry, vcpu[2])
        return None
    for part in dotted.split("."):
        if isinstance(stats, list):
            index = int(part)
            stats = stats[index] if index < len(stats) else None
        elif isinstance(stats, dict):
            stats = stats.get(camel(part))
        else:
            return None
    return stats


def compare_stats(client, conn):
    got = {d["name"]: d for d in read(client, "/domain-stats").get("domains", [])}
    want = conn.getAllDomainStats()
    same("stats: names", sorted(got), sorted(d.name() for d, _ in want))
    for dom, stats in want:
        one = read(client, f"/domains/{quote(dom.name(), safe='')}/stats?by=name")
        for answer in (got.get(dom.name(), {}), one):
            tree = answer.get("stats", {})
            for key, value in stats.items():
                if key.endswith(".count") or key.endswith("vcpu.maximum"):
                    continue
                found = lookup(tree, key)
                if key in ("state.state", "state.reason") and isinstance(found, str):
                    table = STATES if key == "state.state" else REASONS[stats["state.state"]]
                    same(f"stats {dom.name()} {key}", found, table[value])
                elif re.fullmatch(r"vcpu\.\d+\.state", key):
                    same(f"stats {dom.name()} {key}", found, VCPU_STATES[value])
                elif key == "dirtyrate.calc_status":
                    same(f"stats {dom.name()} {key}", found, DIRTY_RATE_STATUSES[value])
                elif MOVING.search(key):
                    check(isinstance(found, (int, str)), f"stats {dom.name()} {key} is {found!r}")
                else:
                    check(found == value or (isinstance(found, bool) and found == bool(value)),
                          f"stats {dom.name()} {key}", f"{found!r}, libvirt {value!r}")


def compare_errors(client, conn, kind):
    nowhere = "00000000-0000-4000-8000-000000000000"
    compare_error(client, "no such name", lambda: conn.lookupByName("nosuch"),
                  "GET", "/domains/nosuch")
    compare_error(client, "no such id", lambda: conn.lookupByID(987654),
                  "GET", "/domains/987654?by=id")
    compare_error(client, "no such UUID", lambda: conn.lookupByUUIDString(nowhere),
                  "GET", f"/domains/{nowhere}?by=uuid")
    for what, xml in {
        "broken XML": "<domain",
        "another root": "<network><name>x</name></network>",
        "no name": f"<domain type='{kind}'/>",
        "no memory": f"<domain type='{kind}'><name>x</name></domain>",
        "unknown type": "<domain type='nosuch'><name>x</name></domain>",
        "no such OS": f"<domain type='{kind}'><name>x</name><memory>65536</memory>"
                      "<os><type>nosuch</type></os></domain>",
    }.items():
        compare_error(client, what, lambda xml=xml: conn.defineXML(xml), "POST", "/domains",
                      xml.encode())


def guest(name, more=""):
    return f"""<domain type='qemu'><name>{name}</name>{more}<memory unit='MiB'>16</memory>
<vcpu current='1'>2</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
<memballoon model='virtio'/></devices></domain>"""


def until_seen(client, name, state):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if any(d["name"] == name and d["state"] == state for d in read(client, "/domains")["domains"]):
            break


def compare_qemu(uri):
    conn = libvirt.open(uri)
    gw = Gateway(uri)
    client = Client(gw.port)
    mine = []
    try:
        mine.append(conn.defineXML(guest("diff off", "<title>a &lt;title&gt; é</title>")))
        mine.append(conn.defineXML(guest("diff%auto é")))
        mine[-1].setAutostart(1)
        mine.append(conn.defineXML(guest("diff-run")))
        mine[-1].create()
        mine.append(conn.createXML(guest("diff-transient"), libvirt.VIR_DOMAIN_START_PAUSED))
        mine.append(conn.defineXML(guest("4711")))
        mine.append(conn.defineXML(guest("diff-crash")))
        mine[-1].createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        mine[-1].destroy()
        compare_connection(client, conn, "qemu")
        compare_domains(client, conn)
        compare_filters(client, conn)
        compare_stats(client, conn)
        compare_errors(client, conn, "qemu")
        off, run = conn.lookupByName("diff off"), conn.lookupByName("diff-run")
        actions = (("suspend off", off.suspend, "diff%20off/suspend"),
                   ("destroy off", off.destroy, "diff%20off/destroy"),
                   ("resume running", run.resume, "diff-run/resume"),
                   ("start running", run.create, "diff-run/start"),
                   ("reset off", lambda: off.reset(0), "diff%20off/reset"))
        for what, call, path in actions:
            if error_of(call) is not None:
                compare_error(client, what, call, "POST", "/domains/" + path)
        xml = guest("diff-run").encode()
        compare_error(client, "taken name", lambda: conn.defineXML(xml.decode()),
                      "POST", "/domains", xml)
        # changed behind the gateway's back: seen once the event has come
        run.suspend()
        until_seen(client, "diff-run", "paused")
        compare_domains(client, conn)
        run.resume()
        run.destroy()
        until_seen(client, "diff-run", "shutoff")
        compare_domains(client, conn)
    finally:
        gw.stop()
        for dom in mine:
            try:
                if dom.isActive():
                    dom.destroy()
                if dom.isPersistent():
                    dom.undefine()
            except libvirt.libvirtError:
                pass
        conn.close()


def compare_test():
    uri = "test:///default"
    conn = libvirt.open(uri)
    gw = Gateway(uri)
    client = Client(gw.port)
    try:
        compare_connection(client, conn, uri)
        compare_domains(client, conn)
        compare_filters(client, conn)
        compare_errors(client, conn, "test")
        dom = conn.lookupByName("test")
        compare_error(client, "start running", dom.create, "POST", "/domains/test/start")
        compare_error(client, "resume running", dom.resume, "POST", "/domains/test/resume")
    finally:
        gw.stop()


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    if "VG_QEMU_URI" not in os.environ:
        print("VG_QEMU_URI is not set: run this by tests/run.sh qemu", file=sys.stderr)
        raise SystemExit(77)
    compare_test()
    compare_qemu(os.environ["VG_QEMU_URI"])
    report()


if __name__ == "__main__":
    main()
