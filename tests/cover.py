#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of server/ and routes/ the tests entered, by folder: lines and branches, and the functions
that none did. Reads what a build with --coverage left (`make cover`), by gcovr.

    tests/cover.py BUILD [--functions]     --functions: name those that no test entered

Exit status 1 below the targets.
"""
import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES, BRANCHES = 90.0, 80.0  # per cent, of all folders together


def measure(build: Path) -> list[dict]:
    """gcovr's report, a file of the project each."""
    out = subprocess.run(
        ["gcovr", "--root", ROOT, "--object-directory", build, "--filter", f"{ROOT}/server/",
         "--filter", f"{ROOT}/routes/", "--exclude-unreachable-branches",
         "--gcov-ignore-parse-errors", "--json", "-", build],
        check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout
    return json.loads(out)["files"]


class Count:
    def __init__(self) -> None:
        self.lines = self.lines_hit = self.branches = self.branches_hit = 0

    def add(self, file: dict) -> None:
        for line in file["lines"]:
            if line.get("gcovr/noncode"):
                continue
            self.lines += 1
            self.lines_hit += line["count"] > 0
            self.branches += len(line["branches"])
            self.branches_hit += sum(b["count"] > 0 for b in line["branches"])

    def show(self, name: str) -> tuple[float, float]:
        lines = 100 * self.lines_hit / max(self.lines, 1)
        branches = 100 * self.branches_hit / max(self.branches, 1)
        print(f"{name:<28}{self.lines_hit:>7} of {self.lines:>6} lines {lines:6.1f} %"
              f"{self.branches_hit:>8} of {self.branches:>6} branches {branches:6.1f} %")
        return lines, branches


def functions_not_entered(build: Path) -> list[str]:
    """By gcov's own names, which gcovr 5 does not keep."""
    missed = []
    for unit in sorted(build.rglob("*.gcno")):
        name = unit.relative_to(build).with_suffix(".c")
        if name.parts[0] not in ("server", "routes"):
            continue
        out = subprocess.run(["gcov", "--json-format", "--stdout", unit], cwd=ROOT, check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        for report in out.splitlines():
            for file in json.loads(report)["files"]:
                if file["file"] == str(name):
                    missed += [f"{name}:{f['start_line']}: {f['demangled_name']}"
                               for f in file["functions"] if not f["execution_count"]]
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--functions", action="store_true")
    args = parser.parse_args()
    folders: dict[str, Count] = defaultdict(Count)
    total = Count()
    for file in measure(args.build):
        folders[str(Path(file["file"]).parent)].add(file)
        total.add(file)
    for name in sorted(folders):
        folders[name].show(name)
    lines, branches = total.show("all")
    if args.functions:
        print("\n".join(functions_not_entered(args.build)))
    return 0 if lines >= LINES and branches >= BRANCHES else 1


if __name__ == "__main__":
    sys.exit(main())
