# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured: how each is started, and the driver run against it."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time

BIN = os.environ.get("WATCH_BIN", "")


class DriverFailed(Exception):
    """The driver ended without figures; its words say why."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One process on loopback, with its data in one folder, which outlives it."""

    def __init__(self, data):
        self.data = data
        self.port = free_port()
        self.process = None
        self.begun_ns = 0
        os.makedirs(data, exist_ok=True)

    def start(self):
        log = open(os.path.join(self.data, "..", f"{self.name}.log"), "ab")
        self.begun_ns = time.monotonic_ns()
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log, cwd=self.data)
        log.close()
        return self

    def wait_ready(self, limit=120):
        """Until it takes connections and answers."""
        end = time.monotonic() + limit
        while True:
            if self.process.poll() is not None:
                raise DriverFailed(f"{self.name} ended with {self.process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                self.drive("status", limit="60s")
                return self
            except (OSError, DriverFailed):
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def drive(self, workload, **options):
        """Runs the driver; its figures."""
        command = [os.path.join(BIN, "watch_bench"), "--target", self.name, "--address",
                   f"127.0.0.1:{self.port}", "--pid", str(self.process.pid)]
        for name, value in options.items():
            option = "--" + name.replace("_", "-")
            if value is True:
                command.append(option)
            elif value is not None and value is not False:
                command += [option, str(value)]
        done = subprocess.run(command + [workload], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DriverFailed(done.stderr.strip() or f"the driver ended with {done.returncode}")
        return json.loads(done.stdout)

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def disk_bytes(self):
        """Blocks on disk, which is what a preallocated or sparse file really takes."""
        total = 0
        for folder, _, files in os.walk(self.data):
            for name in files:
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
        return total

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Watchd(Server):
    name = "watchd"

    def command(self):
        # etcd keeps all history; so that both do the same, neither compacts here.
        return [os.path.join(BIN, "watchd"), "--db", "watchd.db", "--listen",
                f"127.0.0.1:{self.port}", "--history-events", "0", "--history-bytes", "0",
                "--max-watches", "100000"]

    @staticmethod
    def version():
        return subprocess.run([os.path.join(BIN, "watchd"), "--version"], capture_output=True,
                              text=True, check=True).stdout.strip()


class Etcd(Server):
    name = "etcd"

    def command(self):
        client, peer = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{free_port()}"
        return ["etcd", "--data-dir", "data", "--listen-client-urls", client,
                "--advertise-client-urls", client, "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
                "--quota-backend-bytes", str(16 << 30), "--log-level", "error"]

    @staticmethod
    def version():
        text = subprocess.run(["etcd", "--version"], capture_output=True, text=True,
                              check=True).stdout
        return text.splitlines()[0].replace(" Version:", "")


def available():
    """The targets by name, watchd first."""
    found = {"watchd": Watchd}
    if shutil.which("etcd"):
        found["etcd"] = Etcd
    return found
