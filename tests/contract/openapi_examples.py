# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the examples of openapi.yaml against a gateway on test:///default: every read with every
example of its parameters, then a domain's life from define to undefine."""
import http.client
import json
import re
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional
from urllib.parse import quote, urlsplit

from openapi_spec import Exchange, Json, Operation, Spec, check_exchange

Result = tuple[str, list[str]]
DRIVER = "test"

# A domain's life: operation, which example of its body, the domain's name. Those of a media
# type are named by it. defineDomain's examples are called web1, renameDomain's leads to web2.
LIFE = [
    ("defineDomain", "application/xml", ""),
    ("defineDomain", "application/json", ""),  # again: the same domain
    ("redefineDomain", "application/xml", "web1"),
    ("redefineDomain", "application/json", "web1"),
    ("setDomainAutostart", "application/json", "web1"),
    ("startDomain", "plain", "web1"),
    ("suspendDomain", "", "web1"),
    ("resumeDomain", "", "web1"),
    ("rebootDomain", "plain", "web1"),
    ("resetDomain", "", "web1"),
    ("shutdownDomain", "plain", "web1"),
    ("startDomain", "plain", "web1"),
    ("destroyDomain", "plain", "web1"),
    ("renameDomain", "application/json", "web1"),
    ("undefineDomain", "", "web2"),
]


class Gateway:
    """A running gateway; requests go straight to it, never through a proxy."""

    def __init__(self, base: str) -> None:
        self.address = urlsplit(base).netloc

    def send(self, method: str, path: str, headers: Optional[dict[str, str]] = None,
             body: Optional[str] = None) -> Exchange:
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, path, body.encode() if body is not None else None,
                               headers or {})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        value = json.loads(text) if text and "json" in found.get("content-type", "") else text
        return Exchange(method, path, answer.status, found, value or None)


@contextmanager
def start_gateway(binary: Path) -> Iterator[str]:
    """A gateway of our own; its port is read from its log."""
    command = [str(binary), "--connect", "test:///default", "--listen", "127.0.0.1:0"]
    with tempfile.TemporaryFile() as log:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                              stderr=log) as process:
            try:
                yield f"http://127.0.0.1:{wait_for_port(process, log.fileno())}"
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()


def wait_for_port(process: subprocess.Popen[bytes], log: int) -> int:
    deadline = time.monotonic() + 20
    text = ""
    while time.monotonic() < deadline and process.poll() is None:
        text = Path(f"/proc/self/fd/{log}").read_text(errors="replace")
        port = re.search(r"^.*listening.*127\.0\.0\.1:(\d+)", text, re.M)
        if port:
            return int(port[1])
        time.sleep(0.02)
    raise SystemExit(f"the gateway did not start:\n{text}")


# ---- requests -----------------------------------------------------------------------------------

def write_value(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(quote(str(v), safe="") for v in value)
    return quote(str(value), safe="")


def fill_path(operation: Operation, domain: str = "") -> str:
    """The path with the examples of its parameters, or with the domain of this name."""
    path = operation.path
    for parameter in operation.parameters:
        if parameter["in"] == "path":
            own = domain and parameter["name"] == "domain"
            value = domain if own else parameter["example"]
            path = path.replace("{" + parameter["name"] + "}", quote(value, safe=""))
    return path


def check_success(spec: Spec, operation: Operation, x: Exchange) -> list[str]:
    errors = check_exchange(spec, x)
    if x.status != operation.success:
        errors.insert(0, f"status {x.status}, documented is {operation.success}: {x.body}")
    return [f"{x}: {e}" for e in errors]


# ---- reads --------------------------------------------------------------------------------------

def vary_query(operation: Operation) -> Iterator[str]:
    """No query, then each parameter's example by itself."""
    yield ""
    for parameter in operation.parameters:
        if parameter["in"] == "query" and "example" in parameter:
            yield f"?{parameter['name']}={write_value(parameter['example'])}"


def check_read(spec: Spec, gateway: Gateway, operation: Operation) -> list[str]:
    errors = []
    success = operation.responses[str(operation.success)]
    path = fill_path(operation)
    for query in vary_query(operation):
        errors += check_success(spec, operation, gateway.send("GET", path + query))
    for media in success["content"]:
        x = gateway.send("GET", path, {"Accept": media})
        errors += check_success(spec, operation, x)
        if x.media_type != media:
            errors.append(f"{x}: Accept: {media} is answered with {x.media_type}")
    prefixed = gateway.send("GET", "/hosts/default" + path)
    if operation.once:
        if prefixed.status != 404:
            errors.append(f"{prefixed}: exists below /hosts/{{host}}")
    else:
        errors += check_success(spec, operation, prefixed)
    return errors


def check_conditional(spec: Spec, gateway: Gateway, operation: Operation) -> list[str]:
    """HEAD, OPTIONS, and If-None-Match. CPU time changes between any two reads, so of what has
    `fields` a part is read."""
    fields = [p for p in operation.parameters if p["name"] == "fields"]
    query = "?fields=" + write_value(fields[0]["example"]) if fields else ""
    path = fill_path(operation) + query
    head = gateway.send("HEAD", path)
    options = gateway.send("OPTIONS", path)
    errors = check_success(spec, operation, head)
    errors += [f"{options}: {e}" for e in check_exchange(spec, options)]
    if "304" not in operation.responses:  # never twice the same
        return errors + [f"{head}: has an ETag" for _ in [0] if "etag" in head.headers]
    for _ in range(20):  # the pool's figures may change, too
        tag = gateway.send("GET", path).headers.get("etag", "")
        again = gateway.send("GET", path, {"If-None-Match": tag})
        errors += [f"{again}: {e}" for e in check_exchange(spec, again)]
        if again.status == 304 or errors:
            return errors
    return errors + [f"GET {path}: If-None-Match never gives 304"]


def check_paging(spec: Spec, gateway: Gateway) -> list[str]:
    """`next` and Link lead from page to page; the pages are the list."""
    operation = next(o for o in spec.operations if o.name == "listDomains")
    whole = gateway.send("GET", "/domains?fields=name").body["domains"]
    seen: list[Json] = []
    errors: list[str] = []
    path = "/domains?fields=name&limit=1"
    while path and len(seen) <= len(whole):
        x = gateway.send("GET", path)
        errors += check_success(spec, operation, x)
        if errors:
            return errors
        seen += x.body["domains"]
        link = re.fullmatch(r'<([^>]+)>; rel="next"', x.headers.get("link", ""))
        if bool(link) != ("next" in x.body):
            errors.append(f"{x}: Link does not go with `next`")
        path = link[1] if link else ""
    if seen != whole:
        errors.append(f"the pages hold {seen}, the list {whole}")
    return errors


# ---- a domain's life ----------------------------------------------------------------------------

def find_body(operation: Operation, which: str) -> tuple[Optional[str], str]:
    """The text of a body's example, and its media type."""
    for media, content in operation.body_media.items():
        examples = {k: e["value"] for k, e in content.get("examples", {}).items()}
        if "example" in content:
            examples[media] = content["example"]
        if which in examples:
            value = examples[which]
            return value if isinstance(value, str) else json.dumps(value), media
    raise KeyError(f"{operation.name} has no example '{which}'")


def send_change(gateway: Gateway, operation: Operation, which: str, domain: str) -> Exchange:
    body, media = find_body(operation, which) if which else (None, "")
    headers = {"Content-Type": media} if body is not None else {}
    return gateway.send(operation.method, fill_path(operation, domain), headers, body)


def check_life(spec: Spec, gateway: Gateway) -> Iterator[Result]:
    operations = {o.name: o for o in spec.operations}
    for name in ("web1", "web2"):  # of an earlier run
        gateway.send("POST", f"/domains/{name}/destroy")
        gateway.send("DELETE", f"/domains/{name}")
    for name, which, domain in LIFE:
        operation = operations[name]
        x = send_change(gateway, operation, which, domain)
        errors = check_success(spec, operation, x)
        if x.status == 201:
            there = gateway.send("GET", x.headers.get("location", "/"))
            if (there.body or {}).get("uuid") != x.body["uuid"]:
                errors.append(f"{x}: Location leads to {there}")
        yield f"example {name} {which} {domain}".rstrip(), errors


def check_all_run(spec: Spec) -> list[str]:
    """LIFE runs every example of every change that the test driver can do."""
    ran = {(name, which) for name, which, _ in LIFE}
    errors = []
    for operation in spec.operations:
        if operation.method == "GET":
            continue
        wanted = set()
        for media, content in operation.body_media.items():
            wanted |= {media} if "example" in content else set()
            wanted |= {k for k, e in content.get("examples", {}).items()
                       if DRIVER in e.get("x-virtgate-drivers", [DRIVER])}
        for which in wanted or {""}:
            if (operation.name, which) not in ran:
                errors.append(f"{operation.name} {which} is not in LIFE")
    return errors


def wait_until_ready(gateway: Gateway) -> None:
    for _ in range(200):
        if gateway.send("GET", "/health/ready").body["status"] == "ready":
            return
        time.sleep(0.05)


def run_all(spec: Spec, gateway: Gateway) -> Iterator[Result]:
    wait_until_ready(gateway)
    for operation in spec.operations:
        if operation.method == "GET":
            yield f"example {operation.name}", check_read(spec, gateway, operation)
            yield (f"HEAD, OPTIONS, 304 of {operation.name}",
                   check_conditional(spec, gateway, operation))
    yield "every example of a change is run", check_all_run(spec)
    yield from check_life(spec, gateway)
    gateway.send("POST", "/domains", {"Content-Type": "application/xml"},
                 "<domain type='test'><name>page2</name><memory>65536</memory>"
                 "<os><type>hvm</type></os></domain>")
    yield "pages of /domains", check_paging(spec, gateway)
    gateway.send("DELETE", "/domains/page2")


def run(spec: Spec, base: Optional[str], binary: Path) -> Iterator[Result]:
    if base:
        yield from run_all(spec, Gateway(base))
        return
    with start_gateway(binary) as own:
        yield from run_all(spec, Gateway(own))
