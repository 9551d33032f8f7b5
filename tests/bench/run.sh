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
#   BENCH_SECONDS=2   of each measurement     BENCH_PORT=18080   and the next two
#   BENCH_UPDATE=1    writes the table into docs/performance.md
set -euo pipefail
cd "$(dirname "$0")/../.."
O=${O:-build}
SECONDS_EACH=${BENCH_SECONDS:-2}
PORT=${BENCH_PORT:-18080}
BASE=http://127.0.0.1:$PORT
BARE=http://127.0.0.1:$((PORT + 1))
OTHER=http://127.0.0.1:$((PORT + 2))
ROUNDS=5
SECONDS_CYCLE=$((SECONDS_EACH * 2)) # a start takes a quarter of a second
# The fields that virDomainLookupByName and virDomainGetInfo tell.
LIKE='?fields=id,name,uuid,state,maxMemoryKiB,memoryKiB,vcpus,cpuTimeNs'
TICKS=$(getconf CLK_TCK)
WORK=$(mktemp -d)
VG_LIBVIRTD_DIR=$(mktemp -d /tmp/vgb.XXXXXX)
VG_LIBVIRTD_OWNER=$$
export VG_LIBVIRTD_DIR VG_LIBVIRTD_OWNER BENCH_NAMES BENCH_QUERY
declare -A PID # of what serves a port

end() { # port
    local pid=${PID[$1]:-}
    [ -n "$pid" ] || return 0
    unset "PID[$1]"
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

finish() {
    local port
    for port in "${!PID[@]}"; do
        end "$port"
    done
    tests/qemu/libvirtd.sh stop >/dev/null 2>&1 || true
    rm -rf "$WORK" "$VG_LIBVIRTD_DIR" ${SHM:+"$SHM"}
}
trap finish EXIT

# ---- servers -------------------------------------------------------------------------------

# Its log goes to a file, as in service.
gateway() { # port options...
    local port=$1 log=$WORK/$1.log i
    end "$port"
    : >"$log"
    "$O/virtgate" --listen "127.0.0.1:$port" "${@:2}" 2>>"$log" &
    PID[$port]=$!
    for ((i = 0; i < 500; i++)); do
        ! grep -q msg=listening "$log" ||
            ! curl -fs -o /dev/null "http://127.0.0.1:$port/version" || return 0
        sleep 0.01
    done
    cat "$log" >&2
    exit 1
}

# As long as the gateway's answer at a path; without one, an empty answer.
bare() { # [path]
    local length=0
    [ -z "${1:-}" ] || length=$(curl -fsS "$BASE$1" | wc -c)
    end $((PORT + 1))
    "$O/tests/bench/hello" $((PORT + 1)) "$length" &
    PID[$((PORT + 1))]=$!
    curl -fs -o /dev/null --retry 50 --retry-connrefused --retry-delay 0 "$BARE/" || {
        echo "the bare server does not come up" >&2
        exit 1
    }
}

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

# Bytes of an answer; a host that is being connected has none yet.
size_of() { # url
    local i
    for ((i = 0; i < 300; i++)); do
        ! curl -fs -o "$WORK/answer" "$1" || break
        sleep 0.2
    done
    stat -c %s "$WORK/answer"
}

# The rate of two answers in bytes, one client each.
bytes_ratio() { # url-a url-b
    local a b rates spread
    a=$(size_of "$1")
    b=$(size_of "$2")
    read -r rates spread <<<"$(ratio load "$1" 1 -- load "$2" 1)"
    awk -v r="$rates" -v a="$a" -v b="$b" -v s="$spread" 'BEGIN { print r * a / b, s }'
}

# A thousand domains more, beside the 20 active ones of the scrapes.
stats_figures() {
    qemu_domains 30 1000
    # shellcheck disable=SC2046
    row "libvirt C: all statistics of 1,000, as JSON, 1" $(native encoded 1) -
    # shellcheck disable=SC2046
    row "/domain-stats, 1,000 QEMU, 1" $(load "$BASE/domain-stats" 1)
    figure "time of /domain-stats of 1,000 / of the call and its encoding, 1" \
        "$(ratio native encoded 1 -- load "$BASE/domain-stats" 1)" at-most 1.3
}

post() { # path json
    curl -fsS -o /dev/null -H 'Content-Type: application/json' -d "$2" "$BASE$1"
}

# Ten networks, ten pools, and a thousand volumes in one of them.
house_figures() {
    local i path
    for ((i = 0; i < 10; i++)); do
        post /networks "{\"name\":\"n$i\",\"mode\":\"isolated\"}"
        post /storage-pools "{\"name\":\"p$i\",\"path\":\"$WORK/p$i\",\"build\":true,\"start\":true}"
    done
    for ((i = 0; i < 1000; i++)); do
        : >"$WORK/p0/v$i"
    done
    curl -fsS -o /dev/null -X POST "$BASE/storage-pools/p0/refresh"
    for path in /networks /storage-pools; do
        bare "$path"
        figure "$path of 10, unchanged / bare libmicrohttpd, 64" \
            "$(ratio load "$BASE$path" 64 -- load "$BARE/" 64)" at-least 0.80
    done
    figure "time of 100 of 1,000 volumes with all figures / of the calls for them, 1" \
        "$(ratio volumes 100 -- load "$BASE/storage-pools/p0/volumes?view=full&limit=100" 1)" \
        at-most 1.3
}

volumes() { # count
    "$O/tests/bench/native" "$URI" volumes 1 "$SECONDS_EACH" p0 "$1"
}

qemu_domains() { # from to
    local i
    for ((i = $1; i < $2; i++)); do
        curl -fsS -o /dev/null -H 'Content-Type: application/xml' --data-binary @- \
            "$BASE/domains" <<X
<domain type='qemu'><name>b$i</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><on_poweroff>destroy</on_poweroff>
<devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>
X
        ((i >= 10)) || curl -fsS -o /dev/null -X POST "$BASE/domains/b$i/start?flags=paused"
    done
}

# Debian's exporter; its package's service is not used.
exporter() { # port
    end "$1"
    prometheus-libvirt-exporter --libvirt.uri="$URI" --web.listen-address="127.0.0.1:$1" \
        2>>"$WORK/exporter" &
    PID[$1]=$!
    curl -fs -o /dev/null --retry 50 --retry-connrefused --retry-delay 0 \
        "http://127.0.0.1:$1/metrics" || {
        echo "prometheus-libvirt-exporter does not come up" >&2
        exit 1
    }
}

# Two disks and, where the machine has them, a tap interface: a guest like those in service.
guest_with_devices() { # name
    local disk disks='' interface=''
    for disk in a b; do
        disks+="<disk type='file' device='disk'><source file='$WORK/$disk.img'/>"
        disks+="<target dev='vd$disk' bus='virtio'/><shareable/></disk>"
    done
    [ ! -e /dev/net/tun ] || interface="<interface type='ethernet'/>"
    curl -fsS -o /dev/null -H 'Content-Type: application/xml' --data-binary @- \
        "$BASE/domains" <<X
<domain type='qemu'><name>$1</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>$disks$interface
<controller type='usb' model='none'/></devices></domain>
X
    curl -fsS -o /dev/null -X POST "$BASE/domains/$1/start?flags=paused"
}

# Eight clients that define, start, destroy and undefine a domain each, and one that reads
# another: rounds per second, p50, p99 and longest time of a read in ms.
cycle() { # port|uri work writers [read-name]
    "$O/tests/bench/cycle" "$1" "$2" "$3" "$SECONDS_CYCLE" "${@:4}"
}

cycle_reads() { # port|uri: p99 of a read in ms
    cycle "$1" start 8 b20 | cut -d' ' -f3
}

change_figures() {
    local what rate p50 p99
    for what in "$URI" "$PORT"; do
        read -r rate p50 p99 _ <<<"$(cycle "$what" start 8 b20)"
        row "$([ "$what" = "$PORT" ] && echo "gateway" || echo "libvirt C"): a read beside 8 writers' cycles" \
            "$rate" "$p50" "$p99" -
    done
    figure "a read beside the cycles of 8 writers, p99, ms" \
        "$(for ((i = 0; i < 3; i++)); do cycle_reads "$PORT"; done | median)" at-most 20
    figure "the same of libvirt C, p99, ms" \
        "$(for ((i = 0; i < 3; i++)); do cycle_reads "$URI"; done | median)"
    figure "define, start, destroy, undefine by 8 writers / libvirt C" \
        "$(ratio cycle "$PORT" start 8 -- cycle "$URI" start 8)" at-least 0.9
    figure "define, undefine by one writer / libvirt C" \
        "$(ratio cycle "$PORT" define 1 -- cycle "$URI" define 1)" at-least 0.8
}

# Scrapes of 20 active domains, one after another. The others are all shut off by then.
metrics_figures() {
    local i
    chmod 755 "$WORK"
    truncate -s 1M "$WORK/a.img" "$WORK/b.img"
    chmod 666 "$WORK"/?.img
    for ((i = 0; i < 10; i++)); do
        curl -fsS -o /dev/null -X POST "$BASE/domains/b$i/destroy"
    done
    for ((i = 0; i < 20; i++)); do
        guest_with_devices "m$i"
    done
    exporter $((PORT + 2))
    # shellcheck disable=SC2046
    row "libvirt C: the stats call of a scrape, 20 active, 1" $(native metrics 1) -
    # shellcheck disable=SC2046
    {
        row "/metrics, 20 active QEMU, 1" $(load "$BASE/metrics" 1)
        row "prometheus-libvirt-exporter, 20 active QEMU, 1" $(load "$OTHER/metrics" 1)
    }
    figure "/metrics of 20 / prometheus-libvirt-exporter, 1" \
        "$(ratio load "$BASE/metrics" 1 -- load "$OTHER/metrics" 1)" at-least 5
    figure "time of /metrics of 20 / of the bare stats call, 1" \
        "$(ratio native metrics 1 -- load "$BASE/metrics" 1)" at-most 1.5
    end $((PORT + 2))
}

# ---- measuring -----------------------------------------------------------------------------

cpu_ticks() { # pid
    sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

# Requests per second, p50 and p99 in ms, the server's CPU time of a request in us.
load() { # url connections [script]
    local port=${1#http://127.0.0.1:} before after
    port=${port%%/*}
    [ ! -e "$WORK/$port.log" ] || : >"$WORK/$port.log" # grows by 25 MB/s
    before=$(cpu_ticks "${PID[$port]}")
    wrk -t "$(($2 < 2 ? 1 : 2))" -c "$2" -d "${SECONDS_EACH}s" --latency ${3:+-s "$3"} "$1" \
        >"$WORK/wrk"
    after=$(cpu_ticks "${PID[$port]}")
    awk -v cpu=$((after - before)) -v ticks="$TICKS" '
        function ms(t) { return t ~ /us$/ ? t / 1000 : t ~ /ms$/ ? t + 0 : t * 1000 }
        /50%/ { p50 = ms($2) }
        /99%/ { p99 = ms($2) }
        /requests in/ { n = $1 }
        /Requests\/sec/ { rate = $2 }
        /Socket errors|Non-2xx/ { bad = " BAD:" $0; gsub(/ +/, "_", bad); sub(/^_/, " ", bad) }
        END { printf "%.*f %.3f %.3f %.1f%s\n", rate < 100 ? 1 : 0, rate, p50, p99,
              n ? cpu * 1e6 / ticks / n : 0, bad }' "$WORK/wrk"
}

names() { # connections
    load "$BASE" "$1" "$WORK/names.lua"
}

native() { # operation connections
    "$O/tests/bench/native" "$URI" "$1" "$2" "$SECONDS_EACH" b 30
}

row() { # what rate p50 p99 cpu
    printf '%-58s %9s %9s %9s %9s\n' "$@"
}

each_load() { # what url [script]
    local c
    for c in 1 16 64; do
        # shellcheck disable=SC2046
        row "$1, $c" $(load "$2" "$c" "${3:-}")
    done
}

rate_of() { "$@" | cut -d' ' -f1; }

# The median of values, and their spread: half of what lies between the second and the last but
# one, as a part of the median.
median() {
    sort -n | awk '{ v[NR] = $0 } END {
        m = v[int((NR + 1) / 2)]
        low = v[NR > 3 ? 2 : 1]; high = v[NR > 3 ? NR - 1 : NR]
        if (NR) print m, m ? (high - low) / 2 / m : 0 }'
}

# The median of A's rate to B's, of rounds A B, B A, A B ...: one command each.
ratio() { # command-a... -- command-b...
    local a=() i x y
    while [ "$1" != -- ]; do
        a+=("$1")
        shift
    done
    shift
    for ((i = 0; i < ROUNDS; i++)); do
        if ((i % 2)); then
            y=$(rate_of "$@")
            x=$(rate_of "${a[@]}")
        else
            x=$(rate_of "${a[@]}")
            y=$(rate_of "$@")
        fi
        awk -v x="$x" -v y="$y" 'BEGIN { printf "%.3f\n", y ? x / y : 0 }'
    done | median
}

figure() { # what "value [spread]" [at-least|at-most wanted]
    local value spread
    read -r value spread <<<"$2" || true
    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$value" "$spread" "${3:-}" "${4:-}" >>"$WORK/figures"
}

memory() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; } # pid key

mib() { awk -v kib="$1" 'BEGIN { printf "%.2f", kib / 1024 }'; }

# Milliseconds from fork to the first 200.
start_up() { # uri
    local i
    for ((i = 0; i < ROUNDS; i++)); do
        "$O/tests/bench/startup" "$O/virtgate" --connect "$1" \
            --listen "127.0.0.1:$((PORT + 2))" --log-outputs "1:file:$WORK/startup.log"
    done | median
}

# KiB of each of so many event streams, milliseconds until an event has reached them all.
watchers() { # streams domain
    local other=$((PORT + 2))
    gateway "$other" --connect "$URI" --max-connections "$(($1 * 3 / 2))" \
        --max-connections-per-address "$(($1 * 3 / 2))"
    sleep 1
    "$O/tests/bench/watchers" "$other" "$1" "${PID[$other]}" "$2"
    end "$other"
}

echo 'wrk.headers["Cache-Control"] = "no-cache"' >"$WORK/fresh.lua"
echo 'wrk.headers["If-None-Match"] = os.getenv("ETAG")' >"$WORK/known.lua"

# Each of wrk's threads asks for names of its own: equal requests would share one call.
cat >"$WORK/names.lua" <<'L'
local threads, n, query = 0, 0, os.getenv("BENCH_QUERY")
local half = math.floor(os.getenv("BENCH_NAMES") / 2)
function setup(thread) thread:set("first", threads * half); threads = threads + 1 end
function request()
    n = n + 1
    return wrk.format("GET", "/domains/b" .. first + n % half .. query)
end
L

# Pages of 100 of the names b0 to b9999, in turn; each target once, so that none is remembered.
cat >"$WORK/pages.lua" <<'L'
local names, n = {}, 0
for i = 0, 9999 do names[i + 1] = "b" .. i end
table.sort(names)
function request()
    local page, round = n % 100, math.floor(n / 100)
    n = n + 1
    local after = (page > 0 and names[page * 100] or "") .. "!" .. round
    return wrk.format("GET", "/domains?limit=100&after=" .. after)
end
L

# ---- the test driver -----------------------------------------------------------------------

row "connections last" "req/s" "p50 ms" "p99 ms" "CPU us"
gateway "$PORT" --connect test:///default
bare /version
each_load "bare libmicrohttpd, as long as /version" "$BARE/"
each_load "/version, test:///default" "$BASE/version"
figure "/version / bare libmicrohttpd, 64 connections" \
    "$(ratio load "$BASE/version" 64 -- load "$BARE/" 64)" at-least 0.80
each_load "/domains, 1 domain, test:///default" "$BASE/domains"

node_file 1000 >"$WORK/1000.xml"
node_file 2000 >"$WORK/2000.xml"
gateway "$PORT" --connect "test://$WORK/1000.xml"
gateway $((PORT + 2)) --connect "test://$WORK/2000.xml"
bare /domains
each_load "bare libmicrohttpd, as long as 1,000 domains" "$BARE/"
each_load "/domains, 1,000 domains, test driver" "$BASE/domains"
LINEAR=$(ratio load "$BASE/domains" 1 "$WORK/fresh.lua" -- load "$OTHER/domains" 1 "$WORK/fresh.lua")
ETAG=$(curl -fsSI "$BASE/domains" | tr -d '\r' | sed -n 's/^ETag: //Ip')
export ETAG
bare
each_load "bare libmicrohttpd, empty" "$BARE/" "$WORK/known.lua"
each_load "/domains, 1,000 domains, not modified" "$BASE/domains" "$WORK/known.lua"
figure "/domains of 1,000, not modified / bare libmicrohttpd, empty, 64" \
    "$(ratio load "$BASE/domains" 64 "$WORK/known.lua" -- load "$BARE/" 64 "$WORK/known.lua")" \
    at-least 0.90
BENCH_NAMES=1000 BENCH_QUERY=
each_load "/domains/{name}, of 1,000, test driver" "$BASE" "$WORK/names.lua"
end $((PORT + 2))
STARTUP=$(start_up test:///default)

node_file 10000 >"$WORK/10000.xml"
gateway "$PORT" --connect "test://$WORK/10000.xml" --history no
# The list itself, once, and a hundred pages.
PAGED=$(ratio load "$BASE/domains" 1 "$WORK/fresh.lua" -- load "$BASE" 1 "$WORK/pages.lua")
figure "9,000 idle connections, percent of a core" \
    "$(tests/bench/idle.py connections "$O/virtgate" 9000)" at-most 0.5

# All guests of 500 hosts, warm, beside one host's list of as many.
many_hosts 500 20
gateway $((PORT + 2)) --connect test:///default --config "$WORK/hosts.conf"
await_hosts $((PORT + 2)) 501
figure "bytes/s of /hosts/-/domains, 500 hosts of 20, warm / of /domains of 10,000, 1" \
    "$(bytes_ratio "$OTHER/hosts/-/domains" "$BASE/domains")" at-least 0.8
end $((PORT + 2))

# A sampler keeps a worker of each host: without it.
read -r THREADS EACH <<<"$(tests/bench/idle.py hosts "$O/virtgate" 300)"
figure "threads of 300 idle hosts" "$THREADS" at-most 50
figure "an idle host of 300, KiB" "$EACH" at-most 100
for t in tls1_2 tls1_3; do
    figure "a session taken up again / a full handshake, server's CPU time, $t" \
        "$(BENCH_PORT=$((PORT + 2)) tests/bench/tls.sh "$O/virtgate" $t)" at-most 0.5
done

# shellcheck source=tests/bench/transfer.sh
. tests/bench/transfer.sh

# ---- a real libvirtd -----------------------------------------------------------------------

if URI=$(tests/qemu/libvirtd.sh start); then
    BARE_RSS=$("$O/tests/bench/native" "$URI" idle)
    gateway "$PORT" --connect "$URI"
    sleep 1
    IDLE_RSS=$(memory "${PID[$PORT]}" VmRSS)
    qemu_domains 0 20
    bare /domains
    figure "/domains of 20 QEMU, unchanged / bare libmicrohttpd, 64" \
        "$(ratio load "$BASE/domains" 64 -- load "$BARE/" 64)" at-least 0.80
    house_figures
    qemu_domains 20 30
    bare '/domains?view=full'
    for t in 1 8; do
        # shellcheck disable=SC2046
        {
            row "libvirt C: lookup and info, $t" $(native lookup "$t") -
            row "libvirt C: list and info of 30, $t" $(native list "$t") -
            row "libvirt C: one stats call for 30, $t" $(native stats "$t") -
        }
    done
    each_load "bare libmicrohttpd, as long as 30 domains" "$BARE/"
    each_load "/version, QEMU" "$BASE/version"
    each_load "/domains, 30 QEMU" "$BASE/domains"
    each_load "/domains?view=full, 30 QEMU" "$BASE/domains?view=full"
    BENCH_NAMES=30
    each_load "/domains/{name}, 30 QEMU, all fields" "$BASE" "$WORK/names.lua"
    BENCH_QUERY=$LIKE
    each_load "/domains/{name}, 30 QEMU, as lookup and info" "$BASE" "$WORK/names.lua"
    figure "/domains/{name}, fields of lookup and info / libvirt C, 16" \
        "$(ratio names 16 -- native lookup 8)" at-least 0.60
    BENCH_QUERY=
    figure "/domains/{name}, all fields / libvirt C (2 calls), 16" \
        "$(ratio names 16 -- native lookup 8)" at-least 0.60
    figure "/domains/{name}, all fields / libvirt C making the calls for them, 16" \
        "$(ratio names 16 -- native show 8)" at-least 0.60
    figure "/domains?view=full of 30 / libvirt C asking each, 16" \
        "$(ratio load "$BASE/domains?view=full" 16 -- native list 8)" at-least 15
    figure "/domains?view=full of 30 / libvirt C asking each, 64" \
        "$(ratio load "$BASE/domains?view=full" 64 -- native list 8)" at-least 50
    figure "/domains/{name}, one domain / libvirt C, 64" \
        "$(ratio load "$BASE/domains/b0" 64 -- native lookup 8)" at-least 3
    curl -fsS -o /dev/null -X POST "$BASE/domains/b0/resume"
    read -r EACH REACHED <<<"$(watchers 10000 b0)"
    figure "an idle event stream of 10,000, KiB" "$EACH" at-most 24
    figure "an event reaches 10,000 streams, ms" "$REACHED" at-most 1000
    sleep 2
    read -r ADDED_P50 ADDED_P99 <<<"$("$O/tests/bench/delay" "$URI" "$PORT" b0 300)"
    figure "an event to a stream, added by the gateway, p50, ms" "$ADDED_P50"
    figure "an event to a stream, added by the gateway, p99, ms" "$ADDED_P99" at-most 2
    curl -fsS -o /dev/null -X POST "$BASE/domains/b0/suspend"
    figure "idle RSS above a bare libvirt program, MiB" \
        "$(mib $((IDLE_RSS - BARE_RSS)))" at-most 6
    figure "peak RSS under load above a bare libvirt program, MiB" \
        "$(mib $(($(memory "${PID[$PORT]}" VmHWM) - BARE_RSS)))"
    figure "start to first answer, libvirtd, ms" "$(start_up "$URI")" at-most 60
    change_figures
    transfer_figures
    metrics_figures
    stats_figures
else
    echo "No libvirtd of our own: the figures of QEMU are left out"
fi
figure "time of 2,000 domains / of 1,000" "$LINEAR" at-most 2.2
figure "time of 10,000 domains by limit=100 / of the whole list" \
    "$(awk -v part="${PAGED% *}" -v spread="${PAGED#* }" 'BEGIN { print 1 + 100 * part, spread }')" at-most 2
figure "start to first answer, test:///default, ms" "$STARTUP" at-most 60
strip -o "$WORK/stripped" "$O/virtgate"
figure "binary, stripped, MiB" "$(mib $(($(stat -c %s "$WORK/stripped") / 1024)))"

echo
# shellcheck disable=SC2086
tests/bench/table.py "$WORK/figures" ${BENCH_UPDATE:+--update}
