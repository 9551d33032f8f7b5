#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every row of the route tables, by every role: what it needs decides, and nothing else.

The roles are those of the contract, written down here once more. A 403 names the permission that
is missing, and who has all that a row needs is never refused for a lack of one.
"""
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

ROLES = ("viewer", "operator", "admin")
OPERATOR = {f"domain:{p}" for p in (
    "start stop reset suspend hibernate pm_control init_control inject_nmi send_input send_signal "
    "set_time fs_freeze fs_trim screenshot snapshot checkpoint write save").split()}
OPERATOR |= {f"{kind}:{p}" for kind in ("network", "storage_pool")
             for p in "start stop refresh write save".split()}
FORBIDDEN = "urn:virtgate:error:forbidden"


def has(role, permission):
    kind, what = permission.split(":")
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


def check_row(client, row, role):
    name, needs = row["operationId"], row["permissions"]
    headers = {"Authorization": f"Bearer {role}"} if role else {}
    status, _, body = client.send(row["method"], target(row), headers=headers)
    if not needs:
        check(status not in (401, 403), f"{name} is public", f"{role}: {status}")
        return
    if role is None:
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


def main():
    with tempfile.TemporaryDirectory(prefix="vg-permissions-") as folder:
        tokens = Path(folder, "tokens")
        tokens.touch(mode=0o600)
        tokens.write_text("".join(
            f"{r} {r} {hashlib.sha256(r.encode()).hexdigest()}\n" for r in ROLES),
            encoding="utf-8")
        gateway = Gateway("test:///default", "--token-file", str(tokens))
        client = Client(gateway.port)
        table = rows()
        check(len(table) > 150, "rows were asked", str(len(table)))
        for row in table:
            for role in (None, *ROLES):
                check_row(client, row, role)
        check_asked(client)
        gateway.stop()
    return report()


if __name__ == "__main__":
    sys.exit(main())
