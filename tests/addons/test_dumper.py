"""The display: one line for every flow at detail 1, goldens of every level, nothing that drives a terminal."""

from __future__ import annotations

import io
import math
import re
import time
from pathlib import Path
from typing import Any

import pytest
from tests.addons.inprocess import shown
from tests.support.flows import (
    T0,
    dns_flow,
    every_kind,
    http_flow,
    request,
    response,
    run_flowdump,
    tcp_flow,
    udp_flow,
    websocket_flow,
    write_flows,
)
from tests.support.states import variants
from tests.support.traffic import certificate, states

from flowdump.addons.dumper import Dumper, duration, size
from flowdump.certs import Cert
from flowdump.dns import ResourceRecord
from flowdump.escaping import escape_controls
from flowdump.flow import Error, Flow
from flowdump.formats import open_flows
from flowdump.http import Response
from flowdump.http.headers import Headers
from flowdump.options import Options

HTML = {"content-type": "text/html; charset=utf-8"}


def page(url: str = "https://example.com/", **facts: Any) -> Any:
    return http_flow(url, response(200, b"<p>hi</p>", HTML), **facts)


def harmless(text: str) -> bool:
    return all(escape_controls(line) == line for line in text.split("\n"))


# -- one line ----------------------------------------------------------------------------------------------------------

LINES: dict[str, tuple[Any, str]] = {
    "page": (page(), "GET https://example.com/ 200 text/html 9b 50ms"),
    "no type": (http_flow("http://a.b/", response(204)), "GET http://a.b/ 204 - 0b 50ms"),
    "cut": (page(error="cut"), "GET https://example.com/ 200 text/html 9b 50ms error: cut"),
    "unanswered": (http_flow("https://example.com/?q=1"), "GET https://example.com/?q=1 (no response)"),
    "failed": (http_flow(error="connection refused"), "GET https://example.com/ error: connection refused"),
    "connect": (
        http_flow(request("CONNECT", "https://example.com:443"), response(200)),
        "CONNECT example.com:443 200 - 0b 50ms",
    ),
    "websocket": (websocket_flow("ab", b"c"), "GET https://example.com/live 101 websocket 2 messages 3b 3.0s"),
    "one message": (websocket_flow("ab"), "GET https://example.com/live 101 websocket 1 message 2b 2.0s"),
    "tcp": (tcp_flow(b"ping", b"pong"), "TCP example.com:9000 2 messages 8b 1.0s"),
    "failed tcp": (tcp_flow(b"ping", error="reset"), "TCP example.com:9000 1 message 4b 0ms error: reset"),
    "silent tcp": (tcp_flow(), "TCP example.com:9000 0 messages 0b -"),
    "udp": (udp_flow(b"ping"), "UDP example.com:9001 1 message 4b 0ms"),
    "dns": (dns_flow("a.b", "1.2.3.4", "1.2.3.5"), "DNS A a.b NOERROR 1.2.3.4, 1.2.3.5 20ms"),
    "much dns": (
        dns_flow("a.b", *["1.2.3.4"] * 99),
        f"DNS A a.b NOERROR {', '.join(['1.2.3.4'] * 18)[:160]}… (99 records) 20ms",
    ),
    "unanswered dns": (dns_flow("a.b"), "DNS A a.b (no response)"),
    "failed dns": (dns_flow("a.b", error="timeout"), "DNS A a.b error: timeout"),
}


@pytest.mark.parametrize(("flow", "line"), LINES.values(), ids=LINES)
def test_a_line(flow: Any, line: str) -> None:
    assert shown(flow) == f"12:00:00 127.0.0.1:50000 {line}\n"


def test_every_kind_of_flow_is_one_line() -> None:
    for flow in every_kind():
        text = shown(flow)
        assert text.count("\n") == 1
        assert harmless(text)


def test_every_legal_state_is_one_line() -> None:
    odd = [(flow, shown(flow)) for _, flow in ((name, Flow.from_state(state)) for name, state in variants())]
    assert [text for _, text in odd if text.count("\n") != 1 or "cannot be shown" in text] == []
    assert len(odd) > 500


def test_every_legal_state_is_shown_at_every_detail() -> None:
    flows = [Flow.from_state(state) for _, state in variants()]
    for detail in (2, 3, 4):
        text = shown(*flows, detail=detail)
        assert "cannot be shown" not in text
        assert harmless(text)


@pytest.mark.parametrize("colour", [False, True])
def test_recorded_files_are_shown(shared_data: Path, colour: bool) -> None:
    paths = [*shared_data.glob("*.mitm"), *shared_data.glob("*/*.mitm")]
    flows = [flow for path in paths for flow in open_flows(str(path), lambda problem: None)]
    assert len(flows) > 100
    for detail in (1, 4):
        text = shown(*flows, detail=detail, colour=colour)
        assert "cannot be shown" not in text
        plain = re.sub(r"\x1b\[\d+m", "", text)
        assert (plain == text) is not colour
        assert harmless(plain)
        assert detail > 1 or len(text.splitlines()) == len(flows)


def test_unusual_facts_of_a_line() -> None:
    flow = page()
    flow.client_conn.peername = ("::1", 5, 0, 0)
    flow.request.method = "x-own"
    assert shown(flow) == "12:00:00 [::1]:5 x-own https://example.com/ 200 text/html 9b 50ms\n"
    flow.client_conn.peername = None
    flow.response.raw_content = None
    assert shown(flow) == "12:00:00 - x-own https://example.com/ 200 text/html not recorded 50ms\n"
    flow.client_conn.peername = ("", 0)
    flow.response.headers = Headers([(b"CONTENT-TYPE", b" ; x=y"), (b"content-type", b"b/c")])
    assert shown(flow) == "12:00:00 - x-own https://example.com/ 200 - not recorded 50ms\n"
    flow = tcp_flow(b"x")
    flow.server_conn.address = flow.server_conn.peername = None
    assert shown(flow) == "12:00:00 127.0.0.1:50000 TCP - 1 message 1b 0ms\n"


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 1e300, -1e18, -1.0])
def test_odd_times(odd: float) -> None:
    flow = page()
    flow.request.timestamp_start = odd
    assert re.fullmatch(r"(--:--:--|23:59:59) \S+ GET https://example.com/ 200 text/html 9b (-|0ms)\n", shown(flow))
    flow = page()
    flow.response.timestamp_end = odd
    assert re.fullmatch(r"12:00:00 .* 9b (-|0ms)\n", shown(flow))
    assert "cannot be shown" not in shown(flow, tcp_flow(b"x"), detail=4)


def test_showhost() -> None:
    flow = http_flow("http://192.0.2.1/x", response(200))
    flow.request.headers["Host"] = "named.example"
    assert " http://192.0.2.1/x " in shown(flow)
    assert " http://named.example/x " in shown(flow, showhost=True)


def test_detail_0_and_the_filter() -> None:
    assert shown(page(), detail=0) == ""
    assert shown(page("http://a.b/1"), page("http://a.b/2"), dumper_filter="~u /2").count("\n") == 1


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0b"), (1023, "1023b"), (1024, "1.0k"), (1536, "1.5k"), (99 << 10, "99.0k"), (100 << 10, "100k"),
     (1023 << 10, "1023k"), (1 << 20, "1.0m"), (1 << 30, "1.0g"), (5 << 40, "5.0t"), (1 << 60, "1048576t")],
)  # fmt: skip
def test_size(n: int, text: str) -> None:
    assert size(n) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (-5.0, "0ms"), (0.0, "0ms"), (0.0004, "0ms"), (0.034, "34ms"), (1.0, "1.0s"), (99.94, "99.9s"),
     (100.0, "100s"), (86400.0, "86400s"), (2e9, "-"), (math.nan, "-"), (math.inf, "-")],
)  # fmt: skip
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(0.0, seconds) == text


# -- more detail -------------------------------------------------------------------------------------------------------


def rich() -> Any:
    flow = http_flow(
        request(
            "POST",
            "https://example.com/form?x=1",
            b"a=1&b=two+words",
            {"Content-Type": "application/x-www-form-urlencoded"},
        ),
        response(201, b'{"a": [1, 2]}', {"content-type": "application/json"}),
    )
    flow.id, flow.marked, flow.comment, flow.is_replay = "an-id", ":snail:", "slow", "request"
    flow.metadata = {"k": "v"}
    flow.response.trailers = Headers([(b"grpc-status", b"0")])
    flow.client_conn.tls, flow.client_conn.tls_version, flow.client_conn.alpn = True, "TLSv1.3", b"h2"
    flow.client_conn.proxy_mode = "socks5"
    flow.server_conn.via, flow.server_conn.sni = ("http", ("proxy.example", 3128)), "example.com"
    flow.server_conn.cipher, flow.server_conn.error = "AES", "closed"
    return flow


LEVEL_1 = "12:00:00 127.0.0.1:50000 POST https://example.com/form?x=1 201 application/json 13b 50ms\n"
ABOUT = """\
* id an-id, marked :snail:, comment slow, replayed request
* begun 2024-03-01 12:00:00, request 10ms, waiting 10ms, response 30ms
* client 127.0.0.1:50000, tcp, TLSv1.3, ALPN h2, mode socks5
* server example.com:443, tcp, AES, SNI example.com, via http://proxy.example:3128, error closed
* metadata {'k': 'v'}
"""
ASKED = """\
> POST /form?x=1 HTTP/1.1
> Host: example.com
> Content-Type: application/x-www-form-urlencoded
> content-length: 15
"""
FORM = """\
  a: 1
  b: two words
"""
ANSWERED = """\
< HTTP/1.1 201 Created
< content-type: application/json
< content-length: 13
"""
JSON = """\
  {
    "a": [1, 2]
  }
< grpc-status: 0 (trailer)
"""


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        (1, LEVEL_1),
        (2, LEVEL_1 + ASKED + ANSWERED + "\n"),
        (3, LEVEL_1 + ASKED + FORM + ANSWERED + JSON + "\n"),
        (4, LEVEL_1 + ABOUT + ASKED + FORM + ANSWERED + JSON + "\n"),
    ],
)
def test_levels(detail: int, expected: str) -> None:
    assert shown(rich(), detail=detail) == expected


def test_levels_of_a_websocket() -> None:
    flow = websocket_flow("hello", b"\x00\xff")
    flow.websocket.messages[0].dropped = flow.websocket.messages[0].injected = True
    flow.websocket.close_reason = "bye"
    heads = shown(flow, detail=2).splitlines()[1:]
    assert heads[-2:] == ["* WebSocket closed by the client: 1000 bye", ""]
    assert shown(flow, detail=3).splitlines()[-6:] == [
        "> 12:00:01 text 5b (dropped, injected)",
        "  hello",
        "< 12:00:02 binary 2b",
        "  00000000  00 ff                                             ..",
        "* WebSocket closed by the client: 1000 bye",
        "",
    ]
    flow.websocket.close_code = None
    assert "* WebSocket not closed\n" in shown(flow, detail=2)


def test_levels_of_tcp() -> None:
    line = "12:00:00 127.0.0.1:50000 TCP example.com:9000 2 messages 8b 1.0s\n"
    flow = tcp_flow(b"ping", b"pong")
    assert shown(flow, detail=2) == line
    assert shown(flow, detail=3) == line + "> 12:00:00 4b\n  ping\n< 12:00:01 4b\n  pong\n\n"


def test_levels_of_dns() -> None:
    flow = dns_flow("a.b", "1.2.3.4")
    flow.response.authorities = [flow.response.answers[0]]
    flow.request.additionals = [ResourceRecord("", 41, 1232, 0, b"")]
    assert shown(flow, detail=2).splitlines() == [
        "12:00:00 127.0.0.1:50000 DNS A a.b NOERROR 1.2.3.4 20ms",
        "> QUERY 7, recursion desired",
        "> a.b. IN A",
        "> EDNS, up to 1232 bytes over UDP",
        "< NOERROR 7, recursion desired, recursion available",
        "< a.b. IN A",
        "< a.b. 60 IN A 1.2.3.4",
        "< a.b. 60 IN A 1.2.3.4 (authorities)",
        "",
    ]


def test_certificates_at_detail_4() -> None:
    flow = page()
    flow.server_conn.certificate_list = [Cert.from_pem(certificate("leaf.example")), Cert.from_pem(b"no certificate")]
    text = shown(flow, detail=4)
    assert re.search(
        r"^\* certificate CN=leaf\.example, from \S.*, \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d$", text, re.MULTILINE
    )
    assert "\n* certificate that cannot be read: " in text
    assert "certificate" not in shown(flow, detail=3)


def test_a_query_is_shown_where_there_is_no_body() -> None:
    assert "\n  x: 1\n" in shown(page("https://example.com/?x=1"), detail=3)


def test_bodies_that_are_none_or_cannot_be_decoded() -> None:
    flow = page()
    flow.request.raw_content = None
    flow.response.headers["content-encoding"] = "gzip"
    flow.response.raw_content = b"\x1f\x8b no gzip"
    lines = shown(flow, detail=3).splitlines()
    assert "  (body not recorded)" in lines
    (note,) = [i for i, line in enumerate(lines) if line.startswith("  (shown as it came: ")]
    assert "no gzip" in lines[note + 1]


def test_the_cutoff_is_for_detail_3_only() -> None:
    flow = http_flow("https://example.com/", response(200, b"1\n2\n3\n4", {"content-type": "text/plain"}))
    cut = shown(flow, detail=3, content_view_lines_cutoff=2).splitlines()[-4:]
    assert cut == ["  1", "  2", "  … cut after 2 lines (content_view_lines_cutoff)", ""]
    assert shown(flow, detail=3, content_view_lines_cutoff=-5).endswith(
        "\n  … cut after 0 lines (content_view_lines_cutoff)\n\n"
    )
    assert "cut after" not in shown(flow, detail=3, content_view_lines_cutoff=4)
    assert "cut after" not in shown(flow, detail=4, content_view_lines_cutoff=2)


def test_the_view_can_be_chosen() -> None:
    flow = http_flow("https://example.com/", response(200, b'{"a": 1}', {"content-type": "application/json"}))
    assert '\n    "a": 1\n' in shown(flow, detail=3)
    assert '\n  {"a": 1}\n' in shown(flow, detail=3, dumper_default_contentview="raw")


# -- hostile flows -----------------------------------------------------------------------------------------------------

EVIL = "\x1b[2J\r\n\x07\x9b\u202e\udc9b"


def evil() -> Any:
    raw = EVIL.encode("utf-8", "surrogateescape")
    flow = page(error=f"broken{EVIL}")
    data = flow.request.data
    data.method, data.path, data.authority, data.http_version = b"GE" + raw, b"/" + raw, raw, raw
    flow.request.headers = Headers([(b"n" + raw, b"v" + raw)])
    flow.response.data.reason = raw
    flow.response.headers = Headers([(b"Content-Type", b"text/" + raw), (b"n" + raw, b"v" + raw)])
    flow.response.trailers = Headers([(b"t" + raw, raw)])
    flow.response.raw_content = raw
    flow.comment = flow.marked = flow.id = EVIL
    flow.metadata = {EVIL: EVIL}
    for connection in (flow.client_conn, flow.server_conn):
        connection.sni = connection.cipher = connection.error = connection.tls_version = EVIL
        connection.tls, connection.alpn, connection.transport_protocol = True, raw, EVIL
    flow.server_conn.address = (EVIL, 1)
    flow.server_conn.via = (EVIL, (EVIL, 1))
    return flow


@pytest.mark.parametrize("detail", [1, 2, 3, 4])
@pytest.mark.parametrize("colour", [False, True])
def test_control_characters_are_escaped_everywhere(detail: int, colour: bool) -> None:
    raw = EVIL.encode("utf-8", "surrogateescape")
    socket = websocket_flow(EVIL.replace("\udc9b", ""), error=EVIL)
    socket.websocket.close_reason = EVIL
    query = dns_flow(f"a{EVIL}", "1.2.3.4")
    text = shown(evil(), socket, tcp_flow(raw, error=EVIL), query, detail=detail, colour=colour)
    text = re.sub(r"\x1b\[(1|2|31|32|33|36)m|\x1b\[0m", "", text) if colour else text
    assert "cannot be shown" not in text
    assert harmless(text)
    assert detail > 1 or text.count("\n") == 4


def test_what_a_script_broke_is_still_one_line() -> None:
    flow = page(id="an-id")
    flow.response.data.headers = {"a": "b"}
    assert shown(flow, page()) == (
        "--:--:-- - HTTP an-id (cannot be shown: AttributeError: 'dict' object has no attribute 'fields')\n"
        + shown(page())
    )


def test_a_response_that_a_script_makes_now_took_no_time_that_means_anything() -> None:
    flow = page()
    flow.response = None
    out = io.StringIO()
    options = Options()
    options.update(flow_detail=4)
    dumper = Dumper(options, out)
    flow.response = Response.make(200, b"made", HTML)
    dumper.add(flow)
    line, *details = out.getvalue().splitlines()
    assert line.endswith(" 200 text/html 4b -")
    assert any(re.fullmatch(r"\* begun \S+ \S+, request \d+ms", detail) for detail in details)


def test_a_progress_bar_gets_out_of_the_way_of_what_is_printed() -> None:
    options, out = Options(), io.StringIO()
    options.update(dumper_filter="~u /2")
    dumper = Dumper(options, out)
    dumper.before_print = lambda: out.write("|")
    for n in range(4):
        dumper.add(page(f"https://example.com/{n}"))
    assert out.getvalue().count("|") == 1
    assert out.getvalue().startswith("|12:00:00 ")


def test_a_stream_that_does_not_take_it() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        Dumper(Options(), Full()).add(page())


# -- colours -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "colour"), [(101, 36), (200, 32), (304, 36), (404, 33), (500, 31), (999, 31)])
def test_the_status_is_coloured(status: int, colour: int) -> None:
    flow = http_flow("https://example.com/", response(status))
    flow.request.data.path = b"/ 200 999 "
    line = f"GET https://example.com/ 200 999  \x1b[{colour}m{status}\x1b[0m - 0b 50ms"
    assert shown(flow, colour=True) == f"\x1b[2m12:00:00 127.0.0.1:50000\x1b[0m {line}\n"


def test_errors_are_red_and_silence_is_dim() -> None:
    assert shown(http_flow(error="refused"), colour=True).endswith(
        " GET https://example.com/ \x1b[31merror: refused\x1b[0m\n"
    )
    assert shown(page(error="cut"), colour=True).endswith(
        " \x1b[32m200\x1b[0m text/html 9b 50ms \x1b[31merror: cut\x1b[0m\n"
    )
    assert shown(http_flow(), colour=True).endswith(" \x1b[2m(no response)\x1b[0m\n")
    assert " \x1b[32mNOERROR\x1b[0m 1.2.3.4 " in shown(dns_flow("a.b", "1.2.3.4"), colour=True)
    assert "1 message 1b 0ms \x1b[31merror: reset\x1b[0m" in shown(tcp_flow(b"x", error="reset"), colour=True)


def test_colours_change_nothing_else() -> None:
    for flow in every_kind():
        for detail in (1, 2, 3, 4):
            coloured = shown(flow, detail=detail, colour=True)
            assert re.sub(r"\x1b\[\d+m", "", coloured) == shown(flow, detail=detail)
            assert coloured.count("\x1b[0m") * 2 == coloured.count("\x1b[")


def test_colours_of_details() -> None:
    lines = shown(page(), detail=4, colour=True).splitlines()
    assert lines[3] == "\x1b[2m*\x1b[0m \x1b[2mclient 127.0.0.1:50000, tcp\x1b[0m"
    assert lines[5:7] == [
        "\x1b[2m>\x1b[0m \x1b[1mGET / HTTP/1.1\x1b[0m",
        "\x1b[2m>\x1b[0m \x1b[36mHost:\x1b[0m example.com",
    ]


# -- on the command line, and speed ------------------------------------------------------------------------------------


def test_flows_go_to_stdout_without_colours_into_a_pipe(tmp_path: Path) -> None:
    path = write_flows(tmp_path / "in", every_kind())
    done = run_flowdump("-r", path, env={"NO_COLOR": ""}, check=True)
    assert (len(done.stdout.splitlines()), done.stderr) == (len(every_kind()), "")
    assert "\x1b" not in done.stdout
    assert run_flowdump("-q", "-r", path, check=True).stdout == ""
    assert run_flowdump("-dd", "-r", path, "~u plain.html", check=True).stdout == shown(every_kind()[0], detail=3)


def test_a_line_costs_little() -> None:
    """A bound against mistakes of another order; it takes about four microseconds."""
    flows = [Flow.from_state(state) for state in states(200)]
    out = io.StringIO()
    dumper = Dumper(Options(), out)
    best = 1.0
    for _ in range(5):
        begun = time.process_time()
        for flow in flows:
            dumper.add(flow)
        best = min(best, time.process_time() - begun)
    assert best / len(flows) < 50e-6


def test_error_objects_are_shown_by_their_text() -> None:
    flow = http_flow()
    flow.error = Error("gone", T0)
    assert shown(flow).endswith(" error: gone\n")
