#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest with a real guest agent, small enough to boot in seconds without KVM: Debian's
# kernel, busybox, and qemu-ga with its libraries, as vmlinuz, initrd and an empty disk.
#
#   agent_image.sh FOLDER       writes them there
#   agent_image.sh --fetch      only sees that the packages are there: what needs the network. They
#                               are kept in build/guests; tests/setup.sh has done this before
#   agent_image.sh --cache      prints where: x/ of the guest's kernel, cd/ of one with SATA
set -euo pipefail
cd "$(dirname "$0")/../.."

OUT=$1
# shellcheck disable=SC1091 # of the running system
CACHE=build/guests/$(. /etc/os-release && echo "${VERSION_ID:-0}") # a folder may be seen by two
# In the order they are loaded.
MODULES=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
    virtio_console virtio_blk)

# The kernel's package behind a name that stays.
kernel_of() {
    apt-cache depends "$1" 2>/dev/null | sed -n 's/.*Depends: //p' | head -n 1
}

download() {
    local small large
    small=$(kernel_of linux-image-cloud-amd64)
    large=$(kernel_of linux-image-amd64)
    [ -n "$small" ] && [ -n "$large" ] || return 1
    (cd "$CACHE/debs" &&
        apt-get -q -o APT::Sandbox::User=root download "$small" busybox-static \
            qemu-guest-agent >&2 &&
        cd cd && apt-get -q -o APT::Sandbox::User=root download "$large" >&2)
}

# Of the large kernel what a guest with a SATA drive needs.
unpack_large() {
    local drivers='drivers/(ata/(libata|libahci|ahci)|scsi/(scsi_common|scsi_mod|sr_mod)|cdrom/cdrom'
    drivers+='|block/virtio_blk|net/(virtio_net|net_failover)|virtio/[^/]*)'
    dpkg-deb --fsys-tarfile "$CACHE"/debs/cd/*.deb >"$CACHE/debs/cd.tar"
    tar -tf "$CACHE/debs/cd.tar" |
        grep -E "/boot/vmlinuz-|/kernel/($drivers|net/core/failover|fs/isofs/isofs)\.ko" |
        tar -xf "$CACHE/debs/cd.tar" -C "$CACHE/cd" -T -
}

# The packages are unpacked, never installed: the machine keeps its kernel.
fetch() {
    mkdir -p "$(dirname "$CACHE")"
    exec 9>"$CACHE.lock" # tests run side by side
    flock 9
    [ ! -e "$CACHE/complete" ] || return 0
    local deb
    rm -rf -- "$CACHE"
    mkdir -p "$CACHE"/{debs/cd,x,cd}
    if ! download; then # no list of packages, or an old one
        apt-get -q update >&2
        download
    fi
    for deb in "$CACHE"/debs/*.deb; do dpkg-deb -x "$deb" "$CACHE/x"; done
    unpack_large
    rm -rf -- "$CACHE/x/etc" "$CACHE/x/usr/share" "$CACHE/debs"
    touch "$CACHE/complete"
}

# A file of the packages: below / or /usr, as the release has it.
unpacked() { # pattern of its path
    find "$CACHE/x" -path "$1" -print -quit
}

copy_programs() { # root
    local name
    cp "$(unpacked '*/bin/busybox')" "$1/bin/"
    for name in $("$1/bin/busybox" --list); do
        [ "$name" = busybox ] || ln -s busybox "$1/bin/$name"
    done
    ln -s ../bin/busybox "$1/sbin/hwclock"
    cp "$CACHE/x/usr/sbin/qemu-ga" "$1/usr/sbin/"
    ldd "$1/usr/sbin/qemu-ga" | grep -o '/[^ ]*' | while read -r name; do
        mkdir -p "$1$(dirname "$name")"
        cp -L "$name" "$1$name"
    done
    for name in "${MODULES[@]}"; do copy_module "$name" "$1/lib/modules/"; done
}

# Since Debian 13 they are compressed, and in /usr/lib. One may be part of the kernel itself.
copy_module() { # name folder
    local file
    file=$(unpacked "*/lib/modules/*/$1.ko*")
    case $file in
    *.xz) xz -dc "$file" >"$2/$1.ko" ;;
    *.ko) cp "$file" "$2/" ;;
    esac
}

# Two users, and what the agent calls to set a password.
write_users() { # root
    printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'alice:x:1000:1000::/home/alice:/bin/sh' \
        >"$1/etc/passwd"
    printf '%s\n' 'root:x:0:' 'alice:x:1000:' >"$1/etc/group"
    printf '%s\n' 'root:*:1::::::' 'alice:*:1::::::' >"$1/etc/shadow"
    printf '%s\n' 'ID=tiny' 'NAME="Tiny guest"' 'PRETTY_NAME="Tiny guest 1"' \
        'VERSION_ID="1"' >"$1/etc/os-release"
    cat >"$1/usr/sbin/chpasswd" <<'SCRIPT'
#!/bin/sh
IFS=: read -r user word
grep -q "^$user:" /etc/shadow || { echo "no user $user" >&2; exit 1; }
[ "$1" = -e ] || word=$(mkpasswd -m sha512 "$word")
sed -i "s|^$user:[^:]*|$user:$word|" /etc/shadow
SCRIPT
    cat >"$1/bin/has-password" <<'SCRIPT'
#!/bin/sh
hash=$(sed -n "s|^$1:\([^:]*\):.*|\1|p" /etc/shadow)
salt=$(echo "$hash" | cut -d '$' -f 3)
[ "$(mkpasswd -m sha512 -S "$salt" "$2")" = "$hash" ]
SCRIPT
}

write_init() { # root
    cat >"$1/init" <<SCRIPT
#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for m in ${MODULES[*]}; do [ ! -e /lib/modules/\$m.ko ] || insmod /lib/modules/\$m.ko; done
SCRIPT
    cat >>"$1/init" <<'SCRIPT'
ip link set lo up
hostname tiny
mke2fs /dev/vda >/dev/null 2>&1 && mount /dev/vda /mnt
for p in /sys/class/virtio-ports/*; do
    [ "$(cat "$p/name")" != org.qemu.guest_agent.0 ] || port=/dev/${p##*/}
done
cat </dev/tty1 >/run/typed &
while true; do
    qemu-ga -p "$port" -m virtio-serial -t /run
    sleep 1
done
SCRIPT
}

main() {
    local root
    [ "$OUT" != --cache ] || { echo "$CACHE" && return 0; }
    fetch
    [ "$OUT" != --fetch ] || return 0
    root=$(mktemp -d)
    # shellcheck disable=SC2064 # its value now
    trap "rm -rf -- '$root'" EXIT
    mkdir -p "$root"/{bin,sbin,usr/sbin,etc,proc,sys,dev,run,tmp,mnt,home/alice,root,lib/modules}
    mkdir -p "$OUT"
    copy_programs "$root"
    write_users "$root"
    write_init "$root"
    chmod 755 "$root" "$root/init" "$root/usr/sbin/chpasswd" "$root/bin/has-password"
    chown -R 1000:1000 "$root/home/alice"
    (cd "$root" && find . | ./bin/busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$OUT/initrd"
    cp "$CACHE"/x/boot/vmlinuz-* "$OUT/vmlinuz"
    truncate -s 4M "$OUT/disk"
    chmod 755 "$OUT"
    chmod 644 "$OUT"/{initrd,vmlinuz}
    chmod 666 "$OUT/disk"
}

main
