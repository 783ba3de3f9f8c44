#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A repeated request gets the first answer and writes nothing: at once, after others wrote, after a
kill of the server."""
import os
import threading

from watchtest import *


def request_id():
    return os.urandom(16)


@test
def a_repeat_gets_the_first_answer(t):
    server = Server(t).start()
    client = server.client()
    ids = {name: request_id() for name in ("create", "update", "patch", "delete")}
    calls = [
        lambda: client.put("o", {"n": 1}, request_id=ids["create"], return_object=True),
        lambda: client.put("o", {"n": 2}, request_id=ids["update"], return_object=True),
        lambda: client.patch("o", {"spec": {"n": 3}}, request_id=ids["patch"], return_object=True),
        lambda: client.delete("o", request_id=ids["delete"], return_object=True),
    ]
    first = [call() for call in calls]
    eq([answer.result for answer in first], [1, 2, 2, 4])
    eq([answer.object.resource_version for answer in first], [1, 2, 3, 4])
    for _ in range(3):
        for call, answer in zip(calls, first):
            eq(call(), answer, "the repeat")
    eq(client.head(), 4, "versions used")
    server.restart()
    client = server.client()
    for call, answer in zip(calls, first):
        eq(call(), answer, "the repeat after a kill")
    eq(client.head(), 4, "versions used after a kill")


@test
def a_repeat_is_no_second_creation(t):
    client = Server(t).start().client()
    rid = request_id()
    first = client.put("o", {"n": 1}, mode=1, request_id=rid)
    eq(client.put("o", {"n": 1}, mode=1, request_id=rid), first)
    try:
        client.put("o", {"n": 1}, mode=1, request_id=request_id())
    except WatchError as err:
        eq(err.code, "ALREADY_EXISTS")
    else:
        raise AssertionError("created twice")


@test
def a_conditional_write_repeated_is_no_conflict(t):
    client = Server(t).start().client()
    rv = client.put("o", {"n": 1}).object.resource_version
    rid = request_id()
    kw = {"precondition": pb.Precondition(resource_version=rv), "request_id": rid}
    first = client.put("o", {"n": 2}, **kw)
    client.put("o", {"n": 9})
    eq(client.put("o", {"n": 2}, **kw), first, "the repeat, after another's write")
    eq(client.head(), 3)


@test
def repeats_at_the_same_moment_write_once(t):
    server = Server(t).start()
    clients = [server.client() for _ in range(6)]
    for i in range(rounds(60, short=15)):
        rid, answers = request_id(), [None] * 6
        barrier = threading.Barrier(6)

        def send(k):
            barrier.wait()
            answers[k] = clients[k].put("o", {"i": i}, request_id=rid)

        threads = [threading.Thread(target=send, args=(k,), daemon=True) for k in range(6)]
        for thread in threads:
            thread.start()
        join_all(threads, 30)
        assert all(a == answers[0] for a in answers), answers
        eq(answers[0].object.resource_version, i + 1, "one version each")


@test
def a_request_id_has_sixteen_bytes(t):
    client = Server(t).start().client()
    for bad in (b"x", b"x" * 15, b"x" * 17, b"x" * 1000):
        try:
            client.put("o", {"n": 1}, request_id=bad)
        except WatchError as err:
            eq((err.code, err.fields), ("INVALID_ARGUMENT", ["request_id"]), err.message)
        else:
            raise AssertionError(f"{len(bad)} bytes were taken")
    eq(client.head(), 0)


@test
def lost_answers_are_learnt_after_a_kill(t):
    """A client kills the server while its write is under way, and asks again with the same id until it
    knows: the write is there exactly once."""
    server = Server(t).start()
    watch = Watcher(t, server.unix, Sel("all"), start="oldest", previous=True)
    lost, sent = 0, 0
    for i in range(rounds(40, long=400, short=8)):
        rid, answer = request_id(), []
        client = server.client()

        def send():
            while True:
                try:
                    answer.append(client.put("o", {"i": i}, request_id=rid, wait=True,
                                             timeout=20 * SLOW))
                    return
                except WatchError as err:
                    assert err.code in ("UNAVAILABLE", "UNKNOWN", "INTERNAL", "CANCELLED"), err

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        threading.Event().wait(t.random.uniform(0.001, 0.006) * SLOW)
        lost += thread.is_alive()
        server.restart()
        join_all([thread], 30)
        assert answer, "never answered"
        sent += 1
        eq(answer[0].object.resource_version, sent, "version")
        client.close()
    eq(server.client().head(), sent)
    watch.wait_rv(sent)
    eq([e[1] for e in watch.record.events()], list(range(1, sent + 1)))
    t.note(f"{sent} writes, {lost} without an answer when the server was killed")


if __name__ == "__main__":
    main()
