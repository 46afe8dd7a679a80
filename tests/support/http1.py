"""HTTP/1 messages as bytes: what clients of a proxy ask, and what origins answer."""

from __future__ import annotations

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

#: The head of an answer of ten bytes.
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

#: The head of an answer in chunks, which ``chunk`` makes.
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def get(port: int, path: str = "/", *lines: str, close: bool = True, method: str = "GET") -> bytes:
    """An absolute-form request."""
    fields = [f"Host: 127.0.0.1:{port}", *lines, *(["Connection: close"] if close else [])]
    return f"{method} http://127.0.0.1:{port}{path} HTTP/1.1\r\n".encode() + "\r\n".join(fields).encode() + b"\r\n\r\n"


def post(port: int, *fields: str, body: bytes = b"") -> bytes:
    """A request with a body over a connection that stays open."""
    return get(port, "/", *fields, close=False, method="POST") + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
