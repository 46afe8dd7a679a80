"""URLs, authorities, queries: vectors, fast path against careful path, agreement with the standard library."""

from __future__ import annotations

import time
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.http import urls

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
BYTES_AS_TEXT = st.binary(max_size=30).map(lambda data: data.decode("utf-8", "surrogateescape"))


# -- parse ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://a", (b"http", "a", 80, b"/")),
        ("https://a", (b"https", "a", 443, b"/")),
        ("ws://a/", (b"ws", "a", 80, b"/")),
        ("wss://a/", (b"wss", "a", 443, b"/")),
        ("ftp://a/x", (b"ftp", "a", 80, b"/x")),
        ("HTTPS://Example.COM:8443/A?b=C#d", (b"https", "example.com", 8443, b"/A?b=C#d")),
        ("http://a:/", (b"http", "a", 80, b"/")),
        ("http://a:0080/", (b"http", "a", 80, b"/")),
        ("http://a:65535/", (b"http", "a", 65535, b"/")),
        ("http://a?x", (b"http", "a", 80, b"/?x")),
        ("http://a#x", (b"http", "a", 80, b"/#x")),
        ("http://a//b//?", (b"http", "a", 80, b"//b//?")),
        ("http://a_b.-c./", (b"http", "a_b.-c.", 80, b"/")),
        ("http://user:p@ss@a:1/", (b"http", "a", 1, b"/")),
        ("http://[::1]/", (b"http", "::1", 80, b"/")),
        ("http://[2001:DB8::1.2.3.4]:8080/x", (b"http", "2001:db8::1.2.3.4", 8080, b"/x")),
        ("http://[fe80::1%25eth0]/", (b"http", "fe80::1%eth0", 80, b"/")),
        ("http://xn--9ca.com/", (b"http", "\xe9.com", 80, b"/")),
        ("http://\xc9.com/", (b"http", "\xe9.com", 80, b"/")),
        ("http://a\u3002com/", (b"http", "a.com", 80, b"/")),
        ("http://xn--zzzzzz99.com/", (b"http", "xn--zzzzzz99.com", 80, b"/")),
        ("http://xn--strae-oqa.de/", (b"http", "xn--strae-oqa.de", 80, b"/")),
        ("http://a/\xe9 \n%zz", (b"http", "a", 80, b"/%C3%A9%20%0A%zz")),
        ("  http://a/x \r\n", (b"http", "a", 80, b"/x")),
        (b"http://a/\xff", (b"http", "a", 80, b"/%FF")),
        ('http://a/[x]|{}"<>^`', (b"http", "a", 80, b'/[x]|{}"<>^`')),
    ],
)
def test_parse(url: str | bytes, parts: tuple[bytes, str, int, bytes]) -> None:
    assert urls.parse(url) == parts


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "no scheme and host"),
        ("/x", "no scheme and host"),
        ("a.com", "no scheme and host"),
        ("//a/x", "no scheme and host"),
        ("*", "no scheme and host"),
        ("about:blank", "no scheme and host"),
        ("data:,x", "no scheme and host"),
        ("1http://a/", "no scheme and host"),
        ("http://", "no host"),
        ("http:///x", "no host"),
        ("file:///etc/passwd", "no host"),
        ("http://:80/", "no host"),
        ("http://user@/", "no host"),
        ("http://a:65536/", "invalid port '65536'"),
        ("http://a:-1/", "invalid port"),
        ("http://a:+1/", "invalid port"),
        ("http://a:1_0/", "invalid port"),
        ("http://a:\u0661/", "invalid port"),
        ("http://a:x/", "invalid port"),
        ("http://a:1:2/", "invalid port"),
        ("http://a:" + "0" * 6000 + "/", "invalid port"),
        ("http://a b/", "invalid host"),
        ("http://a\tb/", "invalid host"),
        ("http://a\n/", "invalid host"),
        ("http://a\r\nHost: b/", "invalid"),
        ("http://a\0b/", "invalid host"),
        ("http://a%20b/", "invalid host"),
        ("http://a\\b/", "invalid host"),
        ("http://a\uff0fb/", "invalid host"),
        ("http://a\u202eb/", "invalid host"),
        ("http://a\ud800/", "invalid host"),
        (b"http://\xff/", "invalid host"),
        ("http://*/", "invalid host"),
        ("http://.a/", "invalid host"),
        ("http://a..b/", "invalid host"),
        ("http://" + "a" * 64 + "/", "invalid host"),
        ("http://" + "a." * 130 + "/", "invalid host"),
        ("http://" + "\xe9" * 100_000 + "/", "invalid host"),
        ("http://::1/", "no host"),
        ("http://[::1/", "invalid host"),
        ("http://[::1]x/", "invalid host"),
        ("http://[x]/", "invalid IPv6"),
        ("http://[v1.x]/", "invalid IPv6"),
        ("http://[]/", "invalid IPv6"),
        ("http://[::1%a/b]/", "invalid"),
        ("http://[::1%25a b]/", "invalid zone"),
    ],
)
def test_parse_refuses_with_a_reason(url: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        urls.parse(url)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("url", ["http://a\x1b[2J/", "http://\u202e/", "x\x1b[2J"])
def test_reasons_do_not_drive_a_terminal(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|host") as caught:
        urls.parse(url)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@settings(deadline=None)
@given(
    st.sampled_from(["http", "https", "HTTP", "ws"]),
    st.from_regex(r"[A-Za-z0-9._:@%\[\]-]{0,20}", fullmatch=True),
    st.from_regex(r"(|/)[!-~\xe9 ]{0,15}", fullmatch=True),
)
def test_the_fast_path_equals_the_careful_one(scheme: str, authority: str, path: str) -> None:
    def result(call: object) -> object:
        assert callable(call)
        try:
            return call(f"{scheme}://{authority}{path}")
        except ValueError:
            return ValueError

    assert result(urls.parse) == result(urls._parse_carefully)


@settings(deadline=None)
@given(
    st.one_of(
        TEXT, st.text(alphabet="htps:/[]@.%a1\xe9\u3002-", max_size=30).map("http://".__add__), st.binary(max_size=40)
    )
)
def test_any_url_gives_parts_that_lead_back_or_a_value_error(url: str | bytes) -> None:
    try:
        parts = urls.parse(url)
    except ValueError:
        return
    assert urls.parse(urls.unparse(*parts)) == parts
    assert not set(parts[1]) & set(" /?#@\\\t\r\n\0[]")


# -- unparse and authorities ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        (("http", "a", 80, "/"), "http://a/"),
        (("http", "a", 443, "/"), "http://a:443/"),
        (("https", "a", 443, "/x?y"), "https://a/x?y"),
        (("ws", "a", 80, "/"), "ws://a/"),
        (("ftp", "a", 21, "/"), "ftp://a:21/"),
        (("http", "::1", 80, "/"), "http://[::1]/"),
        (("http", "::1", 81, ""), "http://[::1]:81"),
        (("http", "[::1]", 81, "/"), "http://[::1]:81/"),
        (("http", "\xe9.com", 80, "/"), "http://\xe9.com/"),
        (("http", "", 80, "/"), "http:///"),
        ((b"http", "a", 80, b"/\xff"), "http://a/\udcff"),
    ],
)
def test_unparse(parts: tuple[str, str, int, str], url: str) -> None:
    assert urls.unparse(*parts) == url


def test_default_port() -> None:
    assert [urls.default_port(name) for name in ("http", b"https", "ws", "wss", "ftp", "", b"\xff", "HTTP")] == [
        *(80, 443, 80, 443),
        *(None, None, None, None),
    ]


@pytest.mark.parametrize(
    ("authority", "result"),
    [
        ("a", ("a", None)),
        ("A.Com:80", ("A.Com", 80)),
        ("a:0", ("a", 0)),
        ("a:08", ("a", 8)),
        ("a_b.", ("a_b.", None)),
        ("[::1]", ("::1", None)),
        ("[::1]:80", ("::1", 80)),
        ("1.2.3.4:5", ("1.2.3.4", 5)),
        ("\xe9.com", ("\xe9.com", None)),
        ("xn--9ca.com:1", ("xn--9ca.com", 1)),
        (b"a:1", ("a", 1)),
        (b"\xc3\xa9.com:1", ("\xe9.com", 1)),
    ],
)
def test_authorities_that_are_valid(authority: str | bytes, result: tuple[str, int | None]) -> None:
    assert urls.parse_authority(authority, check=True) == result
    assert urls.parse_authority(authority, check=False) == result


@pytest.mark.parametrize(
    "authority",
    [
        *("", "a:", ":80", "a:x", "a:+1", "a:65536", "a:1:2", "a:1/", "::1", "a@b", "u@a:1", "[::1]x", "[::1", "a/b"),
        *("a b", "*", "a\0", "a\r\n", "a?x", "example.com/abc?x=", "\uff0f", "a" * 64, "a:\u0661", "a\n"),
        "a:" + "1" * 5000,
    ],
)
def test_authorities_that_are_not(authority: str) -> None:
    with pytest.raises(ValueError, match="invalid"):
        urls.parse_authority(authority, check=True)
    assert urls.parse_authority(authority, check=False) == (authority, None)


def test_bytes_that_are_not_utf8() -> None:
    assert urls.parse_authority(b"\xff:80", check=False) == ("\udcff", 80)
    with pytest.raises(ValueError, match="decode"):
        urls.parse_authority(b"\xff:80", check=True)


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"xn--9ca.com:8", "\xe9.com:8"),
        (b"xn--9ca.com", "\xe9.com"),
        (b"a.com:80", "a.com:80"),
        (b"[::1]:80", "[::1]:80"),
        (b"", ""),
        (b"\xff", "\udcff"),
        (b"xn--zzzzzz99:1", "xn--zzzzzz99:1"),
        (b"xn--" + b"a" * 300, "xn--" + "a" * 300),
    ],
)
def test_authorities_between_wire_and_text(wire: bytes, text: str) -> None:
    assert urls.authority_to_unicode(wire) == text
    assert urls.authority_to_ascii(text) == wire
    assert urls.authority_to_ascii(wire) == wire


def test_hosts_between_wire_and_text() -> None:
    assert urls.host_to_unicode(b"xn--9ca.com") == "\xe9.com"
    assert urls.host_to_unicode("xn--9ca.com") == "xn--9ca.com"
    assert urls.host_to_ascii("\xe9.com") == b"xn--9ca.com"
    assert urls.host_to_ascii("\xe9" * 300) == "\xe9".encode() * 300
    with pytest.raises(ValueError, match="surrogates"):
        urls.host_to_ascii("\ud800")


@settings(deadline=None)
@given(st.one_of(BYTES_AS_TEXT, TEXT, st.text(alphabet="a1.:[]@-\xe9", max_size=20)))
def test_any_authority_is_split_or_refused(authority: str) -> None:
    host, port = urls.parse_authority(authority, check=False)
    assert port is None or 0 <= port <= 65535
    assert host in authority
    try:
        assert urls.parse_authority(authority, check=True) == (host, port)
    except ValueError:
        assert not urls._ORDINARY_AUTHORITY.fullmatch(authority) or port is None
    assert isinstance(urls.authority_to_ascii(authority), bytes)


# -- percent-encoding, queries, paths ---------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.one_of(TEXT, BYTES_AS_TEXT))
def test_quote_is_that_of_the_standard_library(text: str) -> None:
    assert urls.quote(text) == urllib.parse.quote(text, errors="surrogateescape")
    assert urls.quote(text, safe="") == urllib.parse.quote(text, safe="", errors="surrogateescape")
    assert urls.unquote(text) == urllib.parse.unquote(text, errors="surrogateescape")


@settings(deadline=None)
@given(st.text(alphabet="a%2fFcC3a9+&=;\xe9 ", max_size=40))
def test_unquote_and_decode_are_those_of_the_standard_library(text: str) -> None:
    assert urls.unquote(text) == urllib.parse.unquote(text, errors="surrogateescape")
    expected = urllib.parse.parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    assert urls.decode_query(text) == expected


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("", []),
        ("&&", []),
        ("a=b&c&d=&=e&f==g", [("a", "b"), ("c", ""), ("d", ""), ("", "e"), ("f", "=g")]),
        ("a;b=c;d", [("a;b", "c;d")]),
        ("a=1&a=2", [("a", "1"), ("a", "2")]),
        ("a+b=%2B+%26", [("a b", "+ &")]),
        ("a=%e9&b=%zz&c=%", [("a", "\udce9"), ("b", "%zz"), ("c", "%")]),
    ],
)
def test_decode_query(query: str, pairs: list[tuple[str, str]]) -> None:
    assert urls.decode_query(query) == pairs


@pytest.mark.parametrize(
    ("pairs", "similar_to", "query"),
    [
        ([], None, ""),
        ([("a", "b c"), ("\xe9", "&=+")], None, "a=b+c&%C3%A9=%26%3D%2B"),
        ([("a", ""), ("b", "c")], None, "a=&b=c"),
        ([("a", ""), ("b", "c")], "", "a=&b=c"),
        ([("a", ""), ("b", "c")], "x=&y=1", "a=&b=c"),
        ([("a", ""), ("b", "c")], "x&y=1", "a&b=c"),
        ([("", ""), ("", "x")], "x", "=&=x"),
        ([("a", "\udcff")], None, "a=%FF"),
        ([("a", "~-_.!*'()/:;@$,")], None, "a=~-_.%21%2A%27%28%29%2F%3A%3B%40%24%2C"),
    ],
)
def test_encode_query(pairs: list[tuple[str, str]], similar_to: str | None, query: str) -> None:
    assert urls.encode_query(pairs, similar_to) == query


def test_encode_refuses_surrogates_that_stand_for_no_byte() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        urls.encode_query([("a", "\ud800")])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.one_of(TEXT, BYTES_AS_TEXT), st.one_of(TEXT, BYTES_AS_TEXT))),
    st.sampled_from([None, "x", "x="]),
)
def test_queries_round_trip(pairs: list[tuple[str, str]], similar_to: str | None) -> None:
    # Without a name, and with nothing after "=", a pair is still visible as "=".
    assert urls.decode_query(urls.encode_query(pairs, similar_to)) == pairs


@pytest.mark.parametrize(
    ("path", "components", "replaced"),
    [
        ("/", (), "/x%20y/z%2F/%C3%A9"),
        ("", (), "/x%20y/z%2F/%C3%A9"),
        ("*", ("*",), "/x%20y/z%2F/%C3%A9"),
        ("/a//b/", ("a", "b"), "/x%20y/z%2F/%C3%A9"),
        ("/a%20b/c?x=y/z", ("a b", "c"), "/x%20y/z%2F/%C3%A9?x=y/z"),
        ("/a%2fb#c?d/e", ("a/b",), "/x%20y/z%2F/%C3%A9#c?d/e"),
        ("/a?b#c", ("a",), "/x%20y/z%2F/%C3%A9?b#c"),
    ],
)
def test_path_components(path: str, components: tuple[str, ...], replaced: str) -> None:
    assert urls.path_components(path) == components
    assert urls.replace_path_components(path, ["x y", "z/", "\xe9"]) == replaced


@pytest.mark.parametrize(
    "url", ["http://" + "a." * 50_000, "http://" + "a-" * 50_000 + "/", "http://" + "@:" * 50_000, "a" * 100_000]
)
def test_hostile_urls_cost_linear_time(url: str) -> None:
    begin = time.process_time()
    with pytest.raises(ValueError, match=r"URL|host|port"):
        urls.parse(url)
    assert urls.decode_query(url * 3)
    assert time.process_time() - begin < 1
