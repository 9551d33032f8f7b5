#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Prints the guests and what happens to them: list, then watch. Lists again where it is told that
# events are missing (the gateway was started again, say), so it misses nothing.
#
#   watch.sh [URL]       http://localhost:8080 or, of one host, http://localhost:8080/hosts/kvm1;
#                        TOKEN in the environment, if the gateway wants one
set -euo pipefail
url=${1:-http://localhost:8080}
auth=()
[ -z "${TOKEN:-}" ] || auth=(-H "Authorization: Bearer $TOKEN")
heads=$(mktemp)
trap 'rm -f "$heads"' EXIT

get() { # path: the answer, its header in $heads
    curl -sS --fail-with-body -D "$heads" "${auth[@]}" "$url$1"
}

while :; do
    if ! list=$(get '/domains?fields=name,state'); then
        echo "$list" >&2
        sleep 1
        continue
    fi
    jq -r '.domains[] | "\(.name) \(.state)"' <<<"$list"
    revision=$(tr -d '\r' <"$heads" | sed -n 's/^X-Virtgate-Revision: //Ip')
    # A poll is answered when something happens, or after half a minute.
    while events=$(get "/events?object=domain&event=lifecycle&since=$revision&wait=30"); do
        jq -e 'any(.events[]; .event == "reset") | not' <<<"$events" >/dev/null || break
        jq -r '.events[] | "\(.domain.name) \(.type) \(.detail)"' <<<"$events"
        revision=$(jq -r .revision <<<"$events")
    done
    sleep 1
done
