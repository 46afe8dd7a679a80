"""``mitmproxy.utils.strutils``: text and bytes for people."""

from flowdump.compat.shims.strutils import (
    always_bytes,
    always_str,
    bytes_to_escaped_str,
    clean_hanging_newline,
    cut_after_n_lines,
    escape_control_characters,
    escaped_str_to_bytes,
    hexdump,
    is_mostly_bin,
    is_xml,
)

__all__ = [
    "always_bytes",
    "always_str",
    "bytes_to_escaped_str",
    "clean_hanging_newline",
    "cut_after_n_lines",
    "escape_control_characters",
    "escaped_str_to_bytes",
    "hexdump",
    "is_mostly_bin",
    "is_xml",
]
