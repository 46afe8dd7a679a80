"""Any bytes into the reader of ClientHellos: facts, None for more to come, or ValueError."""

from __future__ import annotations

from flowdump.engine.tls import client_hello

FRONTS = (
    b"",
    b"\x16\x03\x01",
    b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03" + bytes(32),
    b"\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03" + bytes(33) + b"\x00\x02\x13\x01\x01\x00",
)


def one_input(data: bytes) -> None:
    """Raises nothing but AssertionError, for what must not be."""
    raw = FRONTS[data[0] & 3 if data else 0] + data[1:]
    try:
        hello = client_hello.parse(raw)
    except ValueError:
        return
    if hello is not None:
        assert hello.sni is None or hello.sni.isascii()
        assert client_hello.parse(raw + b"more") == hello
