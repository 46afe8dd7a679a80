"""Header fields between HTTP/2 and everything else (RFC 9113 section 8).

*Reading* turns what h2 decoded into the heads that HTTP/1 has too, ``RequestHead`` and ``ResponseHead``: pseudo-headers
become the parts of the start line, cookies that came in crumbs are joined (section 8.2.3), and what is malformed is
refused. h2's own validation is off, since it would end the whole connection where only one stream is at fault; the
judge is here. It is as strict as the one of HTTP/1, because what comes in as HTTP/2 may go out as HTTP/1.

*Writing* makes the fields of an HTTP/2 message from a flow, whichever version it came in: pseudo-headers in front,
names in lower case, nothing that is for one connection only, cookies in crumbs, a length that is true.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hpack import NeverIndexedHeaderTuple

from flowdump.engine.http1.framing import CHUNKED, MAX_FIELDS, NONE, Facts, Framing, framing, refusal, shown
from flowdump.engine.http1.heads import RequestHead, ResponseHead, forwarded, is_authority
from flowdump.http import urls
from flowdump.http.headers import Fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowdump.engine.errors import Peer, ProtocolError
    from flowdump.http.flow import RequestData, ResponseData

HTTP_2: Final = b"HTTP/2.0"

_LOWER_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_TEXT: Final = bytes((9, *range(32, 127), *range(128, 256)))
#: Fields that are about the connection: malformed in HTTP/2 (RFC 9113 section 8.2.2).
_CONNECTION: Final = frozenset((b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"))
#: Fields that are looked at on the way in.
_FACTS: Final = frozenset((b"host", b"content-length", b"expect", b"te"))
#: A value may be empty, but it neither begins nor ends with a blank (RFC 9113 section 8.2.1); joined by line feeds.
_BLANK_EDGES: Final = (b"\n ", b"\n\t", b" \n", b"\t\n")
_PATH = re.compile(rb"/[!-~]*|\*").fullmatch
_LENIENT_PATH = re.compile(rb"[!-~\x80-\xff]+").fullmatch
_METHOD = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]{1,64}").fullmatch
_STATUS = re.compile(rb"[1-9][0-9]{2}").fullmatch
#: For what programs do that know no better: such messages pass then, as far as they can mean one thing only.
_HINT: Final = " (the option validate_inbound_headers=false is less strict)"
_REQUEST_PSEUDO: Final = frozenset((b":method", b":scheme", b":authority", b":path", b":protocol"))
_RESPONSE_PSEUDO: Final = frozenset((b":status",))


# -- reading -------------------------------------------------------------------------------------------------------


def read_request(headers: Sequence[tuple[bytes, bytes]], ended: bool, validate: bool = True) -> RequestHead:
    """The head of a request; ``ended`` says that no body follows. ``host`` is what it is addressed to.

    Raises ProtocolError: 431 for too many fields, 400 for a malformed request (RFC 9113 section 8.1.1).
    """
    pseudo, fields, facts = _read(headers, "client", validate)
    if not pseudo.keys() <= _REQUEST_PSEUDO:
        raise _malformed("client", f"the pseudo-header {shown(min(pseudo.keys() - _REQUEST_PSEUDO))}")
    method, path, host = pseudo.get(b":method"), pseudo.get(b":path"), _host(pseudo, facts, validate)
    if method is None or not _METHOD(method):
        raise _malformed("client", "the method is missing or no token")
    protocol = pseudo.get(b":protocol", b"")
    if method == b"CONNECT" and not protocol:
        if path is not None or b":scheme" in pseudo:
            raise _malformed("client", "CONNECT with a path or a scheme")
        path = host or b""
    elif path is None or b":scheme" not in pseudo or (protocol and method != b"CONNECT"):
        raise _malformed("client", "a pseudo-header is missing or out of place")
    elif not (_PATH if validate else _LENIENT_PATH)(path) or (path == b"*" and method != b"OPTIONS"):
        hint = _HINT if validate and path != b"*" and _LENIENT_PATH(path) else ""
        raise _malformed("client", f"the path {shown(path)}{hint}")
    shape = _shape(facts, ended, "client")
    expects = b"expect" in facts and facts[b"expect"].lower() == b"100-continue"
    return RequestHead(method, path, HTTP_2, fields, shape, True, expects, protocol, host)


def scheme_of(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """What a request names as its scheme; for requests that were read before."""
    return next((value for name, value in headers if name == b":scheme"), b"")


def read_response(
    headers: Sequence[tuple[bytes, bytes]], ended: bool, method: bytes, validate: bool = True
) -> ResponseHead:
    """The head of a response to ``method``, interim ones too. Raises ProtocolError (502)."""
    pseudo, fields, facts = _read(headers, "server", validate)
    status = pseudo.get(b":status", b"")
    if len(pseudo) != 1 or not _STATUS(status):
        raise _malformed("server", f"the status {shown(status)}, or a pseudo-header that does not belong there")
    code = int(status)
    if code == 101:
        raise _malformed("server", "101 does not exist in HTTP/2")
    bodiless = method == b"HEAD" or code in (204, 304) or code < 200
    shape = NONE if bodiless else _shape(facts, ended, "server")
    return ResponseHead(HTTP_2, code, b"", fields, shape, True, b"")


def read_trailers(headers: Sequence[tuple[bytes, bytes]], peer: Peer, validate: bool = True) -> Fields:
    """The fields after a body. Raises ProtocolError."""
    pseudo, fields, _ = _read(headers, peer, validate)
    if pseudo:
        raise _malformed(peer, "a pseudo-header after the body")
    return fields


def _read(
    headers: Sequence[tuple[bytes, bytes]], peer: Peer, validate: bool
) -> tuple[dict[bytes, bytes], Fields, Facts]:
    """Pseudo-headers, fields and facts. Raises ProtocolError."""
    if len(headers) > MAX_FIELDS:
        raise refusal(f"the head has more than {MAX_FIELDS} fields", peer, 431)
    pseudo: dict[bytes, bytes] = {}
    fields: list[tuple[bytes, bytes]] = []
    facts: Facts = {}
    cookie = -1
    for name, value in headers:
        if name[:1] == b":":
            if fields or name in pseudo:
                raise _malformed(peer, f"the pseudo-header {shown(name)} twice, or after the fields")
            pseudo[name] = value
            continue
        if name in _CONNECTION:
            if validate:
                raise _malformed(peer, f"the field {shown(name)}, which is for HTTP/1 only{_HINT}")
            continue
        # Strictly, a name is a token in lower case; leniently, it has no character that could end a name or a line.
        strict = validate and name.translate(None, _LOWER_TOKEN)
        if strict or not name or re.search(rb"[\x00-\x20:\x7f]", name):
            raise _malformed(peer, f"the name of a field, {shown(name)}")
        if name in _FACTS:
            facts[name] = b"%b, %b" % (facts[name], value) if name in facts else value
        elif name == b"cookie":
            if cookie >= 0:
                fields[cookie] = (name, b"%b; %b" % (fields[cookie][1], value))
                continue
            cookie = len(fields)
        fields.append((name, value))
    _check_values(headers, peer, validate)
    if validate and b"te" in facts and facts[b"te"].lower() != b"trailers":
        raise _malformed(peer, f"TE is {shown(facts[b'te'])}{_HINT}")
    return pseudo, tuple(fields), facts


def _check_values(headers: Sequence[tuple[bytes, bytes]], peer: Peer, validate: bool) -> None:
    text = b"\n%b\n" % b"\n".join([value for _, value in headers])
    if text.translate(None, _TEXT) != b"\n" * (len(headers) + 1 if headers else 2) and (
        validate or text.count(b"\n") != len(headers) + 1 or b"\r" in text or b"\0" in text
    ):
        raise _malformed(peer, "a control character in the value of a field")
    if validate and any(edge in text for edge in _BLANK_EDGES):
        raise _malformed(peer, f"a blank at the beginning or the end of a value{_HINT}")


def _host(pseudo: dict[bytes, bytes], facts: Facts, validate: bool) -> bytes | None:
    """What the request is addressed to. ``:authority`` and Host have to agree (RFC 9113 section 8.3.1)."""
    authority, host = pseudo.get(b":authority"), facts.get(b"host")
    if authority is not None and host is not None and host != authority and validate:
        raise _malformed("client", f":authority is {shown(authority)}, Host is {shown(host)}{_HINT}")
    found = host if authority is None else authority
    if found is not None and validate and (len(found) > 300 or not is_authority(found)):
        raise _malformed("client", f"the authority {shown(found)}{_HINT}")
    return found


def _shape(facts: Facts, ended: bool, peer: Peer) -> Framing:
    """How long the body will be: what ends it is END_STREAM, so a length only tells what to expect."""
    shape = framing(facts, b"HTTP/1.1", CHUNKED, peer) if b"content-length" in facts else CHUNKED
    if not ended:
        return shape
    if shape.length:
        raise _malformed(peer, f"a Content-Length of {shape.length} and no body")
    return NONE


def _malformed(peer: Peer, what: str) -> ProtocolError:
    return refusal(f"malformed HTTP/2 {'request' if peer == 'client' else 'response'}: {what}", peer)


# -- writing -------------------------------------------------------------------------------------------------------

#: Fields that need a second look on the way out; all others are copied.
_SPECIAL: Final = _CONNECTION | {b"host", b"te", b"cookie", b"content-length", b"authorization", b"proxy-authorization"}

#: Cookies shorter than this are not put into the compression table: they could be guessed (RFC 7541 section 7.1.3).
_GUESSABLE: Final = 20


def streamed_length(framing: Framing, stream: object) -> int:
    """How long a body that is streamed will be, with a length that a script may have changed; -1 if it is unknown."""
    return framing.length if framing.kind == "length" and not callable(stream) else -1


def request_fields(data: RequestData, length: int | None, lower: bool = True) -> list[tuple[bytes, bytes]]:
    """A request's fields, pseudo-headers in front. ``length`` is that of the body, None if it is not to be touched,
    -1 if it is unknown. Raises ProtocolError for a control character in what a script has set.
    """
    fields = [
        (b":method", data.method),
        (b":scheme", data.scheme),
        (b":authority", authority(data)),
        (b":path", data.path or b"/"),
    ]
    return _written(fields, data.headers.fields, length, lower, "client")


def authority(data: RequestData) -> bytes:
    """What a request is addressed to: Host if there is one, since scripts set that, else ``:authority``, else where it
    goes.
    """
    host = data.headers.raw(b"host")
    if host is not None:
        return host
    return data.authority or urls.authority_to_ascii(urls.hostport(data.scheme, data.host, data.port))


def response_fields(data: ResponseData, length: int | None, lower: bool = True) -> list[tuple[bytes, bytes]]:
    """A response's fields, ``:status`` in front; ``length`` as for requests. Raises ProtocolError (502)."""
    return _written([(b":status", b"%d" % data.status_code)], data.headers.fields, length, lower, "server")


def trailer_fields(trailers: Fields, peer: Peer) -> list[tuple[bytes, bytes]]:
    """The fields after a body. Raises ProtocolError."""
    return _written([], trailers, None, True, peer)


def _written(
    out: list[tuple[bytes, bytes]], fields: Fields, length: int | None, lower: bool, peer: Peer
) -> list[tuple[bytes, bytes]]:
    append = out.append
    for name, value in fields:
        low = name.lower()
        if low not in _SPECIAL:
            append((low if lower else name, value))
        elif low == b"connection":  # it may list others: the long way
            kept = tuple(pair for pair in forwarded(fields) if pair[0].lower() != b"connection")
            return _written([pair for pair in out if pair[0][:1] == b":"], kept, length, lower, peer)
        else:
            if low == b"cookie":
                for crumb in value.split(b"; "):
                    out.append(NeverIndexedHeaderTuple(low, crumb) if len(crumb) < _GUESSABLE else (low, crumb))
            elif low == b"content-length":
                if length is None:
                    out.append((low, value))
                elif length >= 0 and out[-1][0] != low:
                    out.append((low, b"%d" % length))
            elif low == b"te":
                if b"trailers" in value.lower():
                    out.append((low, b"trailers"))
            elif low in (b"authorization", b"proxy-authorization"):
                out.append(NeverIndexedHeaderTuple(low, value))
    text = b"".join([part for pair in out for part in pair])
    if b"\n" in text or b"\r" in text or b"\0" in text:
        raise refusal("a line break or a NUL in a field", peer)
    return out
