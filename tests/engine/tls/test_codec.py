"""Two codecs against each other in memory, and a codec behind a socket against curl."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from tests.support.pki import Ca, certificate_pem
from tests.support.tls import Pair, client_context, server_context

from flowdump.engine.tls.codec import Session, TlsCodec

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
BOTH = pytest.mark.parametrize("version", [V12, V13])


class Pki:
    """One authority with an origin's certificate below an intermediate authority, on disk."""

    def __init__(self, folder: Path) -> None:
        root = Ca("root")
        self.intermediate = Ca("intermediate", parent=root)
        self.origin = self.intermediate.leaf("example.com", "127.0.0.1")
        self.trusted = str(root.write(folder))
        self.pem = str(self.origin.write(folder / "origin.pem"))

    def contexts(self, version: ssl.TLSVersion = V13) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        """Of client and server."""
        return client_context(self.trusted, maximum_version=version), server_context(self.pem, maximum_version=version)

    def pair(self, version: ssl.TLSVersion = V13) -> Pair:
        client, server = self.contexts(version)
        return Pair(TlsCodec(client, False, "example.com"), TlsCodec(server, True))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


# handshake and data


@BOTH
@pytest.mark.parametrize("step", [0, 1, 100])
def test_data_both_ways(pki: Pki, version: ssl.TLSVersion, step: int) -> None:
    pair = pki.pair(version).handshake(step)
    assert pair.client.version == pair.server.version == version.name.replace("_", ".")
    assert pair.client.cipher == pair.server.cipher is not None
    request, response = os.urandom(500), os.urandom(20_000)
    pair.client.write(request)
    pair.deliver(step)
    assert pair.server.read() == request
    pair.server.write(response)
    pair.deliver(step)
    assert pair.client.read() == response
    assert pair.client.read() == pair.client.outgoing() == b""


def test_reading_byte_by_byte_gives_data_as_soon_as_a_record_is_whole(pki: Pki) -> None:
    pair = pki.pair().handshake()
    pair.server.write(b"first")
    pair.server.write(b"second")
    got = []
    for byte in pair.server.outgoing():
        pair.client.receive(bytes([byte]))
        data = pair.client.read()
        if data:
            got.append(data)
    assert got == [b"first", b"second"]


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 1_000_000])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_sizes(pki: Pki, size: int, kind: type[bytes]) -> None:
    pair = pki.pair().handshake()
    data = os.urandom(size)
    pair.client.write(kind(data))
    pair.deliver()
    assert pair.server.read() == data


def test_before_the_handshake(pki: Pki) -> None:
    pair = pki.pair()
    assert not pair.client.handshake()
    assert (pair.client.version, pair.client.cipher, pair.client.alpn, pair.client.certificates) == (None,) * 3 + ((),)
    assert repr(pair.client) == "TlsCodec(in handshake)"
    with pytest.raises(ssl.SSLError):
        pair.client.write(b"too early")


def test_data_in_one_piece_with_the_handshake(pki: Pki) -> None:
    pair = pki.pair()
    pair.client.handshake()
    pair.deliver()
    assert pair.client.established
    assert not pair.server.established
    pair.client.write(b"at once")
    pair.server.receive(pair.client.outgoing())
    assert pair.server.handshake()
    assert pair.server.handshake()
    assert pair.server.read() == b"at once"


def test_alpn(pki: Pki) -> None:
    client, server = pki.contexts()
    client.set_alpn_protocols(["http/1.1", "h2"])
    server.set_alpn_protocols(["h2", "http/1.1"])
    pair = Pair(TlsCodec(client, False, "example.com"), TlsCodec(server, True)).handshake()
    assert pair.client.alpn == pair.server.alpn == b"h2"
    assert repr(pair.server) == "TlsCodec(established, TLSv1.3, TLS_AES_256_GCM_SHA384, h2)"


def test_no_common_alpn_is_none(pki: Pki) -> None:
    client, server = pki.contexts()
    client.set_alpn_protocols(["mqtt"])
    server.set_alpn_protocols(["h2"])
    pair = Pair(TlsCodec(client, False, "example.com"), TlsCodec(server, True)).handshake()
    assert pair.client.alpn is None
    assert pair.server.alpn is None


@BOTH
def test_certificates_are_those_of_the_other_end(pki: Pki, version: ssl.TLSVersion) -> None:
    pair = pki.pair(version).handshake()
    expected = [certificate_pem(c) for c in (pki.origin.certificate, *pki.origin.chain)]
    assert len(expected) == 2
    assert [cert.to_pem() for cert in pair.client.certificates] == expected
    assert pair.server.certificates == ()


def test_a_name_that_cannot_be_asked_for(pki: Pki) -> None:
    for name in ("", ".example.com", "x" * 64 + ".example", "nul\0.example"):
        with pytest.raises(ValueError, match=r"\w"):
            TlsCodec(pki.contexts()[0], False, name)


# sessions


def resume(pki: Pki, version: ssl.TLSVersion, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[Pair]:
    """Connect again and again, each time with the last session."""
    sessions: list[Session | None] = [None]
    while True:
        client = TlsCodec(contexts[0], False, "example.com", sessions[-1], sessions.append)
        yield Pair(client, TlsCodec(contexts[1], True)).handshake()
        assert len(sessions) == 2, "told once about a session"
        del sessions[0]


@BOTH
def test_sessions_are_resumed_on_both_sides(pki: Pki, version: ssl.TLSVersion) -> None:
    pairs = resume(pki, version, pki.contexts(version))
    first = next(pairs)
    assert (first.client.resumed, first.server.resumed) == (False, False)
    for _ in range(3):
        again = next(pairs)
        assert (again.client.resumed, again.server.resumed) == (True, True)
        assert again.client.version == version.name.replace("_", ".")
        assert again.client.certificates == first.client.certificates
        assert len(again.client.certificates) == 2
        again.client.write(b"hello")
        again.deliver()
        assert again.server.read() == b"hello"


def test_a_server_without_tickets_is_no_session(pki: Pki) -> None:
    client, server = pki.contexts(V13)
    server.num_tickets = 0
    sessions: list[Session | None] = []
    pair = Pair(TlsCodec(client, False, "example.com", None, sessions.append), TlsCodec(server, True)).handshake()
    pair.server.write(b"data")
    pair.deliver()
    assert pair.client.read() == b"data"
    assert sessions == []


def test_an_unknown_session_is_a_full_handshake(pki: Pki) -> None:
    contexts = pki.contexts()
    sessions: list[Session | None] = []
    Pair(TlsCodec(contexts[0], False, "example.com", None, sessions.append), TlsCodec(contexts[1], True)).handshake()
    other = Pair(
        TlsCodec(contexts[0], False, "example.com", sessions[0]), TlsCodec(pki.contexts()[1], True)
    ).handshake()
    assert not other.client.resumed
    assert len(other.client.certificates) == 2


def test_a_session_whose_handshake_failed_is_given_back(pki: Pki) -> None:
    contexts = pki.contexts()
    sessions: list[Session | None] = []
    Pair(TlsCodec(contexts[0], False, "example.com", None, sessions.append), TlsCodec(contexts[1], True)).handshake()
    codec = TlsCodec(contexts[0], False, "example.com", sessions[0], sessions.append)
    codec.handshake()
    codec.receive(b"\x15\x03\x03\x00\x02\x02\x28")
    with pytest.raises(ssl.SSLError):
        codec.handshake()
    assert sessions[1:] == [None]


# ends


@BOTH
def test_goodbye_of_one_end_leaves_the_other_direction_open(pki: Pki, version: ssl.TLSVersion) -> None:
    pair = pki.pair(version).handshake()
    pair.client.write(b"last words")
    pair.client.unwrap()
    pair.deliver()
    assert pair.server.read() == b"last words"
    assert (pair.server.eof, pair.server.truncated) == (True, False)
    assert repr(pair.server).startswith("TlsCodec(closed, TLSv1.")
    pair.server.write(b"answer")
    pair.deliver()
    assert pair.client.read() == b"answer"
    assert not pair.client.eof
    pair.server.unwrap()
    pair.deliver()
    assert pair.client.read() == b""
    assert (pair.client.eof, pair.client.truncated) == (True, False)
    assert pair.client.read() == b""


def test_data_that_crosses_a_goodbye_is_not_lost(pki: Pki) -> None:
    pair = pki.pair().handshake()
    pair.server.write(b"before ")
    pair.client.receive(pair.server.outgoing())
    pair.client.unwrap()
    pair.server.write(b"after")
    pair.client.receive(pair.server.outgoing())
    assert pair.client.read() == b"before after"


def test_an_end_without_goodbye_is_truncated(pki: Pki) -> None:
    pair = pki.pair().handshake()
    pair.server.write(b"data")
    pair.client.receive(pair.server.outgoing())
    pair.client.receive_eof()
    assert pair.client.read() == b"data"
    assert pair.client.read() == b""
    assert (pair.client.eof, pair.client.truncated) == (True, True)
    pair.client.unwrap()


def test_an_end_after_goodbye_is_not_truncated(pki: Pki) -> None:
    pair = pki.pair().handshake()
    pair.server.unwrap()
    pair.client.receive(pair.server.outgoing())
    pair.client.receive_eof()
    assert pair.client.read() == b""
    assert (pair.client.eof, pair.client.truncated) == (True, False)


def test_an_end_during_the_handshake(pki: Pki) -> None:
    pair = pki.pair()
    pair.server.receive_eof()
    with pytest.raises(ssl.SSLEOFError):
        pair.server.handshake()
    pair.server.unwrap()


def test_writing_after_goodbye_is_an_error(pki: Pki) -> None:
    pair = pki.pair().handshake()
    pair.client.unwrap()
    with pytest.raises(ssl.SSLError):
        pair.client.write(b"more")


@BOTH
def test_a_damaged_record(pki: Pki, version: ssl.TLSVersion) -> None:
    pair = pki.pair(version).handshake()
    pair.client.write(b"first")
    pair.client.write(b"second")
    data = bytearray(pair.client.outgoing())
    data[-1] ^= 1
    pair.server.receive(data)
    assert pair.server.read() == b"first"
    assert (pair.server.eof, pair.server.truncated) == (True, True)
    with pytest.raises(ssl.SSLError) as caught:
        pair.server.read()
    assert "MAC" in str(caught.value.reason)
    assert pair.server.outgoing().startswith(b"\x15" if version is V12 else b"\x17"), "an alert for the peer"
    pair.server.unwrap()


def test_a_damaged_record_alone(pki: Pki) -> None:
    pair = pki.pair().handshake()
    pair.server.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
    for _ in range(2):
        with pytest.raises(ssl.SSLError):
            pair.server.read()


def test_bytes_that_are_no_tls(pki: Pki) -> None:
    codec = TlsCodec(pki.contexts()[1], True)
    codec.receive(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ssl.SSLError):
        codec.handshake()
    assert not codec.established


# TLS in TLS


class Nested(TlsCodec):
    """A codec whose bytes travel through an established outer codec."""

    def __init__(self, context: ssl.SSLContext, outer: TlsCodec, server_hostname: str | None = None) -> None:
        super().__init__(context, server_hostname is None, server_hostname)
        self.outer = outer

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        self.outer.receive(data)
        super().receive(self.outer.read())

    def outgoing(self) -> bytes:
        self.outer.write(super().outgoing())
        return self.outer.outgoing()


@BOTH
@pytest.mark.parametrize("step", [0, 1])
def test_tls_in_tls(pki: Pki, version: ssl.TLSVersion, step: int) -> None:
    outer = pki.pair().handshake()
    client, server = pki.contexts(version)
    inner = Pair(Nested(client, outer.client, "example.com"), Nested(server, outer.server)).handshake(step)
    data = os.urandom(100_000)
    inner.client.write(data)
    inner.deliver()
    assert inner.server.read() == data
    inner.server.unwrap()
    inner.deliver()
    assert inner.client.read() == b""
    assert inner.client.eof
    assert not outer.client.eof


# after a socket


class Greeter(asyncio.Protocol):
    """A server of one HTTP response over the codec."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.codec = TlsCodec(context, True)
        self.request = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.codec.receive(data)
        if self.codec.handshake():
            self.request += self.codec.read()
        if self.request.endswith(b"\r\n\r\n"):
            facts = f"{self.codec.version} {self.codec.resumed}".encode()
            self.codec.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(facts) + facts)
            self.codec.unwrap()
            self.request = b""
        self.transport.write(self.codec.outgoing())


@BOTH
def test_curl(pki: Pki, version: ssl.TLSVersion) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    _, context = pki.contexts(version)

    async def fetch() -> tuple[int | None, bytes]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Greeter(context), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            options = ["-sS", "--noproxy", "*", "--max-time", "10", "--cacert", pki.trusted]
            urls = [f"https://127.0.0.1:{port}/", f"https://127.0.0.1:{port}/again"]
            process = await asyncio.create_subprocess_exec(curl, *options, *urls, stdout=asyncio.subprocess.PIPE)
            output, _ = await process.communicate()
        return process.returncode, output

    word = version.name.replace("_", ".").encode()
    assert asyncio.run(fetch()) == (0, word + b" False" + word + b" True")
