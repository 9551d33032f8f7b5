#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""README's tour, command by command: what it shows is what a new user gets.

The blocks before "## Reference" run in order against one gateway on test:///default. Only what
is another each time (dates, ids, clocks, the port), or by libvirt's release, is not compared.
A block without a command is what the stream of the last `curl -sN` shows after the domain was
resumed.
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


def blocks(readme):
    """The console blocks of the tour: lists of [command, what it shows]."""
    tour = readme[readme.index("## Five minutes"):readme.index("## Reference")]
    for block in re.findall(r"^```console\n(.*?)^```$", tour, re.M | re.S):
        steps, until = [], None
        for line in block.splitlines(keepends=True):
            if until:
                steps[-1][0] += line
                until = None if line.strip() == until else until
            elif line.startswith("$ "):
                steps.append([line[2:], ""])
                here = re.search(r"<<'(\w+)'", line)
                until = here and here[1]
            elif steps:
                steps[-1][1] += line
            else:
                steps.append(["", line])
        yield steps


class Tour:
    def __init__(self, gateway, folder):
        self.gateway, self.folder = gateway, folder
        self.revision, self.stream = None, None

    def command_here(self, command):
        """The command with this gateway's port, and its own revision for README's."""
        command = command.replace("localhost:8080", f"127.0.0.1:{self.gateway.port}")
        return REVISION.sub(self.revision, command) if self.revision else command

    def read_stream(self, want):
        """As many lines as README shows, or what came within 5 s."""
        got, pipe, end = b"", self.stream.stdout.fileno(), time.monotonic() + 5
        while got.count(b"\n") < want.count("\n") and time.monotonic() < end:
            if select.select([pipe], [], [], 0.1)[0]:
                got += os.read(pipe, 65536)
        return got.decode()

    def run(self, command, want):
        if not command:
            Client(self.gateway.port).send("POST", "/domains/test/resume")
            return self.read_stream(want)
        if command.startswith("curl -sN"):
            self.stream = subprocess.Popen(self.command_here(command), shell=True,
                                           cwd=self.folder, stdout=subprocess.PIPE,
                                           executable="/bin/bash", start_new_session=True)
            return self.read_stream(want)
        done = subprocess.run(self.command_here(command), shell=True, text=True, timeout=60,
                              cwd=self.folder, capture_output=True, executable="/bin/bash",
                              check=False)
        if "X-Virtgate-Revision" in want:
            self.revision = REVISION.search(done.stdout)[0]
        return done.stdout + done.stderr

    def end(self):
        if self.stream:
            os.killpg(self.stream.pid, 15)
            self.stream.wait()


def main():
    os.chdir(ROOT)
    gateway = Gateway("test:///default")
    with tempfile.TemporaryDirectory() as folder:
        tour = Tour(gateway, folder)
        for steps in blocks((ROOT / "README.md").read_text(encoding="utf-8")):
            for command, want in steps:
                got = tour.run(command, want)
                check(normal(got) == normal(want), command.split("\n")[0] or "the stream",
                      f"\n--- README\n{normal(want)}\n--- here\n{normal(got)}")
        tour.end()
    gateway.stop()
    report()


main()
