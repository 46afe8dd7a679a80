"""Make text from strangers safe to print.

A terminal obeys what it is sent: ``ESC [ 2 J`` clears it, ``CR`` overwrites what was printed before, U+202E turns a
file name round. Everything that came from the network passes through `escape_controls` before it is shown.
"""

from __future__ import annotations

import re

# Controls (C0 without tab, DEL, C1), line and paragraph separators, lone surrogates, and what changes or hides text
# while taking no room itself: bidirectional marks, embeddings and isolates, soft hyphen, zero width space, byte order
# mark, interlinear annotations, tag characters. The joiners U+200C and U+200D stay: Persian, Hindi and emoji need them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SHORT = {"\n": "\\n", "\r": "\\r"}


def escape_controls(text: str) -> str:
    r"""Show each character of `text` that could drive a terminal as escape (``\x1b``, ``\r``, ``\u202e``); tabs stay.

    A byte that was decoded with ``surrogateescape`` is shown as that byte (``\xff``). Backslashes are not doubled: the
    result is for people, not for parsing back. Never raises.
    """
    # The fast path: isprintable() is one C loop, and true for nearly all that is ever printed. It is false for every
    # character of _UNSAFE (categories Cc, Cf, Cs, Zl, Zp), so both paths agree; the test goes through all of Unicode.
    if text.isprintable():
        return text
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code < 0x100:
        return _SHORT.get(character) or f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
