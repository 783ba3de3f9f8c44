#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A long job that tells its progress to watchd. Usage: job.sh NAME STEPS [SECONDS-PER-STEP]
# Follow it with follow_job.py, or with: watchctl watch jobs/NAME
set -eu
name=$1 steps=$2 pause=${3:-1}
ctl="${WATCH_BIN:+$WATCH_BIN/}watchctl"

# The server may be away for a while; a step is told until it is taken.
tell() {
    until "$ctl" "$@" > /dev/null; do
        sleep 0.2
    done
}

tell put "jobs/$name" '{"status":{"phase":"running","done":0,"of":'"$steps"'}}'
step=0
while [ "$step" -lt "$steps" ]; do
    step=$((step + 1))
    sleep "$pause"
    tell patch "jobs/$name" '{"status":{"done":'"$step"'}}'
done
tell patch "jobs/$name" '{"status":{"phase":"succeeded"}}'
