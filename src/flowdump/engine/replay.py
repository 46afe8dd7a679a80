"""Client replay: recorded requests are sent again, each through an exchange like any other.

``ReplayClient`` is the client side of such an exchange: it has the whole request, and the response goes nowhere but to
the flow itself. A ``Replayer`` has a queue and workers that take flows from it, one after the other or several at once.
A worker keeps its connections for the next flow as long as that was recorded from the same client: connections are
never shared between clients.

The flow itself is sent, not a copy: its response and error are those of the new exchange, and ``flow.revert()`` gives
back what it was before.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from flowdump.connection import Client, ConnectionState, Server
from flowdump.engine.context import Context
from flowdump.engine.errors import ProtocolError
from flowdump.engine.exchange import Exchange
from flowdump.engine.http1.connection import check_size
from flowdump.engine.http1.framing import CHUNKED, NONE, Framing, options
from flowdump.engine.http1.heads import RequestHead
from flowdump.engine.listen.modes import parse
from flowdump.engine.upstream.destination import via_of_mode
from flowdump.engine.upstream.pool import Upstreams
from flowdump.http.flow import HTTPFlow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flowdump.engine.context import Services
    from flowdump.engine.http1.heads import ResponseHead
    from flowdump.engine.net.stream import Stream
    from flowdump.flow import Flow
    from flowdump.http.flow import Response, ResponseData
    from flowdump.http.headers import Fields


def refusal(flow: Flow) -> str:
    """Why a flow cannot be sent again, empty where it can."""
    if not isinstance(flow, HTTPFlow):
        return "it is no HTTP flow"
    if flow.live:
        return "it is live: what it asked for is not answered yet"
    if flow.intercepted:
        return "it is intercepted"
    if flow.websocket is not None:
        return "it is a WebSocket"
    if flow.request.method.upper() == "CONNECT":
        return "it asks a proxy for a tunnel"
    if flow.request.scheme not in ("http", "https") or not flow.request.host:
        return "it does not say where it went"
    return "" if flow.request.raw_content is not None else "the body of its request was not recorded"


class ReplayBody:
    """The body of a recorded request."""

    def __init__(self, flow: HTTPFlow) -> None:
        self._flow = flow
        self._content = flow.request.data.content or b""
        self.ended = not self._content

    @property
    def trailers(self) -> Fields:
        trailers = self._flow.request.data.trailers
        return trailers.fields if trailers is not None else ()

    async def read(self) -> bytes | None:
        if self.ended:
            return None
        self.ended = True
        return self._content

    async def whole(self, limit: int | None, spill: int | None = None) -> bytes | None:
        changed = self._flow.request.data.content  # by a script, in requestheaders
        self._content = self._content if changed is None else changed
        check_size(len(self._content), limit, "client")
        if spill is not None and len(self._content) > spill:
            return None
        self.ended = True
        return self._content


class ReplayClient:
    """Asks, and has no use for the answer: it is in the flow."""

    clogged = False
    keep_alive = True

    def __init__(self, flow: HTTPFlow) -> None:
        self.body = ReplayBody(flow)
        self.head_sent = False

    def watch(self, gone: Callable[..., None] | None) -> None:
        """No-op: there is no client that could go away."""

    def send_informational(self, head: ResponseHead) -> None:
        """No-op: interim responses are not recorded."""

    def send_response(self, data: ResponseData, method: bytes) -> None:
        self.head_sent = True

    def begin_response(self, response: Response, incoming: Framing, method: bytes) -> None:
        self.head_sent = True

    def send_body(self, piece: bytes) -> None:
        """A streamed response is kept only where store_streamed_bodies says so."""

    async def drain(self) -> None:
        """No-op: there is no backpressure here."""

    def finish(self, trailers: Fields = ()) -> None:
        """The flow has it all."""

    def fail(self, status: int, reason: str, method: bytes, code: int | None = None) -> None:
        """The flow has the error."""

    def close(self) -> None:
        """There is no connection."""

    def abort(self, code: int | None = None) -> None:
        """There is no connection."""

    def upgraded(self) -> Stream:
        raise ProtocolError("a replayed request cannot become a tunnel", status=502, peer="server")


class ReplayContext(Context):
    """The context of one worker. A recorded flow keeps its request's body, even where it was streamed to the origin."""

    def __init__(self, services: Services) -> None:
        modes = [parse(spec) for spec in services.options.mode]
        mode = modes[0] if modes and modes[0].kind == "upstream" else parse("regular")
        client = Client(peername=("", 0), sockname=("", 0), timestamp_start=time.time(), proxy_mode=mode.stored)
        client.state = ConnectionState.OPEN
        super().__init__(services, client, mode, via_of_mode(mode, services.options))
        self.content: bytes | None = None

    def finished(self, flow: Any) -> None:
        if flow.request.data.content is None:
            flow.request.data.content = self.content
        super().finished(flow)


class Worker:
    """Sends flows one after the other, and keeps the connections to origins for those of the same recorded client."""

    def __init__(self, services: Services) -> None:
        self._context = ReplayContext(services)
        self._upstreams = Upstreams(self._context)
        #: The id of the recorded client whose flows are sent now.
        self._recorded_client = ""

    async def replay(self, flow: HTTPFlow) -> None:
        """Send the request of a flow, and wait for the end of the exchange. Raises only cancellation."""
        context = self._context
        if flow.client_conn.id not in (self._recorded_client, context.client.id):
            await self.end()
            self._recorded_client = flow.client_conn.id
            context.client = flow.client_conn.copy()
            context.client.state, context.client.timestamp_end = ConnectionState.OPEN, None
        head = self._prepare(flow)
        try:
            await Exchange(context, self._upstreams, ReplayClient(flow), flow, head).run()
        except Exception as error:  # a bug of flowdump: this flow is lost, the others are not
            context.services.log_bug(f"replay of {flow.request.pretty_url}", error)

    async def end(self) -> None:
        """Close the connections to origins."""
        await self._upstreams.close_all()
        self._context.closed()

    def _prepare(self, flow: HTTPFlow) -> RequestHead:
        """Make a recorded flow one that begins now; its request as a head."""
        context = self._context
        flow.backup()
        flow.is_replay, flow.response, flow.error, flow.live = "request", None, None, context
        if hasattr(flow.request, "is_replay"):  # an older name, where older scripts are loaded
            flow.request.is_replay = True
        flow.client_conn = context.client
        data = flow.request.data
        if data.http_version == b"HTTP/3":
            data.http_version = b"HTTP/2.0"  # the nearest version
        if data.http_version == b"HTTP/2.0" and b"h2" not in context.client.alpn_offers:
            context.client.alpn_offers = [b"h2", b"http/1.1"]
        flow.server_conn = Server(address=(data.host, data.port), via=context.via and context.via.spec)
        data.timestamp_start = time.time()
        data.timestamp_end = None
        context.content = data.content
        return _head(flow)


def _head(flow: HTTPFlow) -> RequestHead:
    """The head of a recorded request, as if it had come now."""
    data = flow.request.data
    if data.headers.raw(b"transfer-encoding") is not None:
        framing = CHUNKED
    else:
        framing = Framing("length", len(data.content)) if data.content else NONE
    return RequestHead(
        method=data.method,
        target=data.path,
        version=data.http_version,
        headers=data.headers.fields,
        framing=framing,
        keep_alive=True,
        expect_continue=b"100-continue" in options(data.headers.raw(b"expect")),
        upgrade=b"",
        host=data.headers.raw(b"host"),
    )


class Replayer:
    """Sends flows again, at most ``client_replay_concurrency`` at a time (-1: any number)."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: deque[Flow] = deque()
        #: Where more flows come from, each read as far as it is needed.
        self._sources: deque[Iterator[Flow]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._is_stopped = False

    @property
    def count(self) -> int:
        """Flows that wait or are under way; of a file that is still read, one."""
        return len(self._waiting) + len(self._sources) + self._under_way

    def add(self, flows: Iterable[Flow]) -> None:
        """Send flows when it is their turn; those that cannot be are left out, with a warning."""
        self._waiting += [flow for flow in flows if self._is_fit(flow)]
        self._fill()

    def add_source(self, flows: Iterator[Flow]) -> None:
        """Send flows that are read when it is their turn. The iterator must not raise."""
        self._sources.append(flows)
        self._fill()

    def clear(self) -> None:
        """Forget what waits; what is under way goes on."""
        self._waiting.clear()
        self._sources.clear()

    async def idle(self) -> None:
        """Until there is nothing left to send."""
        while self._workers:
            await asyncio.wait(self._workers)

    async def stop(self, patience: float) -> None:
        """Forget what waits, let what is under way end for ``patience`` seconds, and cut the rest."""
        self.clear()
        self._is_stopped = True
        if self._workers:
            _, left = await asyncio.wait(self._workers, timeout=patience)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _is_fit(self, flow: Flow) -> bool:
        reason = "the run is about to end" if self._is_stopped else refusal(flow)
        if reason:
            self._services.log.warn(f"flow {flow.id} is not replayed: {reason}")
        return not reason

    def _next(self) -> HTTPFlow | None:
        while self._waiting or self._sources:
            flow = self._waiting.popleft() if self._waiting else next(self._sources[0], None)
            if flow is None:
                self._sources.popleft()
            elif self._is_fit(flow):  # once more: it may have been sent twice
                return flow  # type: ignore[return-value]
        return None

    def _fill(self) -> None:
        """One more worker, if there is something for it; it sees to the next one."""
        limit = self._services.options.client_replay_concurrency
        if (self._waiting or self._sources) and (limit < 0 or len(self._workers) < limit):
            task = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(task)
            task.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        flow = self._next()
        self._fill()
        if flow is None:
            return
        worker = Worker(self._services)
        try:
            while flow is not None:
                self._under_way += 1
                try:
                    await worker.replay(flow)
                finally:
                    self._under_way -= 1
                flow = self._next()
        finally:
            await worker.end()
