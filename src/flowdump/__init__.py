"""flowdump records, transforms and replays HTTP(S) traffic with Python scripts.

``flowdump.Proxy`` is a proxy inside another program. Scripts import :mod:`flowdump.http`, :mod:`flowdump.ctx` and the
other modules of this folder.
"""

import importlib
from typing import TYPE_CHECKING, Any

from flowdump import moved
from flowdump.version import __version__

if TYPE_CHECKING:
    from flowdump.app.embedded import Proxy

__all__ = ["Proxy", "__version__"]

moved.install()


def __getattr__(name: str) -> Any:
    """Import ``Proxy`` on first use, since the command line does not need it, and modules by their former names."""
    if name == "Proxy":
        from flowdump.app.embedded import Proxy

        return Proxy
    if name in moved.MOVED:
        return importlib.import_module(f"flowdump.{name}")
    raise AttributeError(f"module 'flowdump' has no attribute {name!r}")
