# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Bytes into volumes and back, for run.sh: beside `virsh vol-upload` and `vol-download`, and a loop
# of libvirt's C API in pieces of the longest payload. Both ends are in tmpfs. Needs URI and a
# gateway at PORT. Of three processes that share two cores, the client is one.
#
#   BENCH_TRANSFER_MIB=1024   the file
MIB=${BENCH_TRANSFER_MIB:-1024}
VOLUMES=$BASE/storage-pools/bench/volumes

# MiB per second of a command that moves the file.
speed() { # command...
    local begun ended
    begun=$(date +%s%N)
    "$@" >/dev/null || return 1
    ended=$(date +%s%N)
    awk -v mib="$MIB" -v ns=$((ended - begun)) 'BEGIN { printf "%.1f\n", mib * 1e9 / ns }'
}

# By these names: by whom, and what.
put_virsh() { speed virsh -q -c "$URI" vol-upload --pool bench v "$SHM/in"; }
put_gateway() { speed curl -fsS -T "$SHM/in" "$VOLUMES/v/content"; }
put_c() { "$O/tests/bench/transfer" "$URI" upload "$SHM/pool/v" "$SHM/in"; }
get_virsh() { speed virsh -q -c "$URI" vol-download --pool bench v "$SHM/out"; }
get_gateway() { speed curl -fsS -o "$SHM/out" "$VOLUMES/v/content"; }
get_c() { "$O/tests/bench/transfer" "$URI" download "$SHM/pool/v" "$SHM/out"; }

# A new volume, made sparse: of both what makes it, too.
sparse_virsh() {
    virsh -q -c "$URI" vol-create-as bench s "${MIB}M" --allocation 0 &&
        virsh -q -c "$URI" vol-upload --sparse --pool bench s "$SHM/holes"
}
sparse_gateway() {
    curl -fsS -X POST -H 'Content-Type: application/octet-stream' -T "$SHM/holes" \
        "$VOLUMES?name=s"
}
sparse_extents() { tests/bench/extents.py "$PORT" bench s "$SHM/holes"; }
put_sparse() { # virsh|gateway|extents
    virsh -q -c "$URI" vol-delete --pool bench s >/dev/null 2>&1 || true
    speed "sparse_$1"
}

# The gateway's CPU time of a GiB, in ms.
cpu_of() { # command
    local before
    before=$(cpu_ticks "${PID[$PORT]}")
    "$1" >/dev/null
    awk -v n=$(($(cpu_ticks "${PID[$PORT]}") - before)) -v ticks="$TICKS" -v mib="$MIB" \
        'BEGIN { printf "%.0f\n", n * 1000 / ticks * 1024 / mib }'
}

transfer_figures() {
    local way i
    SHM=$(mktemp -d /dev/shm/vgb.XXXXXX)
    chmod 755 "$SHM"
    head -c "${MIB}M" /dev/urandom >"$SHM/in"
    truncate -s "${MIB}M" "$SHM/holes"
    for ((i = 0; i < 16; i++)); do # a 16th of it is data
        head -c "$((MIB / 256))M" "$SHM/in" |
            dd of="$SHM/holes" bs=1M seek=$((i * MIB / 16)) conv=notrunc status=none
    done
    curl -fsS -o /dev/null -H 'Content-Type: application/json' "$BASE/storage-pools" \
        -d "{\"name\": \"bench\", \"path\": \"$SHM/pool\", \"build\": true, \"start\": true}"
    curl -fsS -o /dev/null -H 'Content-Type: application/json' "$VOLUMES" \
        -d "{\"name\": \"v\", \"capacityMiB\": $MIB}"
    put_c >/dev/null # its blocks are there
    for way in virsh c gateway; do
        row "upload, MiB/s: $way" "$(put_$way)" - - "$([ $way != gateway ] || cpu_of put_gateway)"
        row "download, MiB/s: $way" "$(get_$way)" - - "$([ $way != gateway ] || cpu_of get_gateway)"
    done
    cmp "$SHM/in" "$SHM/out" || echo "what came back is something else"
    figure "upload / virsh vol-upload" "$(ratio put_gateway -- put_virsh)" at-least 0.9
    figure "download / virsh vol-download" "$(ratio get_gateway -- get_virsh)" at-least 0.9
    figure "upload / a loop in C" "$(ROUNDS=3 ratio put_gateway -- put_c)"
    figure "download / a loop in C" "$(ROUNDS=3 ratio get_gateway -- get_c)"
    figure "gateway's CPU time of an upload, ms per GiB" "$(cpu_of put_gateway)"
    figure "gateway's CPU time of a download, ms per GiB" "$(cpu_of get_gateway)"
    figure "time of a sparse upload by its extents, a 16th of it data / virsh --sparse" \
        "$(ratio put_sparse virsh -- put_sparse extents)" at-most 2
    cmp "$SHM/holes" "$SHM/pool/s" || echo "the sparse volume is something else"
    figure "the same as one body with all its zeros" \
        "$(ROUNDS=3 ratio put_sparse virsh -- put_sparse gateway)"
    cmp "$SHM/holes" "$SHM/pool/s" || echo "the sparse volume is something else"
    curl -fsS -o /dev/null -X POST "$BASE/storage-pools/bench/destroy"
    curl -fsS -o /dev/null -X DELETE "$BASE/storage-pools/bench"
    rm -rf "$SHM"
}
