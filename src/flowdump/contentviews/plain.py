"""raw: the body as text, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowdump.contentviews.body import Body


def lines(body: Body) -> Iterator[str]:
    """The lines as they came; what a terminal should not see is escaped later, by the caller."""
    return body.text_lines()
