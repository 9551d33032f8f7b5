#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Do the tests bite? Puts small faults into files, one at a time, of the kind that a tired
programmer makes, and runs the tests that concern the file. A fault that they let through is
unseen: a test is missing, or the code says the same without what was changed.

    tests/mutants.py FILE... [--tests GLOB...] [--count N] [--seed N] [--list LIST] [--show]

The faults are made by the operators below, N of them by chance in each file, or are those of LIST,
a line each: `LINE<TAB>OLD<TAB>NEW`, the first OLD of that line becoming NEW. GLOBs are of tests
below tests/, `unit/core/test_queue* api/http/limits.py`; without any, those that mutants.tsv names
for the file, or the unit tests of its name, or those of its folder.

No file of the checkout changes. A fault is compiled from memory, only its object, and linked to
what `make tests` built; unit tests run first, with the checker of leaks, and others only what
these let through. Some faults are tried at a time (--jobs). Ends with a table; exit status 1 when
fewer than 85 % are seen.
"""
import argparse
import concurrent.futures
import fnmatch
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BUILD = os.environ.get("O", "build")
AIM = 0.85
SUITES = ("unit", "api", "qemu")  # the quick ones first
# What goes beyond an array is seen, whatever stands there.
BOUNDS = ("-fsanitize=bounds", "-fsanitize-undefined-trap-on-error")
# A test and all that it starts, its gateways too, ends with whoever waits for it.
ENDING_TOGETHER = ("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--mount-proc",
                   "--kill-child") if os.geteuid() == 0 else ()

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
        if inside and not (comment or begins or line.startswith("#") or is_lock(line)):
            yield number, line
        comment = (comment or begins) and "*/" not in line


def in_text(line: str, at: int) -> bool:
    return line[:at].count('"') % 2 == 1 or "/*" in line[:at]


def is_lock(line: str) -> bool:
    """What only check-tsan can miss."""
    return "VG_LOCK(" in line or "pthread_mutex_lock(" in line


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


def all_tests() -> list[str]:
    """Names below tests/: programs without .c, scripts."""
    found = []
    for suite in SUITES:
        for path in sorted((ROOT / "tests" / suite).rglob("*")):
            name = str(path.relative_to(ROOT / "tests"))
            if path.name.startswith("test_") and path.suffix == ".c":
                found.append(name[:-len(".c")])
            elif path.suffix == ".py" and os.access(path, os.X_OK):
                found.append(name)
    return found


def choose_tests(file: Path, globs: list[str]) -> list[str]:
    names = all_tests()

    def matching(patterns: list[str]) -> list[str]:
        return [n for n in names if any(fnmatch.fnmatch(n, p) for p in patterns)]

    if globs:
        chosen = matching(globs)
    else:
        layer = "/".join(file.parent.parts[1:])
        chosen = (matching(listed_tests(file)) or matching([f"unit/{layer}/test_{file.stem}*"])
                  or matching([f"unit/{layer}/test_*"]))
    if not chosen:
        raise SystemExit(f"{file}: no test is {' '.join(globs) or 'known'}: --tests names some")
    return chosen


def listed_tests(file: Path) -> list[str]:
    for row in Path(__file__).with_suffix(".tsv").read_text(encoding="utf-8").splitlines():
        name, _, globs = row.partition("\t")
        if name == str(file):
            return globs.split()
    return []


def run(command: list[str], text: str = "", seconds: float = 600,
        environment: dict[str, str] | None = None) -> bool:
    """What hangs is ended, with all that it started."""
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True,
                          env={**os.environ, **(environment or {})}) as process:
        try:
            process.communicate(text.encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return False
        return process.returncode == 0


def commands_of_make(target: str, newer: str) -> list[str]:
    """The compiler's words when `target` is made anew because `newer` changed."""
    out = subprocess.run(["make", "--no-print-directory", "-n", "-W", newer, f"O={BUILD}", target],
                         cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout
    for line in out.splitlines():
        words = shlex.split(line)
        if "-o" in words and words[words.index("-o") + 1] == target:
            return words
    raise SystemExit(f"make does not say how {target} is built")


class Subject:
    """A file under test: how it is built, and the tests that concern it."""

    def __init__(self, file: Path, globs: list[str]) -> None:
        self.file = file
        self.source = (ROOT / file).read_text(encoding="utf-8")
        self.tests = choose_tests(file, globs)
        self.object = f"{BUILD}/{file.with_suffix('.o')}"
        compiler = commands_of_make(self.object, str(file))
        drop = {"-MMD", "-MP", "-Werror", str(file), self.object, "-o", "-c"}
        self.compile = [w for w in compiler if w not in drop]
        self.links = {target: commands_of_make(target, self.object)
                      for target in {self.program(t) for t in self.tests}}
        self.seconds = dict.fromkeys(self.tests, 60.0)

    @staticmethod
    def program(test: str) -> str:
        """What is linked for a test: the unit test itself, or the gateway."""
        return f"{BUILD}/tests/{test}" if test.startswith("unit/") else f"{BUILD}/virtgate"

    def measure(self) -> None:
        """The time each test takes without a fault, and that it passes."""
        with tempfile.TemporaryDirectory() as where:
            for test in self.tests:
                begun = time.monotonic()
                if not self.test_passes(test, where, self.object):
                    raise SystemExit(f"without any fault this fails: {test}")
                self.seconds[test] = 5 + 3 * (time.monotonic() - begun)

    def test_passes(self, test: str, where: str, changed: str) -> bool:
        target = self.program(test)
        at = f"{where}/{target.replace('/', '_')}"
        if not os.path.exists(at):
            link = [changed if w == self.object else at if w == target else w
                    for w in self.links[target]]
            if not run(link + ["-fsanitize=leak"] if test.startswith("unit/") else link):
                raise SystemExit(f"{self.file}: does not link for {test}")
        limit = self.seconds[test]
        if test.startswith("unit/"):
            return run([*ENDING_TOGETHER, at], seconds=limit, environment={
                "LSAN_OPTIONS": f"suppressions={ROOT}/tests/harness/lsan.supp"})
        suite, name = test.split("/", 1)
        return run([*ENDING_TOGETHER, "tests/run.sh", suite], seconds=limit + 60, environment={
            "O": BUILD, "VIRTGATE_BIN": at, "VG_TEST": name, "VG_TIMEOUT": str(int(limit)),
            "VG_RECORD": f"{where}/record", "VG_TRACE": f"{where}/calls"})

    def seen(self, fault: Fault) -> bool | None:
        """Whether a test fails of it; None when the compiler did."""
        with tempfile.TemporaryDirectory() as where:
            text = f'#line 1 "{self.file}"\n{fault.apply(self.source)}'
            # Its own folder is where the compiler looks for what stands beside it.
            command = [*self.compile, f"-iquote{self.file.parent}", "-w", "-g0", "-O1", *BOUNDS,
                       "-c", "-o", f"{where}/fault.o", "-x", "c", "-"]
            if not run(command, text):
                return None
            return not all(self.test_passes(t, where, f"{where}/fault.o") for t in self.tests)


def try_faults(subject: Subject, faults: list[Fault], jobs: int) -> tuple[int, int, int]:
    """Counts of those that were seen, were not, and did not compile."""
    lines = subject.source.splitlines()
    results = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for fault, seen in zip(faults, pool.map(subject.seen, faults)):
            results.append(seen)
            if seen is not None:
                print(f"{'seen  ' if seen else 'UNSEEN'} {subject.file}:{fault.line}: "
                      f"{lines[fault.line - 1].strip()}  =>  {fault.text.strip()}", flush=True)
    return results.count(True), results.count(False), results.count(None)


def faults_of(file: Path, args: argparse.Namespace) -> list[Fault]:
    source = (ROOT / file).read_text(encoding="utf-8")
    if args.list:
        return read_faults(args.list, source)
    faults = sorted(set(make_faults(source)))
    if len(faults) > args.count:
        faults = sorted(random.Random(args.seed).sample(faults, args.count))
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("file", type=Path, nargs="+")
    parser.add_argument("--tests", nargs="+", default=[])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--show", action="store_true", help="the faults alone, as a LIST has them")
    args = parser.parse_args()
    if args.show:
        for file in args.file:
            lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
            for f in faults_of(file, args):
                print(f"{f.line}\t{lines[f.line - 1]}\t{f.text}")
        return 0
    compiler = "CC=ccache cc" if shutil.which("ccache") else "CC=cc"
    subprocess.run(["make", "-s", f"-j{args.jobs}", f"O={BUILD}", compiler, "tests"], cwd=ROOT,
                   check=True)
    table = [("file", "tried", "seen", "unseen")]
    good = True
    for file in args.file:
        subject = Subject(file, args.tests)
        subject.measure()
        seen, unseen, _ = try_faults(subject, faults_of(file, args), args.jobs)
        table.append((str(file), str(seen + unseen), str(seen), str(unseen)))
        good = good and 0 < seen >= AIM * (seen + unseen)
    for name, *counts in table:
        print(f"{name:40}" + "".join(f"{c:>8}" for c in counts))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
