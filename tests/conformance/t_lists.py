#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What Kubernetes' own tests demand of reads (the list and get parts of storage/testing/store_tests.go), in
our words. The ids in the comments are those of the table in README.md."""
import json
import threading

from watchtest import *

ANY, NOT_OLDER_THAN, EXACT = 0, 1, 2


def names(objects):
    return [o.name for o in objects]


def refused(fn, *args, **kw):
    try:
        fn(*args, **kw)
    except WatchError as err:
        return err
    raise AssertionError("it was not refused")


def all_pages(client, sel, limit, **fields):
    """The pages of a list, each as its names; and that all show one version."""
    pages, token, version = [], "", None
    while True:
        page = client.page(sel, limit, token, **({} if token else fields))
        assert version in (None, page.resource_version), "one version throughout"
        version = page.resource_version
        pages.append(page)
        token = page.continue_token
        if not token:
            return pages


# S04
@test
def a_get_shows_the_object_now_or_at_a_version(t):
    client = Server(t).start().client()
    first = client.put("a", {"n": 1}).object.resource_version
    client.put("b", {"n": 1})
    second = client.put("a", {"n": 2}).object.resource_version
    eq(json.loads(client.get("a").json)["spec"], {"n": 2})
    for rv, n, own in ((first, 1, first), (first + 1, 1, first), (second, 2, second)):
        got = client.get("a", resource_version=rv)
        eq((json.loads(got.json)["spec"], got.resource_version), ({"n": n}, own), f"at {rv}")
        eq(json.loads(got.json)["metadata"]["resourceVersion"], str(own))
    eq(refused(client.get, "b", resource_version=first).code, "NOT_FOUND", "before its creation")
    eq(refused(client.get, "none").code, "NOT_FOUND")
    err = refused(client.get, "a", resource_version=second + 100)
    eq((err.code, err.reason), ("OUT_OF_RANGE", "FUTURE"))
    deleted = client.delete("a").object.resource_version
    eq(json.loads(client.get("a", resource_version=second).json)["spec"], {"n": 2}, "before its deletion")
    eq(refused(client.get, "a", resource_version=deleted).code, "NOT_FOUND", "at its deletion")
    eq(refused(client.get, "a").code, "NOT_FOUND")


# S14, S16, S17, S38
@test
def a_list_shows_exactly_the_version_that_was_asked_for(t):
    client = Server(t).start().client()
    states, state = {}, {}
    for i in range(rounds(120, short=40)):
        name = f"o{t.random.randrange(12)}"
        if name in state and t.random.random() < 0.3:
            rv = client.delete(name).object.resource_version
            del state[name]
        else:
            rv = client.put(name, {"i": i}).object.resource_version
            state[name] = i
        states[rv] = dict(state)
    head = max(states)

    def shown(rv, match, limit=0):
        version, objects = client.list("objects", limit=limit, resource_version=rv, version_match=match)
        return version, {o.name: json.loads(o.json)["spec"]["i"] for o in objects}

    for rv in t.random.sample(sorted(states), 30) + [1, head]:
        for limit in (0, 1, 5):
            eq(shown(rv, EXACT, limit), (rv, states[rv]), f"exactly {rv} by {limit}")
        eq(shown(rv, NOT_OLDER_THAN), (head, states[head]), "not older than")
    eq(shown(0, ANY), (head, states[head]))
    for match in (NOT_OLDER_THAN, EXACT):
        err = refused(client.page, "objects", resource_version=head + 1000, version_match=match)
        eq((err.code, err.reason), ("OUT_OF_RANGE", "FUTURE"), f"too high, {match}")
    err = refused(client.page, "objects", version_match=EXACT)
    eq((err.code, err.fields), ("INVALID_ARGUMENT", ["resource_version"]), "exactly nothing")
    middle = sorted(states)[len(states) // 2]
    floor = client.call("Compact", resource_version=middle).floor
    err = refused(client.page, "objects", resource_version=floor - 1, version_match=EXACT)
    eq((err.code, err.reason), ("OUT_OF_RANGE", "EXPIRED"))
    eq((int(err.metadata["requested"]), int(err.metadata["oldest"]), int(err.metadata["head"])),
       (floor - 1, floor, head))
    eq(shown(floor, EXACT), (floor, states[floor]), "at the floor")
    eq(shown(1, NOT_OLDER_THAN), (head, states[head]), "not older than what is compacted")


# S17, S18, S27, S28, S29
@test
def pages_are_filled_and_end_when_nothing_more_matches(t):
    client = Server(t).start().client()
    n = rounds(1000, short=300)
    for i in range(n):
        labels = {"rare": "yes"} if i == n - 1 else {"third": "yes"} if i % 3 == 0 else {}
        client.put(f"o{i:04}", {"metadata": {"labels": labels}, "spec": {"n": i}})
    rare = dict(resource="objects", label_selector="rare=yes")
    pages = all_pages(client, rare, 1)
    eq([names(p.objects) for p in pages], [[f"o{n - 1:04}"]], "one match, one page")
    third = dict(resource="objects", label_selector="third")
    want = [f"o{i:04}" for i in range(0, n - 1, 3)]
    for limit in (1, 7, len(want) - 1, len(want), len(want) + 1):
        if limit == 1 and n > 500:
            continue
        pages = all_pages(client, third, limit)
        eq(sum((names(p.objects) for p in pages), []), want, f"by {limit}")
        assert all(len(p.objects) == limit for p in pages[:-1]), "full but the last"
        assert pages[-1].objects, "no empty last page"
        assert all(p.remaining_count == 0 for p in pages), "not told with a selector"
    first = client.page("objects", 10)
    eq((len(first.objects), first.remaining_count), (10, n - 10))
    rest = client.page("objects", 0, first.continue_token)
    eq((names(first.objects) + names(rest.objects))[:n], [f"o{i:04}" for i in range(n)][:len(first.objects) +
                                                                                       len(rest.objects)])
    exact = client.page("objects", n)
    if len(exact.objects) == n:
        eq((exact.continue_token, exact.remaining_count), ("", 0), "page size equal to the total")


# S19, S20, S25
@test
def the_order_is_by_key_and_nothing_is_listed_at_the_head(t):
    client = Server(t).start().client()
    version = client.put("x", {"n": 1}, resource="others").object.resource_version
    page = client.page("objects")
    eq((page.resource_version, len(page.objects), page.continue_token), (version, 0, ""), "a list of nothing")
    for resource, namespace, name in (("foobars", "default", "a"), ("foos", "b-b", "a"), ("foos", "b", "z"),
                                      ("foos", "b", "a.b"), ("foos", "b", "a"), ("foos", "b", "a-b")):
        client.put(name, {"n": 1}, resource=resource, namespace=namespace)
    got = client.list(dict(resource="foos", all_namespaces=True))[1]
    eq([(o.namespace, o.name) for o in got], [("b", "a"), ("b", "a-b"), ("b", "a.b"), ("b", "z"), ("b-b", "a")])
    eq(names(client.list(dict(resource="foos", namespace="b"))[1]), ["a", "a-b", "a.b", "z"])


# S21, S24
@test
def a_list_of_one_name_follows_it(t):
    client = Server(t).start().client()
    one = dict(resource="objects", name="a")
    eq(client.list(one)[1], [])
    created = client.put("a", {"n": 1}).object.resource_version
    client.put("ab", {"n": 1})
    eq(names(client.list(one)[1]), ["a"])
    client.put("a", {"n": 2})
    eq([json.loads(o.json)["spec"]["n"] for o in client.list(one)[1]], [2])
    eq([json.loads(o.json)["spec"]["n"] for o in client.list(one, resource_version=created, version_match=EXACT)[1]],
       [1])
    client.delete("a")
    eq(client.list(one)[1], [])


# S22, H10
@test
def a_continue_token_is_checked_and_goes_on_when_it_has_expired(t):
    server = Server(t).start()
    client = server.client()
    for i in range(10):
        client.put(f"secret-name-{i}", {"n": i})
    sel = dict(resource="objects")
    first = client.page(sel, 3)
    token = first.continue_token
    assert "secret" not in token, "key names in clear"
    for bad in ("x", "!!!!", token[:-2], token[:-1] + ("A" if token[-1] != "A" else "B"), token + "AA", "A" * 5000):
        err = refused(client.page, sel, 3, bad)
        eq((err.code, err.fields), ("INVALID_ARGUMENT", ["continue_token"]), bad[:20])
    for other in (dict(resource="jobs"), dict(resource="objects", label_selector="a=b"),
                  dict(resource="objects", namespace="other")):
        eq(refused(client.page, other, 3, token).code, "INVALID_ARGUMENT", "another selection")
    err = refused(client.page, sel, 3, token, resource_version=first.resource_version, version_match=EXACT)
    eq(err.code, "INVALID_ARGUMENT", "a version and a token")
    server.restart()
    client = server.client()
    second = client.page(sel, 3, token)
    eq((names(second.objects), second.resource_version),
       ([f"secret-name-{i}" for i in (3, 4, 5)], first.resource_version), "over a restart")


# S31, S36, C43
@test
def what_is_written_while_paging_is_invisible(t):
    server = Server(t).start()
    client = server.client()
    for i in range(100):
        client.put(f"o{i:03}", {"round": 0})
    stop = threading.Event()

    def write(seed):
        mine, n = server.client(), 0
        while not stop.is_set():
            n += 1
            mine.put(f"o{(n * 7 + seed) % 150:03}", {"round": n})
            if n % 5 == 0:
                try:
                    mine.delete(f"o{(n * 11 + seed) % 150:03}")
                except WatchError as err:
                    eq(err.code, "NOT_FOUND")

    writers = [threading.Thread(target=write, args=(i,)) for i in range(3)]
    for writer in writers:
        writer.start()
    try:
        for i in range(rounds(60, short=10)):
            pages = all_pages(client, "objects", 1 + i % 40)
            version = pages[0].resource_version
            shown = [(o.name, o.resource_version, o.json) for p in pages for o in p.objects]
            assert [s[0] for s in shown] == sorted(set(s[0] for s in shown)), "each key once, in order"
            assert all(s[1] <= version for s in shown)
            again = client.list("objects", resource_version=version, version_match=EXACT)
            eq(again[0], version, "the same version again")
            assert [(o.name, o.resource_version, o.json) for o in again[1]] == shown, f"{version} again"
    finally:
        stop.set()
        for writer in writers:
            writer.join()


# S39, H09
@test
def names_that_are_none_are_refused_by_every_verb(t):
    client = Server(t).start().client()
    client.put("a", {"n": 1})
    before = client.head()
    for name in ("", ".", "..", "a/b", "../a", "a%2fb", "A", "-a", "a" * 254, "a\nb"):
        for verb in (lambda: client.get(name), lambda: client.put(name, {"n": 1}),
                     lambda: client.delete(name), lambda: client.patch(name, {"spec": {"n": 2}})):
            err = refused(verb)
            eq((err.code, err.fields), ("INVALID_ARGUMENT", ["key.name"]), f"{name!r}")
    for field, value in (("resource", "A/b"), ("namespace", "a.b"), ("name", "x/y"), ("label_selector", "a in"),
                         ("field_selector", "a")):
        err = refused(client.page, {"resource": "objects", field: value})
        eq((err.code, err.fields), ("INVALID_ARGUMENT", ["selection." + field]), value)
    eq(client.head(), before)


if __name__ == "__main__":
    main()
