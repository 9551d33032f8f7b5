#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The arguments of openapi.yaml against those that handlers read.

A handler's table of fields answers for itself: an unknown key is a 400 that lists the known ones,
a number that is none one that says its bounds, an unknown name one that lists the names. So each
operation is asked for what nobody takes, in the query and in the body, on test:///default: nothing
of that ever reaches libvirt. What that driver refuses before it looks at arguments is not asked.

    tests/contract/arguments.py [--base URL]
"""
import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Optional

from openapi_examples import Gateway, fill_path, start_gateway
from openapi_spec import Json, Operation, Spec
from report import Report

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("O", "build")
NOBODY = "no-such-argument"
LEAST, MOST = -2**63, 2**63 - 1
# Taken at each path; described where it changes an answer.
COMMON = {"numbers"}
# What another argument decides.
ELSEWHERE = {
    ("defineDomain", "flags"): "those of the definition; with `transient` those of the start",
    ("defineDomain", "boot"): "of the short form, which needs a name before",
    ("findStoragePoolSources", "type"): "those of the host's own capabilities",
    ("watchSecretEvents", "event"): "looked at when the secret was found, which the driver has not",
}
# Described, and read where libvirt has it.
NEWER = {"nic-mac-change"}
FORMATS = {"int32": (-2**31, 2**31 - 1), "int64": (LEAST, MOST)}


class Arguments:
    """What one place (the query, the body) of an operation takes."""

    def __init__(self, spec: Spec, gateway: Gateway, operation: Operation) -> None:
        self.spec = spec
        self.gateway = gateway
        self.operation = operation
        self.path = fill_path(operation)

    def described(self) -> dict[str, Json]:
        """Schema of each argument."""
        raise NotImplementedError

    def ask(self, name: str, value: str) -> tuple[int, str]:
        """Status and detail of the answer."""
        raise NotImplementedError

    def closed(self) -> bool:
        return True

    def lacks(self, status: int) -> bool:
        """The mock hypervisor refuses the operation as such."""
        return status == 501 and not self.operation.works_on("test")

    def types(self, schema: Json) -> set[str]:
        schema = self.spec.resolve(schema)
        kinds = schema.get("type", "object")
        return {kinds} if isinstance(kinds, str) else set(kinds)

    def check(self) -> Iterator[str]:
        described = self.described()
        if self.closed():
            status, detail = self.ask(NOBODY, "x")
            if self.lacks(status):
                return
            known = re.search(r"(?:is not known here; accepted|this object has): (.*)$", detail, re.S)
            if status != 400 or not known:
                yield f"an unknown key is answered {status}: {detail}"
                return
            read = {n.split(".")[0] for n in known[1].split(", ") if n != "none"}
            if "this object has" in detail:  # libvirt's parameters; what the handler knows is apart
                read |= {"flags"} & described.keys()
            for name in sorted(read - described.keys() - COMMON):
                yield f"{name} is read and not described"
            for name in sorted(described.keys() - read):
                yield f"{name} is described and not read"
            described = {n: s for n, s in described.items() if n in read}
        for name, schema in described.items():
            if (self.operation.name, name) in ELSEWHERE:
                continue
            for error in self.check_value(name, schema):
                yield f"{name}: {error}"

    def check_value(self, name: str, schema: Json) -> Iterator[str]:
        whole = self.spec.resolve(schema)
        items = self.spec.resolve(whole.get("items", {}))
        names = whole if "enum" in whole else items if "enum" in items else None
        if names:
            yield from self.check_names(name, names, whole is not names)
        elif self.types(schema) == {"integer"}:
            yield from self.check_bounds(name, whole)
        elif self.types(schema) == {"boolean"}:
            status, detail = self.ask(name, "x")
            if status != 400 or "true or false" not in detail:
                yield f"a boolean is described; `x` is answered {status}: {detail}"

    def check_bounds(self, name: str, schema: Json) -> Iterator[str]:
        status, detail = self.ask(name, "x")
        if self.lacks(status):
            return
        said = re.search(r"an integer (?:from (-?\d+) to (-?\d+)|of 64 bits)", detail)
        if status != 400 or not said:
            yield f"an integer is described; `x` is answered {status}: {detail}"
            return
        least, most = FORMATS[schema.get("format", "int64")]
        wanted = schema.get("minimum", least), schema.get("maximum", most)
        read = (LEAST, MOST) if "of 64 bits" in detail else (int(said[1]), min(int(said[2]), MOST))
        if wanted != read and name not in BY_RELEASE:
            yield f"{wanted[0]} to {wanted[1]} is described, {read[0]} to {read[1]} read"

    def check_names(self, name: str, schema: Json, several: bool) -> Iterator[str]:
        status, detail = self.ask(name, json.dumps([NOBODY]) if several else NOBODY)
        said = re.search(r"(?:accepted|accepted are|there are): (.*)$", detail, re.S)
        if status != 400 or not said:
            yield f"names are described; another is answered {status}: {detail}"
            return
        read, listed = set(said[1].split(", ")), set(schema["enum"])
        if listed - read - NEWER:
            yield f"described and not read: {', '.join(sorted(listed - read - NEWER))}"
        if read - listed and not may_be_newer(schema):
            yield f"read and not described: {', '.join(sorted(read - listed))}"


def may_be_newer(schema: Json) -> bool:
    """Names of libvirt 9.0.0 are listed; what is built with a newer one knows more."""
    return "x-libvirt-enum" in schema and libvirt_version() != "9.0.0"


def libvirt_version() -> str:
    return subprocess.run(["pkg-config", "--modversion", "libvirt"], check=True, text=True,
                          capture_output=True).stdout.strip()


def read_detail(answer: Json) -> str:
    return str(answer.get("detail", "")) if isinstance(answer, dict) else ""


class Query(Arguments):
    def described(self) -> dict[str, Json]:
        return {p["name"]: p["schema"] for p in self.operation.parameters if p["in"] == "query"}

    def fields(self) -> dict[str, str]:
        """What tus wants said before any argument is looked at."""
        wanted = {p["name"]: p["schema"] for p in self.operation.parameters}
        if "Tus-Resumable" not in wanted:
            return {}
        return {"Tus-Resumable": wanted["Tus-Resumable"]["const"],
                **{"Content-Type": media for media in self.operation.body_media
                   if media != "application/json"}}

    def ask(self, name: str, value: str) -> tuple[int, str]:
        text = json.loads(value)[0] if value.startswith("[") else value
        x = self.gateway.send(self.operation.method, f"{self.path}?{name}={text}", self.fields())
        return x.status, read_detail(x.body)


class Body(Arguments):
    def schema(self) -> Json:
        media = self.operation.body_media
        return self.spec.resolve(media.get("application/json", {}).get("schema", {}))

    def described(self) -> dict[str, Json]:
        members: dict[str, Json] = self.schema().get("properties", {})
        return members

    def closed(self) -> bool:
        return self.schema().get("additionalProperties") is False

    def ask(self, name: str, value: str) -> tuple[int, str]:
        member: Json = json.loads(value) if value.startswith("[") else value
        x = self.gateway.send(self.operation.method, self.path,
                              {"Content-Type": "application/json"}, json.dumps({name: member}))
        return x.status, read_detail(x.body)


def find_place(spec: Spec, gateway: Gateway, operation: Operation,
               place: str) -> Optional[Arguments]:
    if place == "query":
        return Query(spec, gateway, operation) if operation.success != 101 else None
    return Body(spec, gateway, operation) if operation.body_media else None


# Typed parameters of which libvirt says the type, another one in another release.
BY_RELEASE = {"pollGrow", "pollShrink"}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--base", help="URL of a running gateway on test:///default")
    parser.add_argument("--binary", type=Path, help="virtgate",
                        default=ROOT / os.environ.get("VIRTGATE_BIN", BUILD / "virtgate"))
    args = parser.parse_args()

    spec = Spec(ROOT / "openapi.yaml")
    report = Report()

    def check_all(base: str) -> None:
        gateway = Gateway(base)
        for operation in spec.operations:
            for place in ("query", "body"):
                arguments = find_place(spec, gateway, operation, place)
                if arguments:
                    report.check(f"{operation.name}, {place}", list(arguments.check()))

    if args.base:
        check_all(args.base)
    else:
        with start_gateway(args.binary) as base:
            check_all(base)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
