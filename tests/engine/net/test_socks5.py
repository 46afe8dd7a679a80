"""SOCKS 5: the handshake byte by byte, through the running proxy, and with curl."""

from __future__ import annotations

import asyncio
import shutil
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.interception import Authorities, trusting
from tests.support.live import origin, running, shared_confdir
from tests.support.peers import close, socks, socks_request

from flowdump.addons.proxyauth import ProxyAuth
from flowdump.engine.net import socks5

LOGIN = b"\5\1\2" + b"\1\4user\4pass"
GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
REFUSED = bytes([5, 0xFF])


# -- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\5\1\0\1\x7f\0\0\1\0\x50", socks5.Request(1, "127.0.0.1", 80)),
        (b"\5\1\0\4" + bytes(15) + b"\1\1\xbb", socks5.Request(1, "::1", 443)),
        (b"\5\3\0\3\7a.b.com\x01\xbb", socks5.Request(3, "a.b.com", 443)),
        (b"\5\1\0\3\3::1\0\1", socks5.Request(1, "::1", 1)),
    ],
)
def test_requests(raw: bytes, expected: socks5.Request) -> None:
    for end in range(len(raw)):
        assert socks5.parse_request(raw[:end]) is None
    assert socks5.parse_request(raw) == (expected, len(raw))
    assert socks5.parse_request(bytearray(raw + b"more")) == (expected, len(raw))


@pytest.mark.parametrize("name", [b"", b"a b", b"a/b", b"a:1", b"\xff\xfe", b"a@b", b"a\0b"])
def test_names_are_checked(name: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are those of other modules
        socks5.parse_request(b"\5\1\0\3" + bytes([len(name)]) + name + b"\0\1")


def test_user_names_and_passwords() -> None:
    assert socks5.parse_password(b"\1\3\xc3\xa9x\2pw!") == ("éx", "pw", 8)
    assert socks5.parse_password(b"\1\3\xc3\xa9x\2p") is None
    assert socks5.parse_password(b"\1\0\0") == ("", "", 3)


@given(st.binary(max_size=40))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    for parse in (socks5.parse_greeting, socks5.parse_password, socks5.parse_request):
        with suppress(ValueError):
            parse(data)


# -- through the proxy ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("kind", ["ipv4", "name"])
async def test_a_plain_request(step: int, kind: str) -> None:
    async with origin(close=True) as server, running(mode=["socks5"]) as proxy:
        ask = socks_request("localhost", server.port)
        if kind == "ipv4":
            ask = b"\5\1\0\5\1\0\1\x7f\0\0\1" + struct.pack("!H", server.port)
        sent = ask + GET
        reply = await proxy.send(*(sent[i : i + step] for i in range(0, len(sent), step)))
        assert reply.startswith(b"\5\0" + b"\5\0\0\1" + bytes(6) + b"HTTP/1.1 200 ")
        assert proxy.flow.server_conn.address == ("localhost" if kind == "name" else "127.0.0.1", server.port)
        assert proxy.flow.client_conn.proxy_mode == "socks5"


async def test_intercepted_tls(pki: Authorities) -> None:
    async with (
        origin(ssl=pki.serve("example.com"), close=True) as server,
        running(mode=["socks5"], **pki.trust) as proxy,
    ):
        reader, writer = await socks(proxy, "127.0.0.1", server.port)
        await writer.start_tls(trusting(), server_hostname="example.com")
        writer.write(GET)
        assert (await reader.read()).endswith(b"hi")
        await close(writer)
        assert proxy.flow.request.scheme == "https"


@pytest.mark.parametrize(
    ("sent", "answer", "reason"),
    [
        (socks_request("a", 1, command=2), b"\5\0\5\7", "BIND is not supported"),
        (socks_request("a", 1, command=3), b"\5\0\5\7", "UDP ASSOCIATE is not supported"),
        (socks_request("a", 1, command=9), b"\5\0\5\7", "command 9 is not supported"),
        (b"\5\1\0\5\1\0\2\1\1\1\1\1\1", b"\5\0\5\10", "unknown kind of address"),
        (socks_request("a", 0), b"\5\0\5\1", "port 0"),
        (socks_request("a b", 1), b"\5\0\5\1", "invalid"),
        (socks_request("", 1), b"\5\0\5\1", "invalid"),
        (b"\5\1\2", REFUSED, "does not offer no authentication"),
        (b"\5\0", REFUSED, "does not offer"),
        (b"\4\1\0\x50\x7f\0\0\1\0", b"\0\x5b", "SOCKS 4 is not supported"),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 ", "this is a SOCKS 5 proxy"),
        (b"\x16\3\1", b"", "this is a SOCKS 5 proxy"),
    ],
)
async def test_refusals(sent: bytes, answer: bytes, reason: str) -> None:
    async with running(mode=["socks5"]) as proxy:
        reply = await proxy.send(sent)
        assert reply.startswith(answer)
        assert bool(reply) == bool(answer)
        assert reason in str(proxy.flow.error)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (LOGIN, b"\5\2\1\0"),
        (LOGIN.replace(b"pass", b"word"), b"\5\2\1\1"),
        (b"\5\1\0", REFUSED),
        (b"\5\1\2\1\0\0", b"\5\2\1\1"),
    ],
)
async def test_user_and_password(sent: bytes, answer: bytes) -> None:
    good = answer == b"\5\2\1\0"

    async with origin(close=True) as server, running(ProxyAuth(), mode=["socks5"], proxyauth="user:pass") as proxy:
        request = socks_request("127.0.0.1", server.port)[3:] + GET
        reply = await proxy.send(sent + request)
        assert reply.startswith(answer)
        assert (b"HTTP/1.1 200 " in reply) == good
        if good:
            assert proxy.flow.metadata["proxyauth"] == ("user", "pass")
        else:
            assert server.received == b""


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_curl(pki: Authorities) -> None:
    async with (
        origin(ssl=pki.serve("localhost"), close=True) as server,
        running(ProxyAuth(), mode=["socks5"], proxyauth="user:pass", **pki.trust) as proxy,
    ):
        authority = shared_confdir() / "flowdump-ca-cert.pem"
        curl = await asyncio.create_subprocess_exec(
            "curl", "-sS", "--max-time", "15", "--cacert", str(authority), "--socks5-hostname",
            f"user:pass@127.0.0.1:{proxy.port}", f"https://localhost:{server.port}/x",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, complaint = await curl.communicate()
        assert (out, complaint) == (b"hi", b"")
        assert proxy.flow.server_conn.address == ("localhost", server.port)
