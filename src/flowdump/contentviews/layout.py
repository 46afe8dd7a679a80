"""Small things that views share: indentation and trees."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeGuard

# Indentation stops growing here: a document nested 100,000 deep would otherwise be printed in quadratic space.
_DEEPEST = 40
_INDENTS = tuple("  " * depth for depth in range(_DEEPEST + 1))
_SHOWN_BYTES = 64


def words(text: str) -> frozenset[str]:
    """The words of `text`, for tables of names that would fill pages one by one."""
    return frozenset(text.split())


def indent(depth: int) -> str:
    """Two spaces per level, up to a limit."""
    return _INDENTS[min(max(depth, 0), _DEEPEST)]


class Pairs(tuple[tuple[object, object], ...]):
    """A mapping as it was on the wire: in order, duplicates kept, keys of any type."""

    __slots__ = ()


class Plain(str):
    """A scalar that is printed as it is, without quotes."""

    __slots__ = ()


def tree(value: object) -> Iterator[str]:
    """Lines of a value made of `Pairs`, lists and scalars: ``key: value``, ``- item``, children indented.

    An explicit stack instead of recursion, so depth costs nothing but indentation.
    """
    if not _is_container(value):
        yield scalar(value)
        return
    stack = [_children(value)]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            continue
        label, item = entry
        margin = indent(len(stack) - 1)
        if _is_container(item):
            yield f"{margin}{label}".rstrip()
            stack.append(_children(item))
        else:
            yield f"{margin}{label}{scalar(item)}"


def _is_container(value: object) -> TypeGuard[Pairs | list[object]]:
    return isinstance(value, (Pairs, list)) and bool(value)


def _children(item: Pairs | list[object]) -> Iterator[tuple[str, object]]:
    if isinstance(item, Pairs):
        return (
            (f"{(key if isinstance(key, str) and key.isprintable() and key.strip() else scalar(key))}: ", child)
            for key, child in item
        )
    return (("- ", child) for child in item)


def scalar(value: object) -> str:
    """One value on one line: strings quoted as in JSON, bytes in hex (the first 64, then how many there are)."""
    if isinstance(value, Plain):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytes):
        shown = value[:_SHOWN_BYTES].hex(" ")
        return f"<{shown}>" if len(value) <= _SHOWN_BYTES else f"<{shown} … {len(value)} bytes>"
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Pairs):  # here and below: a key, or an empty container
        return "{" + ", ".join(f"{scalar(key)}: {scalar(item)}" for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(scalar, value)) + "]"
    return str(value)


def split_lines(margin: str, text: str) -> Iterator[str]:
    """`text` after `margin`; lines that begin inside of it (comments, templates) stay as they are."""
    if not text:
        return
    if "\n" not in text:
        yield margin + text
        return
    first, *rest = text.split("\n")
    yield margin + first.removesuffix("\r")
    for line in rest:
        yield line.removesuffix("\r")
