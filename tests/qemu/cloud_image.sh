#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The image of a guest that starts from its disk and does what cloud-init does first: it looks for
# a file system with the label "cidata", takes the name and the key from it, and asks for an address
# by DHCP under that name. Debian's kernel (the large one, which has SATA) and busybox, started by
# syslinux; tells on its console.
#
#   cloud_image.sh FILE       writes it, raw; the packages are agent_image.sh's
set -euo pipefail
cd "$(dirname "$0")/../.."

OUT=$(realpath -m "$1")
# In the order they are loaded.
MODULES=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk
    failover net_failover virtio_net scsi_common scsi_mod libata libahci ahci cdrom sr_mod isofs)

tests/qemu/agent_image.sh --fetch
CACHE=$(tests/qemu/agent_image.sh --cache)

W=$(mktemp -d)
# shellcheck disable=SC2064 # its value now
trap "rm -rf -- '$W'" EXIT
mkdir -p "$W"/root/{bin,etc,proc,sys,dev,run,mnt,lib}
chmod 755 "$W/root"
cp "$(find "$CACHE/x" -path '*/bin/busybox' -print -quit)" "$W/root/bin/"
for name in sh mount insmod ip ifconfig udhcpc dd cat sed grep hostname sleep; do
    ln -s busybox "$W/root/bin/$name"
done
for name in "${MODULES[@]}"; do # one may be part of the kernel itself
    file=$(find "$CACHE/cd" -path "*/lib/modules/*/$name.ko*" -print -quit)
    case $file in
    *.xz) xz -dc "$file" >"$W/root/lib/$name.ko" ;;
    *.ko) cp "$file" "$W/root/lib/" ;;
    esac
done

cat >"$W/root/init" <<SCRIPT
#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec >/dev/ttyS0 2>&1
for m in ${MODULES[*]}; do [ ! -e /lib/\$m.ko ] || insmod /lib/\$m.ko; done
SCRIPT
cat >>"$W/root/init" <<'SCRIPT'
for wait in 0 1 2 3 4 5 6 7 8 9; do # a CD's drive comes late
    for disk in /dev/vd? /dev/sr?; do
        [ -e "$disk" ] || continue
        label=$(dd if="$disk" bs=1 skip=32808 count=6 2>/dev/null) # of ISO 9660's first descriptor
        case $label in
        [Cc][Ii][Dd][Aa][Tt][Aa]) mount -t iso9660 -o ro "$disk" /mnt ;; # capitals in ISO 9660 itself
        esac
    done
    [ ! -e /mnt/meta-data ] || break
    sleep 1
done
name=$(sed -n 's/.*"local-hostname": "\([^"]*\)".*/\1/p' /mnt/meta-data)
key=$(grep -o 'ssh-ed25519 [A-Za-z0-9+/]*' /mnt/user-data)
hostname "${name:-nobody}"
echo "SEED serial=$(cat /sys/class/dmi/id/product_serial) name=$name key=$key"
ip link set eth0 up
udhcpc -i eth0 -x "hostname:${name:-nobody}" -n -t 20 -T 1 -s /bin/lease
while true; do sleep 60; done
SCRIPT
cat >"$W/root/bin/lease" <<'SCRIPT'
#!/bin/sh
[ "$1" != bound ] || ifconfig eth0 "$ip" netmask "$subnet"
SCRIPT
chmod 755 "$W/root/init" "$W/root/bin/lease"
(cd "$W/root" && find . | ./bin/busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$W/initrd"

cat >"$W/syslinux.cfg" <<'CONFIG'
DEFAULT tiny
LABEL tiny
  LINUX vmlinuz
  INITRD initrd
  APPEND console=ttyS0 quiet panic=1
CONFIG
truncate -s 32M "$OUT"
mkfs.fat -F 16 "$OUT" >/dev/null
mcopy -i "$OUT" "$CACHE"/cd/boot/vmlinuz-* ::vmlinuz
mcopy -i "$OUT" "$W/initrd" "$W/syslinux.cfg" ::
syslinux --install "$OUT"
chmod 644 "$OUT"
