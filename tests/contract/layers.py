#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may include whom (docs/architecture.md): a folder is a layer, which includes itself and what
is below it. HTTP code never sees libvirt, libvirt code never sees libmicrohttpd, routes see
neither sockets nor threads. And no circles: neither of files that include each other, nor of files
that call each other, read from the object files. What breaks a rule today stands in KNOWN with
its reason; a line of KNOWN that breaks nothing fails, too.
"""
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from report import Report
from sources import ROOT, includes_of, lines_matching, project_file, sources

BUILD = os.environ.get("O", "build")

# What each folder may include of the project beside itself and include/virtgate.
BASE = {"server/base"}
CONFIG = BASE | {"server/config"}
CORE = CONFIG | {"server/core"}
TRANSFER = BASE | {"server/transfer"}
XML = CORE | {"server/xml"}
LIBVIRT = XML | {"server/libvirt"}
DOMAIN = LIBVIRT | {"server/libvirt/domain"}
HTTP = CORE | {"server/http"}
BELOW = {
    "include/virtgate": set(),
    "server/base": BASE,
    "server/config": CONFIG,
    "server/core": CORE,
    "server/xml": XML,
    "server/libvirt": LIBVIRT,
    "server/libvirt/domain": DOMAIN,
    "server/http": HTTP,
    "server/transfer": TRANSFER,
    "server": DOMAIN | HTTP | TRANSFER | {"server"},
    "routes": {"routes"},
}

# Libraries that only some folders see, by way of the project's headers, too.
LIBRARIES = {
    "microhttpd": {"server/http"},
    "gnutls/": {"server/http", "server/config", "server/base"},
    "libnbd.h": {"server/libvirt"},
    "curl/": {"server/transfer"},
    "archive": {"server/transfer"},
    "libvirt/": {"server/libvirt", "server/libvirt/domain", "server", "routes", "include/virtgate"},
}
# Headers of include/virtgate that name libvirt's types; what else is there does not.
VIRT_HEADERS = {f"include/virtgate/{name}.h" for name in (
    "admin autoptr object object_class params host event domain domain_config domain_stats history conflict console device job transfer used_by volume").split()}

# Names that a folder does not use, however they were declared.
NAMES = {
    "routes": r"\b(MHD_|gnutls_|pthread_)[A-Za-z_]+|\bgoto\b",
    "server/http": r"\bvir[A-Z][A-Za-z]+ *\(|\bVIR_[A-Z_]+",
    "server/base": r"\b(MHD_[A-Za-z_]+|vir[A-Z][A-Za-z]+ *\()",
    "server/config": r"\b(MHD_[A-Za-z_]+|vir[A-Z][A-Za-z]+ *\()",
    "server/core": r"\b(MHD_[A-Za-z_]+|vir[A-Z][A-Za-z]+ *\()",
    "server/transfer": r"\b(MHD_[A-Za-z_]+|vir[A-Z][A-Za-z]+ *\()",
    "server/xml": r"\b(MHD_[A-Za-z_]+|vir[A-Z][A-Za-z]+ *\()",
    "server/libvirt": r"\bMHD_[A-Za-z_]+",
    "server/libvirt/domain": r"\bMHD_[A-Za-z_]+",
    "server": r"\bMHD_[A-Za-z_]+",
}
ROUTES_NEVER = r"pthread|threads\.h|sys/socket|netinet/|poll|sys/epoll"

# (includer, included): why it is so today.
KNOWN: dict[tuple[str, str], str] = {}
# Circles of calls: the files of each, and why it is there.
KNOWN_CIRCLES: list[tuple[set[str], str]] = []


def folder_of(file: str) -> str:
    folder = str(Path(file).parent)
    return "routes" if folder.startswith("routes") else folder


def seen_by(file: str) -> dict[str, str]:
    """All that a file sees, the project's headers followed: header -> the way."""
    seen: dict[str, str] = {}

    def follow(at: str, way: str) -> None:
        for include in includes_of(at):
            if include in seen:
                continue
            seen[include] = way
            below = project_file(include)
            if below:
                follow(below, f"{way} > {include}")

    follow(file, file)
    return seen


def library_faults(file: str) -> list[str]:
    folder = folder_of(file)
    faults = []
    for library, folders in LIBRARIES.items():
        if folder in folders and (library != "libvirt/" or folder != "include/virtgate" or
                                  file in VIRT_HEADERS):
            continue
        faults += [f"sees <{header}> by {way}" for header, way in seen_by(file).items()
                   if header.startswith(library)]
    return faults


def layer_faults(file: str, used: set[tuple[str, str]]) -> list[str]:
    folder = folder_of(file)
    if folder not in BELOW:
        return [f"{folder}/ is no layer: say in BELOW what it may include"]
    faults = library_faults(file)
    if folder in NAMES:
        faults += lines_matching(file, NAMES[folder])
    if folder == "routes":
        faults += [f"includes <{i}>" for i in includes_of(file) if re.match(ROUTES_NEVER, i)]
    for include in includes_of(file):
        target = project_file(include)
        if not target or folder_of(target) in BELOW[folder] | {folder, "include/virtgate"}:
            continue
        if (file, target) in KNOWN:
            used.add((file, target))
        else:
            faults.append(f"includes {target}, which is above it or beside it")
    return faults


# ---- circles ------------------------------------------------------------------------------------

Graph = dict[str, dict[str, str]]  # file -> the files it needs, and what of them


def circles_of(graph: Graph) -> list[set[str]]:
    """Strongly connected components of more than one file (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, {}):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(set(stack[at:]))
            del stack[at:]

    sys.setrecursionlimit(10_000)
    for node in list(graph):
        if node not in index:
            visit(node)
    return found


def includes_graph(files: list[str]) -> Graph:
    return {file: {target: include for include in includes_of(file)
                   if (target := project_file(include))} for file in files}


def calls_graph(files: list[str]) -> Graph:
    """Which file uses what another defines, by the symbols of their object files."""
    objects = {f"{BUILD}/{file[:-2]}.o": file for file in files if file.endswith(".c")}
    listed = subprocess.run(["nm", "-A", *objects], cwd=ROOT, check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    defined: dict[str, str] = {}
    used = defaultdict(set)
    for line in listed.splitlines():
        if match := re.match(r"(\S+?\.o):\S*\s+([A-Za-z])\s+(\S+)", line):
            if match[2] in "TDBRVWC":
                defined[match[3]] = objects[match[1]]
            elif match[2] == "U":
                used[objects[match[1]]].add(match[3])
    graph: Graph = {file: {} for file in objects.values()}
    for file, symbols in used.items():
        for symbol in sorted(symbols):
            other = defined.get(symbol, file)
            if other != file:
                graph[file].setdefault(other, symbol)
    return graph


def describe(circle: set[str], graph: Graph) -> list[str]:
    return [f"{file} needs {other} ({what})" for file in sorted(circle)
            for other, what in graph[file].items() if other in circle]


def circle_faults(graph: Graph, known: list[tuple[set[str], str]]) -> list[str]:
    faults = []
    circles = circles_of(graph)
    for circle in circles:
        if not any(circle <= files for files, _ in known):
            faults += [f"a circle of {len(circle)} files:"] + describe(circle, graph)
    return faults + [f"no circle is left of: {', '.join(sorted(files))}" for files, _ in known
                     if not any(circle <= files for circle in circles)]


def unused_by_routes(headers: list[str]) -> list[str]:
    """include/virtgate holds only what routes use; what the server alone uses stands there."""
    used = {project_file(include) for route in sources("routes") for include in seen_by(route)}
    return [f"{header} is used by no route: it belongs to the server" for header in headers
            if header not in used]


def main() -> int:
    report = Report()
    files = sources("include", "server", "routes")
    used: set[tuple[str, str]] = set()
    for file in files:
        report.check(f"{folder_of(file)}: {file}", layer_faults(file, used))
    report.check("include/virtgate holds what routes use", unused_by_routes(sources("include")))
    report.check("what is known to break a layer still does",
                 [f"{a} no longer includes {b}" for a, b in KNOWN if (a, b) not in used])
    report.check("no circle of includes", circle_faults(includes_graph(files), []))
    report.check("no circle of calls", circle_faults(calls_graph(files), KNOWN_CIRCLES))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
