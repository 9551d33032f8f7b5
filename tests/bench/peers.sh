#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make bench-peers: the gateway beside what people have else: nginx with files of the length of its
# answers, and an application of Flask (flask_app.py) behind gunicorn, one process for each core. On
# a private libvirtd with 30 domains, so it needs root. Ratios of one run, as `make bench` has them.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/bench/guests.sh
. tests/bench/guests.sh

await() { # url
    curl -fs -o /dev/null --retry 50 --retry-connrefused --retry-delay 0 "$1" || {
        echo "no server at $1" >&2
        exit 1
    }
}

# Files with what the gateway answers.
start_nginx() { # port path...
    local port=$1 path
    mkdir -p "$WORK/www"
    chmod 755 "$WORK" "$WORK/www"
    for path in "${@:2}"; do
        curl -fsS -o "$WORK/www$path" "$BASE$path"
    done
    chmod 644 "$WORK"/www/*
    cat >"$WORK/nginx.conf" <<X
worker_processes auto;
daemon off;
pid $WORK/nginx.pid;
error_log $WORK/nginx.log;
events { worker_connections 1024; }
http {
    access_log $WORK/nginx-access.log;
    default_type application/json;
    keepalive_requests 100000000;
    open_file_cache max=10;
    server { listen 127.0.0.1:$port; root $WORK/www; }
}
X
    nginx -c "$WORK/nginx.conf" &
    PID[$port]=$!
    await "http://127.0.0.1:$port$2"
}

start_flask() { # port
    BENCH_URI=$URI gunicorn --chdir tests/bench --bind "127.0.0.1:$1" --workers "$(nproc)" \
        --threads 4 --worker-class gthread --keep-alive 60 --log-level error flask_app:app &
    PID[$1]=$!
    await "http://127.0.0.1:$1/version"
}

# Their processes' children do the work: no CPU time.
each_rate() { # what url
    local c
    for c in 1 16 64; do
        # shellcheck disable=SC2046
        row "$1, $c" $(load "$2" "$c" | cut -d' ' -f1-3) -
    done
}

compare() { # path connections [script]
    local script=()
    [ -z "${3:-}" ] || script=("$WORK/$3")
    figure "$1${3:+, asked of libvirt}, $2: the gateway / Flask's" \
        "$(ratio load "$BASE$1" "$2" "${script[@]}" -- load "$OTHER$1" "$2" "${script[@]}")"
}

URI=$(tests/qemu/libvirtd.sh start) || {
    echo "no libvirtd of our own" >&2
    exit 77
}
gateway "$PORT" --connect "$URI"
qemu_domains 0 30
start_nginx $((PORT + 1)) /version /domains
start_flask $((PORT + 2))
for path in /version /domains; do
    each_rate "the gateway: $path" "$BASE$path"
    each_rate "nginx, a file: $path" "$BARE$path"
    each_rate "Flask: $path" "$OTHER$path"
    figure "$path, 64: the gateway / nginx with a file" \
        "$(ratio load "$BASE$path" 64 -- load "$BARE$path" 64)"
done
compare /version 64
compare /domains 16
compare /domains 1 fresh.lua
compare /domains/b0 16
echo
tests/bench/table.py "$WORK/figures"
