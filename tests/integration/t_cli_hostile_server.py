#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""watchctl before a server that answers what ours never would: an error, never a crash."""
from concurrent import futures

import grpc

from watchtest import *


class Fake(grpc.GenericRpcHandler):
    """Answers every call of a method with the same bytes; what others ask for is not there."""

    def __init__(self, t):
        self.answers = {}
        server = grpc.server(futures.ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers((self,))
        self.address = f"{HOST}:{server.add_insecure_port(f'{HOST}:0')}"
        server.start()
        t.cleanup(lambda: server.stop(0).wait())

    def service(self, details):
        method = details.method.rsplit("/", 1)[1]

        def answer(_, context):
            if method not in self.answers:
                context.abort(grpc.StatusCode.NOT_FOUND, "there is nothing here")
            return self.answers[method]
        return grpc.unary_unary_rpc_method_handler(answer)


@test
def an_answer_of_many_tiny_parts_is_no_crash(t):
    """What is decoded has a budget, and what is shown of it is paid from the same one: the border
    between what still fits and what does not is crossed wherever the parts are a little larger."""
    fake = Fake(t)
    cli = Cli(fake.address)
    results = {}
    for size in range(0, 14):
        o = pb.Object(name="n" * (size // 2), json="j" * (size - size // 2))
        n = 40000 // (size + 4)
        fake.answers = {
            "List": pb.ListResponse(resource_version=1, objects=[o] * n).SerializeToString(),
            "History": pb.HistoryResponse(revisions=[pb.Revision(object=o)] * n).SerializeToString(),
            "DeleteCollection": pb.DeleteCollectionResponse(
                outcomes=[pb.WriteOutcome(object=o)] * n).SerializeToString(),
        }
        for words in (["get", "jobs", "-o", "name"], ["history", "jobs/a"],
                      ["delete", "jobs", "--all"]):
            results.setdefault(words[0], []).append(cli.run(*words))
    for command in ("history", "delete"):
        assert any("has more parts than" in r.err for r in results[command]), f"{command}: no border crossed"
    eq({r.code for r in results["get"]}, {0, 1}, "get, on both sides of the border")


if __name__ == "__main__":
    main()
