#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each of libvirt's functions with an endpoint (class a of api-coverage.tsv) was seen to succeed, and to
fail with libvirt's error, while the API and QEMU tests ran (tests/trace). Those that cannot are lines
of that table, `# never: NAME succeeds|fails reason`; one that was seen after all leaves it. What fails
only where what was found a moment ago has gone, or its daemon, tests/qemu/refused.py makes fail.

    tests/contract/outcomes.py [--missing]     --missing: name all, though the suites did not run whole
"""
import argparse
import os
import re
import sys
from pathlib import Path

from api_coverage import BUILD, TABLE, read_table

# Of domains alone there are sections that this does not hold yet.
SECTIONS = {"libvirt-" + s for s in ("host", "network", "storage", "nodedev", "interface", "nwfilter",
                                     "secret", "admin")}
OUTCOMES = {"+": "succeeds", "-": "fails"}


def read_seen(path: Path) -> tuple[set[tuple[str, str]], set[str]]:
    """(function, outcome) of what was seen; the suites that ran to their end."""
    seen, suites = set(), set()
    for line in path.read_text().splitlines() if path.exists() else ():
        first, second = line.split()
        if first == "#":
            suites.add(second)
        elif first in OUTCOMES:
            seen.add((second, OUTCOMES[first]))
    return seen, suites


def read_excepted() -> set[tuple[str, str]]:
    return set(re.findall(r"^# never: (\w+) (succeeds|fails) \S", TABLE.read_text(), re.MULTILINE))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--missing", action="store_true",
                        help="name what was not seen, though the suites did not run whole")
    args = parser.parse_args()
    seen, suites = read_seen(Path(os.environ.get("VG_TRACE", BUILD / "calls.txt")))
    never = read_excepted()
    wanted = {(name, outcome) for name, f in read_table().functions.items()
              if f.kind == "a" and f.section in SECTIONS for outcome in OUTCOMES.values()}
    missing = sorted(wanted - seen - never)
    if args.missing:
        for name, outcome in missing:
            print(f"  {name} {outcome}")
    errors = [f"{name} {outcome}: it was seen, or is not one of these: no exception" for name, outcome
              in sorted(never & seen | never - wanted)]
    if {"api", "qemu"} <= suites:
        errors += [f"{name} was never seen that it {outcome}" for name, outcome in missing]
    for error in errors:
        print(f"             {error}")
    print(f"[{'  FAILED  ' if errors else '       OK '}] {len(wanted & seen)} of {len(wanted)} outcomes "
          f"were seen, {len(never)} cannot be")
    print(f"{int(not errors)} passed, {int(bool(errors))} failed")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
