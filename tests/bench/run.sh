#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make bench: the gateway beside libvirt's own C API and a bare libmicrohttpd server, in one run
# on one machine; the load generator shares its cores. Absolute numbers say little (saturated
# answers vary by a third between runs), ratios of one run do. Needs root for the private
# libvirtd; everything is on loopback, and only what was started here is ended.
#
#   BENCH_SECONDS=2   of each measurement      BENCH_PORT=18080   and the next one
set -euo pipefail
cd "$(dirname "$0")/../.."
O=${O:-build}
SECONDS_EACH=${BENCH_SECONDS:-2}
PORT=${BENCH_PORT:-18080}
ROUNDS=3
export VG_LIBVIRTD_DIR=/tmp/vg-bench-libvirtd
WORK=$(mktemp -d)
GATEWAY=
BARE=

finish() {
    [ -z "$GATEWAY" ] || kill "$GATEWAY" 2>/dev/null || true
    [ -z "$BARE" ] || kill "$BARE" 2>/dev/null || true
    tests/qemu/libvirtd.sh stop >/dev/null 2>&1 || true
    rm -rf "$WORK"
}
trap finish EXIT

gateway() { # options...
    "$O/virtgate" --listen "127.0.0.1:$PORT" "$@" 2>"$WORK/gateway.log" &
    GATEWAY=$!
    local i
    for ((i = 0; i < 500; i++)); do
        curl -fs -o /dev/null "http://127.0.0.1:$PORT/version" && return
        sleep 0.01
    done
    cat "$WORK/gateway.log" >&2
    exit 1
}

end() { # pid
    kill "$1"
    wait "$1" 2>/dev/null || true
}

bare() { # length
    [ -z "$BARE" ] || end "$BARE"
    "$O/tests/bench/hello" $((PORT + 1)) "$1" &
    BARE=$!
    sleep 0.2
}

# Requests per second, p50 and p99 in ms.
load() { # url connections [script]
    wrk -t "$(($2 < 2 ? 1 : 2))" -c "$2" -d "${SECONDS_EACH}s" --latency ${3:+-s "$3"} "$1" |
        awk 'function ms(t) { return t ~ /us$/ ? t / 1000 : t ~ /ms$/ ? t + 0 : t * 1000 }
            /50%/ { p50 = ms($2) } /99%/ { p99 = ms($2) } /Requests\/sec/ { rate = $2 }
            /Non-2xx/ { bad = $NF } END { printf "%.0f %.3f %.3f%s\n", rate, p50, p99,
            bad ? " BAD:" bad : "" }'
}

median() { sort -n | awk '{ v[NR] = $0 } END { print v[int((NR + 1) / 2)] }'; }

row() { # what rate p50 p99
    printf '%-58s %9s %9s %9s\n' "$@"
}

each_load() { # what url [script]
    local c
    for c in 1 16 64; do
        # shellcheck disable=SC2046
        row "$1, $c connections" $(load "$2" "$c" "${3:-}")
    done
}

# A B A B ...: the two medians in $A and $B.
pair() { # command-a command-b
    local i
    : >"$WORK/a"
    : >"$WORK/b"
    for ((i = 0; i < ROUNDS; i++)); do
        eval "$1" | cut -d' ' -f1 >>"$WORK/a"
        eval "$2" | cut -d' ' -f1 >>"$WORK/b"
    done
    A=$(median <"$WORK/a")
    B=$(median <"$WORK/b")
}

figure() { # what ratio wanted at-least|at-most
    awk -v what="$1" -v ratio="$2" -v wanted="$3" -v how="$4" 'BEGIN {
        good = how == "at-least" ? ratio >= wanted : ratio <= wanted
        printf "%-66s %8.2f  %s %-5s %s\n", what, ratio, how, wanted, good ? "reached" : "missed" }'
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", b ? a / b : 0 }'; }

rss() { awk '/VmRSS/ { print $2 }' "/proc/$1/status"; }

node_file() { # count
    echo '<node><cpu><mhz>1000</mhz><model>x86_64</model><active>2</active><nodes>1</nodes>'
    echo '<sockets>1</sockets><cores>2</cores><threads>1</threads></cpu><memory>9000000</memory>'
    local i
    for ((i = 0; i < $1; i++)); do
        echo "<domain type='test'><name>b$i</name><memory>16384</memory><vcpu>1</vcpu>" \
            "<os><type arch='i686'>hvm</type></os></domain>"
    done
    echo '</node>'
}

qemu_domains() {
    local i
    for ((i = 0; i < 30; i++)); do
        curl -fsS -o /dev/null -H 'Content-Type: application/xml' --data-binary @- \
            "$BASE/domains" <<X
<domain type='qemu'><name>b$i</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><on_poweroff>destroy</on_poweroff>
<devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>
X
        ((i >= 10)) || curl -fsS -o /dev/null -X POST "$BASE/domains/b$i/start?flags=paused"
    done
}

start_up_ms() {
    "$O/tests/bench/startup" "$O/virtgate" --connect test:///default \
        --listen "127.0.0.1:$((PORT + 2))" --log-outputs "1:file:$WORK/startup.log"
}

cat >"$WORK/names.lua" <<'L'
local n, query = 0, os.getenv("BENCH_QUERY") or ""
request = function() n = n + 1; return wrk.format("GET", "/domains/b" .. n % 30 .. query) end
L
export BENCH_QUERY=
LIKE='?fields=id,name,uuid,maxMemoryKiB,memoryKiB,vcpus,cpuTimeNs'
BASE=http://127.0.0.1:$PORT
HELLO=http://127.0.0.1:$((PORT + 1))

row "" "req/s" "p50 ms" "p99 ms"
gateway --connect test:///default
bare "$(curl -s "$BASE/version" | wc -c)"
each_load "bare libmicrohttpd, as long as /version" "$HELLO/"
each_load "/version, test:///default" "$BASE/version"
each_load "/domains, 1 domain, test:///default" "$BASE/domains"
each_load "/domains/test, test:///default" "$BASE/domains/test"
pair "load $BASE/version 64" "load $HELLO/ 64"
VERSION_RATIO=$(ratio "$A" "$B")
end "$GATEWAY"

node_file 1000 >"$WORK/1000.xml"
node_file 2000 >"$WORK/2000.xml"
gateway --connect "test://$WORK/1000.xml"
bare "$(curl -s "$BASE/domains" | wc -c)"
each_load "bare libmicrohttpd, as long as 1,000 domains" "$HELLO/"
each_load "/domains, 1,000 domains, test driver" "$BASE/domains"
ONE=$(for ((i = 0; i < ROUNDS; i++)); do load "$BASE/domains" 1; done | cut -d' ' -f1 | median)
end "$GATEWAY"
gateway --connect "test://$WORK/2000.xml"
TWO=$(for ((i = 0; i < ROUNDS; i++)); do load "$BASE/domains" 1; done | cut -d' ' -f1 | median)
end "$GATEWAY"

URI=$(tests/qemu/libvirtd.sh start)
BARE_RSS=$("$O/tests/bench/native" "$URI" idle | awk '{ print $1 }')
gateway --connect "$URI"
sleep 1
IDLE_RSS=$(rss "$GATEWAY")
qemu_domains
native() { "$O/tests/bench/native" "$URI" "$1" "$2" "$SECONDS_EACH" b 30; }
for t in 1 8; do
    # shellcheck disable=SC2046
    {
        row "libvirt C: lookup and info, $t connections" $(native lookup "$t")
        row "libvirt C: list and info of 30, $t connections" $(native list "$t")
        row "libvirt C: one stats call for 30, $t connections" $(native stats "$t")
    }
done
each_load "/version, QEMU" "$BASE/version"
each_load "/domains, 30 QEMU" "$BASE/domains"
each_load "/domains?view=full, 30 QEMU" "$BASE/domains?view=full"
each_load "/domains/{name}, 30 QEMU, all fields" "$BASE" "$WORK/names.lua"
export BENCH_QUERY=$LIKE
each_load "/domains/{name}, 30 QEMU, fields of lookup and info" "$BASE" "$WORK/names.lua"
pair "load $BASE 16 $WORK/names.lua" "native lookup 8"
LIKE_RATIO=$(ratio "$A" "$B")
export BENCH_QUERY=
pair "load $BASE 16 $WORK/names.lua" "native lookup 8"
ALL_RATIO=$(ratio "$A" "$B")
pair "load '$BASE/domains?view=full' 16" "native list 8"
FULL_RATIO=$(ratio "$A" "$B")
LOAD_RSS=$(rss "$GATEWAY")
STARTUP=$(start_up_ms)

echo
figure "/version / bare libmicrohttpd, 64 connections" "$VERSION_RATIO" 0.80 at-least
figure "/domains/{name}, fields of lookup and info / libvirt C, 16" "$LIKE_RATIO" 0.60 at-least
figure "/domains/{name}, all fields (7 calls) / libvirt C (2 calls), 16" "$ALL_RATIO" 0.60 at-least
figure "/domains?view=full of 30 / libvirt C asking each, 16" "$FULL_RATIO" 4 at-least
figure "time of 2,000 domains / of 1,000" "$(ratio "$ONE" "$TWO")" 2.2 at-most
figure "idle RSS above a bare libvirt program, MiB" \
    "$(ratio $((IDLE_RSS - BARE_RSS)) 1024)" 6 at-most
figure "RSS after load, MiB" "$(ratio "$LOAD_RSS" 1024)" 64 at-most
figure "start to first answer, ms" "$STARTUP" 60 at-most
printf '%-66s %8.2f\n' "binary, stripped, MiB" \
    "$(strip -o "$WORK/stripped" "$O/virtgate" && ratio "$(stat -c %s "$WORK/stripped")" 1048576)"
