#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything, from a bare Debian 12: installs what is missing, builds, runs all tests, then again with
# sanitizers.
#
#   tests/run.sh           all of it, about eleven minutes on 2 cores
#   tests/run.sh --quick   without the sanitizers
#   tests/run.sh --long    more rounds of everything; hours
set -u
cd "$(dirname "$0")/.." || exit 1
mode=default
for word in "$@"; do
    case $word in
    --quick) mode=quick ;;
    --long) mode=long ;;
    *) echo "usage: tests/run.sh [--quick | --long]" >&2 && exit 2 ;;
    esac
done
begin=$SECONDS
jobs=$((2 * $(nproc))) # at a time: see tests/CMakeLists.txt
passed=0 failed=0 skipped=0
factor=1
if [ "$mode" = long ]; then
    export WATCH_LONG=1 WATCH_HANG_S=7000
    factor=30
fi

say() {
    printf '\n== %s (%d s)\n' "$*" $((SECONDS - begin))
}

# build PRESET [OPTION]...
build() {
    local preset=$1
    shift
    cmake --preset "$preset" -DWATCH_TIMEOUT_FACTOR=$factor "$@" > "build/$preset.log" 2>&1 &&
        cmake --build --preset "$preset" >> "build/$preset.log" 2>&1
    local status=$?
    if [ $status -ne 0 ]; then
        tail -n 60 "build/$preset.log"
        echo "the build of $preset failed"
        echo "$passed passed, $((failed + 1)) failed"
        exit 1
    fi
    if grep -n 'warning:' "build/$preset.log"; then
        echo "(the warnings above are from the build of $preset)"
    fi
}

# run PRESET [OPTION of ctest]...: runs tests and adds them up.
run() {
    local preset=$1 log="build/$1.tests"
    shift
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" "$@" 2>&1 |
        tee "$log" | grep -vE '^ +Start +[0-9]+:'
    local status=${PIPESTATUS[0]} bad all idle
    bad=$(sed -nE 's/^.*tests passed, ([0-9]+) tests failed out of ([0-9]+)$/\1/p' "$log")
    all=$(sed -nE 's/^.*tests passed, ([0-9]+) tests failed out of ([0-9]+)$/\2/p' "$log")
    idle=$(grep -cE '\*\*\*Skipped' "$log")
    if [ -z "$all" ]; then
        bad=1 all=1
    fi
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    passed=$((passed + all - bad - idle)) failed=$((failed + bad)) skipped=$((skipped + idle))
}

say "packages"
tests/lib/packages.sh test || { echo "packages are missing"; echo "0 passed, 1 failed"; exit 1; }
mkdir -p build

say "release"
build release
run release

if [ "$mode" != quick ]; then
    # The same paths with fewer rounds; what waits, waits longer.
    if [ "$mode" = default ]; then
        export WATCH_SHORT=1
    fi
    export WATCH_SLOW=4
    say "address and undefined behaviour sanitizers"
    build asan
    ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:quarantine_size_mb=32 \
        UBSAN_OPTIONS=print_stacktrace=1 \
        run asan -L '^(unit|fault|integration|conformance)$'
    say "thread sanitizer"
    build tsan
    # gRPC's own libraries are not instrumented; what they do between themselves is not ours to judge.
    TSAN_OPTIONS=ignore_noninstrumented_modules=1:second_deadlock_stack=1 \
        run tsan -R '^(unit/|integration/(resume_after_kill|snapshot_seam|unsubscribe|many_clients|concurrent_preconditions)$)'
fi

say "done"
if [ $skipped -gt 0 ]; then
    echo "$skipped skipped (what they need is not here; see above)"
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
