"""``netlib.multidict``: ordered mappings with repeated keys."""

from flowdump.http.multidict import MultiDict, MultiDictView

__all__ = ["MultiDict", "MultiDictView"]
