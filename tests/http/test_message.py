"""What requests and responses share: body, text, codings, charsets, trailers, times, state, ``replace``."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.http import Request, Response
from flowdump.http.headers import Headers
from flowdump.http.message import Message

CODINGS = ("gzip", "deflate", "br", "zstd", "identity", "gzip, br", "zstd, deflate")
DAMAGED = b"no gzip at all"


def response(content: bytes | str = b"abc", **headers: str) -> Response:
    return Response.make(200, content, {name.replace("_", "-"): value for name, value in headers.items()})


def damaged(coding: str = "gzip", content_type: str = "text/plain") -> Response:
    made = response(DAMAGED, content_type=content_type)
    made.headers["content-encoding"] = coding
    return made


# -- content -----------------------------------------------------------------------------------------------------


def packed(content: bytes) -> bytes:
    """Gzip without the time, for the bytes name tests, and those must have one name in every process."""
    return gzip.compress(content, mtime=0)


def test_content_without_a_coding_is_the_raw_content() -> None:
    r = response(b"abc")
    assert r.content is r.raw_content
    assert r.content == b"abc"


@pytest.mark.parametrize(
    ("coding", "raw"),
    [
        ("gzip", packed(b"abc")),
        ("GZip", packed(b"abc")),
        ("x-gzip", packed(b"abc")),
        ("gzip", packed(b"a") + packed(b"bc")),
        ("deflate", zlib.compress(b"abc")),
        ("deflate", zlib.compress(b"abc")[2:-4]),
        ("br", brotli.compress(b"abc")),
        ("zstd", zstandard.compress(b"abc")),
        ("identity", b"abc"),
        ("deflate, gzip", packed(zlib.compress(b"abc"))),
    ],
)
def test_content_undoes_codings(coding: str, raw: bytes) -> None:
    r = response(b"", content_encoding=coding)
    r.raw_content = raw
    assert r.content == r.get_content() == b"abc"
    assert r.text == "abc"
    assert r.raw_content == raw
    assert r.headers["content-encoding"] == coding


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "unknown", "gzip, unknown"])
def test_undecodable_content(coding: str) -> None:
    r = damaged(coding)
    with pytest.raises(ValueError, match=r"."):
        r.content  # noqa: B018
    with pytest.raises(ValueError, match=r"."):
        r.text  # noqa: B018
    with pytest.raises(ValueError, match=r"."):
        r.decode()
    assert r.get_content(strict=False) == DAMAGED
    assert r.get_text(strict=False) == DAMAGED.decode()
    assert r.raw_content == DAMAGED
    assert r.headers["content-encoding"] == coding


def test_an_empty_body_is_empty_under_any_coding() -> None:
    r = response(b"x", content_encoding="gzip")
    r.raw_content = b""
    assert r.content == b""
    assert r.text == ""


def test_no_recorded_body() -> None:
    r = response(b"abc", content_encoding="gzip")
    r.raw_content = None
    assert r.content is None
    assert r.text is None
    assert r.get_content(strict=False) is None
    assert r.get_text(strict=False) is None
    r.decode()
    assert r.headers["content-encoding"] == "gzip"
    r.encode("br")
    assert r.raw_content is None
    with pytest.raises(TypeError, match="not available"):
        r.json()


def test_setting_content_encodes_it_and_sets_the_length() -> None:
    r = response(b"abc", content_encoding="gzip")
    r.content = b"defgh"
    assert gzip.decompress(r.raw_content or b"") == b"defgh"
    assert r.headers["content-length"] == str(len(r.raw_content or b""))
    assert r.content == b"defgh"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ((b"content-length", b"2"),)),
        ({"Content-Length": "99"}, ((b"Content-Length", b"2"),)),
        ({"transfer-encoding": "chunked"}, ((b"transfer-encoding", b"chunked"),)),
        (
            {"transfer-encoding": "chunked", "content-length": "3"},
            ((b"transfer-encoding", b"chunked"), (b"content-length", b"3")),
        ),
        ({"content-encoding": "unknown"}, ((b"content-length", b"2"),)),
        ({"content-encoding": "identity"}, ((b"content-encoding", b"identity"), (b"content-length", b"2"))),
    ],
)
def test_the_length_follows_the_content(headers: dict[str, str], expected: Any) -> None:
    r = Response.make(200, b"xyz", headers)
    r.content = b"xy"
    assert r.headers.fields == expected
    assert r.raw_content == b"xy"


def test_content_none_leaves_the_headers() -> None:
    r = response(b"abc")
    r.content = None
    assert r.content is None
    assert r.headers.fields == ((b"content-length", b"3"),)
    r.text = "ab"
    assert r.headers.fields == ((b"content-length", b"2"),)
    r.text = None
    assert r.raw_content is None


def test_raw_content_touches_no_header() -> None:
    r = response(b"abc")
    r.raw_content = b"12345"
    assert r.headers.fields == ((b"content-length", b"3"),)
    assert r.content == b"12345"


@pytest.mark.parametrize("content", ["text", 5, bytearray(b"x"), ["x"]])
def test_content_is_bytes(content: Any) -> None:
    r = response(b"abc")
    with pytest.raises(TypeError, match="must be bytes"):
        r.content = content
    with pytest.raises(TypeError, match="must be bytes"):
        r.set_content(content)
    assert r.raw_content == b"abc"


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200), st.sampled_from(CODINGS))
def test_content_comes_back_under_every_coding(content: bytes, coding: str) -> None:
    r = response(b"", content_encoding=coding)
    r.content = content
    assert r.content == content
    assert r.headers["content-length"] == str(len(r.raw_content or b""))
    again = Response.from_state(r.get_state())
    assert again.content == content


# -- what was decoded once ---------------------------------------------------------------------------------------


def test_asking_twice_decodes_once() -> None:
    r = response(b"", content_encoding="gzip")
    r.raw_content = gzip.compress(b"abc")
    assert r.content is r.content


@pytest.mark.parametrize(
    ("change", "content"),
    [
        (lambda r: setattr(r, "raw_content", gzip.compress(b"new")), b"new"),
        (lambda r: setattr(r.data, "content", gzip.compress(b"new")), b"new"),
        (lambda r: setattr(r, "content", b"new"), b"new"),
        (lambda r: setattr(r, "text", "new"), b"new"),
        (lambda r: r.headers.__setitem__("content-encoding", "identity"), gzip.compress(b"old", mtime=0)),
        (lambda r: r.headers.pop("content-encoding"), gzip.compress(b"old", mtime=0)),
        (lambda r: setattr(r, "headers", Headers()), gzip.compress(b"old", mtime=0)),
        (lambda r: setattr(r.data, "headers", Headers(content_encoding="identity")), gzip.compress(b"old", mtime=0)),
        (lambda r: setattr(r.headers, "fields", ()), gzip.compress(b"old", mtime=0)),
        (lambda r: setattr(r, "raw_content", None), None),
        (lambda r: r.decode(), b"old"),
        (lambda r: r.encode("br"), b"old"),
        (lambda r: r.replace("old", "new"), b"new"),
        (lambda r: r.set_state(response(b"new").get_state()), b"new"),
    ],
)
def test_the_decoded_body_never_lies(change: Any, content: bytes | None) -> None:
    r = response(b"", content_encoding="gzip")
    r.raw_content = gzip.compress(b"old", mtime=0)
    assert r.content == b"old"
    change(r)
    assert r.content == content


def test_an_unknown_coding_after_a_known_one() -> None:
    r = response(b"abc", content_encoding="gzip")
    assert r.content == b"abc"
    r.headers["content-encoding"] = "unknown"
    with pytest.raises(ValueError, match="unknown content coding"):
        r.content  # noqa: B018


def test_content_set_to_what_it_is_keeps_its_bytes() -> None:
    r = response(b"", content_encoding="gzip")
    raw = r.raw_content = gzip.compress(b"abc", compresslevel=9, mtime=5)
    r.content = r.content
    r.text = r.text
    assert r.raw_content is raw
    assert r.headers["content-length"] == str(len(raw))
    r.content = b"abd"
    assert r.content == b"abd"
    r.headers["content-encoding"] = "br"
    r.content = b"abd"
    assert brotli.decompress(r.raw_content or b"") == b"abd"
    r.raw_content = DAMAGED
    r.content = b"abd"
    assert brotli.decompress(r.raw_content or b"") == b"abd"


# -- decode, encode ----------------------------------------------------------------------------------------------


def test_decode_stores_the_plain_body() -> None:
    r = response(b"abc", content_encoding="gzip")
    r.decode()
    assert r.raw_content == b"abc"
    assert r.headers.fields == ((b"content-length", b"3"),)


def test_decode_of_damage_is_strict_unless_told() -> None:
    r = damaged()
    r.decode(strict=False)
    assert r.raw_content == DAMAGED
    assert "content-encoding" not in r.headers
    assert r.headers["content-length"] == str(len(DAMAGED))


@pytest.mark.parametrize("coding", CODINGS)
def test_encode(coding: str) -> None:
    r = response(b"abc")
    r.encode(coding)
    assert r.headers["content-encoding"] == coding
    assert r.content == b"abc"
    assert r.headers["content-length"] == str(len(r.raw_content or b""))


def test_encode_undoes_what_was_there() -> None:
    r = response(b"abc", content_encoding="gzip")
    r.encode("deflate")
    assert zlib.decompress(r.raw_content or b"") == b"abc"
    assert r.headers["content-encoding"] == "deflate"


def test_encode_with_an_unknown_coding() -> None:
    r = response(b"abc")
    with pytest.raises(ValueError, match="unknown content coding 'nope'"):
        r.encode("nope")
    assert r.raw_content == b"abc"
    assert r.headers.fields == ((b"content-length", b"3"),)


def test_encode_of_damage_wraps_it() -> None:
    r = damaged()
    r.encode("gzip")
    assert r.content == DAMAGED


# -- text --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "content", "text"),
    [
        (None, "ä".encode(), "Ã¤"),
        ("text/plain", b"\xe4", "ä"),
        ("image/png", b"\xe4", "ä"),
        ("text/plain; charset=utf-8", "ä€".encode(), "ä€"),
        ('text/plain; charset="UTF-8"', "ä€".encode(), "ä€"),
        ("text/html", "ä".encode(), "ä"),
        ("application/json", "ä".encode(), "ä"),
        ("text/css", "ä".encode(), "ä"),
        ("application/javascript", "ä".encode(), "ä"),
        ("text/xml", "ä".encode(), "ä"),
        ("text/html", b"<meta charset=iso-8859-15>\xa4", "<meta charset=iso-8859-15>€"),
        (
            "text/xml",
            b'<?xml version="1.0" encoding="iso-8859-15"?>\xa4',
            '<?xml version="1.0" encoding="iso-8859-15"?>€',
        ),
        ("text/css", b'@charset "iso-8859-15";\xa4', '@charset "iso-8859-15";€'),
        ("text/plain; charset=utf-8", b"\xef\xbb\xbfabc", "abc"),
        ("text/plain", "aä".encode("utf-16"), "\ufeffaä"),
    ],
)
def test_text(content_type: str | None, content: bytes, text: str) -> None:
    r = response(content, **({"content_type": content_type} if content_type else {}))
    assert r.text == r.get_text() == text


@pytest.mark.parametrize(("charset", "content"), [("utf-8", b"a\xff"), ("nope", b"a\xff"), ("ascii", b"a\xff")])
def test_text_that_does_not_fit(charset: str, content: bytes) -> None:
    r = response(content, content_type=f"text/plain; charset={charset}")
    with pytest.raises(ValueError, match=r"."):
        r.get_text()
    assert r.get_text(strict=False) == "a\udcff"


@pytest.mark.parametrize(
    ("content_type", "text", "content", "then"),
    [
        ("text/html", "ä€", "ä€".encode(), "text/html"),
        ("application/json", "ä€", "ä€".encode(), "application/json"),
        ("text/html; charset=latin-1", "ä", b"\xe4", "text/html; charset=latin-1"),
        ("text/html; charset=latin-1", "€", "€".encode(), "text/html; charset=utf-8"),
        ("text/html; a=b; charset=latin-1", "€", "€".encode(), "text/html; a=b; charset=utf-8"),
        ("text/html; charset=nope", "ä", "ä".encode(), "text/html; charset=utf-8"),
        ("image/png", "ä", b"\xe4", "image/png"),
        ("image/png", "€", "€".encode(), "image/png; charset=utf-8"),
        (None, "ä", b"\xe4", None),
        (None, "€", "€".encode(), "text/plain; charset=utf-8"),
        (None, "\udcff", b"\xff", "text/plain; charset=utf-8"),
    ],
)
def test_set_text(content_type: str | None, text: str, content: bytes, then: str | None) -> None:
    r = response(b"old", **({"content_type": content_type} if content_type else {}))
    r.text = text
    assert r.raw_content == content
    assert r.headers.get("content-type") == then
    assert r.headers["content-length"] == str(len(content))


@pytest.mark.parametrize("text", [b"x", 5, ["x"]])
def test_text_is_str(text: Any) -> None:
    r = response(b"abc")
    with pytest.raises(TypeError, match="must be str"):
        r.text = text
    assert r.raw_content == b"abc"


CHARSETS = (
    "utf-8",
    "latin-1",
    "utf-16",
    "utf-16-le",
    "utf-32",
    "ascii",
    "gb2312",
    "shift_jis",
    "koi8-r",
    "cp1252",
    "big5",
)


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=40), st.sampled_from(CHARSETS), st.sampled_from(CODINGS))
def test_text_comes_back_under_every_charset(text: str, charset: str, coding: str) -> None:
    # A mark at the start of a document says its charset: set as text it is told apart from no mark of our own.
    text = "".join(c for c in text if c not in "\0\ufeff\ufffeÿþï")
    r = response(b"", content_type=f"text/plain; charset={charset}", content_encoding=coding)
    r.text = text
    again = r.text
    assert again is not None
    assert again.removeprefix("\ufeff") == text


# -- JSON --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b'{"a": "\xc3\xa4"}', '{"a": "ä"}'.encode("utf-16"), b' {"a":"\\u00e4"}\n'])
def test_json(content: bytes) -> None:
    assert response(content).json() == {"a": "ä"}
    coded = response(content, content_encoding="br")
    assert coded.json(object_pairs_hook=list) == [("a", "ä")]


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff", b'{"a":"\xff"}'])
def test_not_json(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        response(content).json()


def test_json_of_damage_is_judged_as_it_is() -> None:
    with pytest.raises(json.JSONDecodeError):
        damaged().json()


# -- version, trailers, times, stream ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "flags"),
    [
        ("HTTP/1.0", (True, False, False, False)),
        ("HTTP/1.1", (False, True, False, False)),
        ("HTTP/2.0", (False, False, True, False)),
        ("HTTP/3", (False, False, False, True)),
        ("HTTP/9", (False, False, False, False)),
    ],
)
def test_versions(version: str, flags: tuple[bool, ...]) -> None:
    for message in (response(), Request.make("GET", "http://a/")):
        message.http_version = version
        assert message.data.http_version == version.encode()
        assert message.http_version == version
        assert (message.is_http10, message.is_http11, message.is_http2, message.is_http3) == flags
        message.http_version = version.encode()  # type: ignore[assignment]
        assert message.http_version == version


def test_facts_are_views_on_the_data() -> None:
    r = response(b"abc")
    assert r.trailers is None
    assert r.stream is False
    r.trailers = Headers(a="b")
    r.timestamp_start, r.timestamp_end = 5.0, None
    r.headers = Headers(c="d")
    assert r.data.trailers is r.trailers
    assert (r.data.timestamp_start, r.data.timestamp_end) == (5.0, None)
    assert r.data.headers["c"] == "d"


def test_any_attribute_may_be_set() -> None:
    r: Any = response()
    r.mine = 1
    r.stream = True
    assert (r.mine, r.stream) == (1, True)


# -- state, copies, comparing ------------------------------------------------------------------------------------


def test_state() -> None:
    r = response(b"abc")
    r.trailers, r.timestamp_start, r.timestamp_end = Headers(t="1"), 1.0, 2.5
    assert r.get_state() == {
        "http_version": b"HTTP/1.1",
        "headers": ((b"content-length", b"3"),),
        "content": b"abc",
        "trailers": ((b"t", b"1"),),
        "timestamp_start": 1.0,
        "timestamp_end": 2.5,
        "status_code": 200,
        "reason": b"OK",
    }


def test_state_may_have_lists_for_pairs() -> None:
    state = response(b"abc").get_state() | {"headers": [[b"a", b"b"]], "trailers": [[b"c", b"d"]]}
    r = Response.from_state(state)
    assert r.headers.fields == ((b"a", b"b"),)
    assert r.trailers is not None
    assert r.trailers.fields == ((b"c", b"d"),)
    r.set_state(state | {"trailers": None, "content": None})
    assert (r.trailers, r.content) == (None, None)


def test_copies_are_independent() -> None:
    r = response(b"abc")
    r.trailers = Headers(t="1")
    copy = r.copy()
    assert type(copy) is Response
    assert copy == r
    copy.content = b"changed"
    copy.headers["new"] = "1"
    assert copy.trailers is not None
    copy.trailers["t"] = "2"
    assert r.content == b"abc"
    assert "new" not in r.headers
    assert r.trailers["t"] == "1"
    assert copy != r
    assert r != r.get_state()


def test_a_message_of_no_kind_has_no_state() -> None:
    with pytest.raises(AttributeError):
        Message.from_state({})


# -- replace -----------------------------------------------------------------------------------------------------


def page(content: bytes = b"<p>html</p> html", **headers: str) -> Response:
    return response(content, content_type="text/html", **headers)


def test_replace_counts_body_and_headers() -> None:
    r = page()
    assert r.replace("html", "x") == 3
    assert r.content == b"<p>x</p> x"
    assert r.headers.fields == ((b"content-type", b"text/x"), (b"content-length", b"10"))


@pytest.mark.parametrize(("pattern", "repl"), [("ä", "ö"), ("ä".encode(), "ö".encode()), ("ä", "ö".encode())])
def test_replace_takes_str_and_bytes_alike(pattern: Any, repl: Any) -> None:
    r = page("ää".encode(), x_name="ä")
    assert r.replace(pattern, repl) == 3
    assert r.text == "öö"
    assert r.headers["x-name"] == "ö"


def test_replace_limits_body_and_headers_each() -> None:
    r = page(b"html html html", x="html", y="html")
    assert r.replace("html", "_", count=2) == 4
    assert r.content == b"_ _ html"
    assert (r.headers["content-type"], r.headers["x"], r.headers["y"]) == ("text/_", "_", "html")


def test_replace_takes_flags_and_groups() -> None:
    import re

    r = page(b"HTML\nhtml")
    assert r.replace("^(h)(tml)$", r"\2\1", flags=re.IGNORECASE | re.MULTILINE) == 2
    assert r.content == b"TMLH\ntmlh"
    assert r.replace("nowhere", "x") == 0


@pytest.mark.parametrize("coding", CODINGS)
def test_replace_encodes_again(coding: str) -> None:
    r = page(content_encoding=coding)
    assert r.replace("<p>html</p>", "") == 1
    assert r.headers["content-encoding"] == coding
    assert r.content == b" html"
    assert r.headers["content-length"] == str(len(r.raw_content or b""))


def test_replace_leaves_an_untouched_body_as_it_came() -> None:
    r = page(content_encoding="gzip")
    raw = r.raw_content = gzip.compress(b"never seen", compresslevel=9)
    assert r.replace("absent", "x") == 0
    assert r.raw_content is raw


def test_replace_works_on_the_raw_bytes_of_damage() -> None:
    r = damaged()
    assert r.replace("gzip at", "zip at") == 1
    assert r.raw_content == b"no zip at all"
    assert r.headers["content-encoding"] == "gzip"
    assert r.headers["content-length"] == "13"
    assert r.replace("nothing", "") == 0


def test_replace_in_a_chunked_body_sets_no_length() -> None:
    r = response(b"abc", transfer_encoding="chunked")
    assert r.replace("b", "") == 1
    assert r.headers.fields == ((b"transfer-encoding", b"chunked"),)


def test_replace_without_a_body() -> None:
    r = response(b"", x="html")
    r.raw_content = None
    assert r.replace("html", "y") == 1
    assert (r.raw_content, r.headers["x"]) == (None, "y")


def test_replace_can_drop_a_header() -> None:
    r = response(b"", x_secret="1", y="2")
    assert r.replace("^x-secret: .*$", "") == 1
    assert r.headers.fields == ((b"y", b"2"), (b"content-length", b"0"))


@pytest.mark.parametrize(("pattern", "repl"), [(5, "x"), ("x", None), (None, "x")])
def test_replace_takes_nothing_else(pattern: Any, repl: Any) -> None:
    with pytest.raises(TypeError):
        page().replace(pattern, repl)


def test_messages_are_keys_whatever_is_done_to_them() -> None:
    asked, answer = Request.make("GET", "https://example.com/"), response()
    known = {asked: 1, answer: 2}
    asked.headers["new"] = answer.headers["new"] = "x"
    asked.path, answer.text = "/other", "other"
    assert (known[asked], known[answer]) == (1, 2)
    assert asked.copy() not in known
    assert asked.copy() == asked
