# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Figures on a real libvirtd with QEMU guests, for run.sh. They need URI, and a gateway at PORT.
SECONDS_CYCLE=$((SECONDS_EACH * 3)) # a start takes a quarter of a second
# The fields that virDomainLookupByName and virDomainGetInfo tell.
LIKE='?fields=id,name,uuid,state,maxMemoryKiB,memoryKiB,vcpus,cpuTimeNs'

native() { # operation connections
    "$O/tests/bench/native" "$URI" "$1" "$2" "$SECONDS_EACH" b 30
}

post() { # path json
    curl -fsS -o /dev/null -H 'Content-Type: application/json' -d "$2" "$BASE$1"
}

# The first ten are paused, the others shut off.
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

# ---- lists and guests ----------------------------------------------------------------------

list_figures() {
    bare /domains
    figure "/domains of 20 QEMU, unchanged / bare libmicrohttpd, 64" \
        "$(ratio load "$BASE/domains" 64 -- load "$BARE/" 64)" at-least 0.80
    figure "time of a list of 20, asked of libvirt / of the bare statistics call, 1" \
        "$(ratio native stats 1 -- load "$BASE/domains" 1 "$WORK/fresh.lua")" at-most 1.5
}

domain_rows() {
    local t
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
    each_load "/domains, 30 QEMU" "$BASE/domains"
    each_load "/domains?view=full, 30 QEMU" "$BASE/domains?view=full"
    each_load "/domains/{name}, 30 QEMU, all fields" "$BASE" "$WORK/names.lua"
    export BENCH_QUERY=$LIKE
    each_load "/domains/{name}, 30 QEMU, as lookup and info" "$BASE" "$WORK/names.lua"
}

domain_figures() {
    export BENCH_NAMES=30 BENCH_QUERY=
    domain_rows
    figure "/domains/{name}, fields of lookup and info / libvirt C, 16" \
        "$(ratio names 16 -- native lookup 8)" at-least 0.60
    export BENCH_QUERY=
    figure "/domains/{name}, all fields / libvirt C (2 calls), 16" \
        "$(ratio names 16 -- native lookup 8)" at-least 0.60
    figure "/domains/{name}, all fields / libvirt C making the calls for them, 16" \
        "$(ratio names 16 -- native show 8)" at-least 0.60
    figure "time of /domains/{name}, all fields / of lookup and info, 1" \
        "$(ratio native lookup 1 -- names 1)" at-most 1.5
    figure "/domains?view=full of 30 / libvirt C asking each, 16" \
        "$(ratio load "$BASE/domains?view=full" 16 -- native list 8)" at-least 15
    figure "/domains?view=full of 30 / libvirt C asking each, 64" \
        "$(ratio load "$BASE/domains?view=full" 64 -- native list 8)" at-least 50
    figure "/domains/{name}, one domain / libvirt C, 64" \
        "$(ratio load "$BASE/domains/b0" 64 -- native lookup 8)" at-least 3
}

# ---- networks and pools --------------------------------------------------------------------

volumes() { # count
    "$O/tests/bench/native" "$URI" volumes 1 "$SECONDS_EACH" p0 "$1"
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

# ---- events --------------------------------------------------------------------------------

# KiB of each of so many event streams, milliseconds until an event has reached them all.
watchers() { # streams domain
    local streams=$((PORT + 2))
    gateway "$streams" --connect "$URI" --max-connections "$(($1 * 3 / 2))" \
        --max-connections-per-address "$(($1 * 3 / 2))"
    sleep 1
    "$O/tests/bench/watchers" "$streams" "$1" "${PID[$streams]}" "$2"
    end "$streams"
}

event_figures() {
    local each reached p50 p99
    curl -fsS -o /dev/null -X POST "$BASE/domains/b0/resume"
    read -r each reached <<<"$(watchers 10000 b0)"
    figure "an idle event stream of 10,000, KiB" "$each" at-most 24
    figure "an event reaches 10,000 streams, ms" "$reached" at-most 1000
    sleep 2
    read -r p50 p99 <<<"$("$O/tests/bench/delay" "$URI" "$PORT" b0 300)"
    figure "an event to a stream, added by the gateway, p50, ms" "$p50"
    figure "an event to a stream, added by the gateway, p99, ms" "$p99" at-most 2
    curl -fsS -o /dev/null -X POST "$BASE/domains/b0/suspend"
}

# ---- changes -------------------------------------------------------------------------------

# Clients that define, start, destroy and undefine a domain each, and one that reads another:
# rounds per second, p50, p99 and longest time of a read in ms.
cycle() { # port|uri work writers [read-name]
    "$O/tests/bench/cycle" "$1" "$2" "$3" "$SECONDS_CYCLE" "${@:4}"
}

cycle_reads() { # port|uri: p99 of a read in ms
    cycle "$1" start 8 b20 | cut -d' ' -f3
}

change_figures() {
    local i
    for ((i = 0; i < 3; i++)); do
        cycle_reads "$PORT" >>"$WORK/reads"
        cycle_reads "$URI" >>"$WORK/reads-c"
    done
    figure "a read beside the cycles of 8 writers, p99, ms" "$(median <"$WORK/reads")" at-most 20
    figure "the same of libvirt C, p99, ms" "$(median <"$WORK/reads-c")"
    figure "define, start, destroy, undefine by 8 writers / libvirt C" \
        "$(ROUNDS=3 ratio cycle "$PORT" start 8 -- cycle "$URI" start 8)" at-least 0.9
    SECONDS_CYCLE=$SECONDS_EACH # nothing is started
    figure "define, undefine by one writer / libvirt C" \
        "$(ratio cycle "$PORT" define 1 -- cycle "$URI" define 1)" at-least 0.8
}

# ---- metrics and statistics ----------------------------------------------------------------

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
    figure "/metrics of 20 / prometheus-libvirt-exporter, 1" \
        "$(ratio load "$BASE/metrics" 1 -- load "$OTHER/metrics" 1)" at-least 5
    figure "time of /metrics of 20 / of the bare stats call, 1" \
        "$(ratio native metrics 1 -- load "$BASE/metrics" 1)" at-most 1.5
    end $((PORT + 2))
}

# A thousand domains more, beside the 20 active ones of the scrapes.
stats_figures() {
    qemu_domains 30 1000
    figure "time of /domain-stats of 1,000 / of the call and its encoding, 1" \
        "$(ratio native encoded 1 -- load "$BASE/domain-stats" 1)" at-most 1.3
}
