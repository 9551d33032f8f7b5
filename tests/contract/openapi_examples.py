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
from typing import IO, Iterator, Optional
from urllib.parse import quote, urlsplit

from openapi_spec import STREAM, Exchange, Json, Operation, Spec, check_exchange, read_frames

Result = tuple[str, list[str]]
DRIVER = "test"

# Values of path parameters that are there only once a gateway has run for a while.
made: dict[str, str] = {}
# Reads of what is another each time.
CHANGING = ("listDomainVcpus",)

# The lives of a domain and of other objects: operation, which example of its body, the object's
# name. Those of a media type are named by it. defineDomain's examples are called web1,
# renameDomain's leads to web2.
LIFE = [
    ("createTicket", "application/json", ""),
    ("baselineCpu", "application/json", ""),
    ("findStoragePoolSources", "application/json", ""),
    ("defineDomain", "application/xml", ""),
    ("defineDomain", "xml", ""),  # again: the same domain
    ("defineDomain", "document", ""),
    ("defineDomain", "short", ""),
    ("replaceDomain", "application/json", "web1"),
    ("patchDomain", "config", "web1"),
    ("patchDomain", "autostart", "web1"),
    ("patchDomain", "application/json", "web1"),
    ("redefineDomain", "application/xml", "web1"),
    ("redefineDomain", "application/json", "web1"),
    ("setDomainAutostart", "application/json", "web1"),
    ("startDomain", "plain", "web1"),
    ("suspendDomain", "", "web1"),
    ("resumeDomain", "", "web1"),
    ("rebootDomain", "plain", "web1"),
    ("resetDomain", "", "web1"),
    ("sendDomainKey", "names", "web1"),
    ("sendDomainKey", "codes", "web1"),
    ("injectDomainNmi", "", "web1"),
    ("signalDomainProcess", "application/json", "web1"),
    ("freezeGuestFilesystems", "all", "web1"),
    ("freezeGuestFilesystems", "some", "web1"),
    ("thawGuestFilesystems", "some", "web1"),
    ("thawGuestFilesystems", "all", "web1"),
    ("trimGuestFilesystems", "all", "web1"),
    ("trimGuestFilesystems", "large", "web1"),
    ("setGuestTime", "time", "web1"),
    ("setGuestTime", "sync", "web1"),
    ("setGuestPassword", "plain", "web1"),
    ("setGuestPassword", "encrypted", "web1"),
    ("setDomainVcpuCount", "application/json", "web1"),
    ("pinDomainVcpu", "numbers", "web1"),
    ("pinDomainVcpu", "text", "web1"),
    ("pinDomainEmulator", "application/json", "web1"),
    ("addDomainIOThread", "application/json", "web1"),
    ("setDomainIOThread", "application/json", "web1"),
    ("pinDomainIOThread", "application/json", "web1"),
    ("removeDomainIOThread", "", "web1"),
    ("setDomainMemory", "now", "web1"),
    ("setDomainMemoryStatsPeriod", "application/json", "test"),
    ("setDomainScheduler", "application/json", "web1"),
    ("setDomainMemoryParameters", "application/json", "web1"),
    ("setDomainBlkioParameters", "application/json", "web1"),
    ("setDomainNumaParameters", "application/json", "web1"),
    ("setDomainPerfEvents", "application/json", "web1"),
    ("setDomainMetadata", "title", "web1"),
    ("setDomainMetadata", "element", "web1"),
    ("setDomainLifecycleAction", "application/json", "web1"),
    ("queryDomainStats", "application/json", "web1"),
    ("shutdownDomain", "plain", "web1"),
    ("startDomain", "plain", "web1"),
    ("createSnapshot", "plain", "web1"),
    ("revertToSnapshot", "plain", "web1"),
    ("deleteSnapshot", "", "web1"),
    ("dumpDomain", "plain", "web1"),
    ("managedSaveDomain", "plain", "web1"),
    ("removeManagedSave", "", "web1"),
    ("startDomain", "plain", "web1"),
    ("saveDomain", "plain", "web1"),
    ("restoreSaveImage", "plain", ""),
    ("destroyDomain", "plain", "web1"),
    ("renameDomain", "application/json", "web1"),
    ("undefineDomain", "", "web2"),
    ("setDomainDiskIoTune", "application/json", ""),
    ("setDomainInterfaceParameters", "application/json", ""),
    ("defineNetwork", "application/xml", ""),
    ("defineNetwork", "xml", ""),
    ("defineNetwork", "document", ""),
    ("defineNetwork", "short", ""),
    ("replaceNetwork", "application/json", "lab"),
    ("patchNetwork", "application/json", "lab"),
    ("patchNetwork", "application/merge-patch+json", "lab"),
    ("redefineNetwork", "application/xml", "lab"),
    ("redefineNetwork", "application/json", "lab"),
    ("setNetworkAutostart", "application/json", "lab"),
    ("startNetwork", "", "lab"),
    ("removeDhcpHost", "", "default"),
    ("addDhcpHost", "application/json", "default"),
    ("updateNetwork", "xml", "default"),
    ("updateNetwork", "element", "default"),
    ("destroyNetwork", "", "lab"),
    ("undefineNetwork", "", "lab"),
    ("defineStoragePool", "application/xml", ""),
    ("defineStoragePool", "xml", ""),
    ("defineStoragePool", "document", ""),
    ("defineStoragePool", "short", ""),
    ("defineStoragePool", "export", ""),
    ("replaceStoragePool", "application/json", "iso"),
    ("patchStoragePool", "application/json", "iso"),
    ("patchStoragePool", "application/merge-patch+json", "iso"),
    ("redefineStoragePool", "application/xml", "iso"),
    ("redefineStoragePool", "application/json", "iso"),
    ("setStoragePoolAutostart", "application/json", "iso"),
    ("buildStoragePool", "application/json", "iso"),
    ("startStoragePool", "application/json", "iso"),
    ("refreshStoragePool", "", "iso"),
    ("createVolume", "short", "iso"),
    ("createVolume", "overlay", "iso"),
    ("createVolume", "clone", "iso"),
    ("createVolume", "application/xml", "iso"),
    ("createVolume", "xml", "iso"),
    ("createVolume", "document", "iso"),
    ("deleteVolume", "", "iso"),
    ("destroyStoragePool", "", "iso"),
    ("deleteStoragePoolData", "application/json", "iso"),
    ("undefineStoragePool", "", "iso"),
    ("beginInterfaceChange", "", ""),
    ("defineInterface", "application/xml", ""),
    ("defineInterface", "xml", ""),
    ("defineInterface", "document", ""),
    ("replaceInterface", "application/json", "br0"),
    ("patchInterface", "application/json", "br0"),
    ("patchInterface", "application/merge-patch+json", "br0"),
    ("redefineInterface", "application/xml", "br0"),
    ("redefineInterface", "application/json", "br0"),
    ("startInterface", "", "br0"),
    ("destroyInterface", "", "br0"),
    ("undefineInterface", "", "br0"),
    ("commitInterfaceChange", "", ""),
    ("beginInterfaceChange", "", ""),
    ("rollbackInterfaceChange", "", ""),
    ("destroyNodeDevice", "", "scsi_host12"),
    ("defineNodeDevice", "vhba", ""),
    ("destroyNodeDevice", "", "scsi_host12"),
]
# The variables of paths that an object's name stands for.
OBJECTS = {"domain", "network", "pool", "device", "interface", "nwfilter", "portDev", "secret"}
# A virtual host bus adapter; the test driver calls each scsi_host12.
VHBA = json.dumps({"transient": True, "device": {"parent": "scsi_host1", "capability": {
    "@type": "scsi_host", "capability": {"@type": "fc_host", "wwnn": "2000000012341234",
                                         "wwpn": "1000000012341235"}}}})
# Two changes whose events a watch of these tells, and the types of both.
DOMAIN_CHANGES = [("/domains/test/suspend", "suspended"), ("/domains/test/resume", "resumed")]
CHANGES = {"watchNetworkEvents": [("/networks/default/destroy", "stopped"),
                                  ("/networks/default/start", "started")],
           "watchStoragePoolEvents": [("/storage-pools/default-pool/destroy", "stopped"),
                                      ("/storage-pools/default-pool/start", "started")],
           "watchNodeDeviceEvents": [("/node-devices/scsi_host12/destroy", "deleted"),
                                     ("/node-devices", "created")]}
# The body of such a change, by its path, and which object is watched, where it is not that of the
# example.
BODIES = {"/node-devices": VHBA}
WATCHED = {"watchNodeDeviceEvents": "scsi_host12"}
JSON = {"Content-Type": "application/json"}

# The mock hypervisor gives aliases to nothing: a domain whose disk has one of its own.
ALIASED = """<domain type='test'><name>aliased</name><memory>65536</memory>
<os><type>hvm</type></os><devices><disk type='file'><source file='/nosuch.img'/>
<target dev='vda'/><alias name='ua-data'/></disk></devices></domain>"""


# What the examples write, and where: a gateway of our own has a folder of its own for files.
FILES = ["/tmp/web1.core", "/tmp/web1.save"]
folder = {"/tmp/web1.": "/tmp/web1.", "/srv/": "/srv/"}


def place(text: str) -> str:
    for documented, own in folder.items():
        text = text.replace(documented, own)
    return text


class Gateway:
    """A running gateway; requests go straight to it, never through a proxy."""

    def __init__(self, base: str) -> None:
        self.address = urlsplit(base).netloc

    def send(self, method: str, path: str, headers: Optional[dict[str, str]] = None,
             body: Optional[str] = None, frames: int = 1) -> Exchange:
        """Of a stream, so many frames."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, path, body.encode() if body is not None else None,
                               headers or {})
            answer = connection.getresponse()
            endless = method == "GET" and answer.headers.get_content_type() == STREAM
            text = (read_stream(answer, frames) if endless
                    else answer.read().decode(errors="replace"))
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        value = json.loads(text) if text and "json" in found.get("content-type", "") else text
        return Exchange(method, path, answer.status, found, value or None)


def read_stream(answer: http.client.HTTPResponse, frames: int) -> str:
    text = ""
    while text.count("\n\n") < frames:
        line = answer.readline().decode()
        if not line:
            break
        text += line
    return text


@contextmanager
def running(command: list[str], log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of our own that writes to the log, and is ended afterwards."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def start_gateway(binary: Path, *options: str) -> Iterator[str]:
    """A gateway of our own; its port is read from its log."""
    command = [str(binary), "--connect", "test:///default", "--listen", "127.0.0.1:0", *options]
    with tempfile.TemporaryFile() as log, running(command, log) as process:
        yield f"http://127.0.0.1:{wait_for_port(process, log.fileno())}"


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
    """The path with the examples of its parameters, or with the object of this name."""
    path = operation.path
    if "{alias}" in path:
        domain = domain or "aliased"
    for parameter in operation.parameters:
        if parameter["in"] == "path":
            own = domain and parameter["name"] in OBJECTS
            value = domain if own else made.get(parameter["name"], str(parameter["example"]))
            path = path.replace("{" + parameter["name"] + "}", quote(value, safe=""))
    return path


def check_success(spec: Spec, operation: Operation, x: Exchange) -> list[str]:
    errors = check_exchange(spec, x)
    again = operation.name in made and x.status == 200  # what is made again is there
    if x.status == operation.success == 201:
        made[operation.name] = "once"
    if x.status != operation.success and not again:
        errors.insert(0, f"status {x.status}, documented is {operation.success}: {x.body}")
    return [f"{x}: {e}" for e in errors]


def runs_here(spec: Json) -> bool:
    """Whether an operation or an example works on the test driver."""
    return DRIVER in spec.get("x-virtgate-drivers", [DRIVER])


# ---- reads --------------------------------------------------------------------------------------

# Where one of several parameters is required, this one is given.
ONE_OF = {("findVolume", "path")}


def vary_query(operation: Operation) -> Iterator[str]:
    """What is required alone, then with each other parameter's example."""
    def is_needed(parameter: Json) -> bool:
        return parameter.get("required") or (operation.name, parameter["name"]) in ONE_OF

    examples = [p for p in operation.parameters if p["in"] == "query" and "example" in p]
    needed = [f"{p['name']}={write_value(p['example'])}" for p in examples if is_needed(p)]
    yield "?" + "&".join(needed) if needed else ""
    for parameter in examples:
        if not is_needed(parameter):
            yield "?" + "&".join(needed + [f"{parameter['name']}={write_value(parameter['example'])}"])


def check_read(spec: Spec, gateway: Gateway, operation: Operation) -> list[str]:
    errors = []
    success = operation.responses[str(operation.success)]
    path = fill_path(operation)
    for query in vary_query(operation):
        errors += check_success(spec, operation, gateway.send("GET", path + query))
    path += next(vary_query(operation))
    for media, content in success["content"].items():
        x = gateway.send("GET", content.get("x-virtgate-path", path), {"Accept": media})
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


# HEAD's status tells what GET's body does, and of the domain that is asked it is 404.
HEAD_TELLS = {"getManagedSave"}


def check_conditional(spec: Spec, gateway: Gateway, operation: Operation) -> list[str]:
    """HEAD, OPTIONS, and If-None-Match. CPU time changes between any two reads, so of what has
    `fields` a part is read."""
    fields = [p for p in operation.parameters if p["name"] == "fields"]
    query = ("?fields=" + write_value(fields[0]["example"]) if fields
             else next(vary_query(operation)))
    if operation.streams:
        query = "?wait=0"
    path = fill_path(operation) + query
    head = gateway.send("HEAD", path)
    options = gateway.send("OPTIONS", path)
    errors = (check_exchange(spec, head) if operation.name in HEAD_TELLS
              else check_success(spec, operation, head))
    errors += [f"{options}: {e}" for e in check_exchange(spec, options)]
    if "304" not in operation.responses:  # never twice the same
        return errors + [f"{head}: has an ETag" for _ in [0] if "etag" in head.headers]
    for _ in range(20):  # the pool's figures may change, too
        tag = gateway.send("GET", path).headers.get("etag", "")
        again = gateway.send("GET", path, {"If-None-Match": tag})
        errors += [f"{again}: {e}" for e in check_exchange(spec, again)]
        if again.status == 304 or errors or operation.spec.get("x-virtgate-volatile"):
            return errors
    never = [f"GET {path}: If-None-Match never gives 304"]
    return errors + (never if operation.name not in CHANGING else [])


def check_memory(spec: Spec, gateway: Gateway, operation: Operation) -> list[str]:
    """What is documented to come from memory does, unless Cache-Control forbids it."""
    errors = []
    path = fill_path(operation)
    query = "?fields=name" if any(p["name"] == "fields" for p in operation.parameters) else ""
    for _ in range(100):  # what is read soon after an event is read again
        x = gateway.send("GET", path + query)
        errors += check_success(spec, operation, x)
        if errors or x.headers["x-virtgate-source"] == "inventory":
            break
        time.sleep(0.02)
    else:
        errors.append(f"{x}: is never from memory")
    x = gateway.send("GET", path + query, {"Cache-Control": "no-cache"})
    errors += check_success(spec, operation, x)
    if x.headers.get("x-virtgate-source") != "libvirt":
        errors.append(f"{x}: Cache-Control: no-cache does not reach libvirt")
    return errors


def check_watch(spec: Spec, gateway: Gateway, operation: Operation) -> list[str]:
    """List, change, watch: nothing is missed; each event's id resumes the watch after it."""
    path = fill_path(operation, WATCHED.get(operation.name, ""))
    since = gateway.send("GET", "/domains").headers["x-virtgate-revision"]
    changes = CHANGES.get(operation.name, DOMAIN_CHANGES)
    for change, _ in changes:
        gateway.send("POST", change, JSON if change in BODIES else {}, BODIES.get(change))
    first = gateway.send("GET", f"{path}?event=lifecycle&since={since}", frames=3)
    errors = check_success(spec, operation, first)
    frames = read_frames(first.body)[0]
    types = [f.event["type"] for f in frames if "data" in f.fields]
    if types != [told for _, told in changes]:
        return errors + [f"{first}: tells {types}"]
    resumed = gateway.send("GET", path, {"Last-Event-ID": frames[1].fields["id"]}, frames=2)
    errors += check_success(spec, operation, resumed)
    if read_frames(resumed.body)[0][1:] != frames[2:]:
        errors.append(f"{resumed}: Last-Event-ID leads to {resumed.body}")
    polled = gateway.send("GET", f"{path}?event=lifecycle&since={since}&limit=1",
                          {"Accept": "application/json"})
    errors += check_success(spec, operation, polled)
    if polled.body != {"events": [frames[1].event], "revision": frames[1].event["id"]}:
        errors.append(f"{polled}: polled {polled.body}")
    reset = gateway.send("GET", path, {"Last-Event-ID": "0-1"}, frames=2)
    errors += check_success(spec, operation, reset)
    gone = gateway.send("GET", path + "?since=0-1")
    errors += [f"{gone}: {e}" for e in check_exchange(spec, gone)]
    if gone.status != 410:
        errors.append(f"{gone}: should be 410")
    return errors


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
            return place(value if isinstance(value, str) else json.dumps(value)), media
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
        if x.status == 201 and "uuid" in x.body:
            there = gateway.send("GET", x.headers.get("location", "/"))
            key = "uuid" if "uuid" in x.body else "name"
            if (there.body or {}).get(key) != x.body[key]:
                errors.append(f"{x}: Location leads to {there}")
        yield f"example {name} {which} {domain}".rstrip(), errors
    for file in FILES:
        Path(place(file)).unlink(missing_ok=True)


def check_all_run(spec: Spec) -> list[str]:
    """LIFE runs every example of every change that the test driver can do."""
    ran = {(name, which) for name, which, _ in LIFE}
    errors = []
    for operation in spec.operations:
        if operation.method == "GET" or not operation.works_on(DRIVER):
            continue
        wanted = set()
        for media, content in operation.body_media.items():
            wanted |= {media} if "example" in content else set()
            wanted |= {k for k, e in content.get("examples", {}).items() if runs_here(e)}
        for which in wanted or {""}:
            if (operation.name, which) not in ran:
                errors.append(f"{operation.name} {which} is not in LIFE")
    return errors


def wait_until_ready(gateway: Gateway) -> None:
    for _ in range(200):
        if gateway.send("GET", "/health/ready").body["status"] == "ready":
            return
        time.sleep(0.05)


def make_things(gateway: Gateway) -> None:
    """What is to be looked at: snapshots, a fixed address, a device, and long work that has ended."""
    for name in ("before", "later"):
        gateway.send("POST", f"/domains/test/snapshots?name={name}")
    gateway.send("POST", "/node-devices", JSON, VHBA)
    gateway.send("POST", "/domains?transient=true", {"Content-Type": "application/xml"},
                 "<domain type='test'><name>operated</name><memory>65536</memory>"
                 "<os><type>hvm</type></os></domain>")
    gateway.send("POST", "/networks/default/dhcp-hosts?mac=52:54:00:12:34:56&ip=192.168.122.5")
    gateway.send("POST", "/storage-pools/default-pool/volumes?name=web.qcow2&capacityMiB=1")
    x = gateway.send("POST", "/domains/operated/dump?to=" + place(FILES[0]),
                     {"Prefer": "respond-async"})
    made["operation"] = x.body["id"]
    gateway.send("GET", f"/operations/{x.body['id']}?wait=10")
    gateway.send("POST", "/domains/operated/destroy")


def run_all(spec: Spec, gateway: Gateway) -> Iterator[Result]:
    wait_until_ready(gateway)
    gateway.send("POST", "/domains?transient=true", {"Content-Type": "application/xml"}, ALIASED)
    make_things(gateway)
    for operation in spec.operations:
        if operation.method == "GET" and operation.works_on(DRIVER):
            yield f"example {operation.name}", check_read(spec, gateway, operation)
            yield (f"HEAD, OPTIONS, 304 of {operation.name}",
                   check_conditional(spec, gateway, operation))
            if operation.streams:
                yield f"watching by {operation.name}", check_watch(spec, gateway, operation)
            if "Age" in operation.responses[str(operation.success)]["headers"]:
                yield f"{operation.name} from memory", check_memory(spec, gateway, operation)
    yield "every example of a change is run", check_all_run(spec)
    yield from check_life(spec, gateway)
    gateway.send("POST", "/domains/aliased/destroy")
    gateway.send("POST", "/domains", {"Content-Type": "application/xml"},
                 "<domain type='test'><name>page2</name><memory>65536</memory>"
                 "<os><type>hvm</type></os></domain>")
    yield "pages of /domains", check_paging(spec, gateway)
    gateway.send("DELETE", "/domains/page2")


def run(spec: Spec, base: Optional[str], binary: Path) -> Iterator[Result]:
    if base:
        yield from run_all(spec, Gateway(base))
        return
    with (tempfile.TemporaryDirectory() as files,
          start_gateway(binary, "--local-dir", files) as own):
        folder["/tmp/web1."] = files + "/web1."
        folder["/srv/"] = files + "/"
        yield from run_all(spec, Gateway(own))
