#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compare-and-put from many clients: no update is lost, exactly one of several rivals wins."""
import json
import threading

from watchtest import *


def together(n, fn):
    """fn(i) on n threads; the results, or the first failure."""
    results, failures = [None] * n, []
    barrier = threading.Barrier(n)

    def body(i):
        barrier.wait()
        try:
            results[i] = fn(i)
        except Exception as err:
            failures.append(err)

    threads = [threading.Thread(target=body, args=(i,), daemon=True) for i in range(n)]
    for thread in threads:
        thread.start()
    join_all(threads, 120)
    if failures:
        raise failures[0]
    return results


@test
def counters_lose_no_update(t):
    server = Server(t).start()
    setup = server.client()
    setup.put("counter", {"n": 0})
    clients, each = 8, rounds(60, long=500, short=20)
    conflicts = [0] * clients

    def count(i):
        client = server.client()
        for _ in range(each):
            while True:
                obj = client.get("counter")
                n = json.loads(obj.json)["spec"]["n"]
                try:
                    client.put("counter", {"n": n + 1},
                               precondition=pb.Precondition(resource_version=obj.resource_version))
                    break
                except WatchError as err:
                    eq((err.code, err.reason), ("ABORTED", "CONFLICT"), err.message)
                    eq(err.metadata["expected"], str(obj.resource_version))
                    assert int(err.metadata["actual"]) > obj.resource_version, err.metadata
                    conflicts[i] += 1

    together(clients, count)
    eq(json.loads(setup.get("counter").json)["spec"]["n"], clients * each, "the counter")
    eq(setup.head(), clients * each + 1, "a conflict uses no version")
    t.note(f"{clients * each} increments, {sum(conflicts)} conflicts")


@test
def one_of_many_creates_wins(t):
    server = Server(t).start()
    clients = [server.client() for _ in range(8)]
    for i in range(rounds(60, short=15)):
        def create(k):
            try:
                return clients[k].put(f"o{i}", {"k": k}, mode=1).object.resource_version
            except WatchError as err:
                eq((err.code, err.reason), ("ALREADY_EXISTS", "ALREADY_EXISTS"), err.message)
        won = [(k, rv) for k, rv in enumerate(together(8, create)) if rv]
        eq(len(won), 1, "creations that succeeded")
        obj = clients[0].get(f"o{i}")
        eq((json.loads(obj.json)["spec"]["k"], obj.resource_version), won[0])


@test
def one_of_many_deletes_wins(t):
    server = Server(t).start()
    clients = [server.client() for _ in range(8)]
    for i in range(rounds(40, short=10)):
        put = clients[0].put("o", {"i": i})
        watch = clients[1].watch("objects", start=put.object.resource_version)

        def delete(k):
            try:
                kw = {"precondition": pb.Precondition(uid=put.uid)} if k % 2 else {}
                return clients[k].delete("o", **kw).object.resource_version
            except WatchError as err:
                eq(err.code, "NOT_FOUND", err.message)
        won = [rv for rv in together(8, delete) if rv]
        eq(len(won), 1, "deletions that succeeded")
        event = watch.event()
        eq((event.type, event.object.resource_version), (3, won[0]))
        watch.silent(0.01)
        watch.cancel()


@test
def a_uid_precondition_tells_two_lives_apart(t):
    client = Server(t).start().client()
    first = client.put("o", {"life": 1})
    client.delete("o")
    second = client.put("o", {"life": 2})
    assert first.uid != second.uid
    for call in (lambda: client.put("o", {"life": 3}, precondition=pb.Precondition(uid=first.uid)),
                 lambda: client.delete("o", precondition=pb.Precondition(uid=first.uid)),
                 lambda: client.patch("o", {"spec": {"life": 3}},
                                      precondition=pb.Precondition(uid=first.uid))):
        try:
            call()
        except WatchError as err:
            eq((err.code, err.reason), ("ABORTED", "CONFLICT"), err.message)
        else:
            raise AssertionError("the first life's uid was taken")
    eq(client.get("o").resource_version, second.object.resource_version)


@test
def writes_of_one_batch_see_each_other(t):
    """Many clients write one key at once: each answer names a version of its own, every version comes as
    one event, and each event's previous is the event before."""
    server = Server(t).start()
    watch = server.client().watch("all", start="now", previous=True)
    watch.started()
    clients = [server.client() for _ in range(10)]
    each = rounds(40, short=10)
    results = together(10, lambda k: [clients[k].put("o", {"k": k, "i": i}).object.resource_version
                                      for i in range(each)])
    versions = sorted(rv for many in results for rv in many)
    eq(versions, list(range(1, 10 * each + 1)), "versions answered")
    before = None
    for rv in versions:
        event = watch.event()
        eq(event.object.resource_version, rv)
        spec = json.loads(event.object.json)["spec"]
        eq(results[spec["k"]][spec["i"]], rv, "the event's content is that of the write")
        eq(event.previous.json if event.HasField("previous") else None, before, "previous")
        before = event.object.json


if __name__ == "__main__":
    main()
