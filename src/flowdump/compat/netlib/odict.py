"""``netlib.odict``: the multi-dicts of the first generation."""

from flowdump.older_names import ODict, ODictCaseless

__all__ = ["ODict", "ODictCaseless"]
