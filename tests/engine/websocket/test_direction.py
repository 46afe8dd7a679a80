"""One direction of a WebSocket: what is written for messages of which some are changed, dropped or added."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.websocket import MASK, frame
from tests.support.ws_frames import read

from flowdump.engine.websocket import direction
from flowdump.engine.websocket.direction import Direction, Whole
from flowdump.engine.websocket.frames import Agreement, Decoder, Deflate
from flowdump.websocket import BINARY, WebSocketMessage

TEXT = b"what is said again and again, and again, and again"


class Side:
    """A stream that nobody reads or writes."""

    def __init__(self, peer: str) -> None:
        self.peer = peer


def way(here: Deflate | None, there: Deflate | None) -> Direction:
    """From a client, with what was agreed on at each side."""
    sides: list[Any] = [Side("client"), Side("server")]
    return Direction(sides[0], sides[1], (Agreement(client=here), Agreement(client=there)), None)


class Client:
    """Compresses as agreed on, and sends in as many fragments as it is told."""

    def __init__(self, deflate: Deflate | None) -> None:
        self._deflate = deflate
        self._deflater: Any = None

    def message(self, content: bytes, compressed: bool, cut: int | None) -> bytes:
        first, payload = 0x02, content
        if compressed and self._deflate is not None:
            if self._deflater is None or not self._deflate.takeover:
                self._deflater = zlib.compressobj(wbits=-max(self._deflate.bits, 9))
            payload = (self._deflater.compress(content) + self._deflater.flush(zlib.Z_SYNC_FLUSH))[:-4] or b"\x00"
            first |= 0x40
        if cut is None:
            return frame(first | 0x80, payload, MASK)
        return frame(first, payload[:cut], MASK) + frame(0x80, payload[cut:], MASK)


def wholes(through: Direction, data: bytes) -> list[Whole]:
    buffer = bytearray(data)
    found = []
    while (piece := through.decoder.next(buffer)) is not None:
        whole = through.collect(piece)
        if whole is not None:
            found.append(whole)
    return found


DEFLATES = st.sampled_from([None, Deflate(), Deflate(9), Deflate(8), Deflate(15, False)])
CONTENTS = st.one_of(st.sampled_from([b"", TEXT, TEXT * 100]), st.binary(max_size=50))
STEPS = st.tuples(
    CONTENTS,
    st.booleans(),
    st.one_of(st.none(), st.integers(0, 5)),
    st.sampled_from(["keep", "keep", "keep", "edit", "same length", "drop", "inject"]),
)


@settings(max_examples=300, deadline=None)
@given(DEFLATES, DEFLATES, st.booleans(), st.lists(STEPS, max_size=12))
def test_the_receiver_reads_what_was_meant(
    here: Deflate | None, other: Deflate | None, alike: bool, steps: list[Any]
) -> None:
    """Whatever is compressed, changed, dropped and added, and whatever the two sides agreed on."""
    there = here if alike else other
    through, client, expected, wire = way(here, there), Client(here), [], b""
    for content, compressed, cut, action in steps:
        (whole,) = wholes(through, client.message(content, compressed, cut))
        assert whole.content == content
        message = WebSocketMessage(whole.opcode, True, whole.content)
        if action == "edit":
            message.content = b"edited: " + content
        elif action == "same length":
            message.content = bytes(reversed(content))
        elif action == "drop":
            message.drop()
        if action != "drop":
            expected.append(message.content)
        wire += b"".join(through.outgoing(message, whole))
        if action == "inject":
            expected.append(b"injected")
            wire += through.encoder.message(BINARY, b"injected")
    received, code, rest = read(Decoder("client", there), wire)
    assert (code, rest) == (None, b"")
    assert [message.content for message in received] == expected


@given(st.lists(st.tuples(CONTENTS, st.one_of(st.none(), st.integers(0, 5))), max_size=5), DEFLATES)
def test_what_is_not_changed_is_what_came(messages: list[tuple[bytes, int | None]], deflate: Deflate | None) -> None:
    through, client = way(deflate, deflate), Client(deflate)
    sent = b"".join(client.message(content, True, cut) for content, cut in messages)
    written = []
    for whole in wholes(through, sent):
        message = WebSocketMessage(whole.opcode, True, whole.content)
        written += through.outgoing(message, whole)
    assert b"".join(written) == sent
    assert not through.diverged


def test_large_messages_are_written_in_parts() -> None:
    through = way(None, None)
    (whole,) = wholes(through, frame(0x82, bytes(1 << 20), MASK))
    message = WebSocketMessage(whole.opcode, True, whole.content)
    assert max(map(len, through.outgoing(message, whole))) < 128 * 1024
    message.content = b"x" * (1 << 20)
    assert max(map(len, through.outgoing(message, whole))) < 128 * 1024
    assert "client → server" in repr(through)


@pytest.mark.parametrize("deflate", [None, Deflate()])
def test_endless_fragments_are_not_kept_as_they_came(monkeypatch: pytest.MonkeyPatch, deflate: Deflate | None) -> None:
    """The message goes on as one frame, also when more of it follows, and so do those after it."""
    monkeypatch.setattr(direction, "MAX_OVERHEAD", 1000)
    through, client = way(deflate, deflate), Client(deflate)
    begin, end = _split(client.message(TEXT * 10, deflate is not None, 3))
    (whole,) = wholes(through, begin + frame(0x00, b"", MASK) * 500 + end)
    assert (whole.content, whole.wire, whole.lengths) == (TEXT * 10, [], None)
    assert through.wire == []
    wire = b"".join(through.outgoing(WebSocketMessage(BINARY, True, whole.content), whole))
    (after,) = wholes(through, client.message(TEXT, deflate is not None, None))
    wire += b"".join(through.outgoing(WebSocketMessage(BINARY, True, after.content), after))
    received, code, rest = read(Decoder("client", deflate), wire)
    assert (code, rest) == (None, b"")
    assert [(message.content, len(message.lengths)) for message in received] == [(TEXT * 10, 1), (TEXT, 1)]


def _split(wire: bytes) -> tuple[bytes, bytes]:
    """The first frame, which is a short one, and the rest."""
    size = 6 + (wire[1] & 0x7F)
    return wire[:size], wire[size:]
