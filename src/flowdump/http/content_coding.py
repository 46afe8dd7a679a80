"""Content codings (RFC 9110 section 8.4): gzip, deflate, br and zstd, both ways and in any combination.

A body is hostile until it is decoded: a few kilobytes can stand for gigabytes. So every decoder works towards an
*allowance*, the most bytes it may put out for this input: never above `limit`, and above `RATIO_FREE` never more than
`MAX_RATIO` times the size of what came in. Memory keeps to the allowance because the output of a single call into a
library is bounded too, each in its own way:

* zlib and brotli (1.2 and later) can stop in the middle of the input when enough came out;
* zstd, and brotli before 1.2, cannot. For these the *input* is cut into slices so small that even the densest stream
  (`_ZSTD_DENSEST`, `_BROTLI_DENSEST`: bytes out for each byte in) cannot overrun what is left of the allowance.

Small gzip and deflate bodies take one plain call, as deflate cannot expand more than 1032 times and so cannot overrun.
A coding chain ("gzip, br") is undone from right to left and shares one allowance, counted from the outermost input.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from flowdump.http.charsets import decode_text, encode_text, infer_charset, text_decode, text_encode, with_charset

if TYPE_CHECKING:
    from collections.abc import Callable

    import brotli

__all__ = [
    "MAX_OUTPUT",
    "MAX_RATIO",
    "RATIO_FREE",
    "DecompressionBombError",
    "decode",
    "decode_text",
    "encode",
    "encode_text",
    "infer_charset",
    "text_decode",
    "text_encode",
    "with_charset",
]

MAX_OUTPUT = 256 * 1024 * 1024
"""Most bytes that a body may decode to, in bytes, unless the caller says otherwise."""
RATIO_FREE = 32 * 1024 * 1024
"""Bodies that decode to no more than this many bytes are never judged by their ratio."""
MAX_RATIO = 256
"""Bytes out for each byte in that a body above `RATIO_FREE` may have; text stays below 50, bombs are above 1000."""

_MAX_CODINGS = 8
"""Longest list of codings that is followed; real ones have one or two, curl stops at five."""
_MAX_MEMBERS = 65536
"""Most gzip members or zstd frames in one body: empty ones put nothing out, so the allowance does not bound them."""
_STEP = 65536
_OUTPUT_STEP = 1024 * 1024
_DEFLATE_DENSEST = 1040
_ZSTD_DENSEST = 2 * 32768  # RFC 8878 3.1.1.2: an RLE block makes 128 KiB out of four bytes; twice, for a copy
_BROTLI_DENSEST = 2 * 1024 * 1024  # RFC 7932 9.2: a meta-block makes 16 MiB, and its header alone has eight bytes
_GZIP, _ZLIB, _RAW = 31, 15, -15  # zlib's names for the three wrappings
_GZIP_MAGIC = b"\x1f\x8b\x08"


class DecompressionBombError(ValueError):
    """A body decodes to more than is allowed; what was decoded until then has been thrown away."""


def decode(data: bytes, content_encoding: str, *, limit: int = MAX_OUTPUT) -> bytes:
    """Undo the codings that a Content-Encoding value lists and return the plain body.

    Names are case-insensitive; "", "none" and "identity" change nothing, and an empty body (HEAD, 304) is empty under
    any coding. Bytes after a complete gzip, deflate or zstd stream that start no further stream are dropped, as
    browsers do. Raises `ValueError` if a coding is unknown or the data is damaged or cut short, and its subclass
    `DecompressionBombError` if more than `limit` bytes (or far more than the input suggests) would come out.
    """
    if not data:
        return data
    allowance = min(limit, max(RATIO_FREE, len(data) * MAX_RATIO))
    for coding in reversed(_codings(content_encoding)):
        data = _DECODERS[coding](data, allowance)
    return data


def encode(data: bytes, content_encoding: str) -> bytes:
    """Apply the codings that a Content-Encoding value lists, the leftmost first, at a fast level.

    The same input always gives the same output (gzip carries no time stamp). Raises `ValueError` for an unknown coding.
    """
    for coding in _codings(content_encoding):
        data = _ENCODERS[coding](data)
    return data


@lru_cache(maxsize=128)
def _codings(content_encoding: str) -> tuple[str, ...]:
    """The known codings of a list in the order they were applied; identity left out."""
    names = [name.strip(" \t") for name in content_encoding.split(",")]
    codings = []
    for name in names:
        coding = _NAMES.get(name.lower() if name.isascii() else name)
        if coding is None:
            raise ValueError(f"unknown content coding {name[:40]!r}")
        if coding:
            codings.append(coding)
    if len(codings) > _MAX_CODINGS:
        raise ValueError(f"{len(codings)} content codings on one body, at most {_MAX_CODINGS} are followed")
    return tuple(codings)


def _bomb(coding: str, size: int, allowance: int) -> DecompressionBombError:
    return DecompressionBombError(f"{coding} body: {size} bytes decode to more than {allowance} bytes")


def _damaged(coding: str, reason: object) -> ValueError:
    return ValueError(f"{coding} body cannot be decoded: {reason}")


# -- gzip and deflate (RFC 1950, 1951, 1952) --------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _isal() -> Any:
    """ISA-L, which packs four times and unpacks twice as fast as zlib; None where it is not installed."""
    try:
        from isal import isal_zlib
    except ImportError:
        return None
    return isal_zlib


def _decode_at_once(data: bytes) -> bytes | None:
    """The named fast path: one sound gzip member, whole and with nothing after it. None for all else: zlib decides."""
    isal = _isal()
    if isal is None:
        return None
    try:
        engine = isal.decompressobj(_GZIP)
        plain: bytes = engine.decompress(data)
    except isal.error:
        return None
    return plain if engine.eof and not engine.unused_data else None


def _decode_gzip(data: bytes, allowance: int) -> bytes:
    try:
        if len(data) * _DEFLATE_DENSEST <= allowance:
            plain = _decode_at_once(data)
            if plain is not None:
                return plain
            engine = zlib.decompressobj(_GZIP)
            plain = engine.decompress(data)
            if engine.eof and not engine.unused_data:
                return plain
        # All members of a gzip file (RFC 1952 2.2); data after the last one is dropped.
        out = BytesIO()
        view = memoryview(data)
        for _ in range(_MAX_MEMBERS):
            view = view[_inflate(view, _GZIP, out, allowance) :]
            if view[:3] != _GZIP_MAGIC:
                return out.getvalue()
        raise _damaged("gzip", f"it has more than {_MAX_MEMBERS} members")
    except zlib.error as error:
        raise _damaged("gzip", error) from None


def _decode_deflate(data: bytes, allowance: int) -> bytes:
    """Deflate with the zlib header that RFC 9110 8.4.1.2 asks for, or without it, as some servers send it."""
    wrapped = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
    if not wrapped:
        return _decode_deflate_as(data, _RAW, allowance)
    try:
        return _decode_deflate_as(data, _ZLIB, allowance)
    except DecompressionBombError:
        raise
    except ValueError as error:
        # A raw stream may begin with what looks like a zlib header; if it was none, the first error tells more.
        try:
            return _decode_deflate_as(data, _RAW, allowance)
        except ValueError:
            raise error from None


def _decode_deflate_as(data: bytes, wrapping: int, allowance: int) -> bytes:
    try:
        if len(data) * _DEFLATE_DENSEST <= allowance:
            engine = zlib.decompressobj(wrapping)
            plain = engine.decompress(data)
            if engine.eof:
                return plain
            raise _damaged("deflate", "it is cut short")
        out = BytesIO()
        _inflate(memoryview(data), wrapping, out, allowance)
        return out.getvalue()
    except zlib.error as error:
        raise _damaged("deflate", error) from None


def _inflate(view: memoryview, wrapping: int, out: BytesIO, allowance: int) -> int:
    """Inflate one stream from the start of `view` to `out`; return how many bytes of input it had.

    The input goes in slices, first small ones, since zlib copies what it did not use: with one large slice a file of
    many tiny members would cost time that is quadratic in the slice.
    """
    coding = "gzip" if wrapping == _GZIP else "deflate"
    engine = zlib.decompressobj(wrapping)
    position, step = 0, 1024
    while not engine.eof:
        piece: bytes | memoryview = engine.unconsumed_tail
        if not piece:
            piece = view[position : position + step]
            position += len(piece)
            step = min(step * 2, _STEP)
        plain = engine.decompress(piece, _OUTPUT_STEP)
        if not plain and not piece and not engine.eof:
            raise _damaged(coding, "it is cut short")
        out.write(plain)
        if out.tell() > allowance:
            raise _bomb(coding, len(view), allowance)
    return position - len(engine.unused_data)


def _encode_gzip(data: bytes) -> bytes:
    isal = _isal()
    return zlib.compress(data, 1, _GZIP) if isal is None else isal.compress(data, 1, _GZIP)


def _encode_deflate(data: bytes) -> bytes:
    return zlib.compress(data, 1, _ZLIB)


# -- brotli (RFC 7932) ------------------------------------------------------------------------------------------------


def _decode_brotli(data: bytes, allowance: int) -> bytes:
    import brotli

    engine = brotli.Decompressor()
    pump = _pump_brotli if hasattr(engine, "can_accept_more_data") else _pump_old_brotli
    try:
        return pump(engine, data, allowance)
    except brotli.error:
        # The library's own text never says more than that decoding failed.
        raise _damaged("br", "it is not a valid brotli stream") from None


def _pump_brotli(engine: brotli.Decompressor, data: bytes, allowance: int) -> bytes:
    plain: bytes = engine.process(data[:_STEP], output_buffer_limit=_OUTPUT_STEP)
    if len(data) <= _STEP and engine.is_finished() and len(plain) <= allowance:
        return plain
    out = BytesIO()
    out.write(plain)
    position = _STEP
    while out.tell() <= allowance:
        if engine.is_finished() and position >= len(data):
            return out.getvalue()
        piece = b""
        if engine.can_accept_more_data():
            piece = data[position : position + _STEP]
            position += _STEP
        plain = engine.process(piece, output_buffer_limit=_OUTPUT_STEP)
        if not plain and not engine.is_finished() and position >= len(data):
            raise _damaged("br", "it is cut short")
        out.write(plain)
    raise _bomb("br", len(data), allowance)


def _pump_old_brotli(engine: brotli.Decompressor, data: bytes, allowance: int) -> bytes:
    out = BytesIO()
    position = 0
    while position < len(data):
        step = max(8, min(_STEP, (allowance - out.tell()) // _BROTLI_DENSEST))
        out.write(engine.process(data[position : position + step]))
        position += step
        if out.tell() > allowance:
            raise _bomb("br", len(data), allowance)
    if not engine.is_finished():
        raise _damaged("br", "it is cut short")
    return out.getvalue()


def _encode_brotli(data: bytes) -> bytes:
    import brotli

    return bytes(brotli.compress(data, quality=1))


# -- zstd (RFC 8878) --------------------------------------------------------------------------------------------------


def _decode_zstd(data: bytes, allowance: int) -> bytes:
    import zstandard

    try:
        return _decode_frames(data, allowance)
    except zstandard.ZstdError as error:
        raise _damaged("zstd", error) from None


def _decode_frames(data: bytes, allowance: int) -> bytes:
    """All frames of a body (RFC 8878 3.1), skippable ones too; data after the last one is dropped."""
    import zstandard

    out = BytesIO()
    decompressor = zstandard.ZstdDecompressor()
    position = 0
    for _ in range(_MAX_MEMBERS):
        engine = decompressor.decompressobj()
        while not engine.eof:
            if position >= len(data):
                raise _damaged("zstd", "it is cut short")
            step = max(4, min(_STEP, (allowance - out.tell()) // _ZSTD_DENSEST))
            out.write(engine.decompress(data[position : position + step]))
            position += step
            if out.tell() > allowance:
                raise _bomb("zstd", len(data), allowance)
        position = min(position, len(data)) - len(engine.unused_data)
        if not _is_zstd_frame(data[position : position + 4]):
            return out.getvalue()
    raise _damaged("zstd", f"it has more than {_MAX_MEMBERS} frames")


def _is_zstd_frame(magic: bytes) -> bool:
    """Whether four bytes begin a frame with data or a skippable one (RFC 8878 3.1.1 and 3.1.2)."""
    return magic == b"\x28\xb5\x2f\xfd" or (
        len(magic) == 4 and 0x50 <= magic[0] <= 0x5F and magic[1:] == b"\x2a\x4d\x18"
    )


def _encode_zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=1).compress(data)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _decode_gzip,
    "deflate": _decode_deflate,
    "br": _decode_brotli,
    "zstd": _decode_zstd,
}
_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _encode_gzip,
    "deflate": _encode_deflate,
    "br": _encode_brotli,
    "zstd": _encode_zstd,
}
_NAMES = {name: name for name in _DECODERS} | {"x-gzip": "gzip", "": "", "none": "", "identity": ""}
