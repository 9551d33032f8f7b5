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
# seconds one of them may take.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

O=${O:-build}
export O VIRTGATE_BIN=${VIRTGATE_BIN:-$O/virtgate}
# Everything the API tests see, for the OpenAPI contract test.
export VG_RECORD=${VG_RECORD:-$PWD/$O/exchanges.jsonl}
passed=0
failed=0
libvirtd=
work=$(mktemp -d)

finish() {
    [ -z "$libvirtd" ] || tests/qemu/libvirtd.sh stop
    rm -rf "$work"
}
trap finish EXIT

# Adds the counts of one program's output; prints it when anything failed.
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
    [ "$bad" = 0 ] || sed 's/^/    /' "$3"
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
    echo "$status" >"$at.status"
}

report() { # name
    local at=$work/$1
    count "$1" "$(cat "$at.status" || echo 1)" "$at.out" "$(cat "$at.seconds")"
}

run_one() { # name command...
    execute "$@"
    report "$1"
}

chosen() { # name
    # shellcheck disable=SC2053 # VG_TEST is a glob
    [[ $1 == ${VG_TEST:-*} ]]
}

# Test programs of a folder, by the names of their sources: a stale one is not run.
programs() { # suite
    local source name
    for source in tests/"$1"/test_*.c; do
        name=$(basename "$source" .c)
        if [ -e "$source" ] && chosen "$name"; then echo "$O/tests/$1/$name"; fi
    done
}

run_programs() { # suite
    local program
    for program in $(programs "$1"); do
        run_one "$1/$(basename "$program")" "$program"
    done
}

# Those that share nothing, as many at a time as there are cores; each with a record of its
# own, since their lines would get mixed.
run_side_by_side() { # suite
    local program name running=()
    for program in $(programs "$1"); do
        name=$1/$(basename "$program")
        [ ${#running[@]} -lt "$(nproc)" ] || report_ended
        VG_RECORD=$work/$name.record execute "$name" "$program" &
        running+=("$name")
    done
    while [ ${#running[@]} -gt 0 ]; do report_ended; done
    cat "$work/$1"/*.record >>"$VG_RECORD" 2>/dev/null
}

# Waits for one of $running at least.
report_ended() {
    local name none left=()
    wait -n
    none=$?
    for name in "${running[@]}"; do
        if [ $none = 127 ] || [ -e "$work/$name.status" ]; then
            report "$name"
        else
            left+=("$name")
        fi
    done
    running=("${left[@]}")
}

run_scripts() { # suite
    local script
    for script in tests/"$1"/*.sh tests/"$1"/*.py; do
        # Executable ones are tests, others are their helpers; of QEMU shell is for helpers.
        [[ $script != tests/qemu/*.sh ]] || continue
        if ! [ -x "$script" ] || ! chosen "$(basename "$script")"; then continue; fi
        run_one "$1/$(basename "$script")" "$script"
    done
}

# One libvirtd for the whole suite; tests may kill and restart it, and clean up after them.
with_libvirtd() { # suite command...
    local suite=$1 output=$work/libvirtd.out
    shift
    VG_LIBVIRTD_DIR=${VG_LIBVIRTD_DIR:-$(mktemp -u /tmp/vg-qemu.XXXXXX)}
    export VG_LIBVIRTD_DIR
    if ! VG_QEMU_URI=$(tests/qemu/libvirtd.sh start 2>"$output"); then
        count "$suite/libvirtd.sh" 1 "$output" 0
        return
    fi
    export VG_QEMU_URI
    libvirtd=started
    "$@"
    tests/qemu/libvirtd.sh stop
    libvirtd=
}

run_qemu() {
    run_programs qemu
    run_scripts qemu
}

# What npm fetches is kept in the build folder. No script of a package runs.
fetch_packages() { # folder of package.json, folder
    mkdir -p "$2" && cp -u "$1"/package*.json "$2/" || return 1
    [ "$2/node_modules" -nt "$2/package-lock.json" ] ||
        { (cd "$2" && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts) &&
            touch "$2/node_modules"; }
}

run_browser() {
    local script output=$work/npm.out
    if ! fetch_packages tests/browser "$O/browser" >"$output" 2>&1; then
        count browser/npm 1 "$output" 0
        return
    fi
    export VG_NODE_MODULES
    VG_NODE_MODULES=$(realpath "$O/browser/node_modules")
    for script in tests/browser/test_*.mjs; do
        if chosen "$(basename "$script")"; then run_one "browser/$(basename "$script")" "$script"; fi
    done
}

for suite in "$@"; do
    before=$((passed + failed))
    case $suite in
    unit) run_side_by_side unit ;;
    api)
        : >"$VG_RECORD"
        run_side_by_side api
        run_scripts api
        ;;
    qemu) with_libvirtd qemu run_qemu ;;
    browser) with_libvirtd browser run_browser ;;
    contract) run_scripts contract ;;
    *)
        echo "no suite $suite" >&2
        exit 2
        ;;
    esac
    if [ $((passed + failed)) = "$before" ]; then
        echo "FAILED suite $suite ran no check"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
