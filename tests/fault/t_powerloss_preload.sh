#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A stock watchd on the VFS that loses power, preloaded: it dies of the loss wherever that comes
# while it makes its file, and starts from what is left.
set -eu
vfs=$WATCH_BIN/libpowerloss.so
[ -x "$WATCH_BIN/watchd" ] && [ -e "$vfs" ] || exit 77
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# A sanitizer's runtime wants to be first, and is not when anything is preloaded.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0"

give_up() {
    echo "$1"
    cat "$dir/out"
    exit 1
}

# Ends by itself when the power goes; by the alarm it ends with 124.
lose_power_at() {
    status=0
    LD_PRELOAD=$vfs WATCH_VFS_SEED=$1 WATCH_VFS_LOSE_AT=$1 \
        timeout 20 "$WATCH_BIN/watchd" --db "$dir/$1.db" --listen 127.0.0.1:0 \
        >"$dir/out" 2>&1 || status=$?
    [ "$status" -eq 86 ] || give_up "loss at operation $1: status $status"
}

starts_again() {
    "$WATCH_BIN/watchd" --db "$dir/$1.db" --listen 127.0.0.1:0 >"$dir/out" 2>&1 &
    pid=$!
    tries=0
    until grep -q '^listening on' "$dir/out"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 150 ] || ! kill -0 "$pid" 2>/dev/null; then
            kill "$pid" 2>/dev/null || true
            give_up "after a loss at $1: no start"
        fi
        sleep 0.1
    done
    kill "$pid"
    wait "$pid" || give_up "after a loss at $1: no clean end"
}

for at in 1 3 6 10 15 20 25; do
    lose_power_at "$at"
    starts_again "$at"
done
