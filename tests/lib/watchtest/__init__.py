# SPDX-License-Identifier: Apache-2.0
"""The harness of the integration tests: real servers, real clients, and an oracle.

    run       a test program: its tests, clean-up, exit status
    churn     writers, watchers and a server that dies again and again
    api       the messages, made from the protos at run time, and a client over them
    server    a watchd under our control: start, kill, stop the clock, restart
    cli       watchctl, once or as a long-lived watch
    journal   writers and what they noted: sent, acknowledged, or unknown
    powerloss power that goes, and files that fail, under a watchd
    timeline  the one history that the journal allows, and what each selection must see of it
    watcher   clients that follow, resume, and record everything they were sent

The oracle is the writers' journal. What the server says of its own history is never believed: the
stream of a full watcher becomes a timeline only after every version of it was found in the journal.
"""
from .api import *
from .churn import *
from .cli import *
from .journal import *
from .powerloss import *
from .run import *
from .server import *
from .timeline import *
from .watcher import *
