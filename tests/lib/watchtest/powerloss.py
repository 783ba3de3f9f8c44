# SPDX-License-Identifier: Apache-2.0
"""A watchd whose files are on a VFS that loses power or fails: tests/lib/powerloss_vfs.h, preloaded."""
import os
import subprocess

from .run import Skip, eq
from .server import BIN, SLOW

__all__ = ["PowerLoss", "Faults"]

LIBRARY = os.path.join(BIN, "libpowerloss.so")
LOST = 86  # the exit status of a process whose power failed



def preload(t, server, **settings):
    """In force from the server's next start on."""
    if not os.path.exists(LIBRARY):
        raise Skip("libpowerloss.so is not built")
    server.env.update({
        "LD_PRELOAD": LIBRARY, "WATCH_VFS_SEED": str(t.random.randrange(1, 2 ** 31)),
        # A sanitizer wants its runtime to be the first library; the preloaded one is plain C.
        "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
        **{f"WATCH_VFS_{name.upper()}": value for name, value in settings.items()},
    })


class PowerLoss:
    """Ends the server by a loss of power, and starts it again on what was left. With `operations` it comes
    by itself in every other life, at one of so many operations on files: so also between two that
    belong together, while at a moment of the clock most often nothing is being written."""

    def __init__(self, t, server, operations=None):
        self.t, self.server, self.n, self.operations = t, server, 0, operations
        self.aim()

    def aim(self):
        """The next life: a new file to wait for, a new way of losing."""
        self.n += 1
        self.mark = self.t.path(f"lose-{self.n}")
        self.by_itself = self.operations is not None and self.n % 2 == 0
        # Not while it starts: that is for others to test.
        at = self.t.random.randrange(500, 500 + self.operations) if self.by_itself else 0
        preload(self.t, self.server, lose_when=self.mark, lose_at=str(at))

    def __call__(self):
        try:
            code = self.server.process.wait(5 if self.by_itself else 0)
        except subprocess.TimeoutExpired:
            open(self.mark, "wb").close()
            code = self.server.process.wait(30 * SLOW)
        eq(code, LOST, f"exit of a server without power; its log: {self.server.log()[-2000:]}")
        self.server.kills += 1
        if os.path.exists(self.mark):
            os.remove(self.mark)
        self.aim()
        self.server.start()


class Faults:
    """Operations on files fail while the block of a `with` runs."""

    def __init__(self, t, server, fault, ops):
        self.mark = t.path("files-fail")
        preload(t, server, fault=fault, fault_ops=ops, fault_count="0", fault_while=self.mark)

    def __enter__(self):
        open(self.mark, "wb").close()

    def __exit__(self, *_):
        os.remove(self.mark)
