#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The power fails at random moments: what was not synced is kept, dropped or torn, sector by sector.
Acknowledged writes stay, what a watcher has seen stays, versions are never used twice."""
from watchtest import *

@test
def watchers_go_on_across_power_losses(t):
    server = Server(t)
    die = PowerLoss(t, server)
    churn = Churn(t, bulk=500, server=server)
    churn.run(rounds(100, long=1000, short=10), die)
    churn.finish()
    churn.report()
    assert churn.journal.maybes > 0 or SHORT, "no loss fell between a write and its answer"


if __name__ == "__main__":
    main()
