r"""The grammar of filter expressions; what each code means is in :mod:`flowdump.filters`.

::

    sequence  = either { either }           side by side: all must match       binds loosest
    either    = both { "|" both }
    both      = negation { "&" negation }
    negation  = { "!" } operand                                                binds tightest
    operand   = "(" sequence ")" | code [ argument ] | quoted | word

The trap that this grammar keeps, because expressions in the wild rely on it: two terms side by side mean *and*, but
bind looser than ``|``, while a written ``&`` binds tighter. ``a b | c`` is ``a & (b | c)``, and ``a & b | c`` is
``(a & b) | c``.

* A word runs to the next blank, parenthesis, quote or tilde. ``&``, ``|`` and ``!`` are operators at its beginning and
  plain characters inside: ``a|b`` is one regex, ``a | b`` and ``a |b`` are two.
* Inside quotes ``\'``, ``\"`` and ``\\`` stand for the second character. Every other escape stays as it is written, for
  the regex.
* Blanks are space, tab, CR and LF; any other character, a no-break space included, may be part of a word.

Wider than mitmproxy 12, which has an error there: a code may be followed directly by an operator or a parenthesis
(``(~q)``, ``~q|~s``), parentheses may hold a sequence (``(a b)``), ``!`` may stand before a parenthesis, quotes may
hold line feeds. Not the same: ``\d`` inside quotes stays a digit class (mitmproxy drops the backslash, and the letter
is left), and an operator without an operand (``a |``, ``a || b``) is an error (mitmproxy searches URLs for the text
``|``).

It is read by recursive descent without a list of tokens, because what may follow a code depends on the code. Every term
becomes a closure at once; no tree is kept. Only parentheses recurse, and no deeper than `MAX_DEPTH`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from flowdump.escaping import escape_controls
from flowdump.exceptions import FilterError

#: A compiled expression: flow -> bool.
Match = Callable[[Any], bool]

#: Parentheses nested deeper are refused: of Python's thousand frames, a level takes five to read and four to match.
MAX_DEPTH = 50

#: The code that a term without a code stands for.
BARE = "~u"

_BLANK = r"[ \t\r\n]"
_SPACE = re.compile(_BLANK + "*")
_WORD = re.compile(r"""[^()~'" \t\r\n]+""")
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_CODE = re.compile(r"""~[^()~'" \t\r\n&|!<>=]*""")
_ESCAPE = re.compile(r"""\\(['"\\])""")

#: What people try who know other filter languages.
_SYNONYMS = {
    "~body": "~b", "~code": "~c", "~domain": "~d", "~duration": "~dur", "~err": "~e", "~error": "~e", "~from": "~src",
    "~header": "~h", "~headers": "~h", "~host": "~d", "~latency": "~dur", "~mark": "~marked", "~method": "~m",
    "~path": "~u", "~req": "~q", "~request": "~q", "~resp": "~s", "~response": "~s", "~source": "~src",
    "~status": "~c", "~time": "~dur", "~to": "~dst", "~type": "~t", "~url": "~u", "~ws": "~websocket",
}  # fmt: skip


class Argument(NamedTuple):
    """A kind of argument: its name in the help, how it looks unquoted, and what to tell those who leave it out."""

    label: str
    pattern: str
    wanted: str


#: An argument that is a regex: a word, in quotes if it holds what ends a word.
REGEX = Argument(
    "regex", _WORD.pattern, "a regular expression after it, in quotes if it holds blanks, quotes, tildes or parentheses"
)


class Code(NamedTuple):
    """One code. ``make`` is the matcher itself where there is no argument; else it makes one of the argument's text and
    of the flags for regexes, and raises ValueError or re.error when the text does not fit.
    """

    argument: Argument | None
    help: str
    make: Callable[..., Any]


class Parser:
    """Reads one expression with a table of codes; ``parse()`` is called once. ``flags`` are for every regex in it."""

    def __init__(self, expression: str, codes: Mapping[str, Code], flags: int = re.IGNORECASE) -> None:
        self._text = expression
        self._codes = codes
        self._flags = flags
        self._at = 0
        self._depth = 0

    def parse(self) -> Match:
        """The matcher of the whole expression. Raises FilterError."""
        self._skip_space()
        if self._at == len(self._text):
            self._fail(0, "it is empty. Every flow is matched by ~all")
        match = self._sequence()
        if self._peek() == ")":
            self._fail(self._at, "nothing opened this parenthesis")
        return match

    # -- grammar -------------------------------------------------------------------------------------------------

    def _sequence(self) -> Match:
        terms = [self._either()]
        while self._peek() not in ("", ")"):
            terms.append(self._either())
        return all_of(terms)

    def _either(self) -> Match:
        terms = [self._both()]
        while self._take_operator("|"):
            terms.append(self._both())
        return any_of(terms)

    def _both(self) -> Match:
        terms = [self._negation()]
        while self._take_operator("&"):
            terms.append(self._negation())
        return all_of(terms)

    def _negation(self) -> Match:
        negated = False
        while self._take_operator("!"):
            negated = not negated
        match = self._operand()
        return none_of(match) if negated else match

    def _operand(self) -> Match:
        character = self._peek()
        if character == "(":
            return self._group()
        if character == "~":
            return self._code()
        start = self._at
        if character in ("", ")", "&", "|"):
            before = self._text[: self._at]
            if character and before.endswith(character):
                self._fail(self._at, f"one {character} is enough")
            if character in ("&", "|"):
                self._fail(self._at, f"nothing stands before this {character}; quote it to search for it")
            self._fail(self._at, f"nothing stands after {before.rstrip()[-1:]}; quote it to search for it")
        word = self._take_quoted() if character in ("'", '"') else self._take(_WORD)
        return self._make(self._codes[BARE], word, start)

    def _group(self) -> Match:
        start = self._at
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(start, f"parentheses are nested deeper than {MAX_DEPTH} levels")
        self._at += 1
        if self._peek() == ")":
            self._fail(start, "these parentheses are empty")
        match = self._sequence()
        if self._peek() != ")":
            self._fail(start, "this parenthesis is never closed")
        self._at += 1
        self._depth -= 1
        return match

    def _code(self) -> Match:
        start = self._at
        name = self._take(_CODE)
        if name == "~":
            self._fail(start, "a code such as ~u belongs after this ~")
        code = self._codes.get(name)
        if code is None:
            self._fail(start, f"there is no code {escape_controls(name)}{suggest(name, self._codes)}")
        if code.argument is None:
            return code.make
        argument, at = self._take_argument(name, code.argument)
        return self._make(code, argument, at)

    def _take_argument(self, name: str, argument: Argument) -> tuple[str, int]:
        """The text of an argument, and where it begins."""
        after_code = self._at
        if self._peek() in ("'", '"'):
            start = self._at
            return self._take_quoted(), start
        found = re.compile(argument.pattern).match(self._text, self._at)
        if found is None or (argument is REGEX and self._at == after_code):
            self._fail(self._at, f"{name} needs {argument.wanted}")
        self._at = found.end()
        return found[0], found.start()

    def _make(self, code: Code, argument: str, at: int) -> Match:
        """Let a code compile its argument; what it objects to is told with the position."""
        try:
            return code.make(argument, self._flags)  # type: ignore[no-any-return]
        except re.error as error:
            is_bare = self._text.startswith(argument, at) and argument.isascii()
            at += (error.pos or 0) if is_bare else 0
            self._fail(at, f"this is not a regular expression: {escape_controls(error.msg)}")
        except (OverflowError, RecursionError) as error:
            self._fail(at, f"this regular expression cannot be compiled: {error}")
        except ValueError as error:
            self._fail(at, escape_controls(str(error)))

    # -- characters ----------------------------------------------------------------------------------------------

    def _skip_space(self) -> None:
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]

    def _peek(self) -> str:
        """The next character after blanks, ``""`` at the end."""
        self._skip_space()
        return self._text[self._at : self._at + 1]

    def _take_operator(self, operator: str) -> bool:
        if self._peek() != operator:
            return False
        self._at += 1
        return True

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None, "the caller has peeked"
        self._at = found.end()
        return found[0]

    def _take_quoted(self) -> str:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            self._fail(self._at, "this quote is never closed")
        self._at = found.end()
        return _ESCAPE.sub(r"\1", found[found.lastindex or 1])

    # -- errors --------------------------------------------------------------------------------------------------

    def _fail(self, at: int, problem: str) -> NoReturn:
        stop = "" if problem.endswith("?") else "."
        raise FilterError(f"This filter expression cannot be read: {problem}{stop}\n{mark(self._text, at)}") from None


# -- combining ---------------------------------------------------------------------------------------------------


def all_of(terms: list[Match]) -> Match:
    """Matches what every term matches; asks them in order and stops at the first no."""
    if len(terms) == 1:
        return terms[0]
    if len(terms) == 2:
        first, second = terms
        return lambda flow: first(flow) and second(flow)

    def match(flow: Any) -> bool:
        for term in terms:  # noqa: SIM110 - a generator would cost more than the terms
            if not term(flow):
                return False
        return True

    return match


def any_of(terms: list[Match]) -> Match:
    """Matches what at least one term matches; asks them in order and stops at the first yes."""
    if len(terms) == 1:
        return terms[0]
    if len(terms) == 2:
        first, second = terms
        return lambda flow: first(flow) or second(flow)

    def match(flow: Any) -> bool:
        for term in terms:  # noqa: SIM110 - a generator would cost more than the terms
            if term(flow):
                return True
        return False

    return match


def none_of(term: Match) -> Match:
    """Matches what the term does not."""
    return lambda flow: not term(flow)


# -- messages ----------------------------------------------------------------------------------------------------


def suggest(name: str, codes: Mapping[str, Code]) -> str:
    """A second sentence for an unknown code, empty where nothing is near.

    >>> suggest("~Q", {"~q": ...})
    '. Did you mean ~q?'
    """
    nearest = _nearest(name, codes)
    return f". Did you mean {nearest}?" if nearest else ""


def _nearest(name: str, codes: Mapping[str, Code]) -> str:
    import difflib

    folded = name.lower()
    if folded in codes:
        return folded
    if folded in _SYNONYMS:
        return _SYNONYMS[folded]
    # An argument glued to its code: ~c404, ~ufoo.
    first = codes.get(folded[:2])
    parted = f"{folded[:2]} {escape_controls(name[2:])}" if first and first.argument else ""
    if parted and not folded[2].isalpha():
        return parted
    close = difflib.get_close_matches(folded[:40], codes, n=1)
    return close[0] if close else parted


def mark(expression: str, at: int) -> str:
    """The expression and a caret below its character ``at``: two lines of about a hundred columns, safe to print."""
    start, end = max(0, at - 60), at + 40
    before = ("…" if start else "") + _show(expression[start:at])
    after = _show(expression[at:end]) + ("…" if end < len(expression) else "")
    return f"  {before}{after}\n  {' ' * _columns(before)}^"


def _show(text: str) -> str:
    return escape_controls(text.replace("\t", " "))


def _columns(text: str) -> int:
    """How wide a terminal shows the text: East Asian wide characters take two columns, combining ones none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(2 if east_asian_width(c) in "WF" else 0 if combining(c) else 1 for c in text)
