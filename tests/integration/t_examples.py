#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The examples do what they say."""
import os
import re
import subprocess
import sys
import time

from watchtest import *

EXAMPLES = os.path.join(SRC, "examples")


@test
def quickstart(t):
    done = subprocess.run([os.path.join(EXAMPLES, "quickstart.sh")], capture_output=True, text=True,
                          env={**os.environ, "WATCH_BIN": BIN}, timeout=200 * SLOW)
    eq(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
    assert re.search(r"versions 1 to 2\d\d\d\d, each exactly once, across three kills", done.stdout), done
    eq(len(re.findall("killed the server", done.stdout)), 3, done.stdout)


@test
def a_job_is_followed_across_restarts(t):
    server = Server(t).start()
    env = {**os.environ, "WATCHCTL_SERVER": server.address, "WATCH_BIN": BIN}
    follower = subprocess.Popen([sys.executable, os.path.join(EXAMPLES, "follow_job.py"), "demo",
                                 server.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    steps = 30
    job = subprocess.Popen([os.path.join(EXAMPLES, "job.sh"), "demo", str(steps), "0.05"], env=env)
    t.cleanup(lambda: [p.kill() for p in (follower, job) if p.poll() is None])
    for _ in range(3):
        time.sleep(0.7 * SLOW)
        if job.poll() is None:
            server.restart()
    eq(job.wait(60 * SLOW), 0, "exit of the job")
    out, err = follower.communicate(timeout=60 * SLOW)
    eq(follower.returncode, 0, f"exit of follow_job.py, which said {err}")
    seen = [tuple(map(int, re.match(r"(\d+): \w+ (\d+)/", line).groups())) for line in out.splitlines()]
    versions = [v for v, _ in seen]
    eq(versions, list(range(versions[0], steps + 3)), "versions")
    done = [d for _, d in seen]
    eq(done, list(range(done[0], steps + 1)) + [steps], "progress")
    assert out.splitlines()[-1].endswith(f"succeeded {steps}/{steps}")


if __name__ == "__main__":
    main()
