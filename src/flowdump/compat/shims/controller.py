"""``mitmproxy.controller`` of older releases: handlers were decorated, and flows had a ``reply``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowdump.scripting.older.names import Reply


def handler(function: Callable[..., Any]) -> Callable[..., Any]:
    """Nothing has to be done for a handler any more."""
    return function


__all__ = ["Reply", "handler"]
