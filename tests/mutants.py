#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Do the tests bite? Puts small faults into one file, one at a time, of the kind that a tired
programmer makes, builds, and runs the tests that concern the file. A fault that they let through
is unseen: a test is missing, or the code says the same without what was changed.

    tests/mutants.py FILE [--tests GLOB...] [--count N] [--seed N] [--list LIST] [--show]

The faults are made by the operators below, N of them by chance, or are those of LIST, a line each:
`LINE<TAB>OLD<TAB>NEW`, the first OLD of that line becoming NEW. GLOBs are of tests below tests/,
`unit/core/test_queue*`; without any, the unit tests of the file's folder. Work goes on in a copy,
build-mutants/src; the checkout is not touched. Exit status 1 when fewer than 85 % are seen.
"""
import argparse
import fcntl
import fnmatch
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPY = ROOT / "build-mutants/src"
AIM = 0.85
SECONDS = 1200  # for a build, or the tests of one fault: one that makes them hang is seen

# (what is found in code, what it becomes)
OPERATORS = [
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "),
    (r" == ", " != "), (r" != ", " == "), (r" && ", " || "), (r" \|\| ", " && "),
    (r" \+ 1\b", ""), (r" - 1\b", ""), (r"\+\+", "--"), (r"(?<=[( ])!(?=[\w(])", ""),
    (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r"^(\s+)[\w>.\-]+\([^;{}]*\);$", r"\1;"),           # a call that is not made
    (r"^(\s+)[\w>.\-\[\]*]+ [|&+-]?= [^;{}]*;$", r"\1;"),  # a value that is not kept
]


class Fault(NamedTuple):
    line: int
    text: str  # of the whole line, as it becomes

    def apply(self, source: str) -> str:
        lines = source.splitlines(keepends=True)
        lines[self.line - 1] = self.text + "\n"
        return "".join(lines)


def code_lines(source: str) -> Iterator[tuple[int, str]]:
    """Lines of functions, without those of comments."""
    inside = comment = False
    for number, line in enumerate(source.splitlines(), 1):
        inside = line == "{" or (inside and line != "}")
        begins = line.lstrip().startswith("/*")
        if inside and not comment and not begins and not line.startswith("#"):
            yield number, line
        comment = (comment or begins) and "*/" not in line


def in_text(line: str, at: int) -> bool:
    return line[:at].count('"') % 2 == 1 or "/*" in line[:at]


def make_faults(source: str) -> list[Fault]:
    faults = []
    for number, line in code_lines(source):
        for pattern, becomes in OPERATORS:
            for m in re.finditer(pattern, line):
                if not in_text(line, m.start()):
                    changed = line[:m.start()] + m.expand(becomes) + line[m.end():]
                    faults.append(Fault(number, changed))
    return faults


def read_faults(path: Path, source: str) -> list[Fault]:
    faults = []
    lines = source.splitlines()
    for row in path.read_text(encoding="utf-8").splitlines():
        if row and not row.startswith("#"):
            number, old, new = row.split("\t")
            line = lines[int(number) - 1]
            if old not in line:
                raise SystemExit(f"{path}: line {number} has no `{old}`: {line}")
            faults.append(Fault(int(number), line.replace(old, new, 1)))
    return faults


def copy_checkout() -> None:
    """What git knows or would take, changed or not. What is copied is newer than what was built of
    it, as of a fault that an interrupted run left."""
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT,
                           check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
    for name in filter(None, files):
        at = COPY / name
        if (ROOT / name).is_file() and (
                not at.exists() or (ROOT / name).read_bytes() != at.read_bytes()):
            at.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, at)


def choose_tests(file: Path, globs: list[str]) -> list[str]:
    """Names below tests/, without .c."""
    layer = "/".join(file.parent.parts[1:]) if file.parts[0] == "server" else ""
    globs = globs or [f"unit/{layer}/test_*"]
    names = [str(p.relative_to(COPY / "tests").with_suffix("")) for p in
             sorted((COPY / "tests").rglob("test_*.c"))]
    chosen = [n for n in names if any(fnmatch.fnmatch(n, g) for g in globs)]
    if not chosen:
        raise SystemExit(f"no test is {' '.join(globs)}")
    return chosen


def run(command: list[str]) -> bool:
    try:
        return subprocess.run(command, cwd=COPY, check=False, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=SECONDS,
                              env={**os.environ, "CCACHE_NOHASHDIR": "1"}).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def build(tests: list[str]) -> bool:
    needs = [f"build/tests/{t}" for t in tests]
    if any(not t.startswith("unit/") for t in tests):
        needs.append("build/virtgate")
    return run(["make", "-s", "-j2", "DOCS=no", "CC=ccache cc" if shutil.which("ccache") else "CC=cc",
                "WERROR=", *needs])


def tests_pass(tests: list[str]) -> bool:
    for suite in sorted({t.split("/")[0] for t in tests}):
        names = "|".join(t.split("/", 1)[1] for t in tests if t.startswith(suite + "/"))
        if not run(["env", f"VG_TEST=@({names})", "VG_TIMEOUT=60", "tests/run.sh", suite]):
            return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--tests", nargs="+", default=[])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", type=Path)
    parser.add_argument("--show", action="store_true", help="the faults alone, as a LIST has them")
    args = parser.parse_args()
    source = (ROOT / args.file).read_text(encoding="utf-8")
    if args.list:
        faults = read_faults(args.list, source)
    else:
        faults = make_faults(source)
        if len(faults) > args.count:
            faults = sorted(random.Random(args.seed).sample(faults, args.count))
    lines = source.splitlines()
    if args.show:
        for f in faults:
            print(f"{f.line}\t{lines[f.line - 1]}\t{f.text}")
        return 0
    COPY.mkdir(parents=True, exist_ok=True)
    lock = os.open(COPY.parent, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time works on the copy
    copy_checkout()
    tests = choose_tests(args.file, args.tests)
    if not build(tests) or not tests_pass(tests):
        raise SystemExit(f"without any fault these fail: {' '.join(tests)}")
    seen = unseen = 0
    for f in faults:
        (COPY / args.file).write_text(f.apply(source), encoding="utf-8")
        if not build(tests):
            continue  # the compiler saw it, which is no test
        bites = not tests_pass(tests)
        seen += bites
        unseen += not bites
        print(f"{'seen  ' if bites else 'UNSEEN'} {args.file}:{f.line}: "
              f"{lines[f.line - 1].strip()}  =>  {f.text.strip()}", flush=True)
    (COPY / args.file).write_text(source, encoding="utf-8")
    print(f"{seen} seen, {unseen} unseen")
    return 0 if seen >= AIM * (seen + unseen) and seen else 1


if __name__ == "__main__":
    sys.exit(main())
