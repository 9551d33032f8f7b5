#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Installs what is missing of the Debian packages of some groups; says so and changes nothing
# when nothing is missing. Elsewhere it says what to install.
#
#   tests/setup.sh [--print] GROUP...      groups: build test fleet browser lint bench cover debian package all
#
# With DOCS=no and UI=no in the environment building needs no npm.
set -euo pipefail

# What `make` needs. libvirt0 is the client library; the test:/// driver is part of it.
build=(gcc make pkg-config libvirt0 libvirt-dev libmicrohttpd-dev libjansson-dev
    libgnutls28-dev zlib1g-dev libpng-dev libsystemd-dev libinih-dev libxml2-dev libxxhash-dev
    libpcre2-dev libwslay-dev libcurl4-gnutls-dev libarchive-dev libcrypt-dev libnbd-dev
    python3 python3-yaml)
# What the tests run: a real libvirtd with QEMU, the oracle libvirt-python, an HTTP client.
test=(libcmocka-dev libvirt-daemon libvirt-daemon-system
    libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-utils python3-libvirt
    python3-jsonschema python3-prometheus-client curl jq openssl iproute2 util-linux procps
    prometheus xz-utils zstd haproxy socat nginx ansible-core libvirt-l10n locales
    libarchive-tools syslinux mtools dosfstools
    polkitd dnsmasq-base iptables udev mdevctl scrub tgt lvm2 parted e2fsprogs
    libvirt-daemon-driver-storage-iscsi-direct libvirt-daemon-driver-storage-rbd)
# Debian 13 has QEMU's SPICE and more of libvirt's drivers in packages of their own.
# shellcheck disable=SC1091 # of the running system
release=$(. /etc/os-release 2>/dev/null && [ "${ID:-}" = debian ] && echo "${VERSION_ID:-99}") || release=0
[ "$release" -lt 13 ] || test+=(qemu-system-modules-spice libvirt-daemon-driver-interface
    libvirt-daemon-driver-storage-disk libvirt-daemon-driver-storage-logical
    libvirt-daemon-driver-storage-mpath libvirt-daemon-driver-storage-scsi)
# The generator of the client in Python, and what its client stands on: make check-fleet.
fleet=(default-jre-headless python3-urllib3 python3-six python3-certifi python3-dateutil)
# A real browser, for what no other client shows.
browser=(chromium)
lint=(clang clang-format clang-tidy libclang-rt-dev cppcheck shellcheck valgrind jq)
bench=(wrk prometheus-libvirt-exporter python3-flask gunicorn "${test[@]}")
cover=(gcovr)
# make deb, make check-packages
package=(debhelper dpkg-dev lintian systemd-container)
# tests/debian.sh: another Debian in a folder.
debian=(debootstrap debian-archive-keyring gpgv iproute2 util-linux)
# Node may have come from elsewhere, with its npm.
npm=()
command -v npm >/dev/null || npm=(nodejs npm)
if [ "${DOCS:-yes}${UI:-yes}" != nono ]; then build+=("${npm[@]}"); fi

print=false
if [ "${1:-}" = --print ]; then
    print=true
    shift
fi

wanted=()
for group in "${@:-build}"; do
    case $group in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    fleet) wanted+=("${fleet[@]}" "${npm[@]}") ;;
    browser) wanted+=("${browser[@]}" "${npm[@]}") ;;
    lint) wanted+=("${lint[@]}" "${npm[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    cover) wanted+=("${cover[@]}") ;;
    debian) wanted+=("${debian[@]}") ;;
    package) wanted+=("${build[@]}" "${package[@]}") ;;
    all)
        wanted+=("${build[@]}" "${test[@]}" "${fleet[@]}" "${browser[@]}" "${lint[@]}" "${npm[@]}" "${bench[@]}"
            "${cover[@]}" "${debian[@]}" "${package[@]}")
        ;;
    *)
        sed -n '4,10s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    esac
done

if $print; then
    printf '%s\n' "${wanted[@]}" | sort -u
    exit 0
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "This is no Debian; please see that your system's packages for these are there:" >&2
    printf '%s\n' "${wanted[@]}" | sort -u | paste -sd ' ' >&2
    exit 0
fi

missing() {
    # "ii " is what is installed and configured; a virtual or unknown name has no line.
    comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
        <(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${wanted[@]}" 2>/dev/null |
            sed -n 's/^[hi]i //p' | sort -u)
}

# What the tests' guests are made of is unpacked, never installed.
fetch_guests() {
    [[ " $* " =~ \ (test|all)\  ]] || return 0
    "$(dirname "$0")/qemu/agent_image.sh" --fetch ||
        echo "The packages of the tests' guests cannot be fetched: these tests will fail" >&2
}

mapfile -t absent < <(missing)
[ "${#absent[@]}" -gt 0 ] || {
    fetch_guests "$@"
    exit 0
}

if [ "$(id -u)" = 0 ]; then
    root=()
elif sudo -n true 2>/dev/null; then
    root=(sudo -n)
else
    echo "Missing packages, and neither root nor sudo without a password to install them:" >&2
    echo "    apt-get install --no-install-recommends ${absent[*]}" >&2
    exit 1
fi

echo "Installing: ${absent[*]}"
export DEBIAN_FRONTEND=noninteractive
apt() {
    "${root[@]}" apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}
# Debian starts what it installs, and at every boot. The tests run these themselves, on ports and
# data of their own: as services nobody asked for them.
idle=(prometheus prometheus-libvirt-exporter haproxy nginx tgt)
policy=/usr/sbin/policy-rc.d
own_policy=false
forget_policy() {
    ! $own_policy || "${root[@]}" rm -f "$policy"
}
if [[ " ${absent[*]} " =~ \ (prometheus|haproxy|nginx|tgt|udev) ]] && ! [ -e "$policy" ]; then
    trap forget_policy EXIT
    own_policy=true
    "${root[@]}" tee "$policy" >/dev/null <<'POLICY'
#!/bin/sh
case "$*" in *prometheus* | *haproxy* | *nginx* | *tgt* | *udev*) exit 101 ;; esac
exit 0
POLICY
    "${root[@]}" chmod 755 "$policy"
fi
installed=" ${absent[*]} "
# An old list of packages names versions that are no longer there.
apt update >/dev/null
apt install --no-install-recommends "${absent[@]}" >/tmp/vg-setup.log 2>&1 || {
    tail -n 40 /tmp/vg-setup.log >&2
    exit 1
}
for service in "${idle[@]}"; do
    if [[ $installed == *" $service "* ]]; then
        "${root[@]}" update-rc.d "$service" disable >>/tmp/vg-setup.log 2>&1 || true
    fi
done
mapfile -t absent < <(missing)
[ "${#absent[@]}" -eq 0 ] || {
    echo "Still missing: ${absent[*]}" >&2
    exit 1
}
fetch_guests "$@"
