#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`virtgate token`: tokens come and go by command while a gateway runs, by many at once, and the file
stays whole, its owner's, and closed to others."""
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

BIN = os.environ.get("VIRTGATE_BIN", "build/virtgate")


def token(*words, file=None, env=None):
    """(status, stdout, stderr)."""
    options = ["--token-file", str(file)] if file else []
    done = subprocess.run([BIN, "token", *words, *options], capture_output=True, text=True,
                          check=False, timeout=30, env={"PATH": "/usr/bin:/bin", **(env or {})})
    return done.returncode, done.stdout, done.stderr


def expect(wanted, text, *words, **more):
    status, out, err = token(*words, **more)
    check(status == wanted and text in out + err, f"token {' '.join(words)}",
          f"is {status}: {out}{err}")
    return out.strip()


def test_usage(file):
    expect(0, "virtgate token create NAME ROLE", "--help")
    expect(2, "the commands are create, list and revoke")
    expect(2, "the commands are create, list and revoke", "make", "a", file=file)
    expect(2, "create takes a NAME and a ROLE", "create", "a", file=file)
    expect(2, "a NAME is 1 to 63 visible", "create", "a b", "viewer", file=file)
    expect(2, "a NAME is 1 to 63 visible", "create", "#a", "viewer", file=file)
    expect(2, "revoke takes a NAME", "revoke", file=file)
    expect(2, "list takes no word", "list", "a", file=file)
    expect(2, "bogus", "list", "--bogus", file=file)
    expect(1, "which file?", "list")
    for words, text in ((("boss",), "the role is none of"),
                        (("viewer", "--allow", "x:y"), "'x:y' is no permission"),
                        (("viewer", "--deny", ""), "deny= is a list of permissions"),
                        (("viewer", "--hosts", "a,,b"), "hosts= is a list of globs"),
                        (("viewer", "--domains", "a b"), "expected NAME ROLE SHA256"),
                        (("viewer", "--domains", "a\nb viewer x"), "token: "),
                        (("viewer", "--expires", "soon"), "--expires is like"),
                        (("viewer", "--expires", "2020-01-01T00:00:00Z"), "is in the past"),
                        (("viewer", "--expires", "2030-01-01"), "the expiry is not like")):
        expect(1, text, "create", "a", *words, file=file)
    check(not file.exists(), "nothing was made")


def test_file(file):
    """What the file is afterwards."""
    secret = expect(0, "is shown this once", "create", "ci", "operator", "--expires", "90d",
                    "--deny", "domain:stop", file=file)
    check(len(secret) == 43, "256 bits", secret)
    check(stat.S_IMODE(file.stat().st_mode) == 0o600, "0600", oct(file.stat().st_mode))
    check(secret not in file.read_text(encoding="ascii"), "the token is nowhere")
    expect(1, "there is a token `ci` already", "create", "ci", "viewer", file=file)
    with open(file, "a", encoding="ascii") as f:
        f.write("# of the web team")  # without a line's end
    file.chmod(0o640)
    expect(0, "", "create", "web", "admin", "--domains", "web-*,db", file=file)
    text = file.read_text(encoding="ascii")
    check("# of the web team\nweb admin " in text and text.endswith(" domains=web-*,db\n"),
          "other lines stay", text)
    check(stat.S_IMODE(file.stat().st_mode) == 0o640, "its mode, too", oct(file.stat().st_mode))
    out = expect(0, "", "list", file=file)
    check("domains=web-*,db" in out and "deny=domain:stop" in out and out.count("\n") == 1, "list", out)
    link = file.with_name("link")
    link.symlink_to(file)
    expect(0, "", "revoke", "web", file=link)
    check(link.is_symlink() and "web admin" not in file.read_text(encoding="ascii"),
          "a link stays one")
    config = file.with_name("config")
    config.write_text(f"token-file = {file}\n", encoding="ascii")
    expect(0, "ci", "list", "--config", str(config))
    expect(0, "ci", "list", env={"VIRTGATE_TOKEN_FILE": str(file)})
    expect(0, "ci", "list", env={"VIRTGATE_CONFIG": str(config)})
    config.write_text("connect = test:///default\n", encoding="ascii")
    expect(1, "it names no token-file", "list", "--config", str(config))
    expect(1, "has no token `nobody`", "revoke", "nobody", file=file)
    file.chmod(0o666)
    expect(1, "world-writable", "create", "x", "viewer", file=file)
    file.chmod(0o600)
    check(sorted(p.name for p in file.parent.iterdir()) == ["config", "link", "tokens"],
          "no file is left behind", str(list(file.parent.iterdir())))


def test_at_once(file):
    """Nobody's token is lost."""
    threads = [threading.Thread(target=token, args=("create", f"t{i}", "viewer"),
                                kwargs={"file": file}) for i in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out = expect(0, "", "list", file=file)
    check(all(f"t{i} " in out for i in range(24)), "24 tokens made at once", out)
    for i in range(24):
        token("revoke", f"t{i}", file=file)


def status_of(client, secret, wanted):
    """The status of a GET, once it is that; in five seconds it has to be."""
    for _ in range(50):
        status = client.send("GET", "/domains", headers={"Authorization": f"Bearer {secret}"})[0]
        if status == wanted:
            break
        time.sleep(0.1)
    return status


def test_gateway(file):
    """A gateway that runs has no other token, and loses the last one, too."""
    gateway = Gateway("test:///default", "--token-file", str(file), "--failed-tokens", "0")
    client = Client(gateway.port)
    secret = expect(0, "", "create", "new", "viewer", file=file)
    check(status_of(client, secret, 200) == 200, "a new token is good at once")
    expect(0, "", "revoke", "ci", file=file)
    expect(0, "", "revoke", "new", file=file)
    check(status_of(client, secret, 401) == 401, "the last one ends as others do")
    expect(0, "expired", "list", file=file)
    again = expect(0, "", "create", "new", "viewer", file=file)
    check(again != secret and status_of(client, again, 200) == 200, "its name may be taken again")
    check(status_of(client, secret, 401) == 401, "the old one is none")
    gateway.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="vg-tokens-") as folder:
        file = Path(folder, "tokens")
        test_usage(file)
        test_file(file)
        test_at_once(file)
        test_gateway(file)
    report()


main()
