# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the measurements of run.sh and peers.sh share: servers on loopback, each at a port of its
# own, and rates, their ratios and medians. Only what was started here is ended.
set -euo pipefail
cd "$(dirname "$0")/../.."
O=${O:-build}
SECONDS_EACH=${BENCH_SECONDS:-1}
PORT=${BENCH_PORT:-18080}
BASE=http://127.0.0.1:$PORT
BARE=http://127.0.0.1:$((PORT + 1))
# shellcheck disable=SC2034 # of those that read this file
OTHER=http://127.0.0.1:$((PORT + 2))
ROUNDS=5
TICKS=$(getconf CLK_TCK)
WORK=$(mktemp -d)
VG_LIBVIRTD_DIR=$(mktemp -d /tmp/vgb.XXXXXX)
VG_LIBVIRTD_OWNER=$$
export VG_LIBVIRTD_DIR VG_LIBVIRTD_OWNER
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

# Bytes of an answer; a host that is being connected has none yet.
size_of() { # url
    local i
    for ((i = 0; i < 300; i++)); do
        ! curl -fs -o "$WORK/answer" "$1" || break
        sleep 0.2
    done
    stat -c %s "$WORK/answer"
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

# ---- what wrk asks -------------------------------------------------------------------------

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
export BENCH_NAMES=0 BENCH_QUERY=

names() { # connections
    load "$BASE" "$1" "$WORK/names.lua"
}

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
