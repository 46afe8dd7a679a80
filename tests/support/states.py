"""State dicts of every type, and every value that is legal in them, one at a time and many at once.

``BASES`` makes a plain complete state per type. ``VARIANTS`` is a table of (types, path, legal values); ``variants()``
gives a flow for each value of each row, and ``mixtures()`` flows in which many fields are unusual at once.
"""

from __future__ import annotations

import copy
import gzip
import math
import random
import zlib
from collections.abc import Iterator
from typing import Any

import brotli
import zstandard
from tests.support.traffic import certificate

State = dict[str, Any]
Row = tuple[tuple[str, ...], str, list[Any]]

T0 = 1_700_000_000.25

HTML = "<html><body>html grüßt html</body></html>".encode()
FULL_CHAIN = [certificate("leaf.example"), certificate("authority.example")]


# plain states


#: What is stored of a connection of which nothing is known, but for its id.
CONNECTION: State = {
    "peername": None,
    "sockname": None,
    "transport_protocol": "tcp",
    "error": None,
    "tls": False,
    "certificate_list": [],
    "alpn": None,
    "alpn_offers": [],
    "cipher": None,
    "cipher_list": [],
    "tls_version": None,
    "sni": None,
    "timestamp_start": None,
    "timestamp_end": None,
    "timestamp_tls_setup": None,
}


def _connection(peer: tuple[str, int], **facts: Any) -> State:
    known = {"peername": list(peer), "sockname": ["127.0.0.1", 8080], "timestamp_start": T0}
    fresh = {"certificate_list": [], "alpn_offers": [], "cipher_list": []}
    return CONNECTION | fresh | known | {"id": f"connection-{peer[0]}"} | facts


def _flow(kind: str, **parts: Any) -> State:
    return {
        "version": 21,
        "type": kind,
        "id": f"plain-{kind}",
        "error": None,
        "client_conn": _connection(("127.0.0.1", 5012), mitmcert=None, proxy_mode="regular"),
        "server_conn": _connection(("192.0.2.1", 80), address=["example.com", 80], timestamp_tcp_setup=None, via=None),
        "intercepted": False,
        "is_replay": None,
        "marked": "",
        "metadata": {},
        "comment": "",
        "timestamp_created": T0,
        "backup": None,
        **parts,
    }


def http_state() -> State:
    """GET http://example.com/ -> 200 with a body of HTML."""
    request = {
        "http_version": b"HTTP/1.1",
        "headers": [[b"Host", b"example.com"], [b"Accept", b"*/*"]],
        "content": b"",
        "trailers": None,
        "timestamp_start": T0 + 1,
        "timestamp_end": T0 + 2,
        "host": "example.com",
        "port": 80,
        "method": b"GET",
        "scheme": b"http",
        "authority": b"",
        "path": b"/",
    }
    response = {
        "http_version": b"HTTP/1.1",
        "headers": [[b"Content-Type", b"text/html; charset=utf-8"], [b"Content-Length", b"%d" % len(HTML)]],
        "content": HTML,
        "trailers": None,
        "timestamp_start": T0 + 3,
        "timestamp_end": T0 + 4,
        "status_code": 200,
        "reason": b"OK",
    }
    return _flow("http", request=request, response=response, websocket=None)


def websocket_state() -> State:
    """A WebSocket of three messages, closed by the client."""
    flow = http_state()
    flow["response"] |= {"status_code": 101, "reason": b"Switching Protocols", "content": b"", "headers": []}
    flow["websocket"] = {
        "messages": [
            [1, True, "grüß html".encode(), T0 + 5, False, False],
            [2, False, b"\x00\xff", T0 + 6, True, False],
            [1, True, b"", T0 + 7, False, True],
        ],
        "closed_by_client": True,
        "close_code": 1000,
        "close_reason": "",
        "timestamp_end": T0 + 8,
    }
    return flow | {"id": "plain-websocket"}


def tcp_state() -> State:
    return _flow("tcp", messages=[[True, b"ping html", T0 + 1], [False, b"\x00\xffpong", T0 + 2]])


def udp_state() -> State:
    flow = _flow("udp", messages=[[True, b"ping", T0 + 1], [False, b"", T0 + 2]])
    flow["client_conn"]["transport_protocol"] = flow["server_conn"]["transport_protocol"] = "udp"
    return flow


def dns_message_state(**facts: Any) -> State:
    """A query for the address of example.com, as it is stored."""
    return {
        "timestamp": T0 + 1,
        "id": 7,
        "query": True,
        "op_code": 0,
        "authoritative_answer": False,
        "truncation": False,
        "recursion_desired": True,
        "recursion_available": False,
        "reserved": 0,
        "response_code": 0,
        "questions": [{"name": "example.com", "type": 1, "class_": 1}],
        "answers": [],
        "authorities": [],
        "additionals": [],
        **facts,
    }


def dns_state() -> State:
    answer = {"name": "example.com", "type": 1, "class_": 1, "ttl": 60, "data": b"\xc0\x00\x02\x01"}
    return _flow("dns", request=dns_message_state(), response=dns_message_state(query=False, answers=[answer]))


BASES = {"http": http_state, "websocket": websocket_state, "tcp": tcp_state, "udp": udp_state, "dns": dns_state}


# unusual ones

_HTTP = ("http", "websocket")
_ALL = tuple(BASES)
_TEXTS = ("", "ü", "\U0001f9ff of\nseveral\tlines\x00\x7f", "\u202eright to left", "7:version;2:21#}", "x" * 5000)
_TIMES = (0.5, 1e-9, 1e16, -1.5, 1_700_000_000, math.inf)


def _backup() -> State:
    return http_state() | {"comment": "before", "id": "plain-http"}


def _encoded(coding: bytes, content: bytes) -> State:
    headers = [
        [b"content-type", b"text/html; charset=utf-8"],
        [b"Content-Encoding", coding],
        [b"Content-Length", b"%d" % len(content)],
    ]
    return {**http_state()["response"], "headers": headers, "content": content}


def _rows(types: tuple[str, ...], parents: tuple[str, ...], table: dict[str, list[Any]]) -> list[Row]:
    return [(types, f"{parent}.{key}", values) for parent in parents for key, values in table.items()]


_EITHER_SIDE: dict[str, list[Any]] = {
    "id": ["", "ü"],
    "tls": [True],
    "alpn": [b"", b"h2", b"\xff"],
    "alpn_offers": [[b"h2", b"http/1.1"], [b"", b"\xff"]],
    "cipher": ["TLS_AES_256_GCM_SHA384", ""],
    "cipher_list": [["ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA"]],
    "tls_version": ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "DTLSv1.2", "QUICv1"],
    "sni": ["example.com", "", "bücher.example"],
    "timestamp_tls_setup": [*_TIMES],
}
_EITHER_MESSAGE: dict[str, list[Any]] = {
    "http_version": [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/3", b"HTTP/2"],
    "headers": [
        [],
        [[b"Set-Cookie", b"a=1"], [b"set-cookie", b"b=2"], [b"Set-Cookie", b"a=1"]],
        [[b"", b""], [b"X-\xff", b"\xfe\x00"], [b"x-utf-8", "ü".encode()], [b" odd ", b" spaces "]],
        [[b":authority", b"example.com"], [b"name", b"v" * 9000]],
        [[b"n%d" % number, b"v"] for number in range(300)],
    ],
    "trailers": [[], [[b"Grpc-Status", b"0"], [b"x", b"\xff"]]],
}
_RECORDS = [{"name": "ü.example", "type": 28, "class_": 1, "ttl": 0, "data": b""}] * 2
_SECTIONS = {section: [_RECORDS] for section in ("answers", "authorities", "additionals")}

#: Types, the path of a field, and values that it may have.
VARIANTS: list[Row] = [
    (_ALL, "id", ["", "ü", "f1"]),
    (_ALL, "error", [{"msg": text, "timestamp": T0} for text in (*_TEXTS, "Connection killed.")]),
    (_ALL, "intercepted", [True]),
    (_ALL, "is_replay", ["request", "response"]),
    (_ALL, "marked", [":default:", ":red_circle:", "X", "🧿"]),
    (_ALL, "comment", list(_TEXTS)),
    (_ALL, "timestamp_created", [*_TIMES, 0]),
    (
        _ALL,
        "metadata",
        [
            {"proxyauth": ["user", "password"]},
            {b"bytes": b"\x00"},
            {1: -1, "nested": {"list": [1, 1.0, True, None, "1", b"1", [], {}, {b"k": {"": ""}}]}},
            {"floats": [0.1, -0.0, 1e16, 1e-7, math.nan, -math.inf], "int": 10**40},
            {"": None, "a": 1, "b": 2, "c": 3},
        ],
    ),
    (("http",), "backup", [_backup(), _backup() | {"metadata": {"z": 1, "a": 2}}]),
    # connections
    (_ALL, "client_conn.peername", [["::1", 1, 0, 0], ["fe80::1%eth0", 65535, 3, 4], ["", 0], ["ü", 1]]),
    (_ALL, "client_conn.sockname", [["::ffff:127.0.0.1", 8080, 0, 0], ["", 0]]),
    (_ALL, "client_conn.timestamp_start", list(_TIMES)),
    (_ALL, "client_conn.timestamp_end", [*_TIMES, 0.0]),
    (_ALL, "client_conn.mitmcert", [certificate("proxy.example")]),
    (
        _ALL,
        "client_conn.proxy_mode",
        [
            "regular@127.0.0.1:8080",
            "regular@[::1]:8080",
            "reverse:https://example.com:8443",
            "reverse:tcp://127.0.0.1:1@127.0.0.1:2",
            "upstream:http://proxy:3128",
            "transparent",
            "socks5",
            "dns",
            "local:curl",
            "wireguard",
        ],
    ),
    (_ALL, "client_conn.certificate_list", [FULL_CHAIN[:1], FULL_CHAIN]),
    (_ALL, "server_conn", [http_state()["server_conn"] | {"address": None, "peername": None, "sockname": None}]),
    (_ALL, "server_conn.address", [["::1", 443], ["bücher.example", 0], ["127.0.0.1", 65535]]),
    (_ALL, "server_conn.peername", [["::1", 1, 0, 0], None]),
    (_ALL, "server_conn.certificate_list", [FULL_CHAIN[1:], FULL_CHAIN]),
    (_ALL, "server_conn.timestamp_start", [*_TIMES, None]),
    (_ALL, "server_conn.timestamp_tcp_setup", [*_TIMES, 0.0]),
    (_ALL, "server_conn.via", [["http", ["proxy", 3128]], ["https", ["::1", 1]], ["tls", ["a", 1]]]),
    (_ALL, "server_conn.error", ["Certificate verify failed: self-signed", ""]),
    (_ALL, "server_conn.transport_protocol", ["udp", "tcp"]),
    *_rows(_ALL, ("client_conn", "server_conn"), _EITHER_SIDE),
    # http
    (_HTTP, "request.method", [b"POST", b"get", b"M-SEARCH", b""]),
    (_HTTP, "request.scheme", [b"https", b"", b"ftp"]),
    (_HTTP, "request.host", ["::1", "bücher.example", "", "a" * 300]),
    (_HTTP, "request.port", [0, 443, 65535]),
    (_HTTP, "request.authority", [b"example.com:443", b"xn--bcher-kva.example", b"[::1]:80"]),
    (_HTTP, "request.path", [b"", b"*", b"/\xff?q=%00&a=b#fragment", b"/" + b"p" * 9000]),
    (_HTTP, "request.content", [None, b"\x00" * 100, b"x" * 600_000]),
    (_HTTP, "request.timestamp_end", [None, *_TIMES]),
    (_HTTP, "request.timestamp_start", list(_TIMES)),
    (_HTTP, "response", [None]),
    (("http",), "response", [_encoded(b"gzip", gzip.compress(HTML)), _encoded(b"br", brotli.compress(HTML))]),
    (("http",), "response", [_encoded(b"deflate", zlib.compress(HTML)), _encoded(b"gzip", b"no gzip at all")]),
    (("http",), "response", [_encoded(b"zstd", zstandard.compress(HTML)), _encoded(b"unheard-of", HTML)]),
    (_HTTP, "response.status_code", [0, 100, 204, 304, 599, 999]),
    (_HTTP, "response.reason", [b"", b"Gr\xfc\xdfe", b"Not  OK"]),
    (_HTTP, "response.content", [None, b"", bytes(range(256)), HTML * 10_000]),
    (_HTTP, "response.timestamp_end", [None, *_TIMES]),
    *_rows(_HTTP, ("request", "response"), _EITHER_MESSAGE),
    # WebSocket
    (("websocket",), "websocket.messages", [[], [[2, False, b"", T0, True, True]], [[9, True, b"p", 5, False, False]]]),
    (("websocket",), "websocket.closed_by_client", [False, None]),
    (("websocket",), "websocket.close_code", [None, 1006, 4999]),
    (("websocket",), "websocket.close_reason", [None, "ü"]),
    (("websocket",), "websocket.timestamp_end", [None, 5.5]),
    # TCP, UDP
    (("tcp", "udp"), "messages", [[], [[True, b"", T0]] * 3, [[False, b"x" * 70_000, 7]]]),
    # DNS
    (("dns",), "response", [None]),
    (("dns",), "request.questions", [[], [{"name": "", "type": 255, "class_": 65535}] * 2]),
    (("dns",), "request.id", [0, 65535]),
    (("dns",), "request.op_code", [15]),
    (("dns",), "request.reserved", [7]),
    (("dns",), "request.timestamp", [None]),
    (("dns",), "response.response_code", [15]),
    (("dns",), "response.truncation", [True]),
    *_rows(("dns",), ("response",), _SECTIONS),
]


def _place(state: State, path: str, value: Any) -> bool:
    """Put a value where the path leads; False where the state has no such place, as there is no response, say."""
    *parents, key = path.split(".")
    for parent in parents:
        state = state[parent]
        if state is None:
            return False
    state[key] = copy.deepcopy(value)
    return True


def variants() -> Iterator[tuple[str, State]]:
    """(name, state) for each legal value of each field. Ids are the names unless the id is what varies."""
    for kind, base in BASES.items():
        yield kind, base()
        for types, path, values in VARIANTS:
            for number, value in enumerate(values if kind in types else ()):
                flow = base()
                name = f"{kind} {path} {number}"
                flow["id"] = name
                _place(flow, path, value)
                yield name, flow


def mixtures(count: int, seed: int = 1) -> Iterator[tuple[str, State]]:
    """(name, state) of flows in which about a seventh of all fields has an unusual value."""
    rng = random.Random(seed)
    for number in range(count):
        kind = rng.choice(_ALL)
        flow = BASES[kind]()
        for types, path, values in VARIANTS:
            if kind in types and rng.random() < 0.15:
                _place(flow, path, rng.choice(values))
        flow["id"] = f"mixture {number} {kind}"
        yield flow["id"], _shuffled(flow, rng)


def _shuffled(value: Any, rng: random.Random) -> Any:
    """The same dicts with their keys in another order: readers must not care."""
    if not isinstance(value, dict):
        return value
    keys = list(value)
    rng.shuffle(keys)
    return {key: _shuffled(value[key], rng) for key in keys}
