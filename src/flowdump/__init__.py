"""flowdump records, transforms and replays HTTP(S) traffic with Python scripts."""

from flowdump.version import __version__

__all__ = ["__version__"]
