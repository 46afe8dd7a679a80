"""``mitmproxy.ctx``: options, log and master of the running flowdump."""

from typing import Any

from flowdump import ctx


def __getattr__(name: str) -> Any:
    return getattr(ctx, name)
