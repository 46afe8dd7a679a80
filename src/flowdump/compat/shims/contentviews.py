"""The views of the running program: scripts add theirs."""

from __future__ import annotations

from typing import Any

from flowdump import ctx
from flowdump.contentviews.custom import (
    Contentview,
    InteractiveContentview,
    Metadata,
    View,
    format_dict,
    format_pairs,
    format_text,
)


def add(contentview: Any) -> None:
    """Add a view, or the class of one; one of the same name is replaced.

    Without a running program, as where a test imports a script, nothing is shown, and nothing is kept. Raises TypeError
    for what is no view.
    """
    view = contentview() if isinstance(contentview, type) else contentview
    if not isinstance(getattr(view, "name", None), str) or not (hasattr(view, "prettify") or callable(view)):
        raise TypeError(f"a content view has a name and prettify(data, metadata), which {contentview!r} has not")
    remove(view)
    _views().insert(0, view)


def remove(contentview: Any) -> None:
    """Take a view out again, by itself or by its class; one that is not there is no error."""
    name = contentview().name if isinstance(contentview, type) else contentview.name
    views = _views()
    views[:] = [known for known in views if known.name != name]


def _views() -> list[Any]:
    return ctx.master.contentviews if "master" in vars(ctx) else []


__all__ = [
    "Contentview",
    "InteractiveContentview",
    "Metadata",
    "View",
    "add",
    "format_dict",
    "format_pairs",
    "format_text",
    "remove",
]
