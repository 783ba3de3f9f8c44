#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Names that the server completes: told in the answer, the same for a repeat, never one that is
taken; what does not go with that is refused."""
import json
import os
import re
import threading

from watchtest import *

NAME = re.compile("^job-[bcdfghjklmnpqrstvwxz2456789]{5}$")


def refusal(call):
    try:
        call()
    except WatchError as err:
        return err
    raise AssertionError("it was taken")


@test
def the_answer_carries_the_name(t):
    client = Server(t).start().client()
    stream = client.watch("all", start="now")
    stream.started()
    names = set()
    for call in (lambda **kw: client.put("job-", {"n": 1}, generate_name=True, **kw),
                 lambda **kw: client.put("", {"metadata": {"generateName": "job-"}, "spec": 1}, **kw),
                 lambda **kw: client.put("", {"metadata": {"generateName": "job-", "name": None}},
                                         scope=0, **kw),
                 lambda **kw: client.put("", {"metadata": {"generateName": "job-"}, "spec": 1},
                                         generate_name=True, mode=1, scope=4, **kw)):
        answer = call(return_object=True)
        eq(answer.result, 1)
        assert NAME.match(answer.object.name), answer
        doc = json.loads(answer.object.json)
        eq(doc["metadata"]["name"], answer.object.name)
        names.add(answer.object.name)
        event = stream.event()
        eq((event.type, event.object.name), (1, answer.object.name))
        eq(client.get(answer.object.name).json, answer.object.json)
    eq(len(names), 4)
    eq(client.put("a", {"metadata": {"generateName": "job-"}}).object.name, "a", "a name wins")
    long = client.put("x" * 200, {"n": 1}, generate_name=True).object.name
    eq((len(long), long[:58]), (63, "x" * 58))


@test
def a_repeat_gets_the_same_name_also_after_a_kill(t):
    server = Server(t).start()
    client = server.client()
    rid = os.urandom(16)

    def put():
        return client.put("", {"metadata": {"generateName": "job-"}, "spec": {"n": 1}}, request_id=rid,
                          return_object=True)

    first = put()
    eq(put(), first)
    server.restart()
    client = server.client()
    eq(put(), first, "the repeat after a kill")
    err = refusal(lambda: client.put("other-", {"n": 1}, generate_name=True, request_id=rid))
    eq((err.code, err.fields), ("INVALID_ARGUMENT", ["request_id"]))
    eq(client.head(), 1)


@test
def many_clients_get_many_names(t):
    server = Server(t).start()
    each = rounds(100, short=30)
    names = [[] for _ in range(4)]

    def fill(k):
        client = server.client()
        for i in range(each):
            names[k].append(client.put("job-", {"i": i}, generate_name=True).object.name)

    threads = [threading.Thread(target=fill, args=(k,), daemon=True) for k in range(4)]
    for thread in threads:
        thread.start()
    join_all(threads)
    every = sorted(sum(names, []))
    eq(len(set(every)), 4 * each)
    eq([o.name for o in server.client().list("objects")[1]], every)


@test
def what_does_not_go_with_it_is_refused(t):
    server = Server(t).start()
    client = server.client()
    rv = client.put("here", {"n": 1}).object.resource_version
    before = client.list("all")
    base = {"metadata": {"generateName": "job-"}}
    for call, field in (
            (lambda: client.put("", {"n": 1}, generate_name=True), "key.name"),
            (lambda: client.put("", {"n": 1}), "key.name"),
            (lambda: client.put("", {"metadata": {"generateName": ""}}), "key.name"),
            (lambda: client.put("", {"metadata": {"generateName": 7}}), "key.name"),
            (lambda: client.put("", {"metadata": {"generateName": "Job "}}), "metadata.generateName"),
            (lambda: client.put("Job ", {"n": 1}, generate_name=True), "key.name"),
            (lambda: client.put("", {"metadata": {"generateName": "job-", "name": "x"}},
                                generate_name=True), "metadata.name"),
            (lambda: client.put("", base, mode=2), "mode"),
            (lambda: client.put("", base, scope=3), "scope"),
            (lambda: client.put("", base, precondition=pb.Precondition(resource_version=rv)),
             "metadata.resourceVersion"),
            (lambda: client.put("", {"metadata": {"generateName": "job-", "resourceVersion": "1"}}),
             "metadata.resourceVersion"),
            (lambda: client.put("", {"metadata": {"generateName": "job-", "labels": {"a b": "c"}}}),
             'metadata.labels["a b"]'),
            (lambda: client.put("new", {"metadata": {"resourceVersion": "1"}}, mode=1),
             "metadata.resourceVersion"),
            (lambda: client.patch("", {"n": 1}), "key.name"),
            (lambda: client.delete(""), "key.name")):
        err = refusal(call)
        eq((err.code, err.reason, err.fields), ("INVALID_ARGUMENT", "INVALID", [field]), err.message)
    dry = client.put("job-", {"n": 1}, generate_name=True, dry_run=True)
    eq(dry.result, 1)
    assert NAME.match(dry.object.name)
    eq(client.list("all"), before)
    eq(server.restart().client().list("all"), before)


@test
def watchctl_puts_documents_that_ask_for_a_name(t):
    server = Server(t).start()
    cli = Cli(server.address)
    path = t.file("jobs.yaml", "kind: Job\nmetadata: {generateName: job-}\nspec: {n: 1}\n---\n"
                               "kind: Job\nmetadata: {generateName: job-}\nspec: {n: 2}\n---\n"
                               "kind: Job\nmetadata: {name: named, generateName: job-}\n")
    lines = cli.ok("put", "-f", path, "-o", "name").out.splitlines()
    for line in lines[:2]:
        resource, name = line.split("/")
        eq(resource, "jobs")
        assert NAME.match(name), lines
    eq(lines[2], "jobs/named")
    eq(len(set(lines)), 3)
    result = cli.run("put", "-f", path, "--if-rv", "1")
    assert result.code == 9 and "to be created" in result.err, result


if __name__ == "__main__":
    main()
