"""Form bodies both ways: exact values, hostile and broken bodies, and what a rewrite keeps."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.http import forms
from flowdump.http.forms import Part, decode_multipart, encode_multipart, parts

TYPE = "multipart/form-data; boundary=x"


def body(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


BROWSER = body(
    "--x\n"
    'Content-Disposition: form-data; name="a"\n'
    "\n"
    "v1\n"
    "--x\n"
    'Content-Disposition: form-data; name="f"; filename="t.txt"\n'
    "Content-Type: text/plain\n"
    "\n"
    "line1\nline2\n"
    "\n"
    "--x--\n"
)
BROWSER_PARTS = [
    ("a", None, "", ((b"Content-Disposition", b'form-data; name="a"'),), b"v1"),
    (
        "f",
        "t.txt",
        "text/plain",
        ((b"Content-Disposition", b'form-data; name="f"; filename="t.txt"'), (b"Content-Type", b"text/plain")),
        b"line1\r\nline2\r\n",
    ),
]


def facts(found: list[Part]) -> list[object]:
    return [(part.name, part.filename, part.content_type, part.headers, part.content) for part in found]


# -- urlencoded -------------------------------------------------------------------------------------------------------


def test_urlencoded() -> None:
    pairs = [("a", "b c"), ("\xe9", "\udcff"), ("d", "")]
    assert forms.decode_urlencoded(b"a=b+c&%C3%A9=%ff&d") == pairs
    assert forms.decode_urlencoded("a=b%20c&\xe9=\udcff&d=") == pairs
    assert forms.decode_urlencoded(b"a=\xff&\xc3\xa9") == [("a", "\udcff"), ("\xe9", "")]
    assert forms.decode_urlencoded(b"") == []
    assert forms.encode_urlencoded(pairs) == b"a=b+c&%C3%A9=%FF&d="
    assert forms.encode_urlencoded(pairs, "x") == b"a=b+c&%C3%A9=%FF&d"


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_body_is_a_list_of_pairs_that_comes_back(data: bytes) -> None:
    pairs = forms.decode_urlencoded(data)
    assert forms.decode_urlencoded(forms.encode_urlencoded(pairs)) == pairs


# -- multipart, reading -----------------------------------------------------------------------------------------------


def test_the_body_of_a_browser() -> None:
    assert facts(parts(TYPE, BROWSER)) == BROWSER_PARTS
    assert repr(parts(TYPE, BROWSER)[1]) == "Part('f', filename='t.txt', 'text/plain', 14 bytes)"
    assert decode_multipart(TYPE, BROWSER) == [(b"a", b"v1"), (b"f", b"line1\r\nline2\r\n")]


@pytest.mark.parametrize(
    "content",
    [
        b"preamble --x\r\n" + BROWSER,
        BROWSER + b"epilogue\r\n--x\r\nContent-Disposition: form-data; name=no\r\n\r\nv\r\n--x--",
        BROWSER[:-2],
        BROWSER.replace(b"--x\r\n", b"--x \t\r\n").replace(b"--x--", b"--x--  "),
        BROWSER.replace(b"Disposition: form-data;", b"Disposition: form-data;\r\n\t"),
    ],
)
def test_variations_that_mean_the_same(content: bytes) -> None:
    assert decode_multipart(TYPE, content) == [(b"a", b"v1"), (b"f", b"line1\r\nline2\r\n")]


def test_bare_line_feeds() -> None:
    assert decode_multipart(TYPE, BROWSER.replace(b"\r\n", b"\n")) == [(b"a", b"v1"), (b"f", b"line1\nline2\n")]


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="x"',
        "Multipart/Form-Data;Boundary=x",
        "multipart/form-data; charset=utf-8; boundary = x ; y=z",
        "multipart/mixed; boundary=x",
    ],
)
def test_spellings_of_the_boundary(content_type: str) -> None:
    assert facts(parts(content_type, BROWSER)) == BROWSER_PARTS


def test_quoted_boundaries() -> None:
    content = BROWSER.replace(b"--x", b'--a ;"b')
    assert facts(parts(r'multipart/form-data; boundary="a ;\"b"', content)) == BROWSER_PARTS


@pytest.mark.parametrize("content_type", ["", "multipart/form-data", "multipart/form-data; boundary=", "boundary=x"])
def test_a_missing_boundary_is_an_error(content_type: str) -> None:
    with pytest.raises(ValueError, match="without a boundary"):
        decode_multipart(content_type, BROWSER)
    with pytest.raises(ValueError, match="without a boundary"):
        encode_multipart(content_type, [])


@pytest.mark.parametrize(
    ("content", "pairs"),
    [
        (b"", []),
        (b"--x--", []),
        (b"--x", []),
        (b"--x\r\n--x--", []),
        (b"no parts at all", []),
        (b"--xy\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n--xy--", []),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nv", [(b"a", b"v")]),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n--x", [(b"a", b"v")]),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n--", [(b"a", b"v\r\n--")]),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--x--", [(b"a", b"")]),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n--x--", [(b"a", b"")]),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\nv\r\n\r\n--x--", [(b"a", b"\r\nv\r\n")]),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nv--x\r\nw --x--\r\n--xyz\r\n--x--", None),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\nno blank line\r\n--x--", [(b"a", b"")]),
        (b"--x\r\n\r\nv\r\n--x--", []),
        (b"--x\r\nX: name=q\r\n\r\nv\r\n--x--", []),
        (b'--x\r\ncontent-disposition:form-data;NAME=""\r\n\r\nv\r\n--x--', [(b"", b"v")]),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\xff\0\r\n--x--", [(b"a", b"\xff\0")]),
    ],
)
def test_odd_and_broken_bodies(content: bytes, pairs: list[tuple[bytes, bytes]] | None) -> None:
    expected = [(b"a", b"v--x\r\nw --x--\r\n--xyz")] if pairs is None else pairs
    assert decode_multipart(TYPE, content) == expected


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        ("form-data; name=a; filename=b", "a", "b"),
        ('form-data; filename="n;m"; name="a=b; c"', "a=b; c", "n;m"),
        (r'form-data; name="a\"b"; filename="C:\dir\\file"', 'a"b', r"C:\dir\\file"),
        ('form-data; name="a%22b%0d%0A%20"; filename=""', 'a"b\r\n%20', ""),
        ("form-data; name=a; filename*=UTF-8''%e2%82%ac%20x", "a", "\u20ac x"),
        ("form-data; name=a; filename*=UTF-8''no; filename=yes", "a", "yes"),
        ("form-data; name=a; filename*=broken", "a", None),
        ("form-data; name=a; name=b", "a", None),
        ("form-data", None, None),
        ("", None, None),
        ('form-data; name="\xe9\udcff"', "\xe9\udcff", None),
    ],
)
def test_names_of_parts(disposition: str, name: str | None, filename: str | None) -> None:
    header = b"Content-Disposition: " + disposition.encode("utf-8", "surrogateescape")
    (part,) = parts(TYPE, b"--x\r\n" + header + b"\r\n\r\nv\r\n--x--\r\n")
    assert (part.name, part.filename, part.content) == (name, filename, b"v")


@settings(deadline=None)
@given(st.binary(max_size=50), st.text(alphabet='-x\r\n: ;="anmetCod%2\\', max_size=60))
def test_any_body_gives_parts(data: bytes, text: str) -> None:
    for content in (data, text.encode(), BROWSER[:40] + text.encode(), b"--x\r\n" + text.encode() + b"\r\n--x--"):
        for part in parts(TYPE, content):
            assert part.content in content


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_content_type_gives_parts_or_a_value_error(content_type: str) -> None:
    for value in (content_type, "multipart/form-data; boundary=" + content_type):
        with contextlib.suppress(ValueError):
            assert isinstance(decode_multipart(value, BROWSER), list)


# -- multipart, writing -----------------------------------------------------------------------------------------------


def test_encode_multipart() -> None:
    assert encode_multipart(TYPE, [(b"a", b"v"), ('q"\r\n\xe9', "\xe9")]) == body(
        '--x\nContent-Disposition: form-data; name="a"\n\nv\n'
        '--x\nContent-Disposition: form-data; name="q%22%0D%0A\xe9"\n\n\xe9\n'
        "--x--\n"
    )
    assert encode_multipart(TYPE, []) == b"--x--\r\n"


def test_a_value_that_holds_the_boundary_is_refused() -> None:
    with pytest.raises(ValueError, match="boundary"):
        encode_multipart(TYPE, [(b"a", b"1\r\n--x\r\n2")])


NAMES = st.binary(max_size=12).filter(lambda name: b"%" not in name and b'\\"' not in name)


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, st.binary(max_size=30)), max_size=4))
def test_multipart_round_trips(pairs: list[tuple[bytes, bytes]]) -> None:
    content_type = f"multipart/form-data; boundary={forms.new_boundary()}"
    assert decode_multipart(content_type, encode_multipart(content_type, pairs)) == pairs


def test_boundaries_are_new() -> None:
    assert forms.new_boundary() != forms.new_boundary()
    assert len(forms.new_boundary()) <= 70


def test_a_rewrite_keeps_file_names_and_types() -> None:
    pairs = [(b"f", b"new"), (b"a", b"v1"), (b"f", b"another")]
    old = BROWSER.replace(b"Content-Type", b"Content-Length: 14\r\nContent-Type")
    rewritten = parts(TYPE, encode_multipart(TYPE, pairs, old))
    assert [(part.name, part.filename, part.content_type, part.content) for part in rewritten] == [
        ("f", "t.txt", "text/plain", b"new"),
        ("a", None, "", b"v1"),
        ("f", None, "", b"another"),
    ]
    assert b"Content-Length" not in encode_multipart(TYPE, pairs, old)


def test_a_rewrite_keeps_the_order_of_repeated_names() -> None:
    old = body(
        '--x\nContent-Disposition: form-data; name="f"; filename="1"\n\nv\n'
        '--x\nContent-Disposition: form-data; name="f"; filename="2"\n\nw\n--x--\n'
    )
    assert encode_multipart(TYPE, decode_multipart(TYPE, old), old) == old


@pytest.mark.parametrize(
    "content",
    [
        b"--x\r\n" * 60_000,
        b"--x" * 100_000,
        b"\n--x " * 60_000,
        b"\n--x" + b" " * 300_000,
        b"--x\r\n" + b"A: b\r\n" * 50_000,
        b"--x\r\nContent-Disposition: form-data" + b'; name="' * 40_000,
        b"--x\r\nContent-Disposition: form-data" + b"\r\n " * 100_000,
        b"--x\r\n" + b" " * 300_000,
        b"--x\r\n" + b"\r" * 300_000,
    ],
)
def test_hostile_bodies_cost_linear_time(content: bytes) -> None:
    begin = time.process_time()
    parts(TYPE, content)
    assert time.process_time() - begin < 2
