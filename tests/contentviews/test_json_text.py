from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.contentviews.body import Body
from flowdump.contentviews.json_text import json_lines, lines


def shown(text: str) -> list[str]:
    return list(json_lines(text))


def test_objects_are_indented_and_simple_arrays_stay_on_a_line() -> None:
    assert shown('{"a":[1,2.50,"x"],"b":{"c":null,"d":[]},"e":{ },"f":[{"g":true}]}') == [
        "{",
        '  "a": [1, 2.50, "x"],',
        '  "b": {',
        '    "c": null,',
        '    "d": []',
        "  },",
        '  "e": {},',
        '  "f": [',
        "    {",
        '      "g": true',
        "    }",
        "  ]",
        "}",
    ]


def test_long_arrays_are_broken_into_lines() -> None:
    numbers = list(range(100, 160))
    assert shown(json.dumps(numbers)) == ["[", *(f"  {number}," for number in numbers[:-1]), "  159", "]"]


def test_numbers_order_and_duplicate_keys_stay_as_written() -> None:
    text = '{"z":1.0,"a":123456789012345678901234567890,"z":1E400,"n":NaN,"m":-0}'
    assert shown(text) == [
        "{",
        '  "z": 1.0,',
        '  "a": 123456789012345678901234567890,',
        '  "z": 1E400,',
        '  "n": NaN,',
        '  "m": -0',
        "}",
    ]


def test_numbers_longer_than_python_converts_are_no_obstacle() -> None:
    digits = "9" * 10_000
    assert shown(f'{{"n":{digits}}}')[1] == f'  "n": {digits}'


def test_only_escapes_of_printable_characters_are_decoded() -> None:
    text = r'"\u00e9 \ud83d\ude00 \u001b[2J \u202e \u0022 \u005c \\u0041 \/ \n \ud800"'
    assert shown(text) == [r'"é 😀 \u001b[2J \u202e \u0022 \u005c \\u0041 / \n \ud800"']


def test_json_lines_and_record_separators() -> None:
    assert shown('{"a":1}\n[2]\r\n"x"\n') == ["{", '  "a": 1', "}", "[2]", '"x"']
    assert shown("\x1e[1]\n\x1e[2]\n") == ["[1]", "[2]"]


@pytest.mark.parametrize("guard", [")]}'", ")]}',", "for(;;);", "while(1);"])
def test_guards_against_inclusion_stay_on_their_own_line(guard: str) -> None:
    assert shown(f'{guard}\n["x"]') == [guard, '["x"]']


def test_byte_order_mark_and_utf_16() -> None:
    assert list(lines(Body('\ufeff{"ä":1}'.encode(), "application/json"))) == ["{", '  "ä": 1', "}"]
    assert list(lines(Body('{"ä":1}'.encode("utf-16"), "application/json"))) == ["{", '  "ä": 1', "}"]


@pytest.mark.parametrize(
    "text", ["", "{", '{"a":1', "[1,]", "{'a':1}", "[1] x", "hello", "[1] [2]", "1\n2 x", '{"a" 1}', "[1]]"]
)
def test_anything_else_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_lines(text)


def test_nesting_bombs_are_refused() -> None:
    for bomb in ("[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000):
        with pytest.raises((RecursionError, ValueError)):
            json_lines(bomb)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@settings(deadline=None)
@given(documents, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_meaning_is_kept(document: object, ascii_only: bool, indentation: int | str | None) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indentation)
    pretty = shown(text)
    assert json.loads("\n".join(pretty)) == document
    assert not any(re.search(r"\s$", line) for line in pretty)
