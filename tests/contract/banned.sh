#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Calls that the gateway's code does without, each for a reason that is beside it.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck disable=SC1091
. tests/contract/report.sh

mapfile -t files < <(find include server routes -name '*.[ch]' | sort)
declare -A code # of each file: taken out of it once
for file in "${files[@]}"; do
    code[$file]=$(code_of "$file")
done

# Calls of a function, by regex, in all files but some.
calls() { # regex [file not looked at]
    local file
    for file in "${files[@]}"; do
        [ "$file" != "${2:-}" ] || continue
        grep -nE "(^|[^A-Za-z0-9_.>])($1) *\(" <<<"${code[$file]}" | sed "s|^|$file:|" || true
    done
}

# Uses of a name that is no function, in all files but one.
names() { # regex [file not looked at]
    local file
    for file in "${files[@]}"; do
        [ "$file" != "${2:-}" ] || continue
        grep -nE "(^|[^A-Za-z0-9_])($1)($|[^A-Za-z0-9_])" <<<"${code[$file]}" | sed "s|^|$file:|" || true
    done
}

# Functions that read a number and never look at errno: lines FILE:LINE.
unchecked_numbers() {
    local file
    for file in "${files[@]}"; do
        awk -v file="$file" '
            /^{/ { call = 0; checked = 0 }
            /(^|[^A-Za-z0-9_])strto(l|ll|ul|ull|imax|umax) *\(/ { call = NR }
            /(^|[^A-Za-z0-9_])errno($|[^A-Za-z0-9_])/ { checked = 1 }
            /^}/ { if (call && !checked) print file ":" call; call = 0 }' <<<"${code[$file]}"
    done
}

# printf-like calls whose format has JSON in it: a key, or the beginning of an object.
printed_json() {
    local file
    for file in "${files[@]}"; do
        text_of "$file" | awk -v file="$file" '
            BEGIN { RS = ";" }
            /(printf|vg_log) *\(/ && (/\\": */ || /[{[]\\"/) { print file ": " substr($0, 1, 120) }'
    done
}

check "no strcpy, strcat: the room is not known" "$(calls 'strcpy|strcat|wcscpy|wcscat')"
check "no sprintf: the room is not known" "$(calls 'v?sprintf')"
check "no gets, scanf of strings" "$(calls 'gets|scanf|fscanf|sscanf')"
check "no strtok: not for threads" "$(calls strtok)"
check "no atoi: errors cannot be seen" "$(calls 'atoi|atol|atoll|atof')"
check "strtol and the like with errno" "$(unchecked_numbers)"
check "no system, popen: no shell ever" "$(calls 'system|popen|wordexp')"
check "no exec, fork: one process" "$(calls 'execl|execlp|execle|execv|execvp|execve|v?fork|posix_spawnp?')"
check "no alloca: the stack is small" "$(calls alloca)"
check "no mktemp, tmpnam: races" "$(calls 'mktemp|tmpnam|tempnam')"
check "no asctime, localtime...: not for threads" "$(calls 'asctime|ctime|gmtime|localtime|strerror_l')"
check "no exit outside main" "$(calls 'exit|_exit|_Exit|quick_exit' server/main.c)"
check "no setjmp, longjmp: cleanups would not run" "$(calls 'setjmp|longjmp')"
check "no wait by the wall clock, which may step: vg_cond_init" \
    "$(names 'PTHREAD_COND_INITIALIZER|pthread_cond_init' server/base/clock.h)"
check "no JSON by printf" "$(printed_json)"
finish
