"""``mitmproxy.net.http.multipart``: form bodies in parts."""

from flowdump.compat.shims.multipart import decode, decode_multipart, encode, encode_multipart

__all__ = ["decode", "decode_multipart", "encode", "encode_multipart"]
