#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes openapi.yaml from the fragments beside the route files and `virtgate --dump-routes`.

A fragment, `routes/x/y.yaml`, says what the rows of `y.c` mean: `operations` by operationId, and
the components that they alone use. What several files use is in docs/openapi/. What follows from
a row is added here: path, method, access, common parameters, header fields, errors, `/hosts/-/`,
and the members of a body that may stand in the query. docs/openapi/README.md is the reference.

    server/gen/openapi.py [--check] [--root FOLDER] ROUTES

ROUTES is the output of --dump-routes, `-` the standard input. With --check nothing is written:
the status says whether openapi.yaml is current, and each component where it belongs. The same
input gives the same text.
"""
import argparse
import copy
import difflib
import json
import re
import sys
from pathlib import Path
from typing import Iterator, Optional

from yaml_text import Json, fail, load, write

BANNER = """\
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The API of virtgate, as served at /openapi.yaml and /openapi.json and shown at /docs.
# `make openapi` writes it from routes/**/*.yaml, docs/openapi/*.yaml and the route tables: do
# not edit. docs/openapi/README.md says how, and what the x-virtgate extensions mean.
"""
SECTIONS = ("securitySchemes", "parameters", "headers", "responses", "schemas")
METHODS = ("get", "put", "patch", "post", "delete")
EVERY_HOST = "OfAllHosts"

# What any operation can be answered, by kind of row; `responses` has the components.
ALWAYS = {"400": "BadRequest", "401": "Unauthorized", "403": "Forbidden", "404": "NotFound",
          "406": "NotAcceptable", "429": "TooManyRequests", "500": "InternalError", "503": "Unavailable",
          "default": "OtherError"}
OF_A_HOST = {"409": "Conflict", "422": "Unprocessable", "501": "NotImplemented",
             "502": "BadGateway", "504": "DeadlineExceeded"}
OF_A_BODY = {"413": "PayloadTooLarge", "415": "UnsupportedMediaType"}
OF_A_WATCH = {"410": "Gone", "426": "UpgradeRequired"}

HEADER_ORDER = ("X-Request-Id", "X-Virtgate-Revision", "X-Virtgate-Source", "Age", "ETag", "Link",
                "Location")
OPERATION_ORDER = ("operationId", "x-virtgate-access", "x-virtgate-permissions",
                   "x-virtgate-drivers", "x-virtgate-needs", "x-virtgate-volatile", "security",
                   "tags", "summary", "description", "x-virtgate-default-fields", "parameters",
                   "requestBody", "responses")
# Of an operation in a fragment; others are the extensions of OpenAPI.
FRAGMENT_KEYS = {"tags", "summary", "description", "deprecated", "parameters", "query", "numbers",
                 "requestBody", "responses"}
# Kinds of answers that have no numbers of JSON.
WITHOUT_NUMBERS = {"image", "metrics", "yaml", "page", "files", "websocket"}
# Components for all to use, however few do.
EVERYBODYS = {"Xml", "XmlDocument", "XmlElement", "XmlText", "UnreachableHost", "CpuSet",
              "IfMatch", "IfNoneMatch", "IdempotencyKey", "Prefer", "CacheControl", "LastEventId",
              "Limit", "After"}
MIRROR = "The same as in the body, for requests without one."


# ---- reading ------------------------------------------------------------------------------------

# What the object that the path names first is looked up by, by its variable: the component of `by`.
BY = {"domain": "By", "network": "ByNameOrUuid"}


class Source:
    """All that is written by hand."""

    def __init__(self, root: Path) -> None:
        self.base = load(root / "docs/openapi/api.yaml")
        self.components: dict[str, dict[str, Json]] = {s: {} for s in SECTIONS}
        self.operations: dict[str, Json] = {}
        self.home: dict[tuple[str, str], Path] = {}  # of each operation and component
        for path in sorted((root / "docs/openapi").glob("*.yaml")):
            if path.name != "api.yaml":
                self._read(path.relative_to(root), load(path), SECTIONS)
        for path in sorted((root / "routes").rglob("*.yaml")):
            if not path.with_suffix(".c").exists():
                fail(f"{path.relative_to(root)}: there is no {path.stem}.c beside it")
            self._read(path.relative_to(root), load(path), ("operations",) + SECTIONS)

    def _read(self, path: Path, fragment: dict[str, Json], known: tuple[str, ...]) -> None:
        for section, members in fragment.items():
            if section not in known:
                fail(f"{path}: {section!r} is not known; accepted are {', '.join(known)}")
            target = self.operations if section == "operations" else self.components[section]
            for name, value in members.items():
                if name in target:
                    fail(f"{path}: {name} is already in {self.home[section, name]}")
                target[name] = value
                self.home[section, name] = path

    def where(self, operation: str) -> str:
        return f"{self.home['operations', operation]}: {operation}"


# ---- from a row to an operation -----------------------------------------------------------------

def ref(section: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{section}/{name}"}


def refer(section: str, value: Json) -> Json:
    """A name where OpenAPI has an object is a component's."""
    return ref(section, value) if isinstance(value, str) else value


def merge(target: Json, patch: Json) -> Json:
    """RFC 7396: null removes. Schemas and examples, which may have a null, are taken whole."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif key in ("schema", "content", "example", "examples"):
            merged[key] = value
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def sort_by(mapping: dict[str, Json], order: tuple[str, ...]) -> dict[str, Json]:
    place = {key: i for i, key in enumerate(order)}
    return dict(sorted(mapping.items(), key=lambda item: place.get(item[0], len(order))))


class Row:
    """A line of --dump-routes, or its twin that asks every host."""

    def __init__(self, dumped: Json, of_all: bool = False) -> None:
        self.dumped = dumped
        self.of_all = of_all
        self.name = dumped["operationId"] + (EVERY_HOST if of_all else "")
        self.path = ("/hosts/-" if of_all else "") + dumped["pattern"]
        self.method = dumped["method"].lower()
        self.variables = re.findall(r"\{(\w+)\}", self.path)
        self.gets = self.method == "get"
        self.public = dumped["access"] == "public"
        self.once = dumped["noHost"] or of_all
        self.asks_host = not (dumped["local"] or dumped["noHost"])
        self.joins = dumped["hosts"] == "every"  # what hosts say, which no revision tells: /metrics
        self.long = dumped["long"]
        self.job = dumped["runsOn"] == "job"
        self.of_operation = dumped["runsOn"] == "operation"
        self.takes_xml = dumped["xml"]
        self.takes_stream = dumped["takes"] == "stream"
        self.gives_xml = dumped["givesXml"]
        self.gives = dumped["gives"]
        self.streams = self.gives == "events"
        self.upgrades = self.gives == "websocket"
        self.resumable = dumped["resumable"]
        self.untagged = self.joins or self.resumable


def read_rows(lines: Iterator[str]) -> Iterator[Row]:
    for line in lines:
        dumped = json.loads(line)
        yield Row(dumped)
        if dumped["all"]:
            yield Row(dumped, of_all=True)


def errors_of(row: Row) -> dict[str, Json]:
    errors = dict(ALWAYS)
    if row.asks_host:
        errors |= OF_A_HOST
    if not row.gets:
        errors |= OF_A_BODY
        if row.asks_host:
            errors["412"] = "PreconditionFailed"
    if row.streams:
        errors |= OF_A_WATCH
    if row.of_operation:
        errors["410"] = "OperationGone"
    if row.resumable:
        errors["412"] = "TusVersion"
    if row.upgrades:
        errors["426"] = OF_A_WATCH["426"]
        del errors["406"]
    if row.public:
        del errors["401"], errors["429"]
    if row.once and not row.variables:
        del errors["404"]  # no name in it that could be wrong
    if row.of_all:  # a host's refusal is in `unreachable`
        for status in ("409", "422"):
            errors.pop(status, None)
    return errors


def headers_of(row: Row, status: str) -> dict[str, str]:
    headers = {"X-Request-Id": "RequestId"}
    if not (row.public or row.joins):
        headers["X-Virtgate-Revision"] = "UpgradeRevision" if status == "101" else "Revision"
    if row.asks_host and status == "200" and not (row.streams or row.of_operation):
        headers["X-Virtgate-Source"] = "Source"
    if row.resumable:
        headers["Tus-Resumable"] = "TusResumable"
    if row.gets and not row.untagged:
        headers["ETag"] = "PollETag" if row.streams else "ETag"
    if status in ("201", "202"):
        headers["Location"] = "Location"
    return headers


def parameters_of(row: Row) -> list[str]:
    if row.gets:
        names = [] if row.upgrades or row.untagged else ["IfNoneMatch"]
        return names + (["LastEventId"] if row.streams else [])
    names = ["IfMatch"]
    if row.method == "post":
        names.append("IdempotencyKey")
    return names + (["Prefer"] if row.long and not row.takes_stream else [])


def media_of(spec: dict[str, Json], takes_xml: bool) -> dict[str, Json]:
    """`content`, or its short form: schema, example(s) are JSON's, `xml` is an example of XML."""
    if "content" in spec:
        content = spec["content"]
    else:
        content = {}
        for key in ("schema", "xml"):
            if key in spec:
                content["application/xml" if key == "xml" else "application/json"] = {}
        if list(spec).index("xml") < list(spec).index("schema") if len(content) > 1 else False:
            content = dict(reversed(content.items()))
        for key in ("schema", "example", "examples"):
            if key in spec:
                content.setdefault("application/json", {})[key] = spec[key]
        if "xml" in spec:
            content["application/xml"] = {"schema": "Xml", "example": spec["xml"]}
    if takes_xml and "application/xml" not in content:
        content = {"application/xml": {"schema": "Xml"}} | content
    return {media: sort_by(dict(value, **({"schema": refer("schemas", value["schema"])}
                                          if "schema" in value else {})),
                           ("x-virtgate-path", "schema"))
            for media, value in content.items()}


class Generator:
    def __init__(self, source: Source, rows: list[Row]) -> None:
        self.source = source
        self.components = copy.deepcopy(source.components)
        self.rows = rows
        self._check_rows()

    def _check_rows(self) -> None:
        names: set[str] = set()
        for row in self.rows:
            if row.name in names:
                fail(f"two rows are called {row.name}")
            names.add(row.name)
            if row.name not in self.source.operations and not row.of_all:
                fail(f"{row.name} ({row.dumped['method']} {row.path}) is a row without a fragment: "
                     "describe it in the .yaml beside its route file")
        for name in self.source.operations:
            if name not in names:
                fail(f"{self.source.where(name)} is no row of a route table")

    # -- components --

    def resolve(self, value: Json) -> Json:
        while isinstance(value, dict) and "$ref" in value:
            section, name = value["$ref"].split("/")[-2:]
            if name not in self.components.get(section, {}):
                fail(f"{value['$ref']} is referred to and defined nowhere")
            value = self.components[section][name]
        return value

    def path_parameter(self, row: Row, variable: str, named: list[Json]) -> Json:
        for given in named:
            if self.resolve(given)["name"] == variable and self.resolve(given)["in"] == "path":
                return given
        home = self.source.home["operations", self.base_name(row)]
        found = [name for name, p in self.components["parameters"].items()
                 if p["in"] == "path" and p["name"] == variable]
        near = [name for name in found if self.source.home["parameters", name] == home]
        if len(near or found) != 1:
            fail(f"{self.source.where(self.base_name(row))}: "
                 f"{'several parameters are' if found else 'no parameter is'} called {variable!r} "
                 f"(in: path){': ' + ', '.join(found) if found else ''}; "
                 "`parameters` names the one that is meant")
        return ref("parameters", (near or found)[0])

    def base_name(self, row: Row) -> str:
        name: str = row.dumped["operationId"]
        return name

    # -- the members of a body in the query --

    def mirror(self, name: str, schema: Json) -> Optional[Json]:
        """None where the query cannot hold it: an object, an array of anything else."""
        whole = self.resolve(schema)
        if "oneOf" in whole or "anyOf" in whole:
            branches = [self.resolve(b) for b in whole.get("oneOf", whole.get("anyOf"))]
            texts = [b for b in branches if b.get("type") == "string"]
            if len(texts) != 1:
                return None
            schema = whole = texts[0]
        if "object" in whole.get("type", "object") or "properties" in whole:
            return None
        items = self.resolve(whole.get("items", {}))
        if whole["type"] == "array" and items.get("type", "object") in ("object", "array"):
            return None
        dropped = ("description", "example", "examples")
        form = {"style": "form", "explode": False} if whole["type"] == "array" else {}
        return {"name": name, "in": "query", "description": MIRROR, **form,
                "schema": {k: v for k, v in schema.items() if k not in dropped}}

    def mirrors(self, row: Row, spec: Json, taken: set[str]) -> list[Json]:
        content = spec.get("requestBody", {}).get("content", {})
        schema = self.resolve(content.get("application/json", {}).get("schema", {}))
        members = schema.get("properties", {})
        wanted = spec.get("query")
        for name in wanted or []:
            if name not in members:
                fail(f"{self.source.where(row.name)}: `query` names {name!r}, "
                     "which is no member of the body")
        mirrored = []
        for name, member in members.items():
            if name in taken or (wanted is not None and name not in wanted):
                continue
            parameter = self.mirror(name, member)
            if parameter:
                mirrored.append(parameter)
            elif wanted:
                fail(f"{self.source.where(row.name)}: `query` names {name!r}, which is "
                     "neither a scalar nor an array of them")
        return mirrored

    # -- an operation --

    def fragment(self, row: Row) -> Json:
        """What is written of it; of a twin, over what is written of the other."""
        spec = copy.deepcopy(self.source.operations[self.base_name(row)])
        if row.of_all:
            own = copy.deepcopy(self.source.operations.get(row.name, {}))
            if not row.streams:
                self.add_unreachable(row, spec, own)
            spec = merge(spec, own)
            if "description" not in own:
                spec["description"] = (
                    f"As `{self.base_name(row)}`, asked of every host at a time; each item says "
                    "its host. A host that\ndoes not answer in time is listed in `unreachable` and "
                    "neither fails nor delays the rest.\n")
            if "summary" not in own:
                spec["summary"] += " of all hosts"
            spec["parameters"] = [p for p in spec.get("parameters", []) if p != "CacheControl"]
        for key in spec:
            if key not in FRAGMENT_KEYS and not key.startswith("x-"):
                fail(f"{self.source.where(row.name)}: {key!r} is not known; accepted are "
                     f"{', '.join(sorted(FRAGMENT_KEYS))}, x-...")
        for key in ("tags", "summary", "description"):
            if key not in spec:
                fail(f"{self.source.where(row.name)}: `{key}` is missing")
        known = [tag["name"] for tag in self.source.base["tags"]]
        for tag in spec["tags"]:
            if tag not in known:
                fail(f"{self.source.where(row.name)}: there is no tag {tag!r}; docs/openapi/api.yaml "
                     f"lists them: {', '.join(known)}")
        return spec

    def add_unreachable(self, row: Row, spec: Json, own: Json) -> None:
        """The answer of all hosts: the list's, and which hosts gave none."""
        answer = spec["responses"]["200"]
        given = own.get("responses", {}).get("200", {})
        name = answer.get("schema")
        if not isinstance(name, str) or "schema" in given:
            return
        joined = f"AllHosts{name}"
        answer["schema"] = joined
        if "example" not in given and "example" in answer:
            for items in answer["example"].values():
                for item in items if isinstance(items, list) else []:
                    item["host"] = "default"
            answer["example"]["unreachable"] = []
        if joined in self.components["schemas"]:
            return
        schema = copy.deepcopy(self.components["schemas"][name])
        following = schema["properties"].pop("next", None)
        schema["properties"]["unreachable"] = {
            "type": "array", "description": "Hosts that did not answer, and why.",
            "items": ref("schemas", "UnreachableHost")}
        if following:
            schema["properties"]["next"] = following
        schema["required"] = schema.get("required", []) + ["unreachable"]
        self.components["schemas"][joined] = schema

    def response(self, row: Row, status: str, spec: Json) -> Json:
        if isinstance(spec, str):
            return ref("responses", spec)
        success = status.startswith("2")
        headers = headers_of(row, status) if success else {"X-Request-Id": "RequestId"}
        headers = merge(headers, spec.get("headers", {}))
        whole = {"description": spec.get("description", "Done." if status == "204" else None),
                 "headers": {k: refer("headers", v)
                             for k, v in sort_by(headers, HEADER_ORDER).items()}}
        if whole["description"] is None:
            fail(f"{self.source.where(row.name)}: the answer {status} has no `description`")
        if success and row.gives == "bytes" and "content" not in spec:
            spec = dict(spec, content={"application/octet-stream": {
                "schema": {"type": "string", "format": "binary"}}})
        content = media_of(spec, success and row.gives_xml)
        if content:
            whole["content"] = content
        return whole | {k: v for k, v in spec.items() if k.startswith("x-") or k == "links"}

    def responses(self, row: Row, spec: Json) -> dict[str, Json]:
        given: dict[str, Json] = spec.get("responses", {})
        default: dict[str, Json] = errors_of(row)
        if row.job:
            default |= {"200": "JobDone", "202": "JobAccepted"}
        elif not any(s[0] == "2" or s == "101" for s in given):
            default["204"] = {}
        if row.long and not row.job and not row.takes_stream:
            default["202"] = "Accepted"
        if row.streams:
            default["101"] = "EventSocket"
        if row.gets and not row.upgrades and not row.untagged:
            default["304"] = "NotModified"
        merged = {s: r for s, r in (default | given).items() if r is not None}
        return {status: self.response(row, status, merged[status]) for status in sorted(merged)}

    def query_parameter(self, parameter: Json) -> Json:
        if "$ref" in parameter:
            return parameter
        head = {"name": parameter["name"], "in": parameter.get("in", "query")}
        if self.resolve(parameter["schema"]).get("type") == "array" and head["in"] == "query":
            parameter = {"style": "form", "explode": False} | parameter
        return sort_by(head | parameter, ("name", "in", "required", "description"))

    def operation(self, row: Row) -> tuple[Json, list[Json]]:
        """With the parameters of its path."""
        spec = self.fragment(row)
        if "requestBody" in spec:
            body = spec["requestBody"]
            spec["requestBody"] = {
                **{k: body[k] for k in ("description", "required") if k in body},
                "content": media_of(body, row.takes_xml)}
        elif row.takes_xml:
            fail(f"{self.source.where(row.name)}: its row takes XML, and it has no `requestBody`")

        own = [self.query_parameter(refer("parameters", p)) for p in spec.get("parameters", [])]
        named = [p for p in own if self.resolve(p)["in"] == "path"]
        shared = [self.path_parameter(row, v, named) for v in row.variables]
        by = BY.get(row.variables[0]) if row.variables else None
        if by:
            shared.append(ref("parameters", by))
        shared.append(ref("parameters", "RequestId"))
        if spec.get("numbers", row.gives not in WITHOUT_NUMBERS):
            shared.append(ref("parameters", "Numbers"))
        parameters = [ref("parameters", n) for n in parameters_of(row)]
        parameters += [p for p in own if p not in named]
        taken = {self.resolve(p)["name"] for p in parameters}
        parameters += self.mirrors(row, spec, taken)

        operation = {k: v for k, v in spec.items() if k not in ("query", "numbers")}
        operation |= {"operationId": row.name, "x-virtgate-access": row.dumped["access"],
                      "parameters": parameters, "responses": self.responses(row, spec)}
        if row.dumped.get("permissions"):
            operation["x-virtgate-permissions"] = row.dumped["permissions"]
        if row.public:
            operation["security"] = []
        return sort_by(operation, OPERATION_ORDER), shared

    def paths(self) -> dict[str, Json]:
        paths: dict[str, Json] = {}
        for row in self.rows:
            operation, shared = self.operation(row)
            item = paths.setdefault(row.path, {})
            if row.once:
                origin = self.source.base["servers"][0]
                item["servers"] = [{"url": origin["url"], "description":
                                    "This path does not exist below `/hosts/{host}`.",
                                    "variables": {"origin": origin["variables"]["origin"]}}]
            kept = item.get("parameters", shared)
            item["parameters"] = [p for p in kept if p in shared]
            item[row.method] = operation
        return {path: sort_by(item, ("servers", "parameters") + METHODS)
                for path, item in paths.items()}

    def document(self) -> Json:
        paths = self.paths()
        document = dict(self.source.base, paths=paths)
        document["components"] = {
            section: {name: members[name] for name in sorted(members, key=str.lower)}
            for section, members in self.components.items()}
        self._check_refs(document)
        return document

    def _check_refs(self, node: Json) -> None:
        for child in node.values() if isinstance(node, dict) else node:
            if isinstance(child, (dict, list)):
                self._check_refs(child)
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            self.resolve(node)


# ---- who uses what --------------------------------------------------------------------------------

def references(node: Json) -> Iterator[tuple[str, str]]:
    """Section and name of each component below a node."""
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        if key in ("$ref", "x-virtgate-event-schema") and isinstance(child, str):
            section, name = child.split("/")[-2:]
            yield section, name
        elif isinstance(child, (dict, list)):
            yield from references(child)


def find_users(source: Source, rows: list[Row], document: Json) -> dict[tuple[str, str], set[Path]]:
    """The files whose operations lead to a component."""
    users: dict[tuple[str, str], set[Path]] = {}
    for row in rows:
        home = source.home["operations", row.dumped["operationId"]]
        item = document["paths"][row.path]
        found: set[tuple[str, str]] = set()
        ahead = list(references([item[row.method], item["parameters"]]))
        while ahead:
            component = ahead.pop()
            if component not in found:
                found.add(component)
                users.setdefault(component, set()).add(home)
                section, name = component
                ahead += references(document["components"][section][name])
    return users


def misplaced(source: Source, rows: list[Row], document: Json) -> Iterator[str]:
    """What one file alone uses stands in it, what several do in docs/openapi/."""
    users = find_users(source, rows, document)
    for (section, name), home in source.home.items():
        if section not in ("parameters", "schemas"):
            continue
        files = users.get((section, name), set())
        own = home.parts[0] == "routes"
        if not files:
            yield f"{home}: {name} is used by no operation"
        elif own and files != {home}:
            others = ", ".join(sorted(str(f) for f in files - {home}))
            yield f"{home}: {name} is used by {others}, too: it belongs in docs/openapi/{section}.yaml"
        elif not own and len(files) == 1 and name not in EVERYBODYS:
            yield f"{home}: {name} is used by {min(files)} alone: it belongs there"


# ---- the command ------------------------------------------------------------------------------

def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="say whether openapi.yaml is current")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("routes", type=argparse.FileType("r"), help="of --dump-routes")
    args = parser.parse_args()

    rows = list(read_rows(args.routes))
    source = Source(args.root)
    document = Generator(source, rows).document()
    text = write(document, BANNER)
    out = args.root / "openapi.yaml"
    if not args.check:
        out.write_text(text, encoding="utf-8")
        return 0
    old = out.read_text(encoding="utf-8") if out.exists() else ""
    changes = difflib.unified_diff(old.splitlines(), text.splitlines(), "openapi.yaml",
                                   "as generated", n=1, lineterm="")
    for _, line in zip(range(20), changes):
        print(line)
    faults = list(misplaced(source, rows, document))
    print("".join(f"{fault}\n" for fault in faults), end="")
    return int(old != text or bool(faults))


if __name__ == "__main__":
    sys.exit(main())
