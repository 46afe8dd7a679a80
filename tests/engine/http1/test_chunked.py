"""The chunked coding: three ways to feed it, faults of the smuggling table, limits, round trips."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.engine.errors import ProtocolError
from flowdump.engine.http1.chunked import MAX_EXTENSIONS, WHOLE, ChunkedDecoder, encode_chunk, last_chunk
from flowdump.engine.http1.framing import Fields

Outcome = tuple[list[bytes], Fields, bytes, bool]


def fed(data: bytes, step: int) -> Outcome:
    """Pieces, trailers, what was left in the buffer and whether it was the end, of data that comes ``step`` by step."""
    decoder, buffer, pieces = ChunkedDecoder(), bytearray(), []
    for start in range(0, len(data), step):
        buffer += data[start : start + step]
        pieces += decoder.feed(buffer)
    return pieces, decoder.trailers, bytes(buffer), decoder.done


def three_ways(data: bytes) -> tuple[list[bytes], Fields]:
    """Decode a whole body: at once, byte by byte, and with bytes after it that stay in the buffer."""
    pieces, trailers, left, done = fed(data, len(data))
    assert (left, done) == (b"", True)
    by_byte = fed(data, 1)
    assert b"".join(by_byte[0]) == b"".join(pieces)
    assert by_byte[1:] == (trailers, b"", True)
    for after in (b"GET / HTTP/1.1\r\n", b"\r\n", b"0\r\n\r\n"):
        assert fed(data + after, len(data) + len(after)) == (pieces, trailers, after, True)
    return pieces, trailers


def feed_in_steps(decoder: ChunkedDecoder, buffer: bytearray, pieces: list[bytes], data: bytes, step: int) -> None:
    """Like a connection that gives ``step`` bytes at a time; data in front of a fault is taken before the fault."""
    for start in range(0, len(data), step):
        buffer += data[start : start + step]
        while got := decoder.feed(buffer):
            pieces += got


def refused(data: bytes) -> bytes:
    """What was decoded before ``data`` was refused, which is the same byte by byte."""
    outcomes = []
    for step in (len(data), 1, 3):
        decoder, buffer, pieces = ChunkedDecoder(), bytearray(), list[bytes]()
        with pytest.raises(ProtocolError) as caught:
            feed_in_steps(decoder, buffer, pieces, data, step)
        assert (caught.value.status, caught.value.peer) == (400, "client")
        assert str(caught.value).isprintable()
        assert not decoder.done
        with pytest.raises(ProtocolError):  # and it does not recover
            decoder.feed(buffer)
        outcomes.append(b"".join(pieces))
    assert len(set(outcomes)) == 1
    return outcomes[0]


# what is understood


@pytest.mark.parametrize(
    ("data", "pieces", "trailers"),
    [
        (b"0\r\n\r\n", [], ()),
        (b"5\r\nhello\r\n0\r\n\r\n", [b"hello"], ()),
        (b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n", [b"hello", b" ", b"world"], ()),
        (b"a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n", [b"0123456789"] * 2, ()),
        (b"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", [b"hello"], ()),
        (b"2\r\n\r\n\r\n0\r\n\r\n", [b"\r\n"], ()),
        (b"5;a=b\r\nhello\r\n0;last\r\n\r\n", [b"hello"], ()),
        (b'5 \t; a="b\xff\t";c\r\nhello\r\n0\r\n\r\n', [b"hello"], ()),
        (b"1;\r\nx\r\n0;\r\n\r\n", [b"x"], ()),
        (b"0\r\nX: y\r\n\r\n", [], ((b"X", b"y"),)),
        (b"1\r\nx\r\n0\r\nX-a:1\r\nx-A: 2 \r\nX-a:\r\n\r\n", [b"x"], ((b"X-a", b"1"), (b"x-A", b"2"), (b"X-a", b""))),
    ],
)
def test_a_body_is_decoded(data: bytes, pieces: list[bytes], trailers: Fields) -> None:
    assert three_ways(data) == (pieces, trailers)


def test_a_chunk_of_middling_size_is_given_whole_however_it_comes() -> None:
    data = b"x" * WHOLE
    assert fed(encode_chunk(data) + last_chunk(), 1000)[0] == [data]


def test_a_large_chunk_is_given_as_it_comes() -> None:
    data = bytes(range(256)) * 257
    assert len(data) > WHOLE
    pieces, _, left, done = fed(encode_chunk(data) + last_chunk(), 1000)
    assert (b"".join(pieces), left, done) == (data, b"", True)
    assert len(pieces) > 50


def test_nothing_is_taken_of_what_is_not_complete() -> None:
    decoder, buffer = ChunkedDecoder(), bytearray(b"5\r\nhel")
    assert decoder.feed(buffer) == []
    assert buffer == b"5\r\nhel"


def test_what_comes_behind_the_end_is_left_alone() -> None:
    decoder, buffer = ChunkedDecoder(), bytearray(b"0\r\n\r\n5\r\nhello\r\n")
    assert decoder.feed(buffer) == []
    assert decoder.done
    assert decoder.feed(buffer) == []
    assert buffer == b"5\r\nhello\r\n"


# what is refused


@pytest.mark.parametrize(
    "data",
    [
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"5\r\nhello\n\n0\r\n\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\rhello\r\n0\r\n\r\n",
        b"5\r\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b"5.\r\nhello\r\n0\r\n\r\n",
        b"\xb2\r\nhello\r\n0\r\n\r\n",
        b"00000000000000005\r\nhello\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5\t\r\nhello\r\n0\r\n\r\n",
        b"5 5\r\nhello\r\n0\r\n\r\n",
        b"5\x0b;a\r\nhello\r\n0\r\n\r\n",
        b"5,a\r\nhello\r\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"5;a\x00\r\nhello\r\n0\r\n\r\n",
        b"5;a\x7f\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"\r\n5\r\nhello\r\n0\r\n\r\n",
        b";a\r\nhello\r\n0\r\n\r\n",
        b"g\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n\r\n0\r\n\r\n",
        b"0\n\n",
        b"0\r\n\n",
        b"0\r\n\rX",
        b"0\r\nX: y\n\r\n\r\n",
        b"0\r\nX: y\r\n\n",
        b"0\r\nX: y\rz\r\n\r\n",
        b"0\r\nX: \x00\r\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\n X: y\r\n\r\n",
        b"0\r\nX: y\r\n z\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n: y\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\ntransfer-encoding: chunked\r\n\r\n",
        b"0\r\nHost: a\r\n\r\n",
        b"0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_malformed_chunks_are_refused(data: bytes) -> None:
    assert refused(data) in (b"", b"hello")
    assert refused(b"3\r\nabc\r\n" + data) in (b"abc", b"abchello")


def test_a_fault_behind_a_large_chunk_is_found() -> None:
    data = b"x" * (WHOLE + 1)
    for end in (b"XX", b"\n\r", b"\r0"):
        decoder, buffer = ChunkedDecoder(), bytearray(b"%x\r\n%b%b" % (len(data), data, end))
        assert decoder.feed(buffer) == [data]
        with pytest.raises(ProtocolError, match="instead of CRLF"):
            decoder.feed(buffer)


def test_faults_of_an_origin_are_a_502() -> None:
    with pytest.raises(ProtocolError) as caught:
        ChunkedDecoder(peer="server").feed(bytearray(b"x"))
    assert (caught.value.status, caught.value.peer) == (502, "server")


def test_an_endless_extension_is_refused() -> None:
    decoder, buffer = ChunkedDecoder(), bytearray(b"5;")
    for _ in range(4094):
        buffer += b"a"
        assert decoder.feed(buffer) == []
    buffer += b"a"
    with pytest.raises(ProtocolError, match="within 4096 bytes"):
        decoder.feed(buffer)
    with pytest.raises(ProtocolError, match="within 4096 bytes"):
        ChunkedDecoder().feed(bytearray(b"5;" + b"a" * 4096 + b"\r\nhello\r\n"))
    with pytest.raises(ProtocolError, match="within 10 bytes"):
        ChunkedDecoder(limit_line=10).feed(bytearray(b"5;aaaaaaa\r\nhello\r\n"))
    assert ChunkedDecoder(limit_line=10).feed(bytearray(b"5;aaaaaa\r\nhello\r\n")) == [b"hello"]


def test_extensions_are_bounded_in_total() -> None:
    chunk = b"1;" + b"a" * 1000 + b"\r\nx\r\n"
    decoder = ChunkedDecoder()
    for _ in range(MAX_EXTENSIONS // 1000):
        assert decoder.feed(bytearray(chunk)) == [b"x"]
    with pytest.raises(ProtocolError, match="more chunk extensions than data"):
        decoder.feed(bytearray(chunk))


def test_signed_chunks_are_not_too_many_extensions() -> None:
    chunk = b"%x;chunk-signature=%b\r\n%b\r\n" % (8192, b"0" * 64, b"x" * 8192)
    decoder = ChunkedDecoder()
    assert sum(len(decoder.feed(bytearray(chunk))) for _ in range(1000)) == 1000


@pytest.mark.parametrize("lines", [b"X: y\r\n" * 257, b"X: " + b"y" * 16384 + b"\r\n", b"X" * 20000])
def test_an_endless_trailer_is_refused(lines: bytes) -> None:
    with pytest.raises(ProtocolError, match="trailer section"):
        ChunkedDecoder().feed(bytearray(b"0\r\n" + lines + b"\r\n"))


# encoding


def test_chunks_are_encoded() -> None:
    assert encode_chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert encode_chunk(b"") == b""
    assert last_chunk() == b"0\r\n\r\n"
    assert last_chunk(((b"A", b"b"), (b"a", b""))) == b"0\r\nA: b\r\na: \r\n\r\n"


@pytest.mark.parametrize("poison", [b"a\r\nX: y", b"a\n", b"\r"])
def test_a_line_break_in_a_trailer_is_never_written(poison: bytes) -> None:
    with pytest.raises(ProtocolError, match="line break"):
        last_chunk(((b"A", poison),))


# properties

NAMES = st.from_regex(rb"x-[!#$%&'*+.^_`|~0-9A-Za-z-]{0,10}", fullmatch=True)
VALUES = st.from_regex(rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?", fullmatch=True)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary(min_size=1, max_size=50)), st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_what_was_encoded_is_decoded(chunks: list[bytes], trailers: list[tuple[bytes, bytes]]) -> None:
    data = b"".join(map(encode_chunk, chunks)) + last_chunk(tuple(trailers))
    assert three_ways(data) == (chunks, tuple(trailers))


PARTS = st.sampled_from(
    [
        b"5\r\nhello\r\n",
        b"0\r\n",
        b"\r\n",
        b"0",
        b"5",
        b"1;",
        b"\n",
        b"\r",
        b"X: y\r\n",
        b"X:",
        b" ",
        b"f" * 16,
        b"\x00",
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PARTS | st.binary(max_size=4), max_size=12).map(b"".join), st.integers(1, 9))
def test_any_bytes_are_decoded_refused_or_not_complete_in_any_steps(data: bytes, step: int) -> None:
    def outcome(step: int) -> tuple[bytes, Fields, bytes | None]:
        decoder, buffer, pieces = ChunkedDecoder(), bytearray(), list[bytes]()
        try:
            feed_in_steps(decoder, buffer, pieces, data, step)
        except ProtocolError:
            return b"".join(pieces), (), None
        return b"".join(pieces), decoder.trailers, bytes(buffer)

    assert outcome(step) == outcome(max(len(data), 1))
