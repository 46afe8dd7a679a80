"""``netlib.utils``: small helpers that scripts borrow."""

from flowdump.compat.shims.strutils import (
    bytes_to_escaped_str,
    clean_hanging_newline,
    escaped_str_to_bytes,
    hexdump,
)
from flowdump.compat.shims.strutils import (
    is_mostly_bin as isBin,
)
from flowdump.compat.shims.strutils import (
    is_xml as isXML,
)
from flowdump.compat.shims.url import parse as parse_url
from flowdump.http.urls import decode_query as urldecode
from flowdump.http.urls import encode_query as urlencode
from flowdump.http.urls import hostport

__all__ = [
    "bytes_to_escaped_str",
    "clean_hanging_newline",
    "escaped_str_to_bytes",
    "hexdump",
    "hostport",
    "isBin",
    "isXML",
    "parse_url",
    "urldecode",
    "urlencode",
]
