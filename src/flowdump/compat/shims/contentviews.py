"""The views of the running program: scripts add theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from flowdump import contentviews, ctx
from flowdump.addons import script_views
from flowdump.contentviews.custom import (
    Contentview,
    InteractiveContentview,
    Metadata,
    View,
    format_dict,
    format_pairs,
    format_text,
    metadata_of,
)

#: What annotations of views say.
SyntaxHighlight = Literal["css", "error", "javascript", "none", "xml", "yaml"]
TViewLine = list[tuple[str, str | bytes]]
TViewResult = tuple[str, Iterator[TViewLine]]


class ContentviewResult(NamedTuple):
    """A body as ``prettify_message`` shows it, and the name of the view that did."""

    text: str
    syntax_highlight: str
    view_name: str | None
    description: str


class OwnView(Contentview):
    """One of flowdump's own views, for scripts that ask for it by name."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        content_type = metadata.content_type or ""
        return "\n".join(contentviews.render(data, content_type=content_type, view=self._name).lines)


def get(name: str) -> Any:
    """The view of a name, of a script's or flowdump's own; None where there is none."""
    for view in _views():
        if view.name.lower() == name.lower():
            return view
    try:
        return OwnView(contentviews.canonical(name))
    except ValueError:
        return None


def prettify_message(message: Any, flow: Any, view_name: str = "auto", *_: Any) -> ContentviewResult:
    """A message's body as a view shows it: the one of that name, or the one that suits best."""
    data = message.packed if hasattr(message, "packed") else message.content
    if data is None:
        return ContentviewResult("Content is missing.", "error", None, "")
    shown = script_views.render(data, message, flow, view_name)
    if shown is None:
        kind = metadata_of(message, flow).content_type or ""
        view = view_name if get(view_name) is not None else "auto"
        shown = contentviews.render(data, content_type=kind, view=view)
    return ContentviewResult("\n".join(shown.lines), "none", shown.name, "")


def get_message_content_view(viewname: str, message: Any, flow: Any) -> tuple[str, list[TViewLine], str]:
    """The same for scripts of mitmproxy up to 11: the name of the view, lines, and what went wrong (nothing)."""
    result = prettify_message(message, flow, viewname)
    return result.view_name or "", [[("text", line)] for line in result.text.split("\n")], ""


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
    "ContentviewResult",
    "InteractiveContentview",
    "Metadata",
    "SyntaxHighlight",
    "TViewLine",
    "TViewResult",
    "View",
    "add",
    "format_dict",
    "format_pairs",
    "format_text",
    "get",
    "get_message_content_view",
    "prettify_message",
    "remove",
]
