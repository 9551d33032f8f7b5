#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Behind real proxies: HAProxy's checks, nginx below a path, whose address is logged, and a
malformed Content-Length over TLS."""
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, free_port, report  # noqa: E402

HAPROXY = """
global
    stats socket {dir}/haproxy.sock mode 600
defaults
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 20s
frontend front
    bind 127.0.0.1:{port}
    default_backend virtgate
{backend} inter 100ms rise 1 fall 1
"""

NGINX = """
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_processes 1;
events {{}}
http {{
    access_log off;
    {map}
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f;
    uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    server {{
        listen 127.0.0.1:{port};
        {location}
        location / {{  # as nginx speaks by itself: HTTP/1.0
            proxy_pass http://127.0.0.1:{gateway};
        }}
    }}
}}
"""


def documented(language):
    """The samples of docs/deployment.md in that language."""
    text = Path("docs/deployment.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)```$", text, re.M | re.S)


def wait_for(what, seconds=60):
    """Whether it came true."""
    for _ in range(int(seconds * 20)):
        try:
            if what():
                return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


class Proxy:
    def __init__(self, folder, name, command, text, gateway, **values):
        self.port = free_port()
        file = Path(folder, name + ".conf")
        # what stands in the documents has the default port
        values = {k: v.replace("127.0.0.1:8080", f"127.0.0.1:{gateway}")
                  for k, v in values.items()}
        file.write_text(text.format(dir=folder, port=self.port, gateway=gateway, **values),
                        encoding="utf-8")
        self.process = subprocess.Popen([*command, str(file)], cwd=folder,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        check(wait_for(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close()
                       is None), f"{name} listens")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def logged(gateway, request_id):
    """The `client` of a request's line in the log."""
    line = re.compile(rf"client=(\S+) .*requestId={request_id}\b")

    def find():
        with open(gateway.log.name, encoding="utf-8") as f:
            return line.search(f.read())
    return find()[1] if wait_for(find) else None


def ask(gateway, port, path, headers, what):
    """The client that was logged for a GET."""
    ask.n += 1
    name = f"proxies-{ask.n}"
    status = Client(port).send("GET", path, headers={"X-Request-Id": name, **headers})[0]
    check(status == 200, f"{what}: GET {path}", status)
    return logged(gateway, name)


ask.n = 0


def test_haproxy(folder):
    """A check as HAProxy makes it by itself, in HTTP/1.0 and without Host, finds it up."""
    gateway = Gateway("test:///default", "--log-filters", "1:access", "--trusted-proxy",
                      "127.0.0.1")
    backend, = documented("haproxy")
    for check_line in ("GET /health/ready", "OPTIONS /", "HEAD /health/live"):
        proxy = Proxy(folder, "haproxy", ["haproxy", "-f"], HAPROXY, gateway.port,
                      backend=backend.rstrip().replace("GET /health/ready", check_line))
        client = Client(proxy.port)
        check(wait_for(lambda c=client: c.send("GET", "/domains")[0] == 200),
              f"HAProxy's own check: {check_line}")
        time.sleep(0.5)
        check(client.send("GET", "/domains")[0] == 200, f"it stays up: {check_line}")
        check(ask(gateway, proxy.port, "/domains", {}, "HAProxy") == "127.0.0.1",
              "the client is the peer of HAProxy")
        proxy.stop()
    gateway.stop()


def test_nginx(folder):
    gateway = Gateway("test:///default", "--path-prefix", "/virt", "--log-filters", "1:access",
                      "--trusted-proxy", "127.0.0.0/8")
    upgrade, location = documented("nginx")
    proxy = Proxy(folder, "nginx", ["nginx", "-e", f"{folder}/error.log", "-c"], NGINX,
                  gateway.port, map=upgrade, location=location)
    client = Client(proxy.port)
    check(client.send("GET", "/virt/domains")[0] == 200, "nginx: GET")
    check(client.send("GET", "/domains")[0] == 404, "nginx: outside the prefix")
    status, headers, _ = client.send("POST", "/virt/domains/test/snapshots", b"{}")
    place = headers.get("Location", "")
    check(status == 201 and client.send("GET", place)[0] == 200, "nginx: Location", place)
    chunks = {"Transfer-Encoding": "chunked"}
    client.http.putrequest("POST", "/virt/domains/test/reset")
    client.http.putheader("Transfer-Encoding", "chunked")
    client.http.endheaders()
    client.http.send(b"0\r\n\r\n")
    status = client.http.getresponse().status
    check(status == 204, f"nginx: an empty body in chunks {chunks}", status)
    for said, seen in (("198.51.100.7", "198.51.100.7"), ("6.6.6.6, 198.51.100.7", "198.51.100.7"),
                       ("198.51.100.7, 127.0.0.9", "198.51.100.7"), ("nonsense", "127.0.0.1")):
        found = ask(gateway, proxy.port, "/virt/domains", {"X-Forwarded-For": said}, "nginx")
        check(found == seen, f"nginx after a proxy that says {said}", found)
    proxy.stop()
    gateway.stop()


def test_clients():
    """Who is believed, whatever is said."""
    xff, forwarded = "X-Forwarded-For", "Forwarded"
    rows = [  # trusted, headers, client
        ([], {xff: "192.0.2.1"}, "127.0.0.1"),
        ([], {forwarded: "for=192.0.2.1"}, "127.0.0.1"),
        (["10.0.0.0/8"], {xff: "192.0.2.1"}, "127.0.0.1"),
        (["127.0.0.1"], {}, "127.0.0.1"),
        (["127.0.0.1"], {xff: "192.0.2.1"}, "192.0.2.1"),
        (["127.0.0.1"], {xff: "2001:DB8::1"}, "2001:db8::1"),
        (["127.0.0.1"], {xff: "::ffff:192.0.2.1"}, "192.0.2.1"),
        (["127.0.0.1"], {xff: "192.0.2.1:4711"}, "192.0.2.1"),
        (["127.0.0.1"], {xff: "[2001:db8::1]:4711"}, "2001:db8::1"),
        (["127.0.0.1"], {xff: "6.6.6.6,192.0.2.1"}, "192.0.2.1"),
        (["127.0.0.1"], {xff: "6.6.6.6, unknown"}, "127.0.0.1"),
        (["127.0.0.1"], {xff: "6.6.6.6, unix"}, "127.0.0.1"),
        (["127.0.0.1"], {xff: "6.6.6.6,"}, "127.0.0.1"),
        (["127.0.0.1"], {xff: ""}, "127.0.0.1"),
        (["127.0.0.1", "10.0.0.0/8"], {xff: "6.6.6.6, 192.0.2.1, 10.1.1.1, 10.2.2.2"},
         "192.0.2.1"),
        (["127.0.0.1", "10.0.0.0/8"], {xff: "10.1.1.1, 10.2.2.2"}, "10.1.1.1"),
        (["127.0.0.1", "10.0.0.0/8"], {xff: "_hidden, 10.2.2.2"}, "10.2.2.2"),
        (["127.0.0.1"], {forwarded: "for=192.0.2.1"}, "192.0.2.1"),
        (["127.0.0.1"], {forwarded: 'For="[2001:db8::1]:4711"; proto=http;by=10.0.0.1'},
         "2001:db8::1"),
        (["127.0.0.1"], {forwarded: "for=6.6.6.6, proto=https; for=192.0.2.1;host=x"},
         "192.0.2.1"),
        (["127.0.0.1"], {forwarded: 'for="6.6.6.6, for=192.0.2.1'}, "192.0.2.1"),
        # what a stranger sent as Host, quoted by the proxy
        (["127.0.0.1"], {forwarded: 'host="a;for=6.6.6.6;b";for=192.0.2.1'}, "127.0.0.1"),
        (["127.0.0.1"], {forwarded: 'for=192.0.2.1;host="a, for=6.6.6.6;b"'}, "127.0.0.1"),
        (["127.0.0.1"], {forwarded: r'for=192.0.2.1;host="a\", for=6.6.6.6;b=\""'}, "127.0.0.1"),
        (["127.0.0.1"], {forwarded: 'for=192.0.2.1;host="a:80"'}, "192.0.2.1"),
        (["127.0.0.1"], {forwarded: "for=_hidden"}, "127.0.0.1"),
        (["127.0.0.1"], {forwarded: "by=192.0.2.1"}, "127.0.0.1"),
        (["127.0.0.1"], {xff: "192.0.2.1", forwarded: "for=192.0.2.1"}, "192.0.2.1"),
        # the proxy writes one of them, the other is a stranger's
        (["127.0.0.1"], {xff: "192.0.2.1", forwarded: "for=6.6.6.6"}, "127.0.0.1"),
    ]
    for trusted in sorted({tuple(row[0]) for row in rows}):
        options = [word for proxy in trusted for word in ("--trusted-proxy", proxy)]
        gateway = Gateway("test:///default", "--log-filters", "1:access", *options)
        for row in rows:
            if tuple(row[0]) == trusted:
                found = ask(gateway, gateway.port, "/domains", row[1], "a client")
                check(found == row[2], f"trusted {trusted}: {row[1]}", found)
        gateway.stop()


def test_unix(folder):
    """A unix socket's peer is `unix`, and may be a trusted proxy by that name."""
    for options, client in (([], "unix"), (["--trusted-proxy", "unix"], "192.0.2.1")):
        path = f"{folder}/gateway.sock"
        gateway = Gateway("test:///default", "--log-filters", "1:access",
                          "--listen", f"unix:{path}", *options)
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(path)
        s.sendall(b"GET /domains HTTP/1.1\r\nHost: any.example\r\nX-Request-Id: by-unix\r\n"
                  b"X-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n")
        check(s.recv(4096).startswith(b"HTTP/1.1 200"), "GET by the unix socket")
        s.close()
        check(logged(gateway, "by-unix") == client, f"the client with {options}")
        gateway.stop()


def test_tls(folder):
    """A Content-Length that is no number gets at most one answer."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", "key.pem", "-out", "cert.pem"], cwd=folder, check=True,
                   stderr=subprocess.DEVNULL)
    Path(folder, "key.pem").chmod(0o600)
    log = Path(folder, "tls.log")
    port = free_port()
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen(["build/virtgate" if "VIRTGATE_BIN" not in os.environ
                                    else os.environ["VIRTGATE_BIN"], "-c", "test:///default",
                                    "-l", f"127.0.0.1:{port}", "--tls-cert", f"{folder}/cert.pem",
                                    "--tls-key", f"{folder}/key.pem"], stderr=out)
    context = ssl.create_default_context(cafile=f"{folder}/cert.pem")
    context.check_hostname = False

    def answer(fields):
        with socket.create_connection(("127.0.0.1", port), 10) as plain, \
                context.wrap_socket(plain) as s:
            s.sendall(("POST /domains/test/reset HTTP/1.1\r\nHost: localhost\r\n"
                       f"{fields}\r\n\r\n").encode())
            got = b""
            try:
                while piece := s.recv(65536):
                    got += piece
            except OSError:  # cut
                pass
            return got
    check(wait_for(lambda: b" 204 " in answer("Connection: close")), "TLS is spoken")
    for fields in ("Content-Length: x", "Content-Length: 2, 2", "Content-Length: -1",
                   "Content-Length: 99999999999999999999", "A: b\r\n c", ": b", "A: b\0c"):
        got = answer(fields)
        check(len(re.findall(rb"HTTP/1\.1 \d", got)) <= 1 and b" 200 " not in got,
              f"TLS: {fields!r}", got)
    process.terminate()
    check(process.wait(30) == 0, "the gateway with TLS ends well")


def main():
    with tempfile.TemporaryDirectory(prefix="vg-proxies-") as folder:
        test_clients()
        test_unix(folder)
        test_tls(folder)
        test_haproxy(folder)
        test_nginx(folder)
    report()


main()
