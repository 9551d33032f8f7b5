#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A private, real libvirtd (qemu:///system) in mount, UTS and network namespaces of its own,
# reachable from outside them by a unix socket. The machine's own libvirtd, networks, udev and
# volume groups, running or not, are neither used nor disturbed. Only what this script started
# and what runs in its namespaces is ever signalled, by pid.
#
#   libvirtd.sh start           starts it, prints its URI
#   libvirtd.sh stop            ends it, its guests and the namespace, removes its files
#   libvirtd.sh run CMD...      start, CMD with VG_QEMU_URI set, stop; CMD's exit status
#   libvirtd.sh kill            SIGKILL to libvirtd (guests go on)
#   libvirtd.sh up              starts libvirtd again after kill
#   libvirtd.sh restart         SIGTERM, wait, start again
#   libvirtd.sh freeze | thaw   SIGSTOP | SIGCONT to libvirtd
#   libvirtd.sh uri | pid | guest-pid NAME
#   libvirtd.sh exec CMD...     runs CMD in its namespaces: `ip`, `tgtd`, a client of a guest's port
#   libvirtd.sh disk MIB        a new loop device of that size, prints /dev/loopN
#
# VG_LIBVIRTD_DIR is its folder (short: a socket path has 107 characters at most). With
# VG_LIBVIRTD_HOSTNAME it takes itself for another machine, beside the daemon at VG_QEMU_URI: what
# migrations need. They share a network namespace, as do those that VG_LIBVIRTD_BESIDE (another
# one's folder) brings together. With VG_LIBVIRTD_OWNER it stops when the process with that pid
# has ended, however it ended. VG_LIBVIRTD_CONF is added to libvirtd.conf, VG_LIBVIRTD_ARGS to
# libvirtd's arguments. VG_LIBVIRTD_POLKIT is a file of polkit's rules: there are a system bus and a
# polkitd in the namespaces then, and libvirtd asks them (access_drivers). Exit status 77 when this
# machine cannot run it.
#
# In its network namespace `lo` is up, and udevd tells libvirt of interfaces made and removed (so
# networks, their dnsmasq and firewall, and node devices work). LVM sees only what `disk` made, and
# mdevctl keeps its definitions in the folder.
set -euo pipefail

D=${VG_LIBVIRTD_DIR:-/tmp/vg-libvirtd}
SOCKET=$D/sock/libvirt-sock
ADMIN_SOCKET=$D/sock/libvirt-admin-sock # made last
URI="qemu+unix:///system?socket=$SOCKET"
REAPER=$(realpath "$(dirname "$0")")/reaper.py

die() {
    echo "libvirtd.sh: $*" >&2
    exit 1
}

cannot() {
    echo "libvirtd.sh: $*" >&2
    exit 77
}

# The pid in a file, if that process is alive and is the program named: a pid may have been
# given to somebody else since it was written.
alive() { # file program
    local pid
    pid=$(cat "$D/$1" 2>/dev/null) || return 1
    [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] || return 1
    echo "$pid"
}

gone() { # pid seconds
    local i
    for ((i = 0; i < $2 * 20; i++)); do
        [ -d "/proc/$1" ] && [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)" != Z ] ||
            return 0
        sleep 0.05
    done
    return 1
}

inside() {
    local holder
    holder=$(alive holder.pid sleep) || die "not started"
    nsenter -m -u -n -t "$holder" --wd="$PWD" -- "$@"
}

# The folder of the daemon whose network this one shares, if any.
beside() {
    local uri=${VG_QEMU_URI:-} dir
    dir=${uri#*socket=}
    dir=${dir%/sock/libvirt-sock}
    if [ -n "${VG_LIBVIRTD_BESIDE:-}" ]; then
        echo "$VG_LIBVIRTD_BESIDE"
    elif [ -n "${VG_LIBVIRTD_HOSTNAME:-}" ] && [ -f "$dir/holder.pid" ] && [ "$dir" != "$D" ]; then
        echo "$dir"
    fi
}

write_config() {
    local drivers=
    [ -z "${VG_LIBVIRTD_POLKIT:-}" ] || drivers='access_drivers = [ "polkit" ]'
    mkdir -p "$D"/{etc/qemu,etc/hooks,run,lib/qemu,cache,log/qemu,sock,disks}
    mkdir -p "$D"/{udev,udev-rules,lvm,lvm-run,mdevctl/scripts.d/{callouts,notifiers},tgtd,sys}
    chmod 755 "$D" "$D"/{etc,run,lib,cache,log,sock}
    cat >"$D/etc/libvirtd.conf" <<CONF
host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
unix_sock_dir = "$D/sock"
unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "2:file:$D/log/libvirtd.log"
$drivers
${VG_LIBVIRTD_CONF:-}
CONF
    # Ports of its own for displays: two libvirtds that run side by side would try the same.
    # No virtlogd, no AppArmor, no cgroups, no /dev of its own for each guest: none of them
    # is what is tested here, and a container may lack each.
    cat >"$D/etc/qemu.conf" <<CONF
stdio_handler = "file"
security_driver = "none"
namespaces = []
cgroup_controllers = []
max_core = 0
remote_display_port_min = $((6000 + $$ % 200 * 100))
remote_display_port_max = $((6099 + $$ % 200 * 100))
${VG_QEMU_CONF:-}
CONF
    # libvirtd keeps a domain locked while its hook runs: those named so as long as there is the
    # file etc/hold; NAME.held is there meanwhile.
    cat >"$D/etc/hooks/qemu" <<'HOOK'
#!/bin/sh
case "$1 $2" in
hold-*" prepare")
    : >"/etc/libvirt/$1.held"
    for i in $(seq 600); do [ ! -e /etc/libvirt/hold ] || sleep 0.2; done
    rm -f "/etc/libvirt/$1.held"
    ;;
esac
HOOK
    sed 's/prepare/start/' "$D/etc/hooks/qemu" >"$D/etc/hooks/network"
    chmod 755 "$D/etc/hooks/qemu" "$D/etc/hooks/network"
    # Where /dev/kvm exists but the qemu user may not open it, libvirt's probe finds KVM, its
    # check of the probe does not, and every define and start probes QEMU anew (32 s each on a
    # machine without nested KVM). A plain file that nobody may open hides it; on a read-only
    # mount root may not open it for writing, either.
    : >"$D/kvm"
    chmod 000 "$D/kvm"
    write_lvm_config
    getent passwd libvirt-qemu >/dev/null && chown -R libvirt-qemu "$D/lib/qemu"
    return 0
}

# LVM sees our own loop devices, none of the machine's.
write_lvm_config() {
    local accepted
    accepted=$(disks | sed 's/.*/"a|^&$|", /' | tr -d '\n')
    cat >"$D/lvm/lvm.conf" <<CONF
devices {
    use_devicesfile = 0
    obtain_device_list_from_udev = 0
    external_device_info_source = "none"
    global_filter = [ $accepted"r|.*|" ]
}
global { event_activation = 0 }
activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }
backup { backup = 0 archive = 0 }
CONF
}

# Our loop devices, one a line.
disks() {
    losetup --list --noheadings --output NAME,BACK-FILE |
        awk -v at="$D/disks/" 'index($2, at) == 1 {print $1}'
}

disk() { # mebibytes
    local file
    file=$(mktemp "$D/disks/XXXXXX")
    truncate -s "$1M" "$file"
    losetup --find --show "$file" || cannot "no loop device"
    write_lvm_config
}

start_namespace() {
    local holder i peer new=(unshare -m -u -n)
    peer=$(beside)
    if [ -n "$peer" ]; then
        holder=$(D=$peer alive holder.pid sleep) || die "nothing is started in $peer"
        new=(nsenter "--net=/proc/$holder/ns/net" unshare -m -u)
    fi
    mkdir -p /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /run/udev /run/lvm \
        /run/tgtd /etc/lvm /etc/mdevctl.d
    # shellcheck disable=SC2016 # expanded by the inner shell
    setsid "${new[@]}" --propagation private bash -ec '
        D=$1 udev=$2
        mount --bind "$D/etc" /etc/libvirt
        mount --bind "$D/run" /run/libvirt
        mount --bind "$D/lib" /var/lib/libvirt
        mount --bind "$D/cache" /var/cache/libvirt
        mount --bind "$D/log" /var/log/libvirt
        mount --bind "$udev" /run/udev
        mount --bind "$D/lvm" /etc/lvm
        mount --bind "$D/lvm-run" /run/lvm
        mount --bind "$D/mdevctl" /etc/mdevctl.d
        mount --bind "$D/tgtd" /run/tgtd
        # A sysfs shows the interfaces of the namespace that mounts it, and has no control groups.
        mount --rbind /sys "$D/sys"
        mount -t sysfs sysfs /sys
        if mountpoint -q "$D/sys/fs/cgroup"; then
            mount --rbind "$D/sys/fs/cgroup" /sys/fs/cgroup
        fi
        umount -l "$D/sys"
        ip link set lo up
        if [ -e /dev/kvm ]; then
            mount --bind "$D/kvm" /dev/kvm
            mount -o remount,bind,ro /dev/kvm
        fi
        [ -z "${VG_LIBVIRTD_HOSTNAME:-}" ] ||
            echo "$VG_LIBVIRTD_HOSTNAME" >/proc/sys/kernel/hostname
        echo $$ >"$D/holder.pid"
        exec sleep 86400' _ "$D" "${peer:-$D}/udev" </dev/null >"$D/holder.out" 2>&1 &
    disown
    for ((i = 0; i < 1200; i++)); do
        if holder=$(alive holder.pid sleep); then return 0; fi
        sleep 0.05
    done
    cannot "no mount namespace of our own: $(cat "$D/holder.out")"
}

# What tells libvirt of devices that come and go. It runs no rule, and its /dev is empty: the
# machine's device nodes, which it would set to what rules say, are the machine's.
start_udevd() {
    local i
    [ ! -S "$D/udev/control" ] || return 0
    # shellcheck disable=SC2016 # expanded by the inner shell
    inside setsid unshare -m bash -ec '
        mount -t tmpfs tmpfs /dev
        mount --bind "$1/udev-rules" /usr/lib/udev/rules.d
        [ ! -d /etc/udev/rules.d ] || mount --bind "$1/udev-rules" /etc/udev/rules.d
        echo $$ >"$1/udevd.pid"
        exec /lib/systemd/systemd-udevd' _ "$D" </dev/null >"$D/udevd.out" 2>&1 &
    disown
    for ((i = 0; i < 1200; i++)); do
        [ ! -S "$D/udev/control" ] || return 0
        sleep 0.05
    done
    cat "$D/udevd.out" >&2
    die "udevd did not come up"
}

# What libvirt's polkit driver asks, by these rules alone beside Debian's.
start_polkit() {
    local i
    [ -n "${VG_LIBVIRTD_POLKIT:-}" ] || return 0
    mkdir -p /run/dbus /etc/polkit-1/rules.d "$D/polkit"
    chmod 755 "$D/polkit"
    install -m 644 "$VG_LIBVIRTD_POLKIT" "$D/polkit/10-test.rules"
    # shellcheck disable=SC2016 # expanded by the inner shell
    inside setsid bash -ec '
        mount -t tmpfs tmpfs /run/dbus
        mount --bind "$1/polkit" /etc/polkit-1/rules.d
        dbus-daemon --system --fork --nopidfile
        exec /usr/lib/polkit-1/polkitd --no-debug' _ "$D" </dev/null >"$D/polkit.out" 2>&1 &
    disown
    for ((i = 0; i < 600; i++)); do
        if inside pkaction --action-id org.libvirt.api.connect.read >/dev/null 2>&1; then return 0; fi
        sleep 0.05
    done
    cat "$D/polkit.out" >&2
    cannot "polkitd did not come up"
}

# Stops us when the process that wants us has ended, however it ended.
start_guard() {
    [ -n "${VG_LIBVIRTD_OWNER:-}" ] || return 0
    # shellcheck disable=SC2016 # expanded by the inner shell
    VG_LIBVIRTD_DIR=$D setsid bash -c '
        tail --pid="$1" -f /dev/null
        exec "$2" stop' _ "$VG_LIBVIRTD_OWNER" "$(realpath "$0")" </dev/null >/dev/null 2>&1 &
    echo $! >"$D/guard.pid"
    disown
}

start_daemon() {
    local i
    rm -f "$SOCKET" "$ADMIN_SOCKET" "$D/ending"
    # shellcheck disable=SC2086 # several words
    VG_ENDING=$D/ending inside setsid /usr/bin/python3 "$REAPER" libvirtd ${VG_LIBVIRTD_ARGS:-} -p "$D/libvirtd.pid" \
        </dev/null >>"$D/libvirtd.out" 2>&1 &
    for ((i = 0; i < 1200; i++)); do
        [ -S "$SOCKET" ] && [ -S "$ADMIN_SOCKET" ] && alive libvirtd.pid libvirtd >/dev/null && return 0
        sleep 0.05
    done
    cat "$D/libvirtd.out" "$D/log/libvirtd.log" >&2 || true
    die "libvirtd did not come up"
}

end_daemon() {
    local pid
    [ ! -d "$D" ] || : >"$D/ending"
    pid=$(alive libvirtd.pid libvirtd) || return 0
    kill -CONT "$pid" || true
    kill -TERM "$pid" || true
    gone "$pid" 30 || kill -KILL "$pid" || true
    gone "$pid" 60 || die "libvirtd $pid does not end"
}

end_udevd() {
    local pid
    pid=$(alive udevd.pid systemd-udevd) || return 0
    kill -KILL "$pid" || true
    gone "$pid" 5 || true
}

# Guests, dnsmasqs, and whatever a test left running there.
end_others() { # holder
    local ours pid
    ours=$(readlink "/proc/$1/ns/mnt")
    for pid in $(stat -c '%N' /proc/[0-9]*/ns/mnt 2>/dev/null |
        sed -n "s|^'/proc/\([0-9]*\)/ns/mnt' -> '${ours//[][]/\\&}'$|\1|p"); do
        [ "$pid" = "$1" ] || tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qFx "$REAPER" ||
            kill -KILL "$pid" 2>/dev/null || true
    done
}

end_guard() {
    local pid
    pid=$(alive guard.pid bash) || return 0
    [ "$pid" = $$ ] || kill -KILL -- "-$pid" 2>/dev/null || true
}

stop() {
    local holder disk
    end_guard
    end_daemon
    if holder=$(alive holder.pid sleep); then
        [ -z "$(disks)" ] || inside vgchange -q -an >/dev/null 2>&1 || true
        end_udevd
        end_others "$holder"
        kill -KILL "$holder" || true
        gone "$holder" 5 || true
    fi
    for disk in $(disks); do losetup --detach "$disk" || true; done
    rm -rf -- "$D"
}

start() {
    [ "$(id -u)" = 0 ] || cannot "needs root (a mount namespace)"
    local c
    for c in libvirtd qemu-system-x86_64 unshare nsenter ip losetup udevadm; do
        command -v "$c" >/dev/null || cannot "$c is missing: tests/setup.sh test"
    done
    alive holder.pid sleep >/dev/null && die "already started in $D"
    rm -rf -- "$D"
    write_config
    start_guard
    start_namespace
    [ -n "$(beside)" ] || start_udevd
    start_polkit
    start_daemon
    echo "$URI"
}

daemon_pid() {
    alive libvirtd.pid libvirtd || die "libvirtd is not running"
}

case ${1:-} in
start) start ;;
stop) stop ;;
run)
    shift
    VG_LIBVIRTD_OWNER=$$
    start >/dev/null
    trap stop EXIT
    VG_LIBVIRTD_DIR=$D VG_QEMU_URI=$URI "$@"
    ;;
kill)
    pid=$(daemon_pid)
    kill -KILL "$pid"
    gone "$pid" 60
    ;;
up) start_daemon ;;
restart)
    end_daemon
    start_daemon
    ;;
freeze) kill -STOP "$(daemon_pid)" ;;
thaw) kill -CONT "$(daemon_pid)" ;;
uri) echo "$URI" ;;
pid) daemon_pid ;;
guest-pid) cat "$D/run/qemu/$2.pid" ;;
disk) disk "$2" ;;
exec)
    shift
    inside "$@"
    ;;
*)
    sed -n '4,35s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
