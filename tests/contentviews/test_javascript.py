from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.contentviews.body import Body
from flowdump.contentviews.javascript import Formatter, lines


def shown(code: str) -> list[str]:
    return list(Formatter(code).format())


def test_statements_and_blocks() -> None:
    assert shown('"use strict";function f(a,b){if(a){return b;}else{throw new Error("no;{")}}var x=1;f(x)') == [
        '"use strict";',
        "function f(a,b){",
        '  if(a){return b;}else{throw new Error("no;{")}',
        "}",
        "var x=1;",
        "f(x)",
    ]


def test_blocks_longer_than_a_glance_are_opened() -> None:
    body = "a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;b=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    assert shown(f"for(;;){{{body}}}next()") == [
        "for(;;){",
        "  a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;",
        "  b=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "}",
        "next()",
    ]


@pytest.mark.parametrize(
    "code",
    [
        "a=`x;${`y;${b};`};{`+c",
        "a=b?/[/;{]\\/;/g:c/d/e",
        "if(a)/;{/.test(b)",
        "x=(a)/b/c",
        "return/;{/",
        "a='it\\'s;{'+\"\\\";\"",
        "for(a=0;a<b;a++)c",
        "/* ;{} */a",
        "a=b /* c */",
        "x={a:1}.a/2",
        "x=function(){}(1)",
        "a?.b??c",
        "(a,b)=>{}",
    ],
)
def test_what_must_stay_on_one_line(code: str) -> None:
    assert shown(code) == [code]


def test_line_breaks_that_are_there_stay() -> None:
    assert shown("return\na\n++\nb\n\n\nc") == ["return", "a", "++", "b", "c"]


def test_templates_keep_their_white_space() -> None:
    assert shown("f(`a\n   b ${c}  \n d`);g") == ["f(`a", "   b ${c}  ", " d`);", "g"]


def test_line_comments_end_with_their_line() -> None:
    assert shown("a();// b; {\nc()") == ["a();", "// b; {", "c()"]


def test_long_lines_are_broken_after_commas_and_logical_operators() -> None:
    made = shown("x=[" + ",".join(["item"] * 60) + "]")
    assert all(len(line) < 120 for line in made)
    assert all(line.endswith(",") for line in made[:-1])


def test_code_with_lines_of_its_own_is_left_alone() -> None:
    code = "function f( a )\n{\n\n    return a ;\n}\n"
    assert list(lines(Body(code.encode(), "text/javascript"))) == ["function f( a )", "{", "", "    return a ;", "}"]


def test_minified_code_is_recognised_by_its_long_lines() -> None:
    code = "/* licence */\n" + "f();" * 100
    assert list(lines(Body(code.encode()))) == ["/* licence */", *["f();"] * 100]


PIECES = r"""{ } ( ) [ ] ; , / // /* */ ` ${ " ' \ a return if = => ++ && 1 . else é"""
pieces = st.lists(st.sampled_from([*PIECES.split(), " ", "\n", "\r\n", "\u2028"]), max_size=40).map("".join)


@settings(deadline=None)
@given(pieces)
def test_only_white_space_is_added_or_taken(code: str) -> None:
    assert "".join("".join(shown(code)).split()) == "".join(code.split())


@settings(deadline=None)
@given(pieces)
def test_formatting_twice_changes_no_more_characters(code: str) -> None:
    once = "\n".join(shown(code))
    assert "".join("".join(shown(once)).split()) == "".join(once.split())
