"""The data of HTTPS records, and the views that records give on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdump.dns import ResourceRecord, svcb
from flowdump.dns.svcb import HTTPSRecord
from flowdump.dns.wire import MalformedMessage

DATA = b"\0\1\0\0\1\0\6\2h2\2h3\0\5\0\2ee\0\x4d\0\1x"

records = st.builds(
    HTTPSRecord,
    st.integers(0, 65535),
    st.sampled_from(["", "a.example", "bücher.example", r"a\.b"]),
    st.dictionaries(st.integers(0, 65535), st.binary(max_size=20), max_size=5),
)


@given(records)
def test_there_and_back(record: HTTPSRecord) -> None:
    assert svcb.unpack(svcb.pack(record)) == record
    assert HTTPSRecord.from_json(record.to_json()) == record


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_malformed(data: bytes) -> None:
    try:
        record = svcb.unpack(data)
    except MalformedMessage:
        return
    assert svcb.unpack(svcb.pack(record)) == record


@pytest.mark.parametrize("data", [DATA[:n] for n in (0, 1, 2, 4, 6, 8, 12, 15, 18)])
def test_records_that_are_cut_off(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        svcb.unpack(data)


def test_json() -> None:
    record = svcb.unpack(DATA[:-1] + b"\xff")
    shown = {"target_name": "", "priority": 1, "alpn": "\\x02h2\\x02h3", "ech": "ee", 77: "\\xff"}
    assert record.to_json() == shown
    odd = HTTPSRecord(1, "", {3: b"'\"\\\n\xff\0"})
    assert odd.to_json()["port"] == "'\"\\\\\\n\\xff\\x00"
    with pytest.raises(ValueError, match="invalid literal"):
        HTTPSRecord.from_json({"target_name": "", "priority": 1, "colour": "blue"})


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="does not fit its field"):
        svcb.pack(HTTPSRecord(65536, ""))
    with pytest.raises(ValueError, match="not a domain name"):
        svcb.pack(HTTPSRecord(1, "a..b"))
    with pytest.raises(ValueError, match="range"):
        svcb.pack_alpn([b"x" * 256])


def test_views_of_a_record() -> None:
    record = ResourceRecord.HTTPS("a.example", svcb.unpack(DATA))
    assert (record.type, record.class_, record.ttl, record.data) == (65, 1, 60, DATA)
    assert (record.https_alpn, record.https_ech) == ((b"h2", b"h3"), "ZWU=")
    record.https_ech = None
    record.https_alpn = [b"h2"]
    assert svcb.unpack(record.data).params == {77: b"x", 1: b"\2h2"}
    record.https_alpn = None
    record.https_ech = "AAE="
    assert svcb.unpack(record.data).params == {77: b"x", 5: b"\0\1"}
    assert (record.https_alpn, record.https_ech) == (None, "AAE=")
    with pytest.raises(ValueError, match=r"."):
        record.https_ech = "no base64"


@pytest.mark.parametrize("data", [b"x", b"\0\1\0\0\1\0\1\5"])
def test_views_on_data_of_another_kind(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        ResourceRecord("a", 65, 1, 60, data).https_alpn  # noqa: B018
