"""``mitmproxy.controller`` of older releases, where each event handler was decorated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def handler(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the handler unchanged: handlers need no decorator any more."""
    return function
