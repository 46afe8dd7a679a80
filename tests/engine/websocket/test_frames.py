"""WebSocket frames: the examples of the RFCs, every fault, and the plain path held equal to wsproto."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.memory import traced
from tests.support.websocket import MASK, frame, masked
from tests.support.ws_frames import read
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import FrameProtocol

from flowdump.engine.errors import Peer
from flowdump.engine.websocket import frames as ws_codec
from flowdump.engine.websocket.frames import TOO_BIG, Agreement, Decoder, Deflate, Encoder, Violation, agreement
from flowdump.websocket import BINARY, TEXT

TAIL = b"\x00\x00\xff\xff"


def judged(peer: Peer, deflate: Deflate | None = None, limit: int | None = None) -> Decoder:
    """A decoder without the plain path: wsproto sees every frame."""
    decoder = Decoder(peer, deflate, limit)
    decoder._plain = {}
    return decoder


def deflated(content: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return (deflater.compress(content) + deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


# -- what the RFCs show ----------------------------------------------------------------------------------------------

EXAMPLES: dict[str, tuple[Peer, str, list[tuple[int, bytes, tuple[int, ...]]]]] = {
    "a text message": ("server", "8105 48656c6c6f", [(1, b"Hello", (5,))]),
    "masked": ("client", "8185 37fa213d 7f9f4d5158", [(1, b"Hello", (5,))]),
    "fragments": ("server", "0103 48656c 8002 6c6f", [(1, b"Hello", (3, 2))]),
    "ping": ("server", "8905 48656c6c6f", [(9, b"Hello", ())]),
    "masked pong": ("client", "8a85 37fa213d 7f9f4d5158", [(10, b"Hello", ())]),
    "compressed": ("server", "c107 f248cdc9c90700", [(1, b"Hello", (5,))]),
    "compressed fragments": ("server", "4103 f248cd 8004 c9c90700", [(1, b"Hello", (3, 2))]),
    "context": ("server", "c107 f248cdc9c90700 c105 f200110000", [(1, b"Hello", (5,))] * 2),
    "a stored block": ("server", "c10b 000500faff48656c6c6f00", [(1, b"Hello", (5,))]),
    "a final block": ("server", "c108 f348cdc9c9070000", [(1, b"Hello", (5,))]),
    "two blocks": ("server", "c10d f248050000 00ffffcac9c90700", [(1, b"Hello", (5,))]),
    "not compressed": ("server", "8105 48656c6c6f", [(1, b"Hello", (5,))]),
}


@pytest.mark.parametrize("make", [Decoder, judged])
@pytest.mark.parametrize(("peer", "data", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_the_examples_of_the_rfcs(make: Any, peer: Peer, data: str, expected: list[Any]) -> None:
    wire = bytes.fromhex(data)
    deflate = Deflate() if wire[0] & 0x40 else None
    for chunks in ([wire], [wire[at : at + 1] for at in range(len(wire))]):
        messages, code, rest = read(make(peer, deflate), *chunks)
        assert (code, rest) == (None, b"")
        assert b"".join(message.wire for message in messages) == wire
        assert [m[:2] for m in messages] == [e[:2] for e in expected]
        if deflate is None:  # what a part of a compressed message stands for is up to zlib
            assert [m[:3] for m in messages] == expected


# -- faults ----------------------------------------------------------------------------------------------------------

VIOLATIONS: dict[str, tuple[bytes, int]] = {
    "not masked": (frame(0x81, b"a"), 1002),
    "reserved bit 1": (frame(0xC1, b"a", MASK), 1002),
    "reserved bit 2": (frame(0xA1, b"a", MASK), 1002),
    "reserved bit 3": (frame(0x91, b"a", MASK), 1002),
    "reserved opcode": (frame(0x83, b"a", MASK), 1002),
    "reserved control opcode": (frame(0x8B, b"a", MASK), 1002),
    "fragmented ping": (frame(0x09, b"a", MASK), 1002),
    "fragmented close": (frame(0x08, b"\x03\xe8", MASK), 1002),
    "long ping": (frame(0x89, b"a" * 126, MASK), 1002),
    "nothing to continue": (frame(0x80, b"a", MASK), 1002),
    "text inside a message": (frame(0x01, b"a", MASK) + frame(0x81, b"b", MASK), 1002),
    "two bytes for a short length": (b"\x81\xfe\x00\x05" + MASK + masked(b"Hello"), 1002),
    "eight bytes for a short length": (b"\x81\xff" + bytes(7) + b"\x05" + MASK + masked(b"Hello"), 1002),
    "a negative length": (b"\x82\xff\xff" + bytes(7) + MASK + b"a", 1002),
    "half a close code": (frame(0x88, b"\x03", MASK), 1002),
    "close code 0": (frame(0x88, b"\x00\x00", MASK), 1002),
    "close code 999": (frame(0x88, b"\x03\xe7", MASK), 1002),
    "close code 1005": (frame(0x88, b"\x03\xed", MASK), 1002),
    "close code 1006": (frame(0x88, b"\x03\xee", MASK), 1002),
    "close code 1015": (frame(0x88, b"\x03\xf7", MASK), 1002),
    "close code 2000": (frame(0x88, b"\x07\xd0", MASK), 1002),
    "close code 5000": (frame(0x88, b"\x13\x88", MASK), 1002),
    "a reason that is not UTF-8": (frame(0x88, b"\x03\xe8\xff", MASK), 1007),
    "text that is not UTF-8": (frame(0x81, b"\xff", MASK), 1007),
    "text that ends within a character": (frame(0x81, b"gr\xc3", MASK), 1007),
    "a surrogate": (frame(0x81, b"\xed\xa0\x80", MASK), 1007),
    "fragments that are not UTF-8": (frame(0x01, b"\xc3", MASK) + frame(0x80, b"a", MASK), 1007),
}


@pytest.mark.parametrize("make", [Decoder, judged])
@pytest.mark.parametrize(("data", "code"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_faults_have_their_code(make: Any, data: bytes, code: int) -> None:
    good = frame(0x82, b"good", MASK)
    messages, failed, _ = read(make("client"), good + data)
    assert failed == code
    assert [message.content for message in messages] == [b"good"]
    assert read(make("client"), *(bytes([byte]) for byte in data))[1] == code


def test_a_violation_names_the_peer_and_the_reason() -> None:
    with pytest.raises(Violation, match=r"the server broke the WebSocket protocol: .*masked") as caught:
        Decoder("server").next(bytearray(frame(0x81, b"a", MASK)))
    assert (caught.value.peer, caught.value.code) == ("server", 1002)
    with pytest.raises(Violation, match="the client sent a text message that is not UTF-8"):
        Decoder("client").next(bytearray(frame(0x81, b"\xff", MASK)))


@pytest.mark.parametrize("make", [Decoder, judged])
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(0xC1, b"\xff\xff", MASK), 1007),
        (frame(0xC1, deflated(b"\xff"), MASK), 1007),
        (frame(0xC9, b"", MASK), 1002),
        (frame(0x01, b"a", MASK) + frame(0xC0, b"b", MASK), 1002),
        (frame(0xE1, b"a", MASK), 1002),
        (frame(0xC2, b"\x03\x00" * 100, MASK), 1007),
    ],
    ids=["damaged", "not UTF-8", "a ping", "a continuation", "reserved bit 2", "many ends"],
)
def test_faults_of_compression_have_their_code(make: Any, data: bytes, code: int) -> None:
    assert read(make("client", Deflate()), data)[1] == code


# -- compression -----------------------------------------------------------------------------------------------------


def test_a_ping_between_compressed_fragments_leaves_them_alone() -> None:
    payload = deflated(b"Hello" * 10)
    data = frame(0x41, payload[:3]) + frame(0x89, b"ping") + frame(0x00) + frame(0x80, payload[3:])
    messages, code, rest = read(Decoder("server", Deflate()), data)
    assert (code, rest) == (None, b"")
    assert [(m.opcode, m.content) for m in messages] == [(9, b"ping"), (TEXT, b"Hello" * 10)]


def test_a_compressed_message_of_nothing_harms_none_behind_it() -> None:
    data = frame(0xC1, deflated(b"a")) + frame(0xC1) + frame(0xC1, b"\x00") + frame(0xC1, deflated(b"b"))
    for make in (Decoder, judged):
        messages, code, _ = read(make("server", Deflate()), data)
        assert code is None
        assert [m.content for m in messages] == [b"a", b"", b"", b"b"]


@pytest.mark.parametrize("make", [Decoder, judged])
def test_final_blocks_end_the_context(make: Any) -> None:
    done = zlib.compressobj(wbits=-15)
    final = done.compress(b"one") + done.flush()
    data = frame(0xC1, final) + frame(0xC1, final + b"\x00") + frame(0xC1, deflated(b"two"))
    messages, code, _ = read(make("server", Deflate()), data)
    assert code is None
    assert [m.content for m in messages] == [b"one", b"one", b"two"]


@pytest.mark.parametrize("make", [Decoder, judged])
def test_a_bomb_costs_no_more_than_the_limit(make: Any) -> None:
    bomb = deflated(bytes(200 << 20))
    decoder = make("client", Deflate(), 1 << 20)
    with traced() as memory:
        messages, code, _ = read(decoder, frame(0xC2, bomb, MASK))
        peak = memory()[1]
    assert (messages, code) == ([], 1009)
    assert peak < 6 << 20


@pytest.mark.parametrize("make", [Decoder, judged])
@pytest.mark.parametrize("deflate", [None, Deflate()])
def test_the_limit_is_what_a_message_may_have(make: Any, deflate: Deflate | None) -> None:
    first = 0x02 if deflate is None else 0x42
    body = bytes(range(256)) * 4
    payload = body if deflate is None else deflated(body)
    whole, parts = frame(0x80 | first, payload), frame(first, payload[:100]) + frame(0x80, payload[100:])
    for data in (whole, parts):
        messages, code, _ = read(make("server", deflate, len(body)), data * 2)
        assert code is None
        assert [m.content for m in messages] == [body] * 2
        assert read(make("server", deflate, len(body) - 1), data)[1] == 1009


def test_a_length_that_is_too_much_is_not_waited_for() -> None:
    head = frame(0x82, bytes(70_000), MASK)[:20]
    assert read(Decoder("client", None, 65_536), head)[1] == 1009
    part = frame(0x02, bytes(60_000), MASK) + frame(0x80, bytes(10_000), MASK)[:20]
    assert read(Decoder("client", None, 65_536), part)[1] == 1009


AGREEMENTS = {
    "": Agreement(),
    "permessage-deflate": Agreement(Deflate(), Deflate()),
    "Permessage-Deflate ; client_max_window_bits=9": Agreement(Deflate(9), Deflate()),
    'permessage-deflate; server_max_window_bits="8"': Agreement(Deflate(), Deflate(8)),
    "permessage-deflate; server_no_context_takeover": Agreement(Deflate(), Deflate(15, False)),
    "permessage-deflate;client_no_context_takeover;server_no_context_takeover;client_max_window_bits = 10": Agreement(
        Deflate(10, False), Deflate(15, False)
    ),
}


@pytest.mark.parametrize(("value", "expected"), AGREEMENTS.items())
def test_agreements(value: str, expected: Agreement) -> None:
    assert agreement(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "x-webkit-deflate-frame",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=" + "9" * 5000,
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; level=9",
        "permessage-deflate;;",
    ],
)
def test_what_is_not_understood_is_said(value: str) -> None:
    with pytest.raises(ValueError, match=r"permessage-deflate|x-webkit"):
        agreement(value)


# -- the plain path and wsproto --------------------------------------------------------------------------------------

PAYLOADS = st.one_of(
    st.text(max_size=20).map(str.encode),
    st.binary(max_size=12),
    st.sampled_from([b"", b"a" * 125, b"b" * 126, b"c" * 127, b"\xc3\xa4" * 70, b"d" * 32768, b"e" * 32769]),
)


@st.composite
def frames(draw: st.DrawFn, deflates: bool) -> bytes:
    """A frame of a client, nearly always as it should be."""
    kinds = [0x81, 0x82, 0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88]
    first = draw(st.sampled_from(kinds) if draw(st.integers(0, 20)) else st.integers(0, 255))
    payload = draw(PAYLOADS)
    if deflates and first in (0x81, 0x82) and draw(st.booleans()):
        first, payload = first | 0x40, deflated(payload)
    if first & 8:
        payload = payload[:125]
    return frame(first, payload, draw(st.binary(min_size=4, max_size=4)) if draw(st.integers(0, 20)) else None)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.booleans())
def test_the_plain_path_is_wsproto(data: st.DataObject, deflates: bool) -> None:
    """Whatever comes, in whatever chunks: the same messages, the same bytes, the same close code."""
    wire = b"".join(data.draw(st.lists(frames(deflates), max_size=8)))
    if wire and not data.draw(st.integers(0, 4)):
        at = data.draw(st.integers(0, min(len(wire), 60) - 1))
        wire = wire[:at] + bytes([data.draw(st.integers(0, 255))]) + wire[at + 1 :]
    deflate = Deflate() if deflates else None
    limit = data.draw(st.sampled_from([None, 100, 40_000]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    chunks = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    messages, code, rest = read(Decoder("client", deflate, limit), *chunks)
    expected, expected_code, _ = read(judged("client", deflate, limit), wire)
    assert messages == expected
    if code is not None or not rest or expected_code is None:
        # where a frame is too large and wrong in another way, chunks decide which is found first
        assert code == expected_code or (limit and code and expected_code and TOO_BIG in (code, expected_code))
    else:  # it waits for the whole frame before it looks at what is in it
        assert len(rest) <= ws_codec.PLAIN_SIZE + 8


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.booleans(), st.sampled_from(["client", "server"]))
def test_any_bytes_are_messages_or_a_violation(data: bytes, deflates: bool, peer: Peer) -> None:
    messages, code, rest = read(Decoder(peer, Deflate() if deflates else None, 1000), data)
    if code is None and not any(message.opcode == 8 for message in messages):
        assert data.endswith(rest)


# -- writing ---------------------------------------------------------------------------------------------------------


def proto(peer: Peer, deflate: Deflate | None) -> FrameProtocol:
    """wsproto as ``peer``, reading."""
    extensions = []
    if deflate is not None:
        extension = PerMessageDeflate(
            client_no_context_takeover=not deflate.takeover,
            server_no_context_takeover=not deflate.takeover,
            client_max_window_bits=deflate.bits,
            server_max_window_bits=deflate.bits,
        )
        extension._enabled = True
        extensions.append(extension)
    return FrameProtocol(peer == "client", extensions)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=70_000), st.lists(st.integers(0, 9), max_size=5)), max_size=4),
    st.sampled_from([None, Deflate(), Deflate(9), Deflate(15, False)]),
    st.sampled_from(["client", "server"]),
)
def test_wsproto_reads_what_is_written(
    messages: list[tuple[bytes, list[int]]], deflate: Deflate | None, peer: Peer
) -> None:
    encoder, reader = Encoder(peer, deflate), proto(peer, deflate)
    for content, cuts in messages:
        lengths = [min(cut, len(content)) for cut in cuts[:1]]
        lengths.append(len(content) - sum(lengths))
        wire = encoder.message(BINARY, content, lengths if cuts else None, compress=encoder.compresses)
        reader.receive_bytes(wire)
        read_frames = list(reader.received_frames())
        assert b"".join(bytes(f.payload) for f in read_frames) == content  # type: ignore[arg-type]
        assert read_frames[-1].message_finished
        assert all(not f.message_finished for f in read_frames[:-1])
        if deflate is None and len(content) < 60_000:
            assert [len(f.payload) for f in read_frames] == (lengths if cuts else [len(content)])


def test_a_window_of_256_bytes_is_written_plain() -> None:
    assert not Encoder("client", Deflate(8)).compresses
    assert not Encoder("client").compresses
    assert Encoder("client", Deflate(9)).compresses


def test_close_frames() -> None:
    assert Encoder("client").close(1009, "too big") == b"\x88\x09\x03\xf1too big"
    long = Encoder("client").close(1002, "ä" * 100)
    assert long == frame(0x88, b"\x03\xea" + "ä".encode() * 61)
    sent = Encoder("server").close(1001, "bye")
    assert sent[:2] == b"\x88\x85"
    assert masked(sent[6:], sent[2:6]) == b"\x03\xe9bye"


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_masking(data: bytes, key: bytes) -> None:
    assert ws_codec.masked(data, key) == masked(data, key)


def test_masking_in_parts() -> None:
    data = bytes(range(251)) * 600
    assert ws_codec.masked(data, MASK) == masked(data)
