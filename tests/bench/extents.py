#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""extents.py PORT POOL NAME FILE: a sparse volume as a client makes it that knows where its file has
data: an empty one, then each extent by PUT with Content-Range. What is not sent stays a hole.
"""
import http.client
import json
import os
import sys

PIECE = 1 << 20


def extents(fd):
    """(offset, length) of what is no hole."""
    at = 0
    while True:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(fd, at, os.SEEK_HOLE)
        yield at, end - at
        at = end


def read(fd, at, length):
    for done in range(0, length, PIECE):
        yield os.pread(fd, min(PIECE, length - done), at + done)


def send(client, method, path, body, headers):
    client.request(method, path, body, headers)
    answer = client.getresponse()
    text = answer.read()
    if answer.status >= 300:
        sys.exit(f"{method} {path}: {answer.status} {text.decode()}")


def main():
    port, pool, name, path = sys.argv[1:]
    client = http.client.HTTPConnection("127.0.0.1", int(port))
    volumes = f"/storage-pools/{pool}/volumes"
    fd = os.open(path, os.O_RDONLY)
    size = os.fstat(fd).st_size
    send(client, "POST", volumes,
         json.dumps({"name": name, "capacityBytes": size, "allocationBytes": 0}),
         {"Content-Type": "application/json"})
    for at, length in extents(fd):
        send(client, "PUT", f"{volumes}/{name}/content", read(fd, at, length),
             {"Content-Type": "application/octet-stream", "Content-Length": str(length),
              "Content-Range": f"bytes {at}-{at + length - 1}/{size}"})


main()
