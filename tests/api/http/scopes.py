#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A token with `hosts=` and `domains=`: what is outside is not there for it.

Every row of the route tables is asked about a guest that is hidden, by its name, UUID and id, and
about one that does not exist; likewise about a host. The answers are the same, byte for byte, but
for the name itself, request ids, dates and revisions. Whatever lists, streams or counts is searched
for the hidden guest's name and UUID.
"""
import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
from gateway import Client, Gateway, check, record, report  # noqa: E402

OUTSIDE = "urn:virtgate:error:outside-scope"
# With domains= an admin has of other kinds what a viewer has; allow= gives it back.
ALLOW = "allow=gateway:document,gateway:path,gateway:command,connect:write"
SCOPES = {"all": "", "web": f"domains=web-* {ALLOW}", "a": "hosts=a",
          "both": f"hosts=a domains=web-*,app {ALLOW}", "bare": "domains=web-*", "kvm": "hosts=kvm*"}
VOLATILE = {"date", "x-request-id", "x-virtgate-revision"}
# What a row needs to get as far as the guest.
BODIES = {
    "renameDomain": {"name": "web-9"}, "patchDomain": {"name": "web-9"},
    "setDomainAutostart": {"autostart": True}, "saveDomain": {"file": "/x"},
    "dumpDomain": {"to": "/x"}, "migrateDomain": {"destinationHost": "a"},
    "setDomainMemory": {"memoryMiB": 8}, "sendDomainKeys": {"keys": ["a"]},
    "createSnapshot": {"name": "s"}, "setDomainVcpus": {"count": 1},
    "redefineDomain": {"xml": "<domain><name>web-9</name></domain>"},
    "replaceDomain": {"domain": {"name": "web-9"}},
}


def token(name):
    return {"Authorization": f"Bearer {name}"}


def rows():
    out = subprocess.run([os.environ.get("VIRTGATE_BIN", "build/virtgate"), "--dump-routes"],
                         check=True, text=True, capture_output=True, timeout=20).stdout
    return [json.loads(line) for line in out.splitlines()]


def domain_xml(name, of=None):
    return (f"<domain type='test'><name>{name}</name><uuid>{of or uuid.uuid4()}</uuid>"
            "<memory>65536</memory><os><type>hvm</type></os></domain>").encode()


def ask(client, method, path, who, body=None, headers=None):
    status, head, text = client.send(method, path,
                                     json.dumps(body).encode() if isinstance(body, dict) else body,
                                     {**token(who), **(headers or {})})
    head = {k.lower(): v for k, v in head.items()}
    shown = text.decode()
    record(method, path, status, head, json.loads(shown) if shown[:1] == "{" else shown)
    return status, head, text


def plain(answer, words):
    """What of an answer may be compared: `words` are the same thing each in its own answer."""
    status, head, text = answer
    text = text.decode()
    for word in words:
        text = re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])" if not word.isdigit() else
                      rf"(?<=/domains/){word}(?!\w)|(?<='){word}(?=')", "<it>", text)
    text = re.sub(r'"requestId":"[^"]*"', "", text)
    kept = {k: v for k, v in head.items() if k not in VOLATILE | {"content-length", "etag"}}
    return status, kept, text


def same(client, method, pattern, who, pairs, what, **more):
    """The hidden thing answers as the missing one."""
    for hidden, missing in pairs:
        answers = [plain(ask(client, method, pattern.replace("{it}", it), who, **more), [it])
                   for it in (hidden, missing)]
        check(answers[0] == answers[1], f"{what}: {method} {pattern} of '{hidden}'",
              f"\n  hidden  {answers[0]}\n  missing {answers[1]}")


def fill(row, it, kind):
    path = row["pattern"].replace(f"{{{kind}}}", it)
    return re.sub(r"\{(?!it)[^}]*\}", "nosuch", path)


class Hidden:
    """The guests web-1 and db-1, of which tokens for web-* see the first."""

    def __init__(self, client):
        self.client = client
        self.uuid = str(uuid.uuid4())
        for name, of in (("web-1", None), ("db-1", self.uuid)):
            status, _, text = ask(client, "POST", "/hosts/a/domains", "all", domain_xml(name, of))
            check(status == 201, f"{name} is defined", text)
        ask(client, "POST", "/hosts/a/domains/db-1/start", "all")
        self.id = json.loads(ask(client, "GET", "/hosts/a/domains/db-1", "all")[2])["id"]

    def pairs(self):
        return [("db-1", "db-0"), (self.uuid, str(uuid.uuid4())), (str(self.id), "7999")]

    def is_in(self, text):
        return [w for w in ("db-1", self.uuid) if w in text.decode()]


def check_rows_of_domains(client, table, hidden):
    n = 0
    for row in table:
        if "{domain}" not in row["pattern"]:
            continue
        n += 1
        headers = {}
        if row["gives"] == "websocket":
            headers = {"Connection": "Upgrade", "Upgrade": "websocket",
                       "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
        mark = "?wait=0" if row["gives"] == "events" else ""
        path = fill(row, "{it}", "domain")
        for who, prefix in (("web", "/hosts/a"), ("both", "/hosts/a"), ("bare", "/hosts/a")):
            same(client, row["method"], prefix + path + mark, who, hidden.pairs(),
                 row["operationId"], body=BODIES.get(row["operationId"]), headers=headers)
    check(n > 100, "rows of domains were asked", n)
    for by, (name, missing) in zip(("name", "uuid", "id"), hidden.pairs()):
        same(client, "GET", f"/hosts/a/domains/{{it}}?by={by}", "web", [(name, missing)], "by")
        same(client, "GET", f"/hosts/a/domains/{{it}}/xml?by={by}", "web", [(name, missing)], "by")
    same(client, "GET", "/hosts/a/domains/{it}?by=uuid", "web",
         [(hidden.uuid.replace("-", ""), uuid.uuid4().hex)], "a UUID without dashes")
    status, _, text = ask(client, "GET", "/hosts/a/domains/db-1", "web")
    seen = plain(ask(client, "GET", "/hosts/a/domains/web-0", "web"), ["web-0"])
    check(plain((status, _, text), ["db-1"]) == seen, "libvirt's own answer", f"{text} {seen}")
    for method, tail in (("PUT", "/xml"), ("DELETE", ""), ("POST", "/start")):
        same(client, method, "/hosts/a/domains/{it}" + tail, "web", hidden.pairs(), "If-Match",
             body=domain_xml("web-9") if method == "PUT" else None, headers={"If-Match": '"x"'})
    same(client, "HEAD", "/hosts/a/domains/{it}", "web", hidden.pairs(), "HEAD")
    status, _, text = ask(client, "GET", "/hosts/a/domains/db-1", "all")
    check(status == 200 and json.loads(text)["state"] == "running", "nothing befell it", text)


def check_rows_of_hosts(client, table):
    for row in table:
        if row["hosts"] in ("none", "every"):
            continue
        mark = "?wait=0" if row["gives"] == "events" else ""
        path = "/hosts/{it}" + re.sub(r"\{[^}]*\}", "nosuch", row["pattern"]) + mark
        for method in {row["method"], "GET", "DELETE"}:
            same(client, method, path, "a", [("b", "z")], row["operationId"])
        # who is not known learns nothing of a host, either
        same(client, row["method"], path, "nobody", [("b", "z")], row["operationId"])
        if "one" in row["hosts"]:
            status, _, text = ask(client, row["method"], path.replace("/hosts/{it}", ""), "a")
            check(status == 404 and b"no host 'default'" in text,
                  f"{row['operationId']} of the default host", f"{status} {text[:200]}")
    for path in ("/hosts/{it}", "/hosts/{it}/nosuch", "/metrics?host={it}",
                 "/operations?host={it}", "/events?host={it}&wait=0"):
        same(client, "GET", path, "a", [("b", "z")], "a host")
    got = [plain(ask(client, "POST", "/hosts/a/domains/web-1/migrate", "a",
                     {"destinationHost": host}), [f"'{host}'"]) for host in ("b", "z")]
    check(got[0] == got[1], "a migration to a hidden host", got)
    got = [plain(ask(client, "POST", "/tickets", "a", {"path": f"/hosts/{host}/events"}),
                 [f"/hosts/{host}"]) for host in ("b", "z")]
    check(got[0] == got[1], "a ticket for a hidden host", got)


def check_content(client, table, hidden):
    """Every read that names no guest, searched for the hidden one."""
    since = ask(client, "GET", "/hosts/a/domains", "all")[1]["x-virtgate-revision"]
    ask(client, "POST", "/hosts/a/domains/db-1/suspend", "all")
    ask(client, "POST", "/hosts/a/domains/db-1/resume", "all")
    ask(client, "POST", "/hosts/a/domains/web-1/start", "all")
    n = 0
    for row in table:
        if row["method"] != "GET" or "{domain}" in row["pattern"] or row["gives"] == "websocket":
            continue
        path = re.sub(r"\{[^}]*\}", "nosuch", row["pattern"])
        marks = [f"?wait=0&since={since}"] if row["gives"] == "events" else ["", "?view=full"]
        for prefix in ("", "/hosts/a", "/hosts/-"):
            for mark in marks:
                for fresh in ({}, {"Cache-Control": "no-cache"}):
                    n += 1
                    status, _, text = ask(client, "GET", prefix + path + mark, "web",
                                          headers=fresh)
                    check(not hidden.is_in(text), f"{prefix}{path}{mark} tells of nobody",
                          f"{status} {text[:400]}")
    check(n > 100, "reads were searched", n)
    events = json.loads(ask(client, "GET", f"/hosts/a/events?wait=0&since={since}", "web",
                            headers={"Accept": "application/json"})[2])
    check([e["domain"]["name"] for e in events["events"] if "domain" in e].count("web-1") > 0,
          "events of its own guests", events)
    for what in ("/hosts/a/domains", "/hosts/-/domains", "/hosts/a/domains?view=full",
                 "/hosts/a/domain-stats", "/hosts/a/domains?limit=1",
                 "/hosts/a/domains?state=active"):
        names = [d["name"] for d in json.loads(ask(client, "GET", what, "web")[2])["domains"]]
        check(set(names) == {"web-1"}, f"{what} has its own guests", names)
    for fresh in ({}, {"Cache-Control": "no-cache"}):
        for who, own in (("all", False), ("web", True), ("all", False)):
            hosts = json.loads(ask(client, "GET", "/hosts?view=full", who, headers=fresh)[2])["hosts"]
            total = [h["domains"]["total"] for h in hosts if h["host"] == "a"]
            check((total == [1]) == own, f"domains of a host as {who} may see them", hosts)
    status, _, text = ask(client, "GET", "/hosts/a/domains?limit=1", "web")
    check("next" not in json.loads(text), "no page of what it may not see", text)
    text = ask(client, "GET", "/metrics?host=a", "web")[2].decode()
    check('domain="web-1"' in text and re.search(r'libvirt_domains\{host="a"\} 1\n', text),
          "metrics of its own guests", re.findall("libvirt_domains.*", text))
    for body in ({"domains": ["db-1"]}, {"domains": ["web-1", hidden.uuid]}):
        missing = json.loads(json.dumps(body).replace("db-1", "db-0").replace(
            hidden.uuid, "11111111-2222-4333-8444-555555555555"))
        got = [plain(ask(client, "POST", "/hosts/a/domain-stats", "web", b),
                     ["db-1", "db-0", hidden.uuid, "11111111-2222-4333-8444-555555555555"])
               for b in (body, missing)]
        check(got[0] == got[1] and got[0][0] == 404, "statistics by name", got)


def check_memory(client):
    """What is kept for one is not given to another."""
    for path in ("/hosts/a/domains", "/hosts/a/domains?limit=5", "/hosts/a/domains?fields=name"):
        for order in (("all", "web", "a", "both"), ("both", "a", "web", "all")):
            for who in (*order, *order):
                names = {d["name"] for d in json.loads(ask(client, "GET", path, who)[2])["domains"]}
                check(("db-1" in names) == (who in ("all", "a")), f"{path} of {who}", names)
    keys = {"Idempotency-Key": "k1"}
    first = ask(client, "POST", "/hosts/a/domains", "all", domain_xml("db-2"), keys)
    other = ask(client, "POST", "/hosts/a/domains", "web", domain_xml("db-2"), keys)
    check(first[0] == 201 and other[0] == 403, "an answer that is kept", (first, other))
    ask(client, "DELETE", "/hosts/a/domains/db-2", "all")


def check_hosts(client):
    for who, names in (("a", ["a"]), ("kvm", []), ("all", ["default", "a", "b"])):
        hosts = [h["host"] for h in json.loads(ask(client, "GET", "/hosts", who)[2])["hosts"]]
        check(sorted(hosts) == sorted(names), f"hosts of {who}", hosts)
        listed = json.loads(ask(client, "GET", "/hosts/-/networks", who)[2])
        check({i["host"] for i in listed["networks"]} | {u["host"] for u in listed["unreachable"]}
              == set(names), f"all hosts of {who}", listed)
        ready = json.loads(ask(client, "GET", "/health/ready", who)[2])
        check(sorted(h["host"] for h in ready["hosts"]) == sorted(names), f"health of {who}", ready)
        text = ask(client, "GET", "/metrics", who)[2].decode()
        check(set(re.findall(r'host="([^"]*)"', text)) == set(names), f"metrics of {who}", "")
    ready = json.loads(client.send("GET", "/health/ready")[2])
    check(ready["status"] == "ready" and ready["hosts"] == [], "health of anybody", ready)
    watched = ask(client, "GET", "/events?host=-&wait=0", "a")
    check(watched[0] == 200 and b'"host":"b"' not in watched[2], "events of all hosts", watched)


def check_changes(client, hidden):
    """New names outside, and what would quote a hidden guest."""
    def refused(method, path, body):
        status, _, text = ask(client, method, path, "web", body)
        check(status == 403 and json.loads(text)["type"] == OUTSIDE, f"{method} {path} is outside",
              f"{status} {text}")

    refused("POST", "/hosts/a/domains", domain_xml("db-3"))
    refused("POST", "/hosts/a/domains", domain_xml("db-1"))
    refused("POST", "/hosts/a/domains?dryRun=true", domain_xml("db-1"))
    refused("POST", "/hosts/a/domains?transient=true", domain_xml("db-3"))
    refused("POST", "/hosts/a/domains", {"name": "db-3", "memoryMiB": 8})
    twice = domain_xml("web-3").replace(b"<memory>", b"<name>db-3</name><memory>")
    refused("POST", "/hosts/a/domains", twice)
    other = b"<domain type='test' xmlns:x='u:x'><x:name>web-3</x:name>" + domain_xml("db-3")[20:]
    refused("POST", "/hosts/a/domains", other)
    status, _, text = ask(client, "POST", "/hosts/a/domains", "web", domain_xml("web-3"))
    check(status == 201, "a guest of its own", text)
    refused("POST", "/hosts/a/domains/web-3/rename", {"name": "db-3"})
    refused("PATCH", "/hosts/a/domains/web-3", {"name": "db-1"})
    status, _, text = ask(client, "POST", "/hosts/a/domains", "web", domain_xml("web-4", hidden.uuid))
    check(status == 409 and b"db-1" not in text and b"outside" in text, "a UUID that is taken", text)
    smbios = re.sub(rb"<uuid>(.*)</uuid>", rb"<sysinfo type='smbios'><system><entry name='uuid'>"
                    rb"\1</entry></system></sysinfo>", domain_xml("web-4", hidden.uuid))
    status, _, text = ask(client, "POST", "/hosts/a/domains", "web", smbios)
    check(status == 409 and b"db-1" not in text and b"outside" in text, "it in an SMBIOS",
          text)
    check(ask(client, "DELETE", "/hosts/a/domains/web-3", "web")[0] == 204, "it is deleted")
    refused("POST", "/hosts/a/domains/web-1/migrate",
            {"destinationHost": "b", "params": {"destinationName": "db-3"}})
    status, _, text = ask(client, "POST", "/hosts/a/domains/web-1/migrate", "a",
                          {"destinationUri": "qemu+ssh://z/system"})
    check(status == 403 and json.loads(text)["type"] == OUTSIDE, "a URI of any host", text)


def check_files(client, hidden, folder):
    """Save images, and the operations that make them."""
    image, other = f"{folder}/image", f"{folder}/other"
    status, head, text = ask(client, "POST", "/hosts/a/domains/db-1/save", "all", {"file": image},
                             {"Prefer": "respond-async"})
    check(status in (202, 204), "it is saved", text)
    ask(client, "GET", "/operations?wait=5", "all")
    listed = json.loads(ask(client, "GET", "/operations", "all")[2])["operations"]
    ours = [o for o in listed if o["kind"] == "saveDomain" and "db-1" in o["path"]]
    check(bool(ours), "operations of it", listed)
    for who, sees in (("web", False), ("both", False), ("kvm", False), ("a", True)):
        text = ask(client, "GET", "/operations", who)[2]
        check(bool(hidden.is_in(text)) == sees, f"operations of {who}", text[:300])
        for op in ours:
            for method in ("GET", "DELETE"):
                status, _, text = ask(client, method, f"/operations/{op['id']}", who)
                gone = [op["id"].split("-")[0] + "-0", None]
                check((status in (404, 410)) == (not sees) and (sees or not hidden.is_in(text)),
                      f"{method} an operation by {who}", f"{status} {text[:300]} {gone}")
    got = [plain(ask(client, "GET", f"/hosts/a/save-images/xml?file={file}", "web"), [file])
           for file in (image, other)]
    check(got[0] == got[1] and got[0][0] == 404, "an image of a hidden guest", got)
    got = [plain(ask(client, "POST", "/hosts/a/save-images/restore", "web", {"file": file}), [file])
           for file in (image, other)]
    check(got[0] == got[1] and got[0][0] == 404, "it is not restored", got)
    status, _, text = ask(client, "POST", "/hosts/a/save-images/restore", "all", {"file": image})
    check(status == 204, "it is restored by who may", text)
    # libvirt's error quotes the guest that has its UUID by now
    own = json.loads(ask(client, "GET", "/hosts/a/domains/web-1", "web")[2])["uuid"]
    image = f"{folder}/own"
    status, _, text = ask(client, "POST", "/hosts/a/domains/web-1/save", "web", {"file": image})
    check(status == 204, "it is saved", text)
    ask(client, "DELETE", "/hosts/a/domains/web-1", "web")
    ask(client, "POST", "/hosts/a/domains?transient=true", "all", domain_xml("db-7", own))
    status, _, text = ask(client, "POST", "/hosts/a/save-images/restore", "all", {"file": image})
    check(status >= 400 and b"'db-7'" in text, "whose UUID is taken", text)
    status, _, text = ask(client, "POST", "/hosts/a/save-images/restore", "web", {"file": image})
    check(status >= 400 and b"db-7" not in text and b"outside of this token's scope" in text,
          "no error quotes a hidden guest", text)


def main():
    with tempfile.TemporaryDirectory(prefix="vg-scopes-") as folder:
        tokens = Path(folder, "tokens")
        tokens.touch(mode=0o600)
        tokens.write_text("".join(
            f"{name} admin {hashlib.sha256(name.encode()).hexdigest()} {scope}\n"
            for name, scope in SCOPES.items()), encoding="utf-8")
        gateway = Gateway("test:///default", "--host", "a=test:///default", "--host",
                          "b=test:///default", "--token-file", str(tokens), "--local-dir", folder,
                          "--failed-tokens", "0")
        client, table = Client(gateway.port), rows()
        hidden = Hidden(client)
        check_rows_of_domains(client, table, hidden)
        check_rows_of_hosts(client, table)
        check_content(client, table, hidden)
        check_memory(client)
        check_hosts(client)
        check_changes(client, hidden)
        check_files(client, hidden, folder)
        gateway.stop()
    return report()


if __name__ == "__main__":
    sys.exit(main())
