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
# SUITE is a name of Debian's: bookworm, trixie. VG_TEST and VG_TIMEOUT are those of tests/run.sh.
# The folder is build-debian-SUITE/root, what is built goes beside it. Needs root.
#
# It runs in namespaces of its own: mounts, processes and (but for the installation) the network
# end with it, whatever the tests leave behind.
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
    echo "debian.sh: $*" >&2
    exit 1
}

usage() {
    sed -n '8,14s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

SUITE=${1:-}
[[ $SUITE =~ ^[a-z]+$ ]] || usage
shift
OUT=build-debian-$SUITE
ROOT=$PWD/$OUT/root
# Where the checkout is seen there: short, since paths of sockets are.
SRC=/virtgate

# ---- the package source --------------------------------------------------------------------

# Where apt takes this system's own release from.
mirror() {
    local own
    # shellcheck disable=SC1091 # of the running system
    own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016 # expanded by apt-get
    apt-get indextargets --format '$(RELEASE) $(CODENAME) $(COMPONENT) $(SITE)' \
        'Created-By: Packages' |
        awk -v own="$own" '($1 == own || $2 == own) && $3 == "main" {print $4; exit}'
}

# How apt reaches it: its proxies, its checks of dates.
apt_options() {
    apt-config dump Acquire | grep -vE '^Acquire::(IndexTargets|Changelogs|CompressionTypes|Languages)'
}

proxy_of() { # scheme
    local PROXY=
    eval "$(apt-config shell PROXY "Acquire::$1::Proxy")"
    [ -z "$PROXY" ] || [ "$PROXY" = DIRECT ] || echo "$PROXY"
}

# ---- the folder ----------------------------------------------------------------------------

# Debian's own keys; an older package does not know the newer releases'.
bootstrap() { # mirror
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg log=$OUT/bootstrap.log proxy s
    for s in http https; do
        proxy=$(proxy_of $s)
        [ -z "$proxy" ] || export "${s}_proxy=$proxy"
    done
    debootstrap --variant=minbase --force-check-gpg --keyring="$keyring" \
        --include=ca-certificates "$SUITE" "$ROOT.new" "$1" >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        if grep -q 'unknown key' "$log"; then
            die "$keyring is older than $SUITE: upgrade the package debian-archive-keyring"
        fi
        die "debootstrap failed; all it said is in $log"
    }
}

make_root() {
    local mirror
    mirror=$(mirror)
    [ -n "$mirror" ] || die "apt has no package source of this system's own release"
    echo "Making $OUT/root: Debian $SUITE"
    rm -rf --one-file-system -- "$ROOT" "$ROOT.new"
    mkdir -p "$OUT"
    bootstrap "$mirror"
    apt_options >"$ROOT.new/etc/apt/apt.conf.d/90host"
    # Nothing there has to outlive a crash of the machine.
    echo force-unsafe-io >"$ROOT.new/etc/dpkg/dpkg.cfg.d/unsafe-io"
    printf '#!/bin/sh\nexit 101\n' >"$ROOT.new/usr/sbin/policy-rc.d"
    chmod 755 "$ROOT.new/usr/sbin/policy-rc.d"
    mkdir -p "$ROOT.new$SRC"
    mv "$ROOT.new" "$ROOT"
}

# ---- inside --------------------------------------------------------------------------------

# Runs a command with the folder as its root. pivot_root, not chroot: whoever enters a mount
# namespace (tests/qemu/libvirtd.sh) comes out at its root.
within() { # with|without-network command...
    local net=() inside
    [ "$1" = with-network ] || net=(--net)
    shift
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --propagation private --pid --fork --kill-child --ipc --uts "${net[@]}" \
        bash -ec '
        root=$1 src=$2
        shift 2
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount -t sysfs sysfs "$root/sys"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs tmpfs "$root/run"
        mkdir "$root/run/lock"
        mount -t tmpfs tmpfs "$root/tmp"
        mount --bind "$PWD" "$root$src"
        mount --bind /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null ||
            cp /etc/resolv.conf "$root/etc/resolv.conf"
        ip link set lo up
        cd "$root"
        mkdir -p mnt/old
        pivot_root . mnt/old
        umount -l /mnt/old
        cd "$src"
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            TERM="${TERM:-dumb}" "$@"' _ "$ROOT" "$SRC" "$@" &
    inside=$!
    # unshare itself takes no other signal; all that runs there ends with it.
    # shellcheck disable=SC2064 # its value now
    trap "kill -KILL $inside" INT TERM
    wait "$inside"
}

# All that needs the network: packages, and those that a guest is made of.
install_packages() {
    within with-network DOCS=no UI=no tests/setup.sh build test
}

there() { # command...
    within without-network O="$OUT/out" DOCS="${DOCS:-yes}" UI="${UI:-yes}" ${VG_TEST:+VG_TEST="$VG_TEST"} \
        ${VG_TIMEOUT:+VG_TIMEOUT="$VG_TIMEOUT"} "$@"
}

[ "$(id -u)" = 0 ] || die "needs root"
for c in debootstrap unshare pivot_root gpgv ip; do
    command -v $c >/dev/null || die "$c is missing: tests/setup.sh debian"
done
begun=$SECONDS
[ -d "$ROOT" ] || make_root
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
