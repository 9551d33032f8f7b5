#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every row of the route tables, by every role, by tokens that add to one, take from it or narrow
it, by tickets, client certificates, processes on a unix socket and those whom such a process names:
what it needs decides, and nothing else.

The roles are those of the contract, written down here once more. A 403 names the permission that
is missing, and who has all that a row needs is never refused for a lack of one.
"""
import hashlib
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
from description import resolve  # noqa: E402
from gateway import Client, Gateway, OtherClient, check, report, unix_client  # noqa: E402
from tls_files import make_authority  # noqa: E402

ROLES = ("viewer", "operator", "admin")
OPERATOR = {f"domain:{p}" for p in (
    "start stop reset suspend hibernate pm_control init_control inject_nmi send_input send_signal "
    "set_time fs_freeze fs_trim screenshot snapshot checkpoint write save").split()}
OPERATOR |= {f"{kind}:{p}" for kind in ("network", "storage_pool")
             for p in "start stop refresh write save".split()}
FORBIDDEN = "urn:virtgate:error:forbidden"


# A token's line beside its name, its role and its hash: what it adds, what it takes.
LINES = {
    "allow": ("viewer", "allow=domain:start,domain:open_device", {"domain:start", "domain:open_device"}, set()),
    "deny": ("admin", "deny=domain:read,network:start,gateway:document", set(),
             {"domain:read", "network:start", "gateway:document"}),
    "both": ("operator", "2100-01-01T00:00:00Z allow=domain:delete deny=domain:delete,domain:stop",
             set(), {"domain:delete", "domain:stop"}),
    "guests": ("admin", "domains=te*,nosuch allow=network:start deny=domain:stop", {"network:start"},
               {"domain:stop"}),
    "hosts": ("operator", "hosts=def*", set(), set()),
    **{name: ("admin", f"deny={permission}", set(), {permission}) for name, permission in (
        ("documents", "gateway:document"), ("paths", "gateway:path"),
        ("secrets", "domain:read_secure"))},
}
SCOPES = {"guests": {"hosts": ["*"], "domains": ["te*", "nosuch"]},
          "hosts": {"hosts": ["def*"], "domains": ["*"]}}


def has(role, permission):
    kind, what = permission.split(":")
    if role in LINES:
        base, keys, adds, takes = LINES[role]
        # with domains= other kinds are for looking at
        own = has(base, permission) and ("domains=" not in keys or kind == "domain" or
                                         has("viewer", permission))
        return permission not in takes and (permission in adds or own)
    if role == "admin":
        return True
    if kind != "daemon" and (what in ("getattr", "read") or what.startswith("search_")):
        return True
    return role == "operator" and permission in OPERATOR


def rows():
    out = subprocess.run([os.environ.get("VIRTGATE_BIN", "build/virtgate"), "--dump-routes"],
                         check=True, text=True, capture_output=True, timeout=20).stdout
    return [json.loads(line) for line in out.splitlines()]


def target(row):
    """Of an object that is not there: whoever may is told so, or nothing happens."""
    path = re.sub(r"\{[^}]*\}", "nosuch", row["pattern"])
    return path + ("?wait=0" if row["gives"] == "events" else "")


def check_why(client):
    """A 403 says where deny= or domains= is why, and /whoami who it is."""
    for role, method, path, text in (
            ("deny", "GET", "/domains/test/xml", "deny= of the token takes it"),
            ("viewer", "POST", "/domains/test/suspend", "the role 'viewer' lacks it, 'operator' has it"),
            ("allow", "POST", "/domains/test/suspend",
             "the role 'viewer' and allow= of the token lack it, 'operator' has it")):
        status, _, body = client.send(method, path, headers={"Authorization": f"Bearer {role}"})
        check(status == 403 and text in json.loads(body)["detail"], f"{role}: {path}",
              f"{status} {body[:300]}")
    for role in (*ROLES, *LINES):
        status, _, who = client.get("/whoami", {"Authorization": f"Bearer {role}"})
        check(status == 200 and who["name"] == role and who["via"] == "token" and
              all(has(role, p) for p in who["permissions"]) and
              who["role"] == LINES.get(role, (role,))[0] and
              who["scope"] == SCOPES.get(role, {"hosts": ["*"], "domains": ["*"]}) and
              who["expiresAt"] == ("2100-01-01T00:00:00Z" if role == "both" else None),
              f"whoami of {role}", f"{status} {who}")
        check(set(LINES[role][2] if role in LINES else {"domain:read"}) <= set(who["permissions"]),
              f"{role} has what is its own", str(who))


def check_row(client, row, role, token=True, named=None):
    name, needs = row["operationId"], row["permissions"]
    headers = {"Authorization": f"Bearer {role}"} if role and token else named or {}
    status, _, body = client.send(row["method"], target(row), headers=headers)
    if not needs:
        check(status not in (401, 403), f"{name} is public", f"{role}: {status}")
        return
    if role in (None, "expired"):
        check(status == 401, f"{name} without a token", f"is {status}")
        return
    lacks = [p for p in needs if not has(role, p)]
    problem = json.loads(body) if status == 403 else {}
    if not lacks:
        check(status != 403, f"{name} by {role}", f"is {status}: {body[:300]}")
        return
    check(status == 403 and problem.get("type") == FORBIDDEN and
          problem.get("permission") in lacks and problem["permission"] in problem["detail"],
          f"{name} by {role}, who lacks {lacks}", f"is {status}: {body[:300]}")


def check_asked(client):
    """What arguments need beside their rows."""
    for method, path, permission in (
            ("GET", "/domains/test/xml?flags=secure", "domain:read_secure"),
            ("GET", "/connection/domain-capabilities?emulator=/x", "gateway:path"),
            ("GET", "/events?object=qemu-monitor&wait=0", "connect:write"),
            ("POST", "/domains/test/snapshots?flags=disk-only", "gateway:path")):
        status, _, body = client.send(method, path, headers={"Authorization": "Bearer operator"})
        problem = json.loads(body)
        check(status == 403 and problem.get("permission") == permission,
              f"{method} {path} needs {permission}", f"{status} {body[:300]}")


class Described:
    """openapi.json: what the operations take."""

    def __init__(self, client):
        self.document = client.get("/openapi.json")[2]

    def resolve(self, node):
        return resolve(self.document, node)

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if isinstance(operation, dict) and operation.get("x-virtgate-permissions"):
                    yield method.upper(), path, operation

    def texts(self, schema, above=()):
        """Where a document stands as a text: the names that lead to it."""
        schema = self.resolve(schema)
        for part in (p for key in ("oneOf", "anyOf", "allOf") for p in schema.get(key, ())):
            yield from self.texts(part, above)
        if schema.get("contentMediaType") == "application/xml":
            yield above
        for name, part in schema.get("properties", {}).items():
            yield from self.texts(part, (*above, name))

    def bodies(self, content):
        """Bodies with a document, each with as much beside it as an example has, or as is needed."""
        examples = [e["value"] for e in content.get("examples", {}).values()] or \
            [content.get("example", {})]
        needed = self.resolve(content["schema"]).get("required", ())
        for names in set(self.texts(content["schema"])):
            for example in examples:
                for kept in (example, {k: example[k] for k in needed if k in example}):
                    body = at = json.loads(json.dumps(kept))
                    for name in names[:-1]:
                        at = at.setdefault(name, {})
                    at[names[-1]] = "<domain/>"
                    yield names, json.dumps(body).encode()

    def shows_secrets(self, operation, item):
        for p in map(self.resolve, operation.get("parameters", []) + item.get("parameters", [])):
            if p["name"] == "flags":
                flags = self.resolve(self.resolve(p["schema"]).get("items", {})).get("enum", ())
                yield from {"secure", "migratable"} & set(flags) if "secure" in flags else ()


def check_documents(client):
    """Whoever lacks gateway:document sends no definition in any form, whoever lacks
    domain:read_secure sees no password, and nobody without gateway:path names a file."""
    described, n = Described(client), {"documents": 0, "secrets": 0}

    def refused(who, method, path, body=None):
        status, _, text = client.send(method, path, body, {"Authorization": f"Bearer {who}"})
        return status == 403 and json.loads(text).get("permission") in LINES[who][3], \
            f"{method} {path} {body}: {status} {text[:300]}"

    for method, path, operation in described.operations():
        name, url = operation["operationId"], path.replace("{domain}", "test")
        url = re.sub(r"\{[^}]*\}", "nosuch", url)
        content = described.resolve(operation.get("requestBody", {})).get("content", {})
        tried = {}
        for names, body in described.bodies(content["application/json"]) \
                if "application/json" in content else ():
            tried.setdefault(names, []).append(refused("documents", method, url, body))
        for names, answers in tried.items():
            n["documents"] += 1
            check(any(ok for ok, _ in answers),
                  f"{name}: '{'.'.join(names)}' needs gateway:document", answers)
        for flag in described.shows_secrets(operation, described.document["paths"][path]):
            n["secrets"] += 1
            more = "file=/x&" * (name == "getSaveImageXml") + "view=config&" * (name == "getDomain")
            ok, answer = refused("secrets", method, f"{url}?{more}flags={flag}")
            check(ok, f"{name}: '{flag}' needs domain:read_secure", answer)
    check(n["documents"] > 25 and n["secrets"] > 5, "documents and secrets were asked for", n)
    for method, path, body in (
            ("POST", "/domains/test/disks/vda/rebase", {"base": "/x", "flags": ["copy"]}),
            ("POST", "/domains/test/migrate", {"destinationUri": "qemu+tls://x/system",
                                               "params": {"migrateUri": "unix:/x"}}),
            ("POST", "/domains/test/migrate", {"destinationUri": "qemu+tls://x/system",
                                               "params": {"disksUri": "UNIX:///x"}}),
            *(("POST", "/domains/test/migrate", {"destinationUri": uri}) for uri in (
                "test+unix:///x?socket=/y", "qemu+tls://x/system?pkipath=y",
                "qemu+ssh://x/system?keyfile=%2fy"))):
        ok, answer = refused("paths", method, path, json.dumps(body).encode())
        check(ok, "a file of the host is named", answer)


def check_statistics(client):
    """libvirt gives statistics of those domains alone that the caller may read."""
    path, named = "/domains/test", b'{"domains":["test"]}'
    for who, reads in (("viewer", True), ("deny", False)):
        token = {"Authorization": f"Bearer {who}"}
        listed = client.get("/domain-stats", token)[2]["domains"]
        check(bool(listed) == reads, f"statistics of all for {who}", listed)
        text = client.send("GET", "/metrics", headers=token)[2].decode()
        check(('domain="test"' in text) == reads, f"metrics of domains for {who}")
        for method, tail, body in (("GET", f"{path}/stats", None), ("GET", f"{path}/history", None),
                                   ("POST", "/domain-stats", named)):
            status, _, text = client.send(method, tail, body, token)
            lacks = json.loads(text).get("permission")
            check((status, lacks) == ((200, None) if reads else (403, "domain:read")),
                  f"{method} {tail} of {who}", f"{status} {text[:200]}")


def check_tickets(table, client):
    """A ticket opens what its token may open, and nothing that is no stream."""
    post, = (row for row in table if row["operationId"] == "createTicket")
    sessions = [row for row in table if row["gives"] in ("events", "websocket")]
    check(len(sessions) > 8, "rows with tickets", str(len(sessions)))

    def ask(role, path):
        return client.send("POST", "/tickets", json.dumps({"path": path}).encode(),
                           {"Authorization": f"Bearer {role}"})

    for role in (*ROLES, *LINES, "expired"):
        for row in sessions:
            url = target(row)
            path = url.partition("?")[0]
            status, _, body = ask(role, path)
            lacks = [p for p in {*post["permissions"], *row["permissions"]} if not has(role, p)] \
                if role != "expired" else []
            wanted = 401 if role == "expired" else 403 if lacks else 201
            check(status == wanted, f"a ticket of {role} for {path}: {wanted}", f"{status} {body}")
            if status == 403:
                check(json.loads(body)["permission"] in lacks, f"{role} lacks {lacks}", body)
            if status != 201:
                continue
            ticket = json.loads(body)["ticket"]
            with_ticket = client.send("GET", f"{url}{'&' if '?' in url else '?'}ticket={ticket}")[0]
            own = client.send("GET", url, headers={"Authorization": f"Bearer {role}"})[0]
            check(with_ticket == own, f"{url} with a ticket of {role}", f"{with_ticket}, not {own}")
    ticket = json.loads(ask("admin", "/events")[2])["ticket"]
    for row in table:
        if row not in sessions and row["permissions"]:
            url = target(row) + f"?ticket={ticket}"
            check(client.send(row["method"], url)[0] == 401, f"{row['method']} {url} takes none")


def check_named(table, folder):
    """Callers whom a process on the socket names, whose role is the most that they have."""
    path, uid = f"{folder}/named", os.geteuid()
    for most in ("operator", "admin"):
        gateway = Gateway("test:///default", "--listen", f"unix:{path}", "--unix-role",
                          f"uid:{uid}={most}", "--trust-header", "X-User", "--trust-role-header",
                          "X-Role")
        client = unix_client(path)
        for row in table:
            check_row(client, row, None)
            for role in ROLES:
                has_role = min(role, most, key=ROLES.index)
                check_row(client, row, has_role, False, {"X-User": "ann", "X-Role": role})
        gateway.stop()


def check_other(table, client, role, what):
    """A client that is known without a token; its role."""
    for row in table:
        check_row(client, row, role, token=False)
    if role:
        _, _, who = client.get("/whoami")
        check(who["role"] == role and who["via"] == what, f"whoami of a {what}", str(who))


def check_connections(table, folder):
    """Roles by certificate and by socket, beside a token file and without one."""
    if not check(make_authority(folder, server="/CN=server", viewer="/CN=team-viewer",
                                operator="/CN=ops-1", stranger="/CN=stranger"),
                 "certificates are made"):
        return
    tls = ("--tls-cert", f"{folder}/server.pem", "--tls-key", f"{folder}/server.key",
           "--tls-client-ca", f"{folder}/ca.pem", "--tls-client-role", "team-*=viewer",
           "--tls-client-role", "ops-?=operator", "--tls-client-role", "team-viewer=admin")
    path = f"{folder}/socket"

    def certified(port, name):
        context = ssl.create_default_context(cafile=f"{folder}/ca.pem")
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
        return OtherClient(lambda: http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=30, context=context))

    uid = os.geteuid()
    for options in ((), ("--token-file", f"{folder}/tokens")):
        gateway = TlsGateway("test:///default", "--listen", f"unix:{path}", *tls,
                             "--unix-role", f"uid:{uid + 1}=viewer",
                             "--unix-role", f"uid:{uid}=operator",
                             "--unix-role", f"gid:{os.getegid()}=admin", *options)
        for name in ("viewer", "operator"):
            check_other(table, certified(gateway.port, name), name, "certificate")
        check_other(table, certified(gateway.port, "stranger"), None, "certificate")
        check_other(table, unix_client(path), "operator", "socket")
        if options:
            client = unix_client(path)
            for row in table:
                check_row(client, row, "allow")
            client = certified(gateway.port, "stranger")
            for row in table:
                check_row(client, row, "deny")
            status, _, who = client.get("/whoami", {"Authorization": "Bearer deny"})
            check(who["via"] == "token" and who["name"] == "deny" and who["expiresAt"],
                  "a token comes first, and ends with the certificate", f"{status} {who}")
        gateway.stop()
    gateway = Gateway("test:///default", "--listen", f"unix:{path}", "--unix-role",
                      f"uid:{uid + 1}=admin")
    for client in (Client(gateway.port), unix_client(path)):
        check_other(table, client, None, "socket")
    gateway.stop()


class TlsGateway(Gateway):
    """Waits for its port alone: /health/ready needs a certificate's connection here."""

    def is_ready(self):
        return True


def main():
    with tempfile.TemporaryDirectory(prefix="vg-permissions-") as folder:
        tokens = Path(folder, "tokens")
        tokens.touch(mode=0o600)
        tokens.write_text("".join(
            f"{r} {r} {hashlib.sha256(r.encode()).hexdigest()}\n" for r in ROLES) + "".join(
            f"{n} {role} {hashlib.sha256(n.encode()).hexdigest()} {keys}\n"
            for n, (role, keys, *_) in LINES.items()) +
            f"expired admin {hashlib.sha256(b'expired').hexdigest()} 2020-01-01T00:00:00Z\n",
            encoding="utf-8")
        gateway = Gateway("test:///default", "--token-file", str(tokens), "--failed-tokens", "0")
        client = Client(gateway.port)
        table = rows()
        check(len(table) > 150, "rows were asked", str(len(table)))
        for row in table:
            for role in (None, "expired", *ROLES, *LINES):
                check_row(client, row, role)
        check_asked(client)
        check_documents(client)
        check_statistics(client)
        check_why(client)
        check_tickets(table, client)
        gateway.stop()
        check_connections(table, folder)
        check_named(table, folder)
    return report()


if __name__ == "__main__":
    sys.exit(main())
