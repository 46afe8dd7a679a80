"""THE life of a request.

One client, one request, one response: events, buffering or streaming, the origin, limits, errors. It talks to the
client through a ``ClientSide`` and to an origin through a ``ServerSide`` (``interfaces.py``); the code is the same in
every mode and for every version of HTTP.

::

    head ─ requestheaders ─ body ─ request ─┬─ a response is set: responseheaders ─ response ───────┐
                                            └─ origin ─ head ─ responseheaders ─ body ─ response ───┴─ to the client

A streamed body passes through piece by piece as it arrives; its ``request`` or ``response`` event comes after it. A
streamed request travels in a task of its own, so that an origin may answer before it has seen everything.

Every failure is raised where it is found and answered in one place, ``_fail``: the error is recorded, ``error``
fires, and the client gets a status if none of the response has gone out, else a connection that is visibly cut.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from flowdump.connection import hostport
from flowdump.engine import streaming
from flowdump.engine.errors import ConnectionFailure, Killed, Peer, PeerClosed, ProtocolError, ScriptFailed, TimedOut
from flowdump.engine.http1.connection import check_size
from flowdump.engine.http1.framing import NONE
from flowdump.engine.http1.heads import ResponseHead
from flowdump.engine.relay import tcp
from flowdump.flow import Error
from flowdump.http.flow import Request, Response, ResponseData
from flowdump.http.headers import Headers
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from flowdump.engine.context import Context
    from flowdump.engine.http1.framing import Framing
    from flowdump.engine.http1.heads import RequestHead
    from flowdump.engine.interfaces import Body, ClientSide, Sink
    from flowdump.engine.upstream.connection import Origins, Upstream
    from flowdump.http.flow import HTTPFlow
    from flowdump.http.headers import Fields

#: Methods that may be sent again when a reused connection turns out to be dead (RFC 9110 section 9.2.2).
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))

#: Clients have no part in what we and another proxy agree on.
NO_ENTRY = "asks for credentials, or for others (407): see upstream_auth"

#: Why the answer of a script is not sent.
LATE = "it was streamed, so the server's answer counts (requestheaders comes before)"

CONTINUE = ResponseHead(b"HTTP/1.1", 100, b"Continue", (), NONE, True, b"")

#: How often a request is sent that no origin has begun to work on.
MAX_ATTEMPTS = 3

#: Interim responses (1xx) to one request; more than a few are an origin that runs wild.
MAX_INTERIM = 100


class Exchange:
    """One request of ``client`` and what becomes of it. ``run`` never raises, but for cancellation."""

    __slots__ = ("_body_limit", "_stream_limit", "_upload", "_upstream", "client", "context", "flow", "head", "origins")

    def __init__(
        self, context: Context, origins: Origins, client: ClientSide, flow: HTTPFlow, head: RequestHead
    ) -> None:
        self.context = context
        self.origins = origins
        self.client = client
        self.flow = flow
        self.head = head
        self._body_limit = context.options.size("body_size_limit")
        self._stream_limit = context.options.size("stream_large_bodies")
        self._upstream: Upstream | None = None
        self._upload: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """From the head of the request to the last byte of the response; the flow is always recorded."""
        flow, running, identifier = self.flow, self.context.exchanges, self.flow.id
        running[identifier] = self
        try:
            await self._receive_request()
            if flow.response is None:
                await self._forward()
            else:
                # A script made the response: the origin never hears of the request.
                response = sendable(self.flow)
                if response.data.content is None:
                    response.data.content = b""
                await self._fire("responseheaders")
                await self._fire("response")
                await self._send_response()
        except (ProtocolError, ConnectionFailure, Killed) as error:
            await self._fail(error)
        except asyncio.CancelledError:
            await self._abandon("the proxy was shut down during the exchange")
            raise
        except Exception as error:  # a bug of ours
            await self._abandon(f"internal error: {type(error).__name__}: {error}")
            raise
        finally:
            self.client.watch(None)
            running.pop(identifier, None)
            await self._release()
            self.context.finished(flow)

    def kill(self) -> None:
        """Cut off the client now, whatever the exchange waits for: a script has killed the flow."""
        self.client.abort()
        if self._upstream is not None:
            self._upstream.http.fail(Killed(Error.KILLED_MESSAGE))

    # -- events --------------------------------------------------------------------------------------------------

    def _fire(self, name: str) -> Awaitable[None]:
        """Tell the addons; hold the flow while it is intercepted. Raises Killed if it was killed."""
        return self.context.fire(name, self.flow)

    def _limits(self, framing: Framing) -> tuple[int | None, int | None]:
        """How large a body may be, and how large one of undeclared length before it is streamed."""
        return self._body_limit, self._stream_limit if framing.kind != "length" else None

    # -- request -------------------------------------------------------------------------------------------------

    async def _receive_request(self) -> None:
        came, client = self.flow.request, self.client
        await self._fire("requestheaders")
        request = _request_after(self.flow, came)
        if self.flow.response is not None:  # a script answers without waiting for the body
            request.data.content = None if not client.body.ended else b""
            client.keep_alive = client.keep_alive and client.body.ended
            await self._fire("request")
            _request_after(self.flow, request)
            return
        check_size(self.head.framing.length, self._body_limit, "client")
        if streaming.wanted(request, self.head.framing, self.context.options):
            request.data.content = None
            return
        if self.head.expect_continue:
            client.send_informational(CONTINUE)
            request.data.headers.pop("expect", None)
        request.data.content = b"" if client.body.ended else await client.body.whole(*self._limits(self.head.framing))
        if request.data.content is None:  # it turned out to be large: streamed from here on
            return
        request.data.trailers = _trailers(client.body.trailers)
        request.data.timestamp_end = time.time()
        await self._fire("request")
        request = _request_after(self.flow, request)
        if request.data.content is None:  # a script took the body away; without it, None means streamed
            request.data.content = b""

    async def _send_request(self) -> None:
        """The request to the origin: at once when it is here, in a task of its own when it is streamed."""
        upstream = self._upstream
        assert upstream is not None
        data = self.flow.request.data
        if data.content is not None:
            upstream.http.send_request(data, self.head, upstream.absolute_form)
            return
        upstream.http.begin_request(self.flow.request, self.head, upstream.absolute_form)
        self._upload = asyncio.create_task(self._stream_request())
        self._upload.add_done_callback(self._upload_ended)

    def _upload_ended(self, upload: asyncio.Task[None]) -> None:
        """The upload has ended. If it failed, no answer will come: the task that waits for the origin gets the error.

        An origin that hung up is the exception, it may have answered before it did.
        """
        error = None if upload.cancelled() else upload.exception()
        if error is None or self._upstream is None or (isinstance(error, PeerClosed) and error.peer == "server"):
            return
        self._upstream.http.fail(error)

    async def _stream_request(self) -> None:
        assert self._upstream is not None
        http, body, request = self._upstream.http, self.client.body, self.flow.request
        await self._pass_on(body, request, http, "client")
        request.data.timestamp_end = time.time()
        request.data.trailers = _trailers(body.trailers)
        await self._fire("request")
        request = _request_after(self.flow, request)
        http.finish(() if request.data.trailers is None else request.data.trailers.fields)

    async def _pass_on(self, body: Body, message: Request | Response, sink: Sink, peer: Peer) -> None:
        """A body of ``peer``, piece by piece as it comes: transformed, measured, recorded, sent."""
        limit, size = self._body_limit, 0
        recorder = streaming.Recorder(message, self.context.options)
        read = streaming.reader(body, message, self.flow)
        try:
            while (piece := await read()) is not None:
                size += len(piece)
                check_size(size, limit, peer)
                recorder.add(piece)
                sink.send_body(piece)
                if sink.clogged:
                    await sink.drain()
        finally:  # most event streams end because the client goes
            recorder.finish()

    # -- origin --------------------------------------------------------------------------------------------------

    async def _forward(self) -> None:
        flow, attempts = self.flow, 0
        while True:
            self._upstream = await self.origins.get(flow, bool(self.head.upgrade))
            flow.server_conn = self._upstream.server
            reused = self._upstream.http.served > 0
            self.client.watch(self._client_gone)
            try:
                await self._send_request()
                head = await self._response_head()
            except PeerClosed as error:
                again = error.unprocessed or (reused and flow.request.data.method in IDEMPOTENT)
                attempts += 1
                if not again or error.peer != "server" or attempts > MAX_ATTEMPTS:
                    raise
                if self._upload is not None or self._upstream.http.answered:
                    raise
                await self._release()  # it died while it was idle: once more, on a new connection
                continue
            break
        await self._receive_response(head)

    async def _response_head(self) -> ResponseHead:
        """The final response head; interim ones go to the client as they come."""
        assert self._upstream is not None
        for _ in range(MAX_INTERIM):
            head = await self._upstream.http.response()
            if head.status_code == 101 and not self.head.upgrade:
                raise ProtocolError("the server switches protocols without being asked", status=502, peer="server")
            if head.status_code >= 200 or head.status_code == 101:
                return head
            if head.status_code != 100 or self._upload is not None:
                self.client.send_informational(head)
                if self.client.clogged:
                    await self.client.drain()
        raise ProtocolError(f"more than {MAX_INTERIM} interim responses", status=502, peer="server")

    def _client_gone(self, error: BaseException | None = None) -> None:
        """The client has gone, so the answer of the origin is not needed; ``error`` may say why."""
        if self._upstream is not None:
            self._upstream.http.fail(error or PeerClosed("the client disconnected", "client"))

    async def _receive_response(self, head: ResponseHead) -> None:
        flow, upstream = self.flow, self._upstream
        assert upstream is not None
        if head.status_code == 407 and upstream.absolute_form:
            raise ProtocolError(f"{upstream.destination.via} {NO_ENTRY}", status=502, peer="server")
        if flow.response is not None:  # set in ``request``, which comes after the body of a streamed request
            self.context.log.warn(f"{self.context}: a script answers a request that has gone out already: {LATE}")
        flow.response = response = _response(head)
        await self._fire("responseheaders")
        if head.status_code == 101:
            response.data.content, response.data.timestamp_end = b"", time.time()
            await self._upgrade(head)
            return
        if flow.response is not response:
            response = sendable(flow)
            if response.data.content is not None:  # a script's own response: the origin's body is not needed
                await self._fire("response")
                await self._send_response()
                return
        check_size(head.framing.length, self._body_limit, "server")
        body = upstream.http.body
        if streaming.wanted(response, head.framing, self.context.options):
            await self._stream_response(head)
            return
        response.data.content = b"" if body.ended else await body.whole(*self._limits(head.framing))
        if response.data.content is None:
            await self._stream_response(head)
            return
        response.data.trailers = _trailers(body.trailers)
        response.data.timestamp_end = time.time()
        await self._fire("response")
        await self._send_response()

    async def _send_response(self) -> None:
        client, response = self.client, sendable(self.flow)
        client.send_response(response.data, self.head.method)
        if client.clogged:
            await client.drain()

    async def _stream_response(self, head: ResponseHead) -> None:
        flow, client, upstream = self.flow, self.client, self._upstream
        assert upstream is not None
        response = sendable(flow)
        response.data.content = None
        client.begin_response(response, head.framing, self.head.method)
        await self._pass_on(upstream.http.body, response, client, "server")
        response.data.trailers = _trailers(upstream.http.body.trailers)
        response.data.timestamp_end = time.time()
        await self._fire("response")
        client.finish(() if response.data.trailers is None else response.data.trailers.fields)

    async def _upgrade(self, head: ResponseHead) -> None:
        """The origin speaks another protocol from now on: WebSocket, or what passes as it is."""
        assert self._upstream is not None
        await self._fire("response")
        response = self.flow.response
        if not isinstance(response, Response) or response.status_code != 101:  # a script does not want it
            await self._send_response()
            return
        self.client.watch(None)
        self.client.send_response(response.data, self.head.method)
        stream = self.client.upgraded()
        if head.upgrade.lower() == b"websocket" and self.context.options.websocket:
            from flowdump.engine.websocket import relay

            agreed = Headers(head.headers).get("sec-websocket-extensions", "")
            await relay.relay(self.context, stream, self._upstream.http.upgraded(), self.flow, agreed)
        else:
            await tcp.relay(self.context, stream, self._upstream.stream)

    # -- the end -------------------------------------------------------------------------------------------------

    async def _fail(self, error: ProtocolError | ConnectionFailure | Killed) -> None:
        """Record the error and let the client know, as far as it still can."""
        client = self.client
        client.keep_alive = False
        if isinstance(error, ScriptFailed):
            self.context.hooks.report(f"{hostport(self.context.client.peername)}: {error}", error.__cause__)
        await self._record(Error(str(error)))
        code = error.code if isinstance(error, ConnectionFailure) else None
        if isinstance(error, Killed) or client.head_sent:
            client.abort(code)
            return
        if isinstance(error, ConnectionFailure) and error.peer == "client":
            if isinstance(error, TimedOut):  # it is slow, not gone
                client.fail(408, str(error), self.head.method, code)
            client.close()
            return
        status = error.status if not (isinstance(error, ProtocolError) and error.peer == "server") else 502
        client.fail(status, str(error), self.head.method, code)

    async def _abandon(self, reason: str) -> None:
        self.client.abort()
        await self._record(Error(reason))

    async def _record(self, error: Error) -> None:
        self.flow.error = self.flow.error or error
        handlers = self.context.hooks.table.error
        if handlers:
            await fire(handlers, self.flow)

    async def _release(self) -> None:
        """Give the connection to the origin back, or close it."""
        if self._upload is not None:
            self._upload.cancel()
            await asyncio.gather(self._upload, return_exceptions=True)
            self._upload = None
        self.client.keep_alive = self.client.keep_alive and self.client.body.ended
        if self._upstream is not None:
            upstream, self._upstream = self._upstream, None
            if not self.origins.release(upstream):
                await self.origins.discard(upstream)


def _response(head: ResponseHead) -> Response:
    data = ResponseData()
    data.http_version = head.version
    data.status_code = head.status_code
    data.reason = head.reason
    data.headers = Headers.of(head.headers)
    data.content = data.trailers = None
    data.timestamp_start = time.time()
    data.timestamp_end = None
    return Response.from_data(data)


def _request_after(flow: HTTPFlow, before: Request) -> Request:
    """The request as an event has left it. Raises ScriptFailed if it is none; the flow then has ``before`` again."""
    request: object = flow.request
    if not isinstance(request, Request):
        flow.request = before
        raise ScriptFailed(f"a script set {type(request).__name__} as the request")
    return request


def sendable(flow: HTTPFlow) -> Response:
    """The response of a flow. Raises ScriptFailed for what a script may have put there that no client understands."""
    response: object = flow.response
    if not isinstance(response, Response):
        flow.response = None
        gone = "took the response away" if response is None else f"set {type(response).__name__} as the response"
        raise ScriptFailed(f"a script {gone}")
    status = response.data.status_code
    if not isinstance(status, int) or not 200 <= status <= 999:
        raise ScriptFailed(f"a script set the status code {status!r}: a response has one from 200 to 999")
    return response


def _trailers(fields: Fields) -> Headers | None:
    return Headers(fields) if fields else None
