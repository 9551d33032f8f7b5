#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which of libvirt's functions the gateway calls, against api-coverage.tsv.

Each public function of libvirt is listed there: class a belongs to an endpoint, b is plumbing,
c is superseded or makes no sense over HTTP. What is called is read from the object files. It
fails when a function of class c is called that is no listed fallback, when one is called that
is not listed, when libvirt has one that is not listed, when one of class a is not called, is no
listed exception and of no unfinished section, when an unfinished section is finished, and when
fewer of class a are called than the table's `# covered:` line says.

    tests/contract/api_coverage.py [--missing]     --missing: name all that are not called yet
"""
import argparse
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Iterator, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("O", "build")
TABLE = Path(__file__).with_name("api-coverage.tsv")

# The libvirt whose functions the table lists; a newer one may have more.
LISTED_VERSION = "9.0.0"
# Sections that are not served yet. Of all others every function of class a is called, `# except:`
# lines apart. A section that is served leaves this list, and this list goes when it is empty.
UNFINISHED: set[str] = set()
SIBLINGS = ("libvirt-api.xml", "libvirt-qemu-api.xml", "libvirt-lxc-api.xml",
            "libvirt-admin-api.xml")


class Function(NamedTuple):
    section: str
    kind: str  # a, b, c
    where: str


class Table(NamedTuple):
    functions: dict[str, Function]
    fallbacks: set[str]
    exceptions: set[str]
    covered: int


def read_table() -> Table:
    """Lines `name TAB class TAB where`, `# == section (...)`, `# covered: N`,
    `# fallback: NAME reason`, `# except: NAME reason`."""
    functions: dict[str, Function] = {}
    fallbacks = set()
    exceptions = set()
    covered = 0
    section = ""
    for line in TABLE.read_text().splitlines():
        if match := re.match(r"# == (\S+)", line):
            section = match[1]
        elif match := re.match(r"# covered: (\d+)$", line):
            covered = int(match[1])
        elif match := re.match(r"# fallback: (\w+) \S", line):
            fallbacks.add(match[1])
        elif match := re.match(r"# except: (\w+) \S", line):
            exceptions.add(match[1])
        elif line and not line.startswith("#"):
            name, kind, where = line.split("\t")
            functions[name] = Function(section, kind, where)
    return Table(functions, fallbacks, exceptions, covered)


def called_by(folder: str) -> dict[str, set[str]]:
    """Functions of libvirt, by name, with the sources that call them."""
    called: dict[str, set[str]] = {}
    for source in sorted((ROOT / folder).rglob("*.c")):
        unit = BUILD / source.relative_to(ROOT).with_suffix(".o")
        if not unit.exists():
            raise SystemExit(f"{unit} is not there; make builds it")
        out = subprocess.run(["nm", "--undefined-only", unit], check=True, text=True,
                             capture_output=True).stdout
        for name in re.findall(r" U (vir[A-Z]\w+)", out):
            called.setdefault(name, set()).add(str(source.relative_to(ROOT)))
    return called


def pkg_config(*args: str) -> str:
    return subprocess.run(["pkg-config", *args, "libvirt"], check=True, text=True,
                          capture_output=True).stdout.strip()


def public_functions() -> Iterator[str]:
    """All that libvirt's own API description has."""
    api = Path(pkg_config("--variable=libvirt_api"))
    for name in SIBLINGS:
        if api.with_name(name).exists():
            for function in ElementTree.parse(api.with_name(name)).getroot().iter("function"):
                yield function.attrib["name"]


def report_sections(table: Table, called: set[str]) -> None:
    total = Counter(f.section for f in table.functions.values() if f.kind == "a")
    done = Counter(f.section for n, f in table.functions.items() if f.kind == "a" and n in called)
    for section, n in total.items():
        print(f"  {section:<28} {done[section]:>4} of {n:>4}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--missing", action="store_true",
                        help="name the functions of class a that are not called yet")
    args = parser.parse_args()

    table = read_table()
    callers = called_by("routes")
    for name, sources in called_by("server").items():
        callers.setdefault(name, set()).update(sources)
    wanted = {n for n, f in table.functions.items() if f.kind == "a"}
    covered = wanted & callers.keys()
    failed = 0

    def check(name: str, errors: list[str]) -> None:
        nonlocal failed
        failed += bool(errors)
        print(f"[  FAILED  ] {name}" if errors else f"[       OK ] {name}")
        for error in errors:
            print(f"             {error}")

    report_sections(table, covered)
    if args.missing:
        for name in sorted(wanted - covered):
            print(f"  {name}\t{table.functions[name].where}")
    check("what is called is listed",
          [f"{n}, called by {', '.join(sorted(callers[n]))}"
           for n in sorted(callers.keys() - table.functions.keys())])
    check("nothing of class c is called but fallbacks",
          [f"{n}, called by {', '.join(sorted(callers[n]))}: {f.where}"
           for n, f in sorted(table.functions.items())
           if f.kind == "c" and n in callers and n not in table.fallbacks])
    check("fallbacks are called", sorted(table.fallbacks - callers.keys()))
    missing = {n for n in wanted - covered if table.functions[n].section not in UNFINISHED}
    unfinished = {table.functions[n].section for n in wanted - covered - table.exceptions}
    check("unfinished sections are unfinished",
          [f"{s} has all: it leaves UNFINISHED" for s in sorted(UNFINISHED - unfinished)])
    check("all functions of the others are called",
          [f"{n}: {table.functions[n].where}" for n in sorted(missing - table.exceptions)] +
          [f"{n} is no exception any more" for n in sorted(table.exceptions - missing)])
    unlisted = sorted(set(public_functions()) - table.functions.keys())
    check("what libvirt has is listed",
          unlisted if pkg_config("--modversion") == LISTED_VERSION else [])
    check(f"{len(covered)} of {len(wanted)} functions of class a are called",
          [f"there were {table.covered}"] if len(covered) < table.covered else [])
    if len(covered) > table.covered:
        print(f"             now set `# covered: {len(covered)}` in {TABLE.name}")
    print(f"{7 - failed} passed, {failed} failed")
    return 1 if failed or not covered else 0


if __name__ == "__main__":
    sys.exit(main())
