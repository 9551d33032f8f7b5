#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Installs, uses, upgrades and purges the packages in /debs, on a booted system that check.sh
# threw nothing into but what a hypervisor host has. A line for each check: "ok WHAT", or "FAILED
# WHAT" with what was seen, indented; at last "end".
set -uo pipefail
export DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
NEW=(/debs/virtgate_*.deb /debs/virtgate-doc_*.deb)
URL=http://127.0.0.1:8080
SOCKET=/run/virtgate/virtgate.sock
CONF=/etc/virtgate/virtgate.conf
TOKENS=/etc/virtgate/tokens
seen=$(mktemp)

# ---- checks --------------------------------------------------------------------------------

report() { # status what
    if [ "$1" = 0 ]; then
        echo "ok $2"
    else
        echo "FAILED $2"
        tail -n 30 "$seen" | sed 's/^/    /'
    fi
}

# The command ends well.
check() { # what command...
    local what=$1
    shift
    "$@" >"$seen" 2>&1
    report $? "$what"
}

# The command ends well and says just this.
says() { # what expected command...
    local what=$1 expected=$2 got
    shift 2
    got=$("$@" 2>&1)
    { echo "expected: $expected" && echo "got: $got"; } >"$seen"
    [ "$got" = "$expected" ]
    report $? "$what"
}

# As check, within some seconds.
soon() { # what seconds command...
    local what=$1 end=$((SECONDS + $2))
    shift 2
    until "$@" >"$seen" 2>&1; do
        [ "$SECONDS" -lt "$end" ] || {
            journalctl -u virtgate --no-pager -o cat | grep -v source=access | tail -n 15 >>"$seen"
            report 1 "$what"
            return
        }
        sleep 0.2
    done
    report 0 "$what"
}

status() { curl -s -o /dev/null -m 10 -w '%{http_code}' "$@"; }
answers() { [ "$(status "$@")" = 200 ]; }
property() { systemctl show virtgate -P "$1"; }
# check.sh has fetched what they depend on.
install() { apt-get -qy --no-install-recommends -o Dpkg::Options::=--force-confold install "$@"; }

# Files and users that are there; what any installation leaves is left out.
inventory() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o \
        -path /var/tmp -o -path /results -o -path /debs -o -path /packages -o -path /var/cache -o \
        -path /var/log -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /root \) -prune -o \
        -path '/etc/*-' -o -print | sort
    sort /etc/passwd /etc/group /etc/shadow /etc/gshadow
    find /var/lib/systemd /run -name '*virtgate*'
}

# ---- what is checked -----------------------------------------------------------------------

check_service() {
    soon "it serves when it is installed" 10 answers $URL/health/ready
    says "the service is enabled" enabled systemctl is-enabled virtgate.service
    says "the socket unit is not" disabled systemctl is-enabled virtgate.socket
    says "it runs as its own user" virtgate ps_user
    says "in libvirt's group" libvirt ps_group
    check "its configuration passes" runuser -u virtgate -- virtgate --check-config --config $CONF
    says "/domains wants a token over TCP" 401 status $URL/domains
    says "root needs none on the unix socket" '{"domains":[]}' \
        curl -s -m 10 --unix-socket $SOCKET http://localhost/domains
    check "it is this machine's QEMU" \
        bash -c "curl -s -m 10 --unix-socket $SOCKET http://localhost/version | grep -q '\"type\":\"QEMU\"'"
    useradd -G libvirt alice
    useradd bob
    says "who is in the group libvirt may do all" 200 \
        runuser -u alice -- bash -c "curl -s -o /dev/null -w '%{http_code}' -m 10 --unix-socket $SOCKET http://localhost/domains"
    says "any other user reaches no socket" 000 \
        runuser -u bob -- bash -c "curl -s -o /dev/null -w '%{http_code}' -m 10 --unix-socket $SOCKET http://localhost/domains"
    userdel alice
    userdel bob
    says "the console is in it" 200 status $URL/ui/
    says "so is /docs" 200 status $URL/docs
}

ps_user() { stat -c %U "/proc/$(property MainPID)"; }
ps_group() { stat -c %G "/proc/$(property MainPID)"; }

check_tokens() {
    local token
    says "the token file is root's and the gateway's" "root virtgate 640" stat -c '%U %G %a' $TOKENS
    token=$(virtgate token create admin admin --token-file $TOKENS)
    soon "a token that is made is good at once" 5 answers -H "Authorization: Bearer $token" $URL/domains
    says "the file is theirs still" "root virtgate 640" stat -c '%U %G %a' $TOKENS
    check "it is taken out" virtgate token revoke admin --config $CONF
    soon "and is good no more" 5 bash -c \
        "[ \"\$(curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer $token' $URL/domains)\" = 401 ]"
}

check_unit() {
    local pid
    pid=$(property MainPID)
    check "it reloads" systemctl reload virtgate
    says "and is the same process" "$pid" property MainPID
    says "systemd watches it" 30s property WatchdogUSec
    mkdir -p /run/systemd/system/virtgate.service.d
    printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/virtgate.service.d/watchdog.conf
    systemctl daemon-reload
    systemctl restart virtgate
    pid=$(property MainPID)
    sleep 5
    says "it says in time that it lives" "$pid" property MainPID
    kill -STOP "$pid"
    soon "one that hangs is started again" 20 bash -c \
        "pid=\$(systemctl show virtgate -P MainPID) && [ \$pid != 0 ] && [ \$pid != $pid ] && curl -sf -m 2 $URL/health/live"
    rm -r /run/systemd/system/virtgate.service.d
    systemctl daemon-reload
    systemctl reset-failed virtgate
    check "it stops" systemctl stop virtgate
    says "cleanly" success property Result
    says "the units pass systemd-analyze verify" '' \
        systemd-analyze verify virtgate.service virtgate.socket
    # Of 100, the less the better: an ordinary service has 96.
    check "systemd-analyze security has no more than 20" \
        systemd-analyze security --threshold=20 --no-pager virtgate.service
    systemctl start virtgate
}

check_activation() {
    local pid
    systemctl disable -q --now virtgate.service
    check "the socket unit starts" systemctl enable --now virtgate.socket
    says "the service waits" inactive systemctl is-active virtgate.service
    says "the first connection is answered" 200 status $URL/health/live
    says "and has started it" active systemctl is-active virtgate.service
    soon "its unix socket is systemd's, too" 10 answers --unix-socket $SOCKET http://localhost/domains
    says "of the same owners" "virtgate libvirt 660" stat -c '%U %G %a' $SOCKET
    pid=$(property MainPID)
    for _ in 1 2 3; do
        systemctl restart virtgate.service &
        check "a restart refuses nobody" is_taken
        wait $!
    done
    [ "$pid" != "$(property MainPID)" ]
    report $? "it was restarted"
    systemctl stop virtgate.service 2>/dev/null
    says "a stopped one is started by the next" 200 status --unix-socket $SOCKET http://localhost/health/live
    systemctl disable -q --now virtgate.socket
    systemctl stop virtgate.service
    by_hand
    systemctl enable -q --now virtgate.service
    soon "the service has its own listeners again" 10 answers $URL/health/ready
}

# Whose connection an ending gateway had taken, before a request was there, may see it closed;
# no connection is refused, which is curl's 7.
is_taken() {
    local status
    curl -sS -o /dev/null -m 30 $URL/health/live
    status=$?
    echo "curl: $status"
    [ $status = 0 ] || [ $status = 52 ] || [ $status = 56 ]
}

by_hand() {
    runuser -u virtgate -- systemd-socket-activate -l 127.0.0.1:8081 \
        virtgate --config $CONF >/dev/null 2>&1 &
    soon "systemd-socket-activate starts it as well" 10 answers http://127.0.0.1:8081/health/live
    kill $!
    wait $! 2>/dev/null
}

check_pages() {
    local page option
    for page in 8/virtgate.8 5/virtgate.conf.5; do
        says "man renders ${page#*/} without a warning" '' bash -c \
            "man --warnings -E UTF-8 -l -Tutf8 -Z /usr/share/man/man$page.gz 2>&1 >/dev/null"
    done
    check "man finds virtgate(8)" man -w 8 virtgate
    MANWIDTH=200 man 8 virtgate >/tmp/page
    for option in $(virtgate --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
        grep -qE -- "^ +(-., )?$option( |\$)" /tmp/page || echo "$option"
    done >"$seen"
    [ -s /tmp/page ] && ! [ -s "$seen" ]
    report $? "it has all options"
    says "the page is listed" 'virtgate (8) - HTTP/JSON gateway to libvirt' bash -c \
        "mandb -q; whatis virtgate | tr -s ' '"
}

check_completions() {
    says "bash completes options" '--tls-cert --tls-client-ca --tls-client-role' in_bash virtgate --tls-c
    says "and what follows token" create in_bash virtgate token cr
    check "and files" bash -c "$(declare -f in_bash); in_bash virtgate --config /etc/virt | grep -q /etc/virtgate"
    # shellcheck disable=SC2016 # expanded by zsh
    says "zsh knows the completion" _virtgate zsh -fc \
        'autoload -Uz compinit; compinit -u -d /tmp/zdump; print $_comps[virtgate]'
    says "and completes options" --tls-key= in_zsh 'virtgate --tls-k'
    says "and what follows token" revoke in_zsh 'virtgate token rev'
}

in_bash() { # words...
    # shellcheck disable=SC2016 # expanded by the inner shell
    bash -c '
        . /usr/share/bash-completion/bash_completion
        . /usr/share/bash-completion/completions/virtgate
        complete -p virtgate >/dev/null || exit
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _virtgate virtgate
        printf "%s\n" "${COMPREPLY[@]}" | sort | paste -sd " "' _ "$@"
}

# The last word of the line, completed in a terminal.
in_zsh() { # line
    zsh -f /packages/complete.zsh "$1"
}

# ---- in order ------------------------------------------------------------------------------

rm -f /usr/sbin/policy-rc.d
systemctl is-system-running --wait >/dev/null
mandb -q
inventory >/tmp/before

# An older one; its conffile is changed by hand, and its tokens are in use.
check "the older one is installed" install /debs/old.deb
[ -e $CONF ] || exit
soon "it serves" 10 answers $URL/health/ready
cp $CONF /tmp/conf
check "one with the conffile as it was is upgraded" install "${NEW[0]}"
says "to the new conffile" 1 bash -c "diff /tmp/conf $CONF | grep -c '^[<>]'"
check "it is downgraded" install --allow-downgrades /debs/old.deb
echo 'read-deadline = 11' >>$CONF
chmod 640 $CONF
chgrp virtgate $CONF
token=$(virtgate token create ci viewer --token-file $TOKENS)
pid=$(property MainPID)
check "the upgrade succeeds" install "${NEW[@]}"
says "the conffile is as it was left" 'root virtgate 640 1' bash -c \
    "echo \"\$(stat -c '%U %G %a' $CONF) \$(grep -cx 'read-deadline = 11' $CONF)\""
check "the new one is beside it" test -e $CONF.dpkg-dist
soon "it serves" 10 answers $URL/health/ready
[ "$pid" != "$(property MainPID)" ]
report $? "by a new process"
says "tokens live on" 200 status -H "Authorization: Bearer $token" $URL/domains

check "it is removed" apt-get -qy remove virtgate
says "and serves no more" 000 status $URL/health/live
check "its configuration stays" test -e $CONF -a -e $TOKENS
check "it is installed again" install "${NEW[@]}"
soon "it serves" 10 answers $URL/health/ready
says "tokens live on" 200 status -H "Authorization: Bearer $token" $URL/domains
check "it is purged" apt-get -qy -o APT::AutoRemove::SuggestsImportant=false purge --auto-remove \
    virtgate virtgate-doc
inventory >/tmp/after
diff /tmp/before /tmp/after >"$seen"
report $? "nothing is left"

check "it is installed anew" install "${NEW[@]}"
check_service
check_tokens
check_unit
check_activation
check_pages
check_completions
check "it is purged" apt-get -qy purge virtgate
echo end
