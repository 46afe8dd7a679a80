"""What scripts make of the content of a message, as bytes that can be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def settle(message: Any, came: bytes, warn: Callable[[str], None]) -> bytes:
    """The content of a WebSocket, TCP or UDP message after its event: text becomes UTF-8, anything like bytes just
    that. What is neither was a mistake, which is told, and ``came`` is put back.
    """
    content = message.content
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        settled = to_bytes(content)
    elif isinstance(content, bytearray | memoryview):
        settled = bytes(content)
    else:
        warn(f"a script set the content of a message to {type(content).__name__}, not bytes: not changed")
        settled = came
    message.content = settled
    return settled


def to_bytes(content: str) -> bytes:
    """Text as UTF-8; lone surrogates are the bytes that they stand for, if they do, else question marks."""
    try:
        return content.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return content.encode("utf-8", "replace")
