"""HTTP messages as values: ``Request``, ``Response``, ``Headers`` and ``HTTPFlow``, which most scripts are about.

``flow.py`` holds the flow, ``message.py`` what requests and responses share, ``request.py`` and ``response.py`` what
only one of them has. The other modules know one subject each: header fields, cookies, forms, URLs, charsets, content
codings, status codes. None of them does any I/O.

The names below are imported on first use: ``flowdump.connection`` needs ``http.urls``, and ``http.flow`` needs
``flowdump.connection``, so importing the whole package for one of its modules would be a circle.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow
    from flowdump.http.headers import Headers
    from flowdump.http.message import Message
    from flowdump.http.request import Request, RequestData
    from flowdump.http.response import Response, ResponseData

__all__ = ["HTTPFlow", "Headers", "Message", "Request", "RequestData", "Response", "ResponseData"]

_HOME = {
    "HTTPFlow": "flow",
    "Headers": "headers",
    "Message": "message",
    "Request": "request",
    "RequestData": "request",
    "Response": "response",
    "ResponseData": "response",
}


def __getattr__(name: str) -> Any:
    """Import the module of a name when the name is first used."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
