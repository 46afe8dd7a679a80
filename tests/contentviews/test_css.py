from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.contentviews.body import Body
from flowdump.contentviews.css import lines


def shown(text: str) -> list[str]:
    return list(lines(Body(text.encode(), "text/css")))


def test_minified_sheet() -> None:
    sheet = (
        '@charset "utf-8";/* note */a:hover,b{color:red;background:url(data:image/png;base64,A=)}'
        '@media (min-width:1px){p::after{content:"};{";margin:0 0 1px}}:root{--x:;--y:1}'
    )
    assert shown(sheet) == [
        '@charset "utf-8";',
        "/* note */",
        "a:hover,b {",
        "  color: red;",
        "  background: url(data:image/png;base64,A=)",
        "}",
        "@media (min-width:1px) {",
        "  p::after {",
        '    content: "};{";',
        "    margin: 0 0 1px",
        "  }",
        "}",
        ":root {",
        "  --x:;",
        "  --y: 1",
        "}",
    ]


def test_long_lists_are_broken_at_commas() -> None:
    made = shown(",".join(f".selector-{number}" for number in range(30)) + "{a:b}")
    assert all(len(line) < 140 for line in made)
    assert made[0].startswith(".selector-0,")
    assert made[1].startswith("  .selector-")
    assert made[-3:][0].endswith(" {")


def test_comments_over_several_lines_are_kept() -> None:
    assert shown("/* a\n   b */\np{}") == ["/* a", "   b */", "p {", "}"]


def test_broken_sheets_are_shown_to_the_end() -> None:
    assert shown('p{a:"b') == ["p {", '  a:"b']
    assert shown("}}p{(;}") == ["}", "}", "p {", "  (;", "}"]


def test_no_style_sheet_is_refused() -> None:
    with pytest.raises(ValueError, match="no style sheet"):
        lines(Body(b"just words"))


PIECES = r"""{ } ; : , ( ) " ' \ /* */ / url( a --b @m é &"""
pieces = st.lists(st.sampled_from([*PIECES.split(), " ", "\n"]), max_size=40).map("".join)


@settings(deadline=None)
@given(pieces)
def test_only_white_space_changes(text: str) -> None:
    assert "".join("".join(shown(";" + text)).split()) == "".join((";" + text).split())
