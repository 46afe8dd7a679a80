"""query: the parameters of the request's URL, for requests that have no body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdump.contentviews.name_value import fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowdump.contentviews.body import Body


def lines(body: Body) -> Iterator[str]:
    """Raises ValueError when the URL has no query."""
    if not body.query:
        raise ValueError("no query")
    return fields(iter(body.query))
