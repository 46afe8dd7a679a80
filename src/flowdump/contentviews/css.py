"""css: a declaration per line, indented; strings, url() and comments kept.

Works on any language of that shape (SCSS, Less). Only white space is added or taken away, and only where CSS has it
mean nothing: the test puts input and output side by side without it. Tokens never overlap and patterns are
possessive, so the time is linear; what is never closed goes on to the end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdump.contentviews.layout import indent, split_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowdump.contentviews.body import Body

_TOKEN = re.compile(
    r"""
    (?P<comment> /\*(?>[^*]++|\*(?!/))*+(?:\*/)? )
    | (?P<space> \s++ )
    | (?P<structure> [{};,:()] )
    | "(?>[^"\\\n]++|\\.)*+"?+ | '(?>[^'\\\n]++|\\.)*+'?+
    | url\((?>[^()"'\\]++|\\.)*+\)
    | [\w.#%&*+>~=!@$^|<?\[\]-]++ | \\. | .
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_WIDTH = 100


def lines(body: Body) -> Iterator[str]:
    """Never fails on text; raises ValueError when there is nothing of the shape of CSS in it."""
    text = body.text
    if not any(mark in text for mark in "{;@/"):
        raise ValueError("no style sheet")
    return _Formatter().format(text)


class _Formatter:
    """Collects the tokens of a declaration or a selector in `parts`; `colon` is where a declaration's value begins."""

    def __init__(self) -> None:
        self.depth = 0
        self.parens = 0
        self.hanging = 0
        self.reset()

    def reset(self) -> None:
        self.parts: list[str] = []
        self.width = 0
        self.colon = 0

    def format(self, text: str) -> Iterator[str]:
        for match in _TOKEN.finditer(text):
            kind, token = match.lastgroup, match[0]
            if kind == "space":
                if self.parts and self.parts[-1] != " ":
                    self.add(" ")
            elif kind == "structure":
                yield from self.structure(token)
            else:
                self.add(token)
                if kind == "comment" and len(self.parts) == 1:
                    yield from self.flush()
        yield from self.flush()

    def structure(self, token: str) -> Iterator[str]:
        if token == "{":
            self.add("{" if not self.parts or self.parts[-1] == " " else " {")
            yield from self.flush()
            self.depth += 1
            self.parens = 0
        elif token == "}":
            self.space_after_colon()
            yield from self.flush()
            self.depth = max(0, self.depth - 1)
            self.parens = 0
            yield indent(self.depth) + "}"
        else:
            self.add(token)
            if self.ends_here(token):
                yield from self.flush()
                self.hanging = int(token == ",")

    def ends_here(self, token: str) -> bool:
        """Whether the line ends with this `;`, `,`, `:` or parenthesis, none of which count between parentheses."""
        if token in "()":
            self.parens = max(0, self.parens + (1 if token == "(" else -1))
        if self.parens:
            return False
        if token == ":" and not self.colon:
            self.colon = len(self.parts)
        if token == ";":
            self.space_after_colon()
        return token == ";" or (token == "," and self.width > _WIDTH)

    def space_after_colon(self) -> None:
        if 0 < self.colon < len(self.parts) and self.parts[self.colon] not in (" ", ";"):
            self.parts.insert(self.colon, " ")

    def add(self, token: str) -> None:
        self.parts.append(token)
        self.width += len(token)

    def flush(self) -> Iterator[str]:
        line = "".join(self.parts).strip()
        margin = indent(self.depth + self.hanging)
        self.reset()
        self.hanging = 0
        return split_lines(margin, line)
