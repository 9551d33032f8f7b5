# SPDX-License-Identifier: LGPL-2.1-or-later
"""openapi.yaml for the contract test: its operations, and what they say of an answer."""
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Iterator, Optional
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema
import yaml

Json = Any
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is seven times as fast
METHODS = ("get", "put", "patch", "post", "delete")
PROBLEM = "application/problem+json"
STREAM = "text/event-stream"

# Parameters that every operation of the path takes; others are the handler's own arguments.
COMMON = {"Domain", "Host", "By", "Numbers", "RequestId", "IfNoneMatch", "IfMatch", "IdempotencyKey",
          "CacheControl", "LastEventId", "Prefer", "Operation", "Snapshot", "LaterSnapshot",
          "Checkpoint", "TusVersionAsked"}

# Header fields that an answer has only where the document says so.
OWN_HEADERS = ("x-virtgate-", "age")

# What any request can be answered whatever its operation: the response `default`.
HTTP_STATUSES = {413, 414, 415, 421, 431}


@dataclass
class Exchange:
    """A request and its answer, as recorded by the API tests or seen here."""
    method: str
    path: str  # with the query
    status: int
    headers: dict[str, str]  # by lower-case name
    body: Json  # parsed where it is JSON, else text; None when empty

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @cached_property
    def segments(self) -> list[str]:
        path = urlsplit("//host" + self.path).path
        return [unquote(s, errors="replace") for s in path[1:].split("/")]

    @cached_property
    def query(self) -> dict[str, str]:
        query = urlsplit("//host" + self.path).query
        return dict(parse_qsl(query, keep_blank_values=True))

    def __str__(self) -> str:
        path = self.path if len(self.path) < 100 else self.path[:97] + "..."
        return f"{self.method} {path} -> {self.status}"


@dataclass
class Operation:
    """One operation, its references resolved one level deep."""
    path: str
    method: str
    spec: Json
    item: Json
    parameters: list[Json]
    own: list[Json]  # parameters that are the handler's arguments
    responses: dict[str, Json]
    pointer: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.spec["operationId"]

    @property
    def once(self) -> bool:
        """It does not exist below /hosts/{host}."""
        return "servers" in self.item

    @property
    def body_media(self) -> dict[str, Json]:
        return self.spec.get("requestBody", {}).get("content", {})

    def works_on(self, driver: str) -> bool:
        return driver in self.spec.get("x-virtgate-drivers", [driver])

    @property
    def success(self) -> int:
        """201 where there is one (200 is then a dry run's); 202 is for what is not waited for,
        where it can be, 101 for what is nothing but a WebSocket."""
        good = [int(s) for s in self.responses if s.startswith("2") or s == "101"]
        return 201 if 201 in good else min(good, key=lambda s: (s == 101, s == 202, s))

    @property
    def begins_job(self) -> bool:
        """Whether 202 is its success: what it began ends later, or only when it is told to."""
        return self.long and self.success == 200

    @property
    def streams(self) -> bool:
        return STREAM in self.responses[str(self.success)].get("content", {})

    @property
    def long(self) -> bool:
        return "202" in self.responses and any(p["name"] == "Prefer" for p in self.parameters)


class Spec:
    def __init__(self, path: Path) -> None:
        self.document: Json = yaml.load(path.read_text(), LOADER)
        self.operations = list(self._read_operations())
        self._validators: dict[str, jsonschema.Draft202012Validator] = {}

    def resolve(self, node: Json) -> Json:
        """What a node refers to, all within the document: "#/components/schemas/Event"."""
        if "$ref" not in node:
            return node
        target = self.document
        for name in node["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return target

    def _read_operations(self) -> Iterator[Operation]:
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method not in item:
                    continue
                spec = item[method]
                refs = item.get("parameters", []) + spec.get("parameters", [])
                own = [p for p in refs if p.get("$ref", "").split("/")[-1] not in COMMON and
                       self.resolve(p)["in"] != "path" and self.resolve(p)["name"] != "by"]
                responses = {s: self.resolve(r) for s, r in spec["responses"].items()}
                yield Operation(path, method.upper(), spec, item,
                                [self.resolve(p) for p in refs],
                                [self.resolve(p) for p in own], responses)

    def find_path(self, segments: list[str]) -> Optional[str]:
        """The path item of a request path, also below /hosts/{host}."""
        path = self._match(segments, self.document["paths"])
        if not path and segments[0] == "hosts" and len(segments) > 2 and segments[1] != "-":
            bound = [p for p, item in self.document["paths"].items() if "servers" not in item]
            path = self._match(segments[2:], bound)
        return path

    @staticmethod
    def _match(segments: list[str], paths: Any) -> Optional[str]:
        """The literal one first, as OpenAPI says."""
        for path in sorted(paths, key=lambda p: p.count("{")):
            pattern = path[1:].split("/")
            if len(pattern) == len(segments) and all(
                    p == s or (p.startswith("{") and s) for p, s in zip(pattern, segments)):
                return path
        return None

    def find_operation(self, path: str, method: str) -> Optional[Operation]:
        method = "GET" if method == "HEAD" else method
        return next((o for o in self.operations if (o.path, o.method) == (path, method)), None)

    def allowed(self, path: str) -> set[str]:
        """The methods of a path, as in Allow."""
        methods = {o.method for o in self.operations if o.path == path} | {"OPTIONS"}
        return methods | {"HEAD"} if "GET" in methods else methods

    def schema_errors(self, schema: Json, value: Json) -> list[str]:
        key = repr(schema)
        if key not in self._validators:
            self._validators[key] = jsonschema.Draft202012Validator(
                {**schema, "components": self.document["components"]})
        return [f"{error.json_path}: {error.message[:300]}"
                for error in self._validators[key].iter_errors(value)]


# ---- checking an exchange -----------------------------------------------------------------------

def digits_to_numbers(value: Json) -> Json:
    """Undoes ?numbers=string, whose answers the schemas do not describe."""
    if isinstance(value, dict):
        return {k: digits_to_numbers(v) for k, v in value.items()}
    if isinstance(value, list):
        return [digits_to_numbers(v) for v in value]
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{16,20}", value):
        return int(value)
    return value


def check_problem(spec: Spec, x: Exchange) -> list[str]:
    """An error's body beyond its schema."""
    if x.method == "HEAD":
        return []
    errors = spec.schema_errors({"$ref": "#/components/schemas/Problem"}, x.body)
    if errors:
        return errors
    problem = x.body
    if problem["status"] != x.status:
        errors.append(f"the problem's status is {problem['status']}")
    # An unreachable host says why in libvirt's words, under the gateway's own type.
    unreachable = problem["type"] == "urn:virtgate:error:host-unreachable"
    if not unreachable and problem["type"].startswith("urn:libvirt:") != ("error" in problem):
        errors.append(f"type {problem['type']} does not go with `error`")
    if "error" in problem and not unreachable:
        name = problem["error"]["codeName"] or str(problem["error"]["code"])
        if problem["type"] != f"urn:libvirt:error:{name}":
            errors.append(f"type {problem['type']} is not that of {name}")
    if problem.get("requestId", "") != x.headers.get("x-request-id", ""):
        errors.append("requestId is not X-Request-Id")
    path = x.path.split("?")[0]
    instance = problem.get("instance", path)
    if instance != path and not (x.status == 414 and path.startswith(instance)):
        errors.append(f"instance is {instance[:100]}")
    if problem["retryable"] != ("retry-after" in x.headers):
        errors.append("Retry-After stands where a problem is retryable, and only there")
    return errors


def check_elsewhere(spec: Spec, x: Exchange, path: Optional[str]) -> list[str]:
    """An answer where there is no operation: no such path, no such method, OPTIONS."""
    errors = []
    allow = {m.strip() for m in x.headers.get("allow", "").split(",") if m.strip()}
    if path and x.method == "OPTIONS" and x.status < 400:
        if x.status != 204:
            errors.append("OPTIONS is answered 204")
    elif x.status == 101 and "refuse=close" in x.path:
        return []  # a refusal by the close of an upgrade
    elif x.status < 400:
        return [f"{'method' if path else 'path'} is not documented"]
    elif x.media_type != PROBLEM:
        errors.append(f"media type {x.media_type or '(none)'} of an error")
    else:
        errors += check_problem(spec, x)
    if path and x.status in (204, 405) and allow != spec.allowed(path):
        errors.append(f"Allow is {sorted(allow)}, documented is {sorted(spec.allowed(path))}")
    return errors


# ---- streams ------------------------------------------------------------------------------------

@dataclass
class Frame:
    """One event as EventSource would dispatch it, or what stands between events."""
    fields: dict[str, str]

    @property
    def event(self) -> Json:
        return json.loads(self.fields["data"])


def read_frames(text: str) -> tuple[list[Frame], list[str]]:
    """The whole frames of a stream, and the lines that are none of its fields."""
    frames, errors, fields = [], [], {}
    whole = text[:text.rfind("\n\n") + 2] if "\n\n" in text else ""
    for line in whole.split("\n"):
        name, colon, value = line.partition(": ")
        if not line and fields:
            frames.append(Frame(fields))
            fields = {}
        elif colon and name in ("id", "event", "data", "retry") and name not in fields:
            fields[name] = value
        elif line not in ("", ":"):
            errors.append(f"the stream has a line '{line[:100]}'")
    return frames, errors


def kind_of_event(spec: Spec, schema: Json, event: Json) -> Json:
    """The one schema of `oneOf` whose `object` and `event` are the event's, which the rest cannot
    match; all of them where there is no such."""
    kinds = [kind for kind in spec.resolve(schema).get("oneOf", [])
             if all(spec.resolve(kind)["properties"][name].get("const") == event.get(name)
                    for name in ("object", "event"))]
    return kinds[0] if len(kinds) == 1 else schema


def check_frame(spec: Spec, schema: Json, frame: Frame) -> list[str]:
    if "data" not in frame.fields:
        return [] if set(frame.fields) == {"retry", "id"} else [f"a frame of {frame.fields}"]
    event = frame.event
    errors = spec.schema_errors(kind_of_event(spec, schema, event), event)
    if frame.fields.get("id") != event.get("id") or event.get("id") != event.get("revision"):
        errors.append(f"the ids of {frame.fields} differ")
    if frame.fields.get("event", "") != ("reset" if event.get("event") == "reset" else ""):
        errors.append(f"`event:` of {frame.fields} is not as the document says")
    return errors


def check_stream(spec: Spec, media: Json, text: str) -> list[str]:
    """A stream begins with where it begins; each event is of one of the documented kinds, and
    newer than the one before."""
    frames, errors = read_frames(text)
    if not frames or set(frames[0].fields) != {"retry", "id"}:
        errors.append("the stream does not begin with retry and id")
    numbers = [int(f.fields["id"].rpartition("-")[2]) for f in frames if "id" in f.fields]
    own = ["data" in f.fields and f.event.get("object") == "stream"
           for f in frames if "id" in f.fields]
    if any(b < a or (b == a and not mine) for a, b, mine in zip(numbers, numbers[1:], own[1:])):
        errors.append(f"the numbers of events do not grow: {numbers}")
    for frame in frames:
        errors += check_frame(spec, {"$ref": media["x-virtgate-event-schema"]}, frame)
    return errors


# ---- header and body ----------------------------------------------------------------------------

def check_own_headers(spec: Spec, operation: Operation, response: Json, x: Exchange) -> list[str]:
    """Revision, source and age: where they are documented, and nowhere else."""
    documented = {name.lower() for name in response.get("headers", {})}
    errors = [f"header {name} is not documented" for name in x.headers
              if name.startswith(OWN_HEADERS) and name not in documented]
    if ("age" in x.headers) != (x.headers.get("x-virtgate-source") == "inventory"):
        errors.append("Age does not go with X-Virtgate-Source: inventory")
    if x.status == 304:
        success = operation.responses[str(operation.success)]
        for name, ref in success["headers"].items():
            if spec.resolve(ref).get("required") and name.lower() not in x.headers:
                errors.append(f"header {name} of the 200 is missing")
    return errors


def check_location(x: Exchange) -> list[str]:
    """Below the host that was asked, or bare where the request was."""
    location = x.headers.get("location")
    prefix = "/".join(x.path.split("/")[:3]) if x.segments[0] == "hosts" else ""
    if not location or (location.startswith(prefix + "/") and
                        (prefix or not location.startswith("/hosts/"))):
        return []
    return [f"Location {location} is not below {prefix or '/'}"]


def check_headers(spec: Spec, response: Json, x: Exchange) -> list[str]:
    errors = []
    for name, ref in response.get("headers", {}).items():
        header = spec.resolve(ref)
        value = x.headers.get(name.lower())
        if value is None:
            if header.get("required"):
                errors.append(f"header {name} is missing")
        else:
            errors += [f"header {name}: {e}"
                       for e in spec.schema_errors(header["schema"], value)]
    return errors


def check_body(spec: Spec, operation: Operation, response: Json, x: Exchange) -> list[str]:
    media = response.get("content", {})
    if not media:
        return [f"a body of {x.media_type}" for _ in [0] if x.body is not None]
    if x.media_type not in media:
        return [f"media type {x.media_type or '(none)'} is not documented: {', '.join(media)}"]
    if x.method == "HEAD":
        return ["HEAD has a body"] if x.body is not None else []
    if "content-encoding" in x.headers:  # recorded as it came; not for this test to inflate
        return []
    if x.media_type == PROBLEM:
        return check_problem(spec, x)
    if x.media_type == "application/octet-stream":  # any bytes; recorded as null
        return []
    if x.media_type == STREAM:
        return check_stream(spec, media[STREAM], x.body or "")
    body = digits_to_numbers(x.body) if x.query.get("numbers") == "string" else x.body
    errors = spec.schema_errors(media[x.media_type].get("schema", {}), body)
    wanted = operation.spec.get("x-virtgate-default-fields", [])
    document = isinstance(body, dict) and body.keys() & DOCUMENTS
    whole = "fields" not in x.query and x.status != 202  # which is of an operation
    if not errors and not document and whole and "json" in x.media_type:
        lists = set() if "name" in body else LISTS & body.keys()
        for item in body[lists.pop()] if lists else [body]:
            missing = [f for f in wanted if f not in item]
            if missing:
                errors.append(f"without `fields`, {', '.join(missing)} should be there")
    return errors


# The keys of lists of objects, and of documents, beside the members of one object.
LISTS = {"domains", "networks", "storagePools", "volumes", "nodeDevices", "interfaces",
         "nwfilters", "nwfilterBindings", "secrets", "ports"}
DOCUMENTS = {"xml", "domain", "network", "pool", "volume", "device", "interface", "filter",
             "filterbinding", "secret", "networkport"}


def check_exchange(spec: Spec, x: Exchange) -> list[str]:
    """What openapi.yaml does not allow in this exchange."""
    path = spec.find_path(x.segments)
    operation = spec.find_operation(path, x.method) if path else None
    if not operation:
        return check_elsewhere(spec, x, path)
    response = operation.responses.get(str(x.status))
    if not response and x.status in HTTP_STATUSES:
        response = operation.responses["default"]
    if not response:
        return [f"status {x.status} of {operation.name} is not documented"]
    return (check_location(x) + check_headers(spec, response, x) +
            check_own_headers(spec, operation, response, x) +
            check_body(spec, operation, response, x))
