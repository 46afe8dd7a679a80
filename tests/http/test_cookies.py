"""Cookie headers both ways, cookie dates, and the rules that say where a cookie goes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.http import cookies
from flowdump.http.cookies import SetCookie, parse_cookie_header, parse_set_cookie

NOW = 1_700_000_000.0
PAST = "Thu, 01 Jan 1970 00:00:00 GMT"
FUTURE = "Mon, 24-Aug-2037 00:00:00 GMT"
FUTURE_SECONDS = 2134684800
HEADER = st.text(alphabet='ab=;, "\\\t\xe9{}:', max_size=40)


# -- Cookie -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        (" ; ;", []),
        ("a=b; c=d", [("a", "b"), ("c", "d")]),
        ("a=b;c=d;", [("a", "b"), ("c", "d")]),
        ("a", [("a", "")]),
        ("a=; b", [("a", ""), ("b", "")]),
        ("=b", [("", "b")]),
        ("a=b=c; d==", [("a", "b=c"), ("d", "=")]),
        ("a = b ", [("a ", " b ")]),
        ("a=b,c", [("a", "b,c")]),
        ('a="b c"; d=e', [("a", "b c"), ("d", "e")]),
        ('a="b;c" ; d=e', [("a", "b;c"), ("d", "e")]),
        (r'a="b\"c\\d\x"', [("a", 'b"c\\dx')]),
        ('a=""', [("a", "")]),
        ('a="b"ignored; c=d', [("a", "b"), ("c", "d")]),
        ('a="b; c=d', [("a", "b"), ("c", "d")]),
        ('a=b"c"; d', [("a", 'b"c"'), ("d", "")]),
        ('a={"x":1}', [("a", '{"x":1}')]),
        ("a=1; a=2", [("a", "1"), ("a", "2")]),
    ],
)
def test_parse_cookie_header(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_cookie_header(text) == pairs


@settings(deadline=None)
@given(HEADER.map(lambda text: text.replace('"', "")))
def test_the_fast_path_equals_the_grammar(text: str) -> None:
    slow = [(name.lstrip(), value or "") for name, value in cookies._pairs(text)]
    assert parse_cookie_header(text) == slow


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ([], ""),
        ([("a", "b"), ("c", "")], "a=b; c="),
        ([("a", None)], "a"),
        ([("a", "b c"), ("d", "x,y")], 'a="b c"; d="x,y"'),
        ([("a", "b;c")], 'a="b;c"'),
        ([("a", 'b"c\\d')], r'a="b\"c\\d"'),
        ([("a", "b=c-/:+<[]~!")], "a=b=c-/:+<[]~!"),
        ([("a", "\xe9")], 'a="\xe9"'),
    ],
)
def test_format_cookie_header(pairs: list[tuple[str, str | None]], text: str) -> None:
    assert cookies.format_cookie_header(pairs) == text


NAMES = st.text(alphabet="abc-_.\xe9", min_size=1, max_size=5)
VALUES = st.text(max_size=12)


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_cookie_headers_round_trip(pairs: list[tuple[str, str]]) -> None:
    assert parse_cookie_header(cookies.format_cookie_header(pairs)) == pairs


# -- Set-Cookie -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (";;", []),
        ("a=b", [SetCookie("a", "b")]),
        ("a", [SetCookie("a", None)]),
        ("=b; path=/", [SetCookie("", "b", (("path", "/"),))]),
        (
            "a=b; Path=/; HttpOnly; path; PATH=/z",
            [SetCookie("a", "b", (("Path", "/"), ("HttpOnly", None), ("path", None), ("PATH", "/z")))],
        ),
        (" a = b ; Path = /x ;; Secure", [SetCookie("a", "b", (("Path", "/x"), ("Secure", None)))]),
        (f"a=b; Expires={FUTURE}", [SetCookie("a", "b", (("Expires", FUTURE),))]),
        (
            f"a=b; Expires={FUTURE}; path=/, c=d; Max-Age=3,e=f",
            [
                SetCookie("a", "b", (("Expires", FUTURE), ("path", "/"))),
                SetCookie("c", "d", (("Max-Age", "3"),)),
                SetCookie("e", "f"),
            ],
        ),
        (f"a=b; expires={PAST}, d=e", [SetCookie("a", "b", (("expires", PAST),)), SetCookie("d", "e")]),
        (f'a=b; expires="{PAST}"; x=y', [SetCookie("a", "b", (("expires", PAST), ("x", "y")))]),
        ('a="b, c=d; e"; path=/', [SetCookie("a", "b, c=d; e", (("path", "/"),))]),
        ('a=b; comment="x, y=1", z=1', [SetCookie("a", "b", (("comment", "x, y=1"),)), SetCookie("z", "1")]),
        ('a={"x":1,"y":2}; path=/', [SetCookie("a", '{"x":1,"y":2}', (("path", "/"),))]),
        ("a=1,2; b=3,4", [SetCookie("a", "1,2", (("b", "3,4"),))]),
        ("a=b; Expires=foo, bar; c=d", [SetCookie("a", "b", (("Expires", "foo, bar"), ("c", "d")))]),
    ],
)
def test_parse_set_cookie(text: str, expected: list[SetCookie]) -> None:
    assert parse_set_cookie(text) == expected


def test_cookies_compare_and_show_what_they_hold() -> None:
    cookie = SetCookie("a", "b", (("Path", "/"),))
    assert repr(cookie) == "SetCookie('a', 'b', (('Path', '/'),))"
    assert cookie != SetCookie("a", "b")
    assert cookie != ("a", "b", (("Path", "/"),))


def test_attributes_are_looked_up_without_case_and_the_last_wins() -> None:
    attributes = parse_set_cookie("a=b; Path=/x; HttpOnly; PATH=/y; Domain; secure=1; SECURE")[0].attributes
    assert cookies.attribute(attributes, "path") == "/y"
    assert cookies.attribute(attributes, "httponly") is None
    assert cookies.attribute(attributes, "Secure") is None
    assert cookies.attribute(attributes, "max-age") is None


@pytest.mark.parametrize(
    ("name", "value", "attributes", "text"),
    [
        ("a", "b", [], "a=b"),
        ("a", None, [], "a"),
        ("a", "", [("domain", "")], "a=; domain="),
        ("a", "b c", [("Path", "/x y"), ("HttpOnly", None)], 'a="b c"; Path=/x y; HttpOnly'),
        ("a", "b", [("EXPIRES", FUTURE), ("comment", "x,y")], f'a=b; EXPIRES={FUTURE}; comment="x,y"'),
    ],
)
def test_format_set_cookie(name: str, value: str | None, attributes: list[tuple[str, str | None]], text: str) -> None:
    assert cookies.format_set_cookie(name, value, attributes) == text
    assert parse_set_cookie(text) == [SetCookie(name, value, tuple(attributes))]


@settings(deadline=None)
@given(HEADER)
def test_any_header_gives_cookies_that_can_be_written(text: str) -> None:
    for cookie in parse_set_cookie(text):
        assert isinstance(cookies.format_set_cookie(cookie.name, cookie.value, cookie.attributes), str)
    assert isinstance(cookies.format_cookie_header(parse_cookie_header(text)), str)
    assert isinstance(cookies.refresh_set_cookie(text, 10), str)


@settings(deadline=None)
@given(HEADER.filter(lambda text: "expires" not in text.lower()))
def test_refresh_keeps_what_has_no_date(text: str) -> None:
    squeezed = text.replace(" ", "").replace("\t", "")
    assert cookies.refresh_set_cookie(text, 10).replace(" ", "").replace("\t", "") == squeezed


@pytest.mark.parametrize(
    ("text", "delta", "refreshed"),
    [
        ("a=b; path=/;", 10, "a=b; path=/;"),
        (
            "a=b; Expires=Thu, 01 Jan 2037 00:00:00 GMT; Path=/",
            3600,
            "a=b; Expires=Thu, 01 Jan 2037 01:00:00 GMT; Path=/",
        ),
        ('a="b c"; EXPIRES=Tue, 08-Mar-2011 00:20:38 GMT', -60.5, 'a="b c"; EXPIRES=Tue, 08 Mar 2011 00:19:37 GMT'),
        ("a=b; expires=garbage; HttpOnly", 10, "a=b; HttpOnly"),
        ("a=b; expires=0", 10, "a=b"),
        ('a={"x y":1}; Max-Age=10', 10, 'a={"x y":1}; Max-Age=10'),
        (
            f"a=b; expires={PAST}, c=d; expires={PAST}",
            1,
            f"a=b; expires={PAST[:-6]}01 GMT, c=d; expires={PAST[:-6]}01 GMT",
        ),
        (f"expires={PAST}", 1, f"expires={PAST}"),
        (f'a="x; expires={PAST}"', 1, f'a="x; expires={PAST}"'),
        (f"a=b; expires={PAST}", 1e30, "a=b; expires=Fri, 31 Dec 9999 23:59:59 GMT"),
        (f"a=b; expires={PAST}", -1e30, f"a=b; expires={PAST}"),
    ],
)
def test_refresh_moves_dates_only(text: str, delta: float, refreshed: str) -> None:
    assert cookies.refresh_set_cookie(text, delta) == refreshed


# -- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 01-Jan-70 00:00:01 GMT", 1),
        ("Mon, 24-Aug-2037 00:00:00 GMT", FUTURE_SECONDS),
        ("Monday, 24-Aug-37 00:00:00 GMT", FUTURE_SECONDS),
        ("Mon Aug 24 00:00:00 2037", FUTURE_SECONDS),
        ("2037 AUGUST 24 0:0:0", FUTURE_SECONDS),
        ("24 aug 2037 00:00:00 +0200", FUTURE_SECONDS),
        ("Thu, 29 Feb 2024 12:00:00 GMT", 1709208000),
        ("Thu, 30 Feb 2024 12:00:00 GMT", None),
        ("Mon, 24-Aug-1600 00:00:00 GMT", None),
        ("Mon, 24-Aug-2037 24:00:00 GMT", None),
        ("Mon, 24-Aug-2037 00:00:60 GMT", None),
        ("Mon, 24-Aug-2037", None),
        ("24 Aug 00:00:00", None),
        ("00 Aug 2037 00:00:00", None),
        ("24 Aug 20370 00:00:00", None),
        ("0", None),
        ("", None),
        ("2037-08-24T00:00:00Z", None),
        ("\u0662\u0664 Aug 2037 00:00:00", None),
    ],
)
def test_parse_date(text: str, moment: int | None) -> None:
    assert cookies.parse_date(text) == moment


@settings(deadline=None)
@given(st.integers(0, 253402300799))
def test_dates_round_trip(moment: int) -> None:
    year = time.gmtime(moment).tm_year
    assert cookies.parse_date(cookies.format_date(moment)) == moment
    assert f" {year:04} " in cookies.format_date(moment)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=40), st.text(alphabet="0123456789: -Jan", max_size=40)))
def test_any_date_is_a_number_or_none(text: str) -> None:
    assert isinstance(cookies.parse_date(text), int | None)


@pytest.mark.parametrize(
    ("attributes", "end"),
    [
        ([], None),
        ([("expires", PAST)], 0),
        ([("Expires", FUTURE)], FUTURE_SECONDS),
        ([("expires", "garbage")], None),
        ([("expires", None)], None),
        ([("Max-Age", "10")], NOW + 10),
        ([("max-age", "0")], 0),
        ([("max-age", "-5")], 0),
        ([("max-age", "x"), ("expires", FUTURE)], FUTURE_SECONDS),
        ([("max-age", "+5")], None),
        ([("max-age", None)], None),
        ([("max-age", "")], None),
        ([("expires", PAST), ("max-age", "10")], NOW + 10),
        ([("expires", FUTURE), ("max-age", "0")], 0),
        ([("max-age", "5"), ("MAX-AGE", "7")], NOW + 7),
        ([("max-age", "9" * 5000)], NOW + 999999999999999),
    ],
)
def test_expiry(attributes: list[tuple[str, str | None]], end: float | None) -> None:
    assert cookies.expires_at(attributes, NOW) == end
    assert cookies.is_expired(attributes, NOW) == (end is not None and end <= NOW)


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ([], None),
        ([("expires", FUTURE)], "2037-08-24T00:00:00.000Z"),
        ([("max-age", "1")], "2023-11-14T22:13:21.000Z"),
        ([("max-age", "0")], "1970-01-01T00:00:00.000Z"),
        ([("max-age", "9" * 5000)], "9999-12-31T23:59:59.000Z"),
        ([("expires", "Mon, 24-Aug-1950 00:00:00 GMT")], "1970-01-01T00:00:00.000Z"),
    ],
)
def test_expires_for_har(attributes: list[tuple[str, str | None]], text: str | None) -> None:
    assert cookies.expires_iso8601(attributes, NOW) == text


def test_expires_for_har_keeps_milliseconds() -> None:
    assert cookies.expires_iso8601([("max-age", "1")], NOW + 0.25) == "2023-11-14T22:13:21.250Z"


# -- matching ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "domain", "matches"),
    [
        ("a.com", "a.com", True),
        ("A.com", ".a.COM", True),
        ("b.a.com", "a.com", True),
        ("b.a.com.", ".a.com", True),
        ("ba.com", "a.com", False),
        ("a.com", "b.a.com", False),
        ("a.com", "", False),
        ("a.com", ".", False),
        ("", "", False),
        ("1.2.3.4", "1.2.3.4", True),
        ("1.2.3.4", "3.4", False),
        ("::1", "::1", True),
        ("fe80::a.com", "a.com", False),
    ],
)
def test_domain_match(host: str, domain: str, matches: bool) -> None:
    assert cookies.domain_match(host, domain) is matches


@pytest.mark.parametrize(
    ("path", "cookie_path", "matches"),
    [
        ("/", "/", True),
        ("/a", "/", True),
        ("/a", "/a", True),
        ("/a/b", "/a", True),
        ("/a/b", "/a/", True),
        ("/ab", "/a", False),
        ("/a", "/a/", False),
        ("/a?x=/b", "/a", True),
        ("/a#x", "/a", True),
        ("/?/a", "/?/a", False),
        ("/b", "/a", False),
    ],
)
def test_path_match(path: str, cookie_path: str, matches: bool) -> None:
    assert cookies.path_match(path, cookie_path) is matches


@pytest.mark.parametrize(
    ("path", "default"),
    [("/", "/"), ("/a", "/"), ("/a/", "/a"), ("/a/b/c?d/e", "/a/b"), ("", "/"), ("*", "/"), ("/#a/b", "/")],
)
def test_default_path(path: str, default: str) -> None:
    assert cookies.default_path(path) == default


@pytest.mark.parametrize(
    "text",
    [
        'a="' * 60_000,
        'a="\\' * 60_000,
        "," * 200_000,
        ",a" * 100_000,
        ", " * 100_000,
        "," + " " * 200_000,
        ";" * 200_000,
        "=" * 200_000,
        '="' + "\\" * 200_000,
        "a=b; expires=" * 20_000,
        "a," * 100_000,
        "," + "a" * 200_000,
    ],
)
def test_hostile_headers_cost_linear_time(text: str) -> None:
    begin = time.process_time()
    parse_cookie_header(text)
    parse_set_cookie(text)
    cookies.refresh_set_cookie(text, 1)
    cookies.parse_date(text)
    assert time.process_time() - begin < 2
