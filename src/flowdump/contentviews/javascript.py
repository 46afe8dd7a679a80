"""javascript: minified code is broken into lines and indented; code with lines of its own is shown as it is.

Only white space changes, and only where it means nothing. Line breaks matter in JavaScript where the grammar says "no
LineTerminator here" (after return, throw, break, continue, yield, async; before =>, ++ and --) and where a statement
cannot go on without one. So breaks that are there stay, and new ones come only after ``{``, ``;``, ``,``, ``&&``,
``||``, before ``}``, and after ``}`` if the next token cannot belong to the same expression. Strings, templates,
regular expressions and comments are single tokens.

Whether ``/`` divides or begins a regular expression depends on the token before it; ``)`` is told apart by what stood
before its opening parenthesis (``if (x) /re/`` against ``(a) / b``). A wrong guess costs beauty, never a character.

Linear time: patterns are possessive, what is never closed goes on to the end (of the line for strings), and after a
regular expression that is never closed, classes in brackets are no longer looked for in that line (see `_regex`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdump.contentviews.layout import indent, split_lines, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowdump.contentviews.body import Body

# Code is minified when most of it is in lines longer than people write them.
_MINIFIED = 200
_SAMPLE = 65_536
_WIDTH = 100

# What is repeated possessively and is more than a class is an atomic group, (?>...)*+ and not (?:...)*+, in all of the
# package: Python before 3.11.5 goes on from the middle of a last round that fails half-way (gh-106052) unless the round
# gives its start back, as an atomic group does. (?>(?:...)*) would do too, but remembers every round: 100 bytes each.
_TOKEN = re.compile(
    r"""
    (?P<newline> [ \t\r\f\v]*+\n\s*+ ) | (?P<space> [^\S\n]++ )
    | (?P<comment> //[^\n]*+ | /\*(?>[^*]++|\*(?!/))*+(?:\*/)? )
    | (?P<value> "(?>[^"\\\n]++|\\.)*+"?+ | '(?>[^'\\\n]++|\\.)*+'?+ )
    | (?P<word> [\w$\#@\\]++ )
    | (?P<slash> / ) | (?P<template> ` )
    | (?P<open> [{(\[] ) | (?P<close> [})\]] )
    | (?P<mark> => | \+\+ | -- | && | \|\| | \?\? | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?>[^/\\\[\n]++|\\[^\n]|\[(?>[^\]\\\n]++|\\[^\n])*+\])++/\w*+")
_REGEX_WITHOUT_CLASSES = re.compile(r"/(?>[^/\\\[\n]++|\\[^\n])++/\w*+")
_TEMPLATE = re.compile(r"(?>[^`\\$]++|\\.|\$(?!\{))*+(`|\$\{)?", re.DOTALL)
_SHORT_BLOCK = re.compile(r"""\{(?>[^{}"'`/\n]++|"[^"\\\n]*+"|'[^'\\\n]*+')*+\}""")
_SHORT = 60

_BEFORE_REGEX = words("return typeof case in of delete void instanceof new throw else do yield await")
_BEFORE_CONDITION = frozenset({"if", "while", "for", "with"})
_ON_THE_SAME_LINE = frozenset({"else", "catch", "finally", "while", "of", "in", "instanceof", "as", "from"})


def lines(body: Body) -> Iterator[str]:
    """Never fails on text."""
    text = body.text
    sample = text[:_SAMPLE]
    packed = sum(len(line) for line in sample.split("\n") if len(line) > _MINIFIED)
    if packed * 2 <= len(sample):
        return body.text_lines()
    return Formatter(text).format()


class Formatter:
    """One pass over the tokens of minified code.

    `parts` are the tokens of the line being built, `last` the last token that counts, `nesting` the open brackets, each
    with the word that stood before it (for a brace inside a template: its backquote).
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.parts: list[str] = []
        self.width = 0
        self.last = ""
        self.regex_next = True
        self.after_brace = False
        self.nesting: list[tuple[str, str]] = []
        self.depth = 0
        self.regex = _REGEX

    def format(self) -> Iterator[str]:
        handlers = {
            "newline": self.newline,
            "space": self.space,
            "comment": self.comment,
            "open": self.opening,
            "close": self.closing,
            "mark": self.mark,
        }
        while match := _TOKEN.match(self.text, self.position):
            kind, token = match.lastgroup or "", match[0]
            self.position = match.end()
            handler = handlers.get(kind)
            if handler:
                yield from handler(token)
            else:
                yield from self.operand(kind, token)
        yield from self.flush()

    # White space and comments

    def newline(self, _token: str) -> Iterator[str]:
        self.regex = _REGEX
        return self.flush()

    def space(self, _token: str) -> Iterator[str]:
        if self.parts and self.parts[-1] != " ":
            self.add(" ")
        return iter(())

    def comment(self, token: str) -> Iterator[str]:
        if self.after_brace:
            yield from self.flush()
        self.add(token.rstrip())

    # Tokens that count

    def operand(self, kind: str, token: str) -> Iterator[str]:
        """A word, string, template, regular expression or division."""
        if kind == "slash":
            token = self.slash()
        elif kind == "template":
            token += self.template()
        starts_line = kind == "word" and token not in _ON_THE_SAME_LINE
        if self.after_brace and starts_line:
            yield from self.flush()
        self.put(
            token, regex_next=token == "/" or token in _BEFORE_REGEX or (kind == "template" and token.endswith("${"))
        )

    def slash(self) -> str:
        """The regular expression that begins here, or the slash of a division.

        Once one was not closed because of its bracket, no bracket after it in this line closes either: from there on,
        the pattern stops at brackets, so that no character is looked at twice.
        """
        if not self.regex_next:
            return "/"
        start = self.position - 1
        match = self.regex.match(self.text, start)
        if not match:
            self.regex = _REGEX_WITHOUT_CLASSES
            return "/"
        self.position = match.end()
        return match[0]

    def template(self) -> str:
        """The text of a template up to its end, or up to the next ``${``, which opens a bracket."""
        match = _TEMPLATE.match(self.text, self.position)
        if not match:
            return ""
        self.position = match.end()
        if match[1] == "${":
            self.nesting.append(("{", "`"))
        return match[0]

    def opening(self, token: str) -> Iterator[str]:
        if token == "{":
            if self.after_brace:
                yield from self.flush()
            short = _SHORT_BLOCK.match(self.text, self.position - 1, self.position + _SHORT)
            if short:
                self.position = short.end()
                self.put(short[0], regex_next=False)
                self.after_brace = True
                return
        self.nesting.append((token, self.last))
        self.put(token, regex_next=True)
        if token == "{":
            yield from self.flush()
            self.depth += 1

    def closing(self, token: str) -> Iterator[str]:
        opener, before = self.nesting.pop() if self.nesting else ("", "")
        if token == "}" and before == "`":
            self.put(token + self.template(), regex_next=False)
            self.regex_next = self.last.endswith("${")
            return
        if token != "}":
            self.put(token, regex_next=token == ")" and opener == "(" and before in _BEFORE_CONDITION)
            return
        yield from self.flush()
        self.depth = max(0, self.depth - 1)
        self.put(token, regex_next=False)
        self.after_brace = True

    def mark(self, token: str) -> Iterator[str]:
        self.put(token, regex_next=token not in ("++", "--", "."))
        inside = self.nesting and self.nesting[-1][0] == "("
        if (token == ";" and not inside) or (self.width > _WIDTH and token in (",", "&&", "||")):
            yield from self.flush()

    # Lines

    def put(self, token: str, regex_next: bool) -> None:
        self.add(token)
        self.last = token
        self.regex_next = regex_next
        self.after_brace = False

    def add(self, token: str) -> None:
        self.parts.append(token)
        self.width += len(token)

    def flush(self) -> Iterator[str]:
        line = "".join(self.parts).strip(" ")
        self.parts = []
        self.width = 0
        self.after_brace = False
        return split_lines(indent(self.depth), line)
