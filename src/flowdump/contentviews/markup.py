"""xml/html: one element per line, indented; tolerant of everything.

A tokenizer (`tokens`) that never fails feeds a writer (`_Writer`) that never fails either.

Linear time. A construct that is never closed (``<!--``, a tag without ``>``) takes the rest of the document, as in
the HTML standard: so each search that fails is the last one. Patterns are possessive. The writer counts open names,
so that a stray end tag does not search the stack.

What is kept as it is: comments, CDATA, the content of script and style, in HTML also of pre and textarea. In HTML,
inline elements (a, b, span ...) stay in the line of their text, elements without content stay on one line, and elements
whose end tag may be left out (p, li, td ...) are closed by their next sibling.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from flowdump.contentviews.layout import indent, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowdump.contentviews.body import Body

OPEN, CLOSE, EMPTY, TEXT, VERBATIM = range(5)

_TAG = re.compile(r"""</?([A-Za-z_:][^\s/>]*+)(?>[^>=]++|=\s*+(?>"[^"]*+"|'[^']*+')?+)*+>""")
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|div|p|script|table|span|h1|ul|br)[\s/>]", re.IGNORECASE)
_HTML_ROOT = re.compile(rb"<(?:!doctype\s+)?html[\s>]", re.IGNORECASE)
_OPENERS = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", ">"), ("<!", ">"), ("</", ">"))
_WIDTH = 100

_VOID = words("area base br col embed hr img input link meta param source track wbr")
_INLINE = words(
    "a abbr b bdi bdo big br cite code data del dfn em font i img input ins kbd label mark q s samp small span strike "
    "strong sub sup time tt u var wbr"
)
_KEPT_IN_XML = frozenset({"script", "style"})
_KEPT_IN_HTML = _KEPT_IN_XML | {"pre", "textarea"}
_WHITE_SPACE_COUNTS = frozenset({"pre", "textarea"})
# HTML standard, 13.1.2.4: an element of this name ends open ones of those names.
_ENDS = {
    "li": {"li"},
    "p": {"p"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "tr": {"td", "th", "tr"},
    "td": {"td", "th"},
    "th": {"td", "th"},
    "option": {"option"},
    "optgroup": {"option", "optgroup"},
    "tbody": {"td", "th", "tr", "thead", "tbody"},
    "tfoot": {"td", "th", "tr", "thead", "tbody"},
    "body": {"head"},
    **{name: {"p"} for name in words("div ul ol dl table h1 h2 h3 h4 h5 h6 section form pre hr")},
}
_NOTHING: frozenset[str] = frozenset()


class Token(NamedTuple):
    """A piece of the document; `name` is the element's (in HTML in lower case), empty for text and the like."""

    kind: int
    text: str
    name: str = ""


def lines(body: Body) -> Iterator[str]:
    """Raises ValueError when there is no markup at all."""
    text = body.text
    if "<" not in text:
        raise ValueError("no markup")
    html = is_html(body)
    return _Writer(html).write(tokens(text, html))


def is_html(body: Body) -> bool:
    """HTML by its type or its first tags; otherwise XML, where names are case-sensitive and nothing is implied."""
    if body.mime == "text/html":
        return True
    if body.mime.endswith("xml"):
        return bool(_HTML_ROOT.match(body.head))
    return not body.head.startswith(b"<?xml") and bool(_HTML.search(body.head))


def tokens(text: str, html: bool) -> Iterator[Token]:
    """The document's tokens; their texts put together give the document again."""
    kept = _KEPT_IN_HTML if html else _KEPT_IN_XML
    position, length = 0, len(text)
    unclosed: set[str] = set()
    while position < length:
        token = _next(text, position, html)
        position += len(token.text)
        yield token
        if token.kind == OPEN and token.name in kept and token.name not in unclosed:
            end = re.compile(f"</{token.name}(?=[\\s/>])", re.IGNORECASE).search(text, position)
            if end is None:
                unclosed.add(token.name)
            elif end.start() > position:
                yield Token(VERBATIM, text[position : end.start()])
                position = end.start()


def _next(text: str, position: int, html: bool) -> Token:
    if text[position] != "<":
        end = text.find("<", position)
        return Token(TEXT, text[position:] if end < 0 else text[position:end])
    tag = _TAG.match(text, position)
    if tag:
        name = tag[1].lower() if html else tag[1]
        if tag[0].startswith("</"):
            return Token(CLOSE, tag[0], name)
        empty = tag[0].endswith("/>") or (html and name in _VOID)
        return Token(EMPTY if empty else OPEN, tag[0], name)
    for opener, closer in _OPENERS:
        if text.startswith(opener, position):
            return _bracketed(text, position, opener, closer)
    if text[position + 1 : position + 2].isalpha():
        return Token(VERBATIM, text[position:])  # a tag that never ends
    end = text.find("<", position + 1)
    return Token(TEXT, text[position:] if end < 0 else text[position:end])


def _bracketed(text: str, position: int, opener: str, closer: str) -> Token:
    end = text.find(closer, position + len(opener))
    if opener == "<!" and end >= 0 and "[" in text[position:end]:  # a document type with declarations of its own
        end = text.find("]>", position)
        closer = "]>"
    return Token(VERBATIM, text[position:] if end < 0 else text[position : end + len(closer)])


class _Writer:
    """Turns tokens into lines.

    `parts` are what will be the next line: an open tag that may still get its text and its end tag, or a run of text
    and inline elements. `opened` is the element that the line began with, if it did; `exact` says that the line's white
    space must stay, since it ends the content of a pre or textarea.
    """

    def __init__(self, html: bool) -> None:
        self.html = html
        self.inline = _INLINE if html else _NOTHING
        self.stack: list[str] = []
        self.open: Counter[str] = Counter()
        self.parts: list[str] = []
        self.width = 0
        self.opened = ""
        self.exact = False

    def write(self, stream: Iterator[Token]) -> Iterator[str]:
        handlers = {
            OPEN: self.write_open,
            CLOSE: self.write_close,
            EMPTY: self.write_empty,
            TEXT: self.write_text,
            VERBATIM: self.write_verbatim,
        }
        for token in stream:
            handler = self.write_inline if token.name in self.inline else handlers[token.kind]
            yield from handler(token)
        yield from self.flush()

    def write_text(self, token: Token) -> Iterator[str]:
        """Text keeps its line breaks, not its indentation; blank lines go."""
        first, *rest = token.text.split("\n")
        yield from self.add_text(first)
        for line in rest:
            if line.strip():
                yield from self.flush()
                yield from self.add_text(line.lstrip())

    def add_text(self, text: str) -> Iterator[str]:
        text = text.replace("\r", "")
        if not text.strip():
            if text and self.parts and not self.opened:
                self.add(" ")
            return
        if self.opened and self.width + len(text) > _WIDTH:
            yield from self.flush()
        self.add(text if self.parts else text.lstrip())

    def write_inline(self, token: Token) -> Iterator[str]:
        if self.width > _WIDTH:
            yield from self.flush()
        self.add(one_line(token.text))
        if token.name == "br":
            yield from self.flush()

    def write_open(self, token: Token) -> Iterator[str]:
        yield from self.flush()
        self.close_implied(token.name)
        self.add(one_line(token.text))
        self.opened = token.name

    def write_close(self, token: Token) -> Iterator[str]:
        tag = one_line(token.text)
        if self.exact:
            self.add(tag)
            yield from self.flush()
            self.pop()
            return
        if token.name == self.opened:
            self.add(tag)
            self.opened = ""
            yield from self.flush()
            return
        yield from self.flush()
        if self.open[token.name]:
            while self.pop() != token.name:
                continue
        yield indent(len(self.stack)) + tag

    def write_empty(self, token: Token) -> Iterator[str]:
        yield from self.flush()
        self.close_implied(token.name)
        yield indent(len(self.stack)) + one_line(token.text)

    def write_verbatim(self, token: Token) -> Iterator[str]:
        """Comments and the like, and the content of elements that must stay as it is."""
        text = token.text
        if self.opened in _WHITE_SPACE_COUNTS:
            yield from self.write_exact(text)
        elif self.opened and "\n" not in text and len(text) + self.width <= _WIDTH:
            self.add(text)
        else:
            margin = "" if self.opened in _KEPT_IN_XML else indent(len(self.stack) + bool(self.opened))
            yield from self.flush()
            for line in text.strip("\r\n").split("\n"):
                yield margin + line.rstrip()
                margin = ""

    def write_exact(self, text: str) -> Iterator[str]:
        """The content of a pre or textarea, begun on the line of the start tag and ended on that of the end tag."""
        first, *rest = text.split("\n")
        self.add(first.removesuffix("\r"))
        if rest:
            yield from self.flush()
            yield from (line.removesuffix("\r") for line in rest[:-1])
            self.add(rest[-1])
            self.exact = True

    # Lines and the stack

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.width += len(text)

    def flush(self) -> Iterator[str]:
        """Send the pending line; an element that it opened is now the one that what follows is in."""
        line = "".join(self.parts)
        if self.exact:
            yield line
        elif line := line.strip():
            yield indent(len(self.stack)) + line
        if self.opened:
            self.stack.append(self.opened)
            self.open[self.opened] += 1
        self.parts = []
        self.width = 0
        self.opened = ""
        self.exact = False

    def close_implied(self, name: str) -> None:
        """An element whose end tag was left out ends where its next sibling begins."""
        ended = _ENDS.get(name, _NOTHING) if self.html else _NOTHING
        while self.stack and self.stack[-1] in ended:
            self.pop()

    def pop(self) -> str:
        name = self.stack.pop()
        self.open[name] -= 1
        return name


def one_line(tag: str) -> str:
    """A tag without the line breaks that were between its attributes."""
    if "\n" not in tag:
        return tag
    return " ".join(part for line in tag.split("\n") if (part := line.strip()))
