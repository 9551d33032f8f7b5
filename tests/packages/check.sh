#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds the Debian packages on the Debians named, looks at them with lintian, and has
# installed.sh install, use, upgrade and purge them on a system that systemd-nspawn boots. The
# last line is "N passed, N failed".
#
#   tests/packages/check.sh [SUITE...]      bookworm and trixie, without any
#
# Packages are built in build-debian-SUITE/root (tests/debian.sh's), of what is in the checkout.
# The system is build-debian-SUITE/system, which no run changes. What it all said is beside them,
# in packages/*.log. Needs root, and the packages of `tests/setup.sh debian package`.
set -euo pipefail
cd "$(dirname "$0")/../.."

# shellcheck source=tests/debian_root.sh disable=SC1091
. tests/debian_root.sh

# What a hypervisor host has before virtgate comes.
SYSTEM=(systemd systemd-sysv dbus procps libvirt-daemon-system libvirt-daemon-driver-qemu man-db
    zsh bash-completion curl)
passed=0
failed=0

# ---- checks out here -----------------------------------------------------------------------

# A command that is to end well, and what it said where it does not.
check() { # what log command...
    local what=$1 log=$2
    shift 2
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $SUITE: $what"
        tail -n 30 "$log" | sed 's/^/    /'
        return 1
    fi
}

# ---- building ------------------------------------------------------------------------------

# Build-Depends alone, but for the console's: npm has been asked out here.
prepare_builder() {
    ROOT=$PWD/$OUT/root
    make_root
    within with-network bash -ec '
        export DEBIAN_FRONTEND=noninteractive
        dpkg-query -W ccache lintian >/dev/null 2>&1 && dpkg-checkbuilddeps 2>/dev/null ||
            { apt-get -q update && apt-get -qy --no-install-recommends install ccache lintian make &&
              apt-get -qy --no-install-recommends build-dep ./; }' >"$OUT/packages/builder.log" 2>&1 ||
        { tail -n 20 "$OUT/packages/builder.log"; die "$SUITE: no builder"; }
}

build() {
    within without-network CCACHE_DIR="$SRC/$OUT/ccache" \
        make O="$OUT/packages" CC="ccache cc" DEB_FLAGS=--no-check-builddeps deb
}

# As whoever uploads: errors and warnings fail.
run_lintian() {
    within without-network bash -c \
        'lintian --allow-root --fail-on error,warning "$@"' _ "$OUT/packages/deb/"*.changes
}

# One that is there before: a lower version, and another conffile.
age_package() {
    local old=$OUT/packages/old
    rm -rf "$old"
    dpkg-deb --raw-extract "$OUT"/packages/deb/virtgate_*.deb "$old" &&
        sed -i 's/^Version: .*/Version: 0.0.1/' "$old/DEBIAN/control" &&
        sed -i '1i # Version 0.0.1' "$old/etc/virtgate/virtgate.conf" &&
        dpkg-deb --root-owner-group --build "$old" "$OUT/packages/deb/old.deb"
}

# ---- installing ----------------------------------------------------------------------------

# What the packages depend on is fetched here: the system that runs has no network.
prepare_system() {
    ROOT=$PWD/$OUT/system
    make_root
    # shellcheck disable=SC2016 # expanded by the inner shell
    within with-network bash -ec '
        export DEBIAN_FRONTEND=noninteractive
        deb=$1
        shift
        fetch() {
            apt-get -qy --no-install-recommends install "$@" &&
                apt-get -qy --no-install-recommends --download-only install "$deb"
        }
        fetch "$@" || { apt-get -q update && fetch "$@"; }' _ \
        "$(echo "./$OUT"/packages/deb/virtgate_*.deb)" "${SYSTEM[@]}" >"$OUT/packages/system.log" 2>&1 ||
        { tail -n 20 "$OUT/packages/system.log"; die "$SUITE: no system"; }
}

# Boots it, with all that it writes in memory; ends when installed.sh has ended.
run_system() {
    local unit=$OUT/packages/check.service
    cat >"$unit" <<UNIT
[Service]
Type=exec
ExecStart=/bin/bash /packages/installed.sh
ExecStopPost=/bin/systemctl exit 0
StandardOutput=file:/results/installed.log
StandardError=inherit
RuntimeMaxSec=300
UNIT
    rm -rf "$OUT/packages/results"
    mkdir -p "$OUT/packages/results"
    timeout 400 systemd-nspawn --quiet --directory="$ROOT" --volatile=overlay --boot \
        --register=no --keep-unit --private-network --machine="virtgate-$SUITE-$$" --console=pipe \
        --bind-ro="$PWD/tests/packages:/packages" --bind-ro="$PWD/$OUT/packages/deb:/debs" \
        --bind="$PWD/$OUT/packages/results:/results" \
        --bind-ro="$PWD/$unit:/etc/systemd/system/check.service" \
        systemd.wants=check.service </dev/null >"$OUT/packages/boot.log" 2>&1
}

# installed.sh says "ok ..." or "FAILED ..." of each of its checks, and at last "end".
count_installed() {
    local log=$OUT/packages/results/installed.log
    passed=$((passed + $(grep -c '^ok ' "$log" || true)))
    failed=$((failed + $(grep -c '^FAILED ' "$log" || true)))
    sed -n "/^FAILED /,/^ok /{/^ok /d; s/^FAILED /FAILED $SUITE: /; p}" "$log"
    grep -qx end "$log" || {
        failed=$((failed + 1))
        echo "FAILED $SUITE: the system ended before its checks did"
        tail -n 20 "$log" "$OUT/packages/boot.log" | sed 's/^/    /'
    }
}

# ---- all of it -----------------------------------------------------------------------------

check_suite() {
    local begun=$SECONDS
    OUT=build-debian-$SUITE
    mkdir -p "$OUT/packages"
    prepare_builder
    check "Build-Depends are all that a build needs" "$OUT/packages/depends.log" \
        within without-network dpkg-checkbuilddeps || true
    check "the packages build" "$OUT/packages/build.log" build || return 0
    check "lintian finds nothing" "$OUT/packages/lintian.log" run_lintian || true
    age_package >/dev/null
    echo "$SUITE: built in $((SECONDS - begun)) s"
    begun=$SECONDS
    prepare_system
    run_system || true
    count_installed
    echo "$SUITE: installed, used and purged in $((SECONDS - begun)) s"
}

[ "$(id -u)" = 0 ] || die "needs root"
command -v systemd-nspawn >/dev/null || die "systemd-nspawn is missing: tests/setup.sh package"
make -s build/web/fetched build/ui/dist/built
[ $# -gt 0 ] || set -- bookworm trixie
for SUITE in "$@"; do
    check_suite
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
