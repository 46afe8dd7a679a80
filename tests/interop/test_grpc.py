"""A real gRPC client and server with the proxy between them, in the clear and over TLS.

gRPC is HTTP/2 with all that most clients do without: trailers that carry the status, both directions at once, and
messages that have to arrive before the next one is written.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.asynchronous import PATIENCE, run
from tests.support.live import Running, running, shared_confdir
from tests.support.pki import Ca, key_pem

from flowdump.engine.tls.authority import Authority

grpc = pytest.importorskip("grpc", reason="grpcio is not installed")


def unary(request: bytes, context: Any) -> bytes:
    context.set_trailing_metadata((("x-seen", "yes"),))
    if request == b"fail":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not like this")
    return request.upper()


def count(request: bytes, context: Any) -> Iterator[bytes]:
    for n in range(int(request)):
        yield b"%d" % n


def total(requests: Iterator[bytes], context: Any) -> bytes:
    return b"%d" % sum(map(int, requests))


def echo(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    for request in requests:
        yield request[::-1]


SERVICE = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Total": grpc.stream_unary_rpc_method_handler(total),
    "Echo": grpc.stream_stream_rpc_method_handler(echo),
}


class Setup:
    """A server, and what the two sides trust."""

    def __init__(self, folder: Path, tls: bool) -> None:
        self.tls = tls
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", SERVICE),))
        ca = Ca("gRPC's authority")
        self.trust = {"ssl_verify_upstream_trusted_ca": str(ca.write(folder))}
        if tls:
            leaf = ca.leaf("localhost")
            pem = leaf.pem()
            credentials = grpc.ssl_server_credentials([(key_pem(leaf.key), pem)])
            self.port = self.server.add_secure_port("localhost:0", credentials)
        else:
            self.port = self.server.add_insecure_port("localhost:0")
        self.server.start()

    @contextmanager
    def channel(self, proxy: Running) -> Iterator[Any]:
        options = [("grpc.http_proxy", f"http://127.0.0.1:{proxy.port}"), ("grpc.enable_http_proxy", 1)]
        target = f"localhost:{self.port}"
        if self.tls:
            roots = Path(Authority.open(str(shared_confdir())).certificate_path).read_bytes()
            channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(roots), options=options)
        else:
            channel = grpc.insecure_channel(target, options=options)
        with channel:
            yield channel


@pytest.fixture(params=[False, True], ids=["in the clear", "over TLS"])
def setup(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Setup]:
    made = Setup(tmp_path, request.param)
    yield made
    made.server.stop(None)


def through_the_proxy(setup: Setup, calls: Callable[[Any], None], **options: Any) -> list[Any]:
    """Make calls through a proxy; the flows that it recorded."""
    flows: list[Any] = []

    def work(proxy: Running) -> None:
        with setup.channel(proxy) as channel:
            calls(channel)

    async def scenario() -> None:
        async with running(**setup.trust, **options) as proxy:
            await asyncio.to_thread(work, proxy)
            flows.extend(proxy.flows)

    run(scenario())
    return flows


def test_unary_calls_and_the_status_in_the_trailers(setup: Setup) -> None:
    def calls(channel: Any) -> None:
        method = channel.unary_unary("/test.Service/Unary")
        answer, call = method.with_call(b"hello", timeout=PATIENCE)
        assert answer == b"HELLO"
        assert ("x-seen", "yes") in call.trailing_metadata()
        with pytest.raises(grpc.RpcError) as caught:
            method(b"fail", timeout=PATIENCE)
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert caught.value.details() == "not like this"

    first, second = through_the_proxy(setup, calls)
    assert first.request.path == "/test.Service/Unary"
    assert (first.request.http_version, first.response.http_version) == ("HTTP/2.0", "HTTP/2.0")
    assert first.response.trailers["grpc-status"] == "0"
    assert first.request.content == b"\0\0\0\0\5hello"
    assert first.response.content == b"\0\0\0\0\5HELLO"
    status = second.response.trailers or second.response.headers  # a response that is only trailers is one head
    assert status["grpc-status"] == "9"


def test_server_streaming_and_client_streaming(setup: Setup) -> None:
    def calls(channel: Any) -> None:
        answers = list(channel.unary_stream("/test.Service/Count")(b"100", timeout=PATIENCE))
        assert answers == [b"%d" % n for n in range(100)]
        numbers = (b"%d" % n for n in range(100))
        assert channel.stream_unary("/test.Service/Total")(numbers, timeout=PATIENCE) == b"4950"

    assert [flow.error for flow in through_the_proxy(setup, calls)] == [None, None]


def test_both_directions_take_turns(setup: Setup) -> None:
    def calls(channel: Any) -> None:
        questions: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        stream = channel.stream_stream("/test.Service/Echo")(iter(questions.get, None), timeout=PATIENCE)
        for n in range(20):  # each is asked when the one before it was answered
            questions.put(b"%d" % (1000 + n))
            assert next(stream) == (b"%d" % (1000 + n))[::-1]
        questions.put(None)
        assert list(stream) == []

    (flow,) = through_the_proxy(setup, calls)
    assert flow.error is None
    assert flow.response.trailers["grpc-status"] == "0"


def test_a_call_that_is_cancelled_is_cancelled_at_the_server(setup: Setup) -> None:
    def calls(channel: Any) -> None:
        stream = channel.stream_stream("/test.Service/Echo")(iter(lambda: b"x" * 1000, None), timeout=PATIENCE)
        assert next(stream) == b"x" * 1000
        stream.cancel()
        assert channel.unary_unary("/test.Service/Unary")(b"on", timeout=PATIENCE) == b"ON"

    flows = through_the_proxy(setup, calls)
    assert sorted(str(flow.error) for flow in flows) == ["None", "the client reset the stream: CANCEL"]


def test_many_calls_at_once(setup: Setup) -> None:
    def calls(channel: Any) -> None:
        method = channel.unary_unary("/test.Service/Unary")
        pending = [method.future(b"call %d" % n, timeout=PATIENCE) for n in range(300)]
        assert [call.result() for call in pending] == [b"CALL %d" % n for n in range(300)]

    flows = through_the_proxy(setup, calls)
    assert len(flows) == 300
    assert len({flow.server_conn.id for flow in flows}) == 1
