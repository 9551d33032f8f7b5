#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes imported from URLs into a pool of a real libvirtd, from a real HTTP server on loopback:
what is allowed, what is packed, what breaks, what never ends, what is cancelled. Whatever failed
leaves no volume.
"""
import gzip
import hashlib
import http.server
import lzma
import os
import random
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, exchange, report  # noqa: E402

VOLUMES = "/storage-pools/imports/volumes"
RAW = random.Random(16).randbytes((3 << 20) + 12345)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked, self.breaks = files, [], {}
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """The client's going is no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        """Nowhere."""

    def redirect(self, where, status=302):
        self.send_response(status)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def redirect_slowly(self, where):
        """Its body comes late, if it comes."""
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "100")
        self.end_headers()
        time.sleep(1)

    def endless(self):
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(bytes(1 << 20))

    def slow(self):
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 30))
        self.end_headers()
        self.wfile.write(bytes(70000))
        self.wfile.flush()
        time.sleep(20)

    def trickle(self):
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 30))
        self.end_headers()
        while True:
            self.wfile.write(bytes(100000))
            self.wfile.flush()
            time.sleep(0.05)

    def do_GET(self):
        server, name = self.server, self.path.lstrip("/").split("?")[0]
        server.asked.append((name, self.headers.get("Range"), self.headers.get("If-Range")))
        if name.startswith("to/"):
            return self.redirect(f"http://127.0.0.1:{server.port}/{name[3:]}")
        if name.startswith("late/"):
            return self.redirect_slowly("../raw?a b")
        if name == "late-file":
            return self.redirect_slowly("file:///etc/hostname")
        if name.startswith("elsewhere/"):
            return self.redirect(f"http://localhost:{server.port}/secret")
        if name == "loop":
            return self.redirect("/loop", 307)
        if name == "file-scheme":
            return self.redirect("file:///etc/hostname")
        if name in ("endless", "slow", "trickle"):
            return getattr(self, name)()
        data = server.files.get(name.removeprefix("no-range-").removeprefix("changing-"))
        if data is None:
            self.send_error(404)
            return None
        return self.send(name, data)

    def send(self, name, data):
        """One that breaks sends so much, then closes."""
        tag = '"' + hashlib.md5(data).hexdigest() + '"'
        n = len(self.server.asked) if name.startswith("changing-") else ""
        start, ranged = 0, self.headers.get("Range")
        if ranged and not name.startswith("no-range-"):
            if self.headers.get("If-Range") in (None, tag):
                start = int(ranged.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("ETag", tag[:-1] + f'{n}"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        times = self.server.breaks.get(name, 0)
        if times:
            self.server.breaks[name] = times - 1
            self.wfile.write(data[start:start + 700000])
            self.close_connection = True
            return
        self.wfile.write(data[start:])


def send(client, method, path, body=None, headers=None):
    status, _, answer = exchange(client, method, path, body, headers)
    return status, answer


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Imports:
    def __init__(self, client, server, folder):
        self.client, self.server, self.folder, self.n = client, server, Path(folder), 0

    def url(self, name, host="127.0.0.1", scheme="http"):
        return f"{scheme}://{host}:{self.server.port}/{name}"

    def post(self, source, headers=None, **more):
        self.n += 1
        name = f"v{self.n}"
        source = {"insecure": True, **source} if "sha256" not in source else source
        status, answer = send(self.client, "POST", VOLUMES,
                              {"name": name, "import": source, **more}, headers)
        return status, answer, self.folder / name

    def refused(self, what, slug, status, source, **more):
        got, problem, path = self.post(source, **more)
        check(got == status and problem["type"].endswith(":" + slug), what, (got, problem))
        listed = [v["name"] for v in send(self.client, "GET", VOLUMES)[1]["volumes"]]
        check(not path.exists() and path.name not in listed, f"{what}: it leaves no volume")
        return problem

    def taken(self, what, source, data, **more):
        status, answer, path = self.post(source, **more)
        if check(status == 201, what, answer):
            check(path.read_bytes() == data, f"{what}: byte for byte")
        return answer


def check_plain(imports):
    files = imports.server.files
    made = imports.taken("an image", {"url": imports.url("raw"), "sha256": digest(RAW)}, RAW)
    check(made["capacityBytes"] == len(RAW) and made["format"] == "raw", "its figures", made)
    for name in ("raw.gz", "raw.xz", "raw.zst"):
        made = imports.taken(name, {"url": imports.url(name), "sha256": digest(files[name])}, RAW)
        check(made["capacityBytes"] == len(RAW), f"{name}: its size is what was unpacked", made)
    imports.taken("packed, as it is", {"url": imports.url("raw.gz"), "unpack": False},
                  files["raw.gz"])
    imports.taken("an empty one", {"url": imports.url("empty")}, b"")
    made = imports.taken("a capacity", {"url": imports.url("raw")}, RAW + bytes((8 << 20) - len(RAW)),
                         capacityMiB=8)
    check(made["capacityBytes"] == 8 << 20, "is what was asked for", made)
    imports.taken("a redirection to what is allowed", {"url": imports.url("to/raw")}, RAW)
    imports.taken("one whose body comes late", {"url": imports.url("late/x")}, RAW)


def check_qcow2(imports):
    files = imports.server.files
    for name in ("image", "image.xz"):
        status, made, path = imports.post({"url": imports.url(name)})
        check(status == 201 and made["format"] == "qcow2" and made["capacityBytes"] == 64 << 20,
              f"{name} is a qcow2 volume", made)
        check(path.read_bytes()[:len(files["image"])] == files["image"], f"{name}: its bytes")
    status, made, path = imports.post({"url": imports.url("image")}, capacityMiB=80)
    check(status == 201 and made["capacityBytes"] == 80 << 20, "it is made larger", made)
    imports.refused("a smaller capacity", "invalid-value", 400, {"url": imports.url("image")},
                    capacityMiB=1)
    imports.refused("an image with a backing file", "invalid-value", 400,
                    {"url": imports.url("backed")})
    imports.refused("an image with a data file", "invalid-value", 400, {"url": imports.url("split")})
    imports.refused("another format", "invalid-value", 400, {"url": imports.url("raw")},
                    format="qcow2")


def check_refused(imports):
    url = imports.url
    imports.refused("another path", "import-not-allowed", 403,
                    {"url": f"http://localhost:{imports.server.port}/other"})
    for what, text in (("another host", "http://127.0.0.2/raw"), ("another port", "http://127.0.0.1/raw"),
                       ("another scheme", url("raw", scheme="https")),
                       ("a number", url("raw", "2130706434"))):
        imports.refused(what, "import-not-allowed", 403, {"url": text})
    for text in ("file:///etc/hostname", "ftp://127.0.0.1/x"):
        check(imports.post({"url": text})[0] in (400, 403), f"{text} is refused")
    for text in ("raw", url("a/%2e%2e/raw"), f"http://me:secret@127.0.0.1:{imports.server.port}/raw"):
        imports.refused(f"{text}", "invalid-value", 400, {"url": text})
    asked = len(imports.server.asked)
    imports.refused("a name that leads to loopback", "import-not-allowed", 403,
                    {"url": url("secret", "localhost")})
    check(len(imports.server.asked) == asked, "nobody was asked")
    imports.refused("a redirection to such a name", "import-not-allowed", 403,
                    {"url": url("elsewhere/x")})
    check(imports.server.asked[-1][0] == "elsewhere/x", "and that name was not asked")
    for name in ("file-scheme", "late-file"):
        check(imports.post({"url": url(name)})[0] in (400, 403), "a redirection to a file", name)
    imports.refused("redirections without end", "import-failed", 502, {"url": url("loop")})
    imports.refused("a 404", "import-failed", 502, {"url": url("nothing")})
    imports.refused("a wrong digest", "digest-mismatch", 400,
                    {"url": url("raw"), "sha256": digest(b"")})
    imports.refused("a wrong digest of what is packed", "digest-mismatch", 400,
                    {"url": url("raw.xz"), "sha256": digest(RAW)})
    imports.refused("no digest at all", "invalid-value", 400, {"url": url("raw"), "insecure": False})
    imports.refused("no digest", "invalid-value", 400, {"url": url("raw"), "sha256": "12"})
    imports.refused("what is packed ends early", "import-failed", 502, {"url": url("cut.xz")})
    imports.refused("more than its capacity", "beyond-capacity", 413, {"url": url("raw")},
                    capacityMiB=1)
    imports.refused("an endless body", "beyond-capacity", 413, {"url": url("endless")},
                    capacityMiB=16)
    imports.refused("an endless packed body", "beyond-capacity", 413, {"url": url("bomb.gz")},
                    capacityMiB=16)
    imports.refused("a server that stalls", "deadline-exceeded", 504, {"url": url("slow")})


def check_breaks(imports):
    server = imports.server
    for name, what in (("raw", "goes on"), ("no-range-raw", "begins again, and passes over"),
                       ("raw.gz", "goes on in what is packed")):
        server.breaks[name] = 3
        server.asked.clear()
        imports.taken(f"a connection that breaks: {what}",
                      {"url": imports.url(name), "sha256": digest(server.files[name[9:] if
                       name.startswith("no") else name])}, RAW)
        check(len(server.asked) == 4 and server.asked[1][1] == "bytes=700000-" and
              server.asked[1][2], "Range and If-Range", server.asked)
    server.breaks["changing-raw"] = 1
    problem = imports.refused("it is another one after the break", "import-failed", 502,
                              {"url": imports.url("changing-raw"), "sha256": digest(RAW)})
    check("ETag" in problem["detail"], "which is said", problem)


def check_operation(imports):
    status, operation, path = imports.post({"url": imports.url("trickle")},
                                           {"Prefer": "respond-async"})
    check(status == 202, "an import is an operation", operation)
    at = f"/operations/{operation['id']}"
    for _ in range(600):
        operation = send(imports.client, "GET", at)[1]
        if operation.get("progress", {}).get("bytes"):
            break
        time.sleep(0.1)
    check(operation["progress"]["totalBytes"] == 1 << 30 and operation["progress"]["bytes"] > 0,
          "it has its progress", operation)
    status, problem = send(imports.client, "DELETE", f"{VOLUMES}/{path.name}")
    check(status == 409, "its volume is in use", problem)
    check(send(imports.client, "DELETE", at)[0] in (200, 202, 204), "it is cancelled")
    operation = send(imports.client, "GET", at + "?wait=20")[1]
    check(operation["state"] == "cancelled", "and has ended so", operation)
    check(not path.exists(), "without a volume")


def check_turns(imports):
    """One transfer at a time: the second import waits for the first, long work does not."""
    source = {"url": imports.url("trickle")}
    first, second = [imports.post(source, {"Prefer": "respond-async"})[1] for _ in range(2)]

    def bytes_of(operation):
        shown = send(imports.client, "GET", f"/operations/{operation['id']}")[1]
        return shown.get("progress", {}).get("bytes", 0)

    def wait_for_bytes(operation):
        until = time.monotonic() + 60
        while not bytes_of(operation) and time.monotonic() < until:
            time.sleep(0.1)
        return bytes_of(operation)

    check(wait_for_bytes(first), "the first moves")
    status, _ = send(imports.client, "POST", VOLUMES, {"name": "beside", "capacityMiB": 1})
    check(status == 201, "what is no transfer does not wait for one", status)
    check(not bytes_of(second), "the second waits for its turn")
    send(imports.client, "DELETE", f"/operations/{first['id']}")
    check(wait_for_bytes(second), "which comes")
    send(imports.client, "DELETE", f"/operations/{second['id']}")
    shown = send(imports.client, "GET", f"/operations/{second['id']}?wait=20")[1]
    check(shown["state"] == "cancelled", "and it is cancelled", shown)


def check_tls(imports, folder):
    """A certificate that nobody vouches for."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key",
                    "-out", f"{folder}/crt"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/crt", f"{folder}/key")
    server = Server({"raw": RAW})
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


def make_files(folder):
    at = Path(folder)
    (at / "raw").write_bytes(RAW)
    subprocess.run(["zstd", "-q", at / "raw"], check=True)

    def image(name, *options):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, at / name, "64M"],
                       check=True)
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 1M", at / name], check=True,
                       capture_output=True)
        return (at / name).read_bytes()

    plain = image("image")
    packed = lzma.compress(RAW)
    return {"raw": RAW, "raw.gz": gzip.compress(RAW), "raw.xz": packed, "empty": b"",
            "cut.xz": packed[:1 << 20], "raw.zst": (at / "raw.zst").read_bytes(),
            "bomb.gz": gzip.compress(bytes(64 << 20)), "image": plain, "image.xz": lzma.compress(plain),
            "backed": image("backed", "-b", "image", "-F", "qcow2"),
            "split": image("split", "-o", f"data_file={at}/data"), "secret": b"secret"}


def main():
    uri = os.environ["VG_QEMU_URI"]
    folder = str(Path(uri.split("socket=")[1]).parents[1] / "imports")
    with tempfile.TemporaryDirectory(prefix="virtgate-test-") as own:
        server = Server(make_files(own))
        tls = check_tls(None, own)
        gateway = Gateway(uri, "--transfer-deadline", "8",
                          "--import-from", f"http://127.0.0.1:{server.port}/*",
                          "--import-from", f"http://localhost:{server.port}/secret",
                          "--import-from", f"https://127.0.0.1:{tls.port}/*")
        client = Client(gateway.port)
        made = send(client, "POST", "/storage-pools",
                    {"name": "imports", "path": folder, "build": True, "start": True})
        check(made[0] == 201, "a pool", made)
        imports = Imports(client, server, folder)
        check_plain(imports)
        check_qcow2(imports)
        check_refused(imports)
        imports.refused("a certificate that nobody vouches for", "import-failed", 502,
                        {"url": f"https://127.0.0.1:{tls.port}/raw"})
        check_breaks(imports)
        check_operation(imports)
        gateway.stop()

        gateway = Gateway(uri, "--transfers", "1", "--operations", "4",
                          "--import-from", f"http://127.0.0.1:{server.port}/*")
        imports.client = client = Client(gateway.port)
        check_turns(imports)
        gateway.stop()

        gateway = Gateway(uri, "--import-from", f"http://localhost:{server.port}/*",
                          "--import-network", "127.0.0.0/8", "--import-network", "::1")
        imports.client = client = Client(gateway.port)
        imports.taken("a name whose network is allowed",
                      {"url": imports.url("secret", "localhost")}, b"secret")
        gateway.stop()

        gateway = Gateway(uri)
        imports.client = client = Client(gateway.port)
        imports.refused("without --import-from", "import-not-allowed", 403,
                        {"url": imports.url("raw")})
        for volume in send(client, "GET", VOLUMES)[1]["volumes"]:
            send(client, "DELETE", f"{VOLUMES}/{volume['name']}")
        for action in ("destroy", "delete-data"):
            send(client, "POST", f"/storage-pools/imports/{action}")
        check(send(client, "DELETE", "/storage-pools/imports")[0] == 204, "undefined")
        gateway.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return report()


if __name__ == "__main__":
    sys.exit(main())
