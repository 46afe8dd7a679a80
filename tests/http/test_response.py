"""Responses: how they are made, status and reason, cookies, ``refresh``."""

from __future__ import annotations

from typing import Any

import pytest

from flowdump.http import Request, Response
from flowdump.http.headers import Headers
from flowdump.http.status_codes import RESPONSES

FACTS: dict[str, Any] = {
    "http_version": b"HTTP/1.1",
    "status_code": 200,
    "reason": b"OK",
    "headers": Headers(a="b"),
    "content": b"x",
    "trailers": None,
    "timestamp_start": 1.0,
    "timestamp_end": 2.0,
}


# -- making ------------------------------------------------------------------------------------------------------


def test_made_of_nothing() -> None:
    r = Response.make()
    assert (r.status_code, r.reason, r.http_version, r.content) == (200, "OK", "HTTP/1.1", b"")
    assert r.headers.fields == ((b"content-length", b"0"),)
    assert r.timestamp_start == r.timestamp_end


def test_made_of_places() -> None:
    r = Response.make(404, "<b>nö</b>", {"Content-Type": "text/html"})
    assert (r.status_code, r.reason, r.raw_content) == (404, "Not Found", "<b>nö</b>".encode())
    assert r.headers.fields == ((b"Content-Type", b"text/html"), (b"content-length", b"10"))


@pytest.mark.parametrize(
    ("content", "headers", "raw", "fields"),
    [
        ("nö", {"content-type": "text/plain; charset=latin-1"}, b"n\xf6", None),
        ("nö", {}, b"n\xf6", ((b"content-length", b"2"),)),
        ("n€", {}, "n€".encode(), ((b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"4"))),
        (b"x", {"transfer-encoding": "chunked"}, b"x", ((b"transfer-encoding", b"chunked"),)),
        (b"x", {"content-length": "99"}, b"x", ((b"content-length", b"1"),)),
        (b"x", {"content-encoding": "unknown"}, b"x", ((b"content-length", b"1"),)),
        (b"x", [(b"a", b"1"), (b"a", b"2")], b"x", ((b"a", b"1"), (b"a", b"2"), (b"content-length", b"1"))),
        (b"x", Headers(a="1"), b"x", ((b"a", b"1"), (b"content-length", b"1"))),
    ],
)
def test_content_and_headers_for_make(content: Any, headers: Any, raw: bytes, fields: Any) -> None:
    r = Response.make(200, content, headers)
    assert r.raw_content == raw
    assert fields is None or r.headers.fields == fields


def test_make_applies_the_coding() -> None:
    r = Response.make(200, b"zip me", {"content-encoding": "gzip"})
    assert (r.content, (r.raw_content or b"")[:2]) == (b"zip me", b"\x1f\x8b")


@pytest.mark.parametrize(("content", "headers"), [(None, ()), (5, ()), (bytearray(b"x"), ()), (b"", None), (b"", 5)])
def test_make_refuses(content: Any, headers: Any) -> None:
    with pytest.raises(TypeError, match="given as"):
        Response.make(200, content, headers)


def test_made_of_all_its_facts() -> None:
    by_place, by_name = Response(*FACTS.values()), Response(**FACTS)
    assert by_place == by_name
    assert by_name.get_state() == FACTS | {"headers": ((b"a", b"b"),)}
    r = Response("HTTP/1.1", 204, "No Content", ((b"c", b"d"),), None, ((b"t", b"1"),), 1.0, None)
    assert (r.data.http_version, r.data.reason, r.headers["c"]) == (b"HTTP/1.1", b"No Content", "d")
    assert r.trailers is not None
    assert (r.content, r.trailers["t"], r.stream) == (None, "1", False)


@pytest.mark.parametrize("change", [{"status_code": "200"}, {"content": "text"}, {"reason": 5}, {"unknown": 1}])
def test_facts_of_the_wrong_type(change: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Response(**FACTS | change)
    with pytest.raises(TypeError, match="Response is made of http_version, status_code"):
        Response()


# -- status and reason -------------------------------------------------------------------------------------------


def test_the_status_leaves_the_reason() -> None:
    r = Response.make()
    r.status_code = 404
    assert (r.status_code, r.reason) == (404, "OK")


@pytest.mark.parametrize(
    ("given", "raw", "text"), [("Grün", b"Gr\xfcn", "Grün"), (b"\xff", b"\xff", "ÿ"), ("", b"", ""), ("€", b"?", "?")]
)
def test_reason(given: Any, raw: bytes, text: str) -> None:
    r = Response.make()
    r.reason = given
    assert (r.data.reason, r.reason) == (raw, text)


def test_reasons_of_the_registry() -> None:
    for status in (100, 101, 204, 206, 304, 404, 418, 429, 451, 500, 502, 511):
        assert Response.make(status).reason == RESPONSES[status]
    assert Response.make(599).reason == ""
    assert (RESPONSES[413], RESPONSES[422]) == ("Content Too Large", "Unprocessable Content")
    assert list(RESPONSES) == sorted(RESPONSES)
    assert all(100 <= status < 600 and text.isascii() for status, text in RESPONSES.items())


# -- cookies -----------------------------------------------------------------------------------------------------


def test_cookies() -> None:
    r = Response.make()
    r.headers.set_all("set-cookie", ["a=1; Path=/; HttpOnly", "b=2; Expires=Wed, 21 Oct 2015 07:28:00 GMT", "a=3"])
    assert [(name, value, attributes.fields) for name, (value, attributes) in r.cookies.fields] == [
        ("a", "1", (("Path", "/"), ("HttpOnly", None))),
        ("b", "2", (("Expires", "Wed, 21 Oct 2015 07:28:00 GMT"),)),
        ("a", "3", ()),
    ]
    value, attributes = r.cookies["a"]
    assert (value, attributes["path"], attributes["HTTPONLY"], "Secure" in attributes) == ("1", "/", None, False)
    assert Response.make().cookies.fields == ()


def test_changing_cookies() -> None:
    r = Response.make()
    r.cookies["a"] = ("x", {"Path": "/"})  # type: ignore[assignment]
    r.cookies.add("b", ("y z", ()))  # type: ignore[arg-type]
    assert r.headers.get_all("set-cookie") == ["a=x; Path=/", 'b="y z"']
    r.cookies["a"] = r.cookies["b"]
    assert r.headers.get_all("set-cookie") == ['a="y z"', 'b="y z"']
    r.cookies = {"c": ("1", [("Secure", None)])}
    assert r.headers.get_all("set-cookie") == ["c=1; Secure"]
    r.cookies.clear()
    assert r.headers.fields == ((b"content-length", b"0"),)


# -- refresh -----------------------------------------------------------------------------------------------------


def test_refresh_moves_dates_by_the_age() -> None:
    r = Response.make(
        200,
        b"",
        {
            "date": "Wed, 21 Oct 2015 07:28:00 GMT",
            "expires": "Wed, 21 Oct 2015 08:28:00 GMT",
            "last-modified": "not a date",
            "set-cookie": "a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Path=/; Max-Age=5",
        },
    )
    r.timestamp_start = 1000.0
    r.refresh(4600.0)
    assert dict(r.headers) == {
        "date": "Wed, 21 Oct 2015 08:28:00 GMT",
        "expires": "Wed, 21 Oct 2015 09:28:00 GMT",
        "last-modified": "not a date",
        "set-cookie": "a=1; Expires=Wed, 21 Oct 2015 08:28:00 GMT; Path=/; Max-Age=5",
        "content-length": "0",
    }


def test_refresh_keeps_cookies_apart_and_adds_nothing() -> None:
    r = Response.make()
    r.headers.set_all("set-cookie", ["a=1", "b=2"])
    before = r.headers.fields
    r.refresh()
    assert r.headers.fields == before


# -- repr --------------------------------------------------------------------------------------------------------


def test_repr_tells_a_story() -> None:
    r = Response.make(404, b"x", {"content-type": "text/html; charset=utf-8"})
    assert repr(r) == "Response(404, text/html; charset=utf-8, 1 bytes)"
    assert repr(Response.make(200, b"x")) == "Response(200, unknown content type, 1 bytes)"
    assert repr(Response.make()) == "Response(200, no content)"
    r.raw_content = None
    assert repr(r) == "Response(404, no recorded content)"
    assert r.data.__eq__(Request.make("GET", "http://a/").data) is False
