#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""GET /metrics as others read it: promtool's linter, the strict parser of OpenMetrics, a real
Prometheus that scrapes a gateway; and the dashboard, which may use no other names.

Everything is on loopback, on ports that the kernel chose; only what was started here is ended.
"""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text

import openapi_examples
from openapi import Report

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("O", "build")
BINARY = ROOT / os.environ.get("VIRTGATE_BIN", BUILD / "virtgate")
DASHBOARD = ROOT / "docs/grafana-dashboard.json"
OPENMETRICS = "application/openmetrics-text"
# What a domain's name may hold of what could break a format.
HOSTILE = 'a "b\\ c}{,=é\t#'

# The names of kumina's exporter (Debian's prometheus-libvirt-exporter), and of Tinkoff's and
# inovex's what one call of virConnectGetAllDomainStats tells.
EXPORTERS = """
libvirt_up libvirt_domains libvirt_domains_number libvirt_domain_state_code libvirt_versions_info
libvirt_domain_info_meta libvirt_domain_info_vstate libvirt_domain_info_state
libvirt_domain_info_cpu_time_seconds_total libvirt_domain_info_maximum_memory_bytes
libvirt_domain_info_memory_usage_bytes libvirt_domain_info_virtual_cpus
libvirt_domain_vcpu_current libvirt_domain_vcpu_maximum libvirt_domain_vcpu_state
libvirt_domain_vcpu_time_seconds_total libvirt_domain_vcpu_wait_seconds_total
libvirt_domain_vcpu_delay_seconds_total
libvirt_domain_block_meta libvirt_domain_block_stats_info
libvirt_domain_block_stats_read_bytes_total libvirt_domain_block_stats_read_requests_total
libvirt_domain_block_stats_read_time_seconds_total libvirt_domain_block_stats_write_bytes_total
libvirt_domain_block_stats_write_requests_total libvirt_domain_block_stats_write_time_seconds_total
libvirt_domain_block_stats_flush_requests_total libvirt_domain_block_stats_flush_time_seconds_total
libvirt_domain_block_stats_allocation libvirt_domain_block_stats_capacity_bytes
libvirt_domain_block_stats_physicalsize_bytes
libvirt_domain_interface_stats_receive_bytes_total
libvirt_domain_interface_stats_receive_packets_total
libvirt_domain_interface_stats_receive_errors_total
libvirt_domain_interface_stats_receive_drops_total
libvirt_domain_interface_stats_transmit_bytes_total
libvirt_domain_interface_stats_transmit_packets_total
libvirt_domain_interface_stats_transmit_errors_total
libvirt_domain_interface_stats_transmit_drops_total
libvirt_domain_memory_stats_major_fault_total libvirt_domain_memory_stats_minor_fault_total
libvirt_domain_memory_stats_unused_bytes libvirt_domain_memory_stats_available_bytes
libvirt_domain_memory_stats_actual_balloon_bytes libvirt_domain_memory_stats_current_balloon_bytes
libvirt_domain_memory_stats_maximum_bytes libvirt_domain_memory_stats_rss_bytes
libvirt_domain_memory_stats_usable_bytes libvirt_domain_memory_stats_disk_cache_bytes
libvirt_domain_memory_stats_disk_caches_bytes libvirt_domain_memory_stats_used_percent
libvirt_domain_memory_stats_swap_in_bytes libvirt_domain_memory_stats_swap_out_bytes
libvirt_domain_memory_stats_hugetlb_pgalloc_total libvirt_domain_memory_stats_hugetlb_pgfail_total
libvirt_domain_memory_stats_last_update_timestamp_seconds
libvirt_pool_info_capacity_bytes libvirt_pool_info_allocation_bytes
libvirt_pool_info_available_bytes
""".split()


def fetch(url, accept=None):
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as r:
        return r.read().decode()


def families_in_sources():
    """Every family that the gateway may write, by the tables in its sources."""
    names = set()
    for path in ("server/core/metrics.c", "server/libvirt/domain/metrics.c",
                 "server/libvirt/host_metrics.c", "routes/gateway/metrics.c"):
        names |= set(re.findall(r'"((?:virtgate|libvirt|process)_[a-z0-9_]+)"',
                                (ROOT / path).read_text()))
    return names


def dashboard_names():
    """The metrics in the queries of the dashboard, without what histograms add."""
    text = json.dumps(json.loads(DASHBOARD.read_text()))
    names = set(re.findall(r"\b(?:virtgate|libvirt|process)_[a-z0-9_]+", text))
    return {re.sub(r"_bucket$", "", name) for name in names}


def check_dashboard(report):
    board = json.loads(DASHBOARD.read_text())
    names = dashboard_names()
    report.check("dashboard: its names are exported",
                 [f"{n} is not" for n in sorted(names - families_in_sources())]
                 or ([] if names else ["it names none"]))
    ids = [p["id"] for p in board["panels"]]
    rows = [p["title"] for p in board["panels"] if p["type"] == "row"]
    errors = [] if len(ids) == len(set(ids)) else ["two panels with one id"]
    errors += [] if rows == ["Gateway", "Hosts", "Domains"] else [f"rows {rows}"]
    errors += [f"{p['title']}: not of the variable data source" for p in board["panels"]
               if p["type"] != "row" and p["datasource"]["uid"] != "${datasource}"]
    errors += [f"{p['title']}: no query" for p in board["panels"]
               if p["type"] != "row" and not p["targets"]]
    kinds = {v["name"]: v["type"] for v in board["templating"]["list"]}
    errors += [] if kinds.get("datasource") == "datasource" else ["no variable data source"]
    report.check("dashboard: can be imported", errors)


def duplicates(text):
    series = Counter(line.rsplit(" ", 1)[0] for line in text.splitlines()
                     if line and not line.startswith("#"))
    return [f"{name}: {n} times" for name, n in series.items() if n > 1]


def check_text(report, base):
    text = fetch(base + "/metrics")
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=False,
                          capture_output=True, timeout=60)
    report.check("text: promtool check metrics",
                 (lint.stdout + lint.stderr).splitlines() + ["status"] * (lint.returncode != 0))
    report.check("text: no series twice", duplicates(text))
    found = {s.labels.get("domain") for f in parse_text(text) for s in f.samples}
    report.check("text: a hostile name survives",
                 [] if HOSTILE.replace("\t", "\ufffd") in found or HOSTILE in found
                 else [f"among {found} is no {HOSTILE!r}"])
    heads = Counter(re.findall(r"^# (TYPE|HELP) (\S+)", text, re.M))
    report.check("text: one HELP and one TYPE a family",
                 [f"{k}: {n}" for k, n in heads.items() if n != 1])
    report.check("text: values are numbers",
                 [line for line in text.splitlines()
                  if not line.startswith("#") and not re.search(r" [0-9]+(\.[0-9]+)?$", line)])
    compressed = urllib.request.Request(base + "/metrics", headers={"Accept-Encoding": "gzip"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(compressed) as r:
        report.check("text: compressed when asked for",
                     [] if r.headers.get("Content-Encoding") == "gzip" else ["it is not"])


def check_openmetrics(report, base):
    text = fetch(base + "/metrics", OPENMETRICS)
    errors = []
    try:
        families = list(parse_open(text))
    except ValueError as e:
        families, errors = [], [str(e)]
    report.check("OpenMetrics: the strict parser takes it", errors)
    report.check("OpenMetrics: no series twice", duplicates(text))
    samples = {s.name for f in families for s in f.samples}
    others = {s.name for f in parse_text(fetch(base + "/metrics")) for s in f.samples}
    report.check("OpenMetrics: the same samples",
                 [f"{n} is in one only" for n in sorted(samples ^ others)])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def prometheus(folder, target):
    """A Prometheus of our own that scrapes the target every second."""
    port = free_port()
    config = Path(folder, "prometheus.yml")
    config.write_text("global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
                      "scrape_configs:\n"
                      "  - job_name: virtgate\n"
                      f"    static_configs: [{{targets: ['{target}']}}]\n")
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
               f"--web.listen-address=127.0.0.1:{port}", "--log.level=debug"]
    with open(Path(folder, "log"), "wb") as log, openapi_examples.running(command, log):
        yield f"http://127.0.0.1:{port}"


def query(base, expression):
    url = base + "/api/v1/query?query=" + urllib.parse.quote(expression)
    try:
        return json.loads(fetch(url))["data"]["result"]
    except (urllib.error.URLError, ConnectionError):
        return []


def check_prometheus(report, gateway):
    with tempfile.TemporaryDirectory(prefix="vg-prom-") as folder:
        with prometheus(folder, urllib.parse.urlsplit(gateway).netloc) as base:
            scrapes = 'count_over_time(up{job="virtgate"}[1m])'
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                found = query(base, scrapes)
                if found and float(found[0]["value"][1]) >= 4:
                    break
                time.sleep(0.2)
            up = [float(r["value"][1]) for r in query(base, 'up{job="virtgate"}')]
            report.check("Prometheus: up is 1", [] if up == [1] else [f"it is {up}"])
            for name, want in {"libvirt_domain_info_vstate": 2, "libvirt_up": 2,
                               "virtgate_http_requests_total": 1}.items():
                got = len(query(base, name))
                report.check(f"Prometheus: has {name}",
                             [] if got >= want else [f"{got} series, {want} wanted"])
            hosts = {r["metric"]["host"]: r["value"][1] for r in query(base, "libvirt_up")}
            report.check("Prometheus: a dead host is 0",
                         [] if hosts == {"default": "1", "dead": "0"} else [str(hosts)])
            targets = json.loads(fetch(base + "/api/v1/targets"))["data"]["activeTargets"]
            report.check("Prometheus: no error of the last scrape",
                         [t["lastError"] for t in targets if t["lastError"]])
            metadata = json.loads(fetch(base + "/api/v1/metadata"))["data"]
            report.check("Prometheus: types are known",
                         [] if metadata.get("virtgate_http_requests_total",
                                            metadata.get("virtgate_http_requests"))
                         else [f"{len(metadata)} families, not this one"])
        log = Path(folder, "log").read_text(errors="replace")
        report.check("Prometheus: nothing of duplicates or dropped samples in its log",
                     [line for line in log.splitlines()
                      if re.search(r"level=(warn|error)|[Dd]uplicate|out-of-order|"
                                   r"msg=\"Append failed\"|scrape failed", line)
                      and not re.search("GOMAXPROCS|Received (SIGTERM|an OS signal)", line)])


def main():
    report = Report()
    missing = set(EXPORTERS) - families_in_sources()
    report.check("the names of the exporters are written", sorted(missing))
    check_dashboard(report)
    # a dead host beside the test driver
    with openapi_examples.start_gateway(
            BINARY, "--host", "dead=test+unix:///nosuch?socket=/nonexistent") as base:
        gateway = openapi_examples.Gateway(base)
        name = HOSTILE.replace("\t", "&#9;").replace('"', "&quot;")
        x = gateway.send("POST", "/domains", {"Content-Type": "application/xml"},
                         f"<domain type='test'><name>{name}</name><memory>65536</memory>"
                         "<os><type>hvm</type></os></domain>")
        report.check("a domain of a hostile name", [] if x.status == 201 else [str(x.body)])
        for path in ("/domains/test", "/domains/nosuch", "/nosuch", "/version"):
            gateway.send("GET", path)
        check_text(report, base)
        check_openmetrics(report, base)
        check_prometheus(report, base)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
