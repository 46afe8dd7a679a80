"""``netlib.strutils``: text and bytes for people."""

from flowdump.compat.shims.strutils import (
    always_bytes,
    bytes_to_escaped_str,
    clean_hanging_newline,
    escaped_str_to_bytes,
    hexdump,
    is_mostly_bin,
    is_xml,
)

__all__ = [
    "always_bytes",
    "bytes_to_escaped_str",
    "clean_hanging_newline",
    "escaped_str_to_bytes",
    "hexdump",
    "is_mostly_bin",
    "is_xml",
]
