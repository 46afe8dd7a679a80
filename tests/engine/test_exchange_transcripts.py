"""Exchanges as transcripts: a scripted client and a scripted origin in memory, and what happens in which order.

No sockets and no proxy: an exchange takes a context, connections to origins, a client side and a flow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from flowdump.connection import Client, Server
from flowdump.engine.context import Context, Services
from flowdump.engine.errors import ConnectError, PeerClosed, ProtocolError
from flowdump.engine.exchange import Exchange
from flowdump.engine.http1.heads import RequestHead, ResponseHead, parse_request_head, parse_response_head
from flowdump.engine.listen.modes import parse
from flowdump.engine.requests import flow_of
from flowdump.http import HTTPFlow, Request, Response
from flowdump.http.headers import Fields
from flowdump.options import Options
from flowdump.runtime.hooks import HookTable

EVENTS = ("requestheaders", "request", "responseheaders", "response", "error")


class Addons:
    """The hooks of a context: notes every event in the transcript, then calls the test's handlers."""

    def __init__(self, transcript: list[str], handlers: dict[str, Callable[[HTTPFlow], None]]) -> None:
        self._transcript = transcript
        self._handlers = handlers
        for event in EVENTS:
            setattr(self, event, self._noting(event))
        self.table = HookTable([self])

    def _noting(self, event: str) -> Callable[[HTTPFlow], None]:
        def handler(flow: HTTPFlow) -> None:
            self._transcript.append(f"event {event}")
            self._handlers.get(event, lambda flow: None)(flow)

        return handler

    def report(self, text: str, error: BaseException | None) -> None:
        self._transcript.append(f"script: {text}")


class Log:
    def __init__(self, transcript: list[str]) -> None:
        self._transcript = transcript

    def debug(self, text: Any) -> None: ...
    def info(self, text: Any) -> None: ...

    def warn(self, text: Any) -> None:
        self._transcript.append(f"warning: {text}")

    def error(self, text: Any) -> None:
        self._transcript.append(f"bug: {text}")


class MemoryBody:
    """A body of pieces. An exception among them is raised in its turn."""

    def __init__(self, pieces: list[bytes | Exception], trailers: Fields = ()) -> None:
        self._pieces = pieces
        self.trailers = trailers
        self.ended = not pieces

    async def read(self) -> bytes | None:
        if not self._pieces:
            self.ended = True
            return None
        piece = self._pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def whole(self, limit: int | None, spill: int | None = None) -> bytes | None:
        body = b""
        while (piece := await self.read()) is not None:
            body += piece
            if limit is not None and len(body) > limit:
                raise ProtocolError("the body is too large", status=413)
            if spill is not None and len(body) > spill:
                self._pieces.insert(0, body)
                return None
        return body


class MemorySink:
    """What both ends have in common: they note what they are sent."""

    clogged = False

    def __init__(self, name: str, transcript: list[str]) -> None:
        self._name = name
        self._note = lambda text: transcript.append(f"to {name}: {text}")

    def send_body(self, piece: bytes) -> None:
        self._note(repr(piece))

    async def drain(self) -> None: ...

    def finish(self, trailers: Fields = ()) -> None:
        self._note(f"end {trailers}" if trailers else "end")


class MemoryClient(MemorySink):
    """The client side of an exchange."""

    def __init__(self, transcript: list[str], body: MemoryBody) -> None:
        super().__init__("client", transcript)
        self.body = body
        self.head_sent = False
        self.keep_alive = True

    def watch(self, gone: Callable[..., None] | None) -> None: ...

    def send_informational(self, head: ResponseHead) -> None:
        self._note(f"{head.status_code}")

    def send_response(self, data: Any, method: bytes) -> None:
        self.head_sent = True
        self._note(f"{data.status_code} {data.content!r}")

    def begin_response(self, response: Response, incoming: Any, method: bytes) -> None:
        self.head_sent = True
        self._note(f"{response.status_code}, streamed")

    def fail(self, status: int, reason: str, method: bytes, code: int | None = None) -> None:
        self.head_sent = True
        self._note(f"{status}: {reason}")

    def close(self) -> None:
        self._note("close")

    def abort(self, code: int | None = None) -> None:
        self._note("abort")

    def upgraded(self) -> Any:
        raise AssertionError("no test upgrades")


class MemoryOrigin(MemorySink):
    """The server side: answers a complete request with heads in order; an exception among them is raised."""

    served = 0
    answered = False

    def __init__(self, transcript: list[str], heads: list[bytes | Exception], body: MemoryBody) -> None:
        super().__init__("origin", transcript)
        self._heads = heads
        self._complete = asyncio.Event()
        self.body = body

    def finish(self, trailers: Fields = ()) -> None:
        super().finish(trailers)
        self._complete.set()

    def send_request(self, data: Any, head: RequestHead, absolute_form: bool) -> None:
        self._note(f"{data.method.decode()} {data.path.decode()} {data.content!r}")
        self._complete.set()

    def begin_request(self, request: Request, head: RequestHead, absolute_form: bool) -> None:
        self._note(f"{request.method} {request.path}, streamed")

    async def response(self) -> ResponseHead:
        await self._complete.wait()
        head = self._heads.pop(0)
        if isinstance(head, Exception):
            raise head
        return parse_response_head(head, request_method=b"GET", validate=True)

    def fail(self, error: BaseException) -> None:
        self._note(f"failed: {error}")

    def release(self) -> bool:
        return True

    def upgraded(self) -> Any:
        raise AssertionError("no test upgrades")


class MemoryUpstream:
    """One connection to an origin."""

    absolute_form = False
    destination = None

    def __init__(self, http: MemoryOrigin) -> None:
        self.http = http
        self.server = Server(address=("origin.example", 80))


class MemoryOrigins:
    """The connection pool: hands out the given connections, one for each attempt."""

    def __init__(self, transcript: list[str], connections: list[MemoryOrigin | Exception]) -> None:
        self._transcript = transcript
        self._connections = connections

    async def get(self, flow: HTTPFlow, upgrading: bool = False) -> Any:
        connection = self._connections.pop(0)
        if isinstance(connection, Exception):
            raise connection
        self._transcript.append("connected")
        return MemoryUpstream(connection)

    def release(self, upstream: Any) -> bool:
        self._transcript.append("released")
        return True

    async def discard(self, upstream: Any) -> None:
        self._transcript.append("discarded")


class Scene:
    """Everything around one exchange. ``play`` runs it and gives the transcript."""

    def __init__(self, **options: Any) -> None:
        self.transcript: list[str] = []
        self.handlers: dict[str, Callable[[HTTPFlow], None]] = {}
        self.connections: list[MemoryOrigin | Exception] = []
        self.flows: list[HTTPFlow] = []
        self.options = Options()
        self.options.update(**options)

    def origin(self, *heads: bytes | Exception, body: list[bytes | Exception] | None = None) -> None:
        self.connections.append(MemoryOrigin(self.transcript, list(heads), MemoryBody(body or [])))

    async def play(self, head: bytes, *body: bytes | Exception) -> list[str]:
        hooks = Addons(self.transcript, self.handlers)
        services = Services(self.options, hooks, Log(self.transcript), cast("Any", self.flows.append))
        context = Context(services, Client(), parse("regular"))
        request = parse_request_head(head, validate=True)
        client = MemoryClient(self.transcript, MemoryBody(list(body)))
        origins = MemoryOrigins(self.transcript, self.connections)
        flow = flow_of(context, request)
        await Exchange(context, cast("Any", origins), cast("Any", client), flow, request).run()
        assert [flow] == self.flows
        assert context.exchanges == {}
        return self.transcript


GET = b"GET http://origin.example/x HTTP/1.1\r\nHost: origin.example\r\n\r\n"
POST = b"POST http://origin.example/x HTTP/1.1\r\nHost: origin.example\r\nContent-Length: 4\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


async def test_a_request_and_its_response() -> None:
    scene = Scene()
    scene.origin(OK, body=[b"hi"])
    assert await scene.play(GET) == [
        "event requestheaders",
        "event request",
        "connected",
        "to origin: GET /x b''",
        "event responseheaders",
        "event response",
        "to client: 200 b'hi'",
        "released",
    ]


async def test_a_body_is_read_between_the_events_of_its_message() -> None:
    scene = Scene()
    scene.origin(OK, body=[b"h", b"i"])
    transcript = await scene.play(POST, b"da", b"ta")
    assert transcript[:4] == ["event requestheaders", "event request", "connected", "to origin: POST /x b'data'"]


async def test_a_response_of_a_script_needs_no_origin() -> None:
    scene = Scene()
    scene.handlers["request"] = lambda flow: setattr(flow, "response", Response.make(418, b"tea"))
    assert await scene.play(GET) == [
        "event requestheaders",
        "event request",
        "event responseheaders",
        "event response",
        "to client: 418 b'tea'",
    ]


async def test_streamed_bodies_pass_before_their_events() -> None:
    scene = Scene(stream_large_bodies="1")
    scene.origin(OK, body=[b"h", b"i"])
    transcript = await scene.play(POST, b"da", b"ta")
    sent = [line for line in transcript if line.startswith(("to origin", "event request"))]
    assert sent == [
        "event requestheaders",
        "to origin: POST /x, streamed",
        "to origin: b'da'",
        "to origin: b'ta'",
        "event request",
        "to origin: end",
    ]
    assert [line for line in transcript if line.startswith(("to client", "event response"))] == [
        "event responseheaders",
        "to client: 200, streamed",
        "to client: b'h'",
        "to client: b'i'",
        "event response",
        "to client: end",
    ]


async def test_interim_responses_pass() -> None:
    scene = Scene()
    scene.origin(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", OK, body=[b"hi"])
    transcript = await scene.play(GET)
    assert transcript[4:6] == ["to client: 103", "event responseheaders"]


async def test_an_origin_that_cannot_be_reached_is_a_502() -> None:
    scene = Scene()
    scene.connections.append(ConnectError("cannot connect to origin.example:80"))
    assert await scene.play(GET) == [
        "event requestheaders",
        "event request",
        "event error",
        "to client: 502: cannot connect to origin.example:80",
    ]


async def test_a_connection_that_died_while_idle_is_replaced_once() -> None:
    scene = Scene()
    scene.origin(PeerClosed("the server closed the connection"))
    cast("MemoryOrigin", scene.connections[0]).served = 1
    scene.origin(OK, body=[b"hi"])
    transcript = await scene.play(GET)
    assert transcript.count("connected") == 2
    assert transcript[-2:] == ["to client: 200 b'hi'", "released"]


async def test_a_post_is_not_sent_again() -> None:
    scene = Scene()
    scene.origin(PeerClosed("the server closed the connection"))
    cast("MemoryOrigin", scene.connections[0]).served = 1
    transcript = await scene.play(POST, b"data")
    assert transcript[-3:] == ["event error", "to client: 502: the server closed the connection", "released"]


async def test_a_response_that_breaks_off_after_its_head_is_cut_and_not_finished() -> None:
    scene = Scene(stream_large_bodies="1")
    scene.origin(OK, body=[b"h", PeerClosed("the server closed the connection")])
    transcript = await scene.play(GET)
    assert transcript[-5:] == [
        "to client: 200, streamed",
        "to client: b'h'",
        "event error",
        "to client: abort",
        "released",
    ]


@pytest.mark.parametrize("event", ["requestheaders", "request", "responseheaders", "response"])
async def test_a_killed_flow_is_cut_off_whenever_it_is_killed(event: str) -> None:
    scene = Scene()
    scene.handlers[event] = lambda flow: flow.kill()
    scene.origin(OK, body=[b"hi"])
    transcript = await scene.play(GET)
    assert [line for line in transcript if line.startswith("to client")] == ["to client: abort"]
    assert transcript[transcript.index(f"event {event}") + 1] == "event error"


async def test_a_body_above_the_limit_is_a_413_and_reaches_no_origin() -> None:
    scene = Scene(body_size_limit="3")
    transcript = await scene.play(POST, b"data")
    assert transcript[0] == "event requestheaders"
    assert transcript[-2] == "event error"
    assert transcript[-1].startswith("to client: 413")
