"""Content codings: vectors, chains, damage, bombs."""

from __future__ import annotations

import gzip
import random
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.memory import traced

from flowdump.http import content_coding

CODINGS = ["gzip", "x-gzip", "deflate", "br", "zstd", "identity", "none", ""]
COMPRESSING = ["gzip", "deflate", "br", "zstd"]
MIB = 1024 * 1024


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def large_body() -> bytes:
    """Two MiB that compress about fourfold, so that every decoder needs several steps for it."""
    source = random.Random(7)
    return b"".join(b"line %d of the text\n" % source.randrange(10**9) for _ in range(75_000))


# -- vectors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", bytes.fromhex("1f8b0800000000000003cb48cdc9c90700 86a61036 05000000")),
        ("deflate", bytes.fromhex("789ccb48cdc9c907000 62c0215".replace(" ", ""))),
        ("deflate", bytes.fromhex("cb48cdc9c90700")),
        ("br", bytes.fromhex("0b028068656c6c6f03")),
        ("zstd", bytes.fromhex("28b52ffd2005290000 68656c6c6f")),
        ("identity", b"hello"),
    ],
)
def test_known_streams_decode(coding: str, data: bytes) -> None:
    assert content_coding.decode(data, coding) == b"hello"


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("data", [b"", b"x", b"hello " * 1000, large_body()])
def test_what_was_encoded_decodes(coding: str, data: bytes) -> None:
    assert content_coding.decode(content_coding.encode(data, coding), coding) == data


@pytest.mark.parametrize("coding", COMPRESSING)
def test_encoding_makes_text_small_and_is_repeatable(coding: str) -> None:
    body = large_body()
    packed = content_coding.encode(body, coding)
    assert len(packed) < len(body) / 2
    assert content_coding.encode(body, coding) == packed


def test_gzip_carries_no_time_stamp() -> None:
    assert content_coding.encode(b"hello", "gzip")[4:8] == b"\0\0\0\0"


def test_other_implementations_read_what_we_write() -> None:
    body = large_body()
    assert gzip.decompress(content_coding.encode(body, "gzip")) == body
    assert zlib.decompress(content_coding.encode(body, "deflate")) == body
    assert brotli.decompress(content_coding.encode(body, "br")) == body
    assert zstandard.ZstdDecompressor().decompress(content_coding.encode(body, "zstd")) == body


# -- names and lists --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["GZIP", " gzip ", "X-GZip", "gzip,", ",gzip", "identity, gzip", "gzip ,none"])
def test_names_are_matched_generously(name: str) -> None:
    assert content_coding.decode(gzip.compress(b"hello"), name) == b"hello"


def test_a_list_is_applied_from_the_left_and_undone_from_the_right() -> None:
    packed = content_coding.encode(b"hello" * 9, "gzip, br")
    assert gzip.decompress(brotli.decompress(packed)) == b"hello" * 9
    assert content_coding.decode(packed, "gzip, br") == b"hello" * 9
    with pytest.raises(ValueError, match="br body"):
        content_coding.decode(content_coding.encode(b"hello" * 9, "br, gzip"), "gzip, br")


@pytest.mark.parametrize(
    "name", ["compress", "aws-chunked", "utf-8", "hex", "gzip br", "gzip;q=1", "chun\u212aed", "\u0130dentity"]
)
def test_an_unknown_coding_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="unknown content coding") as caught:
        content_coding.decode(b"x", f"gzip, {name}")
    assert name in str(caught.value)
    with pytest.raises(ValueError, match="unknown content coding"):
        content_coding.encode(b"x", name)


def test_an_empty_body_is_empty_under_any_coding() -> None:
    assert content_coding.decode(b"", "gzip") == b""
    assert content_coding.decode(b"", "aws-chunked") == b""


def test_long_lists_are_refused() -> None:
    assert content_coding.decode(content_coding.encode(b"x", ", ".join(["gzip"] * 8)), ", ".join(["gzip"] * 8)) == b"x"
    with pytest.raises(ValueError, match="9 content codings"):
        content_coding.decode(b"x", ", ".join(["gzip"] * 9))


# -- several streams in one body, and what comes after them ------------------------------------------------------------


def test_gzip_members_are_joined() -> None:
    assert (
        content_coding.decode(gzip.compress(b"hello ") + gzip.compress(b"") + gzip.compress(b"world"), "gzip")
        == b"hello world"
    )


def test_large_gzip_members_are_joined() -> None:
    body = large_body()
    assert content_coding.decode(gzip.compress(body) + gzip.compress(body), "gzip") == body + body


def test_equal_gzip_members_are_all_kept() -> None:
    assert content_coding.decode(gzip.compress(b"abc") * 3, "gzip") == b"abcabcabc"


@pytest.mark.parametrize("garbage", [b"\0", b"\0" * 2000, b"junk", b"\x1f\x8b", b"<html>"])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_garbage_behind_a_stream_is_dropped(coding: str, garbage: bytes) -> None:
    for body in (b"hello", large_body()):
        assert content_coding.decode(content_coding.encode(body, coding) + garbage, coding) == body


def test_garbage_behind_a_zstd_frame_is_dropped() -> None:
    assert content_coding.decode(content_coding.encode(b"hello", "zstd") + b"junk", "zstd") == b"hello"


def test_a_broken_second_member_is_an_error() -> None:
    with pytest.raises(ValueError, match="gzip body"):
        content_coding.decode(gzip.compress(b"hello") + gzip.compress(b"world")[:-5], "gzip")


def test_zstd_frames_are_joined_and_skippable_ones_skipped() -> None:
    skippable = b"\x5a\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    frame = content_coding.encode(b"hello", "zstd")
    assert content_coding.decode(skippable + frame + skippable + frame, "zstd") == b"hellohello"


def test_zstd_without_content_size() -> None:
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    body = large_body()
    packed = packer.compress(body) + packer.flush()
    assert zstandard.frame_content_size(packed) == -1
    assert content_coding.decode(packed, "zstd") == body


@pytest.mark.parametrize("make", [lambda: gzip.compress(b""), lambda: content_coding.encode(b"", "zstd")])
def test_too_many_empty_streams_are_refused(make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(make)
    monkeypatch.setattr(content_coding, "_MAX_MEMBERS", 10)
    stream = make()
    coding = "gzip" if stream[0] == 0x1F else "zstd"
    assert content_coding.decode(stream * 10, coding) == b""
    with pytest.raises(ValueError, match="more than 10"):
        content_coding.decode(stream * 11, coding)


def test_raw_deflate_that_looks_like_a_zlib_header() -> None:
    data = bytes([0x78 & 0xF8]) + (0x5).to_bytes(2, "little") + (0xFFFA).to_bytes(2, "little") + b"hello" + b"\x03\0"
    assert data[0] & 0x0F == 8
    assert zlib.decompress(data, -15) == b"hello"
    assert content_coding.decode(data, "deflate") == b"hello"


# -- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", COMPRESSING)
@pytest.mark.parametrize("body", [b"hello, hello, hello", large_body()], ids=["small", "large"])
def test_a_cut_stream_is_an_error(coding: str, body: bytes) -> None:
    packed = content_coding.encode(body, coding)
    for length in sorted({1, 2, 5, len(packed) // 2, len(packed) - 3, len(packed) - 1}):
        with pytest.raises(ValueError, match=f"{coding} body cannot be decoded"):
            content_coding.decode(packed[:length], coding)


@pytest.mark.parametrize("coding", COMPRESSING)
def test_what_is_not_compressed_is_an_error(coding: str) -> None:
    with pytest.raises(ValueError, match=f"{coding} body cannot be decoded"):
        content_coding.decode(b"<html>not compressed at all</html>", coding)


def test_a_wrong_checksum_is_an_error() -> None:
    packed = bytearray(gzip.compress(b"hello"))
    packed[-8] ^= 1
    with pytest.raises(ValueError, match="gzip body"):
        content_coding.decode(bytes(packed), "gzip")


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(COMPRESSING))
def test_any_bytes_decode_or_raise_value_error(data: bytes, coding: str) -> None:
    try:
        plain = content_coding.decode(data, coding)
    except ValueError:
        return
    assert isinstance(plain, bytes)


@settings(deadline=None)
@given(st.binary(max_size=2000), st.lists(st.sampled_from(CODINGS), max_size=4))
def test_chains_round_trip(data: bytes, chain: list[str]) -> None:
    name = ", ".join(chain)
    assert content_coding.decode(content_coding.encode(data, name), name) == data


@settings(deadline=None, max_examples=200)
@given(st.binary(min_size=1, max_size=500), st.sampled_from(COMPRESSING), st.data())
def test_flipped_bits_decode_or_raise_value_error(body: bytes, coding: str, draw: st.DataObject) -> None:
    packed = bytearray(content_coding.encode(body, coding))
    packed[draw.draw(st.integers(0, len(packed) - 1))] ^= draw.draw(st.integers(1, 255))
    try:
        plain = content_coding.decode(bytes(packed), coding)
    except ValueError:
        return
    assert isinstance(plain, bytes)


# -- bombs ------------------------------------------------------------------------------------------------------------


def bomb(coding: str, size: int) -> bytes:
    """Zeros, packed as densely as the coding can."""
    if coding == "deflate-raw":
        return raw_deflate(bytes(size))
    if coding in ("gzip", "deflate"):
        return zlib.compress(bytes(size), 9, 31 if coding == "gzip" else 15)
    return content_coding.encode(bytes(size), coding)


@pytest.mark.parametrize("coding", [*COMPRESSING, "deflate-raw"])
def test_a_bomb_is_refused_without_the_memory_for_it(coding: str) -> None:
    packed = bomb(coding, 100 * MIB)
    with traced() as memory:
        with pytest.raises(content_coding.DecompressionBombError, match="decode to more than 8388608 bytes"):
            content_coding.decode(packed, coding.partition("-")[0], limit=8 * MIB)
        peak = memory()[1]
    assert peak < 14 * MIB


@pytest.mark.parametrize("coding", COMPRESSING)
def test_the_ratio_rule_needs_no_limit(coding: str) -> None:
    packed = bomb(coding, content_coding.RATIO_FREE + MIB)
    with pytest.raises(content_coding.DecompressionBombError):
        content_coding.decode(packed, coding)


@pytest.mark.parametrize("coding", COMPRESSING)
def test_a_dense_body_below_the_free_size_is_no_bomb(coding: str) -> None:
    assert content_coding.decode(bomb(coding, 8 * MIB), coding) == bytes(8 * MIB)


@pytest.mark.parametrize("coding", COMPRESSING)
def test_the_limit_is_exact(coding: str) -> None:
    body = large_body()
    packed = content_coding.encode(body, coding)
    assert content_coding.decode(packed, coding, limit=len(body)) == body
    with pytest.raises(content_coding.DecompressionBombError):
        content_coding.decode(packed, coding, limit=len(body) - 1)
    small = content_coding.encode(b"hello", coding)
    assert content_coding.decode(small, coding, limit=5) == b"hello"
    with pytest.raises(content_coding.DecompressionBombError):
        content_coding.decode(small, coding, limit=4)


def test_a_bomb_inside_a_chain_is_refused() -> None:
    packed = content_coding.encode(bomb("gzip", 64 * MIB), "gzip")
    assert len(packed) < 2000
    with pytest.raises(content_coding.DecompressionBombError):
        content_coding.decode(packed, "gzip, gzip")


def test_brotli_before_1_2_is_bounded_by_small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    class OldDecompressor:
        """What brotli 1.1 offers: no limit on the output of a call."""

        def __init__(self) -> None:
            self.engine = new()

        def process(self, data: bytes) -> bytes:
            return bytes(self.engine.process(data))

        def is_finished(self) -> bool:
            return bool(self.engine.is_finished())

    new = brotli.Decompressor
    packed = content_coding.encode(bytes(100 * MIB), "br")
    cut = content_coding.encode(b"hello, hello", "br")
    monkeypatch.setattr(brotli, "Decompressor", OldDecompressor)
    body = large_body()
    assert content_coding.decode(content_coding.encode(body, "br"), "br") == body
    with pytest.raises(ValueError, match="cut short"):
        content_coding.decode(cut[:-1], "br")
    with pytest.raises(content_coding.DecompressionBombError):
        content_coding.decode(packed, "br")
