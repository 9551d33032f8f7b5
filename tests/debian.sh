#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds and tests the gateway on another Debian, in a folder that debootstrap fills: another
# libvirt, libmicrohttpd, QEMU and compiler. Packages come from where this system's apt takes its
# own. The folder is kept, so that the next run only builds.
#
#   tests/debian.sh SUITE                   build, and run unit, api, qemu and contract
#   tests/debian.sh SUITE build             build alone
#   tests/debian.sh SUITE TEST-SUITE...     these suites of tests/run.sh
#   tests/debian.sh SUITE exec CMD...       run a command there, in the checkout
#
# SUITE is a name of Debian's: bookworm, trixie. VG_TEST, VG_TIMEOUT and VG_AGAIN are those of
# tests/run.sh.
# The folder is build-debian-SUITE/root, what is built goes beside it. Needs root.
#
# It runs in namespaces of its own: mounts, processes and (but for the installation) the network
# end with it, whatever the tests leave behind.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=tests/debian_root.sh disable=SC1091
. tests/debian_root.sh

usage() {
    sed -n '8,14s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

SUITE=${1:-}
[[ $SUITE =~ ^[a-z]+$ ]] || usage
shift
OUT=build-debian-$SUITE
# shellcheck disable=SC2034 # of debian_root.sh
ROOT=$PWD/$OUT/root

# All that needs the network: packages, and those that a guest is made of.
install_packages() {
    within with-network DOCS=no UI=no tests/setup.sh build test
}

there() { # command...
    within without-network O="$OUT/out" DOCS="${DOCS:-yes}" UI="${UI:-yes}" ${VG_TEST:+VG_TEST="$VG_TEST"} \
        ${VG_TIMEOUT:+VG_TIMEOUT="$VG_TIMEOUT"} ${VG_AGAIN:+VG_AGAIN="$VG_AGAIN"} "$@"
}

[ "$(id -u)" = 0 ] || die "needs root"
begun=$SECONDS
make_root
install_packages
# The page at /docs: npm is asked here, once for all builds.
[ "${DOCS:-yes}" = no ] || make -s build/web/fetched
[ "${UI:-yes}" = no ] || make -s build/ui/dist/built
echo "The folder took $((SECONDS - begun)) s"
if [ "${1:-}" = exec ]; then
    shift
    there "$@"
    exit
fi
begun=$SECONDS
there make -s -j"$(nproc)" tests
echo "The build took $((SECONDS - begun)) s"
case ${1:-} in
build) ;;
'') there tests/run.sh unit api qemu contract ;;
*) there tests/run.sh "$@" ;;
esac
