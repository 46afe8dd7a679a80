"""``mitmproxy.utils.human``: sizes, durations and addresses for people."""

from flowdump.compat.shims.human import (
    format_address,
    format_timestamp,
    format_timestamp_with_milli,
    parse_size,
    pretty_duration,
    pretty_size,
)

__all__ = [
    "format_address",
    "format_timestamp",
    "format_timestamp_with_milli",
    "parse_size",
    "pretty_duration",
    "pretty_size",
]
