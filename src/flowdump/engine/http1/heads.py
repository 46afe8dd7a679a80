r"""HTTP/1 heads: bytes to ``RequestHead`` and ``ResponseHead``, and back.

Reading takes one of three ways.

* ``_request_parts`` and ``_response_parts`` are **the fast path**. They take only what has the plain shape of RFC 9112:
  no control characters, every line ended by CRLF, a known method, names that are tokens. One ``translate`` proves the
  first two at C speed: with everything deleted that may stand in a line, a sound head leaves ``\r\n`` once per line.
* Everything else is judged by ``h11``, whose no is final. Its yes is necessary and not sufficient: what it tolerates
  (control characters, bare LF, folded lines, other versions) is refused here. What is left are methods and status codes
  that are not well known, read by the same functions as on the fast path. The plain faults are found before h11 sees
  them, for the sake of a better message; h11 refuses these or we do.
* With ``validate=False``, for devices that know no better, a lenient reader of our own: names as they come, folded
  lines joined, hosts unchecked. Lines still end with CRLF, and framing is as strict as ever.

What the head means for the connection and the body is decided after all three by the same code (``framing.py``).
``tests/engine/http1/test_heads_differential.py`` holds the fast path and h11 together.

A head is written with one join. A line break in what a script has set would make two heads of one: ScriptFailed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from flowdump.engine.errors import Peer, ProtocolError, ScriptFailed
from flowdump.engine.http1.framing import (
    CHUNKED,
    CLOSE,
    CRLF,
    HTTP_1_1,
    MAX_FIELDS,
    MAX_HEAD,
    NONE,
    USUAL,
    Facts,
    Framing,
    facts_of,
    framing,
    options,
    persistent,
    read_fields,
    refusal,
    shown,
    upgrade_of,
)
from flowdump.http import urls
from flowdump.http.headers import Fields
from flowdump.http.status_codes import RESPONSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import h11

_VERSIONS = frozenset((b"HTTP/1.1", b"HTTP/1.0"))
_METHODS = frozenset((b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE"))
#: What may stand in a line (RFC 9110 section 5.5): HTAB, SP, visible characters and obs-text.
_TEXT = bytes((9, *range(32, 127), *range(128, 256)))

#: The end of a head with bare line feeds.
_BARE_END = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-9][0-9]{2})(?: ([^\r\n]*))?")
#: The status lines that nearly every response begins with, with and without their reason.
_USUAL_STATUS_LINES: Final = {
    b"%b %d%b" % (version, code, reason): (version, code, reason[1:])
    for version in (b"HTTP/1.1", b"HTTP/1.0")
    for code, text in RESPONSES.items()
    for reason in (b" " + text.encode("ascii"), b" ", b"")
}
# Compiled when they are needed, which is seldom: start-up is counted.
_LENIENT_REQUEST_LINE = rb"([-!#$%&'*+.^_`|~0-9A-Za-z]+) ([!-~\x80-\xff]+) (HTTP/1\.[01])"
_OUTSIDE_TOKENS = rb"[^!#-'*+.^_`|~0-9A-Za-z-]+"

#: For what devices and programs do that know no better: names with blanks, targets that are not ASCII.
_HINT = " (the option validate_inbound_headers=false is less strict)"

#: Faults that make a head unacceptable even if h11 accepts it, in words.
_FAULTS: Final = (
    (rb"(?<!\r)\n", "a line ends with a bare LF"),
    (rb"\r(?!\n)", "there is a bare CR in it"),
    (rb"\r\n\r\n(?!\Z)", "there is an empty line in it"),
    (rb"\r\n[ \t]", "a line begins with a blank, obsolete line folding" + _HINT),
    (rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "there is a control character in it"),
    (rb"\r\n[!#-9;-~]+[ \t]+:", "there is a blank in front of a colon" + _HINT),
)

_Request = tuple[bytes, bytes, bytes, Fields, Facts]
_Response = tuple[bytes, int, bytes, Fields, Facts]


class RequestHead(NamedTuple):
    """The head of a request. ``headers`` keep case, order and repetition of the wire."""

    method: bytes
    target: bytes
    version: bytes
    headers: Fields
    framing: Framing
    keep_alive: bool
    #: The client waits for a 100 before it sends the body.
    expect_continue: bool
    #: What the client offers to switch to, b"" if nothing.
    upgrade: bytes
    #: The Host field, None if there is none.
    host: bytes | None


class ResponseHead(NamedTuple):
    """The head of a response, interim ones (1xx) too. ``framing`` knows the method that was asked with."""

    version: bytes
    status_code: int
    reason: bytes
    headers: Fields
    framing: Framing
    keep_alive: bool
    upgrade: bytes


# -- finding -------------------------------------------------------------------------------------------------------


def head_end(buffer: bytearray, start: int = 0, peer: Peer = "client") -> int:
    """Where the head at the beginning of ``buffer`` ends, -1 if it has not come completely.

    ``start`` says how far an earlier call has looked, less three bytes. Up to two empty lines in front belong to the
    head (RFC 9112 section 2.2). Something that can never become a head is cut where that shows, for ``parse_*`` to
    refuse: the end of it is not waited for. Raises ProtocolError (431, or 502) when it is longer than MAX_HEAD.
    """
    begin = _empty_lines(buffer) if buffer[:1] == b"\r" else 0
    if len(buffer) > begin and buffer[begin] <= 0x20:
        return -1 if buffer[begin:] == b"\r" else min(len(buffer), begin + 100)
    found = buffer.find(b"\r\n\r\n", max(start, begin))
    if found >= 0:
        end = found + 4
    else:
        bare = _BARE_END.search(buffer, max(start, begin))
        end = bare.end() if bare is not None else -1
    if (len(buffer) if end < 0 else end) > MAX_HEAD:
        raise _too_large(peer)
    return end


def _empty_lines(buffer: bytearray | bytes) -> int:
    """The length of the empty lines in front of a request that are skipped."""
    if buffer[:2] != CRLF:
        return 0
    return 4 if buffer[2:4] == CRLF else 2


def _too_large(peer: Peer) -> ProtocolError:
    return refusal(f"the head is larger than {MAX_HEAD // 1024} KiB or has more than {MAX_FIELDS} fields", peer, 431)


# -- requests ------------------------------------------------------------------------------------------------------


def parse_request_head(head: bytes, *, validate: bool = True) -> RequestHead:
    """A request from its head: start line and fields with the empty line at their end, exactly.

    Empty lines in front (two at most) are skipped. Of the target only the characters are checked, and that ``*`` comes
    with OPTIONS. Raises ProtocolError: 400, 431 (too large) or 501 (transfer codings).
    """
    if validate and len(head) <= MAX_KNOWN:
        return _known_request(head)
    return _read_request(head, validate)


def _read_request(head: bytes, validate: bool = True) -> RequestHead:
    if head[:1] == b"\r":
        head = head[_empty_lines(head) :]
    if validate:
        parts = _request_parts(head)
        if parts is None or parts[0] not in _METHODS:
            parts = _judged_request(head)
    else:
        parts = _lenient_request(head)
    method, target, version, fields, facts = parts
    host = facts.get(b"host")
    if validate:
        # Exactly one Host, and a valid one (RFC 9112 section 3.2); clients of CONNECT may do without.
        if host is None:
            if version == HTTP_1_1 and method != b"CONNECT":
                raise refusal("an HTTP/1.1 request without Host", "client")
        elif len(host) > 300 or not is_authority(host):  # long ones are never valid, and never kept
            raise refusal(f"Host is not a valid authority: {shown(host)}", "client")
    if target == b"*" and method != b"OPTIONS":
        raise refusal("the target * goes with OPTIONS only", "client")
    shape = framing(facts, version, NONE, "client")
    if method == b"CONNECT" and (shape.length or shape is CHUNKED):
        # Whether these bytes are a body or belong to the tunnel is what no two implementations agree on.
        raise refusal("a CONNECT request has no body", "client")
    connection = options(facts.get(b"connection"))
    modern = version == HTTP_1_1
    return RequestHead(
        method,
        target,
        version,
        fields,
        shape,
        persistent(version, connection),
        modern and b"expect" in facts and b"100-continue" in options(facts[b"expect"]),
        upgrade_of(facts) if modern and b"upgrade" in connection else b"",
        host,
    )


def _request_parts(head: bytes) -> _Request | None:
    """The parts of a request of plain shape, None if it has another. The method may be anything without a blank."""
    lines = head.split(CRLF)
    if not _is_plain(head, lines, "client"):
        return None
    words = lines[0].split(b" ")
    if len(words) != 3:
        return None
    method, target, version = words
    if version not in _VERSIONS or not target or not target.isascii() or b"\t" in target:
        return None
    read = read_fields(lines[1:-2])
    return None if read is None else (method, target, version, *read)


def _is_plain(head: bytes, lines: list[bytes], peer: Peer) -> bool:
    """Whether nothing but the ends of lines is a control character, and the last line is the only empty one.

    Raises ProtocolError when it is too large. Empty lines further up have no colon, so they are found later.
    """
    count = len(lines)
    if count > MAX_FIELDS + 3 or len(head) > MAX_HEAD:
        raise _too_large(peer)
    return count > 2 and not lines[-1] and not lines[-2] and head.translate(None, _TEXT) == CRLF * (count - 1)


@lru_cache(maxsize=1024)
def is_authority(host: bytes) -> bool:
    if not host.isascii():
        return False
    try:
        urls.parse_authority(host, check=True)
    except ValueError:
        return False
    return True


def _judged_request(head: bytes) -> _Request:
    """What the fast path is not sure about, as h11 and decisions of our own have it."""
    import h11

    judge = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    _judge(judge, head, "client")
    parts = _request_parts(head)
    if parts is None:
        raise refusal("this is not HTTP/1.0 or HTTP/1.1", "client")
    return parts


def _judge(judge: h11.Connection, head: bytes, peer: Peer) -> None:
    """Raises ProtocolError unless both our table of faults and h11 have nothing to say."""
    import h11

    what = "request" if peer == "client" else "response"
    for pattern, words in _FAULTS:
        if re.search(pattern, head):
            raise refusal(f"malformed {what} head: {words}", peer)
    try:
        judge.receive_data(head)
        event = judge.next_event()
    except h11.RemoteProtocolError as error:
        text = re.sub(r"bytearray\(b(.*)\)", r"\1", str(error))[:200]
        text += "" if re.search("(status|response) line", text) else _HINT  # for these, the lenient reader is as strict
        raise refusal(f"malformed {what} head: {text}", peer, error.error_status_hint) from None
    if not isinstance(event, h11.Request | h11.Response | h11.InformationalResponse):
        raise refusal(f"an incomplete {what} head", peer)


# -- responses -----------------------------------------------------------------------------------------------------


def parse_response_head(head: bytes, *, request_method: bytes, validate: bool = True) -> ResponseHead:
    """A response to a request of ``request_method`` from its head, which is given with the empty line at its end.

    Raises ProtocolError, always 502: any fault in it is the origin's.
    """
    if validate and len(head) <= MAX_KNOWN:
        return _known_response(head, request_method)
    return _read_response(head, request_method, validate)


def _read_response(head: bytes, request_method: bytes, validate: bool = True) -> ResponseHead:
    if validate:
        parts = _response_parts(head)
        if parts is None or parts[1] > 599:
            parts = _judged_response(head, request_method)
    else:
        parts = _lenient_response(head)
    version, status, reason, fields, facts = parts
    connection = options(facts.get(b"connection"))
    keep_alive = persistent(version, connection)
    shape = framing(facts, version, CLOSE, "server")
    if status < 200 or status in (204, 304) or request_method == b"HEAD" or _opens_tunnel(request_method, status):
        if shape is CHUNKED and (status < 200 or status == 204):
            raise refusal(f"a response {status} with Transfer-Encoding", "server")
        if status == 204 and shape.length:
            keep_alive = False  # the bytes it announces may come, and would be taken for another message
        shape = NONE
    elif shape is CLOSE:
        keep_alive = False
    upgrade = facts.get(b"upgrade", b"") if b"upgrade" in connection and version == HTTP_1_1 else b""
    return ResponseHead(version, status, reason, fields, shape, keep_alive, upgrade)


def _opens_tunnel(request_method: bytes, status: int) -> bool:
    return request_method == b"CONNECT" and 200 <= status < 300


def _response_parts(head: bytes) -> _Response | None:
    """The parts of a response of plain shape, None if it has another."""
    lines = head.split(CRLF)
    if not _is_plain(head, lines, "server"):
        return None
    start = _USUAL_STATUS_LINES.get(lines[0]) or _status_line(lines[0])
    if start is None:
        return None
    read = read_fields(lines[1:-2])
    return None if read is None else (*start, *read)


def _status_line(line: bytes) -> tuple[bytes, int, bytes] | None:
    match = _STATUS_LINE.fullmatch(line)
    return None if match is None else (match[1], int(match[2]), match[3] or b"")


def _judged_response(head: bytes, request_method: bytes) -> _Response:
    """What the fast path is not sure about, as h11 and decisions of our own have it."""
    import h11

    judge = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    method = request_method if request_method in (b"HEAD", b"CONNECT") else b"GET"
    fields = [("Host", "a"), ("Connection", "Upgrade"), ("Upgrade", "a")]  # so that a 101 is a possible answer
    judge.send(h11.Request(method=method, target="/", headers=fields))
    _judge(judge, head, "server")
    parts = _response_parts(head)
    if parts is None:
        raise refusal("this is not HTTP/1.0 or HTTP/1.1", "server")
    return parts


#: Clients that poll, load generators and servers within one second send the same heads again and again. The bytes of
#: those kept are half a megabyte at the most; what was read from them is two more with lines of usual length, and ten
#: with the shortest there can be.
MAX_KNOWN: Final = 1024
_known_request = lru_cache(maxsize=256)(_read_request)
_known_response = lru_cache(maxsize=256)(_read_response)


# -- lenient reading -----------------------------------------------------------------------------------------------


def _lenient_request(head: bytes) -> _Request:
    line, fields = _lenient_head(head, "client")
    match = re.fullmatch(_LENIENT_REQUEST_LINE, line)
    if match is None:
        raise refusal(f"malformed request line {shown(line)}", "client")
    return match[1], match[2], match[3], fields, facts_of(fields)


def _lenient_response(head: bytes) -> _Response:
    line, fields = _lenient_head(head, "server")
    start = _status_line(line)
    if start is None:
        raise refusal(f"malformed status line {shown(line)}", "server")
    return (*start, fields, facts_of(fields))


def _lenient_head(head: bytes, peer: Peer) -> tuple[bytes, Fields]:
    """Start line and fields, split at the first colon. Raises ProtocolError where lines cannot be told apart."""
    if len(head) > MAX_HEAD or head.count(b"\n") > MAX_FIELDS + 2:
        raise _too_large(peer)
    breaks = head.count(CRLF)
    if not head.endswith(b"\r\n\r\n") or breaks != head.count(b"\r") or breaks != head.count(b"\n") or b"\0" in head:
        raise refusal("malformed head: NUL, bare CR, bare LF, or no empty line at its end", peer)
    line, _, rest = head[:-2].partition(CRLF)
    if rest[:1] in (b" ", b"\t"):
        raise refusal("malformed head: a folded line with nothing to follow", peer)
    lines = re.sub(rb"(?:\r\n[ \t]+)+", b" ", rest).split(CRLF)[:-1]  # RFC 9112 section 5.2
    return line, tuple(_lenient_field(text, peer) for text in lines)


def _lenient_field(line: bytes, peer: Peer) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon:
        raise refusal(f"malformed head: a line without a colon, {shown(line)}", peer)
    kind = re.sub(_OUTSIDE_TOKENS, b"", name).lower()
    if kind in (b"content-length", b"transfer-encoding") and len(kind) != len(name):
        raise refusal(f"malformed head: the name of a framing field, {shown(name)}", peer)
    return name, value.strip(b" \t")


# -- writing -------------------------------------------------------------------------------------------------------


def request_head_bytes(method: bytes, target: bytes, version: bytes, headers: Fields) -> bytes:
    """A request's head with its empty line. Raises ScriptFailed for a line break in any part of it."""
    return _rendered(b"%b %b %b" % (method, target, version), headers)


def response_head_bytes(version: bytes, status: int, reason: bytes, headers: Fields) -> bytes:
    """A response's head with its empty line. Raises ScriptFailed for a line break in any part of it."""
    return _rendered(b"%b %d %b" % (version, status, reason), headers)


def _rendered(line: bytes, headers: Fields) -> bytes:
    head = b"\r\n".join([line, *map(b": ".join, headers), b"", b""])
    breaks = len(headers) + 2
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
        broken = next(part for part in (line, *map(b": ".join, headers)) if b"\r" in part or b"\n" in part)
        raise ScriptFailed(f"a line break in {shown(broken)}, which a script set")
    return head


# -- forwarding ----------------------------------------------------------------------------------------------------

#: Fields for this hop only (RFC 9110 section 7.6.1). Transfer-Encoding is left to the code that frames the body.
_HOP = frozenset((b"connection", b"proxy-connection", b"keep-alive", b"upgrade", b"proxy-authorization"))
_HOP_WHEN_UPGRADING = frozenset((b"proxy-connection", b"keep-alive", b"proxy-authorization"))
_USUAL_CONNECTIONS = frozenset((b"keep-alive", b"close"))
#: Where none of these is, everything goes on.
_MARKS = _HOP | {b"te"}
#: Common end-to-end fields, as they are usually written.
_HARMLESS: Final = frozenset(name for name in USUAL if name.lower() not in _MARKS)
#: What Connection may not take away: a message without these is another message. TE is always listed there.
_KEPT = frozenset((b"host", b"content-length", b"transfer-encoding", b"te"))


def forwarded(headers: Fields, *, upgrading: bool = False) -> Fields:
    """The fields that go on to the other side: without those that were meant for this hop (RFC 9110 section 7.6.1).

    ``TE`` stays if it says ``trailers``, as just that. When ``upgrading``, Connection, what it lists and Upgrade stay:
    it is the next hop that will switch. What a client tells a proxy to be let in is for no origin.
    """
    others = [name.lower() for name, _ in headers if name not in _HARMLESS]
    if _MARKS.isdisjoint(others):
        return headers
    dropped = _HOP_WHEN_UPGRADING if upgrading else _dropped(headers)
    if dropped is _HOP:
        kept = [pair for pair in headers if pair[0] in _HARMLESS or pair[0].lower() not in _HOP]
    else:
        kept = [pair for pair in headers if pair[0].lower() not in dropped]
    if b"te" in others:
        return tuple(_without_codings(kept))
    return tuple(kept)


def _dropped(headers: Fields) -> frozenset[bytes]:
    listed = [value for name, value in headers if name not in _HARMLESS and name.lower() == b"connection"]
    if len(listed) == 1 and (listed[0] in _USUAL_CONNECTIONS or listed[0].lower() in _USUAL_CONNECTIONS):
        return _HOP
    return _HOP | frozenset(member for value in listed for member in options(value)) - _KEPT


def _without_codings(fields: list[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """The wish for trailers is the one thing in TE that a proxy can pass on: it does not decode transfer codings."""
    for name, value in fields:
        if name.lower() != b"te":
            yield name, value
        elif b"trailers" in options(value):
            yield name, b"trailers"


__all__ = ["MAX_FIELDS", "MAX_HEAD", "Framing", "RequestHead", "ResponseHead", "forwarded", "head_end"]
__all__ += ["parse_request_head", "parse_response_head", "request_head_bytes", "response_head_bytes"]
