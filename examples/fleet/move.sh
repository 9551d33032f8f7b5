#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Moves the hosts of one gateway to another, which runs by now with the same hosts: in HAProxy that
# runs, and in the map that it reads when it starts.
#
#   move.sh FROM TO [HOST...]     these hosts, or all of FROM's
#
# HOSTS_MAP and HAPROXY_SOCKET are those of haproxy.cfg. Needs socat.
set -euo pipefail
MAP=${HOSTS_MAP:-/etc/haproxy/hosts.map}
SOCKET=${HAPROXY_SOCKET:-/run/haproxy/admin.sock}
[ $# -ge 2 ] || {
    sed -n '4,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
from=$1 to=$2
shift 2

mapfile -t hosts < <(awk -v from="$from" -v only=" $* " \
    '$2 == from && (only ~ /^ *$/ || index(only, " " $1 " ")) {print $1}' "$MAP")
[ "${#hosts[@]}" -gt 0 ] || {
    echo "move.sh: $MAP gives $from none of these hosts" >&2
    exit 1
}

# A line of commands has 16 KiB at most. HAProxy says nothing when all is well.
said=$(for ((i = 0; i < ${#hosts[@]}; i += 50)); do
    commands=$(printf "set map $MAP %s $to;" "${hosts[@]:i:50}")
    echo "${commands%;}" | socat -t 10 - "UNIX-CONNECT:$SOCKET"
done)
[[ $said =~ ^[[:space:]]*$ ]] || {
    echo "$said" >&2
    exit 1
}

printf '%s\n' "${hosts[@]}" |
    awk -v to="$to" 'NR == FNR {moved[$1]; next} $1 in moved {$2 = to} {print}' - "$MAP" >"$MAP.new"
mv "$MAP.new" "$MAP"
echo "${#hosts[@]} hosts of $from are $to's"
