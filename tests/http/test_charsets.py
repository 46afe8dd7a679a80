"""Charsets: what is inferred from where, and that no codec but a charset ever runs."""

from __future__ import annotations

import encodings
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.http.charsets import (
    decode_text,
    encode_text,
    infer_charset,
    known_charset,
    parse_content_type,
    text_decode,
    text_encode,
    with_charset,
)

NO_CHARSETS = ["hex", "rot13", "rot_13", "base64", "zlib", "bz2", "uu", "quopri", "idna", "punycode", "unicode_escape"]


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("", "latin-1"),
        ("text/plain", "latin-1"),
        ("text/plain; charset=utf-8", "utf-8"),
        ("text/plain;Charset=UTF-8", "UTF-8"),
        ('text/plain; a=";charset=no"; charset="utf-8"', "utf-8"),
        ("text/plain; charset='utf-8'", "utf-8"),
        ("text/plain; charset = utf-8 ; x=y", "utf-8"),
        ("text/plain; charset=utf-8; charset=koi8-r", "koi8-r"),
        ("text/plain; charset=", "latin-1"),
        ("text/plain; charset", "latin-1"),
        ("charset=utf-8", "latin-1"),
        ("text/plain; charset=nope", "nope"),
        ("text/plain; charset=GBK", "gb18030"),
        ("text/plain; charset=gb2312", "gb18030"),
        ("application/json", "utf-8"),
        ("application/vnd.api+json", "utf-8"),
        ("Application/JSON", "utf-8"),
        ("application/json; charset=latin-1", "latin-1"),
        ("text/html", "utf-8"),
        ("application/xml", "utf-8"),
        ("image/svg+xml", "utf-8"),
        ("text/css", "utf-8"),
        ("application/javascript", "utf-8"),
        ("text/ecmascript", "utf-8"),
        ("application/octet-stream", "latin-1"),
    ],
)
def test_the_header_alone(content_type: str, charset: str) -> None:
    assert infer_charset(content_type) == charset
    assert infer_charset(content_type, b"abc") == charset


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        (b"\xef\xbb\xbfa\xc3\xa9", "utf-8-sig", "a\xe9"),
        (b"\xff\xfea\0", "utf-16-le", "\ufeffa"),
        (b"\xfe\xff\0a", "utf-16-be", "\ufeffa"),
        (b"\xff\xfe\0\0a\0\0\0", "utf-32-le", "\ufeffa"),
        (b"\0\0\xfe\xff\0\0\0a", "utf-32-be", "\ufeffa"),
    ],
)
def test_a_byte_order_mark_wins_over_the_header(content: bytes, charset: str, text: str) -> None:
    assert infer_charset("text/plain; charset=latin-1", content) == charset
    assert decode_text(content, "text/plain; charset=latin-1") == text


@pytest.mark.parametrize(
    "content",
    [
        b'<meta charset="iso-8859-2">',
        b"<html><head>\n<META  CHARSET='ISO-8859-2'/>",
        b"<meta charset=iso-8859-2>",
        b'<meta charset = "iso-8859-2" >',
        b'<meta name=x charset="iso-8859-2">',
        b'<meta http-equiv="content-type" content="text/html; charset=iso-8859-2">',
        b"x" * 5000 + b'<meta charset="iso-8859-2">',
        b'<meta name="viewport" content="width=1"><p>charset=no</p><meta charset="iso-8859-2">',
    ],
)
def test_html_states_its_charset(content: bytes) -> None:
    assert infer_charset("text/html", content) == "iso-8859-2"
    assert infer_charset("text/html; charset=koi8-r", content) == "koi8-r"
    assert infer_charset("text/plain", content) == "latin-1"


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        (b'<?xml version="1.0" encoding="iso-8859-2"?>', "iso-8859-2"),
        (b"\n<?xml version='1.0' encoding='iso-8859-2' ?>", "iso-8859-2"),
        (b'<?XML ENCODING = "GBK"?>', "gb18030"),
        (b'<?xml version="1.0"?><a encoding="iso-8859-2"/>', "utf-8"),
        (b'<a/><?xml version="1.0" encoding="iso-8859-2"?>', "utf-8"),
        (b'<?xml version="1.0" encoding="utf-16"?>', "utf-8"),
    ],
)
def test_xml_states_its_charset(content: bytes, charset: str) -> None:
    assert infer_charset("text/xml", content) == charset


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        (b'@charset "iso-8859-2";', "iso-8859-2"),
        (b'@CHARSET "iso-8859-2";', "iso-8859-2"),
        (b"@charset 'iso-8859-2';", "utf-8"),
        (b'@charset "iso-8859-2"', "utf-8"),
        (b' @charset "iso-8859-2";', "utf-8"),
    ],
)
def test_css_states_its_charset(content: bytes, charset: str) -> None:
    assert infer_charset("text/css", content) == charset


def test_a_meta_element_cannot_say_utf_16() -> None:
    assert decode_text(b'<meta charset="utf-16">a', "text/html") == '<meta charset="utf-16">a'


# -- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NO_CHARSETS)
def test_codecs_that_are_no_charset_are_unknown(name: str) -> None:
    assert known_charset(name) is None
    with pytest.raises(ValueError, match="unknown charset"):
        text_decode(b"61", name)
    with pytest.raises(ValueError, match="unknown charset"):
        text_encode("61", name)
    assert decode_text(b"61", f"text/plain; charset={name}") == "61"
    assert encode_text("61", f"text/plain; charset={name}") == (b"61", "text/plain; charset=utf-8")


@pytest.mark.parametrize("name", ["", "nope", "a\0b", "../os", "encodings.hex_codec", "\xe9", "utf-8" * 100, "aliases"])
def test_unknown_names_reach_no_registry(name: str) -> None:
    remembered = dict(encodings._cache)  # type: ignore[attr-defined]
    assert known_charset(name) is None
    assert decode_text(b"a\xc3\xa9\xff", f"text/plain; charset={name}x") == "a\xe9\udcff"
    assert encodings._cache == remembered  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name", ["UTF8", "utf-8", "Latin-1", "ISO_8859-1", "windows-1252", "koi8-u", "cp874", "shift_jis"]
)
def test_every_known_name_is_a_text_codec(name: str) -> None:
    codec = known_charset(name)
    assert codec is not None
    assert "abc".encode(codec) == b"abc"


def test_strict_functions_raise_and_the_others_fall_back() -> None:
    with pytest.raises(ValueError, match="can't decode"):
        text_decode(b"\xff", "utf-8")
    with pytest.raises(ValueError, match="can't encode"):
        text_encode("\u20ac", "latin-1")
    assert decode_text(b"a\xff", "text/plain; charset=utf-8") == "a\udcff"
    assert decode_text(b"\xc3\xa9\xff", "text/plain; charset=ascii") == "\xe9\udcff"
    assert encode_text("\u20ac", "text/plain") == (b"\xe2\x82\xac", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "text/plain; charset=utf-8"),
        ("nonsense", "text/plain; charset=utf-8"),
        ("text/html", "text/html; charset=utf-8"),
        ("Text/HTML;charset=latin-1", "Text/HTML; charset=utf-8"),
        ('text/html; a="b;c" ;CHARSET=x; d=e', 'text/html; a="b;c"; d=e; charset=utf-8'),
    ],
)
def test_the_charset_of_a_header_is_replaced(before: str, after: str) -> None:
    assert with_charset(before, "utf-8") == after
    assert infer_charset(after) == "utf-8"


def test_content_type_is_split() -> None:
    assert parse_content_type("none") is None
    assert parse_content_type(r'Multipart/Form-Data; Boundary="a\"b;c"; x=Y ; bad') == (
        "multipart",
        "form-data",
        {"boundary": 'a"b;c', "x": "Y"},
    )


@settings(deadline=None)
@given(
    st.binary(max_size=200), st.text(max_size=40), st.sampled_from(["", "text/html;", "text/xml; charset=", "text/css"])
)
def test_any_body_has_a_text(content: bytes, tail: str, head: str) -> None:
    text = decode_text(content, head + tail)
    assert isinstance(text, str)
    assert isinstance(infer_charset(head + tail, content), str)


@settings(deadline=None)
@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    st.sampled_from(["", "text/html", "a/b; charset=cp1251"]),
)
def test_any_text_finds_a_charset_that_gives_it_back(text: str, content_type: str) -> None:
    content, amended = encode_text(text, content_type)
    assert text_decode(content, infer_charset(amended)) == text


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_text_that_fell_back_gives_its_bytes_back(tail: bytes) -> None:
    content = b"no mark" + tail
    assert encode_text(decode_text(content, "text/plain; charset=nope"), "text/plain; charset=nope")[0] == content


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("text/html", b"<meta " * 100_000),
        ("text/html", b"<meta charset" * 50_000),
        ("text/html", b"<meta charset" + b" " * 500_000),
        ("text/html", b"<meta " + b"charset " * 60_000),
        ("text/xml", b" " * 500_000),
        ("text/plain" + ';a="' * 20_000, b""),
        ("text/plain" + "; " * 20_000, b""),
        ("text/plain" + ';a="\\' * 20_000, b""),
        ("text/plain" + "; a " * 20_000, b""),
    ],
)
def test_hostile_input_costs_linear_time(content_type: str, content: bytes) -> None:
    begin = time.process_time()
    infer_charset(content_type, content)
    assert time.process_time() - begin < 1
