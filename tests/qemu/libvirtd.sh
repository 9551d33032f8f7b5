#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A private, real libvirtd (qemu:///system) in a mount namespace of its own, reachable from
# outside it by a socket. The machine's own libvirtd, running or not, is neither used nor
# disturbed. Only what this script started is ever signalled, by pid.
#
#   libvirtd.sh start           starts it, prints its URI
#   libvirtd.sh stop            ends it, its guests and the namespace, removes its files
#   libvirtd.sh run CMD...      start, CMD with VG_QEMU_URI set, stop; CMD's exit status
#   libvirtd.sh kill            SIGKILL to libvirtd (guests go on)
#   libvirtd.sh up              starts libvirtd again after kill
#   libvirtd.sh restart         SIGTERM, wait, start again
#   libvirtd.sh freeze | thaw   SIGSTOP | SIGCONT to libvirtd
#   libvirtd.sh uri | pid | guest-pid NAME | exec CMD...
#
# VG_LIBVIRTD_DIR is its folder (short: a socket path has 107 characters at most). With
# VG_LIBVIRTD_HOSTNAME it takes itself for another machine: what migrations need.
# Exit status 77 when this machine cannot run it.
set -euo pipefail

D=${VG_LIBVIRTD_DIR:-/tmp/vg-libvirtd}
SOCKET=$D/sock/libvirt-sock
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
    nsenter -m -u -t "$holder" --wd="$PWD" -- "$@"
}

write_config() {
    mkdir -p "$D"/{etc/qemu,etc/hooks,run,lib/qemu,cache,log/qemu,sock}
    chmod 755 "$D" "$D"/{etc,run,lib,cache,log,sock}
    cat >"$D/etc/libvirtd.conf" <<CONF
host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
unix_sock_dir = "$D/sock"
unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "2:file:$D/log/libvirtd.log"
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
    # libvirtd keeps a domain locked while its hook runs: one named so for some seconds.
    cat >"$D/etc/hooks/qemu" <<'HOOK'
#!/bin/sh
[ "$1 $2" != "held prepare" ] || exec sleep 4
HOOK
    chmod 755 "$D/etc/hooks/qemu"
    # Where /dev/kvm exists but the qemu user may not open it, libvirt's probe finds KVM, its
    # check of the probe does not, and every define and start probes QEMU anew (32 s each on a
    # machine without nested KVM). A plain file that nobody may open hides it; on a read-only
    # mount root may not open it for writing, either.
    : >"$D/kvm"
    chmod 000 "$D/kvm"
    getent passwd libvirt-qemu >/dev/null && chown -R libvirt-qemu "$D/lib/qemu"
    return 0
}

start_namespace() {
    local holder i
    mkdir -p /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt
    # shellcheck disable=SC2016 # expanded by the inner shell
    setsid unshare -m -u --propagation private bash -ec '
        D=$1
        mount --bind "$D/etc" /etc/libvirt
        mount --bind "$D/run" /run/libvirt
        mount --bind "$D/lib" /var/lib/libvirt
        mount --bind "$D/cache" /var/cache/libvirt
        mount --bind "$D/log" /var/log/libvirt
        if [ -e /dev/kvm ]; then
            mount --bind "$D/kvm" /dev/kvm
            mount -o remount,bind,ro /dev/kvm
        fi
        [ -z "${VG_LIBVIRTD_HOSTNAME:-}" ] ||
            echo "$VG_LIBVIRTD_HOSTNAME" >/proc/sys/kernel/hostname
        echo $$ >"$D/holder.pid"
        exec sleep 86400' _ "$D" </dev/null >"$D/holder.out" 2>&1 &
    for ((i = 0; i < 100; i++)); do
        if holder=$(alive holder.pid sleep); then return 0; fi
        sleep 0.05
    done
    cannot "no mount namespace of our own: $(cat "$D/holder.out")"
}

start_daemon() {
    local i
    rm -f "$SOCKET"
    inside setsid /usr/bin/python3 "$REAPER" libvirtd -p "$D/libvirtd.pid" \
        </dev/null >>"$D/libvirtd.out" 2>&1 &
    for ((i = 0; i < 300; i++)); do
        [ -S "$SOCKET" ] && alive libvirtd.pid libvirtd >/dev/null && return 0
        sleep 0.05
    done
    cat "$D/libvirtd.out" "$D/log/libvirtd.log" >&2 || true
    die "libvirtd did not come up"
}

end_daemon() {
    local pid
    pid=$(alive libvirtd.pid libvirtd) || return 0
    kill -CONT "$pid" || true
    kill -TERM "$pid" || true
    gone "$pid" 10 || kill -KILL "$pid" || true
    gone "$pid" 5 || die "libvirtd $pid does not end"
}

end_guests() {
    local f pid
    for f in "$D"/run/qemu/*.pid; do
        [ -e "$f" ] || continue
        pid=$(cat "$f" 2>/dev/null) || continue
        case $(cat "/proc/$pid/comm" 2>/dev/null) in
        qemu-*) kill -KILL "$pid" 2>/dev/null || true ;;
        esac
    done
}

stop() {
    local holder
    end_daemon
    end_guests
    if holder=$(alive holder.pid sleep); then
        kill -TERM "$holder" || true
        gone "$holder" 5 || true
    fi
    rm -rf -- "$D"
}

start() {
    [ "$(id -u)" = 0 ] || cannot "needs root (a mount namespace)"
    local c
    for c in libvirtd qemu-system-x86_64 unshare nsenter; do
        command -v "$c" >/dev/null || cannot "$c is missing: tests/setup.sh test"
    done
    alive holder.pid sleep >/dev/null && die "already started in $D"
    rm -rf -- "$D"
    write_config
    start_namespace
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
    start >/dev/null
    trap stop EXIT
    VG_LIBVIRTD_DIR=$D VG_QEMU_URI=$URI "$@"
    ;;
kill)
    pid=$(daemon_pid)
    kill -KILL "$pid"
    gone "$pid" 5
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
exec)
    shift
    inside "$@"
    ;;
*)
    sed -n '4,20s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
