"""``mitmproxy.net.http.status_codes``: ``RESPONSES``, and each code by the name of its phrase: ``NOT_FOUND``."""

from typing import Any

from flowdump.http.status_codes import RESPONSES


def __getattr__(name: str) -> Any:
    from flowdump.compat.shims.status_codes import NAMES

    try:
        return NAMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


__all__ = ["RESPONSES"]
