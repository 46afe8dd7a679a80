"""Lists of names and values, as queries and forms are shown."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from flowdump.contentviews.body import str_lines
from flowdump.contentviews.json_text import json_lines

#: Names that decide about the width of their column.
_ALIGNED = 50
#: The widest column of names.
_WIDEST_NAME = 30
#: Characters up to which a value is tried as a JSON document.
_LARGEST_INNER = 65_536


def fields(pairs: Iterator[tuple[str, str]]) -> Iterator[str]:
    """``name:  value`` lines, values one below the other (by the first names, so that the rest stays lazy).

    A value of several lines, or one that is a JSON document, goes below its name, indented.
    """
    first = list(islice(pairs, _ALIGNED))
    width = min(max((len(name) for name, _ in first), default=0) + 2, _WIDEST_NAME)
    for name, value in chain(first, pairs):
        below = _below(value)
        if below is None:
            yield f"{name + ': ':<{width}}{value}" if value else f"{name}:"
        else:
            yield f"{name}:"
            yield from (f"  {line}" for line in below)


def _below(value: str) -> Iterator[str] | None:
    if value[:1] in ("{", "[") and len(value) < _LARGEST_INNER:
        try:
            return json_lines(value)
        except (ValueError, RecursionError):
            return str_lines(value) if "\n" in value else None
    return str_lines(value) if "\n" in value else None
