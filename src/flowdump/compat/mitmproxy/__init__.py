"""``mitmproxy``, as scripts import it. ``import mitmproxy`` alone is enough for ``mitmproxy.http`` and the like."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'mitmproxy' has no attribute {name!r}")
    try:
        return importlib.import_module(f"mitmproxy.{name}")
    except ModuleNotFoundError as error:
        raise AttributeError(str(error)) from None
