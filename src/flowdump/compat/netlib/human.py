"""``netlib.human``: sizes and durations for people."""

from flowdump.compat.shims.human import parse_size, pretty_duration, pretty_size

__all__ = ["parse_size", "pretty_duration", "pretty_size"]
