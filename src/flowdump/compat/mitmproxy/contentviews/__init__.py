"""``mitmproxy.contentviews``: views of bodies, the tool's own and those that scripts bring along."""

from flowdump.compat.shims.contentviews import (
    Contentview,
    ContentviewResult,
    InteractiveContentview,
    Metadata,
    SyntaxHighlight,
    TViewLine,
    TViewResult,
    View,
    add,
    format_dict,
    format_pairs,
    format_text,
    get,
    get_message_content_view,
    prettify_message,
    remove,
)

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
