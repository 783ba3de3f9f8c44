#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A peer that begins calls faster than they can be refused is cut off, with a token or without; memory
stays bounded and others are served meanwhile. Who opens as many streams as allowed is left alone."""
import re
import socket
import struct
import threading
import time

from watchtest import *

CALLS = rounds(300_000, long=300_000, short=20_000)
GROWTH = 300_000_000
PUT, SUBSCRIBE = "/watch.v1.ObjectService/Put", "/watch.v1.WatchService/Subscribe"
GET = "/watch.v1.ObjectService/Get"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header that is kept in the connection's table."""
    return b"\x40" + bytes((len(name),)) + name + bytes((len(value),)) + value


RESET, END, NOTHING = "reset", "end", "nothing"  # what follows the headers of each call


def calls(path, then, n=CALLS, token=None):
    """A whole connection of a client that looks at nothing which comes back. SETTINGS are never
    acknowledged, so that the limit on streams is not in force."""
    headers = b"\x83\x86" + b"".join(literal(k, v) for k, v in (
        (b"authorization", b"Bearer " + (token or "none").encode()), (b":path", path.encode()),
        (b":authority", b"x"), (b"te", b"trailers"), (b"content-type", b"application/grpc")))
    again = b"\x83\x86\xc2\xc1\xc0\xbf\xbe"
    out = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0)]
    for i in range(n):
        stream = 1 + 2 * i
        out.append(frame(1, 4, stream, again if i else headers))
        if then == RESET:
            out.append(frame(3, 0, stream, struct.pack(">I", 8)))
        elif then == END:
            out.append(frame(0, 1, stream, b"\0\0\0\0\0"))
    return b"".join(out)


def connect(address):
    if address.startswith("unix:"):
        s = socket.socket(socket.AF_UNIX)
        s.connect(address[5:])
        return s
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)))


class Flood:
    def __init__(self, t, address, data):
        self.socket = connect(address)
        self.socket.settimeout(60 * SLOW)
        self.data = data
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        t.cleanup(self.socket.close)

    def _run(self):
        """Never reads until all was sent: or the server could not know that nobody does."""
        try:
            self.socket.sendall(self.data)
            while self.socket.recv(1 << 16):
                pass
        except ConnectionError:
            pass
        except OSError:
            return
        self.closed.set()


class Others:
    """Puts of an honest client all the while; the slowest is kept."""

    def __init__(self, t, client):
        self.client, self.worst, self.n, self.error = client, 0, 0, None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        t.cleanup(self.stop)

    def _run(self):
        try:
            while not self.stopping.is_set():
                begin = time.monotonic()
                self.client.put("honest", {"n": self.n}, timeout=20 * SLOW)
                self.worst = max(self.worst, time.monotonic() - begin)
                self.n += 1
                time.sleep(0.01)
        except Exception as err:
            self.error = err

    def stop(self):
        self.stopping.set()
        self.thread.join(30 * SLOW)
        if self.error:
            raise self.error


def counter(client, name):
    return int(re.search(rf"^{name} (\d+)", client.call("Metrics", timeout=10 * SLOW).text, re.M)[1])


def flooded(t, server, client, floods, growth=GROWTH):
    """All of `floods`, at once: [(address, data)]."""
    others = Others(t, client)
    wait_until("the honest client is served", lambda: others.n > 3 or others.error)
    before, peak = server.rss(), 0
    cut = counter(client, "watchd_connections_cut_total")
    running = [Flood(t, address, data) for address, data in floods]
    end = time.monotonic() + 60 * SLOW
    while not all(f.closed.is_set() for f in running) and time.monotonic() < end:
        peak = max(peak, server.rss())
        assert peak - before < growth * SLOW, f"memory grew from {before} to {peak}"
        time.sleep(0.01)
    assert all(f.closed.is_set() for f in running), "a flooding connection is still open"
    peak = max(peak, server.rss())
    others.stop()
    assert peak - before < growth * SLOW, f"memory grew from {before} to {peak}"
    assert others.worst < 10 * SLOW, f"an honest put took {others.worst:.1f} s"
    eq(counter(client, "watchd_connections_cut_total"), cut + len(floods))
    eq(server.log().count("a connection was cut off"), cut + len(floods))
    return f"resident {before / 1e6:.0f} -> {peak / 1e6:.0f} MB, slowest put of others {others.worst * 1e3:.0f} ms"


def unread_gets(name, n):
    """Gets whose answers have no room to come: the window of each stream is 0, and stays so."""
    key = b"\x0a\x07objects\x12\x07default\x1a" + bytes((len(name),)) + name.encode()
    message = b"\x0a" + bytes((len(key),)) + key
    headers = b"\x83\x86" + b"".join(literal(k, v) for k, v in (
        (b":path", GET.encode()), (b":authority", b"x"), (b"te", b"trailers"),
        (b"content-type", b"application/grpc")))
    out = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, struct.pack(">HI", 4, 0))]
    for i in range(n):
        out.append(frame(1, 4, 1 + 2 * i, b"\x83\x86\xc1\xc0\xbf\xbe" if i else headers))
        out.append(frame(0, 1, 1 + 2 * i, b"\0" + struct.pack(">I", len(message)) + message))
    return b"".join(out)


@test
def answers_that_nobody_reads(t):
    """Each is a megabyte, and 256 of those are too much."""
    server = Server(t).start()
    client = server.client()
    client.put("big", {"text": "x" * 1_000_000})
    note = flooded(t, server, client, [(server.unix, unread_gets("big", 1500))], growth=700_000_000)
    client.get("big")
    return note


@test
def rapid_reset(t):
    server = Server(t).start()
    client = server.client()
    for address in (server.address, server.unix):
        for path in (PUT, SUBSCRIBE, "/no.such.Service/Method"):
            note = flooded(t, server, client, [(address, calls(path, RESET))])
            t.note(f"{path} at {address.split(':')[0]}: {note}")


@test
def streams_that_nobody_reads(t):
    server = Server(t).start()
    client = server.client()
    for path in (PUT, SUBSCRIBE, "/no.such.Service/Method"):
        for then in (END, NOTHING):
            note = flooded(t, server, client, [(server.address, calls(path, then))])
            t.note(f"{path}, {then}: {note}")


@test
def with_a_token_and_without(t):
    """The guard comes before any look at tokens."""
    server = Server(t, "--token-file", t.file("tokens", "right\n")).start()
    client = server.client(token="right")
    for token in ("right", "wrong"):
        for then in (RESET, END, NOTHING):
            flooded(t, server, client, [(server.address, calls(PUT, then, token=token))])


@test
def several_at_once(t):
    server = Server(t).start()
    n = max(CALLS // 4, 12_500)  # above all that one connection may have
    data = [calls(PUT, RESET, n), calls(SUBSCRIBE, END, n)]
    t.note(flooded(t, server, server.client(), [(server.address, data[i % 2]) for i in range(6)]))


PING, PONG = frame(6, 0, 0, b"are read"), frame(6, 1, 0, b"are read")


def answered(s):
    """Its ping is, so all before it was read; False: it was closed instead."""
    got = b""
    while PONG not in got:
        try:
            more = s.recv(1 << 16)
        except ConnectionResetError:
            more = b""
        if not more:
            return False
        got += more
    return True


@test
def each_connection_below_its_limit(t):
    """Only all of them together have too many calls open, of which none ever comes to its end."""
    server = Server(t).start()
    client = server.client()
    before = server.rss()
    n = rounds(20, short=10)
    for i in range(n):
        s = connect(server.address)
        t.cleanup(s.close)
        s.settimeout(20 * SLOW)
        s.sendall(calls(PUT, NOTHING, 4000) + PING)
        answered(s)
        client.put("honest", {"n": i}, timeout=20 * SLOW)
    peak = server.rss()
    t.note(f"resident {before / 1e6:.0f} -> {peak / 1e6:.0f} MB for {4000 * n} calls")
    assert peak - before < 500_000_000 * SLOW, f"memory grew from {before} to {peak}"
    assert counter(client, "watchd_connections_cut_total") in (n - 5, n - 4)



def reset(s):
    """Closes it so that the peer hears of a reset, not of an end."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def break_protocol(s):
    """The peer closes, and reads nothing more."""
    s.sendall(frame(4, 0, 0, b"no settings"))
    try:
        while s.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass


def requests_leave_with_their_connections(t, leave):
    """Four connections have 16,000 requests that did not come to their end, and leave, which frees
    their descriptors; one of before begins as many as a connection may, and nobody has too many."""
    server = Server(t).start()
    client = server.client()
    client.put("honest", {"n": 1})
    connections = counter(client, "watchd_connections")
    leaving = [connect(server.address) for _ in range(4)]
    staying = connect(server.address)
    for s in (*leaving, staying):
        s.settimeout(20 * SLOW)
        if s is staying:
            for one in leaving:
                leave(one)
            wait_until("they are gone", lambda: counter(client, "watchd_connections") == connections + 1)
        s.sendall(calls(PUT, NOTHING, 4000) + PING)
        assert answered(s), "a connection below its limit was closed"
    eq(counter(client, "watchd_connections_cut_total"), 0)
    assert "cut off" not in server.log(), server.log()
    staying.close()
    client.put("honest", {"n": 2}, timeout=20 * SLOW)


@test
def a_reset_takes_its_requests_along(t):
    requests_leave_with_their_connections(t, reset)


@test
def a_connection_closed_by_grpc_core_takes_its_requests_along(t):
    requests_leave_with_their_connections(t, break_protocol)


@test
def pings_without_end(t):
    """gRPC core would go through all that it has read, at a cost that grows with their square."""
    server = Server(t).start()
    pings = calls(GET, NOTHING, 0) + frame(6, 0, 0, b"12345678") * 20_000
    t.note(flooded(t, server, server.client(), [(server.address, pings)] * 20))


@test
def calls_that_grpc_core_ends_by_itself(t):
    """Messages that are too large do not come to us. One after the other they are no flood, also
    where nobody else calls."""
    client = Server(t, "--max-object-bytes", "1024").start().client()
    large = pb.PutRequest(key=pb.Key(name="a"), json=b" " * 67_000)
    for _ in range(5500):
        try:
            client.call("Put", large, timeout=30)
        except WatchError as err:
            eq(err.code, "RESOURCE_EXHAUSTED", err.message)
        else:
            raise AssertionError("a message that is too large was taken")
    eq(counter(client, "watchd_connections_cut_total"), 0)


@test
def as_many_streams_as_are_allowed(t):
    """4,000 watches on one connection, all cancelled at once, and again: nobody is cut off."""
    server = Server(t).start()
    n = rounds(4000, short=2000)
    client, many = server.client(), server.client()
    for round in range(2):
        streams = [many.open(request_for([Sel("objects", "default", f"o{i}")], "now")) for i in range(n)]
        for stream in streams:
            eq(next(stream).WhichOneof("signal"), "started")
        eq(client.status().watches, n)
        client.put("o7", {"round": round})
        events = []
        while not events:
            events = next(streams[7]).events
        eq([e.object.name for e in events], ["o7"])
        for stream in streams:
            stream.cancel()
        wait_until("all are gone", lambda: client.status().watches == 0, 20)
    eq(counter(client, "watchd_connections_cut_total"), 0)


@test
def ten_thousand_watches(t):
    server = Server(t).start()
    client = server.client()
    n = rounds(10_000, short=3000)
    clients = [server.client() for _ in range(4)]
    streams = [clients[i % 4].open(request_for([Sel("objects", "default", f"o{i}")], "now"))
               for i in range(n)]
    for stream in streams:
        eq(next(stream).WhichOneof("signal"), "started")
    eq(client.status().watches, n)
    for c in clients:
        c.close()
    wait_until("all are gone", lambda: client.status().watches == 0, 30)
    eq(counter(client, "watchd_connections_cut_total"), 0)


if __name__ == "__main__":
    main()
