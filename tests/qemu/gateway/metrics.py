#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""GET /metrics beside libvirt-python on real guests: each sample between what libvirt said
before the scrape and what it says after it; and scrapes while a guest or the daemon is hung."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import libvirt
from prometheus_client.parser import text_string_to_metric_families

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "harness"))
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
from gateway import Client, Gateway, check, report  # noqa: E402
from differential import same, text  # noqa: E402
from operations import eventually  # noqa: E402

# Where the machine has them: a tap interface has counters, a user-mode one has not.
TAP = "<interface type='ethernet'><model type='virtio'/></interface>" * 2
DAEMON = str(Path(__file__).parents[1] / "libvirtd.sh")
HOLD = Path(os.environ.get("VG_LIBVIRTD_DIR", "/tmp/vg-libvirtd")) / "etc" / "hold"

# Family: parameter of virConnectGetAllDomainStats, and what one of it is in the family's unit.
FAMILIES = {
    "libvirt_domain_info_vstate": ("state.state", 1),
    "libvirt_domain_state_code": ("state.state", 1),
    "libvirt_domain_info_cpu_time_seconds_total": ("cpu.time", 1e-9),
    "libvirt_domain_info_maximum_memory_bytes": ("balloon.maximum", 1024),
    "libvirt_domain_info_memory_usage_bytes": ("balloon.current", 1024),
    "libvirt_domain_memory_stats_rss_bytes": ("balloon.rss", 1024),
    "libvirt_domain_memory_stats_actual_balloon_bytes": ("balloon.current", 1024),
    "libvirt_domain_info_virtual_cpus": ("vcpu.current", 1),
    "libvirt_domain_vcpu_maximum": ("vcpu.maximum", 1),
    "libvirt_domain_vcpu_state": ("vcpu.N.state", 1),
    "libvirt_domain_vcpu_time_seconds_total": ("vcpu.N.time", 1e-9),
    "libvirt_domain_vcpu_delay_seconds_total": ("vcpu.N.delay", 1e-9),
    "libvirt_domain_block_stats_read_bytes_total": ("block.N.rd.bytes", 1),
    "libvirt_domain_block_stats_read_requests_total": ("block.N.rd.reqs", 1),
    "libvirt_domain_block_stats_read_time_seconds_total": ("block.N.rd.times", 1e-9),
    "libvirt_domain_block_stats_write_bytes_total": ("block.N.wr.bytes", 1),
    "libvirt_domain_block_stats_write_requests_total": ("block.N.wr.reqs", 1),
    "libvirt_domain_block_stats_flush_requests_total": ("block.N.fl.reqs", 1),
    "libvirt_domain_block_stats_allocation": ("block.N.allocation", 1),
    "libvirt_domain_block_stats_capacity_bytes": ("block.N.capacity", 1),
    "libvirt_domain_block_stats_physicalsize_bytes": ("block.N.physical", 1),
    "libvirt_domain_interface_stats_receive_bytes_total": ("net.N.rx.bytes", 1),
    "libvirt_domain_interface_stats_transmit_packets_total": ("net.N.tx.pkts", 1),
}


def guest(name, disks, interfaces=""):
    sources = "".join(
        f"<disk type='file' device='disk'><source file='{path}'/>"
        f"<target dev='vd{chr(97 + i)}' bus='virtio'/></disk>" for i, path in enumerate(disks))
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>
<vcpu current='2'>3</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{sources}
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
{interfaces}<controller type='usb' model='none'/><memballoon model='virtio'/></devices></domain>"""


def scrape(client, query=""):
    """{family: {labels that tell: value}}; the labels are checked for duplicates."""
    found = {}
    for family in text_string_to_metric_families(text(client, "/metrics" + query)):
        for s in family.samples:
            key = tuple(s.labels.get(k, "") for k in ("uuid", "target_device", "vcpu"))
            if "uuid" in s.labels:
                check(key not in found.setdefault(s.name, {}), f"{s.name} {key} is there twice")
                found[s.name][key] = s.value
            elif "host" in s.labels:
                found.setdefault(s.name, {})[s.labels["host"]] = s.value
    return found


def expected(conn):
    """The same of libvirt: {family: {key: value}}."""
    want = {name: {} for name in FAMILIES}
    for dom, stats in conn.getAllDomainStats():
        for name, (pattern, unit) in FAMILIES.items():
            regex = re.escape(pattern).replace("N", r"(\d+)")
            for parameter, value in stats.items():
                match = re.fullmatch(regex, parameter)
                if not match:
                    continue
                group = pattern.split(".")[0]
                device = (stats.get(f"{group}.{match[1]}.name", "")
                          if match.groups() and group != "vcpu" else "")
                vcpu = match[1] if match.groups() and group == "vcpu" else ""
                want[name][dom.UUIDString(), device, vcpu] = value * unit
    return want


def compare(client, conn):
    before, got, after = expected(conn), scrape(client), expected(conn)
    for name, (pattern, _) in FAMILIES.items():
        same(f"{name}: series", sorted(got.get(name, {})), sorted(before[name]))
        slack = 0.5 if name.endswith("_rss_bytes") else 0  # which may shrink between two that are equal
        for key, value in got.get(name, {}).items():
            ends = sorted((before[name].get(key, 0), after[name].get(key, 0)))
            check(ends[0] * (1 - slack) - 1e-6 <= value <= ends[1] * (1 + slack) + 1e-6, f"{name} {key} ({pattern})",
                  f"{value}, libvirt before and after {ends}")
    domains = conn.listAllDomains()
    same("libvirt_domains", got["libvirt_domains"], {"default": len(domains)})
    same("libvirt_domains_number", got["libvirt_domains_number"],
         {"default": sum(d.isActive() for d in domains)})
    same("libvirt_up", got["libvirt_up"], {"default": 1})
    same("meta", sorted(k[0] for k in got["libvirt_domain_info_meta"]),
         sorted(d.UUIDString() for d in domains))


NETWORK = """<network><name>{name}</name><bridge name='{bridge}'/>
<ip address='192.168.{subnet}.1' netmask='255.255.255.0'><dhcp>
<range start='192.168.{subnet}.10' end='192.168.{subnet}.20'/></dhcp></ip></network>"""


def objects(client):
    """{(family, kind, name): value} of networks and pools."""
    return {(s.name, kind, s.labels[kind]): s.value
            for family in text_string_to_metric_families(text(client, "/metrics"))
            for s in family.samples for kind in ("network", "pool") if kind in s.labels}


def check_node(client, conn):
    got = {s.name + s.labels.get("mode", ""): s.value
           for family in text_string_to_metric_families(text(client, "/metrics"))
           for s in family.samples if s.name.startswith("libvirt_node_")}
    info, times = conn.getInfo(), conn.getCPUStats(-1)
    same("CPUs of the host", got["libvirt_node_cpus"], info[2])
    same("memory of the host in MiB", int(got["libvirt_node_memory_total_bytes"]) >> 20, info[1])
    check(0 < got["libvirt_node_memory_free_bytes"] <= got["libvirt_node_memory_total_bytes"] * 4,
          "free memory of the host", str(got))
    same("modes of CPUs", {n for n in got if "cpu_seconds" in n},
         {"libvirt_node_cpu_seconds_total" + mode for mode in times})
    for mode in ("kernel", "user"):
        check(0 < got["libvirt_node_cpu_seconds_total" + mode] <= times[mode] / 1e9,
              f"time in mode {mode}", f"{got} {times}")


def check_objects(client, conn, folder):
    """Beside libvirt's own; and while a network's lock is held, the rest is told all the same."""
    on = conn.networkCreateXML(NETWORK.format(name="met-on", bridge="vgmet0", subnet=71))
    off = conn.networkDefineXML(NETWORK.format(name="met-off", bridge="vgmet1", subnet=72))
    held = conn.networkDefineXML(NETWORK.format(name="hold-met", bridge="vgmet2", subnet=73))
    pools = [conn.storagePoolDefineXML(
        f"<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>")
        for name, path in (("met-pool", folder), ("met-idle", folder + "/idle"))]
    try:
        pools[0].create()
        got = objects(client)
        _, capacity, allocation, available = pools[0].info()
        for key, value in {
                ("libvirt_network_active", "network", "met-on"): 1,
                ("libvirt_network_active", "network", "met-off"): 0,
                ("libvirt_network_dhcp_leases", "network", "met-on"): 0,
                ("libvirt_network_dhcp_leases", "network", "met-off"): None,
                ("libvirt_storage_pool_state", "pool", "met-pool"): 2,
                ("libvirt_storage_pool_state", "pool", "met-idle"): 0,
                ("libvirt_pool_info_capacity_bytes", "pool", "met-pool"): capacity,
                ("libvirt_pool_info_allocation_bytes", "pool", "met-pool"): allocation,
                ("libvirt_pool_info_available_bytes", "pool", "met-pool"): available,
                ("libvirt_pool_info_capacity_bytes", "pool", "met-idle"): None}.items():
            same(f"metric {key}", got.get(key), value)
        with libvirt.open(conn.getURI()) as other:
            HOLD.touch()
            starts = threading.Thread(target=other.networkLookupByName("hold-met").create)
            starts.start()
            try:
                check(eventually(HOLD.with_name("hold-met.held").exists), "a network is held")
                found = scrape(client)
            finally:
                HOLD.unlink()
            same("up while a network is held", found["libvirt_up"], {"default": 1})
            check("libvirt_domain_info_vstate" in found and "libvirt_node_cpus" in found,
                  "domains and machine while a network is held", str(sorted(found)))
            check("libvirt_storage_pool_state" not in found, "and what waits is left out")
            starts.join()
    finally:
        for thing in (on, held, pools[0]):
            thing.destroy()
        for thing in (off, held, *pools):
            thing.undefine()


def run(verb, *more):
    return subprocess.run([DAEMON, verb, *more], check=True, text=True,
                          capture_output=True).stdout.strip()


def up(client):
    return scrape(client)["libvirt_up"]["default"]


def wait_until_up(client):
    for _ in range(300):
        if up(client) == 1:
            return True
        time.sleep(0.2)
    return False


def hung_guest(client):
    """The scrape that finds a guest hung may be `up 0`; it is answered, and the next one has
    the other guests."""
    pid = int(run("guest-pid", "metrics-run"))
    os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        scrape(client)
        check(time.monotonic() - begun < 25, "a scrape with a hung guest is answered in time")
        check(wait_until_up(client), "the host of a hung guest is up again while the guest hangs")
        check(client.send("GET", "/domains")[0] == 200, "a list beside a hung guest")
    finally:
        os.kill(pid, signal.SIGCONT)


def hung_daemon(client):
    run("freeze")
    try:
        begun = time.monotonic()
        same("a hung daemon is up 0", up(client), 0)
        check(time.monotonic() - begun < 25, "a scrape of a hung daemon is answered in time")
    finally:
        run("thaw")
    check(wait_until_up(client), "a daemon that was hung is up again")


def remove(conn, names):
    for name in names:
        try:
            dom = conn.lookupByName(name)
            if dom.isActive():
                dom.destroy()
            if dom.isPersistent():
                dom.undefine()
        except libvirt.libvirtError:
            pass


def main():
    libvirt.registerErrorHandler(lambda *_: None, None)
    if "VG_QEMU_URI" not in os.environ:
        print("VG_QEMU_URI is not set: run this by tests/run.sh qemu", file=sys.stderr)
        raise SystemExit(77)
    uri = os.environ["VG_QEMU_URI"]
    conn = libvirt.open(uri)
    names = ("metrics-run", "metrics-paused", 'metrics "off\\ é')
    gw = None
    with tempfile.TemporaryDirectory(prefix="vg-metrics-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        disks = [Path(folder, f"{i}.img") for i in range(4)]
        for disk in disks:
            disk.write_bytes(b"\0" * 65536)
            disk.chmod(0o666)
        try:
            conn.createXML(guest(names[0], disks[:2], TAP if os.path.exists("/dev/net/tun") else ""))
            conn.createXML(guest(names[1], disks[2:3]), libvirt.VIR_DOMAIN_START_PAUSED)
            conn.defineXML(guest(names[2].replace('"', "&quot;"), disks[3:]))
            gw = Gateway(uri)
            client = Client(gw.port)
            compare(client, conn)
            check_node(client, conn)
            check_objects(client, conn, folder)
            hung_guest(client)
            hung_daemon(client)
            compare(client, conn)
        finally:
            if gw:
                gw.stop()
            remove(conn, names)
            conn.close()
    report()


if __name__ == "__main__":
    main()
