#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs the fuzz targets that `make check-fuzz` built: first each on its corpus and on the
# inputs that once failed, then on new inputs for FUZZ_SECONDS. An input that fails is left
# in build-fuzz/found/; put it into tests/fuzz/regressions/TARGET/ with the fix. The last
# line is "N passed, N failed".
#
#   tests/fuzz/run.sh [TARGET...]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

O=${O:-build-fuzz}
seconds=${FUZZ_SECONDS:-5}
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1
passed=0
failed=0
mkdir -p "$O/found"

# One run; its last lines when it fails.
check() { # what command...
    local what=$1 output status begun=$SECONDS
    shift
    output=$(mktemp)
    "$@" >"$output" 2>&1 </dev/null
    status=$?
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
        printf 'ok     %-24s %4d s  %s\n' "$what" $((SECONDS - begun)) \
            "$(sed -n 's/^stat::number_of_executed_units: /runs: /p' "$output")"
    else
        failed=$((failed + 1))
        printf 'FAILED %-24s\n' "$what"
        grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|pulse)' "$output" | tail -n 60 | sed 's/^/    /'
    fi
    rm -f "$output"
}

fuzz_one() { # target
    local name=$1 known options=() folder
    mkdir -p "$O/corpus/$name"
    known=("tests/fuzz/corpus/$name")
    [ ! -d "tests/fuzz/regressions/$name" ] || known+=("tests/fuzz/regressions/$name")
    for folder in "${known[@]}"; do
        mapfile -t files < <(find "$folder" -type f | sort)
        check "$name $(basename "$(dirname "$folder")")" \
            "$O/tests/fuzz/fuzz_$name" -timeout=10 -artifact_prefix="$O/found/$name-" \
            "${files[@]}"
    done
    [ "$seconds" != 0 ] || return
    [ ! -f "tests/fuzz/$name.dict" ] || options+=("-dict=tests/fuzz/$name.dict")
    check "$name new" "$O/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=5 \
        -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$O/found/$name-" \
        "${options[@]}" "$O/corpus/$name" "${known[@]}"
}

if [ $# = 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        set -- "$@" "$(basename "$source" .c | sed s/^fuzz_//)"
    done
fi
# Several go side by side, each by a run of this script.
fuzz_all() { # target...
    local target line work
    work=$(mktemp -d)
    for target in "$@"; do
        while [ "$(jobs -pr | wc -l)" -ge "$(nproc)" ]; do wait -n; done
        tests/fuzz/run.sh "$target" >"$work/$target" 2>&1 &
    done
    wait
    for target in "$@"; do
        line=$(tail -n 1 "$work/$target")
        sed '$d' "$work/$target"
        [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || line="0 passed, 1 failed"
        passed=$((passed + ${line%% *}))
        line=${line#*, }
        failed=$((failed + ${line%% *}))
    done
    rm -rf "$work"
}

if [ $# = 1 ]; then fuzz_one "$1"; else fuzz_all "$@"; fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
