"""Filters: what each code matches in each kind of flow, the grammar, and what is said about mistakes."""

from __future__ import annotations

import gzip
import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump import filters
from flowdump.connection import Client, Server
from flowdump.dns import DNSFlow, DNSMessage, Question, ResourceRecord
from flowdump.exceptions import FilterError
from flowdump.filters import CODES, Filter, help_rows, match, match_all, parse
from flowdump.filters.grammar import MAX_DEPTH, mark
from flowdump.flow import Error, Flow
from flowdump.http import Headers, HTTPFlow, Request, Response
from flowdump.tcp import TCPFlow, TCPMessage
from flowdump.udp import UDPFlow, UDPMessage
from flowdump.websocket import WebSocketData, WebSocketMessage

# -- flows -------------------------------------------------------------------------------------------------------


def connected(kind: type[Any], port: int = 443) -> Any:
    client = Client(peername=("192.0.2.7", 51000), sockname=("192.0.2.1", 8080), timestamp_start=1.0)
    server = Server(address=("origin.example", port), peername=("198.51.100.9", port), timestamp_start=1.0)
    return kind(client, server)


def http_flow(
    method: str = "GET",
    url: str = "https://origin.example/",
    body: bytes | None = b"",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    response: Response | None = None,
) -> HTTPFlow:
    flow: HTTPFlow = connected(HTTPFlow)
    flow.request = Request.make(method, url, b"", Headers(headers))
    flow.request.raw_content = body
    flow.request.timestamp_start, flow.request.timestamp_end = 100.0, 100.1
    flow.response = response
    return flow


def answer(
    status: int = 200,
    body: bytes | None = b"",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    end: float | None = 100.5,
) -> Response:
    response = Response.make(status, b"", Headers(headers))
    response.raw_content = body
    response.timestamp_start, response.timestamp_end = 100.4, end
    return response


def get() -> HTTPFlow:
    """A request without an answer yet; the Host header says another name than the connection."""
    flow = http_flow(url="https://192.0.2.80/Index.html?q=1", headers=((b"Accept", b"text/plain"),))
    flow.request.headers["Host"] = "www.pretty.example"
    flow.marked, flow.comment = ":red:", "first\nlook"
    return flow


def post() -> HTTPFlow:
    flow = http_flow(
        "POST",
        "https://api.example:8443/v1/items",
        b'{"name":\n"Zo\xc3\xab"}',
        ((b"Content-Type", b"application/json"), (b"X-Trace", b"abc")),
        answer(201, gzip.compress(b"created it"), ((b"content-type", b"text/html"), (b"content-encoding", b"gzip"))),
    )
    flow.is_replay = "request"
    flow.metadata = {"rule": "seven", "hits": 3}
    return flow


def image() -> HTTPFlow:
    response = answer(404, b"\x89PNG" + b"\0" * 20_000, ((b"content-type", b"image/png"),), end=103.0)
    flow = http_flow(url="http://origin.example/a.png", response=response)
    flow.is_replay = "response"
    return flow


def failed() -> HTTPFlow:
    flow = http_flow("PUT", body=None)
    flow.error = Error("connection refused")
    return flow


def cut() -> HTTPFlow:
    """A response that was broken off and not recorded."""
    flow = http_flow(response=answer(503, None, end=None))
    flow.error = Error("connection lost")
    return flow


def socket() -> HTTPFlow:
    flow = http_flow(url="https://origin.example/chat", response=answer(101, b"", ((b"upgrade", b"websocket"),)))
    flow.websocket = WebSocketData()
    flow.websocket.messages = [
        WebSocketMessage(1, True, b"hello from client", 101.0),
        WebSocketMessage(2, False, b"\x00hello from server", 102.0),
    ]
    return flow


def tcp() -> TCPFlow:
    flow: TCPFlow = connected(TCPFlow, 25)
    flow.messages = [TCPMessage(False, b"220 ready", 10.0), TCPMessage(True, b"EHLO me\r\n", 12.5)]
    return flow


def udp() -> UDPFlow:
    flow: UDPFlow = connected(UDPFlow, 123)
    flow.messages = [UDPMessage(True, b"ping", 10.0)]
    flow.error = Error("unreachable")
    return flow


def dns_message(query: bool, timestamp: float) -> DNSMessage:
    message = DNSMessage(7, query, 0, False, False, True, True, 0, 0, timestamp=timestamp)
    message.questions = [Question("www.lookup.example", 1, 1), Question("second.example", 28, 1)]
    return message


def dns() -> DNSFlow:
    flow: DNSFlow = connected(DNSFlow, 53)
    flow.request = dns_message(True, 50.0)
    return flow


def resolved() -> DNSFlow:
    flow = dns()
    flow.response = dns_message(False, 50.25)
    flow.response.answers = [ResourceRecord("www.lookup.example", 1, 1, 60, bytes([198, 51, 100, 77]))]
    return flow


BUILDERS = (get, post, image, failed, cut, socket, tcp, udp, dns, resolved)
HTTP = "get post image failed cut socket"
ALL = HTTP + " tcp udp dns resolved"


@pytest.fixture(scope="module")
def flows() -> dict[str, Flow]:
    return {build.__name__: build() for build in BUILDERS}


# -- what each code matches --------------------------------------------------------------------------------------

MATCHES = {
    "~a": "image",
    "~all": ALL,
    "~b ''": "get post image cut socket tcp udp dns resolved",
    "~b created": "post",
    "~b hello.from": "socket",
    "~b ehlo": "tcp",
    "~b ping": "udp",
    "~b lookup": "dns resolved",
    "~b 198\\.51\\.100\\.77": "resolved",
    "~b 'name.*zoë'": "post",
    "~b ZOË": "",
    "~b ^hello": "socket",
    "~bq ''": "get post image cut socket tcp udp dns resolved",
    "~bq name": "post",
    "~bq created": "",
    "~bq client": "socket",
    "~bq server": "",
    "~bq ehlo": "tcp",
    "~bq 220": "",
    "~bq second": "dns resolved",
    "~bs ''": "post image socket tcp resolved",
    "~bs created": "post",
    "~bs name": "",
    "~bs server": "socket",
    "~bs client": "",
    "~bs 220": "tcp",
    "~bs second": "resolved",
    "~bs \\x1f\\x8b": "",
    "~c 404": "image",
    "~c 101": "socket",
    "~c 4xx": "image",
    "~c 5XX": "cut",
    "~c 200-299": "post",
    "~c 201-404": "post image",
    "~c '404'": "image",
    "~c 99999999999": "",
    "~comment LOOK": "get",
    "~comment ^look$": "get",
    "~comment first.look": "",
    "~comment ''": ALL,
    "~d pretty": "get",
    "~d 192\\.0\\.2\\.80": "get",
    "~d ^api\\.example$": "post",
    "~d 8443": "",
    "~d EXAMPLE": HTTP,
    "~dns": "dns resolved",
    "~dst ^origin\\.example:25$": "tcp",
    "~dst ORIGIN": ALL,
    "~dst 198": "",
    "~dur >1s": "image tcp",
    "~dur >1": "image tcp",
    "~dur <500ms": "udp resolved",
    "~dur '<= 500ms'": "post socket udp resolved",
    "~dur =0": "udp",
    "~dur <1m": "post image socket tcp udp resolved",
    "~e": "failed cut udp",
    "~h ^x-trace:": "post",
    "~h ': ABC$'": "post",
    "~h 'json\\r\\n'": "post",
    "~h 'json\nX'": "post",
    "~h ''": HTTP,
    "~hq text/plain$": "get",
    "~hq text/html": "",
    "~hs text/html$": "post",
    "~hs ''": "post image cut socket",
    "~hs text/plain": "",
    "~http": HTTP,
    "~m ^get$": "get image cut socket",
    "~m p": "post failed",
    "~marked": "get",
    "~marker ^:RED:$": "get",
    "~marker ''": ALL,
    "~meta '^rule: SEVEN$'": "post",
    "~meta '^hits: 3$'": "post",
    "~meta 'seven.hits'": "",
    "~meta ''": ALL,
    "~q": "get failed dns",
    "~replay": "post image",
    "~replayq": "post",
    "~replays": "image",
    "~s": "post image cut socket resolved",
    "~size >10k": "image",
    "~size <10k": "get post socket tcp udp",
    "~size 0": "get socket",
    "~size =4": "udp",
    "~size >=20004": "image",
    "~size >20004": "",
    "~size <=18": "get socket tcp udp",
    "~size >0.01m": "image",
    "~size <1G": "get post image socket tcp udp",
    "~src ^192\\.0\\.2\\.7:51000$": ALL,
    "~src origin": "",
    "~t json": "post",
    "~t ^text/html$": "post",
    "~t ''": "post image",
    "~tcp": "tcp",
    "~tq json": "post",
    "~tq html": "",
    "~ts HTML": "post",
    "~ts json": "",
    "~u index\\.html\\?q=1$": "get",
    "~u ^https://www\\.pretty\\.example/": "get",
    "~u 192\\.0": "",
    "~u example:8443/v1": "post",
    "~u ''": HTTP + " dns resolved",
    "~u ^www\\.lookup\\.example$": "dns resolved",
    "~u ^second": "dns resolved",
    "~udp": "udp",
    "~websocket": "socket",
    "index": "get",
    "'a.png'": "image",
    '"A.PNG$"': "image",
}


@pytest.mark.parametrize("expression", MATCHES)
def test_code(expression: str, flows: dict[str, Flow]) -> None:
    wanted = {flow: flow in MATCHES[expression].split() for flow in flows}
    assert {name: match(expression, flow) for name, flow in flows.items()} == wanted


def test_every_code_is_in_the_table() -> None:
    assert {expression.split()[0] for expression in MATCHES} >= set(CODES)


def test_an_undecodable_body_is_searched_as_it_is() -> None:
    flow = http_flow(response=answer(body=b"no gzip", headers=((b"content-encoding", b"gzip"),)))
    assert match("~bs '^no gzip$'", flow)
    flow.response = answer(body=b"plain", headers=((b"content-encoding", b"no-such-coding"),))
    assert match("~bs ^plain$", flow)


def test_a_connection_without_an_address_matches_no_address() -> None:
    flow = http_flow()
    flow.server_conn.address = None
    assert not match("~dst ''", flow)


def test_ipv6_addresses_have_no_brackets() -> None:
    flow = http_flow()
    flow.client_conn.peername = ("fe80::1", 4444, 0, 2)
    assert match("~src ^fe80::1:4444$", flow)


def test_content_types_are_searched_one_by_one() -> None:
    flow = http_flow(headers=((b"Content-Type", b"text/html"), (b"content-type", b"image/png")))
    assert match("~tq ^image", flow)
    assert not match("~tq html.*png", flow)


@pytest.mark.parametrize(
    "kind",
    ["text/css", "text/javascript", "application/x-javascript", "IMAGE/GIF", "font/woff2", "application/font-woff"],
)
def test_assets(kind: str) -> None:
    assert match("~a", http_flow(response=answer(headers=((b"Content-Type", kind.encode()),))))


@pytest.mark.parametrize("kind", ["text/html", "application/json", "imagex/y", "font"])
def test_not_an_asset(kind: str) -> None:
    assert not match("~a", http_flow(response=answer(headers=((b"Content-Type", kind.encode()),))))


def test_an_asset_that_was_sent_to_the_server_does_not_count() -> None:
    assert not match("~a", http_flow(headers=((b"Content-Type", b"image/png"),)))


def test_case_counts_when_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = http_flow(url="http://origin.example/Case", headers=((b"X", b"Case"),))
    for variable in filters.CASE_VARIABLES:
        monkeypatch.setenv(variable, "1")
        assert not match(f"~u case & ~c {len(variable)}00 | ~h case", flow)
        assert match(f"~u Case & ~h Case ! ~c {len(variable)}00", flow)
        monkeypatch.delenv(variable)


def test_bytes_that_are_not_utf8_can_be_searched() -> None:
    flow = http_flow(body=b"\xff\xfe")
    assert match("~bq \udcff", flow)
    assert match("~bq \\xff\\xfe", flow)


# -- the grammar -------------------------------------------------------------------------------------------------

TRUE, FALSE = "~all", "~tcp"  # on an HTTP flow


@pytest.mark.parametrize(
    ("expression", "meaning"),
    [
        ("{a} {b}", "a and b"),
        ("{a} & {b}", "a and b"),
        ("{a} | {b}", "a or b"),
        ("! {a}", "not a"),
        ("!!{a}", "a"),
        ("!{a} {b}", "(not a) and b"),
        ("!{a} | {b}", "(not a) or b"),
        ("{a} | {b} & {c}", "a or (b and c)"),
        ("{a} & {b} | {c}", "(a and b) or c"),
        ("{a} {b} | {c}", "a and (b or c)"),
        ("{a} | {b} {c}", "(a or b) and c"),
        ("{a} | {b} {c} | {d}", "(a or b) and (c or d)"),
        ("{a} & {b} {c} | {d}", "(a and b) and (c or d)"),
        ("{a} {b} & {c} | {d}", "a and ((b and c) or d)"),
        ("({a} {b}) | {c}", "(a and b) or c"),
        ("!({a} | {b}) & {c}", "not (a or b) and c"),
        ("({a})({b})", "a and b"),
        ("(({a})|({b}))&!({c}|{d})", "(a or b) and not (c or d)"),
        ("{a}|{b}&{c}", "a or (b and c)"),
        ("{a}{b}!{c}", "a and b and not c"),
        ("\t{a}\r\n{b}\n", "a and b"),
        ("{a} {b} {c} {d}", "a and b and c and d"),
        ("{a} | {b} | {c} | {d}", "a or b or c or d"),
    ],
)
def test_precedence(expression: str, meaning: str) -> None:
    flow = get()
    for values in product((True, False), repeat=4):
        names = dict(zip("abcd", values, strict=True))
        text = expression.format(**{name: TRUE if value else FALSE for name, value in names.items()})
        assert match(text, flow) == eval(meaning, {}, names), text


@pytest.mark.parametrize(
    ("expression", "url"),
    [
        ("a|b", "http://x/b"),
        ("~u !a", "http://x/!a"),
        ("~u a!", "http://x/a!"),
        ("~u 'a b'", "http://x/a b"),
        ("~u 'it\\'s'", "http://x/it's"),
        ('~u "a\\"b"', 'http://x/a"b'),
        ('"it\'s"', "http://x/it's"),
        (r"'a\\\\b'", r"http://x/a\b"),
        (r"'x/\d+$'", "http://x/2024"),
        (r"~u x/\d+$", "http://x/2024"),
        (r"'a\.b'", "http://x/a.b"),
        (r"'\x41'", "http://x/A"),
        ("x/(a)(b)", "http://x/ba"),
        ("'(a|b)$'", "http://x/b"),
        ("~u'a'", "http://x/a"),
        ("~u \u00a0", "http://x/\u00a0"),
        ("/v1?id=2&x=~all", "http://x//vid=2&x="),
    ],
)
def test_words_and_quotes(expression: str, url: str) -> None:
    flow = http_flow()
    flow.request.path = url.removeprefix("http://x")
    flow.request.headers["host"] = "x"
    assert match(expression, flow)
    flow.request.path = "/nothing"
    assert not match(expression, flow)


def test_escapes_of_the_regex_survive_the_quotes() -> None:
    flow = http_flow(url="http://origin.example/dab")
    assert not match(r"'\d'", flow)
    assert not match(r"'d\.b'", flow)


def test_regexes_that_make_python_warn_are_fine() -> None:
    assert match("~u '[[x]'", http_flow(url="http://x/"))


def test_deep_nesting_is_refused_not_crashed_on() -> None:
    def nested(depth: int) -> str:
        return "~tcp | ~all & !(" * depth + "~all" + ")" * depth

    assert match(nested(MAX_DEPTH), get()) == (MAX_DEPTH % 2 == 0)
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(FilterError, match="nested deeper than"):
            parse(nested(depth))


def test_long_expressions_are_fine() -> None:
    flow = get()
    assert match("~all " * 20_000, flow)
    assert match("~tcp | " * 20_000 + "~all", flow)
    assert match("!" * 20_000 + "~all", flow)


# -- the objects -------------------------------------------------------------------------------------------------


def test_a_filter_is_callable_and_knows_its_pattern() -> None:
    filter = parse("~c 201")
    assert filter(post()) is True
    assert filter(get()) is False
    assert filter.pattern == "~c 201"
    assert repr(filter) == "Filter('~c 201')"
    assert filters.TFilter is Filter


def test_match_takes_text_filters_callables_and_none() -> None:
    flow = post()
    assert match(None, flow)
    assert match("~m POST", flow)
    assert match(parse("~m POST"), flow)
    assert not match(lambda flow: flow.request.method == "GET", flow)
    assert match_all(flow)
    with pytest.raises(ValueError, match="empty"):
        match("", flow)


def test_an_expression_is_parsed_once() -> None:
    assert parse("~u parsed-once") is parse("~u parsed-once")


def test_help_has_every_code_with_its_argument() -> None:
    rows = dict(help_rows())
    assert {name.split()[0] for name in rows if name.startswith("~")} == set(CODES)
    assert rows["~u regex"].startswith("URL")
    assert "~tcp" in rows
    assert {"!", "&", "|", "(...)"} <= set(rows)
    assert all(rows.values())


# -- mistakes ----------------------------------------------------------------------------------------------------

MISTAKES = [
    ("", 0, "it is empty"),
    (" \t ", 0, "~all"),
    ("~q ~ul foo", 3, "no code ~ul. Did you mean ~u?"),
    ("~Q", 0, "Did you mean ~q?"),
    ("~url x", 0, "Did you mean ~u?"),
    ("~status 4", 0, "Did you mean ~c?"),
    ("~websockets", 0, "Did you mean ~websocket?"),
    ("~http://x", 0, "Did you mean ~http?"),
    ("~c404", 0, "Did you mean ~c 404?"),
    ("~ufoo", 0, "Did you mean ~u foo?"),
    ("~zzz", 0, "no code ~zzz."),
    ("a ~ b", 2, "belongs after this ~"),
    ("~~q", 0, "belongs after this ~"),
    ("~u", 2, "~u needs a regular expression"),
    ("~u ~q", 3, "~u needs a regular expression"),
    ("~u (a)", 3, "in quotes"),
    ("~u|x", 2, "~u needs a regular expression"),
    ("a & ~b", 6, "~b needs a regular expression"),
    ("~c", 2, "~c needs a status"),
    ("~c abc", 3, "4xx"),
    ("~c 4x", 3, "4xx"),
    ("~c 404foo", 3, "~c needs a status"),
    ("~c -1", 3, "~c needs a status"),
    ("~c 300-200", 3, "range of statuses is empty"),
    ("~c 99999999999999999999", 3, "~c needs a status"),
    ("~size", 5, "~size needs a size"),
    ("~size >", 6, "~size needs a size"),
    ("~size >10x", 6, ">10k"),
    ("~size =>10", 6, ">10k"),
    ("~dur >1h", 5, ">500ms"),
    ("~dur 'x'", 5, ">500ms"),
    ("~u a[b x", 4, "not a regular expression"),
    ("~u *", 3, "nothing to repeat"),
    ("~q & ~b 'a(b'", 8, "not a regular expression"),
    ("~u a{99999999999}", 3, "cannot be compiled"),
    ("~u '" + "(" * 5000 + "'", 3, "cannot be compiled"),
    ("~b \ud800", 3, "half a character"),
    ("'abc", 0, "quote is never closed"),
    ("a'b", 1, "quote is never closed"),
    ("~u 'a\\'", 3, "quote is never closed"),
    ("~q (~s", 3, "parenthesis is never closed"),
    ("((a)", 0, "parenthesis is never closed"),
    ("~q)", 2, "nothing opened this parenthesis"),
    ("a () b", 2, "parentheses are empty"),
    ("a |", 3, "nothing stands after |"),
    ("(a & )", 5, "nothing stands after &"),
    ("!", 1, "nothing stands after !"),
    ("| a", 0, "nothing stands before this |"),
    ("a & & b", 4, "nothing stands before this &"),
    ("a || b", 3, "one | is enough"),
    ("a && b", 3, "one & is enough"),
]


@pytest.mark.parametrize(("expression", "at", "problem"), MISTAKES)
def test_mistake(expression: str, at: int, problem: str) -> None:
    with pytest.raises(FilterError) as raised:
        parse(expression)
    message = str(raised.value)
    first, shown, caret = message.split("\n")
    assert first.startswith("This filter expression cannot be read: ")
    assert problem in first
    assert caret.index("^") == at + 2
    assert shown.startswith("  " + expression[:at].replace("\t", " "))


def test_a_filter_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no code"):
        parse("~nonsense x")


@pytest.mark.parametrize(
    ("expression", "at", "shown"),
    [
        ("a\tb", 2, "  a b\n    ^"),
        ("日本 x", 3, "  日本 x\n       ^"),
        ("e\u0301 x", 3, "  e\u0301 x\n    ^"),
        ("\x1b[2J x", 5, "  \\x1b[2J x\n          ^"),
        ("a\nb", 2, "  a\\nb\n     ^"),
        ("x" * 500, 250, "  …" + "x" * 100 + "…\n" + " " * 63 + "^"),
    ],
)
def test_mark(expression: str, at: int, shown: str) -> None:
    assert mark(expression, at) == shown


# -- properties --------------------------------------------------------------------------------------------------

PIECES = st.sampled_from([*CODES, *"&|!()'\"~\\ \t<>=", "a", "[", "404", "4xx", ">10k", "500ms", "\x00", "é", "\ud800"])
TEXTS = st.one_of(
    st.text(max_size=40), st.lists(PIECES, max_size=12).map("".join), st.lists(PIECES, max_size=12).map(" ".join)
)


@given(TEXTS)
@settings(deadline=None, max_examples=400)
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    message = ""
    try:
        filter = parse(text)
    except FilterError as error:
        message = str(error)
    if message:
        assert re.search(r"\n +\^$", message)
    else:
        assert {type(filter(build())) for build in BUILDERS} == {bool}


# How tightly a rendered expression binds: side by side 0, | 1, & 2, ! and operands 3.
Rendered = tuple[int, str, str]
WORDS = ["w0", "w1", "w2"]
LEAVES = st.builds(
    lambda word, spelling: (3, spelling.format(word), word),
    st.sampled_from(WORDS),
    st.sampled_from(["{}", "~u {}", "'{}'", '"{}"', "~u '{}'", "({})", "( ~u {} )"]),
)


def join(level: int, glue: str, meaning: str) -> Any:
    """Terms joined by an operator; a term that binds looser, or as tight, goes into parentheses."""

    def build(terms: list[Rendered]) -> Rendered:
        texts = [text if inner > level else f"({text})" for inner, text, _ in terms]
        return level, glue.join(texts), "(" + f" {meaning} ".join(means for _, _, means in terms) + ")"

    return build


def negate(term: Rendered) -> Rendered:
    level, text, means = term
    return 3, f"!{text}" if level == 3 else f"! ({text})", f"(not {means})"


EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(join(0, " ", "and")),
        st.lists(inner, min_size=2, max_size=4).map(join(1, " | ", "or")),
        st.lists(inner, min_size=2, max_size=4).map(join(2, " & ", "and")),
        inner.map(negate),
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
@settings(deadline=None, max_examples=200)
def test_generated_expressions_mean_what_they_say(rendered: Rendered) -> None:
    _, text, meaning = rendered
    filter = parse(text)
    for values in product((True, False), repeat=len(WORDS)):
        names = dict(zip(WORDS, values, strict=True))
        flow = http_flow(url="http://x/" + "-".join(name for name, value in names.items() if value))
        assert filter(flow) == eval(meaning, {}, names), text
