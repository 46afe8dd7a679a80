"""``mitmproxy.contentviews``: views of bodies that scripts bring along."""

from flowdump.compat.shims.contentviews import (
    Contentview,
    InteractiveContentview,
    Metadata,
    View,
    add,
    format_dict,
    format_pairs,
    format_text,
    remove,
)

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
