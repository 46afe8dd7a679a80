"""JSON of HAR entries: the same bytes with orjson and without it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdump.formats.har import json_text
from flowdump.formats.har.json_text import dumps, entry_bytes

#: What entries hold beside strings: sizes, and times in milliseconds with three decimals.
NUMBERS = st.integers(-(2**70), 2**70) | st.integers(0, 10**12).map(lambda n: n / 1000)
TEXT = st.text(st.characters(exclude_categories=[])) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def without_orjson(entry: dict[str, Any]) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "orjson", None)
        return entry_bytes(entry)


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_orjson_changes_no_byte(entry: dict[str, Any]) -> None:
    assert entry_bytes(entry) == without_orjson(entry)


@pytest.mark.parametrize("number", [1e-7, 1e16, 1.5e300, 5e-324, -0.0])
def test_floats_in_metadata_are_written_as_python_does(number: float) -> None:
    entry = {"_flowdump": {"metadata": {"x": number}}}
    assert entry_bytes(entry) == without_orjson(entry) == dumps(entry).encode()


def test_lone_surrogates_become_question_marks() -> None:
    assert entry_bytes({"a": "x\ud800y"}) == b'{"a":"x?y"}'


@pytest.mark.parametrize("value", [b"bytes", datetime.date(2026, 12, 1), {1, 2}, object()])
def test_values_that_json_lacks_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        entry_bytes({"a": value})


def test_cycles_and_deep_nesting_are_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(ValueError, match="Circular"):
        dumps(cycle)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        dumps(deep)
