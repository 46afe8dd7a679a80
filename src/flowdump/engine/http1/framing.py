"""Header fields of an HTTP/1 head, and where the body after it ends.

``read_fields`` goes once over the lines of a head and gives the fields as they came, together with the few *facts* that
decide how the message is handled: the values of the fields in ``FACTS``, by lower-case name, repeated ones joined by
``", "`` as RFC 9110 section 5.3 says. Joining is what makes doubles harmless: two Content-Length fields read ``5, 5``,
two Host fields ``a, b``, two Transfer-Encoding fields ``chunked, chunked``, and none of these is a length, an authority
or a coding. There is no second rule for doubles that could be forgotten somewhere.

``framing`` is the one place that decides about bodies (RFC 9112 section 6), for requests and responses, no matter which
path parsed the head. It is stricter than the RFC asks, since a proxy that guesses is how requests are smuggled: a
length is plain digits without a leading zero, the only coding is ``chunked`` (compared as bytes, so that no letter of
Unicode lower-cases into it), a message with both is refused, and so is a coding in HTTP/1.0.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from flowdump.engine.errors import Peer, ProtocolError
from flowdump.http.headers import Fields

Facts = dict[bytes, bytes]

CRLF: Final = b"\r\n"
HTTP_1_0: Final = b"HTTP/1.0"
HTTP_1_1: Final = b"HTTP/1.1"

#: Bytes of a head, and fields in one. Servers in the field take 8 to 64 KiB and about 100 fields.
MAX_HEAD: Final = 64 * 1024
MAX_FIELDS: Final = 256


class Framing(NamedTuple):
    """Where a body ends: ``kind`` is "none", "length" (after ``length`` bytes), "chunked" or "close"."""

    kind: str
    length: int = 0


NONE: Final = Framing("none")
CHUNKED: Final = Framing("chunked")
CLOSE: Final = Framing("close")

#: The fields that decide how a message is handled.
FACTS: Final = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"))

# Names that need not be looked at: a dict lookup instead of a check of every letter. It saves a third of the time.
_USUAL = b"""
    host content-length transfer-encoding connection expect upgrade accept accept-encoding accept-language accept-ranges
    access-control-allow-credentials access-control-allow-headers access-control-allow-methods age
    access-control-allow-origin access-control-expose-headers access-control-max-age access-control-request-headers
    access-control-request-method allow alt-svc authorization cache-control content-disposition content-encoding
    content-language content-location content-range content-security-policy content-type cookie date etag expires from
    if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive last-modified link location
    max-forwards origin permissions-policy pragma priority proxy-authenticate proxy-authorization proxy-connection range
    referer referrer-policy report-to retry-after sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest
    sec-fetch-mode sec-fetch-site sec-fetch-user server server-timing set-cookie strict-transport-security te trailer
    upgrade-insecure-requests user-agent vary via www-authenticate x-cache x-content-type-options x-forwarded-for
    x-forwarded-host x-forwarded-proto x-frame-options x-powered-by x-request-id x-requested-with x-xss-protection
    ETag TE WWW-Authenticate X-XSS-Protection NEL nel DNT dnt
"""
#: The same, with those that are usually capitalized in both ways.
USUAL: Final = frozenset(name for word in _USUAL.split() for name in (word, word.title() if word.islower() else word))
_KINDS: Final = {name: name.lower() if name.lower() in FACTS else b"" for name in USUAL}
_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # RFC 9110 5.6.2
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")  # an exabyte less one; more does not fit into 64 bits everywhere


def refusal(message: str, peer: Peer, status: int = 400) -> ProtocolError:
    """The error for what ``peer`` sent: ``status`` if that was the client, 502 if it was the origin."""
    return ProtocolError(message, status=status if peer == "client" else 502, peer=peer)


def shown(data: bytes | bytearray) -> str:
    """Bytes as an error message shows them: escaped, and not many."""
    return repr(bytes(data[:100]))[1:] + ("…" if len(data) > 100 else "")


def read_fields(lines: list[bytes]) -> tuple[Fields, Facts] | None:
    """Fields and facts of lines without their ends; None unless all have the plain shape of RFC 9112 section 5.

    The caller has made sure that there are no control characters in them.
    """
    fields = []
    facts: Facts = {}
    for line in lines:
        read = _usual_line(line) if len(line) <= MAX_USUAL_LINE else _read_line(line)
        if read is None:
            return None
        field, kind = read
        if kind:
            facts[kind] = b"%b, %b" % (facts[kind], field[1]) if kind in facts else field[1]
        fields.append(field)
    return tuple(fields), facts


def _read_line(line: bytes) -> tuple[tuple[bytes, bytes], bytes] | None:
    """Name and value of a line, and which fact it is; None if it has another shape."""
    name, colon, value = line.partition(b":")
    kind = _KINDS.get(name)
    if kind is None:
        if not name or name.translate(None, _TOKEN):
            return None
        kind = name.lower()
        if kind not in FACTS:
            kind = b""
    if not colon:
        return None
    return (name, value.strip(b" \t")), kind


#: Most lines of a head are those of the one before; long ones seldom are, and the cache stays below half a megabyte.
MAX_USUAL_LINE: Final = 128
_usual_line = lru_cache(maxsize=1024)(_read_line)


def facts_of(fields: Fields) -> Facts:
    """The facts among fields that were read in another way."""
    facts: Facts = {}
    for name, value in fields:
        kind = name.lower()
        if kind in FACTS:
            facts[kind] = b"%b, %b" % (facts[kind], value) if kind in facts else value
    return facts


def framing(facts: Facts, version: bytes, otherwise: Framing, peer: Peer) -> Framing:
    """What the length and coding fields say about the body (RFC 9112 section 6.3), ``otherwise`` if there are none.

    Raises ProtocolError: 501 for codings other than chunked, 400 for malformed or ambiguous framing; always 502
    if it is the origin's.
    """
    length = facts.get(b"content-length")
    coding = facts.get(b"transfer-encoding")
    if coding is None:
        if length is None:
            return otherwise
        if not _LENGTH.fullmatch(length):
            raise refusal(f"Content-Length is not a plain number: {shown(length)}", peer)
        return Framing("length", int(length))
    if length is not None:
        raise refusal("a message with both Content-Length and Transfer-Encoding is ambiguous", peer)
    if coding.lower() != b"chunked":
        raise refusal(f"Transfer-Encoding is not chunked but {shown(coding)}", peer, 501)
    if version == HTTP_1_0:
        raise refusal("HTTP/1.0 has no Transfer-Encoding", peer)
    return CHUNKED


def options(value: bytes | None) -> list[bytes]:
    """The members of a list such as Connection's (RFC 9110 section 5.6.1), in lower case."""
    if not value:
        return []
    return [member.strip(b" \t") for member in value.lower().split(b",")]


def upgrade_of(facts: Facts) -> bytes:
    """What a client would switch to. HTTP/2 does not count, and is not passed on: RFC 9113 section 3.1 has ended that
    way into it, and everything after the switch would pass unseen.
    """
    value = facts.get(b"upgrade", b"")
    return b"" if b"h2c" in options(value) else value


def persistent(version: bytes, connection: list[bytes]) -> bool:
    """Whether the connection may carry another message (RFC 9112 section 9.3), as far as this one's sender says."""
    if b"close" in connection:
        return False
    return version == HTTP_1_1 or b"keep-alive" in connection
