#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--path-prefix: everything is below it, nothing outside, and every link leads there."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import yaml

os.environ.pop("VG_RECORD", None)  # openapi.yaml has paths without a prefix
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, WebSocket, check, report  # noqa: E402

PREFIX = "/virt/a.b"
DOMAIN = (b"<domain type='test'><name>%s</name><memory>65536</memory>"
          b"<os><type>hvm</type></os></domain>")


def routes():
    program = os.environ.get("VIRTGATE_BIN", "build/virtgate")
    lines = subprocess.run([program, "--dump-routes"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    return [(row["method"], re.sub(r"\{[^}]*\}", "x", row["pattern"]))
            for row in map(json.loads, lines)]


def links_of(value):
    """The texts that are paths in the members `links`, `href` and the like."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("links", "href", "instance"):
                yield from item.values() if isinstance(item, dict) else [item]
            else:
                yield from links_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from links_of(item)


def test_every_route(client):
    """Outside nothing is there, by any method; below the routes are."""
    for method, path in routes():
        status, _, body = client.send(method, path)
        problem = json.loads(body)
        check(status == 404 and problem["type"] == "urn:virtgate:error:not-found"
              and PREFIX in problem["detail"] and problem["instance"] == path,
              f"{method} {path} outside", f"{status} {body}")
        allow = client.send("OPTIONS", PREFIX + path)[1].get("Allow", "")
        check(method in allow, f"OPTIONS {PREFIX}{path} knows {method}", allow)
    for path in ("/virt", "/virt/", "/virt/a", PREFIX + "x/version", "/virt/A.b/version",
                 "//virt/a.b/version", "/virt%2Fa.b/version", PREFIX + "//version"):
        check(client.send("GET", path)[0] == 404, f"GET {path}")
    check(client.send("OPTIONS", "*")[0] == 204, "OPTIONS *")


def test_links(client):
    """What an answer leads to is below the prefix, and there."""
    found = []
    for path in ("/", "", "/hosts/default", "/hosts", "/domains/nosuch", "/operations"):
        _, _, body = client.get(PREFIX + path)
        found += list(links_of(body))
    check(len(found) > 15, "answers have links", found)
    for name in (b"a", b"b"):
        _, headers, _ = client.send("POST", PREFIX + "/domains", DOMAIN % name)
        found.append(headers["Location"])
    _, headers, _ = client.send("POST", PREFIX + "/hosts/default/domains", DOMAIN % b"c")
    found.append(headers["Location"])
    _, headers, body = client.get(PREFIX + "/domains?limit=2&state=inactive")
    found.append(re.fullmatch(r'<(.*)>; rel="next"', headers["Link"])[1])
    check(body["next"] and len(body["domains"]) == 2, "the first of two pages", body)
    status, headers, _ = client.send("POST", PREFIX + "/domains/test/snapshots", b"{}")
    found.append(headers.get("Location", ""))
    check(status == 201, "a snapshot", status)
    for link in found:
        check(link.startswith(PREFIX), "a link is below the prefix", link)
        status = client.send("HEAD", link)[0]  # one of them is a stream
        # 501: the mock hypervisor has no filters and no secrets
        check(status in (200, 501) or "nosuch" in link, f"a link leads somewhere: {link}", status)
    _, _, body = client.get(found[-2])
    check(len(body["domains"]) == 1, "the second page", body)
    status, _, body = client.get(PREFIX + "/hosts/-/domains?limit=1")
    check(status == 200 and len(body["domains"]) == 1, "of all hosts", body)


def test_operation(client):
    status, headers, _ = client.send("POST", PREFIX + "/domains/test/managed-save", b"{}",
                                     {"Prefer": "respond-async"})
    place = headers.get("Location", "")
    if status == 202:
        check(place.startswith(PREFIX + "/operations/"), "an operation's Location", place)
        status, _, body = client.get(place)
        check(status == 200, f"GET {place}")
        check(body["path"] == PREFIX + "/domains/test/managed-save", "what began it", body)
    else:
        check(status in (200, 204, 409, 501), "a managed save", status)


def test_ticket(client):
    """A page names the path of the URL that it opens."""
    status, _, body = client.send("POST", PREFIX + "/tickets", b'{"path": "/events"}')
    check(status == 400, "a ticket for what is outside", status)
    check(f"'{PREFIX}/events' is one" in json.loads(body)["detail"], "which paths have one", body)
    status, _, body = client.send("POST", PREFIX + "/tickets",
                                  json.dumps({"path": PREFIX + "/events"}).encode())
    check(status == 201, "a ticket", status)
    target = f"{PREFIX}/events?wait=0&ticket={json.loads(body)['ticket']}"
    check(client.get(target)[0] == 200, "it is taken")
    check(client.get(target)[0] == 401, "once")


def test_description(client):
    """The servers are below the prefix, in both forms."""
    plain = Path("openapi.yaml").read_text(encoding="utf-8")
    for name, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        spec = read(client.send("GET", f"{PREFIX}/openapi.{name}")[2])
        servers = spec["servers"] + [s for item in spec["paths"].values()
                                     for s in item.get("servers", [])]
        check(len(servers) > 5 and all(s["url"].startswith("{origin}" + PREFIX)
                                       for s in servers), f"servers of openapi.{name}")
    text = client.send("GET", f"{PREFIX}/openapi.yaml")[2].decode()
    check(text.replace("{origin}" + PREFIX, "{origin}") == plain, "and nothing else is changed")


def test_page(client):
    """The page's files are where a browser looks for them."""
    status, _, page = client.send("GET", PREFIX + "/docs")
    files = re.findall(r'(?:src|href)="([^"]+)"', page.decode())
    check(status == 200 and files, "the page", status)
    for file in files:
        if file.startswith("data:"):
            continue
        path = urljoin(f"http://x{PREFIX}/docs", file).removeprefix("http://x")
        check(client.send("GET", path)[0] == 200, f"the page's {file}", path)


def test_rest(gateway, client):
    """Absolute targets, streams, the access log."""
    port = gateway.port
    check(client.send("GET", f"http://localhost:{port}{PREFIX}/version")[0] == 200, "absolute")
    check(client.send("GET", f"http://localhost:{port}/version")[0] == 404, "absolute, outside")
    for path, status in ((PREFIX, 101), ("", 404)):
        socket = WebSocket(port, path + "/events?object=domain")
        check(socket.status == status, f"a WebSocket at {path}/events", socket.status)
        socket.close()
    foreign = {"Sec-Fetch-Site": "cross-site"}
    check(client.send("GET", PREFIX + "/health/live", headers=foreign)[0] == 200, "public")
    check(client.send("GET", PREFIX + "/domains", headers=foreign)[0] == 403, "not public")


def main():
    gateway = Gateway("test:///default", "--path-prefix", PREFIX)
    client = Client(gateway.port)
    test_every_route(client)
    test_links(client)
    test_operation(client)
    test_ticket(client)
    test_description(client)
    if os.environ.get("DOCS") != "no":
        test_page(client)
    test_rest(gateway, client)
    gateway.stop()
    report()


main()
