# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Another Debian in a folder that debootstrap fills, for scripts to source: debian.sh, packages/.
# Packages come from where this system's apt takes its own. They set, from the root of a checkout:
#
#   SUITE   its name: bookworm, trixie
#   OUT     build-debian-SUITE: all that is built of it
#   ROOT    its root, in OUT; kept, so that the next run only builds
#
# Needs root, and the packages of `tests/setup.sh debian`.

# Where the checkout is seen there: short, since paths of sockets are.
SRC=/virtgate

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

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
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg log=$ROOT.log proxy s
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
    local mirror c
    for c in debootstrap unshare pivot_root gpgv ip; do
        command -v $c >/dev/null || die "$c is missing: tests/setup.sh debian"
    done
    [ ! -d "$ROOT" ] || return 0
    mirror=$(mirror)
    [ -n "$mirror" ] || die "apt has no package source of this system's own release"
    echo "Making ${ROOT#"$PWD"/}: Debian $SUITE"
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
