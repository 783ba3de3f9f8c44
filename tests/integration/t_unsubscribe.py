#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Unsubscribe ends the right streams with the right status, and nothing is sent on them afterwards."""
import re
import threading
import time

from watchtest import *


def ended(stream, timeout=10):
    items, error = stream.until_end(timeout)
    assert error is not None, "ended with OK"
    eq((error.code, error.reason), ("CANCELLED", "UNSUBSCRIBED"), error.message)
    return items


@test
def a_subscription_id_ends_one_stream(t):
    client = Server(t).start().client()
    one, two = client.watch("all", client_id="c"), client.watch("all", client_id="c")
    a, b = one.started(), two.started()
    eq(a.client_id, "c")
    assert a.subscription_id and a.subscription_id != b.subscription_id
    eq(client.call("Unsubscribe", subscription_id=a.subscription_id).ended, 1)
    ended(one)
    two.until_synced()
    client.put("x", {"a": 1})
    eq(two.event().object.name, "x", "the other stream goes on")
    eq([s.subscription_id for s in client.subscriptions()], [b.subscription_id])


@test
def a_client_id_ends_all_its_streams_and_no_others(t):
    server = Server(t).start()
    client = server.client()
    mine = [server.client().watch("all", client_id="mine") for _ in range(5)]
    other = server.client().watch("all", client_id="mine-too")
    nobody = server.client().watch("all")
    for stream in mine + [other, nobody]:
        stream.started()
    eq(len(client.subscriptions("mine")), 5)
    eq(len(client.subscriptions()), 7)
    eq(client.call("Unsubscribe", client_id="mine").ended, 5)
    for stream in mine:
        ended(stream)
    for stream in (other, nobody):
        stream.until_synced()
    client.put("x", {"a": 1})
    eq(other.event().object.name, "x")
    eq(nobody.event().object.name, "x")
    eq(client.subscriptions("mine"), [])


@test
def what_is_unknown_is_not_found(t):
    client = Server(t).start().client()
    stream = client.watch("all", client_id="c")
    subscription = stream.started().subscription_id
    for target in ({"client_id": "nobody"}, {"subscription_id": "none"}):
        try:
            client.call("Unsubscribe", **target)
        except WatchError as err:
            eq((err.code, err.reason), ("NOT_FOUND", "NOT_FOUND"), err.message)
        else:
            raise AssertionError(f"{target} was found")
    for request in (pb.UnsubscribeRequest(), pb.UnsubscribeRequest(client_id=""),
                    pb.UnsubscribeRequest(subscription_id="")):
        try:
            client.call("Unsubscribe", request)
        except WatchError as err:
            eq((err.code, err.reason), ("INVALID_ARGUMENT", "INVALID"), err.message)
        else:
            raise AssertionError("an empty target was taken")
    eq(client.call("Unsubscribe", subscription_id=subscription).ended, 1)
    ended(stream)
    try:
        client.call("Unsubscribe", subscription_id=subscription)
    except WatchError as err:
        eq(err.code, "NOT_FOUND")
    else:
        raise AssertionError("ended twice")


@test
def nothing_is_sent_after_the_answer(t):
    """Under full load: the version of the last event of each stream was assigned before Unsubscribe
    answered, and every stream has its status soon after."""
    server = Server(t).start()
    journal = Journal()
    writers = start_writers(t, journal, server.client, 4, deletes=0)
    admin = server.client()
    for i in range(rounds(30, short=8)):
        streams = [server.client().watch("all", start="now", client_id=f"r{i}") for _ in range(4)]
        for stream in streams:
            stream.started()
        time.sleep(t.random.uniform(0, 0.05))
        eq(admin.call("Unsubscribe", client_id=f"r{i}").ended, 4)
        head = admin.head()
        for stream in streams:
            events = [item for item in ended(stream) if isinstance(item, pb.Event)]
            versions = [e.object.resource_version for e in events]
            assert all(v <= head for v in versions), f"event {max(versions)} after the head was {head}"
            eq(versions, list(range(versions[0], versions[0] + len(versions))) if versions else [])
        eq(admin.subscriptions(f"r{i}"), [])
        for stream in streams:
            stream.cancel()
    for writer in writers:
        writer.done()


@test
def a_stuck_stream_can_be_ended(t):
    """A client that does not read: its send is in flight for ever, and Unsubscribe still answers."""
    server = Server(t).start()
    client = server.client()
    call = server.client().open(request_for(["all"], "now", client_id="stuck"))
    next(call)
    for i in range(60):
        client.put(f"big{i}", {"pad": "x" * 200_000})
    wait_until("the stream is stalled", lambda: client.subscriptions("stuck")[0].stalled_ms > 100)
    begin = time.monotonic()
    eq(client.call("Unsubscribe", client_id="stuck", timeout=10 * SLOW).ended, 1)
    assert time.monotonic() - begin < 5 * SLOW
    eq(client.subscriptions("stuck"), [])
    call.cancel()


@test
def a_client_that_comes_back_under_its_id_is_not_harmed(t):
    """The seed's faults: a second Subscribe with one id silenced the first; the clean-up of an old
    stream took the new one with it; an Unsubscribe missed a busy stream."""
    server = Server(t).start()
    writer_client = server.client()
    for i in range(rounds(40, short=10)):
        one = server.client()
        first = one.watch("all", start="now", client_id="7")
        first.started()
        second = server.client().watch("all", start="now", client_id="7")
        second.started()
        writer_client.put("x", {"i": i})
        eq(first.event().object.name, "x", "the first still gets events")
        eq(second.event().object.name, "x", "the second gets them, too")
        one.close()  # the first goes away without a word
        third = server.client().watch("all", start="now", client_id="7")
        third.started()
        for k in range(3):
            writer_client.put("y", {"i": i, "k": k})
            eq(second.event().object.name, "y")
            eq(third.event().object.name, "y")
        wait_until("the first is gone", lambda: len(writer_client.subscriptions("7")) == 2)
        eq(writer_client.call("Unsubscribe", client_id="7").ended, 2)
        ended(second)
        ended(third)


@test
def subscribe_and_unsubscribe_race(t):
    server = Server(t).start()
    stopping = threading.Event()
    failures = []

    def churn(k):
        client = server.client()
        try:
            while not stopping.is_set():
                stream = client.watch("all", client_id=f"c{k % 2}")
                if t.random.random() < 0.5:
                    stream.message(10 * SLOW)
                stream.cancel()
        except Exception as err:
            failures.append(err)

    threads = [threading.Thread(target=churn, args=(k,), daemon=True) for k in range(4)]
    for thread in threads:
        thread.start()
    admin = server.client()
    end = time.monotonic() + rounds(3, long=30, short=2)
    while time.monotonic() < end:
        try:
            admin.call("Unsubscribe", client_id=f"c{t.random.randrange(2)}")
        except WatchError as err:
            eq(err.code, "NOT_FOUND", err.message)
        admin.put("x", {"n": t.random.random()})
        admin.subscriptions()
    stopping.set()
    join_all(threads, 20)
    assert not failures, failures
    wait_until("all streams are gone", lambda: not admin.subscriptions())


@test
def watchctl_ends_for_good_when_unsubscribed(t):
    server = Server(t).start()
    cli = Cli(server.address)
    watch = CliWatch(t, cli, "objects", "--bookmarks")
    watch.wait_lines(1)
    listed = cli.ok("subscriptions")
    subscription = server.client().subscriptions()[0].subscription_id
    assert subscription in listed.out, listed
    cli.ok("subscriptions", "end", subscription)
    eq(watch.wait(), 1, f"exit of an unsubscribed watch; it said {watch.notices}")
    assert len(watch.notices) >= 1, "it ended without a word"
    eq(cli.run("subscriptions", "end", subscription).code, 3, "ending it again")


@test
def watchctl_ends_for_good_though_its_output_is_not_read(t):
    """Then there is no room for a status with details: the stream is cut off."""
    server = Server(t).start()
    client = server.client()
    cli = Cli(server.address)
    watch = cli.start("watch", "objects", "--client-id", "full", "-o", "json")
    t.cleanup(watch.kill)
    for i in range(60):
        client.put(f"big{i}", {"pad": "x" * 200_000})
    wait_until("the stream is stalled",
               lambda: any(s.stalled_ms > 100 for s in client.subscriptions("full")))
    cli.ok("subscriptions", "end", "--client-id", "full")
    time.sleep(1)  # it is cut off after a grace
    out, err = watch.communicate(timeout=30 * SLOW)
    assert out.endswith("\n") and len(out) < 60 * 200_000, f"{len(out)} bytes of events"
    eq((watch.returncode, "reconnecting" in err, "UNSUBSCRIBED" in err), (1, False, False), err)
    assert re.match(r"Error from server \(Unsubscribed\): \S", err), err
    eq(client.subscriptions("full"), [])


if __name__ == "__main__":
    main()
