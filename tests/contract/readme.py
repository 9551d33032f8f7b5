#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""README's tour and the samples of docs/, command by command: what they show is what one gets.

The console blocks of a file run in order against a gateway on test:///default. Only what is
another each time (dates, ids, clocks, the port), or by libvirt's release, is not compared.
"""
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "harness"))
from gateway import Client, Gateway, check, report  # noqa: E402

FIXED_UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"  # the test driver's own domain
REVISION = re.compile(r"\b[0-9a-f]{12}-\d+\b")
VARYING = (
    (re.compile(r"^Date: .*$", re.M), "Date: *"),
    (re.compile(r"^Content-Length: .*$", re.M), "Content-Length: *"),
    (re.compile(r"\b[0-9A-Z]{26}\b"), "REQUEST-ID"),
    (re.compile(rf"(?!{FIXED_UUID})[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}"), "UUID"),
    (re.compile(r'"cpuTimeNs":\d+'), '"cpuTimeNs":*'),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (REVISION, "REVISION"),
    # of libvirt, which since 9.3 numbers what its messages take
    (re.compile(r'"version":"[\d.]+","number":\d{7,}'), '"version":"LIBVIRT","number":*'),
    (re.compile(r"%1\$s"), "%s"),
)


def normal(text):
    text = text.replace("\r", "")
    for pattern, mark in VARYING:
        text = pattern.sub(mark, text)
    return text.strip("\n")


def blocks(document):
    """The console blocks: lists of [command, what it shows]."""
    for block in re.findall(r"^```console\n(.*?)^```$", document, re.M | re.S):
        steps, until = [], None
        for line in block.splitlines(keepends=True):
            if until:
                steps[-1][0] += line
                until = None if line.strip() == until else until
            elif line.startswith("$ "):
                steps.append([line[2:], ""])
                here = re.search(r"<<'(\w+)'", line)
                until = here and here[1]
            else:
                steps[-1][1] += line
        yield steps


class Tour:
    def __init__(self, gateway, folder):
        self.gateway, self.folder, self.stream = gateway, folder, None
        self.environment = dict(os.environ)

    def start(self, command, **how):
        """With this gateway's port, and the variables that earlier commands have set."""
        command = command.replace("localhost:8080", f"127.0.0.1:{self.gateway.port}")
        return subprocess.Popen(command, shell=True, cwd=self.folder, env=self.environment,
                                stdout=subprocess.PIPE, executable="/bin/bash", **how)

    def read_stream(self, want):
        """As many lines as README shows, or what came within 5 s."""
        got, pipe, end = b"", self.stream.stdout.fileno(), time.monotonic() + 5
        while got.count(b"\n") < want.count("\n") and time.monotonic() < end:
            if select.select([pipe], [], [], 0.1)[0]:
                got += os.read(pipe, 65536)
        return got.decode()

    def run(self, command, want):
        if command.startswith("curl -sN"):
            self.stream = self.start(command, start_new_session=True)
            return self.read_stream(want)
        variable = re.match(r"(\w+)=\$\(", command)
        if variable:
            command = f'{command.rstrip()}; printf %s "${variable[1]}"'
        shown = self.start(command, stderr=subprocess.STDOUT, text=True).communicate(timeout=60)[0]
        if variable:
            self.environment[variable[1]] = shown
        return "" if variable else shown

    def end(self):
        if self.stream:
            os.killpg(self.stream.pid, 15)
            self.stream.wait()


def run_samples(path):
    text = path.read_text(encoding="utf-8")
    if "```console" not in text:
        return
    gateway = Gateway("test:///default")
    with tempfile.TemporaryDirectory() as folder:
        tour = Tour(gateway, folder)
        for steps in blocks(text):
            for command, want in steps:
                got = tour.run(command, want)
                check(normal(got) == normal(want), f"{path.name}: " + command.split("\n")[0],
                      f"\n--- {path.name}\n{normal(want)}\n--- here\n{normal(got)}")
        tour.end()
    gateway.stop()


def main():
    os.chdir(ROOT)
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        run_samples(path)
    report()


main()
