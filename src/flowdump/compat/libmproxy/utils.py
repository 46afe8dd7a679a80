"""``libmproxy.utils``: small helpers that scripts borrow."""

from flowdump.compat.shims.human import pretty_duration, pretty_size
from flowdump.compat.shims.strutils import clean_hanging_newline, hexdump
from flowdump.compat.shims.strutils import is_mostly_bin as isBin
from flowdump.compat.shims.strutils import is_xml as isXML
from flowdump.http.urls import decode_query as urldecode
from flowdump.http.urls import encode_query as urlencode

__all__ = [
    "clean_hanging_newline",
    "hexdump",
    "isBin",
    "isXML",
    "pretty_duration",
    "pretty_size",
    "urldecode",
    "urlencode",
]
