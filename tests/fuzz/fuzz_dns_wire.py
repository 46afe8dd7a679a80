"""Any bytes into the reader of DNS messages: a message that survives every form it can take, or MalformedMessage.

The first byte chooses what is put in front: nothing, a header, or a header with a question, so that records are met.
"""

from __future__ import annotations

from flowdump.dns import DNSMessage
from flowdump.dns.wire import MalformedMessage
from flowdump.engine.dns.server import failure, fit, udp_limit

QUESTION = b"\x01a\x07example\x00\x00\x01\x00\x01"
FRONTS = (
    b"",
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00",
    b"\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00" + QUESTION,
    b"\x12\x34\x28\x00\x00\x01\x00\x00\x00\x01\x00\x01" + QUESTION + b"\xc0\x0c",
)


def one_input(data: bytes) -> None:
    """Raises nothing but AssertionError, for what must not be."""
    wire = FRONTS[data[0] & 3 if data else 0] + data[1:]
    answer = failure(wire, 1)
    assert not answer or len(wire) >= 12
    try:
        end, message = DNSMessage.unpack_from(wire, 0)
    except MalformedMessage:
        assert len(answer) <= len(wire)
        assert udp_limit(wire) == 512
        return
    packed = message.packed
    assert DNSMessage.unpack(packed) == message
    assert DNSMessage.from_state(message.get_state()) == message
    assert end <= len(wire)
    assert message.to_json()["size"] == message.size
    for record in (*message.answers, *message.authorities, *message.additionals):
        assert isinstance(record.data_text(), str)
        assert isinstance(str(record), str)
    cut = fit(packed, 512)
    assert len(cut) <= 512
    assert DNSMessage.unpack(cut).id == message.id
