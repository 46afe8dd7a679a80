"""``mitmproxy.contentviews``: look up content views, add and remove those of scripts, and render bodies with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from flowdump import contentviews, ctx
from flowdump.addons import script_views
from flowdump.contentviews.custom import Contentview, Metadata, metadata_of

#: Types for the annotations of views.
SyntaxHighlight = Literal["css", "error", "javascript", "none", "xml", "yaml"]
TViewLine = list[tuple[str, str | bytes]]
TViewResult = tuple[str, Iterator[TViewLine]]


class ContentviewResult(NamedTuple):
    """A body as ``prettify_message`` renders it, and the name of the view that it used."""

    text: str
    syntax_highlight: str
    view_name: str | None
    description: str


class OwnView(Contentview):
    """A built-in view, for scripts that ask for it by name."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        content_type = metadata.content_type or ""
        return "\n".join(contentviews.render(data, content_type=content_type, view=self._name).lines)


def get(name: str) -> Any:
    """The view with this name, from a script or built in. None if there is no such view."""
    for view in _views():
        if view.name.lower() == name.lower():
            return view
    try:
        return OwnView(contentviews.canonical(name))
    except ValueError:
        return None


def prettify_message(message: Any, flow: Any, view_name: str = "auto", *_: Any) -> ContentviewResult:
    """Render a message's body with the view of that name, or with the view that suits it best."""
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
    """The form of mitmproxy up to 11: the name of the view, the lines, and an error text, which is always empty."""
    result = prettify_message(message, flow, viewname)
    return result.view_name or "", [[("text", line)] for line in result.text.split("\n")], ""


def add(contentview: Any) -> None:
    """Add a view, given as an instance or a class. It replaces a view of the same name.

    Does nothing outside a running program, for example when a test imports a script. Raises TypeError for an object
    that is not a view.
    """
    view = contentview() if isinstance(contentview, type) else contentview
    if not isinstance(getattr(view, "name", None), str) or not (hasattr(view, "prettify") or callable(view)):
        raise TypeError(f"a content view has a name and prettify(data, metadata), which {contentview!r} has not")
    remove(view)
    _views().insert(0, view)


def remove(contentview: Any) -> None:
    """Remove a view, given as an instance or a class. A view that is not there is no error."""
    name = contentview().name if isinstance(contentview, type) else contentview.name
    views = _views()
    views[:] = [known for known in views if known.name != name]


def _views() -> list[Any]:
    return ctx.master.contentviews if "master" in vars(ctx) else []
