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


def readme(language, chapter):
    """The first block of a language in a chapter of the README."""
    with open(os.path.join(SRC, "README.md"), encoding="utf-8") as file:
        text = file.read().split(f"\n## {chapter}\n", 1)[1].split("\n## ", 1)[0]
    return re.search(rf"```{language}\n(.*?)```", text, re.S)[1]


@test
def the_readmes_python_resumes_across_a_restart(t):
    server = Server(t).start()
    subprocess.run(["protoc", "-I", os.path.join(SRC, "proto"), "--python_out", t.dir,
                    "watch/v1/object.proto", "watch/v1/watch.proto"], check=True)
    code = readme("python", "With Python").replace("127.0.0.1:7733", server.address)
    client = subprocess.Popen([sys.executable, "-u", t.file("example.py", code)], stdout=subprocess.PIPE,
                              env={**os.environ, "PYTHONPATH": t.dir}, text=True)
    t.cleanup(lambda: client.poll() is None and client.kill())
    for i in range(4):
        server.client().put("nightly", {"i": i}, resource="jobs", wait=True)
        line = client.stdout.readline()
        assert line.startswith(("EVENT_TYPE_ADDED" if i == 0 else "EVENT_TYPE_MODIFIED") + " nightly"), line
        eq(f'"i":{i}' in line, True, line)
        server.restart()


def readme_sessions():
    """(command, what is shown of its output) of all blocks that begin with a prompt, in their order."""
    with open(os.path.join(SRC, "README.md"), encoding="utf-8") as file:
        blocks = re.findall(r"^```\n(\$ .*?)^```", file.read(), re.S | re.M)
    for line in "".join(blocks).split("\n$ "):
        head, *rest = line.removeprefix("$ ").splitlines()
        if "<<'END'" in head:
            end = rest.index("END") + 1
            head, rest = "\n".join([head, *rest[:end]]), rest[end:]
        yield head, rest


def shown_as(shown, out):
    """Ages and widths of columns differ; "…" stands for anything."""
    plain = [re.sub(r"\s+", " ", re.sub(r"\b\d+s\b", "0s", text)).strip() for text in (shown, out)]
    return re.match(re.escape(plain[0]).replace("…", ".*"), plain[1]) is not None


@test
def the_readmes_commands_work(t):
    """All in one sequence, so that the versions are those that a reader sees."""
    server = Server(t).start()
    env = {**os.environ, "WATCHCTL_SERVER": server.address, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = 0
    for line, shown in readme_sessions():
        command, _, comment = line.partition("  # ") if "\n" not in line else (line, "", "")
        if command.startswith("cat "):
            t.file(command.split()[1], "\n".join(shown) + "\n")
        if command.startswith(("watchd", "buf")):
            continue
        if command.startswith("watchctl watch"):
            command = command.rstrip("& ") + " --count 1"
        run = subprocess.run(["bash", "-c", command], env=env, cwd=t.dir, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=30 * SLOW)
        code = re.search(r"exit code (\d+)", comment)
        want = (int(code[1]) if code else 1 if command.startswith("watchctl diff") else
                9 if "(Invalid)" in "".join(shown) else 0)
        eq(run.returncode, want, f"{command}: {run.stdout}")
        assert shown_as("\n".join(shown), run.stdout), f"{command} shows {run.stdout!r}, not {shown!r}"
        done += 1
    assert done >= 15, f"only {done} commands were found"


if __name__ == "__main__":
    main()
