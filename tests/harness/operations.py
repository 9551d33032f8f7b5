# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of long work share: the newest operation and its steps, and what a raw client is told."""
import json
import os
import subprocess
import time
from pathlib import Path

LIBVIRTD = str(Path(__file__).resolve().parents[1] / "qemu/libvirtd.sh")


def eventually(what, seconds=60):
    for _ in range(seconds * 20):
        found = what()
        if found:
            return found
        time.sleep(0.05)
    return what()


def newest(client):
    return json.loads(client.send("GET", "/operations?limit=1")[2])["operations"][0]


def states(operation):
    return {s["name"]: s["state"] for s in operation.get("steps", ())}


def post(client, body, headers=None, query=""):
    status, head, answer = client.send("POST", f"/domains{query}", json.dumps(body).encode(),
                                       headers or {})
    return status, head, json.loads(answer)


def read_answer(connection):
    """(status, JSON) until the connection's end, which is closed."""
    text = b""
    while piece := connection.recv(65536):
        text += piece
    connection.close()
    head, _, body = text.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, json.loads(body) if body else None


def streams_of(path):
    """How many streams of a volume libvirt has: each has its file open."""
    pid = subprocess.run([LIBVIRTD, "pid"], check=True, capture_output=True, text=True).stdout.strip()
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            n += os.readlink(f"/proc/{pid}/fd/{fd}") == str(path)
        except FileNotFoundError:  # it was closed meanwhile
            pass
    return n
