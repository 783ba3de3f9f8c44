#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The power fails at random moments: what was not synced is kept, dropped or torn, sector by sector.
Acknowledged writes stay, what a watcher has seen stays, versions are never used twice."""
import os

from watchtest import *

LIBRARY = os.path.join(BIN, "libpowerloss.so")
LOST = 86  # the exit status of a process whose power failed


class PowerLoss:
    """Ends the server in the way of tests/lib/powerloss_vfs.h, and starts it again on what was left."""

    def __init__(self, t, server):
        self.t, self.server, self.n = t, server, 0
        self.mark = ""
        self.aim()

    def aim(self):
        """The next life: a new file to wait for, a new way of losing."""
        self.n += 1
        self.mark = self.t.path(f"lose-{self.n}")
        self.server.env.update({
            "LD_PRELOAD": LIBRARY, "WATCH_VFS_LOSE_WHEN": self.mark,
            "WATCH_VFS_SEED": str(self.t.random.randrange(1, 2 ** 31)),
            # A sanitizer wants its runtime to be the first library; the preloaded one is plain C.
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
        })

    def __call__(self):
        open(self.mark, "wb").close()
        code = self.server.process.wait(30 * SLOW)
        eq(code, LOST, f"exit of a server without power; its log: {self.server.log()[-2000:]}")
        self.server.kills += 1
        os.remove(self.mark)
        self.aim()
        self.server.start()


@test
def watchers_go_on_across_power_losses(t):
    if not os.path.exists(LIBRARY):
        raise Skip("libpowerloss.so is not built")
    server = Server(t)
    die = PowerLoss(t, server)
    churn = Churn(t, bulk=500, server=server)
    churn.run(rounds(100, long=1000, short=10), die)
    churn.finish()
    churn.report()
    assert churn.journal.maybes > 0 or SHORT, "no loss fell between a write and its answer"


if __name__ == "__main__":
    main()
