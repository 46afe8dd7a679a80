"""Web applications inside the proxy: requests to a host and port are answered by a WSGI or ASGI application.

``addons = [WSGIApp(app, "example.local", 80)]`` in a script. Bodies are whole in both directions: the request was read
before the application is asked, and the answer goes out when it is complete.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from flowdump import ctx
from flowdump.http.flow import Headers, Response
from flowdump.http.urls import unquote

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow


class _App:
    """What both kinds have: which requests are theirs, and what an error of the application becomes."""

    def __init__(self, app: Any, host: str, port: int | None) -> None:
        self.app = app
        self.host = host
        self.port = port

    @property
    def name(self) -> str:
        return f"{type(self).__name__.lower()}:{self.host}:{self.port}"

    def should_serve(self, flow: HTTPFlow) -> bool:
        """Whether the application answers a flow; a port of None is any port."""
        asked = flow.request
        mine = asked.pretty_host == self.host and self.port in (None, asked.port)
        return mine and flow.response is None and flow.error is None

    async def request(self, flow: HTTPFlow) -> None:
        """Answer what is ours. What the application raises is an error of the script, and the client gets a 500."""
        if not self.should_serve(flow):
            return
        try:
            flow.response = await self.serve(flow)
        except Exception:
            flow.response = Response.make(500, "ASGI Error.", {"content-type": "text/plain"})
            raise

    async def serve(self, flow: HTTPFlow) -> Response:
        raise TypeError(f"{type(self).__name__} does not say how its application is called")


class ASGIApp(_App):
    """An ASGI application (version 3.0)."""

    async def serve(self, flow: HTTPFlow) -> Response:
        """Raises what the application raises, and RuntimeError when it ends without an answer."""
        heads: list[dict[str, Any]] = []
        body: list[bytes] = []
        asked = [{"type": "http.request", "body": flow.request.get_content(strict=False) or b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            return asked.pop() if asked else {"type": "http.disconnect"}

        async def send(event: dict[str, Any]) -> None:
            if event["type"] == "http.response.start":
                heads.append(event)
            elif event["type"] == "http.response.body":
                body.append(event.get("body", b""))

        await self.app(scope_of(flow), receive, send)
        if not heads:
            raise RuntimeError("the application sent no response")
        answer = Response.make(heads[0]["status"], b"", Headers(heads[0].get("headers", [])))
        _set_body(answer, b"".join(body))
        return answer


class WSGIApp(_App):
    """A WSGI application (PEP 3333); it runs in a thread, so other flows go on meanwhile."""

    async def serve(self, flow: HTTPFlow) -> Response:
        """Raises what the application raises."""
        environ = environ_of(flow)
        return await ctx.master.event_loop.run_in_executor(None, self._answer, environ)

    def _answer(self, environ: dict[str, Any]) -> Response:
        heads: list[tuple[str, list[tuple[str, str]]]] = []
        body: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            heads[:] = [(status, headers)]
            return body.append

        result = self.app(environ, start_response)
        try:
            body.extend(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        status, headers = heads[0]
        answer = Response.make(int(status.partition(" ")[0]), b"", headers)
        answer.reason = status.partition(" ")[2]
        _set_body(answer, b"".join(body))
        return answer


def _set_body(answer: Response, body: bytes) -> None:
    """The application has encoded its body itself, if it has."""
    answer.raw_content = body
    if "transfer-encoding" not in answer.headers:
        answer.headers["content-length"] = str(len(body))


def scope_of(flow: HTTPFlow) -> dict[str, Any]:
    """What an ASGI application is told of a request."""
    asked = flow.request
    path, _, query = asked.data.path.partition(b"#")[0].partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.1"},
        "http_version": asked.http_version.partition("/")[2].removesuffix(".0"),
        "method": asked.method,
        "scheme": asked.scheme,
        "path": unquote(path.decode("utf-8", "surrogateescape")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in asked.headers.fields],
        "client": flow.client_conn.peername,
        "server": (asked.host, asked.port),
        "extensions": {"flowdump.flow": flow},
    }


def environ_of(flow: HTTPFlow) -> dict[str, Any]:
    """What a WSGI application is told of a request."""
    scope, asked = scope_of(flow), flow.request
    body = asked.get_content(strict=False) or b""
    environ = {
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "CONTENT_TYPE": asked.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": asked.host,
        "SERVER_PORT": str(asked.port),
        "SERVER_PROTOCOL": asked.http_version,
        "REMOTE_ADDR": str(flow.client_conn.peername[0]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": asked.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in asked.headers.items():
        key = f"HTTP_{name.upper().replace('-', '_')}"
        if key not in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_PROXY"):
            environ[key] = value
    return environ
