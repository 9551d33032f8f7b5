#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls that the gateway's code does without, each for a reason that stands beside it."""
import re
import sys

from report import Report
from sources import code_of, lines_matching, sources, text_of

FILES = sources("include", "server", "routes")

BANNED = (
    ("no strcpy, strcat: the room is not known", "strcpy|strcat|wcscpy|wcscat"),
    ("no sprintf: the room is not known", "v?sprintf"),
    ("no gets, scanf of strings", "gets|scanf|fscanf|sscanf"),
    ("no strtok: not for threads", "strtok"),
    ("no atoi: errors cannot be seen", "atoi|atol|atoll|atof"),
    ("no system, popen: no shell ever", "system|popen|wordexp"),
    ("no exec, fork: one process",
     "execl|execlp|execle|execv|execvp|execve|v?fork|posix_spawnp?"),
    ("no alloca: the stack is small", "alloca"),
    ("no mktemp, tmpnam: races", "mktemp|tmpnam|tempnam"),
    ("no asctime, localtime...: not for threads", "asctime|ctime|gmtime|localtime|strerror_l"),
    ("no exit outside main", "exit|_exit|_Exit|quick_exit"),
    ("no setjmp, longjmp: cleanups would not run", "setjmp|longjmp"),
)
ALLOWED = {"no exit outside main": "server/main.c"}


def calls(names: str, allowed: str | None) -> list[str]:
    return [line for file in FILES if file != allowed
            for line in lines_matching(file, rf"(^|[^A-Za-z0-9_.>])({names}) *\(")]


def clock_waits() -> list[str]:
    return [line for file in FILES if file != "server/base/clock.h"
            for line in lines_matching(file, r"\b(PTHREAD_COND_INITIALIZER|pthread_cond_init)\b")]


def unchecked_numbers() -> list[str]:
    """Functions that read a number and never look at errno."""
    faults = []
    for file in FILES:
        for body in re.finditer(r"^\{\n(.*?)^\}", code_of(file), re.MULTILINE | re.DOTALL):
            call = re.search(r"\bstrto(l|ll|ul|ull|imax|umax) *\(", body[1])
            if call and not re.search(r"\berrno\b", body[1]):
                line = code_of(file).count("\n", 0, body.start(1) + call.start()) + 1
                faults.append(f"{file}:{line}")
    return faults


def printed_json() -> list[str]:
    """printf-like calls whose format has JSON in it: a key, or the beginning of an object."""
    faults = []
    for file in FILES:
        for statement in text_of(file).split(";"):
            if (re.search(r"(printf|vg_log) *\(", statement) and
                    re.search(r'\\": *|[{\[]\\"', statement)):
                faults.append(f"{file}: {statement.strip()[:120]}")
    return faults


def main() -> int:
    report = Report()
    for name, names in BANNED:
        report.check(name, calls(names, ALLOWED.get(name)))
    report.check("no wait by the wall clock, which may step: vg_cond_init", clock_waits())
    report.check("strtol and the like with errno", unchecked_numbers())
    report.check("no JSON by printf", printed_json())
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
