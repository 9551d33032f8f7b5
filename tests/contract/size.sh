#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# No file over 600 lines, no function over 60: what is longer has a part that wants a name.
# Functions are found by clang-format's braces: `{` and `}` alone in the first column.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck disable=SC1091
. tests/contract/report.sh

max_file=600
max_function=60

long_functions() { # file
    awk -v max=$max_function -v file="$1" '
        /^[A-Za-z_].*\(/ { head = $0 }
        /^{/ { start = NR }
        /^}/ && start { if (NR - start - 1 > max)
            printf "%s:%d: %d lines: %s\n", file, start, NR - start - 1, head; start = 0 }' "$1"
}

shopt -s nullglob
for file in include/virtgate/*.h server/*.[ch] routes/*.[ch] tests/*/*.[ch]; do
    lines=$(wc -l <"$file")
    faults=$(long_functions "$file")
    [ "$lines" -le $max_file ] || faults+="${faults:+$'\n'}$file has $lines lines"
    check "$file" "$faults"
done
for file in tests/*/*.py server/gen/*.py Makefile; do
    lines=$(wc -l <"$file")
    faults=''
    [ "$lines" -le $max_file ] || faults="$file has $lines lines"
    check "$file" "$faults"
done
finish
