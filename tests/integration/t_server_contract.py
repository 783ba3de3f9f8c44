#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What watchd promises to those who run it: addresses, files, options, tokens, the way it ends."""
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import time

from watchtest import *

WATCHD = os.path.join(BIN, "watchd")


def run(*args, env=None, timeout=30):
    done = subprocess.run([WATCHD, *map(str, args)], capture_output=True, text=True,
                          env={**os.environ, **(env or {})}, timeout=timeout * SLOW)
    return done.returncode, done.stdout, done.stderr


def refused(*args, words=(), code=1, env=None):
    """It ends at once with one line that names what is wrong."""
    got, out, err = run(*args, env=env)
    eq((got, out), (code, ""), f"watchd {args}: stderr {err!r}")
    assert err.strip(), f"watchd {args} says nothing"
    for word in words:
        assert re.search(word, err), f"watchd {args} says {err!r}, without {word!r}"
    return err


@test
def help_and_version(t):
    code, out, err = run("--help")
    eq((code, err), (0, ""))
    for option in ("--db", "--listen", "--insecure", "--token-file", "--admin-token-file",
                   "--history-events", "--history-bytes", "WATCHD_DB", "WATCHD_LISTEN"):
        assert option in out, f"--help does not name {option}"
    eq(run("-h")[0], 0)
    code, out, err = run("--version")
    eq((code, err), (0, ""))
    assert re.match(r"watchd \d+\.\d+\.\d+", out), out


@test
def wrong_options_are_usage_errors(t):
    db = t.path("x.db")
    refused("--db", db, "--listn", "127.0.0.1:0", words=["--listen"], code=2)
    refused("--db", db, "--listen", "127.0.0.1:99999", words=["99999"], code=2)
    refused("--db", db, "--listen", "nonsense", words=["nonsense"], code=2)
    refused("--db", db, "--history-events", "many", words=["history-events", "many"], code=2)
    refused("--db", db, "word", words=["word"], code=2)
    refused("--db", "", words=["db"], code=2)
    refused("--db", db, "--log-level", "loud", words=["loud"], code=2)
    refused("--db", db, "--listen", "127.0.0.1:0", words=["BOOKMARK_INTERVAL", "soon"], code=2,
            env={"WATCHD_BOOKMARK_INTERVAL": "soon"})
    assert not os.path.exists(db), "a usage error made a file"


@test
def several_addresses_one_line_each(t):
    paths = [t.path("a.sock"), t.path("b.sock")]
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", WATCHD, "--db", t.path("x.db"),
         "--listen", "127.0.0.1:0", "--listen", f"unix:{paths[0]}", "--listen", "[::1]:0",
         f"--listen=unix:{paths[1]}", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    t.cleanup(lambda: process.poll() is None and process.kill())
    lines = [process.stdout.readline().rstrip("\n") for _ in range(5)]
    patterns = [r"listening on 127\.0\.0\.1:[1-9]\d*", r"listening on unix:" + re.escape(paths[0]),
                r"listening on \[::1\]:[1-9]\d*", r"listening on unix:" + re.escape(paths[1]),
                r"listening on 127\.0\.0\.1:[1-9]\d*"]
    for line, pattern in zip(lines, patterns):
        assert re.fullmatch(pattern, line), f"{line!r} where {pattern!r} was expected"
    assert lines[0] != lines[4], "one port twice"
    for line in lines:
        address = line.removeprefix("listening on ")
        address = address if address.startswith("unix:") else "ipv6:" + address \
            if address.startswith("[") else address
        assert Client(address).status().version
    for path in paths:
        mode = os.stat(path).st_mode
        assert stat.S_ISSOCK(mode), path
        eq(stat.S_IMODE(mode), 0o600, "mode of the socket")
    eq(stat.S_IMODE(os.stat(t.path("x.db")).st_mode), 0o600, "mode of the database")
    process.send_signal(signal.SIGINT)
    eq(process.wait(20 * SLOW), 0, "exit on SIGINT")
    eq([os.path.exists(path) for path in paths], [False, False], "sockets left behind")


@test
def other_machines_are_kept_out_without_insecure(t):
    for address in ("0.0.0.0:0", "[::]:0"):
        refused("--db", t.path("x.db"), "--listen", address, words=["--insecure"], code=2)
    server = Server(t, "--insecure", "--listen", "0.0.0.0:0")
    server.start()
    wait_until("a third address", lambda: any("0.0.0.0:" in line for line in server.stdout))


@test
def a_second_server_on_one_file_is_refused(t):
    server = Server(t).start()
    server.client().put("a", {"n": 1})
    err = refused("--db", server.db, "--listen", "127.0.0.1:0", words=["watchd", "x|use|lock|run"])
    assert server.db in err, err
    link = t.path("link.db")
    os.symlink(server.db, link)
    refused("--db", link, "--listen", "127.0.0.1:0")
    eq(server.client().head(), 1, "the first server is unharmed")
    # Nor without the lock file, nor by another name of the file.
    for path in (server.db, link):
        os.unlink(server.db + ".lock")
        refused("--db", path, "--listen", "127.0.0.1:0", words=["another process has", server.db])
    name = t.path("name.db")
    os.link(server.db, name)
    refused("--db", name, "--listen", "127.0.0.1:0", words=["hard links"])
    os.rename(server.db, t.path("away.db"))
    os.unlink(t.path("away.db"))
    refused("--db", name, "--listen", "127.0.0.1:0", words=["another process has", name])
    os.rename(name, server.db)
    server.client().put("b", {"n": 1})
    eq(server.client().head(), 2, "the first server is unharmed")
    server.kill()
    server.start()
    eq(server.client().head(), 2, "a killed server leaves no lock behind")


@test
def an_address_in_use_is_told(t):
    server = Server(t).start()
    err = refused("--db", t.path("y.db"), "--listen", server.address, words=["in use"])
    assert server.address in err, err
    # A socket whose server was killed is taken over; one that is served is not.
    refused("--db", t.path("y.db"), "--listen", server.unix, words=["in use"])
    server.kill()
    assert os.path.exists(server.unix_path)
    server.start()
    plain = t.file("plain", "not a socket")
    refused("--db", t.path("y.db"), "--listen", f"unix:{plain}")
    eq(open(plain, encoding="ascii").read(), "not a socket", "a file in the way is not removed")


@test
def files_that_are_not_ours_are_refused_and_untouched(t):
    def check(path, *words):
        before = open(path, "rb").read()
        refused("--db", path, "--listen", "127.0.0.1:0", words=words)
        eq(open(path, "rb").read(), before, f"content of {path}")

    check(t.file("text.db", "these are notes, not a database\n" * 50), "text.db")
    path = t.path("foreign.db")
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE notes(a)")
        db.execute("INSERT INTO notes VALUES (1)")
    db.close()
    check(path, "foreign.db")
    server = Server(t, name="newer").start()
    server.client().put("a", {"n": 1})
    eq(server.stop(), 0)
    path = server.db
    db = sqlite3.connect(path)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute(f"PRAGMA user_version = {version + 1}")
    db.commit()
    db.close()
    for end in ("-wal", "-shm"):
        if os.path.exists(path + end):
            os.remove(path + end)
    check(path, "newer")
    refused("--db", t.path("no/such/folder/x.db"), "--listen", "127.0.0.1:0", words=["no/such"])
    os.mkdir(t.path("folder.db"))
    refused("--db", t.path("folder.db"), "--listen", "127.0.0.1:0", words=["folder.db"])


@test
def every_option_is_an_environment_variable(t):
    env = {"WATCHD_DB": t.path("env.db"), "WATCHD_LISTEN": f"127.0.0.1:0,unix:{t.path('env.sock')}",
           "WATCHD_MAX_WATCHES": "1", "WATCHD_HISTORY_EVENTS": ""}
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", WATCHD], text=True,
                               env={**os.environ, **env}, stdout=subprocess.PIPE)
    t.cleanup(lambda: process.poll() is None and process.kill())
    lines = [process.stdout.readline() for _ in range(2)]
    assert lines[1] == f"listening on unix:{t.path('env.sock')}\n", lines
    client = Client("unix:" + t.path("env.sock"))
    client.watch("all").started()
    eq(client.watch("all").until_end()[1].reason, "LIMIT")
    process.terminate()
    eq(process.wait(20 * SLOW), 0)
    assert os.path.exists(t.path("env.db"))
    out = run("--help")[1]
    for option in re.findall(r"^\s+(?:-\w, )?--([a-z-]+)", out, re.M):
        if option not in ("help", "man", "version"):
            name = "WATCHD_" + option.upper().replace("-", "_")
            assert name in out, f"--{option} has no {name} in --help"


@test
def sigterm_drains(t):
    """Streams get a bookmark at their own position, then DRAINING; the writes that were taken are
    answered; a client resumes on the next server without a gap."""
    server = Server(t).start()
    client = server.client()
    for i in range(20):
        client.put(f"a{i}", {"i": i})
    quiet = server.client().watch(Sel("nothing"))
    busy = server.client().watch(Sel("all"))
    busy.until_synced()
    quiet.until_synced()
    watch = CliWatch(t, Cli(server.address), "objects", "--bookmarks")
    watch.wait_lines(21)
    journal = Journal()
    writers = start_writers(t, journal, server.client, 4)
    time.sleep(0.3)
    begin = time.monotonic()
    eq(server.stop(), 0, "exit on SIGTERM")
    took = time.monotonic() - begin
    assert took < 5 * SLOW, f"draining took {took:.1f} s"
    for stream in (quiet, busy):
        items, error = stream.until_end()
        eq((error.code, error.reason), ("UNAVAILABLE", "DRAINING"), error.message)
        assert error.retry_s is not None and 0 <= error.retry_s < 30, "no retry delay"
        assert isinstance(items[-1], pb.Bookmark), f"the last item is {items[-1]}"
        versions = [i.object.resource_version for i in items if isinstance(i, pb.Event)]
        assert items[-1].resource_version >= max(versions, default=0)
    for writer in writers:
        writer.stop()
    last = items[-1].resource_version
    server.start()
    for writer in writers:
        writer.done()
    head = server.client().head()
    acked = [e.rv for e in journal.entries() if e.state == "acked"]
    assert max(acked) <= head, "an acknowledged write is lost"
    rest = server.client().watch(Sel("all"), start=busy.position)
    got = [rest.event().object.resource_version for _ in range(head - last)]
    eq(got, list(range(last + 1, head + 1)), "events after the bookmark")
    wait_until("watchctl goes on", lambda: server.client().subscriptions())


@test
def sigterm_does_not_wait_for_stuck_clients(t):
    server = Server(t, "--drain-grace", "1s").start()
    client = server.client()
    call = server.client().open(request_for(["all"], "now"))
    next(call)
    for i in range(60):
        client.put(f"big{i}", {"pad": "x" * 200_000})
    begin = time.monotonic()
    eq(server.stop(), 0)
    assert time.monotonic() - begin < 6 * SLOW
    call.cancel()


def denied(call, code, reason):
    try:
        call()
    except WatchError as err:
        eq((err.code, err.reason), (code, reason), err.message)
        assert "token" in err.message, err.message
        for secret in ("first-token", "second-token", "admin-token"):
            assert secret not in err.message
    else:
        raise AssertionError("let in")


@test
def tokens(t):
    tokens = t.file("tokens", "first-token\nsecond-token\n")
    admin = t.file("admin", "admin-token\n")
    server = Server(t, "--token-file", tokens, "--admin-token-file", admin).start()

    for token in (None, "wrong", "first-toke", "first-token2", "", "x" * 5000):
        client = Client(server.unix, token=token)
        for call in (lambda: client.put("a", {"n": 1}), lambda: client.get("a"), client.status,
                     lambda: client.raw("/watch.v1.ObjectService/Put", b"\xff\xff garbage")):
            denied(call, "UNAUTHENTICATED", "UNAUTHENTICATED")
        eq(client.watch("all").until_end()[1].code, "UNAUTHENTICATED")
    users = [Client(server.unix, token=token) for token in ("first-token", "second-token")]
    for i, user in enumerate(users):
        user.put(f"a{i}", {"n": 1})
        user.get("a0")
        denied(user.status, "PERMISSION_DENIED", "DENIED")
        denied(lambda: user.call("Compact"), "PERMISSION_DENIED", "DENIED")
        denied(user.metrics, "PERMISSION_DENIED", "DENIED")
    boss = Client(server.unix, token="admin-token")
    eq(boss.status().head, 2)
    stream = users[0].watch("all", client_id="one")
    subscription = stream.started().subscription_id
    # Of the subscriptions of others nothing is told, not even that they are there.
    eq(users[1].subscriptions(), [])
    try:
        users[1].call("Unsubscribe", subscription_id=subscription)
    except WatchError as err:
        eq(err.code, "NOT_FOUND", err.message)
    else:
        raise AssertionError("one user ended another's stream")
    assert subscription in [s.subscription_id for s in boss.subscriptions()]
    eq(boss.call("Unsubscribe", subscription_id=subscription).ended, 1)
    raw = Client(server.unix)
    assert raw.raw("/grpc.health.v1.Health/Check") == b"\x08\x01", "health needs no token"
    cli = Cli(server.address)
    result = cli.run("get", "objects")
    eq(result.code, 8, str(result))
    eq(Cli(server.address, "--token-file", t.file("mine", "second-token\n")).ok("get", "objects", "-o",
                                                                              "name").code, 0)
    log = server.log()
    for secret in ("first-token", "second-token", "admin-token"):
        assert secret not in log, "a token in the log"


@test
def admin_tokens_alone(t):
    """Everybody may call; administration and the subscriptions of others are the admin's."""
    server = Server(t, "--admin-token-file", t.file("admin", "admin-token\n")).start()
    user, boss = server.client(), server.client(token="admin-token")
    user.put("a", {"n": 1})
    streams = [user.watch("all", client_id="desk") for _ in range(2)]
    ids = [stream.started().subscription_id for stream in streams]
    for call in (user.status, user.metrics, lambda: user.subscriptions(),
                 lambda: user.subscriptions("desk"), lambda: user.call("Unsubscribe", client_id="desk")):
        denied(call, "PERMISSION_DENIED", "DENIED")
    eq(sorted(s.subscription_id for s in boss.subscriptions("desk")), sorted(ids))
    eq(user.call("Unsubscribe", subscription_id=ids[0]).ended, 1, "whoever knows its random id")
    eq(boss.call("Unsubscribe", client_id="desk").ended, 1)


@test
def an_empty_token_file_is_refused(t):
    for path in (t.file("empty", ""), t.file("blank", "\n\n"), t.path("missing")):
        refused("--db", t.path("x.db"), "--listen", "127.0.0.1:0", "--token-file", path,
                words=[os.path.basename(path)], code=2)


@test
def health_and_reflection_answer(t):
    server = Server(t).start()
    client = server.client()
    eq(client.raw("/grpc.health.v1.Health/Check"), b"\x08\x01", "SERVING")
    request = pb["grpc.health.v1.HealthCheckRequest"]
    for service in SERVICES[:3]:
        eq(client.raw("/grpc.health.v1.Health/Check", request(service=service).SerializeToString()),
           b"\x08\x01", service)
    try:
        client.raw("/grpc.health.v1.Health/Check", request(service="nope").SerializeToString())
    except WatchError as err:
        eq(err.code, "NOT_FOUND")
    else:
        raise AssertionError("an unknown service is healthy")
    try:
        client.raw("/watch.v1.ObjectService/Nope")
    except WatchError as err:
        eq((err.code, err.reason), ("UNIMPLEMENTED", "UNIMPLEMENTED"), err.message)
    else:
        raise AssertionError("a method that is not there was answered")


@test
def metrics_are_prometheus_text(t):
    server = Server(t).start()
    client = server.client()
    watch = client.watch("all")
    watch.until_synced()
    client.put("a", {"n": 1})
    watch.event()
    text = client.metrics()
    names = set()
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) [a-z_:][a-z0-9_:]* .+|[a-z_:][a-z0-9_:]*(\{[^}]*\})? \S+",
                            line), f"not a line of the format: {line!r}"
        names.add(re.sub(r"^# (HELP|TYPE) ", "", line).split("{")[0].split(" ")[0])
    assert text.endswith("\n")
    assert any("watch" in name for name in names) and len(names) >= 8, names
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True,
                              check=False)
        eq(done.returncode, 0, done.stdout + done.stderr)


@test
def garbage_on_the_port_harms_nobody(t):
    server = Server(t).start()
    client = server.client()
    for payload in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 10000, os.urandom(5000),
                    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100, b""):
        for _ in range(5):
            with socket.create_connection((HOST, server.port)) as s:
                s.sendall(payload)
                s.settimeout(0.2)
                try:
                    s.recv(1000)
                except OSError:
                    pass
        client.put("a", {"n": payload[:20].hex()})
    before = server.fds()
    silent = [socket.create_connection((HOST, server.port)) for _ in range(50)]
    client.put("b", {"n": 1})
    for s in silent:
        s.close()
    wait_until("descriptors are closed", lambda: server.fds() <= before + 1, 10)


if __name__ == "__main__":
    main()
