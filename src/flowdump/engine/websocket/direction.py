"""One direction of a WebSocket: the message under way, and what is written for it.

What was not changed goes on byte for byte as it came: same fragments, same mask, same compression. That needs no
compressor, and it stays right as long as every compressed message of the direction is passed on, since the next one may
refer to it. From the first one that a script changes or drops on, compressed messages are compressed anew
(``diverged``); where no context is taken over, only the changed ones are.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from flowdump.engine.errors import PeerClosed
from flowdump.engine.websocket.frames import Agreement, Decoder, Encoder, Piece

if TYPE_CHECKING:
    from flowdump.engine.net.stream import Stream
    from flowdump.websocket import WebSocketMessage

#: Written at once where there is more to write.
BATCH: Final = 64 * 1024

#: Fragments of a message whose lengths are kept; those after count as one.
MAX_FRAGMENTS: Final = 1 << 17

#: Bytes of a message that say nothing, its frames' headers above all. Beyond this the message is no longer kept as it
#: came, and goes on as one frame: an endless series of empty fragments costs no more than this.
MAX_OVERHEAD: Final = 4 << 20


class Whole(NamedTuple):
    """A message as it came: what it says, its bytes in parts of about ``BATCH``, the lengths of its frames.

    Without ``wire`` it has to be written anew.
    """

    opcode: int
    content: bytes
    wire: list[bytes]
    lengths: list[int] | None
    compressed: bool


class Direction:
    """One direction: from ``source`` to ``sink``."""

    __slots__ = (
        "content", "decoder", "diverged", "encoder", "gap", "inside", "is_client", "is_verbatim", "lengths", "overhead",
        "sink", "size", "source", "takeover", "torn", "wire", "writing",
    )  # fmt: skip

    def __init__(
        self, source: Stream, sink: Stream, agreements: tuple[Agreement, Agreement], limit: int | None
    ) -> None:
        self.source, self.sink = source, sink
        self.is_client = source.peer == "client"
        at_client, at_server = (getattr(agreed, source.peer) for agreed in agreements)
        here, there = (at_client, at_server) if self.is_client else (at_server, at_client)
        self.decoder = Decoder(source.peer, here, limit)
        self.encoder = Encoder(sink.peer, there)
        #: Whether compressed messages may go on as they came, and whether they refer to those before.
        self.is_verbatim = here == there
        self.takeover = here is not None and here.takeover
        self.diverged = False
        #: Whether a message is under way.
        self.inside = False
        # what it says; its bytes as they came, None for too many; the lengths of its frames, and of the last one yet
        self.content = bytearray()
        self.wire: list[bytearray] | None = []
        self.overhead = 0
        self.lengths: list[int] = []
        self.size = 0
        #: Whether what was written last is not the end of a frame.
        self.torn = False
        #: Set while no message is half written.
        self.gap = asyncio.Event()
        self.gap.set()
        #: Held while waiting for the sink; only one task may wait for a stream.
        self.writing = asyncio.Lock()

    async def drain(self) -> None:
        if self.sink.clogged:
            async with self.writing:
                await self.sink.drain()

    def write_all(self, pending: list[bytes]) -> None:
        """Write what has come together, and forget it."""
        if pending:
            self.sink.write(pending[0] if len(pending) == 1 else b"".join(pending))
            pending.clear()

    async def more(self) -> None:
        """Wait for more bytes. Raises PeerClosed when there are none: a WebSocket ends with a close frame."""
        self.source.consumed()
        if not await self.source.more():
            peer = self.source.peer
            raise PeerClosed(f"the {peer} closed the WebSocket connection without a close frame", peer)

    def collect(self, piece: Piece) -> Whole | None:
        """Add to the message under way, which is given back when it is complete."""
        self.inside = True
        self.content += piece.content
        self._keep_wire(piece)
        self.size += len(piece.content)
        if not piece.frame_ends:
            return None
        if len(self.lengths) < MAX_FRAGMENTS:
            self.lengths.append(self.size)
        else:
            self.lengths[-1] += self.size
        self.size = 0
        if not piece.message_ends:
            return None
        wire = [bytes(part) for part in self.wire or ()]
        whole = Whole(piece.opcode, bytes(self.content), wire, self.lengths if wire else None, piece.compressed)
        self.content, self.wire, self.lengths = bytearray(), [], []
        self.overhead, self.inside = 0, False
        return whole

    def _keep_wire(self, piece: Piece) -> None:
        if self.wire is None:
            return
        self.overhead += len(piece.wire) - len(piece.content)
        if self.overhead > MAX_OVERHEAD:
            self.wire = None
        elif self.wire and len(self.wire[-1]) < BATCH:
            self.wire[-1] += piece.wire
        else:
            self.wire.append(bytearray(piece.wire))

    def outgoing(self, message: WebSocketMessage, whole: Whole) -> list[bytes]:
        """What to write for a message after its event; nothing when it was dropped."""
        is_same = not message.dropped and message.content == whole.content and message.type == whole.opcode
        if is_same and whole.wire and (not whole.compressed or (self.is_verbatim and not self.diverged)):
            return whole.wire
        if whole.compressed and self.takeover:
            self.diverged = True
        if message.dropped:
            return []
        lengths = whole.lengths if len(message.content) == len(whole.content) else None
        compress = whole.compressed and self.encoder.compresses
        made = self.encoder.message(message.type, message.content, lengths, compress)
        return [made[at : at + BATCH] for at in range(0, len(made), BATCH)]

    async def send(self, pieces: list[bytes]) -> None:
        """Write a message of this direction, a large one bit by bit as the sink takes it."""
        if len(pieces) > 1:
            self.gap.clear()
            self.torn = True
            for piece in pieces[:-1]:
                self.sink.write(piece)
                await self.drain()
        if pieces:
            self.sink.write(pieces[-1])
            self.torn = False
            self.gap.set()
        await self.drain()

    def __repr__(self) -> str:
        return f"Direction({self.source.peer} → {self.sink.peer}{', diverged' if self.diverged else ''})"
