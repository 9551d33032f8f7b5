#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs the tests that `make` built and sums their counts; the last line is
# "N passed, N failed". A test program that fails without saying what, a suite without any
# check, and a test that could not run here count as failed.
#
#   tests/run.sh SUITE...     suites: unit api qemu contract browser
#
# O is the build folder, VG_TEST a glob of the tests to run (default: all), VG_TIMEOUT the
# seconds one of them may take, VG_QEMU_LANES how many libvirtds run side by side (default: as many
# as there are cores). VG_AGAIN=N: of each suite, up to N tests that failed run once more, alone, and
# the second result counts; both are printed. A report of a sanitizer, a crash and a timeout are final.
# It is for CI, where a guest is late now and then on a crowded machine.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

O=${O:-build}
export O
# The one that notes which functions of libvirt it calls, unless it is stale.
traced=$O/tests/trace/virtgate
[ "$traced" -nt "$O/virtgate" ] || traced=$O/virtgate
export VIRTGATE_BIN=${VIRTGATE_BIN:-$traced} VG_TRACE=${VG_TRACE:-$PWD/$O/calls.txt}
# Everything the API tests see, for the OpenAPI contract test.
export VG_RECORD=${VG_RECORD:-$PWD/$O/exchanges.jsonl}
# A libvirtd of ours ends with us, even if we are killed.
export VG_LIBVIRTD_OWNER=$$
passed=0
failed=0
again=() # tests whose failure is not counted yet
lanes=() # what the tests of a suite run on, one test at a time on each
daemons=()
work=$(mktemp -d)

finish() {
    stop_daemons
    rm -rf "$work"
}
trap finish EXIT

# Adds the counts of one program's output; prints it when anything failed, without what passed.
count() { # name exit-status output seconds
    local good bad line
    line=$(grep -aE '^[0-9]+ passed, [0-9]+ failed' "$3" | tail -n 1)
    if [ -n "$line" ]; then
        good=${line%% *}
        bad=${line#*, }
        bad=${bad%% *}
    else # cmocka
        good=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$3" | awk '{n += $1} END {print n + 0}')
        bad=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$3" | awk '{n += $1} END {print n + 0}')
    fi
    [ "$2" = 0 ] || [ "$bad" -gt 0 ] || bad=1
    [ $((good + bad)) -gt 0 ] || bad=1
    passed=$((passed + good))
    failed=$((failed + bad))
    printf '%-6s %-40s %5d passed %4d failed %4d s\n' \
        "$([ "$bad" = 0 ] && echo ok || echo FAILED)" "$1" "$good" "$bad" "$4"
    [ "$bad" = 0 ] || sed '/^\[       OK \]/d; s/^/    /' "$3"
}

# Leaves NAME.out, NAME.seconds and, at last, NAME.status in $work.
execute() { # name command...
    local at=$work/$1 status begun=$SECONDS
    mkdir -p "$(dirname "$at")"
    shift
    timeout --kill-after=10 "${VG_TIMEOUT:-600}" "$@" >"$at.out" 2>&1 </dev/null
    status=$?
    [ "$status" != 124 ] || echo "took longer than ${VG_TIMEOUT:-600} s" >>"$at.out"
    [ "$status" != 77 ] || echo "could not run on this machine" >>"$at.out"
    echo $((SECONDS - begun)) >"$at.seconds"
    [ ${#daemons[@]} = 0 ] || revive "${at#"$work/"}"
    echo "$status" >"$at.status"
}

# libvirtd 9.0 crashes now and then when a client goes while it registers for events (a race of
# remoteClientFreePrivateCallbacks() with its workers); the next test needs it.
revive() { # name
    local told
    told=$(sed -n 's/^reaper.py: //p' "$VG_LIBVIRTD_DIR/libvirtd.out" | tail -n +"$((crashes + 1))")
    [ -z "$told" ] || echo "note   during $1: $told"
    tests/qemu/libvirtd.sh pid >/dev/null 2>&1 && return
    echo "note   libvirtd was gone at the end of $1: it is started again"
    tests/qemu/libvirtd.sh up >/dev/null
}

report() { # name
    local at=$work/$1 status had=("$passed" "$failed")
    status=$(cat "$at.status" || echo 1)
    count "$1" "$status" "$at.out" "$(cat "$at.seconds")"
    if [ "$failed" -gt "${had[1]}" ] && may_go_again "$status" "$at.out"; then
        again+=("$1")
        passed=${had[0]}
        failed=${had[1]}
    fi
}

# Whether a failure may be the machine's: no report of a sanitizer, no crash, no limit of time.
may_go_again() { # exit-status output
    [ "${#again[@]}" -lt "${VG_AGAIN:-0}" ] && [ "$1" = 1 ] &&
        ! grep -qaE 'Sanitizer|runtime error:|ended with status|exit status' "$2"
}

# Names of a suite's tests that VG_TEST chooses: paths below tests/, of a program without its .c.
# Programs go by their sources, so that a stale one is not run. Executable scripts are tests, the
# others are their helpers; of QEMU shell is for helpers. Scripts come first: the longest are
# among them.
names() { # suite
    find "tests/$1" -name '*.sh' -executable -printf '%P\n' | { [ "$1" = qemu ] || cat; } |
        choose "$1"
    find "tests/$1" \( -name '*.py' -o -name 'test_*.mjs' \) -executable -printf '%P\n' |
        choose "$1"
    find "tests/$1" -name 'test_*.c' -printf '%P\n' | sed 's/\.c$//' | choose "$1"
}

# Of the names on stdin those that VG_TEST matches, with or without their folder.
choose() { # suite
    local name glob=${VG_TEST:-*}
    sort | while read -r name; do
        # shellcheck disable=SC2053 # VG_TEST is a glob
        if [[ $name == $glob || ${name##*/} == $glob ]]; then echo "$1/$name"; fi
    done
}

# Runs a suite's tests side by side, one at a time on each of $lanes.
run_suite() { # suite
    local chosen
    mapfile -t chosen < <(names "$1")
    run_tests "$1" "${chosen[@]}"
    if [ ${#again[@]} -gt 0 ]; then run_again "$1"; fi
    find "$work/$1" -name '*.record' -exec cat {} + >>"$VG_RECORD" 2>/dev/null
}

# What failed and may go again, one after the other; with a libvirtd that none of them has used.
run_again() { # suite
    local chosen=("${again[@]}") lanes=("${lanes[0]}") VG_AGAIN=0
    again=()
    if [ ${#daemons[@]} -gt 0 ]; then
        stop_daemons
        start_daemon || return 1
        lanes=("${daemons[@]}")
    fi
    echo "note   once more, alone: ${chosen[*]}"
    run_tests "$1" "${chosen[@]}"
}

run_tests() { # suite name...
    local suite=$1 name lane running=() idle=("${lanes[@]}")
    shift
    for name in "$@"; do
        while [ ${#idle[@]} = 0 ]; do report_ended; done
        lane=${idle[0]}
        idle=("${idle[@]:1}")
        on_lane "$suite" "$lane" "$name" &
        running+=("$name=$lane")
    done
    while [ ${#running[@]} -gt 0 ]; do report_ended; done
}

# One test: with a record of its own, since lines of several would get mixed (the contract's tests
# read what all recorded), and with its lane's libvirtd if there is one.
on_lane() { # suite lane name
    local command=tests/$3
    [ -x "$command" ] || command=$O/tests/$3
    [ "$1" = contract ] || export VG_RECORD=$work/$3.record
    if [ ${#daemons[@]} -gt 0 ]; then
        export VG_LIBVIRTD_DIR=$2
        crashes=$(grep -c '^reaper.py: ' "$2/libvirtd.out")
        VG_QEMU_URI=$(tests/qemu/libvirtd.sh uri)
        export VG_QEMU_URI
    fi
    execute "$3" "$command"
}

# Waits for one of $running at least, reports it, and gives its lane back to $idle.
report_ended() {
    local entry none left=()
    wait -n
    none=$?
    for entry in "${running[@]}"; do
        if [ $none = 127 ] || [ -e "$work/${entry%=*}.status" ]; then
            report "${entry%=*}"
            idle+=("${entry##*=}")
        else
            left+=("$entry")
        fi
    done
    running=("${left[@]}")
}

# A libvirtd for each lane; tests may kill and restart it, and clean up after them.
run_with_daemons() { # suite
    for _ in "${lanes[@]}"; do
        start_daemon || return
    done
    lanes=("${daemons[@]}")
    run_suite "$1"
    stop_daemons
}

start_daemon() {
    local daemon output=$work/libvirtd.out
    daemon=$(mktemp -u /tmp/vg-qemu.XXXXXX)
    if ! VG_LIBVIRTD_DIR=$daemon tests/qemu/libvirtd.sh start >/dev/null 2>"$output"; then
        count qemu/libvirtd.sh 1 "$output" 0
        return 1
    fi
    daemons+=("$daemon")
}

stop_daemons() {
    local daemon
    for daemon in "${daemons[@]}"; do
        VG_LIBVIRTD_DIR=$daemon tests/qemu/libvirtd.sh stop
    done
    daemons=()
}

# What the browser's tests need of npm, kept in the build folder. No script of a package runs.
fetch_packages() {
    local at=$O/browser output=$work/npm.out
    mkdir -p "$at" && cp -u tests/browser/package*.json "$at/"
    if ! { [ "$at/node_modules" -nt "$at/package-lock.json" ] ||
        { (cd "$at" && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts) &&
            touch "$at/node_modules"; }; } >"$output" 2>&1; then
        count browser/npm 1 "$output" 0
        return 1
    fi
    VG_NODE_MODULES=$(realpath "$at/node_modules")
    export VG_NODE_MODULES
}

for suite in "$@"; do
    before=$((passed + failed))
    mapfile -t lanes < <(seq "$(nproc)")
    case $suite in
    api)
        : >"$VG_RECORD"
        : >"$VG_TRACE"
        run_suite api
        ;;
    qemu)
        lanes=("${lanes[@]:0:${VG_QEMU_LANES:-${#lanes[@]}}}")
        run_with_daemons qemu
        ;;
    browser)
        lanes=(1)
        if fetch_packages; then run_with_daemons browser; fi
        ;;
    unit | contract) run_suite "$suite" ;;
    *)
        echo "no suite $suite" >&2
        exit 2
        ;;
    esac
    [ -n "${VG_TEST:-}" ] || [ "$suite" = contract ] || echo "# $suite" >>"$VG_TRACE"
    if [ $((passed + failed)) = "$before" ]; then
        echo "FAILED suite $suite ran no check"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
