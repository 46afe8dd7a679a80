"""Form bodies in parts."""

from __future__ import annotations

from collections.abc import Iterable

from flowdump.http import forms


def encode_multipart(content_type: str, parts: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The body of some fields; the boundary is the one that the type names."""
    return forms.encode_multipart(content_type, list(parts), b"")


def decode_multipart(content_type: str | None, content: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a body; none where the type names no boundary."""
    try:
        return forms.decode_multipart(content_type or "", content)
    except ValueError:
        return []


encode = encode_multipart
decode = decode_multipart
