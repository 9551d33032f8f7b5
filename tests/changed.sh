#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The tests that a change touches, by names: of server/core/queue.c those called queue in
# tests/unit/core/, of routes/domain/vcpu.c those called vcpu in tests/api/domain/, the tests that
# were changed themselves, and the contract tests that read sources alone. `make check-changed`
# builds first. It takes less than a minute; what it does not see, `make test` does.
#
#   tests/changed.sh [COMMIT]     changed since that commit; default: what is not committed
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A chosen # of each suite: names, parted by |

choose() { # suite path...
    local suite=$1 path
    shift
    for path in "$@"; do
        [ -e "$path" ] || continue
        path=${path#tests/"$suite"/}
        chosen[$suite]+=${chosen[$suite]:+|}${path%.c}
    done
}

shopt -s nullglob globstar
while read -r file; do
    folder=$(dirname "$file")
    name=$(basename "${file%.*}")
    case $file in
    tests/unit/*/test_*.c) choose unit "$file" ;;
    tests/api/*.c | tests/api/*.py) choose api "$file" ;;
    server/*.[ch]) choose unit tests/unit"${folder#server}"/test_"$name"*.c ;;
    include/virtgate/*.h) choose unit tests/unit/**/test_"$name"*.c ;;
    routes/*.c | routes/*.yaml)
        choose api tests/api"${folder#routes}"/{test_,}"$name"*.{c,py}
        ;;&
    routes/*.c | routes/*.yaml | docs/openapi/*.yaml | openapi.yaml | server/gen/*.py)
        choose contract tests/contract/{arguments.py,generators.sh}
        ;;
    examples/*) choose contract tests/contract/examples.py ;;
    README.md | docs/*.md | tests/harness/console.py) choose contract tests/contract/readme.py ;;
    esac
    case $file in
    routes/*.c | server/base/permission.c | docs/access.md) choose contract tests/contract/rights.py ;;
    esac
    case $file in
    *.md | *.yaml | server/config/config.def) choose contract tests/contract/figures.py ;;
    esac
done < <(git diff --name-only "${1:-HEAD}" && git ls-files --others --exclude-standard)
choose contract tests/contract/{layers,size,banned}.py

status=0
for suite in unit api contract; do
    [ -n "${chosen[$suite]:-}" ] || continue
    VG_TEST="@(${chosen[$suite]})" tests/run.sh "$suite" || status=1
done
exit $status
