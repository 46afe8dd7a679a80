from __future__ import annotations

from flowdump.contentviews.body import Body
from flowdump.contentviews.plain import lines


def test_lines_end_with_lf_or_crlf_only() -> None:
    content = b"one\r\ntwo\n\nthree\x0bthree\rthree\xe2\x80\xa8three"
    assert list(lines(Body(content))) == ["one", "two", "", "three\x0bthree\rthree\u2028three"]
