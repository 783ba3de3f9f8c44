# SPDX-License-Identifier: Apache-2.0
"""watchctl: one command at a time, or a long-lived watch whose lines are recorded."""
import json
import os
import signal
import subprocess
import threading
import time

from .server import BIN, SLOW

__all__ = ["Cli", "Result", "CliWatch"]


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self):
        return f"exit {self.code}, stdout {self.out[:2000]!r}, stderr {self.err[:2000]!r}"


class Cli:
    def __init__(self, server=None, *args, env=None):
        """server: an address, or None to leave it to the environment."""
        self.before = ["--server", server] if server else []
        self.before += [str(a) for a in args]
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("WATCHCTL_")}
        self.env.update(env or {})

    def command(self, *args):
        words = [str(a) for a in args]
        return [os.path.join(BIN, "watchctl"), *words[:1], *self.before, *words[1:]]

    def run(self, *args, stdin=None, timeout=60):
        done = subprocess.run(self.command(*args), input=stdin if stdin is not None else "",
                              capture_output=True, text=True, env=self.env, timeout=timeout * SLOW)
        result = Result(done.returncode, done.stdout, done.stderr)
        assert result.code >= 0, f"watchctl {args} died: {result}"
        assert "Sanitizer" not in result.err and "runtime error" not in result.err, result
        return result

    def ok(self, *args, **kw):
        result = self.run(*args, **kw)
        assert result.code == 0, f"watchctl {' '.join(map(str, args))}: {result}"
        return result

    def start(self, *args, stdin=subprocess.DEVNULL):
        """A running command, for those that last."""
        return subprocess.Popen(self.command(*args), stdin=stdin, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=self.env)


class CliWatch:
    """`watchctl watch … -o json` as a process; every line as it came."""

    def __init__(self, t, cli, *args):
        self.process = cli.start("watch", *args, "-o", "json")
        self.args = args
        self.lines = []
        self.notices = []
        self.bad = None
        self._threads = [threading.Thread(target=self._read, daemon=True),
                         threading.Thread(target=self._read_notices, daemon=True)]
        for thread in self._threads:
            thread.start()
        t.cleanup(self.close)

    def _read(self):
        for line in self.process.stdout:
            try:
                if not line.endswith("\n"):
                    raise ValueError("a line cut short")
                self.lines.append(json.loads(line))
            except ValueError as err:
                self.bad = f"{err}: {line[:200]!r}"

    def _read_notices(self):
        for line in self.process.stderr:
            self.notices.append(line.rstrip("\n"))

    def wait_lines(self, n, timeout=30):
        end = time.monotonic() + timeout * SLOW
        while len(self.lines) < n:
            if time.monotonic() > end or (self.process.poll() is not None and self._done()):
                raise AssertionError(
                    f"watchctl watch {self.args}: {len(self.lines)} lines of {n}, exit "
                    f"{self.process.poll()}, stderr {self.notices[-5:]}, bad {self.bad}")
            time.sleep(0.01)

    def _done(self):
        for thread in self._threads:
            thread.join(5)
        return True

    def wait(self, timeout=30):
        """The exit status."""
        code = self.process.wait(timeout * SLOW)
        self._done()
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
            try:
                code = self.process.wait(10 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("watchctl watch did not end on SIGINT") from None
            assert code == 130, f"watchctl watch ended with {code} on SIGINT: {self.notices[-5:]}"
        self._done()
        text = "\n".join(self.notices)
        assert "Sanitizer" not in text and "runtime error" not in text, text
        assert self.bad is None, self.bad
