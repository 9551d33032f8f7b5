#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit trail: a line before each change and one after it, none for reads; a change that is
found done after SIGKILL has its first line; with --audit-required none is made without."""
import hashlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

URI = "test:///default"
CHANGES = 1000
DOMAIN = "<domain type='test'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"


def write_tokens(path):
    path.write_text("".join(f"{name} {role} {hashlib.sha256(name.encode()).hexdigest()}\n"
                            for name, role in (("ann", "admin"), ("bob", "operator"),
                                               ("eve", "viewer"))))
    path.chmod(0o600)


def lines_of(path):
    """The audit's lines, of a log in JSON."""
    with open(path, encoding="utf-8") as f:
        return [line for line in map(json.loads, f) if line["source"] == "audit"]


def of_request(lines, request_id):
    return [line for line in lines if line["requestId"] == request_id]


def send(client, who, method, path, body=None, request_id=None, **headers):
    headers = {"Authorization": f"Bearer {who}", **headers}
    if request_id:
        headers["X-Request-Id"] = request_id
    return client.send(method, path, body, headers)


def await_lines(log, request_id, n):
    for _ in range(1200):
        found = of_request(lines_of(log), request_id)
        if len(found) >= n:
            break
        time.sleep(0.05)
    return found


def check_pair(log, request_id, result, status, **known):
    found = await_lines(log, request_id, 2)
    what = f"lines of {request_id}"
    if not check([line["msg"] for line in found] == ["change begins", "change ended"], what, found):
        return
    for line in found:
        for key, value in known.items():
            check(line.get(key) == value, f"{what}: {key}", line)
    check(found[1].get("result") == result and found[1].get("status") == status, f"{what}: the result",
          found[1])


def test_lines(folder):
    log = folder / "lines.log"
    gateway = Gateway(URI, "--token-file", str(folder / "tokens"), "--log-format", "json",
                      "--log-outputs", f"1:stderr 1:file:{log}")
    client = Client(gateway.port)
    send(client, "ann", "POST", "/domains/test/suspend", request_id="good")
    check_pair(log, "good", "done", 204, principal="ann", via="token", host="default",
               permission="domain:getattr domain:suspend", operationId="suspendDomain",
               object="/domains/test/suspend")
    send(client, "ann", "POST", "/domains/nosuch/suspend", request_id="missing")
    check_pair(log, "missing", "refused", 404, object="/domains/nosuch/suspend")
    _, headers, _ = send(client, "ann", "POST", "/domains", DOMAIN.format("new").encode(), "define")
    check_pair(log, "define", "done", 201)
    ended = of_request(lines_of(log), "define")[-1]
    check(ended.get("location") == headers["Location"], "where the new one is", ended)
    check(ended.get("permission") == "domain:getattr domain:read domain:write gateway:document domain:save",
          "the line after it names what arguments needed, too", ended)
    # an argument that the caller may not give: after the row was permitted
    send(client, "bob", "POST", "/domains/test/snapshots?flags=disk-only", request_id="argument")
    check_pair(log, "argument", "refused", 403, principal="bob", operationId="createSnapshot")
    ended = of_request(lines_of(log), "argument")[-1]
    check(ended.get("lacks") == "gateway:path", "and the one that is lacked", ended)
    send(client, "ann", "DELETE", "/operations/1-1", request_id="cancel")
    check_pair(log, "cancel", "refused", 404)
    send(client, "eve", "POST", "/domains/test/resume", request_id="refused")
    found = await_lines(log, "refused", 1)
    check([(line["msg"], line.get("lacks"), line["principal"]) for line in found]
          == [("change refused", "domain:suspend", "eve")], "who may not is told, too", found)
    for path in ("/domains", "/domains/test", "/domains/nosuch", "/version"):
        send(client, "ann", "GET", path, request_id="read")
    send(client, "ann", "POST", "/domains/test/resume", request_id="last")
    await_lines(log, "last", 2)
    check(not of_request(lines_of(log), "read"), "reads have none")
    gateway.stop()


def test_key(folder):
    """A repeated POST is one change."""
    log = folder / "key.log"
    gateway = Gateway(URI, "--token-file", str(folder / "tokens"), "--log-format", "json",
                      "--log-outputs", f"1:stderr 1:file:{log}")
    client = Client(gateway.port)
    for n in range(3):
        send(client, "ann", "POST", "/domains/test/suspend", request_id=f"try{n}",
             **{"Idempotency-Key": "k"})
    await_lines(log, "try0", 2)
    check(len(lines_of(log)) == 2, "one of three made a change", lines_of(log))
    gateway.stop()


def kill_while_writing(folder, log, number):
    """The names that clients were told were defined, when the gateway is killed."""
    gateway = Gateway(URI, "--token-file", str(folder / "tokens"), "--log-format", "json",
                      "--log-outputs", f"1:stderr 1:file:{log}")
    done, lock = [], threading.Lock()

    def write(worker):
        client = Client(gateway.port)
        for i in range(CHANGES // 4):
            name = f"d{worker}-{i}"
            try:
                status, _, _ = send(client, "ann", "POST", "/domains", DOMAIN.format(name).encode(),
                                    name)
            except OSError:
                return
            if status == 201:
                with lock:
                    done.append(name)

    threads = [threading.Thread(target=write, args=(w,)) for w in range(4)]
    for t in threads:
        t.start()
    while len(done) < number and any(t.is_alive() for t in threads):
        time.sleep(0.005)
    gateway.process.send_signal(signal.SIGKILL)
    gateway.process.wait()
    for t in threads:
        t.join()
    return done


def test_kill(folder):
    """Of the test driver nothing is left: what clients were told stands for what was done."""
    for number in (1, CHANGES // 4, CHANGES // 2):
        log = folder / f"kill{number}.log"
        done = kill_while_writing(folder, log, number)
        begun = {line["requestId"] for line in lines_of(log) if line["msg"] == "change begins"}
        check(len(done) >= number and not set(done) - begun,
              f"killed after {number} changes: each has its line", (len(done), set(done) - begun))


def test_required(folder):
    """/dev/full takes nothing."""
    options = ["--token-file", str(folder / "tokens"), "--log-outputs"]
    gateway = Gateway(URI, *options, "1:stderr 1:file:/dev/full")
    status, _, _ = send(Client(gateway.port), "ann", "POST", "/domains/test/suspend")
    check(status == 204, "a trail that is not required", status)
    gateway.stop()
    gateway = Gateway(URI, *options, "1:stderr 1:file:/dev/full", "--audit-required")
    client = Client(gateway.port)
    for method, path, body in (("POST", "/domains/test/suspend", None),
                               ("DELETE", "/domains/test", None),
                               ("POST", "/domains", DOMAIN.format("new").encode()),
                               ("DELETE", "/operations/1-1", None)):
        status, headers, text = send(client, "ann", method, path, body)
        problem = json.loads(text)
        check((status, problem["type"]) == (503, "urn:virtgate:error:audit-unavailable")
              and headers["Retry-After"], f"{method} {path} without a trail", (status, problem))
    status, _, text = send(client, "ann", "GET", "/domains")
    check(status == 200 and [(d["name"], d["state"]) for d in json.loads(text)["domains"]]
          == [("test", "running")], "nothing was done, and reads go on", text)
    gateway.stop()
    gateway = Gateway(URI, *options, "1:stderr", "--audit-required")
    status, _, _ = send(Client(gateway.port), "ann", "POST", "/domains/test/suspend")
    check(status == 204, "a trail that is written", status)
    gateway.stop()


def test_start(folder):
    """A trail that goes nowhere is refused at start, and by --check-config."""
    for want, options in ((0, ["--log-outputs", f"3:stderr 2:file:{folder}/trail.log"]),
                          (0, ["--log-level", "3", "--log-filters", "2:audit"]),
                          (2, ["--log-outputs", "3:stderr"]), (2, ["--log-level", "3"])):
        status = os.spawnv(os.P_WAIT, os.environ.get("VIRTGATE_BIN", "build/virtgate"), [
            "virtgate", "--connect", URI, "--audit-required", "--check-config", *options])
        check(status == want, f"{options} checked", status)
    for name, options in (("level", ["--log-outputs", "3:stderr"]),
                          ("filter", ["--log-filters", "4:audit"])):
        log = folder / f"{name}.err"
        with open(log, "w", encoding="utf-8") as err:
            status = os.spawnvp(os.P_WAIT, "sh", [
                "sh", "-c", 'exec timeout 60 "$@" 2>"$0"', str(log),
                os.environ.get("VIRTGATE_BIN", "build/virtgate"), "--connect", URI, "--listen",
                "127.0.0.1:0", "--audit-required", *options])
            err.flush()
        text = log.read_text()
        check(status == 2 and "audit-required" in text, f"{name}: refused at start", (status, text))


def main():
    with tempfile.TemporaryDirectory(prefix="vg-test-") as folder:
        folder = Path(folder)
        write_tokens(folder / "tokens")
        test_lines(folder)
        test_key(folder)
        test_kill(folder)
        test_required(folder)
        test_start(folder)
    report()


if __name__ == "__main__":
    main()
