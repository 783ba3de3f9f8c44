#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments: acknowledged writes stay, versions are never used twice, and every watcher
goes on without a gap or a repetition, also out of the middle of a snapshot."""
from watchtest import *


@test
def watchers_go_on_across_hundreds_of_kills(t):
    churn = Churn(t)
    churn.run(rounds(200, long=2000, short=15), churn.server.restart)
    churn.finish()
    middle = churn.report()
    assert middle > 0 or SHORT, "no kill fell into a snapshot: the test shows nothing about them"
    assert churn.journal.maybes > 0 or SHORT, "no kill fell between a write and its answer"


if __name__ == "__main__":
    main()
