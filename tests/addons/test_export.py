"""Exports: the commands are run by a shell, and ask an origin for what the flow asked for; raw messages are bytes."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from tests.support.asynchronous import run
from tests.support.commands import commands
from tests.support.flows import dns_flow, environment, http_flow, request, response, tcp_flow, websocket_flow
from tests.support.live import origin

from flowdump.exceptions import CommandError

#: Requests on which careless quoting, framing or defaults show. The URL gets the origin's address.
REQUESTS: dict[str, tuple[str, str, bytes, list[tuple[str, str]]]] = {
    "plain": ("GET", "/a?b=c&d=%20", b"", [("User-Agent", "x"), ("Accept", "*/*")]),
    "no headers": ("GET", "/", b"", []),
    "quotes": ("GET", '/it\'s?"x"=$HOME&`id`', b"", [("X-Quote", 'it\'s "$HOME" `id` \\n')]),
    "globs": ("GET", "/[1-3]/{a,b}", b"", [("Accept", "a")]),
    "dots": ("GET", "/a/../b/./c", b"", []),
    "form": ("POST", "/form", b"a=b&c=it's", [("Content-Type", "application/x-www-form-urlencoded")]),
    "post without a type": ("POST", "/", b"text", []),
    "post without a body": ("POST", "/", b"", []),
    "at": ("PUT", "/", b"@/etc/passwd", [("Content-Type", "text/plain"), ("X-At", "@/etc/passwd"), ("X-Is", "=@x")]),
    "lines": ("POST", "/", "eins\nzwei\tdrei äöü\n".encode(), [("Content-Type", "text/plain; charset=utf-8")]),
    "carriage returns": ("POST", "/", b"one\r\ntwo\r\n", [("Content-Type", "text/plain")]),
    "binary": ("POST", "/", bytes(range(256)), [("Content-Type", "application/octet-stream")]),
    "dash": ("PATCH", "/", b"--data", [("Content-Type", "text/plain"), ("X-Dash", "-x")]),
    "get with a body": ("GET", "/", b"body", [("Content-Type", "text/plain")]),
    "delete": ("DELETE", "/x", b"", [("Accept", "a")]),
    "options": ("OPTIONS", "/x", b"", [("Accept", "a")]),
    "head": ("HEAD", "/x", b"", [("Accept", "a")]),
    "chunked": ("POST", "/", b"chunks", [("Transfer-Encoding", "chunked"), ("Content-Type", "text/plain")]),
    "empty value": ("GET", "/", b"", [("X-Empty", ""), ("Accept", "a")]),
    "repeated": ("GET", "/", b"", [("X-Two", "1"), ("X-Two", "2"), ("Accept", "a")]),
    "encodings": ("GET", "/", b"", [("Accept-Encoding", "gzip, br"), ("Accept", "a")]),
    "percent": ("POST", "/%41%2F", b"%s %d \\x41 \\n", [("Content-Type", "text/plain")]),
    "semicolon": ("GET", "/", b"", [("Cookie", "a=b; c=d"), ("X-Last", "a;")]),
}

#: What the tools do not let be decided: httpie merges repeated headers and sends a length with every POST.
_FRAMING = {"content-length", "transfer-encoding", "connection", "host"}


def made(name: str, port: int) -> Any:
    method, path, body, headers = REQUESTS[name]
    asked = request(method, f"http://127.0.0.1:{port}{path}", body, headers)
    asked.path = path
    return http_flow(asked)


def parsed(received: bytes) -> tuple[str, list[tuple[str, str]], bytes, str]:
    """First line, headers without framing, body, Host."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    fields = [(line.partition(":")[0].lower(), line.partition(":")[2].strip()) for line in lines]
    if ("transfer-encoding", "chunked") in fields:
        body = body.split(b"\r\n")[1]
    host = next(value for name, value in fields if name == "host")
    return first, sorted(field for field in fields if field[0] not in _FRAMING), body, host


async def sent(name: str, format: str, folder: Path) -> tuple[Any, bytes]:
    """The flow, and what its command made an origin receive."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    async def answer(reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        try:
            while await reader.read(65536):  # the body, until the tool closes
                pass
        finally:
            whole.set()

    whole = asyncio.Event()
    async with origin(answer, close=True) as server:
        flow = made(name, server.port)
        line = commands().call("export", format, flow)
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", line, cwd=folder, env=environment(PATH=tools),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, errors = await process.communicate()
        assert process.returncode == 0, (line, errors)
        await whole.wait()
        return flow, server.received


def asserted(name: str, format: str, folder: Path) -> None:
    async def scenario() -> None:
        flow, received = await sent(name, format, folder)
        method, path, body, headers = REQUESTS[name]
        first, fields, got, host = parsed(received)
        if format == "httpie":  # it writes URLs in its own way
            first, path = unquote(first), unquote(path)
        assert first == f"{method} {path} HTTP/1.1"
        assert got == body
        expected = sorted((k.lower(), v) for k, v in headers if k.lower() not in _FRAMING)
        assert fields == expected
        assert host == flow.request.headers.get("host", f"127.0.0.1:{flow.request.port}")

    run(scenario())


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("name", REQUESTS)
def test_curl_asks_for_the_same(name: str, tmp_path: Path) -> None:
    asserted(name, "curl", tmp_path)


@pytest.mark.parametrize("name", REQUESTS)
def test_httpie_asks_for_the_same(name: str, tmp_path: Path) -> None:
    asserted(name, "httpie", tmp_path)


def exported(format: str, flow: Any, **options: Any) -> Any:
    return commands(**options).call("export", format, flow)


def test_encoded_bodies_are_sent_decoded() -> None:
    asked = request("POST", "http://a.example/", b"hello", {"Content-Encoding": "gzip", "Content-Type": "text/plain"})
    for format in ("curl", "httpie"):
        line = exported(format, http_flow(asked))
        assert "hello" in line
        assert "ncoding: gzip" not in line


def test_the_address_may_be_kept() -> None:
    flow = http_flow("https://a.example:8443/")
    flow.server_conn.peername = ("192.0.2.7", 8443)
    assert "--resolve" not in exported("curl", flow)
    assert "--resolve a.example:8443:[192.0.2.7] " in exported("curl", flow, export_preserve_original_ip=True).replace(
        "'", ""
    )


def test_the_host_that_was_meant_is_asked() -> None:
    asked = request("GET", "https://192.0.2.1/")
    asked.headers["Host"] = "a.example"
    line = exported("curl", http_flow(asked))
    assert line.endswith(" https://a.example/")
    assert "Host" not in line


# -- raw ---------------------------------------------------------------------------------------------------------------


def whole(format: str, flow: Any, folder: Path) -> bytes:
    target = folder / "raw"
    commands().call("export.file", format, flow, str(target))
    return target.read_bytes()


def test_raw_is_bytes(tmp_path: Path) -> None:
    asked = request("POST", "https://a.example/x?y", b"\x00\xff", [("Host", "a.example"), (b"X-Odd", b"\xfe")])
    flow = http_flow(asked, response(404, b"gone", {"Content-Encoding": "gzip"}))
    head = b"POST /x?y HTTP/1.1\r\nHost: a.example\r\nX-Odd: \xfe\r\ncontent-length: 2\r\n\r\n\x00\xff"
    back = b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone"
    assert whole("raw_request", flow, tmp_path) == head
    assert whole("raw_response", flow, tmp_path) == back
    assert whole("raw", flow, tmp_path) == head + b"\r\n\r\n" + back
    assert "X-Odd: \\xfe\r\n" in exported("raw", flow)


def test_raw_forms(tmp_path: Path) -> None:
    h2 = request("GET", "https://a.example/x")
    h2.http_version, h2.authority = "HTTP/2.0", "a.example"
    assert whole("raw_request", http_flow(h2), tmp_path) == b"GET /x HTTP/2.0\r\nHost: a.example\r\n\r\n"
    connect = request("CONNECT", "https://a.example:443")
    assert whole("raw_request", http_flow(connect), tmp_path).startswith(b"CONNECT a.example:443 HTTP/1.1\r\n")
    absolute = request("GET", "http://a.example/x")
    absolute.authority = "a.example"
    assert whole("raw_request", http_flow(absolute), tmp_path).startswith(b"GET http://a.example/x HTTP/1.1\r\n")
    chunked = request("POST", "http://a.example/", b"abc", {"Transfer-Encoding": "chunked"})
    assert whole("raw_request", http_flow(chunked), tmp_path).endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")


def test_websockets_have_their_messages(tmp_path: Path) -> None:
    text = whole("raw", websocket_flow("hello", b"\xff"), tmp_path)
    assert text.endswith(b"\r\n\r\n[OUTGOING] hello\n[INCOMING] \xff")


def test_a_part_that_is_missing_is_left_out(tmp_path: Path) -> None:
    flow = http_flow(request("GET", "http://a.example/"), response(200, b"x"))
    flow.response.raw_content = None
    assert whole("raw", flow, tmp_path) == whole("raw_request", flow, tmp_path)
    assert whole("raw_request", flow, tmp_path).startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("format", "flow", "says"),
    [
        ("curl", tcp_flow(b"x"), "has no HTTP request"),
        ("httpie", dns_flow(), "has no HTTP request"),
        ("curl", http_flow(request("CONNECT", "https://a.example:443")), "asks a proxy for a tunnel"),
        ("raw", tcp_flow(b"x"), "has no request and no response"),
        ("raw_response", http_flow(), "has no HTTP response"),
        ("raw_request", dns_flow(), "has no HTTP request"),
        ("har", http_flow(), "format is of type choice, 'har' is not"),
    ],
)
def test_what_cannot_be_exported_is_told(format: str, flow: Any, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        exported(format, flow)


def test_a_body_that_was_not_recorded_is_told() -> None:
    flow = http_flow(request("POST", "http://a.example/"))
    flow.request.raw_content = None
    with pytest.raises(CommandError, match="body of the request was not recorded"):
        exported("raw_request", flow)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot write .*: Is a directory"):
        commands().call("export.file", "raw", http_flow(), str(tmp_path))


def test_formats_are_listed() -> None:
    assert commands().call("export.formats") == ["curl", "httpie", "raw", "raw_request", "raw_response"]
