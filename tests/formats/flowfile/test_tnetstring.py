"""Tagged netstrings: the dialect byte by byte, and that no input raises anything but TnetstringError."""

from __future__ import annotations

import enum
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.formats.flowfile import tnetstring
from flowdump.formats.flowfile.tnetstring import EncodeError, TnetstringError, dumps, loads, parse

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.binary(max_size=300),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=100),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(SCALARS, inner, max_size=6)),
    max_leaves=30,
)
SAMPLE = dumps(
    {
        "websocket": None,
        "request": {"headers": [[b"Host", b"a.b"]], "port": 80, "path": b"/" * 120, "timestamp_start": 1.5},
        "intercepted": False,
        "id": "f1-é",
        "version": 21,
    }
)


def read(data: bytes) -> Any:
    """The value, or the error that says why there is none. Any other exception is for the test to fail on."""
    try:
        return loads(data)
    except TnetstringError as error:
        return error


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (b"hi", b"2:hi,"),
        (b"", b"0:,"),
        ("hé", b"3:h\xc3\xa9;"),
        (0, b"1:0#"),
        (-17, b"3:-17#"),
        (1.0, b"3:1.0^"),
        (1e16, b"5:1e+16^"),
        (-0.0, b"4:-0.0^"),
        (math.inf, b"3:inf^"),
        (True, b"4:true!"),
        (False, b"5:false!"),
        (None, b"0:~"),
        ([], b"0:]"),
        ([1, [b"a"]], b"11:1:1#4:1:a,]]"),
        ({}, b"0:}"),
        ({"b": 1, "a": 2}, b"16:1:b;1:1#1:a;1:2#}"),
        ({b"k": "v", 3: None}, b"15:1:k,1:v;1:3#0:~}"),
    ],
)
def test_each_type_is_written_and_read_back(value: object, encoded: bytes) -> None:
    assert dumps(value) == encoded
    back = loads(encoded)
    assert back == value
    assert type(back) is type(value)


def test_tuples_are_written_as_lists() -> None:
    assert loads(dumps((1, (2, "x")))) == [1, [2, "x"]]


def test_children_of_the_scalar_types_are_written_as_their_parents() -> None:
    class Colour(enum.IntEnum):
        RED = 7

    class Text(str):
        __slots__ = ()

    class Number(float):
        def __repr__(self) -> str:
            return "not a number at all"

    assert dumps([Colour.RED, Text("t"), Number(2.5)]) == b"14:1:7#1:t;3:2.5^]"
    assert dumps({Colour.RED: 1}) == b"8:1:7#1:1#}"


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (b"3: +5#", 5),
        (b"4:1_0 #", 10),
        (b"1:5^", 5.0),
        (b"4:1e16^", 1e16),
        (b"007:1:a;0:~]", ["a", None]),
        (b"15:1:a;0:~1:a;1:1#}", {"a": 1}),
    ],
)
def test_odd_spellings_that_mitmproxy_reads_are_read(encoded: bytes, value: object) -> None:
    back = loads(encoded)
    assert back == value
    assert type(back) is type(value)


def test_nan_is_read() -> None:
    assert math.isnan(loads(b"3:nan^"))
    assert dumps(math.nan) == b"3:nan^"


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"", 0),
        (b"5", 0),
        (b"5:", 0),
        (b"5:abc,", 0),
        (b"5:abcde", 0),
        (b"+1:a,", 0),
        (b" 1:a,", 0),
        (b"-1:a,", 0),
        (b":a,", 0),
        (b"x", 0),
        (b"\n0:~", 0),
        (b"0000000000001:a,", 0),
        (b"999999999999:", 0),
        (b"1:a?", 3),
        (b"1:a~", 0),
        (b"3:yes!", 0),
        (b"4:True!", 0),
        (b"0:#", 0),
        (b"1:x#", 0),
        (b"0:^", 0),
        (b"2:\xff\xfe;", 0),
        (b"3:\xed\xa0\x80;", 0),
        (b"4:1:a;}", 0),
        (b"6:0:]0:~}", 0),
        (b"6:0:}0:~}", 0),
        (b"4:9:a;]", 2),
        (b"4:A:a;]", 2),
        (b"5:+1:a;]", 2),
        (b"6: 1 :a;]", 2),
        (b"6:1_0:a;]", 2),
        (b"7:+001:a;]", 2),
        (b"5:A1:a;]", 2),
        (b"6:-10:a;]", 2),
        (b"1:1]", 2),
        (b"4:aaaa]", 2),
        (b"16:0000000000001:a,]", 3),
        (b"7:0:~1:x#]", 5),
        (b"0:~0:~", 3),
    ],
)
def test_what_is_not_a_tnetstring_is_refused_with_its_place(data: bytes, offset: int) -> None:
    with pytest.raises(TnetstringError) as caught:
        loads(data)
    assert caught.value.offset == offset
    assert f"byte {offset}" in str(caught.value)


def test_an_integer_too_long_for_python_is_refused() -> None:
    with pytest.raises(TnetstringError):
        loads(b"5000:" + b"9" * 5000 + b"#")
    with pytest.raises(EncodeError, match="too many digits"):
        dumps(10**5000)


def test_parse_walks_a_file_of_records() -> None:
    data = b"xx" + dumps({"a": 1}) + dumps([b"b"])
    first, offset = parse(data, 2)
    second, end = parse(data, offset)
    assert (first, second, end) == ({"a": 1}, [b"b"], len(data))


def test_parse_stays_before_the_given_end() -> None:
    data = dumps(b"0123456789")
    assert parse(data, 0, len(data) + 5) == (b"0123456789", len(data))
    for end in range(len(data)):
        with pytest.raises(TnetstringError):
            parse(data, 0, end)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_depth_is_bounded_both_ways() -> None:
    deepest = nested(tnetstring.MAX_DEPTH)
    assert loads(dumps(deepest)) == deepest
    with pytest.raises(EncodeError, match="levels deep"):
        dumps(nested(tnetstring.MAX_DEPTH + 1))
    data = b"1:x,"
    for _ in range(tnetstring.MAX_DEPTH + 1):
        data = b"%d:%b]" % (len(data), data)
    with pytest.raises(TnetstringError, match="levels deep"):
        loads(data)


def test_a_value_that_contains_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    with pytest.raises(EncodeError, match="levels deep"):
        dumps(endless)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1, 2}, "value: cannot store a value of type set"),
        ({"a": [0, {"b": object()}]}, r"value\['a'\]\[1\]\['b'\]: cannot store a value of type object"),
        ({"a": bytearray(b"x")}, r"value\['a'\]: cannot store a value of type bytearray"),
        (["\udc80"], r"value\[0\]: text with lone surrogates"),
        ({"\udc80": 1}, r"value\['\\udc80'\]: text with lone surrogates"),
        ({(1, 2): 1}, r"value\[\(1, 2\)\]: cannot store a value of type tuple"),
    ],
)
def test_what_cannot_be_stored_is_named_by_its_path(value: object, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        dumps(value)


@given(VALUES)
@settings(deadline=None)
def test_round_trip(value: object) -> None:
    data = dumps(value)
    assert loads(data) == value
    assert dumps(loads(data)) == data


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_any_bytes_are_a_value_or_a_clean_error(data: bytes) -> None:
    outcome = read(data)
    if isinstance(outcome, TnetstringError):
        assert 0 <= outcome.offset <= len(data)
    else:
        assert len(dumps(outcome)) >= 3


@given(st.lists(st.sampled_from([b"1", b"2", b"0", b":", b",", b";", b"#", b"]", b"}", b"~", b"!", b"^", b"-"])))
@settings(deadline=None)
def test_any_soup_of_the_formats_own_characters_is_a_value_or_a_clean_error(soup: list[bytes]) -> None:
    data = b"".join(soup)
    for framed in (data, b"%d:%b]" % (len(data), data), b"%d:%b}" % (len(data), data)):
        outcome = read(framed)
        if isinstance(outcome, TnetstringError):
            assert 0 <= outcome.offset <= len(framed)
        else:
            assert loads(dumps(outcome)) == outcome


def test_every_truncation_is_refused() -> None:
    for size in range(len(SAMPLE)):
        with pytest.raises(TnetstringError):
            loads(SAMPLE[:size])


def test_every_flipped_bit_gives_a_value_or_a_clean_error() -> None:
    refused = 0
    for index in range(len(SAMPLE) * 8):
        flipped = bytearray(SAMPLE)
        flipped[index // 8] ^= 1 << index % 8
        refused += isinstance(read(bytes(flipped)), TnetstringError)
    assert refused > len(SAMPLE)
