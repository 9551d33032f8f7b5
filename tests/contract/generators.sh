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

# The description's generator, on a copy of its sources.
"${VIRTGATE_BIN:-${O:-build}/virtgate}" --dump-routes >"$work/routes"
mkdir -p "$work/api/docs"

copy() {
    cp -r docs/openapi "$work/api/docs"
    cp -r routes openapi.yaml "$work/api"
}

refused() { # pattern: what the generator is to say
    ! python3 server/gen/openapi.py --check --root "$work/api" "$work/routes" >"$work/said" 2>&1 ||
        echo "it takes it"
    grep -qE "$1" "$work/said" || { echo "it does not say '$1' but:" && cat "$work/said"; }
    copy
}

copy
stop=$work/api/routes/gateway/operation.yaml
check "openapi.py: current" \
    "$(python3 server/gen/openapi.py --check --root "$work/api" "$work/routes" 2>&1)"
sed -i 's/^  cancelOperation:/  cancelIt:/' "$stop"
check "openapi.py: a row without a fragment" \
    "$(refused 'cancelOperation .DELETE /operations/.operation..+ is a row without a fragment')"
printf '\n  cancelIt: { tags: [operations] }\n' >>"$work/api/routes/node/connection.yaml"
sed -i 's/^schemas:/others:/' "$work/api/routes/node/connection.yaml"
check "openapi.py: an unknown section" "$(refused "connection.yaml: 'others' is not known")"
printf 'operations:\n  cancelIt: {}\n' >"$work/api/routes/domain/edid.yaml"
touch "$work/api/routes/domain/edid.c"
check "openapi.py: a fragment without a row" "$(refused 'domain/edid.yaml: cancelIt is no row')"
printf 'operations:\n  cancelOperation: {}\n' >"$work/api/routes/domain/edid.yaml"
check "openapi.py: an operationId twice" \
    "$(refused 'cancelOperation is already in routes/domain/edid.yaml')"
rm "$work/api/routes/domain/edid".*
sed -i '0,/schema: Operation$/s//schema: Operatoin/' "$stop"
check "openapi.py: a schema that is nowhere" "$(refused 'schemas/Operatoin is .*defined nowhere')"
sed -i '0,/tags: .operations./s//tags: [operations]\n    tags: [hosts]/' "$stop"
check "openapi.py: a key twice" "$(refused "operation.yaml:[0-9]+: the key 'tags' is there twice")"
sed -i '0,/tags: .operations./s//labels: [operations]/' "$stop"
check "openapi.py: an unknown member" "$(refused "Operations?: 'labels' is not known; accepted are")"
cat >>"$work/api/routes/gateway/ticket.yaml" <<'END'
  UserOfAnother:
    type: object
    properties: { at: { $ref: '#/components/schemas/Nothing' } }
  Nothing: { type: string }
END
check "openapi.py: a schema that nothing uses" "$(refused 'ticket.yaml: Nothing is used by no op')"
sed -i '0,/schema: Operation$/s//schema: Ticket/' "$stop"
check "openapi.py: a schema of several files" \
    "$(refused 'ticket.yaml: Ticket is used by routes/gateway/operation.yaml, too')"
sed -i '0,/summary: /s//summary: Not /' "$stop"
check "openapi.py: not generated again" "$(refused '^[+] +summary: Not ')"
finish
