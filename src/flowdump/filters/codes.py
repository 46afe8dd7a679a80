r"""Filter expressions such as ``~u /api/ & ~c 4xx``: which flows an option, a command or a script is about.

``parse()`` makes a `Filter` of an expression: a callable ``flow -> bool``. One table, `CODES`, feeds the matcher, the
help and the hints in error messages; the grammar is in :mod:`flowdump.filters.grammar`. Each code is compiled to a
closure that looks at ``flow.type`` first, so that matching costs a property, a regex search and little else.

The meaning of the codes is that of mitmproxy 12, found by running it:

* Regexes are searched, not anchored, and ignore case. In bodies ``.`` matches line feeds; in headers, metadata and
  comments ``^`` and ``$`` match at each line. ``FLOWDUMP_CASE_SENSITIVE_FILTERS=1`` in the environment (or
  ``MITMPROXY_CASE_SENSITIVE_FILTERS=1``) makes case count.
* Headers, content types, methods and bodies are searched as bytes: a pattern is encoded as UTF-8, and case is ignored
  for ASCII letters only.
* ``~q``, ``~s``, ``~u`` and the body codes also speak of DNS flows; bodies include the messages of WebSocket, TCP
  and UDP flows. A code that has nothing to look at in a flow does not match it, so ``! ~m GET`` matches every TCP flow.
* A body that was not recorded matches nothing, not even the empty regex; an empty one does.

Where we differ: header lines end with LF when they are searched, so that ``$`` works (with CR LF, as on the wire, if
the pattern says ``\r``); ``~u`` looks at every question of a DNS message; ``~a`` ignores case, as content types do (RFC
9110 section 8.3.1). ``~size``, ``~dur``, and classes and ranges in ``~c`` are our own.
"""

from __future__ import annotations

import operator
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flowdump.filters.grammar import REGEX, Argument, Code, Match, Parser

if TYPE_CHECKING:
    from flowdump.dns.message import DNSFlow, DNSMessage
    from flowdump.flow import Flow
    from flowdump.http.flow import HTTPFlow
    from flowdump.http.message import Message
    from flowdump.tcp import RawFlow

#: Either set to 1 makes regexes respect case; the second is mitmproxy's. Looked at when an expression is new.
CASE_VARIABLES = ("FLOWDUMP_CASE_SENSITIVE_FILTERS", "MITMPROXY_CASE_SENSITIVE_FILTERS")


class Filter:
    """A parsed expression: ``filter(flow) -> bool``. ``pattern`` is the expression as it was written."""

    __slots__ = ("_match", "pattern")

    def __init__(self, pattern: str, match: Match) -> None:
        self.pattern = pattern
        self._match = match

    def __call__(self, flow: Flow) -> bool:
        return self._match(flow)

    def __repr__(self) -> str:
        return f"Filter({self.pattern!r})"

    __str__ = __repr__


#: The name that scripts annotate filters with.
TFilter = Filter


def parse(expression: str) -> Filter:
    """The filter of an expression. Raises FilterError, a ValueError whose text marks the position in the expression."""
    return _parse(expression)


def match(filter: str | Callable[[Any], bool] | None, flow: Flow) -> bool:
    """Whether a filter or an expression matches a flow; None matches all. Raises FilterError for a bad expression."""
    if filter is None:
        return True
    if isinstance(filter, str):
        filter = parse(filter)
    return filter(flow)


def help_rows() -> list[tuple[str, str]]:
    """``(how it is written, what it matches)`` for every code, sorted, and for the grammar: for --help and the docs."""
    return [
        *(
            ((f"{name} {code.argument.label}" if code.argument else name), code.help)
            for name, code in sorted(CODES.items())
        ),
        *_GRAMMAR_HELP,
    ]


_GRAMMAR_HELP = (
    ("text", "the same as ~u text"),
    ("!", "not"),
    ("&", "and"),
    ("|", "or"),
    ("(...)", "grouping"),
    ("a b", "and, but binding looser than |: a b | c is a & (b | c)"),
)


# Scripts ask flowfilter.match("~c 200", flow) for every flow: an expression is parsed once.
@lru_cache(maxsize=256)
def _parse(expression: str) -> Filter:
    case_sensitive = any(os.environ.get(name) == "1" for name in CASE_VARIABLES)
    return Filter(expression, Parser(expression, CODES, 0 if case_sensitive else re.IGNORECASE).parse())


# -- arguments ---------------------------------------------------------------------------------------------------

_BARE = r"""[^()~'" \t\r\n&|!]+"""
STATUS = Argument("status", _BARE, "a status after it: 404, 4xx or 200-299")
SIZE = Argument("size", r"(?:[<>]=?|=)?[ \t\r\n]*" + _BARE, "a size after it: >10k, <=1m or 0")
DURATION = Argument("time", SIZE.pattern, "a time after it: >500ms, <=2s or >1m")

# Compiled when they are met, by the cache of re: most runs never need them.
_STATUS = r"([0-9]{1,18})(?:-([0-9]{1,18}))?"
_STATUS_CLASS = r"([0-9])[xX]{2}"
_COMPARISON = r"([<>]=?|=)?\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)([A-Za-z]{0,2})"
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq, "=": operator.eq, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
_SIZE_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_DURATION_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0}


def _status_range(text: str) -> tuple[int, int]:
    found = re.fullmatch(_STATUS_CLASS, text)
    if found:
        return int(found[1]) * 100, int(found[1]) * 100 + 99
    found = re.fullmatch(_STATUS, text)
    if found is None:
        raise ValueError(f"~c needs {STATUS.wanted}")
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        raise ValueError("this range of statuses is empty")
    return low, high


def _comparison(text: str, units: Mapping[str, float], problem: str) -> tuple[Callable[[Any, Any], bool], float]:
    """``">10k"`` -> greater than, 10240."""
    found = re.fullmatch(_COMPARISON, text.strip())
    if found is None or found[3].lower() not in units:
        raise ValueError(problem)
    return _COMPARE[found[1] or ""], float(found[2]) * units[found[3].lower()]


def _regex(pattern: Any, flags: int) -> Any:
    with warnings.catch_warnings():
        # Remarks such as "possible nested set" are for programmers; the regex works all the same.
        warnings.simplefilter("ignore")
        return re.compile(pattern, flags)


def _text_search(pattern: str, flags: int) -> Callable[[str], re.Match[str] | None]:
    return _regex(pattern, flags).search  # type: ignore[no-any-return]


def _bytes_search(pattern: str, flags: int) -> Callable[[bytes], re.Match[bytes] | None]:
    try:
        encoded = pattern.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError("this holds half a character") from None
    return _regex(encoded, flags).search  # type: ignore[no-any-return]


# -- codes without an argument -----------------------------------------------------------------------------------

_EXCHANGES = ("http", "dns")
_ASSET = rb"(?i:image/|text/css|text/javascript|application/(?:x-)?javascript|font/|application/font)"
# Which side speaks: True is the client. A tuple of these says where a code looks.
_REQUEST, _RESPONSE, _BOTH = (True,), (False,), (True, False)


def _is_type(kind: str) -> Match:
    return lambda flow: flow.type == kind


def _is_replay(*kinds: str) -> Match:
    return lambda flow: flow.is_replay in kinds


def _has_no_response(flow: Any) -> bool:
    return flow.type in _EXCHANGES and flow.response is None


def _has_response(flow: Any) -> bool:
    return flow.type in _EXCHANGES and flow.response is not None


def _is_asset(flow: Any) -> bool:
    return any(re.search(_ASSET, value) is not None for value in _content_types(flow, _RESPONSE))


# -- codes for texts of a flow -----------------------------------------------------------------------------------


def _url(pattern: str, flags: int) -> Match:
    search = _text_search(pattern, flags)

    def match(flow: Any) -> bool:
        if flow.type == "http":
            return search(flow.request.pretty_url) is not None
        return flow.type == "dns" and any(search(question.name) is not None for question in flow.request.questions)

    return match


def _domain(pattern: str, flags: int) -> Match:
    search = _text_search(pattern, flags)

    def match(flow: Any) -> bool:
        if flow.type != "http":
            return False
        request = flow.request
        return search(request.host) is not None or search(request.pretty_host) is not None

    return match


def _method(pattern: str, flags: int) -> Match:
    search = _bytes_search(pattern, flags)
    return lambda flow: flow.type == "http" and search(flow.request.data.method) is not None


def _address(pattern: str, flags: int, connection: str, attribute: str) -> Match:
    search = _text_search(pattern, flags)

    def match(flow: Any) -> bool:
        address = getattr(getattr(flow, connection), attribute)
        return address is not None and search(f"{address[0]}:{address[1]}") is not None

    return match


def _source(pattern: str, flags: int) -> Match:
    return _address(pattern, flags, "client_conn", "peername")


def _destination(pattern: str, flags: int) -> Match:
    return _address(pattern, flags, "server_conn", "address")


def _comment(pattern: str, flags: int) -> Match:
    search = _text_search(pattern, flags | re.MULTILINE)
    return lambda flow: search(flow.comment) is not None


def _marker(pattern: str, flags: int) -> Match:
    search = _text_search(pattern, flags)
    return lambda flow: search(flow.marked) is not None


def _metadata(pattern: str, flags: int) -> Match:
    search = _text_search(pattern, flags | re.MULTILINE)
    return lambda flow: search("\n".join([f"{key}: {value}" for key, value in flow.metadata.items()])) is not None


# -- codes for parts of messages ---------------------------------------------------------------------------------


def _http_messages(flow: HTTPFlow, sides: tuple[bool, ...]) -> Iterator[Message]:
    for from_client in sides:
        message: Message | None = flow.request if from_client else flow.response
        if message is not None:
            yield message


def _headers(sides: tuple[bool, ...]) -> Callable[[str, int], Match]:
    def make(pattern: str, flags: int) -> Match:
        search = _bytes_search(pattern, flags | re.MULTILINE)
        line = b"%b: %b\r\n" if "\\r" in pattern or "\r" in pattern else b"%b: %b\n"

        def match(flow: Any) -> bool:
            return flow.type == "http" and any(
                search(b"".join([line % field for field in message.headers.fields])) is not None
                for message in _http_messages(flow, sides)
            )

        return match

    return make


def _content_types(flow: Any, sides: tuple[bool, ...]) -> Iterator[bytes]:
    """Each value of each Content-Type header."""
    if flow.type == "http":
        for message in _http_messages(flow, sides):
            yield from (value for name, value in message.headers.fields if name.lower() == b"content-type")


def _content_type(sides: tuple[bool, ...]) -> Callable[[str, int], Match]:
    def make(pattern: str, flags: int) -> Match:
        search = _bytes_search(pattern, flags)
        return lambda flow: any(search(value) is not None for value in _content_types(flow, sides))

    return make


def _http_bodies(flow: HTTPFlow, sides: tuple[bool, ...]) -> Iterator[bytes]:
    for message in _http_messages(flow, sides):
        body = message.get_content(strict=False)
        if body is not None:
            yield body
    if flow.websocket is not None:
        yield from (message.content for message in flow.websocket.messages if message.from_client in sides)


def _raw_bodies(flow: RawFlow, sides: tuple[bool, ...]) -> Iterator[bytes]:
    return (message.content for message in flow.messages if message.from_client in sides)


def _dns_bodies(flow: DNSFlow, sides: tuple[bool, ...]) -> Iterator[bytes]:
    """Names that are asked for and what the records hold, one a line; a query counts as what the client said."""
    for from_client in sides:
        message: DNSMessage | None = flow.request if from_client else flow.response
        if message is not None:
            records = (*message.answers, *message.authorities, *message.additionals)
            lines = [*(question.name for question in message.questions), *(record.data_text() for record in records)]
            yield "\n".join(lines).encode("utf-8", "surrogatepass")


_BODIES: dict[str, Callable[[Any, tuple[bool, ...]], Iterator[bytes]]] = {
    "http": _http_bodies,
    "tcp": _raw_bodies,
    "udp": _raw_bodies,
    "dns": _dns_bodies,
}


def _body(sides: tuple[bool, ...]) -> Callable[[str, int], Match]:
    def make(pattern: str, flags: int) -> Match:
        search = _bytes_search(pattern, flags | re.DOTALL)
        return lambda flow: any(search(body) is not None for body in _BODIES[flow.type](flow, sides))

    return make


# -- codes for numbers -------------------------------------------------------------------------------------------


def _status(text: str, flags: int) -> Match:
    low, high = _status_range(text)

    def match(flow: Any) -> bool:
        return flow.type == "http" and (response := flow.response) is not None and low <= response.status_code <= high

    return match


def _size(text: str, flags: int) -> Match:
    compare, limit = _comparison(text, _SIZE_UNITS, f"~size needs {SIZE.wanted}")

    def match(flow: Any) -> bool:
        size = _size_of(flow)
        return size is not None and compare(size, limit)

    return match


def _size_of(flow: Any) -> int | None:
    """Bytes of the body as stored, of all messages of a TCP or UDP flow; None where nothing was recorded."""
    if flow.type == "http":
        content = (flow.request if flow.response is None else flow.response).raw_content
        return None if content is None else len(content)
    return None if flow.type == "dns" else sum([len(message.content) for message in flow.messages])


def _duration(text: str, flags: int) -> Match:
    compare, limit = _comparison(text, _DURATION_UNITS, f"~dur needs {DURATION.wanted}")

    def match(flow: Any) -> bool:
        start, end = _span_of(flow)
        return start is not None and end is not None and compare(end - start, limit)

    return match


def _span_of(flow: Any) -> tuple[float | None, float | None]:
    """When the request began and the response ended, or the first and last message of a TCP or UDP flow."""
    if flow.type in ("tcp", "udp"):
        return (flow.messages[0].timestamp, flow.messages[-1].timestamp) if flow.messages else (None, None)
    if flow.response is None:
        return None, None
    if flow.type == "dns":
        return flow.request.timestamp, flow.response.timestamp
    return flow.request.timestamp_start, flow.response.timestamp_end


#: Every code: its argument, its help, its matcher or what makes one.
CODES: dict[str, Code] = {
    "~a": Code(None, "a response that is an asset: CSS, JavaScript, an image or a font", _is_asset),
    "~all": Code(None, "every flow", lambda flow: True),
    "~b": Code(REGEX, "body of request or response, or a WebSocket, TCP, UDP or DNS message", _body(_BOTH)),
    "~bq": Code(REGEX, "body of the request, or a message from the client", _body(_REQUEST)),
    "~bs": Code(REGEX, "body of the response, or a message from the server", _body(_RESPONSE)),
    "~c": Code(STATUS, "status of the response: 404, 4xx or 200-299", _status),
    "~comment": Code(REGEX, "comment of the flow", _comment),
    "~d": Code(REGEX, "domain: the host that was connected to, or the one in the Host header", _domain),
    "~dns": Code(None, "DNS flows", _is_type("dns")),
    "~dst": Code(REGEX, "address of the server, as host:port", _destination),
    "~dur": Code(
        DURATION, "time from request to end of response: >500ms, <=2s, >1m (without a unit: seconds)", _duration
    ),
    "~e": Code(None, "flows with an error", lambda flow: flow.error is not None),
    "~h": Code(REGEX, 'a "name: value" line in the headers of request or response', _headers(_BOTH)),
    "~hq": Code(REGEX, "a header line of the request", _headers(_REQUEST)),
    "~hs": Code(REGEX, "a header line of the response", _headers(_RESPONSE)),
    "~http": Code(None, "HTTP flows, WebSocket included", _is_type("http")),
    "~m": Code(REGEX, "method", _method),
    "~marked": Code(None, "flows with a mark", lambda flow: bool(flow.marked)),
    "~marker": Code(REGEX, "the mark of the flow", _marker),
    "~meta": Code(REGEX, 'a "key: value" line of the metadata', _metadata),
    "~q": Code(None, "requests without a response", _has_no_response),
    "~replay": Code(None, "replayed flows", lambda flow: flow.is_replay is not None),
    "~replayq": Code(None, "requests that client replay sent", _is_replay("request")),
    "~replays": Code(None, "responses that came from server replay", _is_replay("response")),
    "~s": Code(None, "flows with a response", _has_response),
    "~size": Code(
        SIZE, "bytes of the response body (without a response: of the request's) as stored: >10k, <=1m, 0", _size
    ),
    "~src": Code(REGEX, "address of the client, as host:port", _source),
    "~t": Code(REGEX, "Content-Type of request or response", _content_type(_BOTH)),
    "~tcp": Code(None, "TCP flows", _is_type("tcp")),
    "~tq": Code(REGEX, "Content-Type of the request", _content_type(_REQUEST)),
    "~ts": Code(REGEX, "Content-Type of the response", _content_type(_RESPONSE)),
    "~u": Code(REGEX, "URL, with the host of the Host header; the name a DNS query asks for", _url),
    "~udp": Code(None, "UDP flows", _is_type("udp")),
    "~websocket": Code(None, "WebSocket flows", lambda flow: flow.type == "http" and flow.websocket is not None),
}

#: The filter that matches every flow.
match_all = Filter("~all", CODES["~all"].make)
