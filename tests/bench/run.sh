#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures watchd and, where it is installed, etcd, side by side on this machine.
#
#   tests/bench/run.sh                     every workload, three times; about an hour
#   tests/bench/run.sh put fanout          these only
#   tests/bench/run.sh --short             small sizes, once; minutes, and only to see that it works
#   tests/bench/run.sh --help              all options and workloads
#
# The table goes to stdout and, with plots and all figures, to build/bench (--out DIR).
# WATCH_BIN is the folder with watchd and watch_bench; without it they are built, as release.
set -eu
cd "$(dirname "$0")/../.."
if [ -z "${WATCH_BIN-}" ]; then
    mkdir -p build
    { cmake --preset release && cmake --build --preset release --target watchd watch_bench; } \
        > build/bench.log 2>&1 || { tail -n 30 build/bench.log >&2; exit 1; }
    WATCH_BIN=$PWD/build/release/bin
fi
export WATCH_BIN
exec python3 -B tests/bench/run.py "$@"
