"""Any bytes into the readers of SOCKS5 messages: a message and where it ends, None for more to come, or ValueError."""

from __future__ import annotations

from flowdump.engine.net import socks5

FRONTS = (b"", b"\x05\x01\x00", b"\x05\x01\x00\x03", b"\x01")


def one_input(data: bytes) -> None:
    """Raises nothing but AssertionError, for what must not be."""
    raw = FRONTS[data[0] & 3 if data else 0] + data[1:]
    for parse in (socks5.parse_greeting, socks5.parse_password, socks5.parse_request):
        try:
            read = parse(raw)
        except ValueError:
            continue
        if read is not None:
            assert 0 < read[-1] <= len(raw)
            if not (isinstance(read[0], socks5.Request) and read[0].host is None):  # nobody knows where that ends
                assert parse(raw + b"more") == read
