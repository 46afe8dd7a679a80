"""Pretty printing of message bodies for a terminal or a pipe.

    rendered = contentviews.render(response.content, content_type="application/json")
    rendered.name    # "json", the view that was used
    rendered.lines   # an iterator of str

Lines are made as they are taken: showing 512 lines costs 512, as far as the format allows (JSON is checked
whole before its first line, and is shown as text above 8 MiB). They have no line ends, and no character that could
drive a terminal (`flowdump.escaping`); a line may be very long. Nothing in a body makes `render` or the iterator
raise, and time is linear in the size of the body.

`names()` lists the views; "auto" chooses by media type, then by what the content looks like, and ends with text or a
hex dump. A view asked for by name that cannot read the body gives way to these two as well. The table of views is in
`choice.py`, one file for each view beside it. Importing this package imports none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdump.contentviews.body import Body
from flowdump.contentviews.choice import AUTO, Rendered, canonical, names, show

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AUTO", "Rendered", "canonical", "names", "render"]


def render(
    content: bytes,
    *,
    content_type: str = "",
    query: Sequence[tuple[str, str]] = (),
    view: str = AUTO,
    charset: str = "",
    grpc_encoding: str = "",
) -> Rendered:
    """Show a body; `content` is without its content encoding.

    `content_type` is the header's value; `query` the decoded parameters of the request's URL, shown by "auto" where
    there is no body; `charset` overrides what header and document say; `grpc_encoding` is the header grpc-encoding.

    Raises ValueError when there is no `view` of that name; the message names the nearest. An empty body without a query
    has no lines.
    """
    return show(Body(content, content_type, query, charset, grpc_encoding), canonical(view))
