#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How often one client may call, how many sessions it may have, how many wrong tokens it may
guess: each limit at its edge, and that others are served meanwhile."""
import hashlib
import http.client
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

URI = "test:///default"
TOKENS = {"ann": "admin", "bob": "admin", "eve": "viewer"}
PUBLIC = ("/health/live", "/health/ready", "/")


def tokens():
    with tempfile.NamedTemporaryFile("w", prefix="vg-test-", delete=False) as f:
        for name, role in TOKENS.items():
            f.write(f"{name} {role} {hashlib.sha256(name.encode()).hexdigest()}\n")
    os.chmod(f.name, 0o600)
    return f.name


FILE = tokens()


def ask(gateway, who, path="/version", method="GET", body=None, client=None):
    """(status, headers, problem) of a call by that token; None: without one."""
    headers = {"Authorization": f"Bearer {who}"} if who else {}
    status, answer, text = (client or Client(gateway.port)).send(method, path, body, headers)
    return status, {k.lower(): v for k, v in dict(answer).items()}, text


def check_limited(answer, name, quota, window, what):
    status, headers, text = answer
    if not check(status == 429, what, (status, text[:300])):
        return
    problem = json.loads(text)
    check(problem["type"] == "urn:virtgate:error:rate-limited" and problem["retryable"], what, problem)
    wait = int(headers.get("retry-after", 0))
    check(1 <= wait <= window, f"{what}: when to come again", headers)
    check(headers.get("ratelimit-policy") == f'"{name}";q={quota};w={window}', f"{what}: the policy",
          headers)
    check(headers.get("ratelimit") == f'"{name}";r=0;t={wait}', f"{what}: what is left", headers)


def burst(gateway, who, n, **call):
    """The answers to so many calls sent as fast as they go."""
    client = Client(gateway.port)
    return [ask(gateway, who, client=client, **call) for _ in range(n)]


def quick(make, seconds):
    """What it returns, made within that time: a rate shows in no less. A machine that was busy gets
    more tries, each with a limit that is unused again; (None, time) when there were enough."""
    for _ in range(20):
        begun = time.monotonic()
        made = make()
        took = time.monotonic() - begun
        if took < seconds:
            return made, took
        time.sleep(1.1)
    return check(False, f"{seconds} s were enough once in 20 times", took) or None, took


def test_rates(option, name, quota, **call):
    """As many as the quota are served at once, not twice as many, and others' are untouched."""
    gateway = Gateway(URI, "--token-file", FILE, option, str(quota))
    answers, took = quick(lambda: burst(gateway, "ann", 3 * quota, **call), 1.5)
    if not answers:
        return gateway.stop()
    served = [a for a in answers if a[0] != 429]
    check([a[0] for a in answers[:quota]].count(429) == 0, f"{option}: the quota is served",
          [a[0] for a in answers])
    check(len(served) <= quota * (1 + took) + 1, f"{option}: no more than the quota", (len(served), took))
    limited = [a for a in answers if a[0] == 429]
    if check(limited, f"{option}: the rest is refused", [a[0] for a in answers]):
        check_limited(limited[0], name, quota, 1, option)
        time.sleep(int(limited[0][1].get("retry-after", 1)))
        check(ask(gateway, "ann", **call)[0] != 429, f"{option}: in time it is served again")
    check(ask(gateway, "bob", **call)[0] != 429, f"{option}: another token has its own")
    for path in PUBLIC:
        check({a[0] for a in burst(gateway, None, 2 * quota, path=path)} == {200},
              f"{option}: {path} has no limit")
    return gateway.stop()


def test_classes():
    """Reads do not count as changes, nor the other way round."""
    gateway = Gateway(URI, "--token-file", FILE, "--changes-per-second", "1")
    check({a[0] for a in burst(gateway, "ann", 20)} == {200}, "reads are not limited")
    change = {"path": "/domains/test/suspend", "method": "POST"}
    answers, _ = quick(lambda: (ask(gateway, "ann", **change),
                                ask(gateway, "ann", path="/domains/test/resume", method="POST")), 0.8)
    if not answers:
        return gateway.stop()
    # paused already by a try that was late
    check(answers[0][0] in (204, 409), "one change is made", answers[0])
    check_limited(answers[1], "changes", 1, 1, "the second")
    state = json.loads(ask(gateway, "ann", path="/domains/test")[2])["state"]
    check(state == "paused", "what is refused is not done", state)
    return gateway.stop()


def test_guesses():
    """A minute's worth of wrong tokens, then 429 for these alone."""
    quota = 5
    gateway = Gateway(URI, "--token-file", FILE, "--failed-tokens", str(quota))
    answers = burst(gateway, "wrong", quota + 3)
    check([a[0] for a in answers[:quota]] == [401] * quota, "guesses are refused",
          [a[0] for a in answers])
    check_limited(answers[quota], "failed-tokens", quota, 60, "one too many")
    check(ask(gateway, "ann")[0] == 200, "a right one is served all the same")
    check(ask(gateway, "wrong")[0] == 429, "and helps no guess")
    check(ask(gateway, None)[0] == 401, "no token is no guess")
    check(ask(gateway, "eve", path="/domains/test/start", method="POST")[0] == 403,
          "nor is one that may not do this")
    gateway.stop()
    gateway = Gateway(URI, "--token-file", FILE, "--failed-tokens", "0")
    check({a[0] for a in burst(gateway, "wrong", 40)} == {401}, "without a limit")
    gateway.stop()


def open_stream(gateway, who):
    """(status, connection): an event stream that stays open."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.request("GET", "/events", headers={
        "Authorization": f"Bearer {who}", "Accept": "text/event-stream"})
    answer = connection.getresponse()
    return answer.status, (connection, answer)


def test_streams():
    gateway = Gateway(URI, "--token-file", FILE, "--streams-per-token", "2")
    held = [open_stream(gateway, "ann") for _ in range(3)]
    check([status for status, _ in held] == [200, 200, 429], "two streams of one token",
          [status for status, _ in held])
    check(open_stream(gateway, "bob")[0] == 200, "another token has its own")
    for part in reversed(held[0][1]):
        part.close()
    for _ in range(100):
        status, _ = open_stream(gateway, "ann")
        if status == 200:
            break
        time.sleep(0.1)
    check(status == 200, "one that ended makes room", status)
    gateway.stop()


def test_shared_rate():
    """Many connections of one token at once get what one would."""
    quota = 10
    gateway = Gateway(URI, "--token-file", FILE, "--reads-per-second", str(quota))
    statuses, begun = [], time.monotonic()
    threads = [threading.Thread(target=lambda: statuses.extend(
        a[0] for a in burst(gateway, "ann", 10))) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = time.monotonic() - begun
    check(quota <= statuses.count(200) <= quota * (1 + took) + 1, "80 reads over 8 connections",
          (statuses.count(200), took))
    gateway.stop()


def main():
    test_rates("--reads-per-second", "reads", 5)
    test_rates("--changes-per-second", "changes", 3, path="/domains/test/suspend", method="POST")
    test_classes()
    test_guesses()
    test_streams()
    test_shared_rate()
    os.unlink(FILE)
    report()


if __name__ == "__main__":
    main()
