#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Client certificates: whose name is whose, when one expires, whose session is taken up again, and
the unix socket, where there are none."""
import hashlib
import http.client
import itertools
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Gateway, check, report  # noqa: E402
from tls_files import make_authority, shell  # noqa: E402

PATIENCE = 60
LONG = "ä" * 40  # 80 bytes, of which a name has 63
NUL = "admin!evil"  # of which the mark becomes a NUL byte

SHORT = r"""
cd "$1"; exec 2>>openssl.log; : >index; echo 0a >serial
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout short.key \
  -out short.csr -subj /CN=short
openssl ca -batch -in short.csr -cert ca.pem -keyfile ca.key -out short.pem -notext -outdir . \
  -startdate 20200101000000Z -enddate "$2" -md sha256 -config /dev/stdin <<'C'
[ca]
default_ca = it
[it]
database = index
serial = serial
policy = any
unique_subject = no
[any]
commonName = supplied
C
chmod 600 short.key
"""


def parts(der):
    """The three of a certificate: what is signed, how, the signature."""
    def element(at):
        n, head = der[at + 1], 2
        if n & 128:
            head += n & 127
            n = int.from_bytes(der[at + 2:at + head], "big")
        return at + head, at + head + n
    at, end = element(0)
    found = []
    while at < end:
        to = element(at)[1]
        found.append(der[at:to])
        at = to
    return found


def wrap(tag, data):
    size = len(data).to_bytes(2, "big")
    return bytes([tag, 0x82]) + size + data


def put_nul(folder):
    """No tool writes such a name: it is put in, and signed again."""
    pem = Path(folder, "nul.pem")
    signed, how, _ = parts(ssl.PEM_cert_to_DER_cert(pem.read_text(encoding="ascii")))
    signed = signed.replace(NUL.encode(), NUL.replace("!", "\0").encode())
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", f"{folder}/ca.key"],
                               input=signed, capture_output=True, check=True).stdout
    der = wrap(0x30, signed + how + wrap(0x03, b"\0" + signature))
    pem.write_text(ssl.DER_cert_to_PEM_cert(der), encoding="ascii")


def client_context(folder, name):
    context = ssl.create_default_context(cafile=f"{folder}/ca.pem")
    # Python 3.13 asks for more of a CA than a test's has.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if name:
        context.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
    return context


class Caller:
    def __init__(self, port, folder, name):
        context = client_context(folder, name)
        self.http = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE,
                                                context=context)

    def send(self, method, path, headers=None):
        self.http.request(method, path, headers=headers or {})
        answer = self.http.getresponse()
        return answer.status, answer.read()


class TlsGateway(Gateway):
    """Waits for its port alone: /health/ready needs a certificate's connection here."""

    def __init__(self, folder, *options):
        self.log = tempfile.NamedTemporaryFile(prefix="vg-test-", suffix=".log")
        command = [*os.environ.get("VG_WRAP", "").split(),
                   os.environ.get("VIRTGATE_BIN", "build/virtgate"), "--connect",
                   "test:///default", "--listen", "127.0.0.1:0", "--tls-cert",
                   f"{folder}/server.pem", "--tls-key", f"{folder}/server.key",
                   "--tls-client-ca", f"{folder}/ca.pem", *options]
        self.process = subprocess.Popen(command, stderr=self.log, stdout=self.log)
        self.port = None
        for _ in range(PATIENCE * 20):
            found = re.search(r"listening.*127\.0\.0\.1:(\d+)", self.text())
            if found:
                self.port = int(found[1])
                break
            time.sleep(0.05)

    def text(self):
        with open(self.log.name, encoding="utf-8") as f:
            return f.read()

    def logs(self, text):
        for _ in range(PATIENCE * 20):
            if text in self.text():
                return True
            time.sleep(0.05)
        return False


def test_names(gateway, folder):
    for name, principal in (("one", "principal=twin "), ("long", f'principal="{"ä" * 31}" ')):
        status, body = Caller(gateway.port, folder, name).send("GET", "/version")
        check(status == 200, f"the certificate {name}", f"{status} {body}")
        check(gateway.logs(principal), f"its name: {principal}", gateway.text()[-600:])
    status, body = Caller(gateway.port, folder, "nul").send("GET", "/version")
    check(status == 200, "a certificate with a NUL byte in its name", f"{status} {body}")
    check(gateway.logs("principal=") and not re.search(r'principal="?admin', gateway.text()),
          "is nobody else's", gateway.text()[-600:])


def test_twins(gateway, folder):
    """Of one common name, but not of one subject."""
    one, two = (Caller(gateway.port, folder, name) for name in ("one", "two"))
    key = {"Idempotency-Key": "k"}
    check(one.send("POST", "/domains/test/suspend", key)[0] == 204, "it takes effect")
    check(one.send("POST", "/domains/test/suspend", key)[0] == 204, "once")
    status, body = two.send("POST", "/domains/test/suspend", key)
    check(status == 409, "another subject's key is another key", f"{status} {body}")
    one.send("POST", "/domains/test/resume")


def while_it_lasts(folder, use):
    """What `use` returns for a certificate that expires in a moment, but after that: a busy machine
    is given one that lasts longer."""
    for seconds in (6, 12, 24, 40):
        end = int(time.time()) + seconds
        if not check(shell(SHORT, folder, time.strftime("%Y%m%d%H%M%SZ", time.gmtime(end))),
                     "a certificate that lasts for seconds"):
            print(Path(folder, "openssl.log").read_text(encoding="utf-8"))
            return None
        try:
            used = use()
        except (ssl.SSLError, OSError, http.client.HTTPException) as e:
            used = str(e)
        if time.time() < end - 1:
            break
    return used


def test_expiry(gateway, folder):
    def use():
        kept, stream = (Caller(gateway.port, folder, "short") for _ in range(2))
        status = kept.send("GET", "/version")[0]
        stream.http.request("GET", "/events", headers={"Accept": "text/event-stream"})
        return kept, stream, status, stream.http.getresponse()

    kept, _, status, answer = while_it_lasts(folder, use)
    check(status == 200, "it is good", status)
    check(answer.status == 200, "and opens a stream", answer.status)
    reader = threading.Thread(target=answer.read, daemon=True)
    reader.start()
    reader.join(PATIENCE)
    check(not reader.is_alive(), "which ends when it expires")
    status, body = kept.send("GET", "/version")
    check(status == 401, "and so do its rights on an open connection", f"{status} {body}")


def ask_unix(path, token):
    """The status of GET /domains."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        head = f"Authorization: Bearer {token}\r\n" if token else ""
        s.sendall(f"GET /domains HTTP/1.1\r\nHost: localhost\r\n{head}"
                  "Connection: close\r\n\r\n".encode())
        data = b""
        try:
            while piece := s.recv(65536):
                data += piece
        except ConnectionResetError as e:
            print(e, data)
    body = data.partition(b"\r\n\r\n")[2]
    return int(data.split()[1]), json.loads(body)


def ask_tls(gateway, context, session):
    """The status of GET /version on a connection of its own; whether it took up the session; its
    own one, or None."""
    with context.wrap_socket(socket.create_connection(("127.0.0.1", gateway.port), PATIENCE),
                             server_hostname="127.0.0.1", session=session) as s:
        s.sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        data = b""
        while piece := s.recv(65536):
            data += piece
        return int(data.split()[1]), s.session_reused, s.session


def test_resumed(gateway, folder):
    """A client that comes again is spared the handshake, and is who it was, no more."""
    versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    for version, (name, wanted) in itertools.product(versions, (("one", 200), (None, 401))):
        what = f"{version.name}, certificate {name}"
        context = client_context(folder, name)
        context.minimum_version = context.maximum_version = version
        session = None
        for again in (False, True, True):
            status, resumed, session = ask_tls(gateway, context, session)
            check(status == wanted and resumed == again, f"{what}: {status}, again {resumed}")
        other = TlsGateway(folder)
        status, resumed, _ = ask_tls(other, context, session)
        check(status == wanted and not resumed, f"{what}: another gateway has another key")
        other.stop()


def test_resumed_expiry(gateway, folder):
    """A session does not outlive its certificate."""
    def use():
        context = client_context(folder, "short")
        return context, ask_tls(gateway, context, None)

    context, (status, _, session) = while_it_lasts(folder, use)
    check(status == 200, "it is good", status)
    for _ in range(PATIENCE * 2):
        status, resumed, _ = ask_tls(gateway, context, session)
        if status != 200:
            break
        time.sleep(0.5)
    check(status == 401, f"a session of an expired certificate: {status}, again {resumed}")


def test_unix(folder):
    """There is no TLS: the token alone counts, or the right to open the socket."""
    tokens, path = f"{folder}/tokens", f"{folder}/socket"
    with open(os.open(tokens, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
        f.write(f"t viewer {hashlib.sha256(b'token').hexdigest()}\n")
    gateway = TlsGateway(folder, "--listen", f"unix:{path}")
    check(ask_unix(path, None)[0] == 200, "who may open the socket may do all")
    gateway.stop()
    gateway = TlsGateway(folder, "--listen", f"unix:{path}", "--token-file", tokens)
    check(ask_unix(path, "token")[0] == 200, "a token is enough on the socket")
    status, body = ask_unix(path, None)
    check(status == 401 and "Bearer TOKEN" in body["detail"], "and is needed there",
          f"{status} {body}")
    check(ask_unix(path, "other")[0] == 401, "a right one")
    gateway.stop()


def shown(port, folder):
    """The certificate that the gateway shows."""
    context = client_context(folder, "one")
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), PATIENCE),
                             server_hostname="127.0.0.1") as s:
        return s.getpeercert(True)


def test_reload(gateway, folder):
    """A new pair is for new connections, from SIGHUP on; a bad one is for nobody."""
    kept = Caller(gateway.port, folder, "one")
    check(kept.send("GET", "/version")[0] == 200, "a connection")
    before = shown(gateway.port, folder)
    check(shell(r"""cd "$1"; exec 2>>openssl.log; printf 'subjectAltName=IP:127.0.0.1\n' >ext
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout new.key -out new.csr \
  -subj /CN=new
openssl x509 -req -in new.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out new.pem
chmod 600 new.key; mv new.pem server.pem""", folder), "another certificate")
    gateway.process.send_signal(signal.SIGHUP)
    check(gateway.logs("the old certificate stays in use"), "with another's key", gateway.text()[-600:])
    check(shown(gateway.port, folder) == before, "is not taken")
    os.rename(f"{folder}/new.key", f"{folder}/server.key")
    gateway.process.send_signal(signal.SIGHUP)
    check(gateway.logs("certificate and key read again"), "with its own", gateway.text()[-600:])
    after = shown(gateway.port, folder)
    check(after != before, "is what new connections see")
    for _ in range(3):
        check(kept.send("GET", "/version")[0] == 200, "the old connection lives on")


def main():
    with tempfile.TemporaryDirectory(prefix="vg-certificates-") as folder:
        if not check(make_authority(folder, server="/CN=server", one="/O=one/CN=twin",
                                    two="/O=two/CN=twin", long=f"/CN={LONG}", nul=f"/CN={NUL}"),
                     "certificates are made"):
            print(Path(folder, "openssl.log").read_text(encoding="utf-8"))
            report()
        put_nul(folder)
        gateway = TlsGateway(folder)
        test_names(gateway, folder)
        test_twins(gateway, folder)
        test_reload(gateway, folder)
        test_expiry(gateway, folder)
        test_resumed(gateway, folder)
        test_resumed_expiry(gateway, folder)
        gateway.stop()
        test_unix(folder)
    report()


main()
