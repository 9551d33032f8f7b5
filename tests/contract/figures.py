#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures of the documentation against the program's: each constant and each default that is
named in a text stands in it as the code has it, and each option and each file that is named exists.
"""
import re
import sys
from pathlib import Path

from report import Report

ROOT = Path(__file__).resolve().parents[2]
API = "docs/openapi/api.yaml"
UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "s": 1, "seconds": 1, "hour": 3600, "hours": 3600,
         "day": 86400}

# Where the figure stands in the code (FILE:CONSTANT, or an option's name: its default), what is
# around it in a text, and in which. One group: the figure, with its unit where it has one.
FIGURES = [
    ("server/http/server.c:MAX_TARGET", r"at most ([\d,]+) bytes of target", ["docs/http.md", API]),
    ("server/core/request.c:MAX_QUERY_KEYS", r"([\d,]+) query keys", ["docs/http.md", API]),
    ("server/http/request.c:MAX_HEADER_FIELDS", r"([\d,]+) header fields", ["docs/http.md", API]),
    ("server/http/request.c:MAX_HEADER_BYTES", r"header fields of ([\d,]+) bytes",
     ["docs/http.md", API]),
    ("max-document-bytes", r"`--max-document-bytes`: (\d+ MiB) of XML", ["docs/http.md", API]),
    ("server/xml/guard.h:VG_XML_MAX_BYTES", r"`--max-document-bytes`: (\d+ MiB) of XML",
     ["docs/http.md", API]),
    ("server/xml/guard.h:VG_XML_MAX_ELEMENTS", r"([\d,]+) elements of", ["docs/http.md", API]),
    ("server/xml/guard.h:VG_XML_MAX_ATTRIBUTES", r"elements of ([\d,]+) attributes",
     ["docs/http.md", API]),
    ("server/http/listen.c:CONNECTION_MEMORY", r"past (\d+ KiB) before the body",
     ["docs/http.md", API]),
    ("server/http/event.c:HEARTBEAT_NS", r"(?:every|says at least `:` every) (\d+ s)",
     ["docs/events.md", API]),
    ("include/virtgate/ticket.h:VG_TICKET_SECONDS", r"(?:good for|within) (\d+ s)\b(?= and one use|\.)",
     ["docs/access.md", "docs/browser.md"]),
    ("server/core/idempotency.c:KEEP_NS", r"(?:for|Kept for) (\d+ hours)",
     ["docs/conditions.md", "docs/openapi/parameters.yaml"]),
    ("server/core/idempotency.c:MAX_DONE", r"the latest ([\d,]+)",
     ["docs/conditions.md", "docs/openapi/parameters.yaml"]),
    ("server/core/idempotency.c:MAX_BYTES", r"the latest [\d,]+,? and (\d+ MiB)",
     ["docs/conditions.md", "docs/openapi/parameters.yaml"]),
    ("change-deadline", r"deadline comes \((\d+ seconds), unless", ["docs/openapi/parameters.yaml"]),
    ("server/libvirt/host.c:LONG_WAITING", r"for each host at a time, (\d+) more wait",
     ["docs/operations.md"]),
    ("server/core/operation.h:VG_OPERATION_KEEP_NS", r"[Ee]nded ones (?:are kept )?for (an hour)",
     ["docs/operations.md", "routes/gateway/operation.yaml"]),
    ("server/core/operation.h:VG_OPERATION_KEEP_FAILED_NS", r"failed ones for (a day)",
     ["docs/operations.md", "routes/gateway/operation.yaml"]),
    ("server/core/operation.h:VG_OPERATIONS_KEPT", r"for a day, at most ([\d,]+);",
     ["routes/gateway/operation.yaml"]),
    ("server/fanout.c:SCRAPE_NS", r"does not answer within (\d+ (?:s|seconds))\b",
     ["docs/deployment.md", "routes/gateway/metrics.yaml"]),
    ("server/libvirt/error.c:MAX_TEXT", r"of a text over (\d+ KiB)", ["docs/errors.md"]),
    ("server/http/websocket.c:MAX_BYTES", r"A message has at most (\d+ KiB)",
     ["docs/openapi/responses.yaml"]),
]


def read_flat(name: str) -> str:
    return re.sub(r"\s+", " ", (ROOT / name).read_text(encoding="utf-8"))


def read_figure(text: str) -> int:
    """`4,096`, `4 MiB`, `an hour`"""
    number, _, unit = text.partition(" ")
    return (1 if number in ("a", "an") else int(number.replace(",", ""))) * UNITS[unit]


def read_options() -> dict[str, str]:
    """Each option's default, as the table has it."""
    table = read_flat("server/config/config.def")
    return {name: default for name, default in re.findall(
        r'X\(\w+, \w+, "([\w-]+)", (?:\'\w\'|0), (?:"[^"]*"|NULL), ("[^"]*"|\w+)', table)}


def read_constant(place: str) -> int:
    """Products of numbers; nanoseconds as seconds."""
    file, name = place.split(":")
    found = re.search(rf"^#define {name}\s+(.*?)(?:/\*.*)?$", (ROOT / file).read_text(), re.M)
    if not found:
        raise SystemExit(f"figures.py: {file} has no {name}")
    value = 1
    for factor in found[1].replace("(size_t)", "").strip(" ()").split("*"):
        value *= 1 if "SECOND_NS" in factor else shifted(factor.strip(" ()U"))
    return value


def shifted(text: str) -> int:
    number, _, bits = text.partition("<<")
    return int(number) << int(bits or 0)


def check_figures(report: Report, options: dict[str, str]) -> None:
    for source, pattern, files in FIGURES:
        value = read_constant(source) if ":" in source else int(options[source])
        for file in files:
            found = re.findall(pattern, read_flat(file))
            errors = [f"{file} does not say it: {pattern}"] if not found else []
            errors += [f"{file} says {text}, it is {value}" for text in found
                       if read_figure(text) != value]
            report.check(f"{source} in {file}", errors)


def check_defaults(report: Report, options: dict[str, str]) -> None:
    """The table of docs/configuration.md: names, and as many defaults."""
    rows = re.findall(r"^\| (`--[^|]*) \| ([^|]*) \|", (ROOT / "docs/configuration.md").read_text(),
                      re.M)
    report.check("docs/configuration.md has limits", [] if rows else ["no table is found"])
    for names, defaults in rows:
        errors = []
        for name, default in zip(re.findall(r"`--([\w-]+)`", names), defaults.split(", ")):
            known = options.get(name)
            figure = re.fullmatch(r"[\d,]+(?: [KM]iB)?", default)
            if known is None or (figure and read_figure(default) != int(known)):
                errors.append(f"--{name}: {default} is said, the table of options has {known}")
            elif not figure and known != "0":
                errors.append(f"--{name}: {default!r} is no figure, and its default is {known}")
        report.check(f"defaults of {names}", errors)


def check_names(report: Report, options: dict[str, str]) -> None:
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").rglob("*.yaml"),
             *(ROOT / "routes").rglob("*.yaml")]
    known = set(options) | {"help", "version", "check-config", "dump-routes"}
    for path in sorted(texts):
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(r"`--([a-z][\w-]*)", text))
        unknown = sorted(named - known - OTHERS)
        report.check(f"options of {path.relative_to(ROOT)}",
                     [f"there is no option --{name}" for name in unknown])


def check_files(report: Report) -> None:
    """`server/core/queue.c`, `routes/**/*.yaml`, [access](docs/access.md)"""
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for path in sorted(texts):
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(rf"`((?:{FOLDERS})/[\w./*-]*)`", text)) - EXAMPLES
        missing = [name for name in named if not any(ROOT.glob(name.rstrip("/")))]
        missing += [link for link in re.findall(r"\]\(([\w./-]+)[)#]", text)
                    if not (path.parent / link).exists()]
        report.check(f"files of {path.relative_to(ROOT)}",
                     [f"there is no {name}" for name in sorted(missing)])


def check_collections(report: Report) -> None:
    """docs/http.md has every collection, docs/errors.md every status of the gateway's own."""
    http = (ROOT / "docs/http.md").read_text(encoding="utf-8")
    paths = re.findall(r"^  (/[\w.-]*)", (ROOT / "openapi.yaml").read_text(encoding="utf-8"), re.M)
    report.check("paths of docs/http.md", [f"there is no `{path}` in its table"
                                           for path in sorted(set(paths)) if f"`{path}" not in http])
    table = re.findall(r"^\| ([\d, ]+) \|", (ROOT / "docs/errors.md").read_text(), re.M)
    told = {status for row in table for status in row.split(", ")}
    own = set(re.findall(r'^X\(\w+, "[\w-]+", (\d+)', (ROOT / "include/virtgate/error.def").read_text(),
                         re.M))
    report.check("statuses of docs/errors.md",
                 [f"it does not say what a {status} is" for status in sorted(own - told)]
                 + ([] if own else ["error.def has no status"]))


FOLDERS = "server|routes|include|tests|docs"
# A new collection, as CONTRIBUTING.md adds one.
EXAMPLES = {"routes/thing/thing.c", "routes/thing/thing.yaml", "tests/api/thing/test_thing.c"}
# Of other programs.
OTHERS = {"path-as-is"}


def main() -> int:
    report = Report()
    options = read_options()
    check_figures(report, options)
    check_defaults(report, options)
    check_names(report, options)
    check_files(report)
    check_collections(report)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
