#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""openapi.yaml against the gateway.

 - it is what its fragments and the route tables give (make openapi);
 - its own examples, enums and error slugs are right;
 - its operations are those of the route tables (virtgate --dump-routes), both ways;
 - every exchange that the API tests recorded is as it says;
 - its examples work on libvirt's mock hypervisor.

    tests/contract/openapi.py [--base URL] [RECORDED]

Without --base it starts a gateway of its own; RECORDED is $VG_RECORD, else
$O/exchanges.jsonl. The last line is "N passed, N failed".
"""
import argparse
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Iterator

import openapi_examples
from openapi_spec import Exchange, Json, Operation, Spec, check_exchange, check_stream
from report import Report

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("O", "build")

# Schemas whose members are others' to choose.
OPEN_SCHEMAS = ("AdminClientInfo", "AdminClientLimits", "AdminClientLimitsChange",
                "AdminThreadpool", "AdminThreadpoolChange", "AgentCommand",
                "DomainBlkioParameters", "DomainBlkioParametersChange", "DomainCpuTimes", "DomainIOThreadParameters",
                "DomainLaunchSecret", "NwfilterMatch", "NwfilterRule", "DomainLaunchSecurity", "DomainMemoryParameters", "DomainMemoryParametersChange",
                "DomainMemoryStats", "DomainNumaParameters", "DomainNumaParametersChange",
                "DomainPerfEvents", "DomainPerfEventsChange", "DomainScheduler",
                "DomainSchedulerChange", "DomainStatsValues", "EventBase", "EventParams", "GuestInfo",
                "GuestInfoDisk", "MonitorAnswer", "MonitorCommand", "NetworkPortParameters",
                "NodeCpuStats", "NodeMemoryParameters", "NodeMemoryParametersChange",
                "NodeMemoryStats", "NodeSev", "OpenapiDocument", "OperationResult")


# ---- openapi.yaml by itself ---------------------------------------------------------------------

def walk(node: Json, where: str = "") -> Iterator[tuple[str, Json]]:
    """Every object below a node, with its path."""
    if isinstance(node, dict):
        yield where, node
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in items:
        if isinstance(child, (dict, list)):
            yield from walk(child, f"{where}/{key}")


def check_examples(spec: Spec) -> list[str]:
    errors = []
    for where, node in walk(spec.document):
        if "schema" not in node or "/examples/" in where:
            continue
        values = [node["example"]] if "example" in node else []
        values += [e["value"] for e in node.get("examples", {}).values()]
        errors += [f"{where}: {e}" for v in values for e in spec.schema_errors(node["schema"], v)]
        if "x-virtgate-event-schema" in node:
            errors += [f"{where}: {e}" for v in values for e in check_stream(spec, node, v)]
    return errors


def check_closed(spec: Spec) -> list[str]:
    """Every object schema says whether there may be more members, and there may not."""
    errors = []
    for where, node in walk(spec.document["components"]["schemas"]):
        if node.get("type") == "object" and "/example" not in where:
            is_open = where.split("/")[1] in OPEN_SCHEMAS
            if not is_open and node.get("additionalProperties") is not False:
                errors.append(f"{where}: additionalProperties is not false")
    for node in spec.document["components"]["schemas"]["Event"]["oneOf"]:
        if spec.resolve(node).get("unevaluatedProperties") is not False:
            errors.append(f"{node['$ref']}: unevaluatedProperties is not false")
    return errors


def check_units(spec: Spec) -> list[str]:
    errors = []
    for where, node in walk(spec.document["components"]["schemas"]):
        member = where.rsplit("/", maxsplit=1)[-1]
        if re.search(r"(KiB|Ns|Ms|Seconds|Bytes)$", member) and "description" not in node:
            errors.append(f"{where}: the description does not name the unit")
    return errors


def check_slugs(spec: Spec) -> list[str]:
    """Problem lists the gateway's own errors, by status, as error.def has them."""
    table = (ROOT / "include/virtgate/error.def").read_text()
    defined = {(slug, int(status)) for slug, status in
               re.findall(r'^X\(\w+,\s*"([^"]+)",\s*(\d+),', table, re.M)}
    text = spec.document["components"]["schemas"]["Problem"]["description"]
    listed = set()
    for status, slugs in re.findall(r"^- (\d+): (.*(?:\n  .*)*)", text, re.M):
        listed |= {(slug, int(status)) for slug in re.findall(r"`([^`]+)`", slugs)}
    return ([f"{s} ({n}) of error.def is not listed" for s, n in sorted(defined - listed)] +
            [f"{s} ({n}) is listed and not in error.def" for s, n in sorted(listed - defined)])


def read_enum_tables() -> dict[str, list[str]]:
    text = (BUILD / "gen/enum_tables.c").read_text()
    tables = re.findall(r"vg_enum_value values_(\w+)\[\] = \{(.*?)\n\};", text, re.S)
    return {kind: re.findall(r'\{"([^"]+)"', rows) for kind, rows in tables}


def check_enums(spec: Spec) -> list[str]:
    """Listed names are those of libvirt 9.0.0; a newer libvirt may have more."""
    tables = read_enum_tables()
    version = subprocess.run(["pkg-config", "--modversion", "libvirt"], check=True, text=True,
                             capture_output=True).stdout.strip()
    errors = []
    for name, schema in spec.document["components"]["schemas"].items():
        kinds = schema.get("x-libvirt-enum", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        known = {value for kind in kinds for value in tables.get(kind, [])}
        listed = set(schema["enum"]) if kinds else set()
        if kinds and (listed - known or (version == "9.0.0" and known - listed)):
            errors.append(f"{name}: lists {sorted(listed)}, {kinds} has {sorted(known)}")
    return errors


def event_kinds(spec: Spec) -> set[tuple[str, str]]:
    """Object and event of each documented kind."""
    kinds = [spec.resolve(n)["properties"] for n in
             spec.document["components"]["schemas"]["Event"]["oneOf"]]
    return {(k["object"]["const"], k["event"]["const"]) for k in kinds}


def check_events(spec: Spec) -> list[str]:
    """Each event id of libvirt has its schema, and each schema what `event` and `object` take."""
    tables = read_enum_tables()
    wanted = {(kind, name) for kind, enum in (
        ("domain", "virDomainEventID"), ("network", "virNetworkEventID"),
        ("storage-pool", "virStoragePoolEventID"), ("node-device", "virNodeDeviceEventID"),
        ("secret", "virSecretEventID")) for name in tables[enum]}
    kinds = event_kinds(spec)
    schemas = spec.document["components"]["schemas"]
    errors = [f"no schema for {name} of a {kind}" for kind, name in sorted(wanted - kinds)]
    for position, schema in ((0, "EventObject"), (1, "EventName")):
        named = {k[position] for k in kinds} - {"stream"}
        if named != set(schemas[schema]["enum"]):
            errors.append(f"{schema}: differs from the kinds in {named ^ set(schemas[schema]['enum'])}")
    return errors


def check_current(binary: Path) -> list[str]:
    """Generated again it is the same; else what is not, as the generator shows it."""
    routes = subprocess.run([binary, "--dump-routes"], check=True, capture_output=True).stdout
    said = subprocess.run([sys.executable, ROOT / "server/gen/openapi.py", "--check", "-"],
                          input=routes, capture_output=True, check=False)
    text = (said.stdout + said.stderr).decode()
    return [f"`make openapi` would change it, or a component is misplaced:\n{text}"
            ] if said.returncode else []


def check_document(spec: Spec, report: Report) -> None:
    report.check("document: examples fit their schemas", check_examples(spec))
    report.check("document: object schemas are closed", check_closed(spec))
    report.check("document: units are described", check_units(spec))
    report.check("document: errors are those of error.def", check_slugs(spec))
    report.check("document: enums are libvirt's", check_enums(spec))
    report.check("document: events are libvirt's", check_events(spec))


# ---- the route tables ---------------------------------------------------------------------------

def dump_routes(binary: Path) -> list[Json]:
    out = subprocess.run([binary, "--dump-routes"], check=True, text=True, timeout=20,
                         capture_output=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def expand_routes(rows: list[Json]) -> dict[tuple[str, str], Json]:
    """By path and method; a row of all hosts stands for two operations."""
    routes = {}
    for row in rows:
        routes[row["pattern"], row["method"]] = row
        if row["all"]:
            path = "/hosts/-" + row["pattern"]
            routes[path, row["method"]] = dict(
                row, pattern=path, operationId=row["operationId"] + "OfAllHosts", noHost=True)
    return routes


def describe(operation: Operation) -> Json:
    """An operation as --dump-routes would show it."""
    success = operation.responses[str(operation.success)]
    return {
        "operationId": operation.name,
        "access": operation.spec["x-virtgate-access"],
        "args": bool(operation.own or operation.body_media),
        "xml": "application/xml" in operation.body_media,
        "givesXml": "application/xml" in success.get("content", {}),
        "givesBytes": "application/octet-stream" in success.get("content", {}),
        "noHost": operation.once,
        "streams": operation.streams,
        "long": operation.long,
    }


def check_routes(spec: Spec, binary: Path, report: Report) -> None:
    routes = expand_routes(dump_routes(binary))
    documented = {(o.path, o.method): o for o in spec.operations}
    for path, method in sorted(routes.keys() | documented.keys()):
        errors = []
        if (path, method) not in documented:
            errors.append("not in openapi.yaml")
        elif (path, method) not in routes:
            errors.append("not in the route tables")
        else:
            operation = documented[path, method]
            for key, value in describe(operation).items():
                # Whatever else: a handler that takes a body of XML reads its arguments.
                if routes[path, method][key] != value:
                    errors.append(f"{key}: openapi.yaml says {value}, "
                                  f"the route table {routes[path, method][key]}")
            public = operation.spec.get("security") == []
            if public != (operation.spec["x-virtgate-access"] == "public"):
                errors.append("`security: []` does not go with x-virtgate-access")
        report.check(f"route {method} {path}", errors)


# ---- what the API tests saw ---------------------------------------------------------------------

def read_recorded(path: Path) -> Iterator[Exchange]:
    with path.open() as lines:
        for line in lines:
            entry = json.loads(line)
            headers = {k.lower(): v for k, v in entry.get("headers", {}).items()}
            if entry.get("contentType"):
                headers["content-type"] = entry["contentType"]
            body = entry["body"]
            if isinstance(body, str) and "json" in headers.get("content-type", ""):
                try:
                    body = json.loads(body)
                except ValueError:
                    pass
            yield Exchange(entry["method"], entry["path"], entry["status"], headers,
                           body if body != "" else None)


def check_recorded(spec: Spec, path: Path, report: Report) -> None:
    """One check for each operation; each must have been seen to succeed, but where it needs
    what test machines lack, and each of a domain to give libvirt's own error."""
    if not path.exists():
        report.check("recorded exchanges", [f"{path} is not there; make check-api writes it"])
        return
    errors: dict[str, list[str]] = defaultdict(list)
    count: dict[str, int] = defaultdict(int)
    succeeded, refused = set(), set()
    drivers = {"test"}  # whose tests ran
    lacking = {o.name for o in spec.operations if "x-virtgate-needs" in o.spec}
    for x in read_recorded(path):
        item = spec.find_path(x.segments)
        operation = spec.find_operation(item, x.method) if item else None
        name = operation.name if operation else "(no operation)"
        count[name] += 1
        if operation and (x.status == operation.success or
                          (operation.begins_job and x.status == 202)):
            succeeded.add(name)
        if isinstance(x.body, dict) and "codeName" in (x.body.get("error") or {}):
            refused.add(name)
        if name == "getConnection" and "QEMU" in (x.body or {}).values():
            drivers.add("qemu")
        errors[name] += [f"{x}: {e}" for e in check_exchange(spec, x)]
    for operation in spec.operations:
        if (operation.name not in succeeded | lacking and
                any(map(operation.works_on, drivers))):
            errors[operation.name].append("no API test saw it succeed")
        if ("{domain}" in operation.path and operation.name not in refused and
                any(map(operation.works_on, drivers))):
            errors[operation.name].append("no API test saw libvirt refuse it")
    for name in [o.name for o in spec.operations] + ["(no operation)"]:
        report.check(f"recorded {name}, {count[name]} exchanges", errors[name])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--base", help="URL of a running gateway on test:///default")
    parser.add_argument("--spec", type=Path, default=ROOT / "openapi.yaml")
    parser.add_argument("--binary", type=Path, help="virtgate",
                        default=ROOT / os.environ.get("VIRTGATE_BIN", BUILD / "virtgate"))
    parser.add_argument("recorded", type=Path, nargs="?",
                        default=os.environ.get("VG_RECORD", BUILD / "exchanges.jsonl"))
    args = parser.parse_args()

    spec = Spec(args.spec)
    report = Report()
    if args.spec == ROOT / "openapi.yaml":
        report.check("document: is current", check_current(args.binary))
    check_document(spec, report)
    check_routes(spec, args.binary, report)
    check_recorded(spec, args.recorded, report)
    for name, errors in openapi_examples.run(spec, args.base, args.binary):
        report.check(name, errors)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
