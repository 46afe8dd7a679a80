"""DNS messages, the records that scripts make, and flows."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from tests.support.flows import dns_flow
from tests.support.states import dns_message_state

from flowdump.connection import Client, Server
from flowdump.dns import RESPONSE_CODES, TYPES, DNSFlow, DNSMessage, Question, ResourceRecord, pack_name, type_name
from flowdump.test.tutils import tdnsreq

RECORD = ResourceRecord("a.example", 1, 1, 60, b"\x01\x02\x03\x04")


def message(**facts: Any) -> DNSMessage:
    known = {"timestamp": 1.0, "id": 7, "questions": [Question("a.example", 1, 1)]}
    return tdnsreq(**(known | facts))


# -- messages ----------------------------------------------------------------------------------------------------


def test_state() -> None:
    m = message(answers=[RECORD])
    state = m.get_state()
    assert state == dns_message_state(
        timestamp=1.0,
        questions=[{"name": "a.example", "type": 1, "class_": 1}],
        answers=[{"name": "a.example", "type": 1, "class_": 1, "ttl": 60, "data": b"\x01\x02\x03\x04"}],
    )
    assert DNSMessage.from_state(state) == m
    assert type(DNSMessage.from_state(state).answers[0]) is ResourceRecord


def test_copies_share_nothing() -> None:
    m = message(answers=[RECORD.copy()])
    twin = m.copy()
    twin.answers[0].data = b""
    twin.questions.clear()
    assert m.answers == [RECORD]
    assert m.question == Question("a.example", 1, 1)


def test_the_question() -> None:
    assert str(message().question) == "a.example"
    assert message(questions=[]).question is None
    assert message(questions=[Question("a", 1, 1)] * 2).question is None


def test_succeed() -> None:
    asked = message(authoritative_answer=True, truncation=True, reserved=3, additionals=[RECORD], authorities=[RECORD])
    answer = asked.succeed([RECORD])
    assert answer.timestamp is not None
    assert answer.timestamp > 1_700_000_000
    expected = message(query=False, recursion_available=True, answers=[RECORD], timestamp=answer.timestamp)
    assert answer == expected
    assert asked.query
    assert answer.questions is not asked.questions


def test_fail() -> None:
    answer = message(op_code=2, recursion_desired=False).fail(3)
    expected = message(query=False, op_code=2, recursion_desired=False, response_code=3, timestamp=answer.timestamp)
    assert answer == expected
    assert RESPONSE_CODES[answer.response_code] == "NXDOMAIN"
    with pytest.raises(ValueError, match="means success"):
        message().fail(0)


def test_for_people() -> None:
    assert str(message(answers=[RECORD])) == "a.example\r\n1.2.3.4"
    assert message(answers=[RECORD], additionals=[RECORD]).size == 8
    assert (type_name(28), type_name(1234), TYPES[65]) == ("AAAA", "TYPE1234", "HTTPS")


# -- records -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (1, b"\x01\x02\x03\x04", "1.2.3.4"),
        (28, b"\0" * 15 + b"\x01", "::1"),
        (5, b"\x01a\x01b\0", "a.b"),
        (2, b"\0", "."),
        (12, b"\x02\xc3\xa4\0", "\\195\\164"),
        (6, b"\1a\0\0" + bytes(19) + b"\5", "a . 0 0 0 0 5"),
        (33, b"\0\1\0\2\1\xbb\1a\0", "1 2 443 a"),
        (33, b"\0\1\0\2", "00010002"),
        (65, b"\0\1\0\0\1\0\6\2h2\2h3\0\3\0\2\1\xbb", "1 . alpn=h2,h3 port=\\x01\\xbb"),
        (64, b"\0\0\1a\0", "0 a"),
        (65, b"\0", "00"),
        (15, b"\0\x0a\x01a\0", "10 a"),
        (16, b"\x03abc\x01d", '"abc" "d"'),
        (16, b"", ""),
        (99, b"\xff", "ff"),
        (1, b"\x01", "01"),
        (5, b"\x05a", "0561"),
        (5, b"", ""),
        (15, b"\0", "00"),
    ],
)
def test_data_text(kind: int, data: bytes, text: str) -> None:
    record = ResourceRecord("n", kind, 1, 60, data)
    assert record.data_text() == text


@pytest.mark.parametrize(
    ("record", "kind", "ttl", "data"),
    [
        (ResourceRecord.A("n", IPv4Address("1.2.3.4")), 1, 60, b"\x01\x02\x03\x04"),
        (ResourceRecord.AAAA("n", IPv6Address("::1"), ttl=5), 28, 5, b"\0" * 15 + b"\x01"),
        (ResourceRecord.CNAME("n", "www.example"), 5, 60, b"\x03www\x07example\0"),
        (ResourceRecord.PTR("n", "bücher.example."), 12, 60, b"\x0dxn--bcher-kva\x07example\0"),
        (ResourceRecord.TXT("n", "ä"), 16, 60, b"\x02\xc3\xa4"),
        (ResourceRecord.TXT("n", ""), 16, 60, b"\0"),
        (ResourceRecord.TXT("n", "x" * 300), 16, 60, b"\xff" + b"x" * 255 + b"\x2d" + b"x" * 45),
    ],
)
def test_making_records(record: ResourceRecord, kind: int, ttl: int, data: bytes) -> None:
    assert record == ResourceRecord("n", kind, 1, ttl, data)


def test_views_on_the_data() -> None:
    record = ResourceRecord.A("n", IPv4Address("1.2.3.4"))
    assert record.ipv4_address == IPv4Address("1.2.3.4")
    record.ipv4_address = IPv4Address("5.6.7.8")
    assert record.data == b"\x05\x06\x07\x08"
    record.ipv6_address = IPv6Address("::2")
    assert (record.ipv6_address, len(record.data)) == (IPv6Address("::2"), 16)
    record.domain_name = "a.b"
    assert (record.domain_name, record.data) == ("a.b", b"\x01a\x01b\0")
    record.text = "x" * 300
    assert (record.text, len(record.data)) == ("x" * 300, 302)


@pytest.mark.parametrize("view", ["ipv4_address", "ipv6_address", "domain_name"])
def test_views_on_data_of_another_kind(view: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        getattr(ResourceRecord("n", 1, 1, 60, b"\x05abc-"), view)


@pytest.mark.parametrize("name", ["a..b", ".a", "x" * 64, "a." + "x" * 64 + ".b"])
def test_names_that_cannot_be_packed(name: str) -> None:
    with pytest.raises(ValueError, match="not a domain name"):
        pack_name(name)


@pytest.mark.parametrize("name", ["", "."])
def test_the_root(name: str) -> None:
    assert pack_name(name) == b"\0"


# -- flows -------------------------------------------------------------------------------------------------------


def test_flows() -> None:
    flow = dns_flow("a.example", "192.0.2.7")
    state = flow.get_state()
    assert (state["type"], state["request"]["questions"][0]["name"]) == ("dns", "a.example")
    twin = DNSFlow.from_state(state)
    assert twin.request == flow.request
    assert twin.response == flow.response
    assert dns_flow("a.example").get_state()["response"] is None
    assert repr(flow).startswith("<DNSFlow\n  request = DNSMessage(id=")


def test_a_flow_without_a_request() -> None:
    flow = DNSFlow(Client(), Server())
    assert flow.response is None
    with pytest.raises(AttributeError, match="request"):
        flow.request  # noqa: B018


# -- JSON --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "data"),
    [
        (RECORD, "1.2.3.4"),
        (ResourceRecord("a", 28, 1, 5, b"\0" * 15 + b"\x01"), "::1"),
        (ResourceRecord("a", 2, 3, 5, b"\x01b\x01c\0"), "b.c"),
        (ResourceRecord("a", 16, 1, 5, b"\x03a\xc3\xa4"), "aä"),
        (ResourceRecord("a", 65, 1, 5, b"\0\1\0\0\1\0\3\2h2"), {"target_name": "", "priority": 1, "alpn": "\\x02h2"}),
        (ResourceRecord("a", 15, 1, 5, b"\0\x0a\x01b\0"), "0x000a016200"),
        (ResourceRecord("a", 1, 1, 5, b"12"), "0x3132 (invalid A data)"),
        (ResourceRecord("a", 12, 1, 5, b"\x01a\0x"), "0x01610078 (invalid PTR data)"),
        (ResourceRecord("a", 16, 1, 5, b"\x02\xff\xfe"), "0x02fffe (invalid TXT data)"),
        (ResourceRecord("a", 65, 1, 5, b""), "0x (invalid HTTPS data)"),
        (ResourceRecord("a", 777, 77, 5, b""), "0x"),
    ],
)
def test_records_as_json(record: ResourceRecord, data: object) -> None:
    shown = record.to_json()
    assert shown["data"] == data
    assert str(record) == str(data)
    assert ResourceRecord.from_json(shown) == record


def test_messages_as_json() -> None:
    m = message(answers=[RECORD], response_code=3, op_code=9, questions=[Question("a", 777, 77)])
    shown = m.to_json()
    assert shown == {
        "id": 7,
        "query": True,
        "op_code": "OPCODE(9)",
        "authoritative_answer": False,
        "truncation": False,
        "recursion_desired": True,
        "recursion_available": False,
        "response_code": "NXDOMAIN",
        "status_code": 404,
        "questions": [{"name": "a", "type": "TYPE(777)", "class": "CLASS(77)"}],
        "answers": [{"name": "a.example", "type": "A", "class": "IN", "ttl": 60, "data": "1.2.3.4"}],
        "authorities": [],
        "additionals": [],
        "size": 4,
        "timestamp": 1.0,
    }
    assert DNSMessage.from_json(shown) == m
    assert "timestamp" not in message(timestamp=None).to_json()


@pytest.mark.parametrize(
    "changes",
    [{"type": "B"}, {"type": "TYPE()"}, {"class": "TYPE1"}, {"type": "MX", "data": "a"}, {"type": "A", "data": "1"}],
)
def test_json_that_is_no_record(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ResourceRecord.from_json(RECORD.to_json() | changes)
    assert Question.from_json({"name": "a", "type": "TYPE777", "class": "CLASS7"}) == Question("a", 777, 7)
