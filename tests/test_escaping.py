from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.escaping import escape_controls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, https://example.com/a?b=c", "plain text, https://example.com/a?b=c"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("first\rsecond\nthird", r"first\rsecond\nthird"),
        ("tab\tstays", "tab\tstays"),
        ("\x00\x7f\x80\x9b", r"\x00\x7f\x80\x9b"),
        ("a\u202eb\u2066c\u2069", r"a\u202eb\u2066c\u2069"),
        ("lone \ud83d and byte \udcff", r"lone \ud83d and byte \xff"),
        ("\u2028\ufeff\u200b\xad", r"\u2028\ufeff\u200b\xad"),
        ("tag \U000e0041", r"tag \U000e0041"),
        (
            "d\u0113 \u4f60\u597d \U0001f468\u200d\U0001f469 \u3000\xa0",
            "d\u0113 \u4f60\u597d \U0001f468\u200d\U0001f469 \u3000\xa0",
        ),
        ("", ""),
    ],
)
def test_escapes(text: str, shown: str) -> None:
    assert escape_controls(text) == shown


def test_ordinary_text_is_returned_as_the_same_object() -> None:
    text = "GET https://example.com/path"
    assert escape_controls(text) is text


def test_fast_path_agrees_with_the_pattern_for_every_character() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        shown = escape_controls(character)
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} and character != "\t":
            assert shown.startswith("\\"), hex(code)
        elif character.isprintable():
            assert shown == character, hex(code)


def test_every_bidirectional_control_is_escaped() -> None:
    steering = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
    found = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.bidirectional(chr(code)) in steering]
    assert len(found) == 9
    assert all(escape_controls(character).startswith("\\u") for character in found)


@settings(deadline=None)
@given(st.text(st.characters(categories=("Cc", "Cf", "Cs", "Ll", "Zl", "Zp", "Zs", "Po"))))
def test_nothing_that_drives_a_terminal_is_left(text: str) -> None:
    shown = escape_controls(text)
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shown.replace("\t", ""))
    assert shown.encode().decode() == shown
    assert escape_controls(shown) == shown
