# SPDX-License-Identifier: Apache-2.0
"""A watchd under our control: start, kill -9, stop and continue, drain, restart in place."""
import os
import re
import signal
import subprocess
import threading
import time

from .api import Client

__all__ = ["BIN", "HOST", "Server", "SLOW", "wait_until", "ServerExit"]

BIN = os.environ.get("WATCH_BIN", "")
# A loopback address of this program's own. Connections on loopback come from 127.0.0.1 and from any
# port; there, one of somebody else could hold the port of a server that is just being restarted.
HOST = f"127.{64 + (os.getpid() >> 16 & 63)}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
# Builds with sanitizers are slower; every timeout is stretched by this.
SLOW = float(os.environ.get("WATCH_SLOW", "1"))

# What a sanitizer prints on stderr, and our own assertions.
ALARMS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion")


def wait_until(what, condition, timeout=10, pause=0.02):
    """Waits until condition() is true and returns its value."""
    end = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(pause)


class ServerExit(Exception):
    """watchd ended instead of listening."""

    def __init__(self, code, stderr):
        super().__init__(f"watchd ended with {code}: {stderr.strip()}")
        self.code = code
        self.stderr = stderr


class Server:
    """start() it on the test's main thread: the kernel kills watchd when that thread ends."""

    def __init__(self, t, *args, db=None, env=None, tcp=True, name="watchd"):
        self.dir = t.dir
        self.db = db or os.path.join(t.dir, name + ".db")
        self.args = [str(a) for a in args]
        self.env = {**os.environ, **(env or {})}
        self.unix_path = os.path.join(t.dir, name + ".sock")
        self.log_path = os.path.join(t.dir, name + ".log")
        self.tcp = tcp
        self.port = 0
        self.process = None
        self.kills = 0
        t.cleanup(self.close)

    @property
    def address(self):
        return f"{HOST}:{self.port}"

    @property
    def unix(self):
        return "unix:" + self.unix_path

    def command(self):
        listen = ["--listen", self.unix]
        if self.tcp:
            listen += ["--listen", self.address]
        return [os.path.join(BIN, "watchd"), "--db", self.db, *listen, *self.args]

    def start(self, timeout=30):
        """Waits until it listens. After a kill the port may still be in use for a moment."""
        end = time.monotonic() + timeout * SLOW
        while True:
            try:
                return self._start(end)
            except ServerExit as err:
                if "in use" not in err.stderr or not self.kills or time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def _start(self, end):
        with open(self.log_path, "ab") as log:
            offset = log.tell()
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.command()], stdout=subprocess.PIPE,
                stderr=log, stdin=subprocess.DEVNULL, env=self.env, text=True)
        want = 2 if self.tcp else 1
        lines = []
        process = self.process

        def read():
            for line in process.stdout:
                lines.append(line.rstrip("\n"))

        threading.Thread(target=read, daemon=True).start()
        while sum(line.startswith("listening on ") for line in lines) < want:
            if process.poll() is not None:
                raise ServerExit(process.returncode, self.log(offset))
            if time.monotonic() > end:
                raise AssertionError(f"watchd does not listen; it said {lines} {self.log(offset)}")
            time.sleep(0.001)
        self.stdout = lines
        for line in lines:
            match = re.fullmatch(rf"listening on {re.escape(HOST)}:(\d+)", line)
            if match:
                assert self.port in (0, int(match[1])), f"another port: {line}"
                self.port = int(match[1])
        return self

    def log(self, offset=0):
        with open(self.log_path, "rb") as log:
            log.seek(offset)
            return log.read().decode("utf-8", "replace")

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9; returns when it is gone."""
        self.kills += 1
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=20, sig=signal.SIGTERM):
        """Asks it to drain, returns the exit status."""
        self.process.send_signal(sig)
        return self.process.wait(timeout * SLOW)

    def restart(self, timeout=30):
        self.kill()
        return self.start(timeout)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def client(self, **kw):
        return Client(self.unix, **kw)

    def rss(self):
        """Resident bytes."""
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

    def cpu_s(self):
        """Seconds of CPU used so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def file_bytes(self):
        return sum(os.path.getsize(self.db + end) for end in ("", "-wal")
                   if os.path.exists(self.db + end))

    def close(self):
        """Ends the test's server by the door, so that leaks are reported, and reads its log."""
        if self.alive():
            self.process.send_signal(signal.SIGCONT)
            try:
                code = self.stop()
                assert code == 0, f"watchd ended with {code} on SIGTERM:\n{self.log()[-4000:]}"
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("watchd did not end on SIGTERM; its log:\n" +
                                     self.log()[-4000:]) from None
        if os.path.exists(self.log_path):
            alarm = ALARMS.search(self.log())
            assert not alarm, "watchd's log:\n" + self.log()[max(0, alarm.start() - 500):][:6000]
