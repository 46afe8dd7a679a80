"""The events that a stored flow goes through again when it is read.

They come in the order in which they would have happened on the wire, as a lazy generator: each step is decided after
the previous event ran, so a response that a script makes in ``request`` still gets ``responseheaders`` and
``response``, and messages appear one by one. Connection and TLS events do not occur: there is no connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flowdump.flow import Flow
from flowdump.websocket import WebSocketData


def events(flow: Flow) -> Iterator[str]:
    """The names of the events of ``flow``, which is the argument of each of them."""
    return _EVENTS[flow.type](flow)


def _http(flow: Any) -> Iterator[str]:
    yield "requestheaders"
    yield "request"
    if flow.response is not None:
        yield "responseheaders"
    if flow.response is not None:  # a script may have taken it away
        yield "response"
    if isinstance(flow.websocket, WebSocketData):
        yield from _websocket(flow)
    if flow.error is not None:
        yield "error"


def _websocket(flow: Any) -> Iterator[str]:
    yield from _growing(flow.websocket, "websocket")
    yield "websocket_end"


def _raw(protocol: str) -> Callable[[Any], Iterator[str]]:
    def sequence(flow: Any) -> Iterator[str]:
        yield from _growing(flow, protocol)
        yield f"{protocol}_end" if flow.error is None else f"{protocol}_error"

    return sequence


def _growing(holder: Any, protocol: str) -> Iterator[str]:
    """The start, and an event per message; if the generator is given up, the rest of the messages is put back."""
    waiting, holder.messages = iter(holder.messages), []
    try:
        yield f"{protocol}_start"
        for message in waiting:
            holder.messages.append(message)
            yield f"{protocol}_message"
    finally:
        holder.messages.extend(waiting)


def _dns(flow: Any) -> Iterator[str]:
    yield "dns_request"
    if flow.response is not None:
        yield "dns_response"
    if flow.error is not None:
        yield "dns_error"


_EVENTS: dict[str, Callable[[Any], Iterator[str]]] = {
    "http": _http,
    "tcp": _raw("tcp"),
    "udp": _raw("udp"),
    "dns": _dns,
}
