"""``mitmproxy.utils.strutils``: convert and escape text and bytes, hex dumps, tests for binary data and XML."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any

#: Bytes that the test for binary data looks at.
_GUESS = 100
_HEX_COLUMNS = 16


def always_bytes(str_or_bytes: str | bytes | None, *encode_args: Any) -> bytes | None:
    """Raises TypeError for anything but str, bytes and None."""
    if str_or_bytes is None or isinstance(str_or_bytes, bytes):
        return str_or_bytes
    if isinstance(str_or_bytes, str):
        return str_or_bytes.encode(*encode_args)
    raise TypeError(f"Expected str or bytes, but got {type(str_or_bytes).__name__}.")


def always_str(str_or_bytes: str | bytes | None, *decode_args: Any) -> str | None:
    """Raises TypeError for anything but str, bytes and None."""
    if str_or_bytes is None or isinstance(str_or_bytes, str):
        return str_or_bytes
    if isinstance(str_or_bytes, bytes):
        return str_or_bytes.decode(*decode_args)
    raise TypeError(f"Expected str or bytes, but got {type(str_or_bytes).__name__}.")


def escape_control_characters(text: str, keep_spacing: bool = True) -> str:
    """Replace control characters by dots; ``keep_spacing`` keeps tabs and line ends."""
    if not isinstance(text, str):
        raise ValueError(f"text type must be unicode but is {type(text).__name__}")
    kept = "\t\r\n" if keep_spacing else ""
    return re.sub("[\x00-\x1f\x7f]", lambda found: found[0] if found[0] in kept else ".", text)


def bytes_to_escaped_str(data: bytes, keep_spacing: bool = False, escape_single_quotes: bool = False) -> str:
    """Escape bytes as in a Python literal, without the quotes. Raises ValueError for other types."""
    if not isinstance(data, bytes):
        raise ValueError(f"data must be bytes, but is {type(data).__name__}")
    text = repr(b'"' + data)[3:-1]  # a double quote makes repr use single ones
    if not escape_single_quotes:
        text = re.sub(r"(?<!\\)((?:\\\\)*)\\'", r"\1'", text)
    if keep_spacing:
        spacing = {"n": "\n", "r": "\r", "t": "\t"}
        text = re.sub(r"(?<!\\)((?:\\\\)*)\\([nrt])", lambda found: found[1] + spacing[found[2]], text)
    return text


def escaped_str_to_bytes(data: str) -> bytes:
    """Undo ``bytes_to_escaped_str``. Raises ValueError for an invalid escape."""
    if not isinstance(data, str):
        raise ValueError(f"data must be str, but is {type(data).__name__}")
    return codecs.escape_decode(data.encode())[0]


def is_mostly_bin(s: bytes) -> bool:
    """Whether bytes look binary: their beginning is not UTF-8 or has control characters."""
    head = s[:_GUESS]
    if not head:
        return False
    for cut in range(4):  # a character may have been cut in two
        try:
            text = head[: len(head) - cut].decode()
        except UnicodeDecodeError:
            continue
        return any(char < " " and char not in "\t\r\n" for char in text)
    return True


def is_xml(s: bytes) -> bool:
    return s.strip().startswith(b"<")


def clean_hanging_newline(t: str) -> str:
    """The text without one trailing line feed."""
    return t.removesuffix("\n")


def hexdump(s: bytes) -> Iterator[tuple[str, str, str]]:
    """``(offset, hex, text)`` for each sixteen bytes."""
    for i in range(0, len(s), _HEX_COLUMNS):
        part = s[i : i + _HEX_COLUMNS]
        text = escape_control_characters(part.decode("ascii", "replace").replace("\ufffd", "."), False)
        yield f"{i:0=10x}", f"{part.hex(' '):<{_HEX_COLUMNS * 3 - 1}}", text


def cut_after_n_lines(content: str, n: int) -> str:
    """The first ``n`` lines, with their line ends."""
    return "".join(content.splitlines(keepends=True)[:n])
