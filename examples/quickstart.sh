#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# watchd in one go: installs what is missing, builds, starts a server, puts, watches, kills the server in
# the middle of the writes, starts it again, and shows that the watch went on without a gap.
# Ends by itself and leaves only the build behind. With WATCH_BIN=FOLDER it uses the programs there.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
server=0 watch=0 load=0

finish() {
    for process in $load $watch $server; do
        [ "$process" -eq 0 ] || kill "$process" 2> /dev/null || true
    done
    wait 2> /dev/null || true
    rm -rf "$work"
}
trap finish EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() {
    printf '$ watchctl %s\n' "$*"
    "$bin/watchctl" "$@"
}

if [ -n "${WATCH_BIN-}" ]; then
    bin=$WATCH_BIN
else
    say "1. Build (the first time it also installs the libraries)"
    "$top/tests/lib/packages.sh" build
    cd "$top"
    mkdir -p build
    { cmake --preset release && cmake --build --preset release --target watchd watchctl; } \
        > build/quickstart.log 2>&1 || { tail -n 30 build/quickstart.log; exit 1; }
    cd "$work"
    bin=$top/build/release/bin
    echo "built $bin/watchd and $bin/watchctl"
fi

# On a Unix socket: a port that the system chose could be somebody else's after a kill.
export WATCHCTL_SERVER=unix:$work/demo.sock
start() {
    : > "$work/address"
    "$bin/watchd" --db "$work/demo.db" --listen "$WATCHCTL_SERVER" > "$work/address" 2>> "$work/server.log" &
    server=$!
    for _ in $(seq 300); do
        grep -q '^listening on ' "$work/address" && return
        sleep 0.1
    done
    cat "$work/server.log"
    exit 1
}

say "2. Start a server"
start
echo "watchd --db demo.db --listen unix:demo.sock"

say "3. Put and get objects"
show put greeting '{"text":"hello"}'
show put jobs/nightly '{"state":"queued","tries":0}'
show patch jobs/nightly '{"spec":{"state":"running"}}'
show get all
show get jobs/nightly -o yaml

say "4. Watch everything, from the first version on"
echo '$ watchctl watch all -A --since 0 -o json &'
"$bin/watchctl" watch all -A --since 0 -o json > "$work/events" 2> "$work/notices" &
watch=$!

say "5. Write, and kill -9 the server in the middle"
writes=20000
seq "$writes" | sed 's/.*/{"op":"put","resource":"jobs","name":"job-&","object":{"spec":{"n":&}}}/' \
    > "$work/jobs"
echo "\$ watchctl import jobs &    # $writes objects"
"$bin/watchctl" import "$work/jobs" > "$work/import" 2>&1 &
load=$!
for round in 1 2 3; do
    seen=$(wc -l < "$work/events")
    until [ "$(wc -l < "$work/events")" -gt $((seen + 500)) ] || ! kill -0 $load 2> /dev/null; do
        sleep 0.01
    done
    kill -9 "$server"
    wait "$server" 2> /dev/null || true
    echo "killed the server, round $round; the watch has seen $(wc -l < "$work/events") events"
    start
done
wait "$load" || { cat "$work/import"; echo "the import failed"; exit 1; }
load=0
cat "$work/import"

say "6. What the watch saw"
show put greeting '{"text":"goodbye"}'
head=$("$bin/watchctl" get greeting -o json | sed -n 's/.*"resourceVersion": *"\([0-9]*\)".*/\1/p' | head -n 1)
for _ in $(seq 300); do
    grep -q "\"resourceVersion\":\"$head\"" "$work/events" && break
    sleep 0.1
done
sed 's/^/  watchctl said: /' "$work/notices"
grep -o '"resourceVersion":"[0-9]*"' "$work/events" | tr -dc '0-9\n' | awk -v head="$head" -v least="$writes" '
    $1 != ++n { print "after version " n - 1 " came " $1 "; that is a gap or a repetition"; bad = 1; exit }
    END {
        if (!bad && n != head) { print "the last version seen is " n ", not " head; bad = 1 }
        if (!bad && n < least) { print "only " n " events"; bad = 1 }
        if (!bad) { print "versions 1 to " n ", each exactly once, across three kills. Nothing lost." }
        exit bad
    }'
