# SPDX-License-Identifier: LGPL-2.1-or-later
"""The console blocks of a document, run command by command against a gateway: what they show is
what one gets. Only what is another each time (dates, ids, clocks, the port), or by libvirt's
release, is not compared.
"""
import os
import re
import select
import subprocess
import time

from gateway import check

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


def blocks(document, kind=""):
    """The blocks that begin with "```console" and the kind: lists of [command, what it shows]."""
    start = "```console" + (f" {kind}" if kind else "")
    for block in re.findall(rf"^{start}\n(.*?)^```$", document, re.M | re.S):
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


class Console:
    """Commands one after another, in a folder, each `there` in them replaced by its `here`."""

    def __init__(self, folder, **replaced):
        self.folder, self.replaced, self.stream = folder, replaced, None
        self.environment = dict(os.environ)

    def start(self, command, **how):
        """With the variables that earlier commands have set."""
        for there, here in self.replaced.items():
            command = command.replace(there, here)
        return subprocess.Popen(command, shell=True, cwd=self.folder, env=self.environment,
                                stdout=subprocess.PIPE, executable="/bin/bash", **how)

    def read_stream(self, want):
        """As many lines as the document shows, or what came within a minute."""
        got, pipe, end = b"", self.stream.stdout.fileno(), time.monotonic() + 60
        while got.count(b"\n") < want.count("\n") and time.monotonic() < end:
            if select.select([pipe], [], [], 0.1)[0]:
                got += os.read(pipe, 65536)
        return got.decode()

    def run(self, command, want):
        """What it prints; of a stream, as much as is wanted."""
        if command.startswith("curl -sN"):
            self.end()
            self.stream = self.start(command, start_new_session=True)
            return self.read_stream(want)
        variable = re.match(r"(\w+)=\$\(", command)
        if variable:
            command = f'{command.rstrip()}; printf %s "${variable[1]}"'
        shown = self.start(command, stderr=subprocess.STDOUT, text=True).communicate(timeout=300)[0]
        if variable:
            self.environment[variable[1]] = shown
        return "" if variable else shown

    def check_all(self, path, kind=""):
        """Runs the blocks of that kind of a document; how many commands there were."""
        n = 0
        for steps in blocks(path.read_text(encoding="utf-8"), kind):
            for command, want in steps:
                got = self.run(command, want)
                check(normal(got) == normal(want), f"{path.name}: " + command.split("\n")[0],
                      f"\n--- {path.name}\n{normal(want)}\n--- here\n{normal(got)}")
                n += 1
        self.end()
        return n

    def end(self):
        """Ends the last stream."""
        if self.stream:
            os.killpg(self.stream.pid, 15)
            self.stream.wait()
            self.stream.stdout.close()
            self.stream = None
