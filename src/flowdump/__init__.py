"""flowdump records, transforms and replays HTTP(S) traffic with Python scripts.

``flowdump.Proxy`` is a proxy inside another program.
"""

from typing import TYPE_CHECKING, Any

from flowdump.version import __version__

if TYPE_CHECKING:
    from flowdump.app.embedded import Proxy

__all__ = ["Proxy", "__version__"]


def __getattr__(name: str) -> Any:
    """``Proxy`` is imported when somebody asks for it: the command line has no use for it."""
    if name == "Proxy":
        from flowdump.app.embedded import Proxy

        return Proxy
    raise AttributeError(f"module 'flowdump' has no attribute {name!r}")
