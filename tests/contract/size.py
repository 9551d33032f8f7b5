#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""No file over 600 lines, no function over 60: what is longer has a part that wants a name.
Functions are found by clang-format's braces: `{` and `}` alone in the first column."""
import re
import sys

from report import Report
from sources import ROOT, sources

MAX_FILE = 600
MAX_FUNCTION = 60


def long_functions(file: str, text: str) -> list[str]:
    faults, head, start = [], "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"[A-Za-z_].*\(", line):
            head = line
        if line.startswith("{"):
            start = number
        if line.startswith("}") and start:
            if number - start - 1 > MAX_FUNCTION:
                faults.append(f"{file}:{start}: {number - start - 1} lines: {head}")
            start = 0
    return faults


def main() -> int:
    report = Report()
    scripts = [str(path.relative_to(ROOT)) for folder in ("tests", "server/gen")
               for path in (ROOT / folder).rglob("*.py")]
    for file in sources("include", "server", "routes", "tests") + sorted(scripts) + ["Makefile"]:
        text = (ROOT / file).read_text()
        lines = text.count("\n")
        faults = long_functions(file, text) if file.endswith((".c", ".h")) else []
        if lines > MAX_FILE:
            faults.append(f"{file} has {lines} lines")
        report.check(file, faults)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
