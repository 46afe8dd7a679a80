"""``HTTPRequest``, ``HTTPResponse`` and ``WebSocketFlow`` with their constructors up to mitmproxy 6."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flowdump.compat.shims.virtual_class import VirtualClass
from flowdump.http.flow import Headers, HTTPFlow, Message, Request, Response
from flowdump.http.headers import to_headers

#: The argument of ``flow.reply(KILL)``, which kills a flow.
KILL = False

#: The body of a message whose body was not stored.
CONTENT_MISSING = None


class HTTPResponse(metaclass=VirtualClass):
    """``HTTPResponse(http_version, status_code, reason, headers, content)`` and ``HTTPResponse.make``."""

    make = Response.make
    from_state = Response.from_state

    @staticmethod
    def recognises(instance: Any) -> bool:
        return isinstance(instance, Response)

    @staticmethod
    def construct(
        http_version: Any, status_code: int, reason: Any, headers: Any, content: Any, *times: float
    ) -> Response:
        """``times`` are the start and the end of the response. The body is bytes or str."""
        body = content.encode() if isinstance(content, str) else content
        began, ended = (*times, None, None)[:2]
        began = time.time() if began is None else began
        given = (_version(http_version), status_code, reason, _headers(headers), body, None, began, ended)
        return Response(*given)

    @staticmethod
    def wrap(response: Response) -> Response:
        return response


class HTTPRequest(metaclass=VirtualClass):
    """``HTTPRequest(form, method, scheme, host, port, path, http_version, headers, content)`` and its ``make``."""

    make = Request.make
    from_state = Request.from_state

    @staticmethod
    def recognises(instance: Any) -> bool:
        return isinstance(instance, Request)

    @staticmethod
    def construct(first_line_format: str, method: Any, scheme: Any, host: Any, port: int, *rest: Any) -> Request:
        """``rest``: path, HTTP version, headers, body, start and end of the request."""
        path, version, headers, content, began, ended = (*rest, None, None, None, None, None)[:6]
        authority = f"{host}:{port}" if first_line_format != "relative" else ""
        began = time.time() if began is None else began
        target = (host, port, method, scheme or "", authority, path or "")
        return Request(*target, _version(version or "HTTP/1.1"), _headers(headers), content or b"", None, began, ended)

    @staticmethod
    def wrap(request: Request) -> Request:
        return request


class WebSocketFlow(metaclass=VirtualClass):
    """An HTTP flow with WebSocket messages, which was a flow type of its own up to mitmproxy 6."""

    type = "websocket"

    @staticmethod
    def recognises(instance: Any) -> bool:
        return isinstance(instance, HTTPFlow) and instance.websocket is not None

    @staticmethod
    def construct(client_conn: Any, server_conn: Any, handshake_flow: HTTPFlow) -> HTTPFlow:
        """Return the flow of the handshake, which now holds the messages as well."""
        return handshake_flow


@contextmanager
def decoded(message: Message) -> Iterator[None]:
    """Decode the body within ``with decoded(response):``, and apply the content coding again at its end."""
    coding = message.headers.get("content-encoding")
    if not coding:
        yield
        return
    message.decode(strict=False)
    try:
        yield
    finally:
        message.encode(coding)


def make_error_response(status_code: int, message: str = "", headers: Any = ()) -> Response:
    """A response with a small HTML error page."""
    import html

    text = f"<html><head><title>{status_code}</title></head><body><p>{html.escape(message)}</p></body></html>"
    return Response.make(status_code, text, headers or {"Content-Type": "text/html"})


def make_connect_response(http_version: Any = "HTTP/1.1") -> Response:
    """The 200 response to CONNECT."""
    return HTTPResponse.construct(http_version, 200, "Connection established", Headers(), b"")


def _version(version: Any) -> Any:
    """``"HTTP/1.1"``, also from the ``(1, 1)`` of the oldest scripts."""
    return f"HTTP/{version[0]}.{version[1]}" if isinstance(version, list | tuple) else version


def _headers(headers: Any) -> Headers:
    return to_headers(headers.fields if hasattr(headers, "fields") else headers or ())
