#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client that is gone leaves ListSubscriptions: at once when its connection is closed, within the
keepalive time when it only falls silent. Nothing of it stays behind in the server."""
import signal
import socket
import threading
import time

from watchtest import *

KEEPALIVE = ("--keepalive-time", "1s", "--keepalive-timeout", "1s")


class Relay:
    """Passes bytes between a client and the server until it is cut: then it holds both connections open
    and passes nothing, as a network does when a cable is pulled."""

    def __init__(self, t, port):
        self.port_to = port
        self.cut = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = [self.listener]
        threading.Thread(target=self._accept, daemon=True).start()
        t.cleanup(self.close)

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection((HOST, self.port_to))
            except OSError:
                return
            self.sockets += [near, far]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    def _pump(self, a, b):
        try:
            while True:
                data = a.recv(65536)
                if self.cut.is_set():
                    threading.Event().wait()
                if not data:
                    break
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        for s in self.sockets:
            s.close()


@test
def a_killed_client_is_gone_at_once(t):
    server = Server(t, *KEEPALIVE).start()
    client = server.client()
    before = server.fds()
    for address in (server.address, server.unix):
        watches = [Cli(address).start("watch", "all", "-A") for _ in range(5)]
        wait_until("all are listed", lambda: len(client.subscriptions()) == 5, 20)
        for watch in watches:
            watch.send_signal(signal.SIGKILL)
            watch.wait()
        wait_until("all are gone", lambda: not client.subscriptions(), 3)
    wait_until("their descriptors are closed", lambda: server.fds() <= before + 1, 5)


@test
def a_cancelled_stream_is_gone_at_once(t):
    server = Server(t).start()
    client = server.client()
    other = server.client()
    for _ in range(rounds(20, short=5)):
        streams = [other.watch("all") for _ in range(10)]
        for stream in streams:
            stream.started()
        eq(len(client.subscriptions()), 10)
        for stream in streams:
            stream.cancel()
        wait_until("all are gone", lambda: not client.subscriptions(), 3)
    eq(client.status().watches, 0, "watches in Status")


@test
def a_client_whose_network_is_gone_disappears_in_time(t):
    server = Server(t, *KEEPALIVE).start()
    client = server.client()
    relay = Relay(t, server.port)
    far = Client(f"127.0.0.1:{relay.port}")
    reading, idle = far.watch("all", client_id="reading"), far.watch("nothing", client_id="idle")
    reading.started(), idle.started()
    eq(len(client.subscriptions()), 2)
    time.sleep(3 * SLOW)
    eq(len(client.subscriptions()), 2, "a client that answers pings stays")
    relay.cut.set()
    begin = time.monotonic()
    client.put("x", {"n": 1})
    wait_until("it disappears", lambda: not client.subscriptions(), 8, 0.05)
    t.note(f"gone after {time.monotonic() - begin:.1f} s (1 s + 1 s)")
    far.close()


@test
def a_stopped_client_with_a_full_window_disappears_in_time(t):
    server = Server(t, *KEEPALIVE).start()
    client = server.client()
    watch = CliWatch(t, Cli(server.address), "all", "-A")
    wait_until("it is listed", client.subscriptions)
    watch.process.send_signal(signal.SIGSTOP)
    for i in range(200):
        client.put(f"big{i % 10}", {"i": i, "pad": "x" * 100_000})
    wait_until("it disappears", lambda: not client.subscriptions(), 10, 0.05)
    watch.process.send_signal(signal.SIGCONT)
    wait_until("it comes back", client.subscriptions, 20)


@test
def what_is_listed_is_true(t):
    server = Server(t).start()
    client = server.client()
    for i in range(3):
        client.put(f"a{i}", {"n": i})
    stream = server.client().watch(Sel("objects", "default", labels="app in (a,b)"), Sel("jobs"),
                                   client_id="mine", bookmark_ms=100)
    subscription = stream.started().subscription_id
    stream.until_synced()
    client.put("a9", {"metadata": {"labels": {"app": "a"}}})
    stream.event()
    listed = wait_until("it is live", lambda: [
        s for s in client.subscriptions() if s.state == 3 and s.resource_version == 4], 5)[0]
    eq((listed.subscription_id, listed.client_id), (subscription, "mine"))
    eq(listed.events_sent, 1, "events sent")
    eq([(s.resource, s.namespace, s.all_namespaces) for s in listed.selections],
       [("objects", "default", False), ("jobs", "", True)], "selections")
    assert "app in (a,b)" in listed.selections[0].label_selector, listed
    assert listed.peer.startswith("unix:"), listed.peer
    assert listed.age_ms < 60_000 * SLOW and listed.stalled_ms < 1000, listed


if __name__ == "__main__":
    main()
