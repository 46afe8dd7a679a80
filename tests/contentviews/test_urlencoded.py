from __future__ import annotations

import pytest

from flowdump.contentviews.body import Body
from flowdump.contentviews.urlencoded import lines


def shown(content: bytes) -> list[str]:
    return list(lines(Body(content, "application/x-www-form-urlencoded")))


def test_fields_are_decoded_and_aligned() -> None:
    assert shown(b"a=1&long_name=x+y%20z%2B&caf%C3%A9=%E4&empty=&bare&=v&a=2\r\n") == [
        "a:         1",
        "long_name: x y z+",
        "café:      ä",
        "empty:",
        "bare:",
        ":          v",
        "a:         2",
    ]


def test_values_of_several_lines_and_json_go_below_their_name() -> None:
    assert shown(b"t=one%0D%0Atwo&j=%7B%22k%22%3A[1]%7D&n={no%7D&m={%0Ano") == [
        "t:",
        "  one",
        "  two",
        "j:",
        "  {",
        '    "k": [1]',
        "  }",
        "n: {no}",
        "m:",
        "  {",
        "  no",
    ]


def test_damaged_escapes_stay() -> None:
    assert shown(b"a=%zz%4&b=100%") == ["a: %zz%4", "b: 100%"]


def test_binary_content_is_no_form() -> None:
    with pytest.raises(ValueError, match="not a form"):
        lines(Body(b"a=\x00"))
