from __future__ import annotations

import pytest

from flowdump.contentviews.body import Body, looks_binary, parameters


@pytest.mark.parametrize(
    ("content", "content_type", "text"),
    [
        ("ä€".encode(), "text/plain", "ä€"),
        ("ä€".encode("utf-8-sig"), "", "ä€"),
        ("ä€".encode("cp1252"), "text/plain", "ä€"),
        ("ä€".encode("cp1252"), "text/plain; charset=iso-8859-1", "ä€"),
        ("ä€".encode(), "text/plain; charset=iso-8859-1", "ä€"),
        ("ä€".encode("utf-16"), "text/plain", "ä€"),
        ("ä€".encode("utf-16-le"), "text/plain; charset=utf-16le", "ä€"),
        ("д".encode("koi8-r"), 'text/plain; charset="KOI8-R"', "д"),
        (b'<meta charset="koi8-r">\xc4', "text/html", '<meta charset="koi8-r">д'),
        (b"\xe4", "text/plain; charset=no-such", "ä"),
        (b"\xe4", "text/plain; charset=rot13", "ä"),
        (b"\x81\xe4", "", "\\x81ä"),
    ],
)
def test_text_by_what_header_and_document_say(content: bytes, content_type: str, text: str) -> None:
    body = Body(content, content_type)
    assert body.text == text
    assert list(body.text_lines()) == [text]


def test_a_charset_given_overrides_the_header() -> None:
    assert Body("д".encode("koi8-r"), "text/plain; charset=utf-8", charset="koi8-r").text == "д"


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-32", "shift_jis", "iso-2022-jp", "cp037", "gb18030"])
def test_lines_are_the_same_in_every_charset(charset: str) -> None:
    text = "one\r\ntwo\n\nthree"
    assert list(Body(text.encode(charset), f"text/plain; charset={charset}").text_lines()) == [
        "one",
        "two",
        "",
        "three",
    ]


def test_parameters_of_a_header() -> None:
    header = 'form-data; Name="a \\"b\\"; c"; filename=C:\\x ;x; charset = "utf-8"; name=again'
    assert parameters(header) == {"name": 'a "b"; c', "filename": "C:\\x", "charset": "utf-8"}
    assert parameters("") == {}


@pytest.mark.parametrize(
    ("content", "content_type", "binary"),
    [
        (b"", "", False),
        (b"plain text\r\n\tand more", "", False),
        ("дополнительно".encode() * 500, "", False),
        ("дополнительно".encode("koi8-r"), "", True),
        ("дополнительно".encode("koi8-r"), "text/plain; charset=koi8-r", False),
        ("déjà vu".encode("latin-1"), "", False),
        (b"text\0", "text/plain", True),
        ("text".encode("utf-16"), "", False),
        (b"\x01\x02\x03abc", "", True),
        (b"\x1f\x8b\x08", "", True),
    ],
)
def test_text_is_told_from_binary(content: bytes, content_type: str, binary: bool) -> None:
    assert looks_binary(Body(content, content_type)) is binary
