"""``mitmproxy.net.http.multipart``: encode and decode multipart form bodies."""

from __future__ import annotations

from collections.abc import Iterable

from flowdump.http import forms


def encode_multipart(content_type: str, parts: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode form fields, with the boundary that the content type names."""
    return forms.encode_multipart(content_type, list(parts), b"")


def decode_multipart(content_type: str | None, content: bytes) -> list[tuple[bytes, bytes]]:
    """Decode form fields. Empty if the content type names no boundary."""
    try:
        return forms.decode_multipart(content_type or "", content)
    except ValueError:
        return []


encode = encode_multipart
decode = decode_multipart
