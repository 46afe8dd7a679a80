"""Views that scripts bring along, in both forms that scripts know.

``Contentview`` is today's: ``prettify(data, metadata)`` gives text. ``View`` is what mitmproxy up to 11 had: calling it
gives a name and lines, each a list of ``(style, text)``. Both say with ``render_priority`` how well they suit a body: 0
is not at all, flowdump's own views count as 1. A view that raises gives way to the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from flowdump.contentviews.choice import AUTO, Rendered
from flowdump.escaping import escape_controls

#: What the views that come with flowdump count as, when "auto" chooses.
OWN_PRIORITY = 1


@dataclass
class Metadata:
    """What is known of a body: the flow and the message that it belongs to, and its media type without parameters."""

    flow: Any = None
    content_type: str | None = None
    http_message: Any = None
    tcp_message: Any = None
    udp_message: Any = None
    websocket_message: Any = None
    dns_message: Any = None
    protobuf_definitions: Any = None
    original_data: bytes | None = None


class Contentview:
    """Base class of a view: ``prettify`` has to be there."""

    syntax_highlight: ClassVar[str] = "none"

    @property
    def name(self) -> str:
        """The name by which the view is asked for; that of the class, unless it says otherwise."""
        return re.sub(r"(?i)contentview$", "", type(self).__name__) or type(self).__name__

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """The body as text. Raises any exception for a body that it cannot show."""
        raise NotImplementedError(f"{type(self).__name__} has no prettify(data, metadata)")

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        return 0


class InteractiveContentview(Contentview):
    """A view whose text can be edited, where there is an editor: there is none here."""

    def reencode(self, prettified: str, metadata: Metadata) -> bytes:
        raise NotImplementedError(f"{type(self).__name__} has no reencode(prettified, metadata)")


class View:
    """Base class of a view of mitmproxy up to 11: it is called with the body, and with facts by name."""

    name: ClassVar[str] = ""

    def __call__(self, data: bytes, **metadata: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} cannot be called with a body")

    def render_priority(self, data: bytes, **metadata: Any) -> float:
        return 0


#: Where a message that is none of HTTP goes, by its class.
_KINDS = {
    "TCPMessage": "tcp_message",
    "UDPMessage": "udp_message",
    "WebSocketMessage": "websocket_message",
    "DNSMessage": "dns_message",
}


def metadata_of(message: Any, flow: Any) -> Metadata:
    """What is known of the body of a message."""
    facts = Metadata(flow=flow)
    kind = _KINDS.get(type(message).__name__)
    if kind is not None:
        setattr(facts, kind, message)
    elif message is not None:
        facts.http_message = message
        facts.content_type = message.headers.get("content-type", "").partition(";")[0].strip() or None
    return facts


def render(views: Iterable[Any], name: str, data: bytes, metadata: Metadata) -> Rendered | None:
    """The lines of the view of that name, or for "auto" of the one that suits best; None leaves it to the others."""
    if name != AUTO:
        chosen = [view for view in views if view.name.lower() == name.lower()]
    else:
        rated = [(_priority(view, data, metadata), view) for view in views]
        chosen = [view for rate, view in sorted(rated, key=lambda pair: -pair[0]) if rate >= OWN_PRIORITY]
    for view in chosen:
        try:
            lines = list(_lines(view, data, metadata))
        except Exception:  # a view of a script may fail in any way; the next one is tried
            continue
        return Rendered(view.name, (escape_controls(line) for line in lines))
    return None


def _priority(view: Any, data: bytes, metadata: Metadata) -> float:
    try:
        if _is_older(view):
            return float(view.render_priority(data, **_facts(metadata)))
        return float(view.render_priority(data, metadata))
    except Exception:  # as above
        return 0


def _is_older(view: Any) -> bool:
    return not hasattr(view, "prettify")


def _facts(metadata: Metadata) -> dict[str, Any]:
    return {name: value for name, value in vars(metadata).items() if value is not None}


def _lines(view: Any, data: bytes, metadata: Metadata) -> Iterator[str]:
    if not _is_older(view):
        yield from str(view.prettify(data, metadata)).splitlines()
        return
    _, lines = view(data, **_facts(metadata))
    for line in lines:
        yield "".join(_text(part) for _, part in line)


def _text(part: str | bytes) -> str:
    return part.decode("utf-8", "replace") if isinstance(part, bytes) else part


# -- what older views make their lines with -------------------------------------------------------------------------


def format_text(text: str | bytes) -> Iterator[list[tuple[str, str | bytes]]]:
    """A line of plain text per line."""
    for line in text.splitlines():
        yield [("text", line)]


def format_pairs(items: Iterable[Sequence[Any]]) -> Iterator[list[tuple[str, Any]]]:
    """``name: value`` lines."""
    for key, value in items:
        yield [("header", f"{_text(key)}: "), ("text", value)]


def format_dict(d: Mapping[Any, Any]) -> Iterator[list[tuple[str, Any]]]:
    """``name: value`` lines of a mapping."""
    return format_pairs(d.items())
