"""WebSocket frames (RFC 6455) and their compression (RFC 7692), without a socket.

A ``Decoder`` takes the frames of one peer out of a buffer and yields each as a ``Piece``: its payload, unmasked and
inflated, and the bytes as they came, so that an unchanged message is forwarded exactly as it was. An ``Encoder`` makes
frames for the other peer where something did change.

**The plain path.** Most frames are a whole message of less than 32 KiB. Those are taken apart in ``Decoder.next``.
Everything else goes frame by frame to wsproto, which judges it: control frames, fragments, large frames (in slices, as
they arrive), and of violations. The two share the payload tap, hence the state of the compression; a test
holds them equal.

permessage-deflate is the one extension that is understood. A peer's payload is inflated only as far as the limit for a
message allows, so a bomb costs no more than that.
"""

from __future__ import annotations

import os
import re
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, ParseFailed, RsvBits

from flowdump.engine.errors import Peer
from flowdump.exceptions import FlowdumpError
from flowdump.websocket import BINARY, TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable

CLOSE: Final = 8
PROTOCOL_ERROR: Final = 1002
NO_STATUS: Final = 1005
ABNORMAL: Final = 1006
BAD_DATA: Final = 1007
TOO_BIG: Final = 1009

#: Payloads up to this size take the plain path. Well below the low mark of a stream: a frame that is waited for as a
#: whole must never be what keeps the stream from being read.
PLAIN_SIZE: Final = 32 * 1024

#: Bytes that the judge gets at a time; fewer where they may be compressed, since deflate makes up to 1,000 times as
#: much of them, and that is in memory several times on its way.
SLICE: Final = 16 * 1024
DEFLATED_SLICE: Final = 4 * 1024

#: First byte of a frame -> opcode, for whole messages; with RSV1 where messages may be compressed.
_PLAIN: Final = {0x81: TEXT, 0x82: BINARY}
_PLAIN_OR_DEFLATED: Final = _PLAIN | {0xC1: TEXT, 0xC2: BINARY}
_RSV1: Final = 0x40
_FIN: Final = 0x80

#: What a sender leaves away at the end of a compressed message (RFC 7692 section 7.2.1).
_TAIL: Final = b"\x00\x00\xff\xff"

#: Final DEFLATE blocks inside one piece of a message; one is usual for senders that end the stream with each message.
_MAX_ENDS: Final = 16

#: Large numbers are slow: payloads are masked in parts of this size, a multiple of the key's.
_MASK_AT_ONCE: Final = 64 * 1024

#: zlib's own default of 8 takes 256 KiB for each direction of each connection; this takes half of it.
_MEMORY: Final = 5

#: Close frames hold 125 bytes, of which two are the code (RFC 6455 section 5.5).
_MAX_REASON: Final = 123


class Violation(FlowdumpError):
    """``peer`` broke the rules, or sent more than is allowed; ``code`` is the close code that says so."""

    def __init__(self, message: str, code: int, peer: Peer) -> None:
        super().__init__(message)
        self.code = code
        self.peer = peer


# -- compression -------------------------------------------------------------------------------------------------


class Deflate(NamedTuple):
    """How one peer compresses: the size of its window, and whether it goes on from message to message."""

    bits: int = 15
    takeover: bool = True


class Agreement(NamedTuple):
    """What the peers agreed on: how the messages of each of them are compressed, None for not at all."""

    client: Deflate | None = None
    server: Deflate | None = None


_PARAMETER = re.compile(r'(client|server)_(no_context_takeover|max_window_bits)(?:\s*=\s*"?([0-9]+)"?)?').fullmatch


def agreement(value: str) -> Agreement:
    """What ``Sec-WebSocket-Extensions`` of a response says. Raises ValueError for what is not understood."""
    if not value.strip():
        return Agreement()
    name, *parameters = (word.strip() for word in value.split(";"))
    if name.lower() != "permessage-deflate" or "," in value:
        raise ValueError(f"the WebSocket extension {value!r} is not understood")
    bits, takeover = {"client": 15, "server": 15}, {"client": True, "server": True}
    for parameter in parameters:
        found = _PARAMETER(parameter.lower())
        if found is None or (found[2] == "max_window_bits") != (found[3] is not None):
            raise ValueError(f"the parameter {parameter!r} of permessage-deflate is not understood")
        if found[3] is None:
            takeover[found[1]] = False
        elif 8 <= int(found[3][:9]) <= 15:
            bits[found[1]] = int(found[3])
        else:
            raise ValueError(f"permessage-deflate with a window of {found[3][:9]} bits")
    return Agreement(*(Deflate(bits[peer], takeover[peer]) for peer in ("client", "server")))


class _Tap(Extension):
    """Sees the payload of every frame, inflates it where it is compressed, and keeps it for the decoder.

    For wsproto it is an extension; the plain path calls it directly. Its own permessage-deflate would inflate without
    end, and forgets about compression when a control frame comes between two fragments.
    """

    name = "permessage-deflate"

    def __init__(self, peer: Peer, deflate: Deflate | None, limit: int | None) -> None:
        self._peer: Peer = peer
        self._deflate = deflate
        self._limit = limit
        self._inflater: zlib._Decompress | None = None
        self._is_control = False
        self._begun = False
        #: Whether the message under way is compressed, and how long it is by now.
        self.compressed = False
        self.size = 0
        #: The payload of the last frame, or of the slice of it.
        self.taken = b""
        self.violation: Violation | None = None

    def enabled(self) -> bool:
        return True

    def offer(self) -> bool | str:
        return False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        self._is_control = opcode.iscontrol()
        if opcode in (Opcode.TEXT, Opcode.BINARY):
            self.compressed = rsv.rsv1
        elif rsv.rsv1:
            return CloseReason.PROTOCOL_ERROR
        return RsvBits(self._deflate is not None, False, False)

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        if self._is_control:
            self.taken = data
            return data
        try:
            self.taken = self.add(data)
        except Violation as violation:
            self.violation = violation
            return CloseReason(violation.code)
        return self.taken

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        if self._is_control or not fin:
            return None
        try:
            rest = self.end()
        except Violation as violation:
            self.violation = violation
            return CloseReason(violation.code)
        self.taken += rest
        return rest

    def add(self, data: bytes) -> bytes:
        """More of the payload of a message; gives what it means. Raises Violation."""
        if self.compressed and data:
            self._begun = True
            data = self._inflate(data)
        self.size += len(data)
        self.check()
        return data

    def check(self, more: int = 0) -> None:
        """Raises Violation if the message, with ``more`` bytes to come, is too long."""
        if self._limit is not None and self.size + more > self._limit:
            raise self._too_big()

    def end(self) -> bytes:
        """The message is complete; gives what is left of it. Raises Violation."""
        rest = b""
        if self.compressed:
            if self._inflater is not None and self._begun:
                rest = self.add(_TAIL)
            if self._deflate is None or not self._deflate.takeover:
                self._inflater = None
        self.size = 0
        self.compressed = self._begun = False
        return rest

    def _inflate(self, data: bytes) -> bytes:
        assert self._deflate is not None
        room = 0 if self._limit is None else self._limit - self.size + 1
        out = []
        for _ in range(_MAX_ENDS):
            if self._inflater is None:
                self._inflater = zlib.decompressobj(-max(self._deflate.bits, 9))
            try:
                out.append(self._inflater.decompress(data, room))
            except zlib.error as error:
                raise self._damaged(str(error)) from None
            if room:
                room -= len(out[-1])
                if not room:
                    raise self._too_big()
            if not self._inflater.eof:
                return b"".join(out)
            # a final block (RFC 7692 section 7.2.3.4): what follows is a stream of its own
            data, self._inflater = self._inflater.unused_data, None
            if not data:
                return b"".join(out)
        raise self._damaged("too many final blocks")

    def _damaged(self, reason: str) -> Violation:
        return Violation(f"the {self._peer} sent a message that cannot be inflated: {reason}", BAD_DATA, self._peer)

    def _too_big(self) -> Violation:
        return Violation(f"the {self._peer} sent a message of more than {self._limit} bytes", TOO_BIG, self._peer)


# -- reading -----------------------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """A frame, or a part of a large one.

    ``opcode`` of a fragment is that of its message. ``content`` is the payload as it is meant, ``wire`` the bytes as
    they came.
    """

    opcode: int
    content: bytes
    wire: bytes
    frame_ends: bool = True
    message_ends: bool = True
    compressed: bool = False


class Decoder:
    """The frames that ``peer`` sends. ``limit`` is the length that a message may have, None for any."""

    def __init__(self, peer: Peer, deflate: Deflate | None = None, limit: int | None = None) -> None:
        self._peer: Peer = peer
        self.deflate = deflate
        self._limit = limit
        self._mask_bit = 0x80 if peer == "client" else 0
        self._plain = _PLAIN if deflate is None else _PLAIN_OR_DEFLATED
        self._slice = SLICE if deflate is None else DEFLATED_SLICE
        #: A frame up to this size is taken as a whole: its content is bounded by its own size or by the limit.
        self._whole = PLAIN_SIZE if deflate is None or limit is not None else DEFLATED_SLICE
        self._tap = _Tap(peer, deflate, limit)
        self._judge = FrameProtocol(peer == "server", [self._tap])
        #: Bytes of the current frame that are yet to come to the judge.
        self._owed = 0
        #: Whether a message is under way, of which the judge has had the beginning, and whether it is compressed.
        self._inside = False
        self._compressed = False

    def next(self, buffer: bytearray) -> Piece | None:
        """The next frame, or part of a large one, which leaves the buffer; None if more is needed.

        Raises Violation.
        """
        if self._owed or self._inside or len(buffer) < 2:
            return self._judged(buffer)
        first = buffer[0]
        opcode = self._plain.get(first)
        size = buffer[1] ^ self._mask_bit
        if opcode is None or size > 126:
            return self._judged(buffer)
        start = 2
        if size == 126:
            if len(buffer) < 4:
                return None
            size = buffer[2] << 8 | buffer[3]
            if not 126 <= size <= self._whole:
                return self._judged(buffer)
            start = 4
        if self._mask_bit:
            start += 4
        end = start + size
        if len(buffer) < end:
            return None
        wire = bytes(buffer[:end])
        del buffer[:end]
        content = masked(wire[start:], wire[start - 4 : start]) if self._mask_bit else wire[start:]
        compressed = first & _RSV1 != 0
        tap = self._tap
        if compressed or (self._limit is not None and size > self._limit):
            tap.compressed = compressed
            content = tap.add(content)
            content += tap.end()
        if opcode == TEXT and not content.isascii():
            try:
                content.decode()
            except UnicodeDecodeError as error:
                text = f"the {self._peer} sent a text message that is not UTF-8: {error.reason}"
                raise Violation(text, BAD_DATA, self._peer) from None
        return Piece(opcode, content, wire, True, True, compressed)

    def _judged(self, buffer: bytearray) -> Piece | None:
        """The frame at the beginning of the buffer, as wsproto sees it."""
        announced = 0
        if not self._owed:
            begun = self._begin(buffer)
            if begun is None:
                return None
            announced = begun
        n = min(self._owed, len(buffer), self._slice)
        if not n:
            return None
        wire = bytes(buffer[:n])
        del buffer[:n]
        self._owed -= n
        piece = self._judgement(wire)
        if announced and self._limit is not None and not piece.frame_ends and not piece.compressed:
            self._tap.check(announced - len(piece.content))  # no need to wait for what would be too much
        return piece

    def _begin(self, buffer: bytearray) -> int | None:
        """A new frame: notes how long it is, gives the length of its payload; None until that can be told.

        What is there has to hold the header and some of the payload; control frames, which are short, are waited for.
        """
        if len(buffer) < 2:
            return None
        size = buffer[1] & 0x7F
        start = {126: 4, 127: 10}.get(size, 2)
        header = start + (4 if buffer[1] & 0x80 else 0)
        if start > 2:
            size = int.from_bytes(buffer[2:start], "big")
        whole = buffer[0] & 8 and start == 2
        if len(buffer) < header + (size if whole else min(size, 1)):
            return None
        self._owed = header + size
        return size

    def _judgement(self, wire: bytes) -> Piece:
        tap = self._tap
        tap.taken = b""
        try:
            self._judge.receive_bytes(wire)
            frame = next(self._judge.received_frames())
        except ParseFailed as error:
            if tap.violation is not None:
                raise tap.violation from None
            text = f"the {self._peer} broke the WebSocket protocol: {error}"
            raise Violation(text, int(error.code), self._peer) from None
        if frame.opcode.iscontrol():
            return Piece(int(frame.opcode), tap.taken, wire)
        if not self._inside:
            self._compressed = wire[0] & _RSV1 != 0
        self._inside = not frame.message_finished
        return Piece(int(frame.opcode), tap.taken, wire, frame.frame_finished, frame.message_finished, self._compressed)


# -- writing -----------------------------------------------------------------------------------------------------


class Encoder:
    """Frames for ``peer``. What is compressed goes on from message to message where the peers agreed on that."""

    def __init__(self, peer: Peer, deflate: Deflate | None = None) -> None:
        self._is_masked = peer == "server"
        self._deflate = deflate
        self._deflater: zlib._Compress | None = None

    @property
    def compresses(self) -> bool:
        """Whether messages may be compressed. zlib cannot keep to a window of 256 bytes: such are sent plain."""
        return self._deflate is not None and self._deflate.bits > 8

    def message(
        self, opcode: int, content: bytes, lengths: Iterable[int] | None = None, compress: bool = False
    ) -> bytes:
        """A message, in fragments of these lengths (together the length of ``content``) if there are any."""
        pieces = [content] if lengths is None else _cut(content, lengths)
        if compress:
            pieces = self._compressed(pieces)
        first = opcode | (_RSV1 if compress else 0)
        if len(pieces) == 1:
            return self.frame(first | _FIN, pieces[0])
        frames = [self.frame(first, pieces[0])]
        frames += (self.frame(0, piece) for piece in pieces[1:-1])
        frames.append(self.frame(_FIN, pieces[-1]))
        return b"".join(frames)

    def _compressed(self, pieces: list[bytes]) -> list[bytes]:
        assert self._deflate is not None
        deflater = self._deflater or zlib.compressobj(wbits=-self._deflate.bits, memLevel=_MEMORY)
        out = [deflater.compress(piece) for piece in pieces]
        out[-1] = (out[-1] + deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)
        if not any(out):
            out[-1] = b"\x00"  # nothing at all is no compressed message (RFC 7692 section 7.2.3.6)
        self._deflater = deflater if self._deflate.takeover else None
        return out

    def close(self, code: int, reason: str) -> bytes:
        """A close frame; a reason that is too long for one is cut."""
        text = reason.encode("utf-8", "replace")[:_MAX_REASON].decode("utf-8", "ignore").encode()
        return self.frame(CLOSE | _FIN, code.to_bytes(2, "big") + text)

    def frame(self, first: int, payload: bytes) -> bytes:
        size = len(payload)
        mask_bit = 0x80 if self._is_masked else 0
        if size < 126:
            head = bytes((first, mask_bit | size))
        elif size < 1 << 16:
            head = bytes((first, mask_bit | 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((first, mask_bit | 127)) + size.to_bytes(8, "big")
        if not self._is_masked:
            return head + payload
        key = os.urandom(4)
        return b"".join((head, key, masked(payload, key)))


def masked(data: bytes, key: bytes) -> bytes:
    """``data`` masked, or unmasked, with the four bytes of ``key`` (RFC 6455 section 5.3)."""
    size = len(data)
    if size > _MASK_AT_ONCE:
        parts = (data[at : at + _MASK_AT_ONCE] for at in range(0, size, _MASK_AT_ONCE))
        return b"".join(masked(part, key) for part in parts)
    keys = int.from_bytes((key * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(data, "little") ^ keys).to_bytes(size, "little")


def _cut(content: bytes, lengths: Iterable[int]) -> list[bytes]:
    pieces, at = [], 0
    for length in lengths:
        pieces.append(content[at : at + length])
        at += length
    return pieces
