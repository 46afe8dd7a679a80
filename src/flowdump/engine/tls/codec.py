"""TLS as a codec: bytes in, bytes out, over two ``ssl.MemoryBIO``.

The codec does no I/O and knows no loop. The owner of the socket (``net/stream.py``) does, whenever bytes arrive::

    codec.receive(data)         ciphertext of the peer
    codec.handshake()           until it says True; or, afterwards,
    codec.read()                the plaintext that made, maybe none
    codec.outgoing()            to be sent: always look here after any of these calls, after a failure too (alerts)

Reading never fails for want of data: it gives what is there. Writing never waits: memory buffers have no limit, so
TLS can be put inside TLS by feeding the ``outgoing`` bytes of one codec to ``write`` of another.

*Ends.* ``eof`` turns True when the peer said goodbye (close_notify), or when ``receive_eof`` told that its connection
ended without; ``truncated`` tells the two apart, since a body that lasts until the end of the connection may have been
cut by a stranger in the second case. ``unwrap`` says our own goodbye; the peer may still send (RFC 8446 section 6.1).

*Sessions.* A TLS 1.3 server sends tickets after the handshake, so the client's side learns of them while reading. The
codec calls ``on_session`` once with a session that can be resumed, or with None when a handshake that was
meant to resume one failed. In a resumed handshake no certificates are sent; those of the first one are kept with the
session. A session is used until the server wants no more of it: asking OpenSSL for the next one copies it twice, a
tenth of what a connection costs. (RFC 8446 appendix C.4 would have clients use a ticket once, so that no observer
can tell that two connections are of one client; a proxy for tests has no such secret.)
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from flowdump.certs import Cert

if TYPE_CHECKING:
    from collections.abc import Callable

#: RFC 8446 section 5.1: one record holds no more, and one SSL_read gives no more than a record.
RECORD: Final = 16 * 1024


class Session(NamedTuple):
    """What a client needs to resume a session, and who the server was."""

    ticket: ssl.SSLSession
    certificates: tuple[Cert, ...]


class TlsCodec:
    """One end of a TLS connection.

    ``server_hostname`` is the name or address a client asks for and checks. Raises ValueError when it cannot be one.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        server_side: bool,
        server_hostname: str | None = None,
        session: Session | None = None,
        on_session: Callable[[Session | None], None] | None = None,
    ) -> None:
        self.established = False
        self.eof = False
        self.truncated = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        if server_hostname is not None and "\0" in server_hostname:
            raise ValueError("a NUL in a host name")
        ticket = session.ticket if session else None
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side, server_hostname, ticket)
        self._session = session
        self._unread = b""
        self._cut = False
        self._failure: ssl.SSLError | None = None
        self._on_session = None if server_side else on_session

    # -- reading -------------------------------------------------------------------------------------------------

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        """Take ciphertext from the peer."""
        self._incoming.write(data)

    def receive_eof(self) -> None:
        """The peer's connection ended. Without a goodbye before, ``read`` sets ``truncated``.

        OpenSSL is not told: it would refuse to write from then on, and the peer may well wait for an answer.
        """
        self._cut = True

    def read(self) -> bytes:
        """All the plaintext there is, b"" when there is none.

        Raises ssl.SSLError when the peer breaks the protocol or sends an alert; ``tls_failures`` has the words for it.
        What it had sent before comes out first: then ``eof`` is True at once, and the next ``read`` raises.
        """
        plain = bytearray()
        self.read_into(plain, memoryview(bytearray(RECORD)))
        return bytes(plain)

    def read_into(self, buffer: bytearray, scratch: memoryview) -> None:
        """Append what ``read`` would give, by way of ``scratch``, which holds a record at least.

        A buffer that grows record by record is moved about for it; this way it grows once.
        """
        if self._failure is not None:
            raise self._failure
        before, filled = len(buffer), 0
        buffer += self._unread
        self._unread = b""
        while self._incoming.pending:
            if filled > len(scratch) - RECORD:
                buffer += scratch[:filled]
                filled = 0
            try:
                size = self._read_record(scratch[filled:])
            except ssl.SSLError as error:
                self._failure, self.eof, self.truncated = error, True, True
                if len(buffer) + filled == before:
                    raise
                break
            if not size:
                break
            filled += size
        buffer += scratch[:filled]
        if self._cut and not self.eof:
            self.eof = self.truncated = True
        if self._on_session is not None:
            self._offer_session()

    def _read_record(self, space: memoryview) -> int:
        try:
            size = cast("int", self._object.read(RECORD, space))  # given a buffer, it tells how much
        except ssl.SSLWantReadError:
            return 0
        except ssl.SSLZeroReturnError:  # the peer's goodbye after ours
            self.eof = True
            return 0
        if not size:
            self.eof = True
        return size

    # -- writing -------------------------------------------------------------------------------------------------

    def write(self, plain: bytes | bytearray | memoryview) -> None:
        """Encrypt ``plain``. Only after the handshake and before ``unwrap``; raises ssl.SSLError otherwise.

        After a failure it goes nowhere: ``read`` has told of that.
        """
        if self._failure is not None:
            return
        written = self._object.write(plain) if plain else 0
        if written < len(plain):
            rest = memoryview(plain)[written:]
            while rest:
                rest = rest[self._object.write(rest) :]

    def outgoing(self) -> bytes:
        """The ciphertext that has to be sent to the peer now."""
        return self._outgoing.read() if self._outgoing.pending else b""

    # -- beginning and end ---------------------------------------------------------------------------------------

    def handshake(self) -> bool:
        """Go on with the handshake; True when it is done, False when it waits for the peer.

        Raises ssl.SSLError when it fails; the alert that tells the peer is in ``outgoing`` then.
        """
        if self.established:
            return True
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            if self._cut:
                raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the connection ended during the handshake") from None
            return False
        except ssl.SSLError:
            if self._session is not None and self._on_session is not None:
                self._on_session(None)
            raise
        self.established = True
        if self._on_session is not None:
            self._offer_session()
        return True

    def unwrap(self) -> None:
        """Say goodbye (close_notify). The peer's answer, if it gives one, comes in through ``read`` as before."""
        if not self.established:
            return
        try:
            self._unread = self.read()  # data that arrived before our goodbye would be an error to OpenSSL after it
            self._object.unwrap()
        except ssl.SSLWantReadError:
            return  # the usual case: ours is sent, the peer's has not come
        except ssl.SSLError:
            self.eof = True  # the connection failed before; nothing more can be said on it

    def _offer_session(self) -> None:
        """Hand over a session that can be resumed, once there is one."""
        assert self._on_session is not None
        session = self._session if self.resumed else None
        if session is None:
            ticket = self._object.session
            if ticket is None or not (ticket.has_ticket or (ticket.id and self.version != "TLSv1.3")):
                return
            session = Session(ticket, self.certificates)
        self._on_session(session)
        self._on_session = None

    # -- facts ---------------------------------------------------------------------------------------------------

    @property
    def version(self) -> str | None:
        """``"TLSv1.3"``; None before the handshake."""
        return self._object.version()

    @property
    def cipher(self) -> str | None:
        """``"TLS_AES_256_GCM_SHA384"``; None before the handshake."""
        cipher = self._object.cipher()
        return cipher[0] if cipher else None

    @property
    def alpn(self) -> bytes | None:
        """The protocol both ends agreed on, None when there is none."""
        protocol = self._object.selected_alpn_protocol()
        return None if protocol is None else protocol.encode("latin-1")

    @property
    def resumed(self) -> bool:
        """Whether a former session went on instead of a full handshake."""
        return bool(self._object.session_reused)

    @property
    def certificates(self) -> tuple[Cert, ...]:
        """What the peer presented, its own certificate first; empty when it presented none, or not yet."""
        if not self.established:
            return ()
        if self._session is not None and self.resumed:
            return self._session.certificates
        return tuple(Cert.from_pem(ssl.DER_cert_to_PEM_cert(der).encode()) for der in _chain(self._object))

    def __repr__(self) -> str:
        state = "closed" if self.eof else "established" if self.established else "in handshake"
        facts = (
            [state, self.version, self.cipher, (self.alpn or b"").decode("latin-1")] if self.established else [state]
        )
        return f"TlsCodec({', '.join(filter(None, facts))})"


def _chain(tls: ssl.SSLObject) -> list[bytes]:
    """The certificates that the peer sent, as DER.

    Public from Python 3.13 on; before, the object underneath has the same method (3.10 on), giving objects of its own.
    """
    leaf = tls.getpeercert(binary_form=True)
    if not leaf:
        return []
    public = getattr(tls, "get_unverified_chain", None)
    if public is not None:
        return list(public() or ())
    private: Any = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None)
    if private is not None:
        # _ssl.Certificate as DER; 2 is _ssl.ENCODING_DER.
        return [bytes(certificate.public_bytes(2)) for certificate in private() or ()]
    return [leaf]
