#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Who may include whom (CONTRIBUTING.md): HTTP code never sees libvirt, libvirt code never sees
# libmicrohttpd, routes see neither sockets nor threads. Followed through the project's own
# headers, but for <pthread.h>, which the cleanup of locks needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck disable=SC1091
. tests/contract/report.sh

# Headers of include/virtgate/ that may name libvirt's types.
libvirt_headers='autoptr|object|params|host|event|domain|domain_config|domain_stats|conflict|console|device|job'

# What a file includes itself: virtgate/x.h, libvirt/libvirt.h...
includes() { # file
    sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]([^">]+)[">].*/\1/p' "$1"
}

# The project's file behind an include, if it is one.
project_file() { # include includer
    local file
    for file in "include/$1" "$1" "$(dirname "$2")/$1"; do
        if [ -f "$file" ]; then
            echo "$file"
            return
        fi
    done
}

# All that a file sees: "header by way" lines, the project's headers followed.
declare -A seen
follow() { # file way
    local header file
    while read -r header; do
        [ -z "${seen[$header]:-}" ] || continue
        seen[$header]=1
        echo "$header $2"
        file=$(project_file "$header" "$1")
        [ -z "$file" ] || follow "$file" "$2 > $header"
    done < <(includes "$1")
}
sees() { # file
    seen=()
    follow "$1" "$1"
}

# Faults: what of `sees` or `includes` matches.
never() { # regex
    grep -E "^($1)" | sed -E 's/^([^ ]+) (.*)/\1 by \2/' || true
}

mhd='microhttpd'
tls='gnutls/'
virt='libvirt/'

layer_of() { # file
    case $1 in
    routes/*) echo routes ;;
    include/*) echo include ;;
    server/http_*) echo http ;;
    server/virt_*) echo virt ;;
    server/app.* | server/join.* | server/main.c | server/worker.*) echo joint ;;
    *) echo plain ;;
    esac
}

# What of the includes is a fault in this layer.
faults() { # layer file
    local own
    case $1 in
    routes)
        sees "$2" | never "$mhd|$tls"
        includes "$2" | never 'pthread|threads\.h|sys/socket|netinet/|poll|sys/epoll|server/'
        includes "$2" | grep '^routes/' | grep -v '^routes/routes\.h$' || true
        ;;
    include)
        sees "$2" | never "$mhd|$tls"
        includes "$2" | never 'server/|routes/'
        own=$(basename "$2" .h)
        [[ $own =~ ^($libvirt_headers)$ ]] || sees "$2" | never "$virt"
        ;;
    http)
        sees "$2" | never "$virt|routes/"
        ;;
    virt | joint)
        sees "$2" | never "$mhd|$tls|routes/"
        ;;
    plain)
        sees "$2" | never "$mhd|$tls|$virt|routes/"
        ;;
    esac
}

# server/http/internal.h is for server/http_*.c and server/http.c alone.
private_faults() { # file
    local header prefix
    while read -r header; do
        prefix=$(basename "$header" _internal.h)
        case $(basename "$1") in
        "$prefix".* | "${prefix}_"*) ;;
        *) echo "$header is private to ${prefix}_*" ;;
        esac
    done < <(includes "$1" | grep '_internal\.h$' || true)
}

# Names used, however they were declared.
name_faults() { # layer file
    case $1 in
    routes) code_of "$2" | grep -nE '\b(MHD_|gnutls_|pthread_)[A-Za-z_]+|\bgoto\b' || true ;;
    http) code_of "$2" | grep -nE '\bvir[A-Z][A-Za-z]+ *\(|\bVIR_[A-Z_]+' || true ;;
    plain) code_of "$2" | grep -nE '\b(MHD_[A-Za-z_]+|vir[A-Z][A-Za-z]+ *\()' || true ;;
    virt | joint) code_of "$2" | grep -nE '\bMHD_[A-Za-z_]+' || true ;;
    esac
}

for file in include/virtgate/*.h server/*.[ch] routes/*.[ch]; do
    layer=$(layer_of "$file")
    check "$layer: $file" \
        "$(faults "$layer" "$file"; private_faults "$file"; name_faults "$layer" "$file")"
done
finish
