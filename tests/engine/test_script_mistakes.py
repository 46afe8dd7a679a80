"""What scripts set that cannot be sent, and code of theirs that fails in the middle of a body.

The client gets a 502 or a connection that is visibly cut, the flow an error, the script's author a line that names the
mistake; none of them sees a traceback through the proxy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.http1 import OK
from tests.support.live import origin, running

from flowdump.http import HTTPFlow, Response


def post(port: int, *lines: str) -> bytes:
    fields = ["Host: a", "Content-Length: 3", "Connection: close", *lines]
    return f"POST http://127.0.0.1:{port}/ HTTP/1.1\r\n".encode() + "\r\n".join(fields).encode() + b"\r\n\r\nabc"


def handler(event: str, action: Callable[[HTTPFlow], Any]) -> Any:
    """An addon with one handler, and the errors it was told of."""

    class Addon:
        def __init__(self) -> None:
            self.errors: list[str] = []

        def error(self, flow: HTTPFlow) -> None:
            assert flow.error is not None
            self.errors.append(flow.error.msg)

    addon = Addon()
    setattr(addon, event, action)
    return addon


def setting(path: str, value: Any) -> Callable[[HTTPFlow], None]:
    """A handler that sets an attribute of the flow: ``setting("response.stream", True)``."""
    names = path.split(".")

    def action(flow: Any) -> None:
        for name in names[:-1]:
            flow = getattr(flow, name)
        setattr(flow, names[-1], value)

    return action


def boom(data: bytes) -> bytes:
    raise RuntimeError("boom")


def late(data: bytes) -> bytes:
    return data or boom(data)


REFUSED = {
    "no response": ("response", setting("response", None), "a script took the response away"),
    "no response at its head": ("responseheaders", setting("response", None), "a script took the response away"),
    "a response that is none": ("request", setting("response", "hello"), "a script set str as the response"),
    "a status of one digit": ("response", setting("response.status_code", 0), "a script set the status code 0"),
    "a status of four digits": ("response", setting("response.status_code", 1234), "a script set the status code 1234"),
    "a status that is text": ("response", setting("response.status_code", "404"), "a script set the status code '404'"),
    "an interim status": ("response", setting("response.status_code", 101), "a script set the status code 101"),
    "a line break": ("response", setting("response.reason", "a\r\nb: c"), r"a line break in 'HTTP/1.1 200 a\r\nb: c'"),
    "a line break on the way there": (
        "request",
        setting("request.path", "/ \r\nb: c"),
        r"a line break in 'POST / \r\n",
    ),
    "another scheme": ("request", setting("request.scheme", "gopher"), "a script set the scheme 'gopher'"),
    "no request": ("request", setting("request", None), "a script set NoneType as the request"),
    "no request at its head": ("requestheaders", setting("request", None), "a script set NoneType as the request"),
    "a request that is none": ("request", setting("request", "GET /"), "a script set str as the request"),
    "a failure before the head": ("requestheaders", setting("request.stream", boom), "request.stream failed: RuntimeE"),
}


@pytest.mark.parametrize("mistake", REFUSED)
async def test_what_cannot_be_sent_is_a_502_with_the_reason(mistake: str) -> None:
    event, action, reason = REFUSED[mistake]

    addon = handler(event, action)
    async with origin(OK) as server, running(addon) as proxy:
        reply = await proxy.send(post(server.port))
        assert reply.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert len(addon.errors) == 1
        assert addon.errors[0].startswith(reason)
        assert proxy.flow.error is not None
        (told,) = proxy.log
        assert told.startswith("error: 127.0.0.1:")
        assert reason in told
        assert "Traceback" not in told


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (boom, "response.stream failed: RuntimeError: boom"),
        (late, "response.stream failed: RuntimeError: boom"),
        (bytes.decode, "response.stream gave str, and bytes are expected"),
        (len, "response.stream gave int, and bytes are expected"),
        (lambda data: [data, 5], "response.stream gave int, and bytes are expected"),
        (lambda: b"", "response.stream failed: TypeError: "),
    ],
)
async def test_a_body_whose_transform_fails_is_cut(function: Any, reason: str) -> None:
    addon = handler("responseheaders", setting("response.stream", function))
    async with origin(OK) as server, running(addon) as proxy:
        reply = await proxy.send(post(server.port))
        assert not reply.endswith(b"0\r\n\r\n")
        assert addon.errors[0].startswith(reason)
        assert len(proxy.log) == len(addon.errors) == 1


async def test_a_transform_may_give_anything_like_bytes() -> None:
    addon = handler("responseheaders", setting("response.stream", lambda data: [bytearray(data), memoryview(b"!")]))
    async with origin(OK) as server, running(addon) as proxy:
        reply = await proxy.send(post(server.port))
        assert reply.endswith(b"\r\n\r\n2\r\nhi\r\n1\r\n!\r\n1\r\n!\r\n0\r\n\r\n")


async def test_a_request_without_its_body_has_a_length_that_is_true() -> None:
    addon = handler("request", setting("request.content", None))
    async with origin(OK) as server, running(addon) as proxy:
        assert (await proxy.send(post(server.port))).endswith(b"\r\n\r\nhi")
        assert server.received.endswith(b"\r\nContent-Length: 0\r\n\r\n")


async def test_a_tunnel_is_refused_with_a_response_or_not_at_all() -> None:
    async with origin(OK) as server, running(handler("http_connect", setting("response", "no"))) as proxy:
        reply = await proxy.send(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n\r\n".encode())
        assert reply.startswith(b"HTTP/1.1 502 ")
        assert b"a script set str as the response" in reply
        assert server.requests == []
        assert "Traceback" not in "".join(proxy.log)


async def test_a_client_that_a_script_refuses_is_cut() -> None:
    addon = handler("client_connected", lambda client: setattr(client, "error", "go away"))
    async with origin(OK) as server, running(addon) as proxy:
        assert await proxy.send(post(server.port)) == b""
        assert server.requests == []
        assert proxy.flows == []


async def test_an_answer_before_the_body_says_that_the_connection_ends() -> None:
    addon = handler("requestheaders", lambda flow: setattr(flow, "response", Response.make(403, b"no")))
    async with running(addon) as proxy:
        head = post(1).replace(b"Connection: close\r\n", b"").removesuffix(b"abc")
        assert b"\r\nConnection: close\r\n" in await proxy.send(head)


async def test_a_task_that_fails_is_told_with_its_place() -> None:
    async def fail() -> None:
        raise RuntimeError("boom")

    import gc

    tasks: list[asyncio.Task[None]] = []
    addon = handler("request", lambda flow: tasks.append(asyncio.ensure_future(fail())))
    async with origin(OK) as server, running(addon) as proxy:
        await proxy.send(post(server.port))
        tasks.clear()
        gc.collect()
        (told,) = proxy.log
        assert f"RuntimeError: boom ({__file__}:" in told
