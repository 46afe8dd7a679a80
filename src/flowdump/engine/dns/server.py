"""DNS queries: from a client's bytes to the bytes it is answered, in ``dns`` mode and ``reverse:dns://…``.

A query becomes a flow. Scripts see it in ``dns_request`` and may answer it themselves; else, in DNS mode, the hosts
file is looked at; else it is forwarded: to the server of reverse mode, or to one name server after the other, each of
which gets an equal part of ``dns_timeout``: less than the five seconds after which clients give up by themselves
(resolv.conf(5)), so that they get an answer. What scripts left alone is forwarded byte for byte, so EDNS, name
compression and the spelling of names pass as they are; only the id is our own towards the server.

Forgery: a query goes out with a random id, over UDP from a socket of its own with a random port, and what comes back
counts only if id and question fit (RFC 5452). What does not fit is ignored until the time is up.

Over UDP a client gets at most 512 bytes, or as many as EDNS says (RFC 1035 section 4.2.1, RFC 6891): a
longer answer is cut to its header with the truncation bit set, and the client asks again over TCP, where we listen too.
A server's truncation bit is passed on for the same reason. So there is one answer per query at most, never one to
what is no query, and strangers cannot make us send more than they would get from the server itself.

A query that fails is answered SERVFAIL, one that cannot be understood FORMERR (just the header, so it is never larger
than what came); ``dns_error`` tells scripts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from flowdump.connection import Server, hostport
from flowdump.dns.message import DNSFlow, DNSMessage, MalformedMessage, ResourceRecord
from flowdump.engine.errors import ConnectError, ConnectionFailure, Killed, PeerClosed, ProtocolError, TimedOut
from flowdump.flow import Error
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from flowdump.engine.context import Context

FORMERR: Final = 1
SERVFAIL: Final = 2
_A, _AAAA, _IN, _OPT, _HTTPS = 1, 28, 1, 41, 65

#: What every UDP client can take (RFC 1035 section 4.2.1).
PLAIN_UDP: Final = 512


class Reply(NamedTuple):
    """A server's answer, as bytes and as a message."""

    wire: bytes
    message: DNSMessage


class Asker(Protocol):
    """Sends a query to the server of a flow. Raises ConnectionFailure or ProtocolError."""

    async def ask(self, query: bytes, flow: DNSFlow, limit: float | None) -> Reply: ...


# -- one client --------------------------------------------------------------------------------------------------


class DnsClient:
    """The queries of one client."""

    def __init__(self, context: Context, asker: Asker) -> None:
        self._context = context
        self._client = context.client
        self._asker = asker

    async def answer(self, wire: bytes) -> bytes:
        """What to send for a query; empty for nothing. Cancelling it is all that it raises."""
        server = Server(transport_protocol=self._client.transport_protocol)
        if self._context.mode.target is not None:
            server.address = (self._context.mode.target.host, self._context.mode.target.port)
        flow = DNSFlow(self._client, server, live=self._context)
        try:
            answer = await self._answer(flow, wire)
        finally:
            self._context.finished(flow)
        if len(answer) > PLAIN_UDP and self._client.transport_protocol == "udp":
            return fit(answer, udp_limit(wire))
        return answer

    async def _answer(self, flow: DNSFlow, wire: bytes) -> bytes:
        try:
            flow.request = DNSMessage.unpack(wire, time.time())
        except MalformedMessage as error:
            flow.request = _header_only(wire)
            await self._fail(flow, f"the query cannot be understood: {error}")
            return failure(wire, FORMERR)
        try:
            if not flow.request.query:  # answering answers makes loops
                raise ProtocolError("an answer came where a query was expected", status=400)
            await self._context.fire("dns_request", flow)
            reply = None
            if flow.response is None and flow.server_conn.address is None:
                flow.response = self._from_hosts(flow.request)
            if flow.response is None:
                reply = await self._forward(flow, _as_sent(flow.request, wire, "query"))
                flow.response = reply.message
                # Take out of HTTPS records what would lead clients around us (options strip_ech, http3).
                options = self._context.options
                for record in flow.response.answers:
                    if record.type != _HTTPS:
                        continue
                    with contextlib.suppress(ValueError):  # what cannot be read here, a client cannot read either
                        if options.strip_ech and record.https_ech is not None:
                            record.https_ech = None
                        if not options.http3 and b"h3" in (record.https_alpn or ()):
                            record.https_alpn = [name for name in record.https_alpn or () if name != b"h3"]
            await self._context.fire("dns_response", flow)
            if flow.response is None:  # a script took it away
                return b""
            return _as_sent(flow.response, reply.wire if reply else b"", "answer")
        except (ConnectionFailure, ProtocolError, Killed) as error:
            await self._fail(flow, str(error))
            return failure(wire, SERVFAIL)
        except asyncio.CancelledError:
            await self._fail(flow, "the proxy was shut down during the exchange")
            raise

    async def _fail(self, flow: DNSFlow, reason: str) -> None:
        flow.error = flow.error or Error(reason)
        await fire(self._context.hooks.table.dns_error, flow)

    # -- answers of our own --------------------------------------------------------------------------------------

    def _from_hosts(self, query: DNSMessage) -> DNSMessage | None:
        """The answer of the hosts file. A name that has addresses of the other kind only gets an empty one."""
        question = query.question
        if question is None or question.class_ != _IN or question.type not in (_A, _AAAA) or query.op_code:
            return None
        found = self._context.services.resolver.look_up(question.name, 4 if question.type == _A else 6)
        if found is None:
            return None
        records = [ResourceRecord(question.name, question.type, _IN, 0, ip_address(text).packed) for text in found]
        return query.succeed(records)

    # -- forwarding ----------------------------------------------------------------------------------------------

    async def _forward(self, flow: DNSFlow, query: bytes) -> Reply:
        """The answer of a server, with the id of the query. Raises ConnectionFailure, ProtocolError."""
        address = flow.server_conn.address
        places = [(address[0], address[1])] if address else self._context.services.resolver.servers()
        limit = self._context.options.dns_timeout / len(places) or None
        for left, place in zip(range(len(places) - 1, -1, -1), places, strict=True):
            flow.server_conn.address = place
            try:
                reply = await self._asker.ask(os.urandom(2) + query[2:], flow, limit)
                break
            except (ConnectError, PeerClosed, TimedOut) as error:
                if not left:
                    raise
                self._context.log.debug(f"{hostport(self._client.peername)}: {error}; the next name server is asked")
                flow.server_conn = Server(transport_protocol=self._client.transport_protocol)
        reply.message.id = flow.request.id
        return Reply(query[:2] + reply.wire[2:], reply.message)


# -- messages ----------------------------------------------------------------------------------------------------


def _header_only(wire: bytes) -> DNSMessage:
    """What is left of a message that cannot be understood."""
    padded = wire[:4].ljust(4, b"\0")
    return DNSMessage.of_header(int.from_bytes(padded[:2], "big"), int.from_bytes(padded[2:], "big"), time.time())


def failure(wire: bytes, code: int) -> bytes:
    """A query's answer with a response code, its question included where it can be read; empty for what is no query."""
    if len(wire) < 12 or wire[2] & 0x80:
        return b""
    try:
        query = DNSMessage.unpack(wire)
    except MalformedMessage:
        query = _header_only(wire)
    return query.fail(code).packed


def _as_sent(message: DNSMessage, wire: bytes, kind: str) -> bytes:
    """A message as bytes: those that came where it still says the same. Raises ProtocolError if it cannot be sent."""
    if wire:
        came = DNSMessage.unpack(wire, message.timestamp)
        came.id = message.id
        if came == message:
            return message.id.to_bytes(2, "big") + wire[2:]
    try:
        return message.packed
    except Exception as error:  # a script may have put anything into it
        raise ProtocolError(f"the {kind} that a script made cannot be sent: {error}", status=502) from None


def udp_limit(wire: bytes) -> int:
    """How many bytes a client takes over UDP, by its query."""
    with contextlib.suppress(MalformedMessage):
        for record in DNSMessage.unpack(wire).additionals:
            if record.type == _OPT:  # the class is the size (RFC 6891 section 6.1.2)
                return max(record.class_, PLAIN_UDP)
    return PLAIN_UDP


def fit(wire: bytes, limit: int) -> bytes:
    """An answer for UDP; where it has more than ``limit`` bytes only header, question and EDNS, marked as truncated."""
    if len(wire) <= limit:
        return wire
    message = DNSMessage.unpack(wire)
    message.truncation = True
    message.answers, message.authorities = [], []
    message.additionals = [record for record in message.additionals if record.type == _OPT]
    cut = message.packed
    return cut if len(cut) <= limit else cut[:4] + bytes(8)


def reply_to(query: bytes, wire: bytes) -> Reply | None:
    """A message from the server if it answers the query. Raises ProtocolError if it cannot be understood."""
    if len(wire) < 12 or wire[:2] != query[:2] or not wire[2] & 0x80:
        return None
    try:
        message = DNSMessage.unpack(wire, time.time())
    except MalformedMessage as error:
        text = f"the answer of the name server cannot be understood: {error}"
        raise ProtocolError(text, status=502, peer="server") from None
    if message.response_code and not message.questions:  # servers that did not read so far
        return Reply(wire, message)
    return Reply(wire, message) if _asked(message) == _asked(DNSMessage.unpack(query)) else None


def _asked(message: DNSMessage) -> list[tuple[str, int, int]]:
    return [(question.name.lower(), question.type, question.class_) for question in message.questions]
