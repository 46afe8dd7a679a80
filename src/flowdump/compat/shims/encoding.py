"""``mitmproxy.net.encoding``: content codings and charsets through one pair of functions."""

from __future__ import annotations

from flowdump.http import content_coding

#: Content codings; any other name is that of a charset.
_CODINGS = ("none", "identity", "gzip", "deflate", "deflateraw", "br", "zstd")


def decode(encoded: str | bytes | None, encoding_name: str, errors: str = "strict") -> str | bytes | None:
    """Undo a content coding (bytes stay bytes), or decode a charset (bytes become str). Raises ValueError."""
    if encoded is None:
        return None
    try:
        if encoding_name.lower() in _CODINGS:
            return content_coding.decode(_bytes(encoded), _coding(encoding_name))
        return encoded if isinstance(encoded, str) else encoded.decode(encoding_name, errors)
    except LookupError as error:
        raise ValueError(f"{type(error).__name__} when decoding with {encoding_name!r}: {error}") from error


def encode(decoded: str | bytes | None, encoding_name: str, errors: str = "strict") -> str | bytes | None:
    """Apply a content coding, or encode a charset. Raises ValueError."""
    if decoded is None:
        return None
    try:
        if encoding_name.lower() in _CODINGS:
            return content_coding.encode(_bytes(decoded), _coding(encoding_name))
        return decoded if isinstance(decoded, bytes) else decoded.encode(encoding_name, errors)
    except LookupError as error:
        raise ValueError(f"{type(error).__name__} when encoding with {encoding_name!r}: {error}") from error


def _bytes(value: str | bytes) -> bytes:
    if isinstance(value, str):
        raise TypeError("a content coding is for bytes, not for str")
    return value


def _coding(name: str) -> str:
    return {"none": "identity", "deflateraw": "deflate"}.get(name.lower(), name)
