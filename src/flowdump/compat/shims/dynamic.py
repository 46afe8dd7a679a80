"""``__getattr__`` of ``mitmproxy`` and ``mitmproxy.ctx``, whose attributes are looked up on access."""

from __future__ import annotations

import importlib
from typing import Any

from flowdump import ctx


def submodule(name: str) -> Any:
    """Import a submodule on access, so that ``import mitmproxy`` alone gives ``mitmproxy.http``."""
    if name.startswith("__"):
        raise AttributeError(f"module 'mitmproxy' has no attribute {name!r}")
    try:
        return importlib.import_module(f"mitmproxy.{name}")
    except ModuleNotFoundError as error:
        raise AttributeError(str(error)) from None


def ctx_attribute(name: str) -> Any:
    """``ctx.options``, ``ctx.log`` and ``ctx.master`` of the running flowdump."""
    return getattr(ctx, name)
