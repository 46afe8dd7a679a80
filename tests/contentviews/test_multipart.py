from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.contentviews.body import Body
from flowdump.contentviews.multipart import lines, parts

FORM = (
    b"preamble\r\n--xx\r\n"
    b'Content-Disposition: form-data; name="title"\r\n\r\n'
    b"Hello\r\n--not a boundary\r\n"
    b"--xx\r\n"
    b'content-disposition: form-data; name="f"; filename="C:\\dir\\a \\"b\\".json"\r\n'
    b"Content-Type: application/json\r\n\r\n"
    b'{"a":[1,2]}\r\n'
    b"--xx\r\n"
    b"Content-Disposition: form-data; name=\"g\"; filename*=UTF-8''na%C3%AFve.bin\r\n\r\n\x00\x01\r\n"
    b"--xx\r\n\r\nno headers\r\n"
    b"--xx--\r\nepilogue"
)


def shown(content: bytes, content_type: str = "multipart/form-data; boundary=xx") -> list[str]:
    return list(lines(Body(content, content_type)))


def test_parts_with_their_facts_and_content() -> None:
    assert shown(FORM) == [
        'Part "title", 23 bytes',
        "  Hello",
        "  --not a boundary",
        "",
        'Part "f", file "C:\\dir\\a "b".json", application/json, 11 bytes',
        "  {",
        '    "a": [1, 2]',
        "  }",
        "",
        'Part "g", file "naïve.bin", 2 bytes',
        f"  00000000  {'00 01':<48}  ..",
        "",
        "Part (no name), 10 bytes",
        "  no headers",
    ]


def test_long_parts_are_cut() -> None:
    body = b"--xx\n\n" + b"line\n" * 100 + b"--xx--"
    assert shown(body) == ["Part (no name), 499 bytes", *["  line"] * 20, "  …"]


def test_boundary_is_taken_from_the_body_when_the_header_has_none() -> None:
    assert shown(b"--abc\r\n\r\nx\r\n--abc--", "multipart/form-data") == ["Part (no name), 1 bytes", "  x"]


def test_quoted_boundary() -> None:
    assert shown(b"--a b\r\n\r\nx\r\n--a b--", 'multipart/mixed; boundary="a b"') == ["Part (no name), 1 bytes", "  x"]


def test_cut_body_shows_what_is_there() -> None:
    assert shown(b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\nbeg') == ['Part "a", 3 bytes', "  beg"]


def test_body_without_the_boundary_is_refused() -> None:
    for content, content_type in ((b"text", "multipart/form-data; boundary=xx"), (b"text", "multipart/form-data")):
        with pytest.raises(ValueError, match="no boundary"):
            shown(content, content_type)


def test_parts_in_parts_end_somewhere() -> None:
    body = b"x"
    for number in range(6):
        mark = b"--n%d" % number
        head = b"Content-Type: multipart/mixed; boundary=n%d\r\n\r\n" % (number - 1)
        body = mark + b"\r\n" + head + body + b"\r\n" + mark + b"--"
    made = shown(body, "multipart/mixed; boundary=n5")
    assert sum("multipart/mixed" in line and "Part" in line for line in made) == 3


@settings(deadline=None)
@given(st.lists(st.binary().filter(lambda content: b"--xx" not in content), max_size=4))
def test_contents_survive(contents: list[bytes]) -> None:
    body = b"".join(b"--xx\r\nA: b\r\n\r\n" + content + b"\r\n" for content in contents) + b"--xx--\r\n"
    found = list(parts(body, b"--xx"))
    assert [part.content for part in found] == contents
    assert all(part.headers == {"a": "b"} for part in found)
