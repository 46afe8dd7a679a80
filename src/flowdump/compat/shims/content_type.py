"""``mitmproxy.net.http.headers``: take Content-Type apart, put it together, and infer the charset."""

from __future__ import annotations

from collections.abc import Mapping

from flowdump.http import charsets


def parse_content_type(c: str) -> tuple[str, str, dict[str, str]] | None:
    """``"text/html; charset=UTF-8"`` -> ``("text", "html", {"charset": "UTF-8"})``; None for an invalid value."""
    parsed = charsets.parse_content_type(c)
    return None if parsed is None else (parsed[0], parsed[1], dict(parsed[2]))


def assemble_content_type(type: str, subtype: str, parameters: Mapping[str, str]) -> str:
    return "; ".join([f"{type}/{subtype}", *(f"{name}={value}" for name, value in parameters.items())])


def infer_content_encoding(content_type: str, content: bytes = b"") -> str:
    """The charset of a body, from its Content-Type and its first bytes."""
    return charsets.infer_charset(content_type, content)
