from __future__ import annotations

from flowdump.contentviews.body import Body
from flowdump.contentviews.hexdump import lines


def test_rows_of_sixteen() -> None:
    assert list(lines(Body(b"\x89PNG\r\n\x1a\n\x00\xff 0123456789"))) == [
        "00000000  89 50 4e 47 0d 0a 1a 0a  00 ff 20 30 31 32 33 34  .PNG...... 01234",
        f"00000010  {'35 36 37 38 39':<48}  56789",
    ]


def test_nothing() -> None:
    assert list(lines(Body(b""))) == []
