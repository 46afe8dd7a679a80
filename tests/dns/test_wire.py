"""DNS messages as bytes: both ways, against another implementation, and whatever strangers send."""

from __future__ import annotations

import random
import struct
import time

import dns.message
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowdump.dns import DNSMessage, Question, ResourceRecord
from flowdump.dns import wire as dns_wire
from flowdump.dns.wire import MAX_NAME, MalformedMessage, MessageParts, QuestionParts, RecordParts, pack_name

HEADER = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
ANSWER = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
QUESTION = b"\x01a\x07example\x00\x00\x01\x00\x01"


def unpack(data: bytes) -> MessageParts:
    parts, length = dns_wire.unpack(data)
    assert length == len(data)
    return parts


# -- there and back ----------------------------------------------------------------------------------------------

labels = st.binary(min_size=1, max_size=63)
wire_names = st.lists(labels, max_size=6).map(
    lambda parts: b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
).filter(lambda name: len(name) <= MAX_NAME)  # fmt: skip
names = wire_names.map(dns_wire.name_text)
sixteen = st.integers(0, 65535)
questions = st.builds(QuestionParts, names, sixteen, sixteen)
#: Types whose data is not looked into.
opaque = sixteen.filter(lambda kind: kind not in dns_wire._NAMES_IN_DATA)
records = st.builds(RecordParts, names, opaque, sixteen, st.integers(0, 2**32 - 1), st.binary(max_size=40))
sections = st.lists(records, max_size=4)
messages = st.builds(MessageParts, sixteen, sixteen, st.lists(questions, max_size=3), sections, sections, sections)


@given(wire_names)
@example(b"\x0dxn--bcher-kva\0")
@example(b"\x0dXN--BCHER-KVA\0")
@example(b"\x06xn--zz\0")
@example(b"\x03a.b\x02\\\\\x02\xc3\xa4\x01\0\0")
@example(b"\x0dxn--bcher-kva\x03a.b\0")
def test_every_name_survives_as_text(name: bytes) -> None:
    assert pack_name(dns_wire.name_text(name)) == name


@given(messages)
def test_messages_survive(message: MessageParts) -> None:
    assert unpack(dns_wire.pack(message)) == message


@given(messages)
def test_messages_survive_as_objects(message: MessageParts) -> None:
    wire = dns_wire.pack(message)
    read = DNSMessage.unpack(wire, 5.0)
    assert DNSMessage.unpack(read.packed, 5.0) == read
    assert DNSMessage.from_state(read.get_state()) == read
    assert read.content == read.packed


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"\0", ""),
        (b"\3WwW\1a\0", "WwW.a"),
        (b"\x0dxn--bcher-kva\0", "bücher"),
        (b"\x0dXN--BCHER-KVA\0", "XN--BCHER-KVA"),
        (b"\x06xn--zz\0", "xn--zz"),
        (b"\3a.b\0", r"a\.b"),
        (b"\1\\\0", "\\\\"),
        (b"\2\xc3\xa4\1 \0", r"\195\164.\032"),
        (b"\4_tcp\0", "_tcp"),
    ],
)
def test_names_as_text(wire: bytes, text: str) -> None:
    assert dns_wire.name_text(wire) == text
    assert pack_name(text) == wire


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("a.b.", b"\1a\1b\0"),
        ("ä.b", b"\x07xn--4ca\1b\0"),
        (r"ä.\098", b"\x07xn--4ca\1b\0"),
        (r"a\.b.c.", b"\3a.b\1c\0"),
        (r"a\..", b"\2a.\0"),
        ("a\\", b"\2a\\\0"),
        ("a b", b"\3a b\0"),
    ],
)
def test_names_that_people_write(text: str, wire: bytes) -> None:
    assert pack_name(text) == wire


@pytest.mark.parametrize(
    "name", ["a..b", ".a", r"\256.a", "x" * 64, "\\120" * 64, ".".join(["x" * 49] * 6), "..", r"a\..."]
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"not a domain name|range"):
        pack_name(name)


def test_owners_are_compressed() -> None:
    record = ResourceRecord("www.A.example", 16, 1, 60, b"")
    message = DNSMessage.unpack(HEADER + QUESTION).succeed([record] * 3)
    wire = message.packed
    assert wire.count(b"www") == wire.count(b"example") == 1
    assert b"\3www\1A\xc0" in wire  # spelling is kept: 'A' is not 'a'
    assert DNSMessage.unpack(wire, message.timestamp) == message


def test_names_beyond_the_reach_of_pointers() -> None:
    record = ResourceRecord("far.example", 16, 1, 60, b"x" * 30000)
    message = DNSMessage.unpack(HEADER + QUESTION).succeed([record, ResourceRecord("b.far.example", 16, 1, 1, b"")] * 2)
    assert DNSMessage.unpack(message.packed, message.timestamp) == message


# -- names in the data of records --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data", "expanded"),
    [
        (2, b"\xc0\x0e", b"\7example\0"),
        (5, b"\1b\xc0\x0c", b"\1b\1a\7example\0"),
        (6, b"\xc0\x0c\xc0\x0e" + bytes(20), b"\1a\7example\0\7example\0" + bytes(20)),
        (12, b"\0", b"\0"),
        (14, b"\xc0\x0c\1b\0", b"\1a\7example\0\1b\0"),
        (15, b"\0\x0a\xc0\x0c", b"\0\x0a\1a\7example\0"),
        (33, b"\0\1\0\2\0\3\xc0\x0c", b"\0\1\0\2\0\3\1a\7example\0"),
        (35, b"\0\1\0\2\1s\0\2xy\xc0\x0e", b"\0\1\0\2\1s\0\2xy\7example\0"),
        (24, b"s" * 18 + b"\xc0\x0eSIGNED", b"s" * 18 + b"\7example\0SIGNED"),
        (26, b"\0\1\xc0\x0e\xc0\x0e", b"\0\1\7example\0\7example\0"),
        (1, b"\xc0\x0c\0\0", b"\xc0\x0c\0\0"),
        (46, b"\xc0\x0c\0\0", b"\xc0\x0c\0\0"),
        (2, b"", b""),
    ],
)
def test_names_in_data_are_written_out(kind: int, data: bytes, expanded: bytes) -> None:
    wire = ANSWER + QUESTION + b"\xc0\x0c" + struct.pack("!HHLH", kind, 1, 60, len(data)) + data
    (record,) = unpack(wire).answers
    assert record == RecordParts("a.example", kind, 1, 60, expanded)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (2, b"\1"),
        (2, b"\7exam"),
        (2, b"\xc0"),
        (6, b"\xc0\x0c"),
        (15, b"\0"),
        (15, b"\0\x0a"),
        (33, b"\0\1\0\2\0"),
        (35, b"\0\1\0\2\7s"),
    ],
)
def test_data_that_is_shorter_than_what_it_holds(kind: int, data: bytes) -> None:
    wire = ANSWER + QUESTION + b"\xc0\x0c" + struct.pack("!HHLH", kind, 1, 60, len(data)) + data
    for rest in (b"", b"\0" * 40):
        with pytest.raises(MalformedMessage):
            unpack(wire + rest)


# -- what strangers send -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"", "0 bytes are no DNS message"),
        (HEADER[:11], "11 bytes are no DNS message"),
        (HEADER, "a name is cut off at byte 12"),
        (HEADER + b"\1", "a name is cut off at byte 13"),
        (HEADER + b"\1a", "a name is cut off at byte 14"),
        (HEADER + b"\xc0", "a name is cut off at byte 13"),
        (HEADER + b"\0\0\1\0", "a question is cut off at byte 16"),
        (HEADER + b"\xc0\x0c\0\1\0\1", "the pointer at byte 12 does not point backwards"),
        (HEADER + b"\xc0\x0d\0\1\0\1", "the pointer at byte 12 does not point backwards"),
        (HEADER + b"\1a\xc0\x0c\0\1\0\1", "the pointer at byte 14 does not point backwards"),
        (HEADER + b"\x40\0\1\0\1", "the label at byte 12 has an unknown form (0x40)"),
        (HEADER + b"\x80\0\1\0\1", "the label at byte 12 has an unknown form (0x80)"),
        (HEADER + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1", "the name at byte 12 is longer than 255 bytes"),
        (ANSWER + QUESTION, "a name is cut off at byte 27"),
        (ANSWER + QUESTION + b"\xc0\x0c\0\1\0\1", "a record is cut off at byte 33"),
        (ANSWER + QUESTION + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\5abcd", "the data of a record is cut off at byte 43"),
    ],
)
def test_malformed_messages_are_told(wire: bytes, words: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        unpack(wire)
    assert words in str(caught.value)
    assert isinstance(caught.value, struct.error)


def test_what_comes_behind_the_end() -> None:
    wire = HEADER + QUESTION + b"more"
    assert dns_wire.unpack(wire)[1] == len(wire) - 4
    end, message = DNSMessage.unpack_from(b"xx" + wire, 2, 7.0)
    assert (end, message.question, message.timestamp) == (len(wire) - 2, Question("a.example", 1, 1), 7.0)
    with pytest.raises(MalformedMessage, match="4 bytes after the end"):
        DNSMessage.unpack(wire)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    try:
        message = DNSMessage.unpack(data)
    except MalformedMessage:
        return
    assert DNSMessage.unpack(message.packed) == message


@given(messages, st.data())
def test_damaged_messages_are_a_message_or_malformed(message: MessageParts, data: st.DataObject) -> None:
    wire = bytearray(dns_wire.pack(message))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.sampled_from((0, 1, 63, 64, 0xC0, 0xFF)))
    cut = bytes(wire[: data.draw(st.integers(0, len(wire)))])
    for candidate in (bytes(wire), cut):
        try:
            read = DNSMessage.unpack(candidate)
        except MalformedMessage:
            continue
        assert DNSMessage.unpack(read.packed) == read


def bombs() -> dict[str, bytes]:
    """64 KiB that cost as much as can be."""
    many = struct.pack("!6H", 1, 0x8180, 0, 0xFFFF, 0, 0)
    chain = struct.pack("!6H", 1, 0x8180, 1, 0xFFFF, 0, 0) + b"\0\0\1\0\1"
    chain += b"\0" + struct.pack("!HHLH", 16, 1, 0, 16000) + b"\0\0" + b"".join(
        struct.pack("!H", 0xC000 | 28 + 2 * i) for i in range(7999)
    )  # fmt: skip
    long_name = b"".join(b"\x01a" for _ in range(126)) + b"\0"
    owner = struct.pack("!6H", 1, 0x8180, 1, 0xFFFF, 0, 0) + long_name + b"\0\1\0\1"
    return {
        "chain of pointers": (chain + b"\xff\xff" * 24000)[:65535],
        "records at the end of a chain": (chain + (b"\xfe\x80" + struct.pack("!HHLH", 1, 1, 0, 0)) * 4000)[:65535],
        "one long name for all": (owner + (b"\xc0\x0c" + struct.pack("!HHLH", 5, 1, 0, 2) + b"\xc0\x0c") * 4600)[
            :65535
        ],
        "root records": (many + b"\0" * 65535)[:65535],
        "random": many + random.Random(1).randbytes(65523),
    }


@pytest.mark.parametrize("name", bombs())
def test_large_messages_cost_little(name: str) -> None:
    bomb = bombs()[name]
    before = time.process_time()
    with pytest.raises(MalformedMessage):
        DNSMessage.unpack(bomb)
    assert time.process_time() - before < 1.0  # some 10 ms; minutes if every pointer read its name again


# -- limits ------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_told() -> None:
    message = DNSMessage.unpack(HEADER + QUESTION)
    for name, value in [("op_code", 16), ("response_code", 16), ("reserved", 8), ("id", 65536), ("id", -1)]:
        wrong = message.copy()
        setattr(wrong, name, value)
        with pytest.raises(ValueError, match=rf"{name}|a number of a DNS message"):
            wrong.packed  # noqa: B018
    with pytest.raises(ValueError, match="65535 are the most"):
        message.succeed([ResourceRecord("a", 16, 1, 1, b"x" * 40000)] * 2).packed  # noqa: B018
    with pytest.raises(ValueError, match="a number of a DNS message"):
        message.succeed([ResourceRecord("a", 16, 1, -1, b"")]).packed  # noqa: B018


# -- against another implementation ------------------------------------------------------------------------------


@given(st.lists(records.filter(lambda record: record.type not in (41, 249, 250)), max_size=4), st.data())
def test_another_implementation_reads_what_we_write(answers: list[RecordParts], data: st.DataObject) -> None:
    kind = data.draw(st.integers(65280, 65534))  # private use: nobody looks into their data
    message = MessageParts(1, 0x8180, [], [record._replace(type=kind, ttl=1) for record in answers], [], [])
    theirs = dns.message.from_wire(dns_wire.pack(message), one_rr_per_rrset=True)
    read = [(rrset.name.to_wire(), rrset.rdtype, rrset.rdclass, rrset[0].to_wire()) for rrset in theirs.answer]
    assert read == [(pack_name(record.name), kind, record.class_, record.data) for record in message.answers]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("MX 10 mail.example.", "10 mail.example"),
        ("SOA ns.example. root.a.example. 1 2 3 4 5", "ns.example root.a.example 1 2 3 4 5"),
        ("SRV 1 2 443 host.example.", "1 2 443 host.example"),
        ('NAPTR 1 2 "s" "SIP+D2U" "" _sip._udp.example.', None),
        ('TXT "one" "two"', '"one" "two"'),
        ("AAAA 2001:db8::1", "2001:db8::1"),
        ("HTTPS 1 . alpn=h2,h3", "1 . alpn=h2,h3"),
        ("CAA 0 issue ca.example", None),
        ("NS .", "."),
    ],
)
def test_records_as_another_implementation_writes_them(text: str, shown: str | None) -> None:
    lines = f"id 7\nopcode QUERY\nflags QR\n;QUESTION\na.example. IN ANY\n;ANSWER\na.example. 60 IN {text}\n"
    theirs = dns.message.from_text(lines)
    ours = DNSMessage.unpack(theirs.to_wire())
    assert dns.message.from_wire(ours.packed) == theirs
    (record,) = ours.answers
    assert record.data == theirs.answer[0][0].to_wire()
    assert shown in (None, record.data_text())
