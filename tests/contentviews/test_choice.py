"""The package as its users see it: which view is chosen, what is safe, what is lazy, what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from time import process_time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.growth import is_linear

from flowdump import contentviews
from flowdump.contentviews import body, choice, markup
from flowdump.contentviews.choice import VIEWS
from flowdump.escaping import escape_controls

if TYPE_CHECKING:
    from collections.abc import Iterator

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x06\0\0\0"


def name_of(content: bytes, content_type: str = "", view: str = "auto") -> str:
    return contentviews.render(content, content_type=content_type, view=view).name


# -- choosing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "content", "name"),
    [
        ("application/json", b"[1]", "json"),
        ("Application/JSON; charset=utf-8", b"[1]", "json"),
        ("application/vnd.api+json", b"[1]", "json"),
        ("application/json+protobuf", b"[1]", "json"),
        ("application/x-ndjson", b"1\n2\n", "raw"),
        ("application/x-ndjson", b"[1]\n[2]\n", "json"),
        ("text/html", b"<p>", "xml/html"),
        ("application/atom+xml", b"<a/>", "xml/html"),
        ("image/svg+xml", b"<svg/>", "xml/html"),
        ("text/css", b"a{}", "css"),
        ("text/javascript", b"a", "javascript"),
        ("application/x-javascript", b"a", "javascript"),
        ("application/x-www-form-urlencoded", b"a=1", "url-encoded"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\na\r\n--x--", "multipart form"),
        ("image/png", PNG, "image"),
        ("text/csv", b"a,b", "raw"),
        ("font/woff2", b"wOF2\0", "hex dump"),
        ("", b"", "raw"),
    ],
)
def test_by_content_type(content_type: str, content: bytes, name: str) -> None:
    assert name_of(content, content_type) == name


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/octet-stream", "nonsense"])
@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b' \n{"a": 1}', "json"),
        (b")]}'\n[1]", "json"),
        (b"\xef\xbb\xbf[1]", "json"),
        (b"[not json]", "raw"),
        (b"<!DOCTYPE html><p>", "xml/html"),
        (b"<?xml version='1.0'?><a/>", "xml/html"),
        (b"<34>Oct 11 su: failed", "raw"),
        (PNG, "image"),
        (b"RIFF1234WEBPVP8X\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "image"),
        (b'--bound\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--bound--', "multipart form"),
        (b"words", "raw"),
        (b"\x1f\x8b\x08\0\0\0", "hex dump"),
    ],
)
def test_by_the_look_of_it(content_type: str, content: bytes, name: str) -> None:
    assert name_of(content, content_type) == name


@pytest.mark.parametrize(
    ("content_type", "content", "name"),
    [
        ("application/json", b"<html><p>502</html>", "xml/html"),
        ("application/json", b"{broken", "raw"),
        ("image/png", b"GIF87", "raw"),
        ("image/png", PNG[:18], "hex dump"),
        ("text/html", b'{"error": 1}', "json"),
        ("application/x-www-form-urlencoded", b"\0\1\2", "hex dump"),
        ("application/x-www-form-urlencoded", b"&&&", "raw"),
        ("multipart/form-data", b"x", "raw"),
    ],
)
def test_a_body_that_is_not_what_its_type_says(content_type: str, content: bytes, name: str) -> None:
    assert name_of(content, content_type) == name


def test_a_view_by_name_gives_way_to_text_or_dump_only() -> None:
    assert name_of(b"[1]", view="json") == "json"
    assert name_of(b"<a/>", view="json") == "raw"
    assert name_of(PNG, view="json") == "hex dump"
    assert name_of(b"[1]", "application/json", view="hex dump") == "hex dump"
    assert name_of(PNG, view="raw") == "raw"


def test_query_is_shown_where_there_is_no_body() -> None:
    rendered = contentviews.render(b"", query=[("a", "1")])
    assert rendered.name == "query"
    assert list(rendered.lines) == ["a: 1"]
    assert contentviews.render(b"body", query=[("a", "1")]).name == "raw"
    assert contentviews.render(b"body", query=[("a", "1")], view="query").name == "query"


def test_names_are_those_of_the_table() -> None:
    names = contentviews.names()
    assert names[0] == "auto"
    assert set(names[1:]) == {view.name for view in VIEWS}
    assert {"json", "xml/html", "css", "javascript", "url-encoded", "multipart form", "query", "image"} < set(names)
    assert {"protobuf", "grpc", "msgpack", "raw", "hex dump"} < set(names)


@pytest.mark.parametrize(
    ("typed", "name"), [("JSON", "json"), (" hex ", "hex dump"), ("viewcss", "css"), ("auto", "auto")]
)
def test_names_as_people_type_them(typed: str, name: str) -> None:
    assert contentviews.canonical(typed) == name


@pytest.mark.parametrize(
    ("typed", "near"), [("jsn", "json"), ("hex-dump", "hex dump"), ("javasript", "javascript"), ("q", "query")]
)
def test_unknown_name_names_the_nearest(typed: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"no content view '{typed}'. Did you mean '{near}'"):
        contentviews.render(b"", view=typed)


# -- safety -----------------------------------------------------------------------------------------------------------

TEXTS = r"""{ [ " : , 1 } ] <a> <!-- </a> <pre> <script> < > --b GIF89a RIFF a=%1b & \u001b \ud800 /* ` ${ url( ; ' /"""
BYTES = "00 ff 0a 0d0a 0d 85 1b5b324a e280ae c29b ffd8ff 0a02 0801 0000000002 91 81 dd eda080 efbbbf fffe"
fragments = st.sampled_from([*map(str.encode, TEXTS.split()), *map(bytes.fromhex, BYTES.split()), PNG])
bodies = st.binary(max_size=200) | st.lists(fragments, max_size=30).map(b"".join)
TYPES = """text/plain application/json text/html image/svg+xml text/css text/javascript image/png application/grpc
application/x-www-form-urlencoded multipart/form-data;boundary=b application/msgpack application/x-protobuf
application/grpc-web-text text/html;charset=utf-16 text/plain;charset=utf-7"""
types = st.sampled_from(["", *TYPES.split()])


@settings(deadline=None, max_examples=400)
@given(bodies, types | st.text(max_size=30), st.sampled_from(contentviews.names()), st.sampled_from(["", "gzip", "x"]))
def test_any_body_gives_lines_that_cannot_drive_a_terminal(content: bytes, kind: str, view: str, coding: str) -> None:
    query = [(kind, content.decode("latin-1"))]
    rendered = contentviews.render(content, content_type=kind, view=view, query=query, grpc_encoding=coding)
    assert rendered.name in contentviews.names()
    for line in rendered.lines:
        assert escape_controls(line) == line


def test_control_characters_are_escaped_in_every_view() -> None:
    nasty = "\x1b[2J\u202e\x9b"
    for content, kind in (
        (f"<p title='{nasty}'>".encode(), "text/html"),
        (f"a{{b:'{nasty}'}}".encode(), "text/css"),
        (f"'{nasty}'".encode(), "text/javascript"),
        (b"a=%1b[2J%e2%80%ae%c2%9b", "application/x-www-form-urlencoded"),
        (f'--b\r\nContent-Disposition: form-data; name="{nasty}"\r\n\r\n'.encode(), "multipart/form-data; boundary=b"),
        (f'{{"a":"{nasty}"}}'.encode(), "application/json"),
        (nasty.encode(), "text/plain"),
    ):
        rendered = contentviews.render(content, content_type=kind)
        assert rendered.name not in ("hex dump", ""), kind
        assert r"\x1b[2J\u202e\x9b" in "".join(rendered.lines), kind


def test_a_view_that_fails_half_way_is_followed_by_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_text: str, _html: bool) -> Iterator[markup.Token]:
        yield markup.Token(markup.EMPTY, "<a/>", "a")
        yield markup.Token(markup.EMPTY, "<b/>", "b")
        raise RuntimeError

    monkeypatch.setattr(markup, "tokens", broken)
    made = list(contentviews.render(b"<a/>\n<b/>", content_type="text/xml").lines)
    assert made[:2] == ["<a/>", "<b/>"]
    assert made[2].startswith("(this view went no further")
    assert made[3:] == ["<a/>", "<b/>"]


@pytest.mark.parametrize("view", ["msgpack", "protobuf"])
def test_missing_packages_are_named_above_a_dump(view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgpack", None)
    monkeypatch.setitem(sys.modules, "google.protobuf.empty_pb2", None)
    rendered = contentviews.render(b"\x08\x01", content_type=f"application/{view}")
    assert rendered.name == "hex dump"
    assert list(rendered.lines) == [
        f"(the package {view} shows this better: pip install 'flowdump[views]')",
        f"00000000  {'08 01':<48}  ..",
    ]


# -- cost -------------------------------------------------------------------------------------------------------------


def test_importing_the_package_imports_no_view() -> None:
    program = (
        "import sys, flowdump.contentviews as c\n"
        "views = {'flowdump.contentviews.' + v.module for v in c.choice.VIEWS}\n"
        "print(sorted(views & set(sys.modules)), 'json' in sys.modules, 'inspect' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[] False False"


def test_text_is_decoded_as_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    original = body.decode

    def counting(content: bytes, codec: str) -> str:
        decoded.append(len(content))
        return original(content, codec)

    monkeypatch.setattr(body, "decode", counting)
    rendered = contentviews.render(b"a line of text\n" * 1_000_000, content_type="text/plain")
    assert list(islice(rendered.lines, 5)) == ["a line of text"] * 5
    assert sum(decoded) < 1000


def test_markup_is_read_as_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[markup.Token] = []
    original = markup.tokens

    def counting(text: str, html: bool) -> Iterator[markup.Token]:
        for token in original(text, html):
            taken.append(token)
            yield token

    monkeypatch.setattr(markup, "tokens", counting)
    rendered = contentviews.render(b"<div><i>x</i></div>" * 10_000, content_type="text/html")
    assert len(list(islice(rendered.lines, 10))) == 10
    assert len(taken) < 100


def test_json_too_large_to_be_checked_is_text() -> None:
    content = b'["' + b"x" * choice.MIB + b'"]\n'
    assert name_of(content, "application/json") == "json"
    assert name_of(content * 9, "application/json") == "raw"


SIZE = 1 << 20
BOMBS = {
    "json": r"""[ {"a": [1, []\n ["\\ ["\\u0041 [[]\x20\x20\x20""",
    "xml/html": r"""<a\x20 <a\x20b=" <!-- </x <!DOCTYPE\x20[> <![CDATA[ <p>a x<b>y</b> <a></x> <pre> <script> << < <?
        <li><td> <a\x20b='\x20 \x20\n<""",
    "css": r"""{/* {url( {url(\\ {"\\ {(; {a: a,{ \x20{ {" ;""",
    "javascript": r"""=/[ =/a =/\\ =/[\\] =/(?:[a/ `${ /* {" {a a, (/ ${ \x20 ( """,
    "url-encoded": r"""& % a=%5b& a=%0a&""",
    "multipart form": r"""--a\n --a\r\n\r\n --a\n--b --a\nb:\n\n --a\n\n[\n""",
    "image": r"""GIF89a\1\0\1\0\0\0\0\x21\xff\1a \xff\xd8\xff <svg\x20width='""",
    "msgpack": r"""\x91 \x81 \xdd\xff\xff\xff\xff \x80""",
    "protobuf": r"""\x0b \x0a\x02\x0a\0 \x0a\x80\x80\1""",
    "grpc": r"""\0\0\0\0\0 \1\0\0\0\0 \x80\0\0\0\1\n""",
    "raw": r"""\n \r \xff\xfe\n\0 \x1b""",
}
# Written as escapes between spaces, to be repeated until the size is reached.
CASES = [
    (view, bomb.encode().decode("unicode_escape").encode("latin-1"))
    for view, bombs in BOMBS.items()
    for bomb in bombs.split()
]


def cost(view: str, bomb: bytes, size: int) -> float:
    """Seconds of the processor to show so many bytes."""
    content = (bomb * (size // len(bomb) + 1))[:size]
    kind = "multipart/form-data; boundary=a" if view == "multipart form" else "text/html" if view == "xml/html" else ""
    start = process_time()
    for _ in contentviews.render(content, content_type=kind, view=view, grpc_encoding="gzip").lines:
        pass
    return process_time() - start


def test_growth_tells_linear_from_quadratic() -> None:
    runs = iter([0.01, 0.2, 0.01, 0.04])
    assert is_linear(lambda: next(runs), lambda: next(runs))
    assert is_linear(lambda: 0.0001, lambda: 0.0016)
    assert not is_linear(lambda: 0.01, lambda: 0.16)


@pytest.mark.parametrize(("view", "bomb"), CASES)
def test_time_is_linear_for_hostile_bodies(view: str, bomb: bytes) -> None:
    """A quarter of a megabyte and a whole one where that is quick, since searches in C hide their squares for long."""
    size = SIZE // 64
    while size < SIZE // 4 and cost(view, bomb, size) < 0.002:
        size *= 4
    assert is_linear(lambda: cost(view, bomb, size), lambda: cost(view, bomb, 4 * size))


@pytest.mark.parametrize(
    ("view", "bomb"), [("css", b"{url("), ("javascript", b"=/a"), ("javascript", b"=/["), ("raw", b"\r")]
)
def test_half_a_megabyte_of_what_could_be_scanned_again_and_again(view: str, bomb: bytes) -> None:
    assert is_linear(lambda: cost(view, bomb, SIZE // 8), lambda: cost(view, bomb, SIZE // 2))
