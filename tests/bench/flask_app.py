# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a day's work with Flask and python3-libvirt gives, for peers.sh: the gateway's two commonest
answers, with the same members. `gunicorn` serves it; BENCH_URI is the host."""
import os

import flask
import libvirt

STATES = ["no-state", "running", "blocked", "paused", "shutdown", "shut-off", "crashed", "pm-suspended"]
conn = libvirt.openReadOnly(os.environ["BENCH_URI"])
app = flask.Flask(__name__)


def describe(domain: libvirt.virDomain) -> dict:
    state, max_memory, memory, vcpus, cpu_time = domain.info()
    return {"name": domain.name(), "uuid": domain.UUIDString(), "state": STATES[state],
            "maxMemoryKiB": max_memory, "memoryKiB": memory, "vcpus": vcpus, "cpuTimeNs": cpu_time}


@app.get("/version")
def version() -> dict:
    return {"version": libvirt.getVersion(), "api": "1"}


@app.get("/domains")
def domains() -> dict:
    return {"domains": [describe(domain) for domain in conn.listAllDomains()]}


@app.get("/domains/<name>")
def domain(name: str) -> dict:
    return describe(conn.lookupByName(name))
