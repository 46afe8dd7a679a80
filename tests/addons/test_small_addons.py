"""anticache, anticomp, stickycookie and stickyauth."""

from __future__ import annotations

from typing import Any

import pytest
from tests.addons.inprocess import replayed
from tests.support.flows import T0, http_flow, read_flows, request, response, run_flowdump, write_flows

from flowdump.addons.anticache import AntiCache
from flowdump.addons.anticomp import AntiComp
from flowdump.addons.stickyauth import StickyAuth
from flowdump.addons.stickycookie import StickyCookie


def exchange(url: str = "https://example.com/", *, set_cookie: Any = (), at: float = T0, **headers: str) -> Any:
    """A request with ``headers`` and its answer with Set-Cookie headers, at a time."""
    asked = request(url=url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = response(
        200, b"", [("Set-Cookie", value) for value in ([set_cookie] if isinstance(set_cookie, str) else set_cookie)]
    )
    asked.timestamp_start, answer.timestamp_start = at, at + 0.02
    return http_flow(asked, answer)


def test_anticache() -> None:
    flow = exchange(if_none_match="x", if_modified_since="y", accept="z")
    replayed([AntiCache()], flow, anticache=False)
    assert "if-none-match" in flow.request.headers
    replayed([AntiCache()], flow, anticache=True)
    assert dict(flow.request.headers.items()) == {"Host": "example.com", "accept": "z"}


def test_anticomp() -> None:
    flow = exchange(accept_encoding="gzip, br")
    replayed([AntiComp()], flow, anticomp=False)
    assert flow.request.headers["accept-encoding"] == "gzip, br"
    replayed([AntiComp()], flow, anticomp=True)
    assert flow.request.headers["accept-encoding"] == "identity"


# -- cookies -----------------------------------------------------------------------------------------------------------


def cookies_of(first: Any, second: Any, option: str | None = "~all") -> str | None:
    """The Cookie header that a second exchange gets after a first one."""
    replayed([StickyCookie()], first, second, stickycookie=option)
    header: str | None = second.request.headers.get("cookie")
    return header


#: Set-Cookie of https://www.example.com/shop/cart, a later URL, and the cookies it gets.
SCOPES = [
    ("a=b", "https://www.example.com/shop/list", "a=b"),
    ("a=b", "https://www.example.com/shop", "a=b"),
    ("a=b", "https://www.example.com/other", None),
    ("a=b", "https://www.example.com/shopping", None),
    ("a=b", "https://example.com/shop/", None),
    ("a=b", "https://sub.www.example.com/shop/", None),
    ("a=b", "https://WWW.EXAMPLE.com/shop/", "a=b"),
    ("a=b", "https://www.example.com:8443/shop/", None),
    ("a=b", "http://www.example.com/shop/", None),
    ("a=b; Path=/", "https://www.example.com/", "a=b"),
    ("a=b; path=relative", "https://www.example.com/shop/", "a=b"),
    ("a=b; Domain=example.com; Path=/", "https://other.example.com/", "a=b"),
    ("a=b; Domain=.example.com; Path=/", "https://example.com/", "a=b"),
    ("a=b; Domain=EXAMPLE.com; Path=/", "https://example.com/", "a=b"),
    ("a=b; Domain=example.com; Path=/", "https://badexample.com/", None),
    ("a=b; Domain=other.com; Path=/", "https://other.com/", None),
    ("a=b; Domain=other.com; Path=/", "https://www.example.com/", None),
    ("a=b; Domain=com; Path=/", "https://www.example.com/", None),
    ("a=b; Domain=sub.www.example.com; Path=/", "https://www.example.com/", None),
    ("a=b; Path=/shop/cart", "https://www.example.com/shop/cart?x=1", "a=b"),
    ("a=b; Path=/shop/cart", "https://www.example.com/shop/", None),
    ('a="b c"; Path=/', "https://www.example.com/", 'a="b c"'),
    ("flag; Path=/", "https://www.example.com/", "flag"),
    ("a=b; Max-Age=0", "https://www.example.com/shop/", None),
    ("a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://www.example.com/shop/", None),
    ("a=b; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "https://www.example.com/shop/", "a=b"),
    ("a=b; Expires=nonsense", "https://www.example.com/shop/", "a=b"),
]


@pytest.mark.parametrize(("set_cookie", "url", "expected"), SCOPES)
def test_scope_of_cookies(set_cookie: str, url: str, expected: str | None) -> None:
    first = exchange("https://www.example.com/shop/cart", set_cookie=set_cookie)
    assert cookies_of(first, exchange(url)) == expected


@pytest.mark.parametrize(("later", "expected"), [(59, "a=b"), (61, None)])
def test_cookies_end(later: float, expected: str | None) -> None:
    first = exchange(set_cookie="a=b; Max-Age=60")
    assert cookies_of(first, exchange(at=T0 + later)) == expected


def test_cookies_of_addresses() -> None:
    assert cookies_of(exchange("http://127.0.0.1/", set_cookie="a=b"), exchange("http://127.0.0.1/")) == "a=b"
    first = exchange("http://10.0.0.1/", set_cookie="a=b; Domain=0.0.1")
    assert cookies_of(first, exchange("http://9.0.0.1/")) is None
    first = exchange("http://localhost/", set_cookie="a=b; Domain=localhost")
    assert cookies_of(first, exchange("http://localhost/")) == "a=b"


def test_cookies_join_those_of_the_client() -> None:
    first = exchange(set_cookie=["a=new", "b=2"])
    second = exchange(cookie="a=old; c=3; c=4")
    assert cookies_of(first, second) == "c=3; c=4; a=new; b=2"
    assert second.metadata["stickycookie"] is True


def test_a_request_that_gets_no_cookie_stays_as_it_is() -> None:
    first, second = exchange(set_cookie="a=b"), exchange("https://other.com/", cookie='odd; ; x="1"')
    assert cookies_of(first, second) == 'odd; ; x="1"'
    assert second.metadata == first.metadata == {}


def test_the_longest_path_wins_and_a_later_cookie_replaces() -> None:
    first = exchange("https://example.com/a/b/", set_cookie=["x=deep; Path=/a/b", "x=root; Path=/", "x=a; Path=/a"])
    assert cookies_of(first, exchange("https://example.com/a/b/c")) == "x=deep"
    first = exchange(set_cookie=["x=1", "x=2"])
    assert cookies_of(first, exchange()) == "x=2"


def test_a_server_deletes_a_cookie() -> None:
    first, second = exchange(set_cookie=["a=b", "c=d"]), exchange(set_cookie="a=; Max-Age=-1")
    third = exchange()
    replayed([StickyCookie()], first, second, third, stickycookie="~all")
    assert second.request.headers["cookie"] == "a=b; c=d"
    assert third.request.headers["cookie"] == "c=d"


def test_only_requests_that_match_get_cookies() -> None:
    first, second = exchange(set_cookie="a=b; Path=/"), exchange("https://example.com/api")
    assert cookies_of(first, second, "~u /other") is None
    assert cookies_of(first, second, None) is None
    assert cookies_of(first, second, "~u /api") == "a=b"


# -- authorization -----------------------------------------------------------------------------------------------------


def test_stickyauth() -> None:
    flows = [
        exchange(),
        exchange(authorization="Basic one"),
        exchange("https://example.com/2"),
        exchange("https://other.com/"),
        exchange(authorization="Basic two"),
        exchange("https://example.com/3"),
    ]
    replayed([StickyAuth()], *flows, stickyauth="~all")
    sent = [flow.request.headers.get("authorization") for flow in flows]
    assert sent == [None, "Basic one", "Basic one", None, "Basic two", "Basic two"]


@pytest.mark.parametrize(("option", "expected"), [("~u /in", "Basic one"), ("~u /out", None), (None, None)])
def test_stickyauth_filter(option: str | None, expected: str | None) -> None:
    flows = [exchange(authorization="Basic one"), exchange("https://example.com/in")]
    replayed([StickyAuth()], *flows, stickyauth=option)
    assert flows[1].request.headers.get("authorization") == expected


# -- on the command line -----------------------------------------------------------------------------------------------


def test_flags(tmp_path: Any) -> None:
    first = exchange(set_cookie="a=b", authorization="Basic one", if_none_match="x", accept_encoding="br")
    source, target = write_flows(tmp_path / "in", [first, exchange()]), tmp_path / "out"
    flags = ["--anticache", "--anticomp", "--stickycookie", "~all", "--stickyauth", "~all"]
    run_flowdump("-r", source, "-w", target, *flags, check=True)
    one, two = read_flows(target)
    assert "if-none-match" not in one.request.headers
    assert one.request.headers["accept-encoding"] == "identity"
    assert (two.request.headers["cookie"], two.request.headers["authorization"]) == ("a=b", "Basic one")
