#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# tls.sh VIRTGATE tls1_2|tls1_3: the server's CPU time of a connection that takes its session up
# again, to that of one with a full handshake, each with one request (an RSA key of 2,048 bits).
set -euo pipefail
D=$(mktemp -d)
PID=
trap '[ -z "$PID" ] || kill "$PID"; rm -rf "$D"' EXIT
PORT=${BENCH_PORT:-18080}
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$D/key" -out "$D/cert" -days 2 \
    -subj /CN=localhost 2>/dev/null
chmod 600 "$D/key"
"$1" --listen "127.0.0.1:$PORT" --connect test:///default --log-level 4 --allow-insecure \
    --tls-cert "$D/cert" --tls-key "$D/key" 2>"$D/log" &
PID=$!
curl -ksf -o /dev/null --retry 50 --retry-connrefused --retry-delay 0 \
    "https://127.0.0.1:$PORT/version"

ticks() { sed 's/.*) //' "/proc/$PID/stat" | awk '{ print $12 + $13 }'; }

# Ticks of a thousand connections.
cost() { # -new|-reuse
    local before n
    before=$(ticks)
    n=$(openssl s_time -connect "127.0.0.1:$PORT" "$1" "-$2" -time "${BENCH_SECONDS:-2}" \
        -www /health/live 2>/dev/null | sed -n 's/^\([0-9]*\) connections in .* real.*/\1/p')
    awk -v a="$before" -v b="$(ticks)" -v n="$n" 'BEGIN { print (b - a) * 1000 / n }'
}

for ((i = 0; i < 5; i++)); do
    awk -v a="$(cost -reuse "$2")" -v b="$(cost -new "$2")" 'BEGIN { printf "%.3f\n", a / b }'
done | sort -n | sed -n 3p
