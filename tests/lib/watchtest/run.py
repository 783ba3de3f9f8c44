# SPDX-License-Identifier: Apache-2.0
"""A test program: functions marked @test, run one after the other, each with its own folder."""
import faulthandler
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback

from .server import BIN, SLOW

__all__ = ["test", "main", "Skip", "LONG", "SHORT", "rounds", "eq", "join_all"]

LONG = "--long" in sys.argv or os.environ.get("WATCH_LONG") == "1"
# For builds with sanitizers: the same paths, fewer rounds.
SHORT = not LONG and os.environ.get("WATCH_SHORT") == "1"

_tests = []
# What threads ended with: a writer that died unseen would make its test prove nothing.
_died = []


def rounds(default, long=None, short=None):
    """How often: by default, with --long, and under sanitizers."""
    if LONG:
        return long if long is not None else default * 5
    if SHORT:
        return short if short is not None else max(1, default // 5)
    return default


def eq(got, want, what=""):
    assert got == want, f"{what or 'value'}: got {got!r}, want {want!r}"


def join_all(threads, timeout=60):
    """A thread that hangs would otherwise be one that has shown nothing."""
    end = time.monotonic() + timeout * SLOW
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
        assert not thread.is_alive(), f"{thread.name} hangs"


class Skip(Exception):
    """This cannot be tested here; says why."""


class Test:
    def __init__(self, name, seed):
        self.name = name
        self.random = random.Random(seed)
        self.dir = tempfile.mkdtemp(prefix="watchtest-")
        self._cleanups = []

    def cleanup(self, fn):
        """Runs at the end of the test, the last one first."""
        self._cleanups.append(fn)

    def note(self, text):
        print(f"     {text}", flush=True)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def file(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def finish(self):
        """Every clean-up runs; the first failure counts."""
        failure = None
        for fn in reversed(self._cleanups):
            try:
                fn()
            except Exception as err:
                failure = failure or err
        return failure


def test(fn):
    _tests.append(fn)
    return fn


def run_one(fn, seed):
    t = Test(fn.__name__, f"{seed}-{fn.__name__}")
    _died.clear()
    begin = time.monotonic()
    failure, skipped = None, None
    try:
        fn(t)
    except Skip as why:
        skipped = why
    except BaseException as err:
        failure = err
        if not isinstance(err, Exception):
            t.finish()
            raise
    late = t.finish()
    failure = failure or next(iter(_died), None) or late
    took = time.monotonic() - begin
    if not failure:
        shutil.rmtree(t.dir, ignore_errors=True)
    if skipped and not failure:
        print(f"skip {fn.__name__}: {skipped}", flush=True)
        return "skip"
    if failure:
        text = "".join(traceback.format_exception(failure))
        print(f"FAIL {fn.__name__} ({took:.1f} s, WATCH_SEED={seed})\n{text}", flush=True)
        if os.environ.get("WATCH_KEEP"):
            print(f"     kept: {t.dir}", flush=True)
        else:
            shutil.rmtree(t.dir, ignore_errors=True)
        return "fail"
    print(f"ok   {fn.__name__} ({took:.1f} s)", flush=True)
    return "ok"


def main(need_server=True):
    """Arguments: --long, and parts of names of tests to run."""
    # A silent hang tells nothing: shortly before the time limit of CTest every thread says where
    # it is.
    threading.excepthook = lambda args: _died.append(args.exc_value or args.exc_type())
    faulthandler.dump_traceback_later(float(os.environ.get("WATCH_HANG_S", "280")), exit=False)
    if need_server and not os.path.exists(os.path.join(BIN, "watchd")):
        print("WATCH_BIN does not name a folder with watchd in it", flush=True)
        sys.exit(1)
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    seed = os.environ.get("WATCH_SEED") or str(random.SystemRandom().randrange(10 ** 9))
    results = [run_one(fn, seed) for fn in _tests
               if not wanted or any(w in fn.__name__ for w in wanted)]
    sys.stdout.flush()
    # Reader threads of gRPC may still sit in a call; they must not delay the end.
    os._exit(1 if "fail" in results or not results else
             77 if all(r == "skip" for r in results) else 0)
