"""``netlib.http.url``: URLs in pieces."""

from flowdump.compat.shims.url import parse
from flowdump.http.urls import decode_query as decode
from flowdump.http.urls import encode_query as encode
from flowdump.http.urls import hostport, quote, unparse, unquote

__all__ = ["decode", "encode", "hostport", "parse", "quote", "unparse", "unquote"]
