"""HTTP/1.0 and 1.1 (RFC 9112): heads, message framing, chunked coding, connections on both sides."""
