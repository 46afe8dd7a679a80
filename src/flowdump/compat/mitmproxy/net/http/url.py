"""``mitmproxy.net.http.url``: URLs in pieces."""

from flowdump.compat.shims.url import parse
from flowdump.http.urls import decode_query as decode
from flowdump.http.urls import default_port, hostport, parse_authority, quote, unparse, unquote
from flowdump.http.urls import encode_query as encode

__all__ = ["decode", "default_port", "encode", "hostport", "parse", "parse_authority", "quote", "unparse", "unquote"]
