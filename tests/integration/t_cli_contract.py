#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""watchctl as scripts and people use it: grammar, outputs, exit codes, the words of its errors."""
import json
import os
import pty
import re
import signal
import socket
import subprocess
import time

from watchtest import *

COMMANDS = ("put", "get", "delete", "patch", "watch", "import", "export", "resources", "status",
            "metrics", "compact", "subscriptions", "completion", "version", "help")


class Store:
    """A server with a few objects:
    1 objects/greeting   2 jobs/a {tier: web}   3 jobs/b in ci {tier: db}   4 flags/x, status only"""

    def __init__(self, t, *args):
        self.server = Server(t, *args).start()
        self.client = self.server.client()
        self.client.put("greeting", {"text": "hello"})
        self.client.put("a", {"metadata": {"labels": {"tier": "web"}}, "spec": {"n": 1}}, resource="jobs")
        self.client.put("b", {"metadata": {"labels": {"tier": "db"}}, "spec": {"n": 2}}, resource="jobs",
                        namespace="ci")
        self.client.put("x", {"status": {"on": True}}, resource="flags")
        self.cli = Cli(self.server.unix)


def check(cli, case):
    """(words, exit code, stdout, stderr[, stdin]); the texts are patterns, "" is nothing at all."""
    words, code, out, err, *stdin = case
    result = cli.run(*words, stdin=stdin[0] if stdin else None)
    eq(result.code, code, f"watchctl {' '.join(words)}: {result}")
    for what, text, pattern in (("stdout", result.out, out), ("stderr", result.err, err)):
        if pattern == "":
            eq(text, "", f"{what} of watchctl {' '.join(words)}")
        elif pattern is not None:
            assert re.search(pattern, text, re.M), \
                f"watchctl {' '.join(words)}: {what} {text!r} does not have {pattern!r}"
    return result


@test
def every_command_has_help(t):
    cli = Cli()
    listed = cli.ok("--help").out
    eq(cli.ok("help").out, listed)
    eq(cli.ok("-h").out, listed)
    for command in COMMANDS:
        assert re.search(rf"^\s+{command}\s", listed, re.M), f"--help does not list {command}"
        text = cli.ok(command, "--help").out
        eq(cli.ok("help", command).out, text)
        assert re.search(rf"^Usage: watchctl {command}|watchctl {command}", text, re.M), text
        if command not in ("version",):
            assert "xample" in text, f"{command} has no example:\n{text}"
        for option in ("--server", "WATCHCTL_SERVER", "--timeout"):
            assert option in text or "watchctl --help" in text, f"{command} --help lacks {option}"
    for line in listed.splitlines():
        assert len(line) <= 100, f"a line of {len(line)} columns"
    assert re.fullmatch(r"watchctl \d+\.\d+\.\d+\n", cli.ok("--version").out)
    assert re.search(r"watchctl \d+\.\d+\.\d+", cli.ok("version").out)
    assert "6 " in listed and "7 " in listed, "--help does not tell the exit codes"


@test
def examples_in_help_are_right(t):
    """Every example of put, get, patch, delete and export runs as it stands there."""
    store = Store(t)
    for namespace in ("default", "ci"):
        store.cli.ok("put", "jobs/build", '{"steps":1}', "-n", namespace)
    env = {**os.environ, "WATCHCTL_SERVER": store.server.unix, "PATH": f"{BIN}:{os.environ['PATH']}"}
    t.file("objects.yaml", "metadata: {name: from-file}\nspec: {n: 1}\n")
    seen = 0
    for command in ("put", "get", "patch", "delete", "export", "status"):
        for line in store.cli.ok(command, "--help").out.splitlines():
            line = line.strip()
            if line.startswith("watchctl ") and "--if-rv" not in line and "…" not in line and \
                    not re.match(r"watchctl \w+ (\[|RESOURCE)", line) and " " in line[9:]:
                done = subprocess.run(["bash", "-o", "pipefail", "-c", line], env=env, cwd=t.dir,
                                      capture_output=True, text=True, timeout=30 * SLOW)
                eq(done.returncode, 0, f"{line}: {done.stderr}")
                seen += 1
    assert seen >= 8, f"only {seen} examples were found"


@test
def usage_errors(t):
    cli = Store(t).cli
    for case in [
            ([], 2, None, None),
            (["putt", "x"], 2, "", 'unknown command "putt".*did you mean "put"'),
            (["frobnicate"], 2, "", "unknown command"),
            (["get"], 2, "", "RESOURCE"),
            (["watch"], 2, "", "RESOURCE"),
            (["get", "a", "b", "c"], 2, "", ""r"\S"),
            (["get", "jobs", "--selctor", "a"], 2, "", "--selctor.*did you mean --selector"),
            (["get", "jobs", "-o", "xml"], 2, "", "table.*json.*yaml.*name.*xml"),
            (["get", "jobs", "--timeout", "soon"], 2, "", "timeout.*soon"),
            (["get", "jobs/"], 2, "", r"\S"), (["get", "/a"], 2, "", r"\S"),
            (["get", "jobs/a/b"], 2, "", r"\S"),
            (["put", "x"], 2, "", "JSON.*-f|-f.*JSON"),
            (["put", "x", "{}", "-f", "-"], 2, "", r"\S"),
            (["put", "x", "{}", "--if-rv", "0"], 2, "", "if-rv"),
            (["put", "x", "{}", "--if-rv", "5", "--if-absent"], 2, "", "if-absent|if-rv"),
            (["get", "jobs", "--at-rv", "0"], 2, "", "at-rv.*0"),
            (["patch", "x"], 2, "", r"\S"), (["delete"], 2, "", "name the object"),
            (["watch", "jobs", "--since", "yesterday"], 2, "", "since.*yesterday"),
            (["watch", "jobs", "--count", "-1"], 2, "", "count"),
            (["watch", "jobs", "--for", "x"], 2, "", "for"),
            (["compact", "x"], 2, "", "x"), (["import"], 2, "", "FILE"),
            (["subscriptions", "end"], 2, "", "ID"), (["status", "x"], 2, "", r"\S")]:
        result = check(cli, case)
        if case[0]:
            eq(result.err.count("\n"), 1, f"lines of the error {result.err!r}")
            assert "--help" in result.err, f"{case[0]}: no way to the help in {result.err!r}"
    check(Cli("nonsense:port:x"), (["get", "jobs"], 2, "", "server.*nonsense"))


@test
def words_and_namespaces(t):
    """One word is a RESOURCE in get and watch, a NAME everywhere else."""
    store = Store(t)
    for case in [
            (["get", "objects"], 0, r"^greeting\s", ""),
            (["get", "greeting"], 0, "", "No objects found|greeting"),
            (["get", "objects/greeting", "-o", "name"], 0, r"^objects/greeting$", ""),
            (["get", "objects", "greeting", "-o", "name"], 0, r"^objects/greeting$", ""),
            (["put", "greeting", '{"text":"hi"}'], 0, r"objects/greeting updated", ""),
            (["put", "jobs/c", '{"n":3}'], 0, r"jobs/c created", ""),
            (["put", "jobs", "d", '{"n":3}'], 0, r"jobs/d created", ""),
            (["delete", "jobs"], 3, "", r'^Error from server \(NotFound\): objects "jobs" not found$'),
            (["delete", "jobs", "d"], 0, r"jobs/d deleted", ""),
            (["delete", "jobs/c"], 0, r"jobs/c deleted", ""),
            (["patch", "greeting", '{"spec":{"to":"you"}}'], 0, r"objects/greeting updated", ""),
            (["get", "jobs", "-o", "name"], 0, r"\Ajobs/a\n\Z", ""),
            (["get", "jobs", "-n", "ci", "-o", "name"], 0, r"\Ajobs/b\n\Z", ""),
            (["get", "jobs", "-A", "-o", "name"], 0, r"\Ajobs/b\njobs/a\n\Z", ""),
            (["get", "jobs", "-Ao", "name"], 0, r"\Ajobs/b\njobs/a\n\Z", ""),
            (["get", "jobs", "-nci", "--output=name"], 0, r"\Ajobs/b\n\Z", ""),
            (["get", "all", "-A", "-o", "name"], 0, r"\Aflags/x\njobs/b\njobs/a\nobjects/greeting\n\Z", ""),
            (["get", "all", "-o", "name"], 0, r"\Aflags/x\njobs/a\nobjects/greeting\n\Z", ""),
            (["get", "jobs", "-A", "-l", "tier=web", "-o", "name"], 0, r"\Ajobs/a\n\Z", ""),
            (["get", "jobs", "-A", "-l", "tier in (web,db)", "-o", "name"], 0, r"\Ajobs/b\njobs/a\n\Z", ""),
            (["get", "jobs", "-A", "-l", "!tier", "-o", "name"], 0, "", r"No objects found|^$"),
            (["get", "jobs", "-l", "a in ("], 9, "", r"^Error from server \(Invalid\): .*selector"),
            (["get", "jobs/a", "-n", "ci"], 3, "", r'^Error from server \(NotFound\): jobs "a" not found$'),
            (["get", "jobs/zz", "--ignore-not-found"], 0, "", ""),
            (["delete", "zz", "--ignore-not-found"], 0, None, None)]:
        check(store.cli, case)


@test
def put_and_patch(t):
    store = Store(t)
    cli = store.cli
    for case in [
            (["put", "n", '{"a":1}'], 0, r"objects/n created \(version 5\)", ""),
            (["put", "n", '{"a":1}'], 0, r"objects/n unchanged \(version 5\)", ""),
            (["put", "n", '{"a":2}', "--if-rv", "5"], 0, r"objects/n updated \(version 6\)", ""),
            (["put", "n", '{"a":3}', "--if-rv", "5"], 4, "", r"^Error from server \(Conflict\): .*6"),
            (["put", "n", '{"a":3}', "--if-absent"], 4, "", r"^Error from server \(AlreadyExists\): .*\"n\""),
            (["put", "n", '{"a":3}', "--dry-run"], 0, r"n updated.*dry run|dry run", ""),
            (["put", "n", "[1]"], 9, "", "object"), (["put", "n", "5"], 9, "", "object"),
            (["put", "n", "{"], 9, "", "JSON"), (["put", "n", '{"a":1,"a":2}'], 9, "", '"a"'),
            (["put", "N", "{}"], 9, "", r"^Error from server \(Invalid\): .*name"),
            (["put", "n", "-o", "name", '{"a":2}'], 0, r"\Aobjects/n\n\Z", ""),
            (["put", "n", "-f", "-"], 0, "updated", "", '{"a":4}'),
            (["put", "n", "-f", "-"], 0, "updated", "", "a: 5\nn: yes\non: 0o17\n"),
            (["patch", "n", "-p", '{"spec":{"b":1}}'], 0, "updated", ""),
            (["patch", "n", "-f", "-"], 0, "updated", "", "spec:\n  b: null\n"),
            (["patch", "n", "nonsense"], 9, "", "JSON"),
            (["patch", "zz", "{}"], 3, "", r"NotFound"),
            (["put", "n", "-f", t.path("missing")], 1, "", "missing"),
            (["put", "-f", "-"], 9, "", "metadata.name", "spec: {}\n")]:
        check(cli, case)
    eq(json.loads(store.client.get("n").json)["spec"], {"a": 5, "n": "yes", "on": 15},
       "YAML 1.2: n and on are names, yes is text")
    many = "\n---\n".join(f"kind: Job\nmetadata:\n  name: m{i}\nspec: {{n: {i}}}" for i in range(3))
    eq(len(cli.ok("put", "-f", "-", stdin=many).out.splitlines()), 3)
    eq(cli.ok("get", "jobs", "-o", "name").out, "jobs/a\njobs/m0\njobs/m1\njobs/m2\n")
    before = store.client.list("all")
    for form in ("yaml", "json"):
        listing = cli.ok("get", "all", "-A", "-o", form).out
        put = cli.run("put", "-f", "-", stdin=listing)
        eq(put.code, 0, f"a {form} listing put back: {put}")
    eq(store.client.list("all"), before, "after putting back what get showed")


@test
def token_files_that_cannot_be_used(t):
    cli = Cli("127.0.0.1:1")
    for path, says in ((t.dir, "cannot read the token file .*: Is a directory"),
                       (t.path("missing"), "cannot read the token file .*: No such file or directory"),
                       (t.file("empty", ""), "the token file .* is empty")):
        check(cli, (["get", "jobs", "--token-file", path], 1, "", f"\\A(warning: .*\n)?error: {says}\n\\Z"))


@test
def several_files_are_put(t):
    cli = Store(t).cli
    one = t.file("one.json", '{"metadata":{"name":"one"},"spec":{"n":1}}')
    two = t.file("two.yaml", "metadata: {name: two}\n---\nmetadata: {name: three}\n")
    empty = t.file("empty.yaml", "")
    for case in [
            (["put", "-f", one, "-f", two, "--file", "-"], 0,
             r"\Aobjects/one created.*\nobjects/two created.*\nobjects/three created.*\n"
             r"objects/four created.*\n\Z", "", "metadata: {name: four}\n"),
            (["put", "y", "-f", one, "-f", one], 2, "", "2 documents; leave out the name"),
            (["put", "-f", one, "-f", empty], 9, "", "empty.yaml holds no document"),
            (["put", "-f", one, "-f", t.path("missing")], 1, "", "missing"),
            (["patch", "one", "-f", one, "-f", one], 2, "", "give -f once")]:
        check(cli, case)
    eq(cli.ok("get", "objects", "-o", "name").out.split(),
       ["objects/four", "objects/greeting", "objects/one", "objects/three", "objects/two"])
    eq(cli.ok("status", "-o", "json").json["head"], "8", "a file that cannot be read: nothing is put")


@test
def get_outputs(t):
    store = Store(t)
    cli = store.cli
    one = cli.ok("get", "jobs/a", "-o", "json")
    eq(one.json["metadata"]["resourceVersion"], "2")
    eq(one.json["kind"], "Job")
    many = cli.ok("get", "jobs", "-A", "-o", "json").json
    eq((many["kind"], many["metadata"], [i["metadata"]["name"] for i in many["items"]]),
       ("List", {"resourceVersion": "4"}, ["b", "a"]))
    empty = cli.ok("get", "nothings", "-o", "json")
    eq(empty.json, {"kind": "List", "metadata": {"resourceVersion": "4"}, "items": []})
    table = cli.ok("get", "jobs", "-A").out.splitlines()
    eq(table[0].split(), ["NAMESPACE", "NAME", "VERSION", "AGE", "SPEC"])
    eq([line.split()[:3] for line in table[1:]], [["ci", "b", "3"], ["default", "a", "2"]])
    yaml = cli.ok("get", "jobs/a", "-o", "yaml").out
    assert 'resourceVersion: "2"' in yaml and "tier: web" in yaml, yaml
    store.client.put("odd", {"yes": "no", "n": "1", "null": "null", "e": "1e3", "t": "a\nb", "s": " x ",
                             "c": "a: b", "u": "é\u2028", "f": 0.42, "b": True, "z": None, "l": [], "o": {},
                             "h": "# no", "q": "'\"", "tab": "\t", "~": "~", "0x1f": "0x1f"})
    doc = cli.ok("get", "objects/odd", "-o", "json").json
    back = cli.run("put", "-f", "-", stdin=cli.ok("get", "objects/odd", "-o", "yaml").out)
    eq((back.code, "unchanged" in back.out), (0, True), f"YAML and back: {back}")
    eq(cli.ok("get", "objects/odd", "-o", "json").json, doc)


@test
def connections(t):
    with socket.create_server(("127.0.0.1", 0)) as dead:
        free = dead.getsockname()[1]
    for words in (["get", "jobs"], ["put", "x", "{}"], ["status"]):
        begin = time.monotonic()
        result = check(Cli(f"127.0.0.1:{free}", "--timeout", "1s"),
                       (words, 7, "", rf"127\.0\.0\.1:{free}.*refused.*watchd"))
        eq(result.err.count("\n"), 1, f"one line: {result.err!r}")
        assert time.monotonic() - begin < 3 * SLOW
    check(Cli(f"unix:{t.path('no.sock')}", "--timeout", "300ms"), (["get", "jobs"], 7, "", "no.sock"))
    # A listener that never answers: connected to, but no server.
    with socket.create_server(("127.0.0.1", 0), backlog=5) as deaf:
        code = Cli(f"127.0.0.1:{deaf.getsockname()[1]}", "--timeout", "1s").run("get", "jobs").code
        assert code in (5, 7), f"exit {code} from a listener without a server"
    store = Store(t)
    cli = Cli(store.server.address, "--timeout", "1s")
    store.server.pause()
    eq(cli.run("get", "jobs").code in (5, 7), True, "a server that is stopped")
    store.server.resume()
    eq(Cli(env={"WATCHCTL_SERVER": store.server.unix}).ok("get", "jobs", "-o", "name").out, "jobs/a\n")
    eq(Cli(store.server.address, env={"WATCHCTL_SERVER": "127.0.0.1:1"}).ok(
        "get", "jobs", "-o", "name").out, "jobs/a\n", "the option wins over the environment")
    late = Server(t, name="late", tcp=False)
    waiting = Cli(late.unix, "--timeout", "20s").start("put", "x", '{"n":1}')
    time.sleep(0.4)
    late.start()
    out, err = waiting.communicate(timeout=20 * SLOW)
    eq(waiting.returncode, 0, f"put, started before the server: {out!r} {err!r}")


@test
def watch_grammar(t):
    store = Store(t)
    cli = store.cli
    for case in [
            (["watch", "jobs", "--count", "1"], 0, r"^ADDED\s+2\s+a\s", ""),
            (["watch", "jobs/a", "--count", "1", "-o", "name"], 0, r"\Ajobs/a\n\Z", ""),
            (["watch", "all", "-A", "--count", "4", "-o", "name"], 0,
             r"\Aflags/x\njobs/b\njobs/a\nobjects/greeting\n\Z", ""),
            (["watch", "all", "-A", "--since", "0", "--count", "4", "-o", "name"], 0,
             r"\Aobjects/greeting\njobs/a\njobs/b\nflags/x\n\Z", ""),
            (["watch", "jobs", "-A", "-l", "tier=db", "--for", "300ms", "-o", "name"], 0, r"\Ajobs/b\n\Z", ""),
            (["watch", "jobs", "--since", "4", "--for", "200ms"], 0, "", ""),
            (["watch", "jobs", "--since", "now", "--for", "200ms"], 0, "", ""),
            (["watch", "jobs", "--since", "99"], 6, "", r"^Error from server \(Future\): .*99.*\n.*4"),
            (["watch", "jobs", "-l", "a in ("], 9, "", "selector"),
            (["watch", "Jobs"], 9, "", "resource")]:
        check(cli, case)
    lines = cli.ok("watch", "all", "-A", "-o", "json", "--bookmarks", "--count", "4").lines
    eq([line["type"] for line in lines], ["ADDED"] * 4)
    for line in lines:
        eq(sorted(line), ["object", "resource", "type"])
    lines = cli.ok("watch", "jobs", "-o", "json", "--bookmarks", "--for", "400ms").lines
    eq([line["type"] for line in lines][:2], ["ADDED", "SYNCED"])
    eq(lines[1], {"type": "SYNCED", "object": {"metadata": {"resourceVersion": "4"}}})
    store.client.call("Compact")
    result = check(cli, (["watch", "jobs", "--since", "1"], 6, "", r"Expired.*1.*3.*4"))
    assert "--since 3" in result.err, f"it does not say what to run: {result.err!r}"
    for quotes, command in [(200, "jobs --field-selector 'spec.a=" + "'\\''" * 200 + "'"), (4088, "…")]:
        selector = "spec.a=" + "'" * quotes
        result = check(cli, (["watch", "jobs", "--since", "1", "--field-selector", selector], 6, "", "Expired"))
        assert f"run 'watchctl watch {command} --since 3', or" in result.err, result.err[-200:]
    check(Cli("127.0.0.1:1"), (["watch", "jobs", "--for", "500ms"], 7, "", r"waiting|refused"))


@test
def watch_writes_each_line_at_once(t):
    store = Store(t)
    watch = CliWatch(t, store.cli, "jobs", "-A", "--previous")
    watch.wait_lines(2)
    for i in range(20):
        rv = store.client.put("a", {"n": 10 + i}, resource="jobs").object.resource_version
        watch.wait_lines(3 + i, 2)
        eq(watch.lines[-1]["object"]["metadata"]["resourceVersion"], str(rv))
        assert watch.lines[-1]["previous"]["spec"]["n"] == (1 if i == 0 else 9 + i), watch.lines[-1]
    store.client.delete("a", resource="jobs")
    watch.wait_lines(23, 2)
    eq((watch.lines[-1]["type"], watch.lines[-1]["object"]["spec"]), ("DELETED", {"n": 29}))


@test
def watch_reconnects_quickly_and_says_so(t):
    store = Store(t)
    watch = CliWatch(t, store.cli, "all", "-A")
    watch.wait_lines(4)
    for i in range(3):
        store.server.restart()
        begin = time.monotonic()
        client = store.server.client()
        client.put("greeting", {"round": i})
        watch.wait_lines(5 + i, 5)
        took = time.monotonic() - begin
        assert took < 3 * SLOW, f"back after {took:.1f} s"
    eq([line["object"]["spec"].get("round") for line in watch.lines[4:]], [0, 1, 2])
    assert len(watch.notices) >= 3, watch.notices
    watch.process.send_signal(signal.SIGINT)
    eq(watch.wait(), 130, "exit on SIGINT")


@test
def a_pipe_that_is_closed_ends_the_watch(t):
    store = Store(t)
    process = store.cli.start("watch", "all", "-A", "--since", "0", "-o", "json")
    process.stdout.readline()
    process.stdout.close()
    for i in range(50):
        store.client.put("greeting", {"i": i})
        if process.poll() is not None:
            break
        time.sleep(0.1)
    assert process.poll() is not None, "it writes into a closed pipe for ever"


@test
def an_interrupted_watch_leaves_whole_lines(t):
    store = Store(t)
    for i in range(10):
        store.client.put(f"big{i}", {"pad": "x" * 200_000})
    for reads in (True, False):
        process = store.cli.start("watch", "objects", "-o", "json")
        process.stdout.readline()
        time.sleep(0.3 * SLOW)  # the pipe is full now, and the next line is on its way into it
        process.send_signal(signal.SIGINT)
        if reads:
            time.sleep(0.2)
            rest = process.stdout.read()
            assert rest.endswith("}\n"), f"cut short: ...{rest[-60:]!r}"
            for line in rest.splitlines():
                json.loads(line)
        eq(process.wait(10 * SLOW), 130, "exit on SIGINT" if reads else "exit on SIGINT with nobody reading")
        process.stdout.close()


@test
def closed_and_full_standard_files_are_told_once(t):
    store = Store(t)
    line = '{"op":"put","resource":"objects","namespace":"default","name":"n","object":{"spec":{}}}'
    def shell(redirection, *words):
        done = subprocess.run(["bash", "-c", f'"$@" {redirection}', "bash", *store.cli.command(*words)],
                              input=line, capture_output=True, text=True, timeout=20 * SLOW)
        return done.returncode, done.stdout, done.stderr
    for words in (["put", "n", "-f", "-"], ["import", "-"]):
        code, _, err = shell("<&-", *words)
        assert code == 1 and re.match(r"error: cannot read \S+.*: Bad file descriptor$", err, re.M), (code, err)
    for words in (["get", "jobs"], ["export", "all", "-A"], ["watch", "jobs", "--count", "1"], ["--help"], ["version"],
                  ["watch", "jobs", "--for", "10s", "-o", "json"], ["put", "n", "{}"], ["status"]):
        for redirection, why in ((">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")):
            code, _, err = shell(redirection, *words)
            eq((code, err), (1, f"error: cannot write the output: {why}\n"), f"{words} {redirection}")
    for redirection in ("2>&-", "<&- 2>&-"):
        eq(shell(redirection, "get", "jobs", "-o", "name"), (0, "jobs/a\n", ""))
        eq(shell(redirection, "get", "jobs/none"), (3, "", ""))


@test
def a_server_without_standard_files_keeps_its_database(t):
    """What it says must not go into whatever file was opened first."""
    path, db = t.path("quiet.sock"), t.path("quiet.db")
    for i in range(2):
        server = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", "bash", "-c", 'exec "$@" <&- >&- 2>&-',
                                   "bash", f"{BIN}/watchd", "--db", db, "--listen", "unix:" + path])
        t.cleanup(server.kill)
        cli = Cli("unix:" + path)
        cli.ok("put", "n", '{"i":%d}' % i)
        for fd in range(3):
            eq(os.readlink(f"/proc/{server.pid}/fd/{fd}"), "/dev/null", f"file {fd}")
        server.send_signal(signal.SIGTERM)
        eq(server.wait(20 * SLOW), 0)


@test
def time_may_run_out_before_there_is_a_connection(t):
    store = Store(t)
    for address in (store.server.unix, store.server.address):
        result = Cli(address).run("watch", "objects", "--for", "1ms")
        assert (result.code, result.err) == (0, "") or \
            (result.code == 7 and re.fullmatch(
                rf"error: the time of --for ran out before {re.escape(address)} "
                r"(was connected to|began to send)\n", result.err)), result
        result = Cli(address, "--timeout", "1ms").run("import", "-", stdin='{"metadata":{"name":"n"}}')
        assert result.code == 0 or result.code == 7 and ": ;" not in result.err, result
    with socket.create_server(("127.0.0.1", 0), backlog=5) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        check(Cli(address), (["watch", "objects", "--for", "300ms"], 7, "",
                             rf"\Aerror: the time of --for ran out before {address} was connected to\n\Z"))
        check(Cli(address, "--timeout", "300ms"),
              (["import", "-"], 7, "", rf"^error: cannot connect to {address}: no \w+", '{"metadata":{"name":"n"}}'))
    store.server.pause()
    check(store.cli, (["watch", "objects", "--for", "300ms"], 7, "", "the time of --for ran out before"))
    store.server.resume()


@test
def durations_have_sane_bounds(t):
    cli = Store(t).cli
    check(cli, (["get", "jobs", "--timeout", "0"], 2, "", "--timeout must be between 1ms and 36500d, not 0"))
    check(cli, (["watch", "jobs", "--for", "40000d"], 2, "", "--for must be between 0 and 36500d, not 40000d"))
    check(cli, (["get", "jobs", "--timeout", "36500d", "-o", "name"], 0, "jobs/a", ""))
    check(cli, (["watch", "jobs", "--for", "0", "--count", "1"], 0, r"^ADDED\s+2\s+a\s", ""))
    options = " ".join(cli.ok("watch", "--help").out.split("\nOptions:\n")[1].split())
    for option in ("--count N", "--for DURATION"):
        assert re.search(rf"{option} End after [^.]*; 0: no limit\.", options), options


@test
def a_terminal_is_not_steered_by_objects(t):
    store = Store(t)
    evil = "\u001b[2J\u001b]0;pwned\u0007\u009b31m"
    store.client.put("evil", {"text": evil})
    for words in (["get", "objects"], ["get", "objects/evil", "-o", "yaml"],
                  ["get", "objects/evil", "-o", "json"], ["watch", "objects", "--count", "2"],
                  ["watch", "objects", "--count", "2", "-o", "json"]):
        pid, fd = pty.fork()
        if pid == 0:
            command = store.cli.command(*words)
            os.execve(command[0], command, {**store.cli.env, "TERM": "xterm"})
        shown = b""
        try:
            while True:
                data = os.read(fd, 65536)
                if not data:
                    break
                shown += data
        except OSError:
            pass
        os.waitpid(pid, 0)
        os.close(fd)
        assert b"evil" in shown, f"{words}: {shown}"
        for bad in (b"\x1b", b"\x07", b"\xc2\x9b"):
            assert bad not in shown, f"{words} sends {bad} to the terminal: {shown}"
    piped = store.cli.ok("get", "objects/evil", "-o", "json").json
    eq(piped["spec"]["text"], evil, "through a pipe it stays what it is")


@test
def administration(t):
    store = Store(t)
    cli = store.cli
    status = cli.ok("status", "-o", "json").json
    eq((status["head"], status["oldest"], status["objects"]), ("4", "0", 4))
    text = cli.ok("status").out
    assert re.search(r"head:\s+4$", text, re.M), text
    check(cli, (["compact"], 0, r"3", ""))
    check(cli, (["compact", "99"], 6, "", r"^Error from server \(Future\): .*99"))
    eq(cli.ok("status", "-o", "json").json["oldest"], "3")
    assert "# TYPE" in cli.ok("metrics").out
    check(cli, (["subscriptions"], 0, None, None))
    watch = CliWatch(t, cli, "jobs", "-A", "-l", "tier=web", "--client-id", "mine")
    watch.wait_lines(1)
    listed = cli.ok("subscriptions", "-o", "json").out
    assert '"mine"' in listed and "tier=web" in listed, listed
    assert "mine" in cli.ok("subscriptions").out
    check(cli, (["subscriptions", "end", "--client-id", "mine"], 0, None, None))
    eq(watch.wait(), 1)
    for shell in ("bash", "zsh"):
        script = cli.ok("completion", shell).out
        assert "watchctl" in script and "subscriptions" in script
    done = subprocess.run(["bash", "-n"], input=cli.ok("completion", "bash").out, text=True,
                          capture_output=True, check=False)
    eq(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    main()
