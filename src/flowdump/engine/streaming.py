"""When a body is streamed instead of buffered, and what happens to its pieces on the way.

Streamed are: bodies whose declared length is above ``stream_large_bodies``; bodies without a declared length once that
much of them has arrived; event streams, gRPC and the like (``stream_event_streams``); and messages on which a script
set ``stream`` on in a headers event. ``stream = False`` that a script set on purpose beats all of them.

``stream`` may be a callable. Three forms exist, told apart by their shape:

* ``def modify(data: bytes) -> bytes | Iterable[bytes]``: called with each piece, and with ``b""`` at the end;
* ``def modify(chunks): for chunk in chunks: yield …``: the older form, a generator over all pieces;
* ``async def modify(flow, chunks)``: an async generator that also sees the flow.

The second and the third pull their pieces. A plain generator cannot wait for the network, so it runs in a thread of its
own, which is handed one piece at a time.
"""

from __future__ import annotations

import asyncio
import inspect
import queue
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from flowdump.engine.errors import ScriptFailed
from flowdump.exceptions import FlowdumpError
from flowdump.http.response import Response

if TYPE_CHECKING:
    from flowdump.engine.http1.framing import Framing
    from flowdump.engine.interfaces import Body
    from flowdump.flow import Flow
    from flowdump.http.flow import Request
    from flowdump.options.store import Options

#: Bytes of a Content-Type that is looked at: none is longer, and what is looked at is kept.
MAX_TYPE: Final = 256

#: Bytes of a streamed event stream that are recorded without store_streamed_bodies.
RECORDED: Final = 1 << 20

_EVENT_STREAM = re.compile(
    rb"\s*(?:text/event-stream|application/grpc[\w.+-]*|application/x-ndjson|multipart/x-mixed-replace)\s*(?:;|$)",
    re.IGNORECASE,
).match
_GRPC = re.compile(rb"\s*application/grpc", re.IGNORECASE).match


def wanted(message: Request | Response, framing: Framing, options: Options) -> bool:
    """Whether the body of ``message``, whose head has just been seen, is to be streamed."""
    asked = message.__dict__.get("stream")
    if asked is not None:
        return bool(asked)
    if framing.kind == "none":
        return False
    limit = options.size("stream_large_bodies")
    if limit is not None and framing.length > limit:
        return True
    return options.stream_event_streams and is_event_stream(message)


def is_event_stream(message: Request | Response) -> bool:
    """Whether the body is a series of messages that are waited for one by one; requests only where they are gRPC."""
    content_type = message.data.headers.raw(b"content-type")
    if not content_type or len(content_type) > MAX_TYPE:
        return False
    return _is_event_type(content_type, isinstance(message, Response))


@lru_cache(maxsize=256)
def _is_event_type(content_type: bytes, of_response: bool) -> bool:
    return bool(_EVENT_STREAM(content_type) if of_response else _GRPC(content_type))


def reader(body: Body, message: Request | Response, flow: Flow) -> Callable[[], Awaitable[bytes | None]]:
    """What gives the pieces of a body as they go out, and None after them: transformed by the message's ``stream``."""
    transform = message.stream
    if not callable(transform):
        return body.read
    pieces = _transformed(transform, _pull(body), flow)
    return lambda: _checked(pieces, message)


async def _checked(pieces: AsyncIterator[bytes], message: Request | Response) -> bytes | None:
    """The next piece of a transformed body. Raises ScriptFailed where the script's function did, or gave no bytes."""
    what = "response.stream" if isinstance(message, Response) else "request.stream"
    try:
        piece = await anext(pieces, None)
    except FlowdumpError:  # of the body itself
        raise
    except Exception as error:
        raise ScriptFailed(f"{what} failed: {type(error).__name__}: {error}") from error
    if piece is None or isinstance(piece, bytes):
        return piece
    if isinstance(piece, bytearray | memoryview):
        return bytes(piece)
    raise ScriptFailed(f"{what} gave {type(piece).__name__}, and bytes are expected")


def _transformed(transform: Callable[..., Any], source: AsyncIterator[bytes], flow: Flow) -> AsyncIterator[bytes]:
    if inspect.isasyncgenfunction(transform):
        sees_flow = len(inspect.signature(transform).parameters) > 1
        return transform(flow, source) if sees_flow else transform(source)  # type: ignore[no-any-return]
    if takes_chunks(transform):
        return _generated(transform, source)
    return _mapped(transform, source)


async def _pull(body: Body) -> AsyncIterator[bytes]:
    while (piece := await body.read()) is not None:
        yield piece


class Recorder:
    """Keeps what is recorded of a streamed body: all with ``store_streamed_bodies``, the beginning of event streams."""

    def __init__(self, message: Request | Response, options: Options) -> None:
        self._message = message
        self._all = options.store_streamed_bodies
        self._left = RECORDED if is_event_stream(message) else 0
        self._kept: list[bytes] | None = [] if self._all or self._left else None

    def add(self, piece: bytes) -> None:
        if self._kept is None:
            return
        if not self._all:
            piece = piece[: self._left]
            self._left -= len(piece)
        if piece:
            self._kept.append(piece)

    def finish(self) -> None:
        """Put what was kept into the message."""
        if self._kept is not None:
            self._message.data.content = b"".join(self._kept)


def takes_chunks(transform: Callable[..., Any]) -> bool:
    """Whether a callable is of the older form: a generator function over all pieces."""
    if not inspect.isgeneratorfunction(transform):
        return False
    parameter = next(iter(inspect.signature(transform).parameters.values()), None)
    if parameter is None:
        return False
    return parameter.name == "chunks" or any(word in str(parameter.annotation) for word in ("Iter", "Generator"))


async def _mapped(transform: Callable[[bytes], Any], source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The modern form: piece by piece, then the empty piece that tells of the end."""
    async for piece in source:
        for out in await _results(transform(piece)):
            yield out
    for out in await _results(transform(b"")):
        yield out


async def _results(result: Any) -> Iterable[bytes]:
    if hasattr(result, "__await__"):
        result = await result
    if result is None:
        return ()
    several = isinstance(result, Iterable) and not isinstance(result, bytes | bytearray | memoryview | str)
    return result if several else (result,)


class _Abandoned(BaseException):
    """Ends the thread of a generator whose body is not needed any more."""


async def _generated(transform: Callable[..., Any], source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The older form: the generator runs in a thread, which asks for the next piece and hands over what it yields.

    One question at a time: the generator waits while its output is being sent, and so the origin waits for the client.
    """
    loop = asyncio.get_running_loop()
    questions: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask(kind: str, value: Any = None) -> Any:
        loop.call_soon_threadsafe(questions.put_nowait, (kind, value))
        answer = answers.get()
        if answer is _Abandoned:
            raise _Abandoned
        return answer

    def chunks() -> Iterator[bytes]:
        while (piece := ask("more")) is not None:
            yield piece

    def run() -> None:
        try:
            for out in transform(chunks()):
                ask("out", out)
            end: tuple[str, Any] = ("done", None)
        except _Abandoned:
            return
        except BaseException as error:  # every failure must reach the exchange
            end = ("failed", error)
        loop.call_soon_threadsafe(questions.put_nowait, end)

    threading.Thread(target=run, name="stream transform", daemon=True).start()
    try:
        while True:
            kind, value = await questions.get()
            if kind == "more":
                answers.put(await anext(source, None))
            elif kind == "out":
                yield value
                answers.put(None)
            elif kind == "failed":
                raise value
            else:
                return
    finally:
        answers.put(_Abandoned)
