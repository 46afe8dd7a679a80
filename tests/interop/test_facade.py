"""What scripts borrow from mitmproxy gives the same as the real thing: helpers, test flows, events as objects.

Expressions are evaluated in one process of each, on flowdump under mitmproxy's names; what they come to is compared as
text, exceptions by their class.
"""

# ruff: noqa: E501 - one expression per line, however long
from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.support.flows import environment
from tests.support.mitmproxy import Mitmproxy

EVALUATE = r"""
import json, sys

if sys.argv[1] == "flowdump":
    from flowdump import compat
    compat.install()
from collections.abc import Sequence
from typing import Optional

from mitmproxy import eventsequence, exceptions, hooks, http, io, log, optmanager, tcp, version, websocket
from mitmproxy.coretypes import multidict
from mitmproxy.net import check, encoding, server_spec
from mitmproxy.net.http import cookies, headers, http1, multipart, status_codes, url
from mitmproxy.proxy import mode_specs
from mitmproxy.test import tflow, tutils
from mitmproxy.utils import human, sliding_window, strutils, typecheck

def plain(value):
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)) and not hasattr(value, "fields"):
        return list(map(plain, value)) if isinstance(value, list) else tuple(map(plain, value))
    return value

def times(value):
    # Times as float, wherever they are.
    if isinstance(value, dict):
        return {key: times(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(times, value))
    return float(value) if isinstance(value, int) and value > 1e8 else value

def state(flow):
    known = flow.get_state()
    known["id"] = known["client_conn"]["id"] = known["server_conn"]["id"] = ""
    return times({"backup": None} | known | {"timestamp_created": 0})

def evaluated(expression):
    try:
        return repr(plain(eval(expression)))
    except Exception as error:
        return f"raises {type(error).__name__}"

json.dump([evaluated(expression) for expression in json.load(sys.stdin)], sys.stdout)
"""


def each(call: str, *arguments: str) -> list[str]:
    return [call.replace("@", argument) for argument in arguments]


EXPRESSIONS = [
    *each("human.pretty_size(@)", "0", "99", "1023", "1024", "10240", "102399", "1048576", "2**30", "2**50", "123456789"),
    *each("human.pretty_duration(@)", "None", "0", "0.0123", "0.9999", "1", "9.99", "10", "99", "100", "1000"),
    *each(
        "human.format_address(@)",
        *('("example.com", "54010")', '("::1", 80, 0, 0)', '("::ffff:1.2.3.4", 80)', "None", '("", 1)', '("::", 2)'),
    ),
    *each("human.format_timestamp(@)", "1700000000.25"),
    *each("human.format_timestamp_with_milli(@)", "1700000000.25"),
    *each(
        "strutils.bytes_to_escaped_str(@)",
        *(r"b'a\x00\n\t\'\"\\b\xff'", r"b'\n\r\t\\n', True", r"b'\'', False, True", "'text'"),
    ),
    *each("strutils.escaped_str_to_bytes(@)", r"'a\\x00\\n'", r"'\\xff'", "'ü'", r"'\\\\'", "b'x'"),
    *each("strutils.escape_control_characters(@)", r"'a\x00\n\t\x7f\x1bü'", r"'a\n\t', False", "b'x'"),
    *each("strutils.is_mostly_bin(@)", "b''", "b'abc'", r"b'ab\x00'", r"b'\xff' * 10", "'ü'.encode() * 60", "b'a' * 200"),
    *each("strutils.is_xml(@)", "b' <a'", "b'<'", "b'x'", "b''"),
    *each("strutils.always_bytes(@)", "None", "b'a'", "'ü'", "1"),
    *each("strutils.always_str(@)", "None", "b'a'", "'ü'", "1"),
    *each("strutils.clean_hanging_newline(@)", r"'a\n'", r"'a\n\n'", "''"),
    *each("strutils.cut_after_n_lines(@, 2)", r"'a\nb\nc'", "'a'", r"'a\nb\nc\n'"),
    r"list(strutils.hexdump(b'one\0' * 10))",
    *each("list(sliding_window.window(range(4), @))", "1, 1", "0, 2", "2, 0"),
    *each(
        "server_spec.parse(@, 'https')",
        *("'http://example.com'", "'https://a:80'", "'example.com:443'", "'example.com'", "'http2://x'", "'[::1]:90'"),
        *("'https://h/'", "'tls://a:1'", "'http://a:99999'"),
    ),
    *each("check.is_valid_host(@)", "b'a.b'", "b''", "b'a' * 300", "b'a_b.c'", "b'::1'", "b'a b'", "b'1.2.3.4'"),
    *each("check.is_valid_port(@)", "0", "65535", "65536", "-1"),
    *each(
        "headers.parse_content_type(@)", "'text/html; charset=UTF-8'", "'text/html'", "'text'", "'a/b;c'", "''"
    ),
    *each("headers.assemble_content_type(@)", "'text', 'html', {'charset': 'utf-8'}", "'a', 'b', {}"),
    *each(
        "url.parse(@)",
        *("'http://foo.com:8888/test'", "'http://foo'", "'http://[::1]:8'", "'foo'", "b'http://a/b'", "'http://a:99999/'"),
        *("''", "'https://u:p@h/p?q#f'"),
    ),
    *each("url.unparse(@)", "'http', 'a', 80, '/b'", "'https', 'a', 80, ''"),
    *each("url.encode(@)", "[('a', 'b c'), ('d', '&')]", "[('a', '')], 'a'"),
    *each("url.decode(@)", "'a=b+c&d'", "''", "'x=%C3%BC'"),
    *each("url.quote(@)", "'a/b c&ü'", "'', safe=''"),
    *each("url.unquote(@)", "'a%2Fb'", "'%C3%BC'"),
    *each("url.hostport(@)", "'http', 'a', 80", "'https', 'a', 80"),
    *each("url.default_port(@)", "'http'", "b'https'", "'x'"),
    *each("url.parse_authority(@)", "'a:80', True", "'[::1]:80', True", "b'a', False", "'a:x', True"),
    *each("cookies.parse_cookie_header(@)", "'a=b; c=d'", "''", "'a=\"b c\"'"),
    "cookies.parse_cookie_headers(['a=b', 'c=d'])",
    "cookies.format_cookie_header([('a', 'b'), ('c', 'd e')])",
    "[(n, v, list(a.items())) for n, v, a in cookies.parse_set_cookie_header('a=b; Path=/; HttpOnly')]",
    "[(n, v) for n, v, a in cookies.parse_set_cookie_headers(['a=b; Path=/', 'c=d'])]",
    "cookies.format_set_cookie_header([('a', 'b', cookies.CookieAttrs([('Path', '/'), ('HttpOnly', None)]))])",
    "cookies.refresh_set_cookie_header('a=b; expires=Wed, 21 Oct 2015 07:28:00 GMT', 100)",
    "cookies.get_expiration_ts(cookies.CookieAttrs([('expires', 'Wed, 21 Oct 2015 07:28:00 GMT')]))",
    *each("cookies.is_expired(cookies.CookieAttrs(@))", "[('max-age', '0')]", "[]", "[('expires', 'Wed, 21 Oct 2015 07:28:00 GMT')]"),
    "[(n, v, list(a.items())) for n, v, a in cookies.group_cookies([('a', 'b'), ('Path', '/')])]",
    "multipart.decode_multipart('multipart/form-data; boundary=x', "
    r"""b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n')""",
    "multipart.decode_multipart('text/plain', b'x')",
    "multipart.decode_multipart('multipart/form-data; boundary=x', "
    "multipart.encode_multipart('multipart/form-data; boundary=x', [(b'a', b'b'), (b'c', b'<x>')]))",
    *each("http1.assemble_request(@)", "tutils.treq()", "tutils.treq(content=None)", "tutils.treq(authority=b'a:1')"),
    "http1.assemble_request(tutils.treq(headers=http.Headers([(b'Transfer-Encoding', b'chunked')])))",
    "http1.assemble_request_head(tutils.treq(method=b'CONNECT', authority=b'a:1'))",
    *each("http1.assemble_response(@)", "tutils.tresp()", "tutils.tresp(content=None)"),
    "http1.assemble_response_head(tutils.tresp(status_code=404, reason=b'No'))",
    "list(http1.assemble_body(http.Headers(), [b'a', b'b'], None))",
    "list(http1.assemble_body(http.Headers(transfer_encoding='chunked'), [b'a', b'b'], http.Headers(t='1')))",
    "list(http1.assemble_body(http.Headers(), [b'a'], http.Headers(t='1')))",
    *each(
        "[(r.method, r.url, r.http_version, r.headers.fields) for r in [http1.read_request_head(@)]]",
        *("[b'GET http://a:1/b HTTP/1.1', b'Host: a']", "[b'CONNECT a:1 HTTP/1.1']", "[b'GET']", "[b'GET / HTTP/1.1', b'x']"),
        "[b'GET / SMTP/1.1']",
    ),
    *each(
        "[(r.status_code, r.reason, r.headers.fields) for r in [http1.read_response_head(@)]]",
        *("[b'HTTP/1.1 200 Ok', b'X: y']", "[b'HTTP/1.1 404']", "[b'HTTP/1.1 x']", "[b'HTTP/1.1 200 Ok', b'A: b', b' c']"),
    ),
    *each(
        "http1.expected_http_body_size(tutils.treq(), tutils.tresp(headers=@))",
        *("http.Headers()", "http.Headers(content_length='5')", "http.Headers(content_length='x')"),
        "http.Headers(transfer_encoding='chunked')",
    ),
    "http1.expected_http_body_size(tutils.treq(method=b'HEAD'), tutils.tresp())",
    "http1.expected_http_body_size(tutils.treq(), tutils.tresp(status_code=204))",
    "http1.expected_http_body_size(tutils.treq(headers=http.Headers()))",
    *each("http1.connection_close(@)", "'HTTP/1.0', http.Headers()", "'HTTP/1.1', http.Headers(connection='a, close')"),
    *each("encoding.decode(@)", r"b'\xc3\xbc', 'utf8'", "None, 'gzip'", "'x', 'gzip'", "b'x', 'nonsense'", "b'x', 'gzip'"),
    *each("encoding.encode(@)", "'ü', 'latin-1'", "b'x', 'identity'", "'x', 'nonsense'"),
    "encoding.decode(encoding.encode(b'x', 'gzip'), 'gzip')",
    "encoding.decode(encoding.encode(b'x', 'br'), 'br')",
    *each("status_codes.@", "NOT_FOUND", "OK", "IM_A_TEAPOT", "NO_CONTENT", "BAD_GATEWAY", "NONSENSE", "RESPONSES[404]"),
    *each(
        "[(m.full_spec, m.type_name, m.data, m.custom_listen_host, m.custom_listen_port, m.description, "
        "getattr(m, 'address', None), getattr(m, 'scheme', None), m.transport_protocol) "
        "for m in [mode_specs.ProxyMode.parse(@)]]",
        *("'regular'", "'regular@8081'", "'socks5@127.0.0.1:1080'", "'reverse:https://h@127.0.0.1:80'", "'dns'"),
        *("'upstream:http://a:1'", "'transparent'", "'nonsense'", "'reverse:'", "'regular:x'", "'upstream:tcp://a:1'"),
        "'regular@99999'",
    ),
    "server_spec.ServerSpec(('http', ('a', 1)))",
    "mode_specs.ReverseMode.parse('regular')",
    "mode_specs.ProxyMode.parse('regular') == mode_specs.RegularMode.parse('regular')",
    *each("typecheck.typespec_to_str(@)", "str", "int", "bool", "Optional[int]", "Optional[str]", "Sequence[str]", "dict"),
    *each("typecheck.check_option_type('o', @)", "1, str", "'a', str", "None, Optional[str]", "['a'], Sequence[str]"),
    "typecheck.check_option_type('o', 1, bool)",
    *each("hooks.UpdateHook(@)", "[1]", "flows=[2]", ""),
    "(hooks.UpdateHook.name, hooks.UpdateHook([1]).args(), hooks.UpdateHook([1]) == hooks.UpdateHook([1]))",
    "(hooks.all_hooks['update'] is hooks.UpdateHook, 'responseheaders' in hooks.all_hooks)",
    *each(
        "[event.name for event in eventsequence.iterate(@)]",
        *("tflow.tflow(resp=True)", "tflow.tflow(err=True)", "tflow.twebsocketflow()", "tflow.ttcpflow(err=True)"),
        *("tflow.tdnsflow(resp=True)", "tflow.tudpflow()"),
    ),
    *each(
        "state(@)",
        *("tflow.tflow()", "tflow.tflow(resp=True, err=True, ws=True)", "tflow.twebsocketflow(close_code=1001)"),
        *("tflow.ttcpflow()", "tflow.ttcpflow(err=True)", "tflow.tudpflow()", "tflow.tdnsflow(resp=True)"),
        *("tflow.tdnsflow(err=True)",),
    ),
    "[(f.type, bool(f.error), bool(getattr(f, 'response', None))) for f in tflow.tflows()][:7]",
    *each("@.live", "tflow.tflow()", "tflow.tflow(live=False)", "tflow.ttcpflow()", "tflow.tdnsflow()"),
    *each("@.state.name", "tflow.tclient_conn()", "tflow.tserver_conn()"),
    "multidict.MultiDict([('a', '1'), ('a', '2')])['a']",
    "websocket.WebSocketMessage(1, True, b'x').is_text",
    "http.Response.make(418, 'x', {'a': 'b'}).get_state()['status_code']",
    "isinstance(tcp.TCPMessage(True, b'x').timestamp, float)",
    "version.FLOW_FORMAT_VERSION",
    "issubclass(exceptions.OptionsError, exceptions.MitmproxyException)",
]  # fmt: skip

#: Where flowdump is meant to differ, and how.
OURS = {
    # What is no gzip is an error, not an empty body.
    "encoding.decode(b'x', 'gzip')": "raises ValueError"
}


@pytest.fixture(scope="module")
def answers(mitmproxy: Mitmproxy) -> list[tuple[str, str, str]]:
    """Every expression with what flowdump and mitmproxy make of it."""

    def evaluate(python: str, who: str) -> list[str]:
        done = subprocess.run(
            [python, "-W", "ignore", "-c", EVALUATE, who],
            input=json.dumps(EXPRESSIONS),
            capture_output=True,
            text=True,
            env=environment(),
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    ours, theirs = evaluate(sys.executable, "flowdump"), evaluate(mitmproxy.python, "mitmproxy")
    return list(zip(EXPRESSIONS, ours, theirs, strict=True))


def test_they_give_the_same(answers: list[tuple[str, str, str]]) -> None:
    wrong = [(expression, ours, OURS.get(expression, theirs)) for expression, ours, theirs in answers]
    assert [(expression, ours, wanted) for expression, ours, wanted in wrong if ours != wanted] == []


def test_most_of_them_work(answers: list[tuple[str, str, str]]) -> None:
    """An expression that is misspelt raises on both sides."""
    assert not [expression for expression, ours, _ in answers if ours in ("raises NameError", "raises SyntaxError")]
    assert sum(not ours.startswith("raises") for _, ours, _ in answers) > 200
