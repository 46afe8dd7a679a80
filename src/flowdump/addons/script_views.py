"""Views of bodies that scripts have added, for the display."""

from __future__ import annotations

from typing import Any

from flowdump import ctx


def render(content: bytes, message: Any, flow: Any, view: str) -> Any:
    """What a view of a script makes of a body, None where none is for it."""
    views = ctx.master.contentviews if "master" in vars(ctx) else ()
    if not views:
        return None
    from flowdump.contentviews import custom

    return custom.render(views, view, content, custom.metadata_of(message, flow))
