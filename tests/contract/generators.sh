#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the generators of server/gen have no rule for fails the build on a libvirt that is known,
# and is only said on a newer one.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck disable=SC1091
. tests/contract/report.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
api=$(pkg-config --variable=libvirt_api libvirt)

# Runs one for a libvirt of that version, with a row of its table left out.
generate() { # version generator arguments...
    local version=$1 generator=$2
    shift 2
    python3 "server/gen/$generator" "$@" --libvirt "$version" "$api" >"$work/said" 2>&1
}

without() { # what of-a-file
    grep -v "^$1" "$2" >"$work/table"
}

wrong() { # generator row arguments...
    local generator=$1 row=$2
    shift 2
    ! generate 11.3.0 "$generator" "$@" || echo "libvirt 11.3.0 lets $row be missing"
    ! generate 9.0.0 "$generator" "$@" || echo "libvirt 9.0.0 lets $row be missing"
    generate 99.0.0 "$generator" "$@" || echo "libvirt 99.0.0 does not build without $row"
    grep -q "$row" "$work/said" || echo "nothing is said of $row"
}

without VIR_ERR_NO_DOMAIN server/gen/error-status.tsv
check "errors.py: a code without a row" \
    "$(wrong errors.py VIR_ERR_NO_DOMAIN --table "$work/table" --out "$work/error_table.c")"
without VIR_DOMAIN_JOB_ERRMSG server/gen/param_overrides.txt
check "params.py: a field without a type" \
    "$(wrong params.py VIR_DOMAIN_JOB_ERRMSG --overrides "$work/table" --out "$work/param_types.c")"
{
    cat server/gen/enum_overrides.txt
    echo virDomainState VIR_DOMAIN_SHUTOFF VIR_DOMAIN_
} >"$work/table"
check "enums.py: an empty name" \
    "$(wrong enums.py virDomainState --overrides "$work/table" --out "$work")"
finish
