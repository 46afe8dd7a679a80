"""Header compression: ours and hpack's understand each other, whatever is sent in whatever order."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder, HPACKError, NeverIndexedHeaderTuple
from hpack.hpack import OversizedHeaderListError
from hypothesis import given
from hypothesis import strategies as st

from flowdump.engine.http2.hpack import FieldDecoder, FieldEncoder

NAMES = st.sampled_from([b":method", b":path", b":status", b"x-a", b"accept", b"cookie", b"x" * 200]) | st.binary(
    max_size=9
)
VALUES = st.sampled_from([b"", b"GET", b"/", b"200", b"a" * 127, b"b" * 128, b"c" * 129, b"d" * 4000]) | st.binary()
BLOCKS = st.lists(st.lists(st.tuples(NAMES, VALUES), max_size=6), max_size=12)
SIZE = 1 << 20


@given(BLOCKS)
def test_what_we_encode_hpack_decodes(blocks: list[list[tuple[bytes, bytes]]]) -> None:
    encoder, decoder = FieldEncoder(), Decoder(SIZE)
    for fields in blocks:
        assert [tuple(pair) for pair in decoder.decode(encoder.encode(fields), raw=True)] == fields
    assert not decoder.header_table.dynamic_entries


@given(BLOCKS, st.lists(st.integers(0, 11), max_size=20))
def test_what_hpack_encodes_we_decode_however_often(blocks: list[list[tuple[bytes, bytes]]], order: list[int]) -> None:
    encoder, decoder = Encoder(), FieldDecoder(SIZE)
    for n in order:
        fields = blocks[n % len(blocks)] if blocks else []
        if n == 11:
            encoder.header_table_size = 64 if encoder.header_table_size > 64 else 4096
        assert [tuple(pair) for pair in decoder.decode(encoder.encode(fields), raw=True)] == fields


@given(st.lists(st.binary(max_size=60), max_size=10), st.lists(st.integers(0, 9), max_size=20))
def test_any_bytes_mean_to_us_what_they_mean_to_hpack(blocks: list[bytes], order: list[int]) -> None:
    ours, theirs = FieldDecoder(SIZE), Decoder(SIZE)
    for n in order:
        block = blocks[n % len(blocks)] if blocks else b""
        try:
            expected = theirs.decode(block, raw=True)
        except HPACKError as error:
            with pytest.raises(type(error)):
                ours.decode(block, raw=True)
            return
        assert list(ours.decode(block, raw=True)) == list(expected)


def test_a_block_that_refers_to_what_has_moved_is_read_anew() -> None:
    decoder, encoder = FieldDecoder(SIZE), Encoder()
    encoder.encode([(b"x-first", b"1")])
    decoder.decode(b"\x40\x01a\x01b", raw=True)  # a: b is the newest entry now
    assert list(decoder.decode(b"\xbe", raw=True)) == list(decoder.decode(b"\xbe", raw=True)) == [(b"a", b"b")]
    decoder.decode(b"\x40\x01c\x01d", raw=True)
    assert list(decoder.decode(b"\xbe", raw=True)) == [(b"c", b"d")]


def test_the_table_of_the_peer_stays_empty_and_secrets_are_marked() -> None:
    encoder = FieldEncoder()
    first = encoder.encode([(b":method", b"GET"), NeverIndexedHeaderTuple(b"authorization", b"secret")])
    assert first == b"\x20\x82\x1f\x08\x06secret"
    assert encoder.encode([(b":method", b"GET")]) == b"\x82"


def test_long_lists_are_refused() -> None:
    block = FieldEncoder().encode([(b"a", b"x" * 1000)])
    with pytest.raises(OversizedHeaderListError):
        FieldDecoder(500).decode(block, raw=True)
