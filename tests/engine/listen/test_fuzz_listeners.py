"""Whatever bytes a client sends to a listener of whatever mode: the connection ends, and the proxy lives on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.asynchronous import run
from tests.support.live import Running, origin, running, until
from tests.support.peers import close, echo, serving, socks_request

#: What a hostile client may begin with, so that random bytes come deeper.
BEGINNINGS = (
    b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\3\1\2\0\1\0\1\xfc\3\3", b"\5\1\0", b"\5\1\2\1", b"\5\1\0\5\1\0\3",
    socks_request("127.0.0.1", 1), b"\4\1", b"\0\x1d\0\1\1\0\0\1",
)  # fmt: skip

INPUTS = st.tuples(st.sampled_from(BEGINNINGS), st.lists(st.binary(max_size=120), max_size=3), st.booleans())

SETTINGS = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

MODES = [
    "regular", "upstream", "upstream-socks", "reverse-http", "reverse-https", "reverse-tcp", "reverse-tls", "socks5",
]  # fmt: skip


def spec(kind: str, port: int) -> str:
    place = f"127.0.0.1:{port}"
    return {
        "upstream": f"upstream:http://{place}",
        "upstream-socks": f"upstream:socks5://u:p@{place}",
        "reverse-http": f"reverse:http://{place}",
        "reverse-https": f"reverse:https://{place}",
        "reverse-tcp": f"reverse:tcp://{place}",
        "reverse-tls": f"reverse:tls://{place}",
    }.get(kind, kind)


async def attack(proxy: Running, pieces: list[bytes], half_close: bool) -> None:
    """Send it all and wait for the end; a client that does not end its side is cut in the end."""
    reader, writer = await proxy.connect()
    with suppress(ConnectionError, TimeoutError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if half_close:
            writer.write_eof()
        async with asyncio.timeout(5 if half_close else 0.02):
            while await reader.read(65536):
                pass
    await close(writer)


def check(proxy: Running) -> None:
    assert [line for line in proxy.log if "internal error" in line or "Traceback" in line] == []
    for flow in proxy.flows:
        flow.get_state()


async def sessions_end(proxy: Running) -> None:
    await until(lambda: not proxy.proxy.sessions)


@pytest.mark.parametrize("kind", MODES)
def test_any_bytes_from_a_client(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdump.engine.listen.first_bytes.SILENCE", 0.005)
    monkeypatch.setattr("flowdump.engine.net.stream.LINGER", 0.05)

    @SETTINGS
    @given(inputs=st.lists(INPUTS, min_size=1, max_size=4))
    @example(inputs=[(b"\x16", [b"\3"], True), (b"", [], True)])
    def feed(inputs: list[tuple[bytes, list[bytes], bool]]) -> None:
        async def scenario() -> None:
            async with serving(echo) as server, running(mode=[spec(kind, server.port)], ssl_insecure=True) as proxy:
                await asyncio.gather(*(attack(proxy, [start, *rest], half) for start, rest, half in inputs))
                await sessions_end(proxy)
                check(proxy)

        run(scenario())

    feed()


@pytest.mark.parametrize("kind", ["reverse-tcp", "reverse-tls", "upstream", "upstream-socks", "reverse-https"])
def test_any_bytes_from_a_server(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdump.engine.listen.first_bytes.SILENCE", 0.005)

    @SETTINGS
    @given(answer=st.binary(max_size=200), start=st.sampled_from((b"", b"HTTP/1.1 200 OK\r\n", b"\5\0", b"\5\2\1\0\5")))
    def feed(answer: bytes, start: bytes) -> None:
        async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(start + answer)
            await writer.drain()

        async def scenario() -> None:
            async with serving(say) as server, running(mode=[spec(kind, server.port)], ssl_insecure=True) as proxy:
                for sent in BEGINNINGS[2:4]:
                    await attack(proxy, [sent, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], True)
                await sessions_end(proxy)
                check(proxy)

        run(scenario())

    feed()


@pytest.mark.parametrize("kind", ["regular", "socks5"])
async def test_it_serves_after_an_attack(kind: str) -> None:
    async with origin(close=True) as server, running(mode=[kind]) as proxy:
        await asyncio.gather(*(attack(proxy, [start, bytes(range(256))], True) for start in BEGINNINGS))
        request = b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % server.port
        if kind == "socks5":
            request = socks_request("127.0.0.1", server.port) + request
        reply: Any = await proxy.send(request)
        assert reply.endswith(b"hi")
