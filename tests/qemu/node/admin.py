#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""/admin on a libvirtd of its own: TLS files read again, the same facts as virt-admin tells, a
daemon without room for clients, one that hangs, one that is started again."""
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
sys.path.insert(0, str(ROOT / "tests/qemu"))
from differential import check_all_read  # noqa: E402
from gateway import Client, Gateway, check, record, report  # noqa: E402

DAEMON = str(ROOT / "tests/qemu/libvirtd.sh")
SERVER = "/admin/servers/libvirtd"
ENVIRONMENT = {**os.environ, "LC_ALL": "C"}

CERTIFICATES = r"""
cd "$1"
new() { openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" \
  -out "$1.csr" -subj "/CN=$1"; }
new ca
openssl x509 -req -in ca.csr -signkey ca.key -days 2 -out ca.pem \
  -extfile /dev/stdin <<<basicConstraints=critical,CA:true
for name in first second; do
  new $name
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out $name.pem \
    -extfile /dev/stdin <<<subjectAltName=IP:127.0.0.1
done
"""


def run(*command):
    return subprocess.run(command, env=ENVIRONMENT, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


def daemon(verb, *args):
    return subprocess.run([DAEMON, verb, *args], check=True, text=True, stdout=subprocess.PIPE,
                          env=ENVIRONMENT).stdout


class Asker:
    """Asks the gateway, and records what the API's description is held against."""

    def __init__(self, port):
        self.client = Client(port)

    def ask(self, method, path, body=None):
        text = None if body is None else json.dumps(body).encode()
        status, headers, answer = self.client.send(method, path, text)
        shown = json.loads(answer) if answer else None
        record(method, path, status, {k.lower(): v for k, v in headers.items()}, shown)
        return status, shown

    def get(self, path):
        status, shown = self.ask("GET", path)
        check(status == 200, f"GET {path}", f"{status} {shown}")
        return shown


# ---- TLS ------------------------------------------------------------------------------------------

# libvirt reads the files again from their default places alone: the daemon gets an /etc of its own.
OWN_ETC = r"""
cp -a /etc "$1/own"; mkdir -p "$1/own/pki/CA" "$1/own/pki/libvirt/private"
mount --bind "$1/own" /etc; mount --bind "$1/d/etc" /etc/libvirt
cp "$1/ca.pem" /etc/pki/CA/cacert.pem
"""
USE = r"""
cp "$1/$2.pem" /etc/pki/libvirt/servercert.pem; cp "$1/$2.key" /etc/pki/libvirt/private/serverkey.pem
"""


def inside(script, *args):
    daemon("exec", "bash", "-ec", script, "sh", *args)


def begin_tls(folder, port):
    inside(OWN_ETC, folder)
    inside(USE, folder, "first")
    with open(f"{folder}/d/etc/libvirtd.conf", "a", encoding="utf-8") as f:
        f.write(f'listen_tls = 1\nlisten_addr = "127.0.0.1"\ntls_port = "{port}"\n')
    ENVIRONMENT["VG_LIBVIRTD_ARGS"] = "--listen"
    daemon("restart")


def served_name(port):
    """The name in the certificate that the daemon shows, from where it is."""
    out = daemon("exec", "sh", "-c", f"openssl s_client -connect 127.0.0.1:{port} </dev/null 2>&1 "
                 "| openssl x509 -noout -subject 2>&1 || true")
    return re.sub(r".*CN ?= ?", "", out.strip())


def check_tls(asker, folder, port):
    path = SERVER + "/reload-tls"
    check(served_name(port) == "first", "the daemon shows its certificate", served_name(port))
    inside(USE, folder, "second")
    status, problem = asker.ask("POST", path)
    check(status == 204, "TLS files are read again", f"{status} {problem}")
    check(served_name(port) == "second", "the daemon shows the new one", served_name(port))
    inside("echo nothing >/etc/pki/libvirt/servercert.pem")
    status, problem = asker.ask("POST", path)
    check(status == 409 and not problem["retryable"] and "outcome" not in problem and
          "code" in problem["error"], "files that are no certificates", f"{status} {problem}")
    check(served_name(port) == "second", "the daemon keeps what it has", served_name(port))
    inside(USE, folder, "second")


# ---- virt-admin -----------------------------------------------------------------------------------

# Names in JSON of what virt-admin calls otherwise.
INFO = {"id": "id", "transport": "transport", "readonly": "readonly", "unix_user_id": "unixUserId",
        "unix_user_name": "unixUserName", "unix_group_id": "unixGroupId",
        "unix_group_name": "unixGroupName", "unix_process_id": "unixProcessId"}


def pairs(text):
    return dict(re.findall(r"^(\S+)\s*: (.*?)\s*$", text, re.MULTILINE))


def camel(name):
    return re.sub(r"_(\w)", lambda m: m[1].upper(), name)


def settled(theirs, mine):
    """What virt-admin tells, and what the gateway tells: of a time when nothing changed between. The
    gateway's own connections come and go, and the daemon's workers with what it is asked."""
    for _ in range(60):
        before, here, after = theirs(), mine(), theirs()
        if before == after:
            break
        time.sleep(0.2)
    return after, here


def by_pages(asker):
    pages, after = [], ""
    while after is not None:
        page = asker.get(f"{SERVER}/clients?fields=id&limit=1{after}")
        pages += page["clients"]
        after = f"&after={page['next']}" if "next" in page else None
    return pages


def compare(asker, uri):
    def tool(*args):
        return run("virt-admin", "-c", uri, *args)

    check(asker.get("/admin")["uri"] == uri, "the URI", str(asker.get("/admin")))
    names = re.findall(r"^ \d+ +(\S+)", tool("srv-list"), re.MULTILINE)
    shown = [s["name"] for s in asker.get("/admin/servers")["servers"]]
    check(shown == sorted(names) and shown, "servers", f"{shown} {names}")
    daemon_says = re.search(r"daemon: (\S+)", tool("version"))
    check(daemon_says and asker.get("/admin/version")["daemon"]["version"] == daemon_says[1],
          "the daemon's version", f"{asker.get('/admin/version')} {daemon_says}")
    for name in names:
        shown = asker.get(f"/admin/servers/{name}")
        check(sorted(shown) == ["clientLimits", "name", "threadpool"] and shown["name"] == name and
              shown["threadpool"]["maxWorkers"] ==
              asker.get(f"/admin/servers/{name}/threadpool")["maxWorkers"], f"server {name}", shown)
        for path, command in (("threadpool", "srv-threadpool-info"),
                              ("client-limits", "srv-clients-info")):
            def figures(asked=name, command=command):  # virt-admin is a client itself
                return {camel(k): v for k, v in pairs(tool(command, asked)).items()
                        if camel(k) not in ("nclients", "freeWorkers")}

            theirs, mine = settled(figures, lambda at=f"/admin/servers/{name}/{path}": {
                k: str(v) for k, v in asker.get(at).items() if k not in ("nclients", "freeWorkers")})
            check(mine == theirs and mine, f"{name} {path}", f"{mine} {theirs}")
    listed, (clients, pages) = settled(
        lambda: {m[0]: m[1] for m in re.findall(r"^ (\d+) +(\w+) +\d", tool("client-list", "libvirtd"),
                                                re.MULTILINE)},
        lambda: (asker.get(SERVER + "/clients")["clients"], by_pages(asker)))
    check({str(c["id"]): c["transport"] for c in clients} == listed and listed, "clients",
          f"{clients} {listed}")
    check([c["id"] for c in pages] == [c["id"] for c in clients], "clients, page by page", str(pages))
    for number in listed:
        theirs = pairs(tool("client-info", "libvirtd", number))
        theirs["readonly"] = {"yes": "True", "no": "False"}.get(theirs.get("readonly", ""))
        mine = asker.get(f"{SERVER}/clients/{number}")
        for key, name in INFO.items():
            check(str(mine.get(name)) == theirs.get(key), f"client {number} {key}",
                  f"{mine} {theirs}")
        check(time.strftime("%Y-%m-%d %H:%M:%S+0000", time.gmtime(mine["connectedAtSeconds"])) ==
              theirs.get("connection_time"), f"client {number} since", f"{mine} {theirs}")
        check(mine["connectedAt"] == time.strftime(
            "%Y-%m-%dT%H:%M:%SZ", time.gmtime(mine["connectedAtSeconds"])), "as RFC 3339")
    asker.ask("PUT", "/admin/logging/filters", {"filters": "3:vg_this"})
    text = tool("daemon-log-filters")
    check("vg_this" in text and asker.get("/admin/logging")["filters"].strip() in text,
          "filters", text)
    outputs = asker.get("/admin/logging")["outputs"]
    check(outputs.strip() in tool("daemon-log-outputs"), "outputs", outputs)
    for target, command in ((f"{SERVER}/threadpool", "srv-threadpool-set"),
                            (f"{SERVER}/client-limits", "srv-clients-set")):
        option, key = (("--max-workers", "maxWorkers") if "pool" in target else
                       ("--max-clients", "nclientsMax"))
        tool(command, "libvirtd", option, "321")
        check(asker.get(target)[key] == 321, f"what {command} set", str(asker.get(target)))


# ---- a daemon in trouble --------------------------------------------------------------------------

def until(what, test, seconds=60):
    end = time.time() + seconds
    while not test() and time.time() < end:
        time.sleep(0.1)
    check(test(), what)


def check_no_room(asker, uri, admin_uri):
    """A gateway that finds no room at the daemon makes some, by the admin socket."""
    taken = len(asker.get(SERVER + "/clients")["clients"])
    status, shown = asker.ask("PATCH", SERVER + "/client-limits",
                              {"nclientsMax": taken, "nclientsUnauthMax": 1})
    check(status == 200, "no room for more", f"{status} {shown}")
    late = Gateway("test:///default", "--host", f"late={uri}", "--admin-uri", f"late={admin_uri}")
    asker = Asker(late.port)
    status, shown = asker.ask("GET", "/hosts/late/domains")
    check(status in (503, 504), "there is no room", f"{status} {shown}")
    status, shown = asker.ask("PATCH", f"/hosts/late{SERVER}/client-limits",
                              {"nclientsMax": 100, "nclientsUnauthMax": 20})
    check(status == 200, "/admin works all the same", f"{status} {shown}")
    until("then the host is reached", lambda: asker.ask("GET", "/hosts/late/domains")[0] == 200)
    late.stop()


def check_hang(gateway):
    """What waits for a daemon that hangs is answered in time, and holds up nobody."""
    asker = Asker(gateway.port)
    asker.get("/admin/servers")
    daemon("freeze")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(
        Asker(gateway.port).ask("GET", "/admin/servers?view=full"))) for _ in range(3)]
    try:
        for t in threads:
            t.start()
        time.sleep(0.5)
        status, _ = Asker(gateway.port).ask("GET", "/hosts/mock/domains")
        check(status == 200, "another host is asked meanwhile", status)
        status, _ = Asker(gateway.port).ask("GET", "/hosts/mock/admin")
        check(status == 501, "its /admin, too", status)
    finally:
        for t in threads:
            t.join(60)
        daemon("thaw")
    check(len(answers) == 3 and all(status == 504 for status, _ in answers), "a daemon that hangs",
          str(answers))
    until("it is asked again", lambda: asker.ask("GET", "/admin/servers")[0] == 200)
    daemon("kill")
    status, problem = asker.ask("GET", "/admin/servers")
    check(status == 503 and problem["type"].endswith(":host-unreachable"), "a daemon that is gone",
          f"{status} {problem}")
    daemon("up")
    status, problem = asker.ask("GET", "/admin/servers")
    check(status == 200, "a daemon that is back", f"{status} {problem}")


def main():
    port = 20000 + os.getpid() % 20000
    with tempfile.TemporaryDirectory(prefix="vg-adm.") as folder:
        os.chmod(folder, 0o755)
        subprocess.run(["bash", "-ec", CERTIFICATES, "sh", folder], check=True,
                       stderr=subprocess.DEVNULL)
        ENVIRONMENT["VG_LIBVIRTD_DIR"] = f"{folder}/d"
        uri = daemon("start").strip()
        admin_uri = f"libvirtd:///system?socket={folder}/d/sock/libvirt-admin-sock"
        try:
            begin_tls(folder, port)
            gateway = Gateway(uri, "--host", "mock=test:///default", "--read-deadline", "4")
            asker = Asker(gateway.port)
            check_tls(asker, folder, port)
            compare(asker, admin_uri)
            check_no_room(asker, uri, admin_uri)
            check_hang(gateway)
            check_all_read("/admin")
            gateway.stop()
        finally:
            daemon("stop")
    report()


if __name__ == "__main__":
    main()
