#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make bench: the gateway beside libvirt's own C API and a bare libmicrohttpd server, in one run
# on one machine; the load generator shares its cores. Absolute numbers say little (saturated
# answers vary by a third between runs, more when the machine has other work), ratios of one run
# do: each is the median of alternating pairs. Nothing here fails because of a figure.
#
# Everything is on loopback, and only what was started here is ended. The figures of QEMU need
# root, for a private libvirtd with 30 domains: 10 paused, 20 shut off; scrapes are of 20
# others, with disks, beside Debian's prometheus-libvirt-exporter.
#
#   BENCH_SECONDS=1   of each measurement     BENCH_PORT=18080   and the next two
#   BENCH_UPDATE=1    writes the table into docs/performance.md
#   BENCH_ONLY="driver hosts tls qemu"        some of the parts
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/bench/transfer.sh
. tests/bench/transfer.sh
# shellcheck source=tests/bench/guests.sh
. tests/bench/guests.sh

# Milliseconds from fork to the first 200.
start_up() { # uri
    local i
    for ((i = 0; i < ROUNDS; i++)); do
        "$O/tests/bench/startup" "$O/virtgate" --connect "$1" \
            --listen "127.0.0.1:$((PORT + 2))" --log-outputs "1:file:$WORK/startup.log"
    done | median
}

# ---- the test driver -----------------------------------------------------------------------

version_figures() {
    gateway "$PORT" --connect test:///default
    bare /version
    each_load "bare libmicrohttpd, as long as /version" "$BARE/"
    each_load "/version, test:///default" "$BASE/version"
    figure "/version / bare libmicrohttpd, 64 connections" \
        "$(ratio load "$BASE/version" 64 -- load "$BARE/" 64)" at-least 0.80
    figure "open loop at 80 % of the peak, /version, p99 / bare libmicrohttpd's" \
        "$(ratio paced_p99 "$PORT" /version -- paced_p99 $((PORT + 1)) /)" at-most 2
    figure "start to first answer, test:///default, ms" "$(start_up test:///default)" at-most 60
}

# The p99 of answers that are due at 80 % of the rate that 16 connections reach.
paced_p99() { # port path
    local peak
    read -r peak _ <<<"$("$O/tests/bench/paced" "$1" "$2" 16 0 "$SECONDS_EACH")"
    "$O/tests/bench/paced" "$1" "$2" 16 $((peak * 4 / 5)) "$SECONDS_EACH" | cut -d' ' -f3
}

# Lists of 1,000 and 2,000 domains.
long_list_figures() {
    node_file 1000 >"$WORK/1000.xml"
    node_file 2000 >"$WORK/2000.xml"
    gateway "$PORT" --connect "test://$WORK/1000.xml"
    gateway $((PORT + 2)) --connect "test://$WORK/2000.xml"
    bare /domains
    each_load "bare libmicrohttpd, as long as 1,000 domains" "$BARE/"
    each_load "/domains, 1,000 domains, test driver" "$BASE/domains"
    figure "/domains of 1,000, $(($(size_of "$BASE/domains") / 1000)) kB / bare libmicrohttpd, 512" \
        "$(ratio load "$BASE/domains" 512 -- load "$BARE/" 512)" at-least 0.90
    figure "time of 2,000 domains / of 1,000" \
        "$(ratio load "$BASE/domains" 1 "$WORK/fresh.lua" -- load "$OTHER/domains" 1 "$WORK/fresh.lua")" \
        at-most 2.2
    end $((PORT + 2))
    ETAG=$(curl -fsSI "$BASE/domains" | tr -d '\r' | sed -n 's/^ETag: //Ip')
    export ETAG
    bare
    figure "/domains of 1,000, not modified / bare libmicrohttpd, empty, 64" \
        "$(ratio load "$BASE/domains" 64 "$WORK/known.lua" -- load "$BARE/" 64 "$WORK/known.lua")" \
        at-least 0.90
    export BENCH_NAMES=1000
    each_load "/domains/{name}, of 1,000, test driver" "$BASE" "$WORK/names.lua"
}

# Ten thousand domains: the list itself, once, and a hundred pages.
page_figures() {
    local ratio SECONDS_EACH=3 ROUNDS=3 # the whole list takes long
    node_file 10000 >"$WORK/10000.xml"
    gateway "$PORT" --connect "test://$WORK/10000.xml" --history no
    ratio=$(ratio load "$BASE/domains" 1 "$WORK/fresh.lua" -- load "$BASE" 1 "$WORK/pages.lua")
    figure "time of 10,000 domains by limit=100 / of the whole list" \
        "$(awk -v part="${ratio% *}" -v spread="${ratio#* }" 'BEGIN { print 1 + 100 * part, spread }')" \
        at-most 2
    figure "9,000 idle connections, percent of a core" \
        "$(tests/bench/idle.py connections "$O/virtgate" 9000)" at-most 0.5
}

# ---- many hosts ----------------------------------------------------------------------------

# So many hosts of the test driver, each with so many domains: $WORK/hosts.conf.
many_hosts() { # hosts domains
    local i
    node_file "$2" >"$WORK/host.xml"
    for ((i = 0; i < $1; i++)); do
        cp "$WORK/host.xml" "$WORK/host$i.xml"
        printf '[host h%d]\nuri = test://%s\n' "$i" "$WORK/host$i.xml"
    done >"$WORK/hosts.conf"
    chmod 600 "$WORK/hosts.conf"
}

# Until all are up, and their list comes from memory.
await_hosts() { # port hosts
    local i url=http://127.0.0.1:$1
    for ((i = 0; i < 300; i++)); do
        [ "$(curl -fsS "$url/hosts" | jq '[.hosts[] | select(.state == "up")] | length')" != "$2" ] ||
            ! curl -fsS -o /dev/null -D - "$url/hosts/-/domains" | grep -qi 'source: inventory' ||
            return 0
        sleep 0.2
    done
    echo "the hosts do not come up" >&2
    exit 1
}

# The rate of two answers in bytes, one client each.
bytes_ratio() { # url-a url-b
    local a b rates spread
    a=$(size_of "$1")
    b=$(size_of "$2")
    read -r rates spread <<<"$(ratio load "$1" 1 -- load "$2" 1)"
    awk -v r="$rates" -v a="$a" -v b="$b" -v s="$spread" 'BEGIN { print r * a / b, s }'
}

# All guests of 500 hosts, warm, beside one host's list of as many; and what idle hosts cost.
host_figures() {
    local threads each
    many_hosts 500 20
    node_file 10000 >"$WORK/10000.xml"
    gateway "$PORT" --connect "test://$WORK/10000.xml" --history no
    gateway $((PORT + 2)) --connect test:///default --config "$WORK/hosts.conf"
    await_hosts $((PORT + 2)) 501
    figure "bytes/s of /hosts/-/domains, 500 hosts of 20, warm / of /domains of 10,000, 1" \
        "$(bytes_ratio "$OTHER/hosts/-/domains" "$BASE/domains")" at-least 0.8
    end $((PORT + 2))
    read -r threads each <<<"$(tests/bench/idle.py hosts "$O/virtgate" 300)"
    figure "threads of 300 idle hosts" "$threads" at-most 50
    figure "an idle host of 300, KiB" "$each" at-most 100
}

# ---- TLS -----------------------------------------------------------------------------------

tls_figures() {
    local version
    for version in tls1_2 tls1_3; do
        figure "a session taken up again / a full handshake, server's CPU time, $version" \
            "$(BENCH_PORT=$((PORT + 2)) tests/bench/tls.sh "$O/virtgate" $version)" at-most 0.5
    done
}

# ---- a real libvirtd -----------------------------------------------------------------------

qemu_figures() {
    local bare_rss idle_rss
    if ! URI=$(tests/qemu/libvirtd.sh start); then
        echo "No libvirtd of our own: the figures of QEMU are left out"
        return
    fi
    bare_rss=$("$O/tests/bench/native" "$URI" idle)
    gateway "$PORT" --connect "$URI"
    sleep 1
    idle_rss=$(memory "${PID[$PORT]}" VmRSS)
    qemu_domains 0 20
    list_figures
    house_figures
    qemu_domains 20 30
    domain_figures
    event_figures
    figure "idle RSS above a bare libvirt program, MiB" "$(mib $((idle_rss - bare_rss)))" at-most 6
    figure "peak RSS under load above a bare libvirt program, MiB" \
        "$(mib $(($(memory "${PID[$PORT]}" VmHWM) - bare_rss)))"
    figure "start to first answer, libvirtd, ms" "$(start_up "$URI")" at-most 60
    change_figures
    transfer_figures
    metrics_figures
    stats_figures
}

for part in ${BENCH_ONLY:-driver hosts tls qemu}; do
    [ "$part" != driver ] || {
        row "connections last" "req/s" "p50 ms" "p99 ms" "CPU us"
        version_figures
        long_list_figures
        page_figures
    }
    [ "$part" != hosts ] || host_figures
    [ "$part" != tls ] || tls_figures
    [ "$part" != qemu ] || qemu_figures
done
strip -o "$WORK/stripped" "$O/virtgate"
figure "binary, stripped, MiB" "$(mib $(($(stat -c %s "$WORK/stripped") / 1024)))"

echo
# shellcheck disable=SC2086
tests/bench/table.py "$WORK/figures" ${BENCH_UPDATE:+--update}
