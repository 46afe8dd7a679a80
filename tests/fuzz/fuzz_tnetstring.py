"""Any bytes into the reader of tnetstrings: a value that is written and read as the same, or TnetstringError."""

from __future__ import annotations

from flowdump.formats.flowfile import tnetstring


def one_input(data: bytes) -> None:
    """Raises nothing but AssertionError, for what must not be."""
    framed = b"%d:%b%b" % (len(data[1:]), data[1:], b"]},;"[data[0] & 3 : (data[0] & 3) + 1] if data else b",")
    for raw in (data, framed):
        try:
            value = tnetstring.loads(raw)
        except tnetstring.TnetstringError:
            continue
        written = tnetstring.dumps(value)
        assert tnetstring.dumps(tnetstring.loads(written)) == written
