#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""routes/node/ on a real host: the machine, its memory and CPUs, what its guests can have. What it
is, and every error of libvirt's own, is compared with libvirt's Python binding; what cannot
succeed without the hardware (SEV, SMBIOS) may do either, as libvirt does. The machine is not
suspended: a second is too short a time for libvirt."""
import json
import os
import subprocess
import sys
from pathlib import Path

import libvirt

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/harness"))
sys.path.insert(0, str(ROOT / "tests/qemu"))
from differential import check_all_read, compare_error, error_of, same, text  # noqa: E402
from gateway import Client, Gateway, check, record, report  # noqa: E402

DAEMON = str(ROOT / "tests/qemu/libvirtd.sh")
POOL = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
CPUS = ["<cpu><arch>x86_64</arch><model>Haswell</model></cpu>",
        "<cpu><arch>x86_64</arch><model>Westmere</model></cpu>"]
QEMU = (None, "x86_64", None, "qemu")  # emulator, arch, machine, virttype


def post(client, path, body, method="POST", headers=None):
    status, answer_headers, answer = client.send(method, path, json.dumps(body).encode(), headers)
    shown = answer.decode()
    record(method, path, status, dict(answer_headers), shown)
    return status, json.loads(shown) if shown[:1] == "{" else shown


def compare(client, path, call, shape):
    """The answer is shape(what libvirt says), or libvirt's error."""
    if error_of(call) is not None:
        compare_error(client, path, call, "GET", path)
    else:
        same(path, json.loads(text(client, path)), shape(call()))


def check_machine(client, conn):
    got, info = json.loads(text(client, "/node")), conn.getInfo()
    same("the machine", [got[k] for k in ("model", "cpus", "nodes", "sockets", "cores", "threads")],
         [info[0], info[2], *info[4:8]])
    check(got["mhz"] >= 0, "its frequency, another at each look", got)
    same("memory in MiB", json.loads(text(client, "/node"))["memoryKiB"] >> 10, conn.getInfo()[1])
    compare(client, "/node/cpu-map", conn.getCPUMap, lambda m: {
        "cpus": m[0], "online": [i for i, on in enumerate(m[1]) if on]})
    compare(client, "/node/security-model", conn.getSecurityModel,
            lambda m: {"model": m[0], "doi": m[1]})
    compare(client, "/node/sev", conn.getSEVInfo, lambda s: {
        "cbitpos": s["cbitpos"], "reducedPhysBits": s["reduced-phys-bits"]})
    if error_of(conn.getSysinfo) is None:
        same("sysinfo", text(client, "/node/sysinfo"), conn.getSysinfo())
    else:
        compare_error(client, "sysinfo", conn.getSysinfo, "GET", "/node/sysinfo")


def check_times(client, conn):
    """They go on between two calls."""
    for query, cpu in (("", -1), ("?cpu=0", 0)):
        before = conn.getCPUStats(cpu)
        got = json.loads(text(client, "/node/cpu-stats" + query))
        after = conn.getCPUStats(cpu)
        same(f"cpu-stats{query}: which", sorted(got), sorted(k + "Ns" for k in before))
        check(all(before[k] <= got[k + "Ns"] <= after[k] for k in ("kernel", "user")),
              f"cpu-stats{query}", f"{before} {got} {after}")
    compare_error(client, "no such CPU", lambda: conn.getCPUStats(9999), "GET",
                  "/node/cpu-stats?cpu=9999")


def check_memory(client, conn):
    check(json.loads(text(client, "/node/memory"))["freeBytes"] > 0, "free memory")
    want = conn.getMemoryStats(-1)
    got = json.loads(text(client, "/node/memory/stats"))
    same("memory stats: which", sorted(got), sorted(k + "KiB" for k in want))
    same("memory in all", got["totalKiB"], want["total"])
    compare_error(client, "no such cell", lambda: conn.getMemoryStats(1000), "GET",
                  "/node/memory/stats?cell=1000")
    cells = json.loads(text(client, "/node/cells/free-memory"))["cells"]
    same("cells", len(cells), len(conn.getCellsFreeMemory(0, 1024)))
    check(all(c["freeBytes"] > 0 for c in cells), "free memory of cells", str(cells))
    compare_error(client, "no such first cell", lambda: conn.getCellsFreeMemory(1000, 1), "GET",
                  "/node/cells/free-memory?start=1000&max=1")
    status = client.send("GET", "/node/cells/free-memory?start=1000")[0]
    same("a cell that is not there is the client's error", status, 400)


def check_parameters(client, conn):
    """What is written is what was read."""
    path = "/node/memory/parameters"
    if error_of(lambda: conn.getMemoryParameters(0)) is not None:
        compare_error(client, path, lambda: conn.getMemoryParameters(0), "GET", path)
        return
    want = conn.getMemoryParameters(0)
    got = json.loads(text(client, path))
    for name, key in (("shm_pages_to_scan", "shmPagesToScan"),
                      ("shm_sleep_millisecs", "shmSleepMillisecs"),
                      ("shm_merge_across_nodes", "shmMergeAcrossNodes")):
        same(f"parameter {key}", got.get(key), want.get(name))
    pages = got["shmPagesToScan"]
    try:
        same("a parameter is set", post(client, path, {"shmPagesToScan": pages + 1}, "PATCH"),
             (204, ""))
        same("and is what libvirt says", conn.getMemoryParameters(0)["shm_pages_to_scan"],
             pages + 1)
    finally:
        post(client, path, {"shmPagesToScan": pages}, "PATCH")
    same("nothing to set", post(client, path, {}, "PATCH"), (204, ""))
    status, problem = post(client, path, {"nosuch": 1}, "PATCH")
    check(status == 400 and "shmPagesToScan" in problem["detail"], "an unknown parameter",
          str(problem))
    status, problem = post(client, path, {"shmFullScans": 1}, "PATCH")
    check(status >= 400 and problem["error"]["code"], "a figure cannot be set", str(problem))


def check_pages(client, conn):
    got = json.loads(text(client, "/node/pages"))
    sizes = [p["sizeKiB"] for p in got["cells"][0]["pages"]]
    check(4 in sizes, "sizes of pages", str(sizes))
    huge = [size for size in sizes if size > 4]
    want = conn.getFreePages(huge, 0, len(got["cells"])) if huge else {}
    for cell in got["cells"]:
        same(f"free huge pages of cell {cell['cell']}",
             {p["sizeKiB"]: p["free"] for p in cell["pages"] if p["sizeKiB"] in huge},
             want.get(cell["cell"], {}))
    same("pages of one size",
         [[p["sizeKiB"] for p in c["pages"]] for c in
          json.loads(text(client, "/node/pages?sizeKiB=4&startCell=0&cellCount=1"))["cells"]],
         [[4]])
    for query, pages, cell in (("sizeKiB=5", [5], 0), ("sizeKiB=4&startCell=1000", [4], 1000)):
        compare_error(client, query, lambda p=pages, c=cell: conn.getFreePages(p, c, 1),
                      "GET", f"/node/pages?{query}&cellCount=1")
        same(f"{query} is the client's error", client.send("GET", f"/node/pages?{query}")[0], 400)


def check_allocation(client, conn):
    """One page more, and as many as before again."""
    if not POOL.exists():
        print("this machine has no pages of 2 MiB: their pool is left alone", file=sys.stderr)
        return
    before = int(POOL.read_text())
    try:
        status, body = post(client, "/node/pages", {"pages": [{"sizeKiB": 2048, "count": 1}]})
        same("a page is added", (status, body), (200, {"changed": 1}))
        same("the pool has it", int(POOL.read_text()), before + 1)
    finally:
        again = {"pages": [{"sizeKiB": 2048, "count": before}], "mode": "set"}
        same("the pool is set", post(client, "/node/pages", again), (200, {"changed": 1}))
    same("the pool is as before", int(POOL.read_text()), before)
    compare_error(client, "the system's own pages",
                  lambda: conn.allocPages({4: 1}, -1, 1, 0), "POST", "/node/pages",
                  b'{"pages":[{"sizeKiB":4,"count":1}]}')


def check_suspend(client, conn):
    compare_error(client, "a second is too short",
                  lambda: conn.suspendForDuration(libvirt.VIR_NODE_SUSPEND_TARGET_MEM, 1, 0),
                  "POST", "/node/suspend", b'{"target":"mem","durationSeconds":1}')


def check_cpus(client, conn):
    for arch in ("x86_64", "ppc64", "s390x"):
        compare(client, f"/connection/cpu/models?arch={arch}",
                lambda arch=arch: conn.getCPUModelNames(arch), lambda m: {"models": m})
    same("models of the host's own architecture", text(client, "/connection/cpu/models"),
         text(client, "/connection/cpu/models?arch=" + conn.getInfo()[0]))
    compare(client, "/connection/cpu/models?arch=vax", lambda: conn.getCPUModelNames("vax"), None)
    compare(client, "/connection/max-vcpus", lambda: conn.getMaxVcpus(None),
            lambda n: {"maxVcpus": n})
    compare(client, "/connection/max-vcpus?type=qemu", lambda: conn.getMaxVcpus("qemu"),
            lambda n: {"maxVcpus": n})
    compare(client, "/connection/max-vcpus?type=x", lambda: conn.getMaxVcpus("x"), None)


def check_baseline(client, conn):
    path = "/connection/cpu/baseline"
    same("baseline", post(client, path, {"cpus": CPUS}), (200, conn.baselineCPU(CPUS)))
    same("baseline with features",
         post(client, path, {"cpus": [{"arch": "x86_64", "model": "Haswell"}, CPUS[1]],
                             "flags": ["expand-features"]}),
         (200, conn.baselineCPU(CPUS, libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES)))
    guests = ["<cpu mode='custom'><model>Haswell</model></cpu>"]
    same("baseline of a hypervisor",
         post(client, path, {"cpus": guests, "arch": "x86_64", "virttype": "qemu"}),
         (200, conn.baselineHypervisorCPU(*QEMU, guests)))
    status, body = post(client, path, {"cpus": CPUS}, headers={"Accept": "application/json"})
    check(status == 200 and body["cpu"]["model"], "baseline as JSON", str(body))
    nosuch = ["<cpu><arch>x86_64</arch><model>nosuch</model></cpu>"]
    compare_error(client, "baseline of an unknown model", lambda: conn.baselineCPU(nosuch), "POST",
                  path, json.dumps({"cpus": nosuch}).encode())
    same("which is the client's error", post(client, path, {"cpus": nosuch})[0], 422)
    compare_error(client, "baseline of a hypervisor, of an unknown model",
                  lambda: conn.baselineHypervisorCPU(*QEMU, nosuch), "POST", path, json.dumps(
                      {"cpus": nosuch, "arch": "x86_64", "virttype": "qemu"}).encode())


def check_compare(client, conn):
    path = "/connection/cpu/compare"
    names = {0: "incompatible", 1: "identical", 2: "superset"}
    caps = conn.getCapabilities()
    own = caps[caps.index("<cpu>"):caps.index("</cpu>") + len("</cpu>")]
    for cpu in (own, *CPUS):
        want = (200, {"result": names[conn.compareCPU(cpu)]})
        same(f"compare {cpu[:60]}", post(client, path, {"cpu": cpu}), want)
        status, _, body = client.send("POST", path, cpu.encode())
        same("the same as XML", (status, json.loads(body)), want)
    same("the host's own", post(client, path, {"cpu": own})[1], {"result": "identical"})
    for model in ("qemu64", "Haswell"):
        cpu = f"<cpu mode='custom'><model>{model}</model></cpu>"
        want = names[conn.compareHypervisorCPU(*QEMU, cpu)]
        same(f"compare {model} with a hypervisor's",
             post(client, path, {"cpu": cpu, "arch": "x86_64", "virttype": "qemu"}),
             (200, {"result": want}))
    same("which cannot all", want, "incompatible")
    flag = libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
    body = {"cpu": cpu, "arch": "x86_64", "virttype": "qemu", "flags": ["fail-incompatible"]}
    compare_error(client, "incompatible as an error",
                  lambda: conn.compareHypervisorCPU(*QEMU, cpu, flag), "POST", path,
                  json.dumps(body).encode())
    same("an unknown model", post(client, path, {"cpu": {"model": "nosuch"}})[0], 422)


def check_storage(client, conn):
    same("capabilities of pools", text(client, "/connection/storage-pool-capabilities"),
         conn.getStoragePoolCapabilities())
    path = "/connection/storage-pool-sources"
    same("no volume group", post(client, path, {"type": "logical"}), (200, {"sources": []}))
    device = subprocess.run([DAEMON, "disk", "16"], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.strip()
    for command in (("pvcreate", "-q", device), ("vgcreate", "-q", "vg-node", device)):
        subprocess.run([DAEMON, "exec", *command], stdout=subprocess.DEVNULL, check=True)
    status, body = post(client, path, {"type": "logical"})
    check(status == 200 and [s["name"] for s in body["sources"]] == [["vg-node"]] and
          device in json.dumps(body), "a volume group is found", str(body))
    subprocess.run([DAEMON, "exec", "vgremove", "-q", "-y", "vg-node"],
                   stdout=subprocess.DEVNULL, check=True)
    compare_error(client, "a type without sources",
                  lambda: conn.findStoragePoolSources("dir", None), "POST", path, b'{"type":"dir"}')
    compare_error(client, "no source to look in",
                  lambda: conn.findStoragePoolSources("netfs", None), "POST", path,
                  b'{"type":"netfs"}')


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    conn = libvirt.open(os.environ["VG_QEMU_URI"])
    gateway = Gateway(os.environ["VG_QEMU_URI"])
    client = Client(gateway.port)
    for what in (check_machine, check_times, check_memory, check_parameters, check_pages,
                 check_allocation, check_suspend, check_cpus, check_baseline, check_compare,
                 check_storage):
        what(client, conn)
    check_all_read("/node", ("/sev", "/sysinfo"))  # errors are compared, where they are none
    check_all_read("/connection/cpu")
    gateway.stop()
    conn.close()
    report()


if __name__ == "__main__":
    main()
