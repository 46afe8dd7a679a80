"""ClientHello messages: of OpenSSL and of curl, made by hand, cut into pieces, and broken."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.asynchronous import PATIENCE

from flowdump.engine.tls.client_hello import LIMIT, ClientHello, parse

GREASE = 0x8A8A


def vector(data: bytes, size: int = 2) -> bytes:
    return len(data).to_bytes(size, "big") + data


def numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def server_name(*names: bytes, kind: int = 0) -> tuple[int, bytes]:
    return 0, vector(b"".join(bytes([kind]) + vector(name) for name in names))


def alpn(*protocols: bytes) -> tuple[int, bytes]:
    return 16, vector(b"".join(vector(protocol, 1) for protocol in protocols))


def message(*extensions: tuple[int, bytes], ciphers: bytes = numbers(0x1301, 0xC02B), version: int = 0x0303) -> bytes:
    """A ClientHello without its header; without extensions it ends after the compression methods."""
    body = numbers(version) + bytes(range(32)) + vector(b"session", 1) + vector(ciphers) + vector(b"\0", 1)
    if extensions:
        body += vector(b"".join(numbers(kind) + vector(content) for kind, content in extensions))
    return body


def records(body: bytes, size: int = 1 << 14, kind: int = 1) -> bytes:
    """A handshake message in TLS records of ``size`` bytes at most."""
    handshake = bytes([kind]) + vector(body, 3)
    pieces = [handshake[start : start + size] for start in range(0, len(handshake), size)]
    return b"".join(b"\x16\x03\x01" + vector(piece) for piece in pieces)


def check_three_ways(data: bytes) -> ClientHello:
    """Whole, byte by byte, and with bytes after it: always the same."""
    hello = parse(data)
    assert hello is not None
    assert hello.length == len(data)
    assert [parse(data[:end]) for end in range(len(data))] == [None] * len(data)
    assert parse(bytearray(data)) == hello
    assert parse(data + b"\x17\x03\x03 after") == hello
    return hello


def openssl_hello(hostname: str | None = "example.com", protocols: tuple[str, ...] = (), **settings: Any) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = hostname is not None
    if protocols:
        context.set_alpn_protocols(protocols)
    for name, value in settings.items():
        setattr(context, name, value)
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=hostname)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


# of real clients


def test_openssl() -> None:
    hello = check_three_ways(openssl_hello(protocols=("h2", "http/1.1")))
    assert hello.sni == "example.com"
    assert hello.alpn_protocols == [b"h2", b"http/1.1"]
    assert hello.versions == [0x0304, 0x0303]
    assert 0x1301 in hello.cipher_suites
    assert {0, 10, 13, 16, 43, 51} <= {kind for kind, _ in hello.extensions}


def test_openssl_with_an_older_version_and_without_a_name() -> None:
    hello = check_three_ways(openssl_hello(None, maximum_version=ssl.TLSVersion.TLSv1_2))
    assert hello.sni is None
    assert hello.alpn_protocols == []
    assert hello.versions == [0x0303]


def test_curl() -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        port = listener.getsockname()[1]
        arguments = [curl, "-s", "--noproxy", "*", "--resolve", f"sub.example.com:{port}:127.0.0.1"]
        with subprocess.Popen([*arguments, "--max-time", str(PATIENCE), f"https://sub.example.com:{port}/"]) as process:
            connection, _ = listener.accept()
            with connection:
                data = b""
                while parse(data) is None:
                    data += connection.recv(100)
            process.wait(timeout=PATIENCE)
    hello = check_three_ways(data)
    assert hello.sni == "sub.example.com"
    assert b"http/1.1" in hello.alpn_protocols
    assert 0x0303 in hello.versions


# made by hand


def test_everything_is_read() -> None:
    extensions = ((GREASE, b""), server_name(b"Sub.Example.com"), alpn(b"h2", b"\x8a\x8a"), (43, b"\x02\x03\x04"))
    hello = check_three_ways(records(message(*extensions, ciphers=numbers(GREASE, 0x1301))))
    assert hello.sni == "Sub.Example.com"
    assert hello.alpn_protocols == [b"h2", b"\x8a\x8a"]
    assert hello.cipher_suites == [GREASE, 0x1301]
    assert hello.versions == [0x0304]
    assert hello.extensions == list(extensions)


def test_no_extensions() -> None:
    hello = check_three_ways(records(message(version=0x0301)))
    assert (hello.sni, hello.alpn_protocols, hello.extensions, hello.versions) == (None, [], [], [0x0301])


@pytest.mark.parametrize("size", [1, 3, 4, 5, 50])
def test_cut_into_records(size: int) -> None:
    body = message(server_name(b"example.com"), alpn(b"h2"), (21, bytes(100)))
    hello = check_three_ways(records(body, size))
    assert hello.sni == "example.com"
    assert hello.message == body
    assert parse(records(body)) == hello._replace(length=len(records(body)))


def test_raw_bytes_are_the_message_in_one_record() -> None:
    whole = records(message(server_name(b"example.com")))
    hello = parse(records(message(server_name(b"example.com")), size=7))
    assert hello is not None
    assert hello.raw_bytes() == whole
    assert hello.raw_bytes(wrap_in_record=False) == whole[5:]


@pytest.mark.parametrize("name", [b"exa mple.com", b"a\0b", b"\xff.com", b"", b"a\r\nb", b"x" * 256, b"<b>", b"a/b"])
def test_what_cannot_be_a_host_is_no_name(name: bytes) -> None:
    hello = check_three_ways(records(message(server_name(name))))
    assert hello.sni is None


def test_a_name_of_another_type_is_no_host_name() -> None:
    hello = check_three_ways(records(message(server_name(b"example.com", kind=1))))
    assert hello.sni is None


@pytest.mark.parametrize("name", [b"127.0.0.1", b"::1", b"a_b.example", b"xn--bcher-kva.example", b"example.com."])
def test_odd_names_are_names(name: bytes) -> None:
    hello = check_three_ways(records(message(server_name(name))))
    assert hello.sni == name.decode()


# broken

GOOD = message(server_name(b"example.com"))

BROKEN = {
    "plain HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "one byte of it": b"G",
    "SSLv2": b"\x80\x2e\x01\x03\x01",
    "another version": b"\x16\x02",
    "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "an empty record": b"\x16\x03\x01\x00\x00",
    "a record above 16 KiB": b"\x16\x03\x01\x40\x01",
    "a ServerHello": records(GOOD, kind=2),
    "the first byte of a ServerHello": records(GOOD, kind=2)[:6],
    "data between the records": records(GOOD, 20)[:25] + b"\x17\x03\x01\x00\x01a",
    "a message of 16 MiB": b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
    "cut off inside": records(GOOD[:-1]),
    "bytes after the extensions": records(GOOD + b"\0"),
    "ciphers of odd length": records(message(ciphers=b"\x13\x01\xc0")),
    "no compression methods": records(GOOD[:2] + bytes(32) + b"\0" + vector(numbers(1))),
    "an extension twice": records(message(server_name(b"a.example"), server_name(b"b.example"))),
    "two names": records(message(server_name(b"a.example", b"b.example"))),
    "bytes after the name": records(message((0, server_name(b"a.example")[1] + b"x"))),
    "an empty protocol": records(message(alpn(b"h2", b""))),
    "a protocol that is cut off": records(message((16, vector(b"\x05h2")))),
    "an odd list of versions": records(message((43, b"\x03\x03\x04\x03"))),
    "an empty extension of versions": records(message((43, b""))),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_broken(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(data)


def test_the_size_is_limited() -> None:
    fits = records(message((21, bytes(60_000))))
    assert check_whole(fits).length == len(fits)
    data = records(message((21, bytes(65_400))), 1000)
    assert len(data) > LIMIT
    with pytest.raises(ValueError, match="too large"):
        parse(data)


def test_the_number_of_records_is_limited() -> None:
    body = message((21, bytes(600)))
    with pytest.raises(ValueError, match="too many records"):
        parse(records(body, 1))
    assert parse(records(body, 2)) is not None


def check_whole(data: bytes) -> ClientHello:
    hello = parse(data)
    assert hello is not None
    return hello


# any bytes


@settings(deadline=None)
@given(
    st.binary(max_size=200)
    | st.binary(max_size=200).map(records)
    | st.binary(max_size=200).map(b"\x16\x03\x01".__add__)
)
def test_any_bytes(data: bytes) -> None:
    try:
        hello = parse(data)
    except ValueError:
        return
    assert hello is None or 0 < hello.length <= len(data)


HELLO = openssl_hello(protocols=("h2", "http/1.1"))


@settings(deadline=None)
@given(st.integers(0, len(HELLO) - 1), st.integers(0, 255), st.integers(0, len(HELLO)))
def test_one_wrong_byte(at: int, byte: int, end: int) -> None:
    data = bytearray(HELLO)
    data[at] = byte
    try:
        hello = parse(data[:end])
    except ValueError:
        return
    assert hello is None or hello.length <= end


@settings(deadline=None)
@given(
    st.from_regex(r"[a-z]{1,20}\.example", fullmatch=True),
    st.lists(st.binary(min_size=1, max_size=255), max_size=4),
    st.lists(st.integers(0, 0xFFFF), max_size=20),
    st.dictionaries(st.integers(1000, 0xFFFF), st.binary(max_size=50), max_size=5),
    st.integers(1, 500),
)
def test_what_was_put_in_comes_out(
    name: str, protocols: list[bytes], ciphers: list[int], more: dict[int, bytes], size: int
) -> None:
    extensions = [server_name(name.encode()), alpn(*protocols), *more.items()]
    body = message(*extensions, ciphers=numbers(*ciphers))
    data = records(body, size)
    hello = ClientHello(name, protocols, ciphers, extensions, [0x0303], body, len(data))
    assert parse(data) == hello
    assert parse(data + b"after") == hello
    assert parse(data[:-1]) is None
