"""Which charset a text body has, and the way from its bytes to `str` and back.

How it works. A document says its charset in up to four places, and the first that speaks wins: a byte order mark, the
`charset` parameter of Content-Type, the document itself (an HTML meta element, an XML declaration, a CSS @charset
rule), and last what its media type implies: UTF-8 for HTML, XML, CSS, JavaScript and JSON, else latin-1.

Two families of functions follow. `text_decode` and `text_encode` take a charset's name and are strict: what does not
fit is a `ValueError`. `decode_text` and `encode_text` take a Content-Type and always find a way: bytes that do not fit
the charset are read as UTF-8 with surrogate escapes, text that does not fit is written as UTF-8, and the header is
amended to say so.

Charset names come from strangers, and Python's codec registry answers to more than charsets: `zlib` and `hex` convert
bytes to bytes, `unicode_escape` runs a little language, and a name it does not know costs an import attempt and is
remembered for ever. So names are looked up in a closed table first.
"""

from __future__ import annotations

import re
from encodings.aliases import aliases
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

UTF8 = "utf-8"
LATIN1 = "latin-1"

_SNIFFED = 65536
"""How many bytes of a document are searched for its own statement; HTML itself asks for the first 1,024."""

_BOMS = (
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)
# Patterns as text: most runs need few of them, and `re` keeps those that were compiled.
_META = rb"""<meta\s[^<>]*?charset\s*=\s*["']?\s*([^\s"'<>/;]+)"""
_XML = rb"""\s*<\?xml\s[^<>]*?encoding\s*=\s*["']([^\s"'<>]+)["']"""
_CSS = rb'@charset "([^"]+)";'
_PARAMETER = r'(?s);\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)'
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "gb_2312": "gb18030", "gb_2312_80": "gb18030"}

_UNALIASED = frozenset(
    {"cp1006", "cp720", "cp737", "cp856", "cp874", "cp875", "iso8859_1", "koi8_t", "koi8_u", "utf_8_sig"}
    | {"mac_arabic", "mac_croatian", "mac_farsi", "mac_romanian"}
)
"""Charsets of the standard library that its table of aliases does not mention."""
_NOT_CHARSETS = frozenset(
    {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}
    | {"raw_unicode_escape", "unicode_escape", "unicode_internal", "undefined", "charmap"}
    | {"idna", "punycode", "mbcs", "oem", "palmos", "tactis"}
)
"""Codecs that are no charset: bytes to bytes, str to str, escapes, host names, or different on every machine."""


# -- names ------------------------------------------------------------------------------------------------------------


def known_charset(name: str) -> str | None:
    """The name under which Python knows a charset, or None for anything that is not one ("hex", "rot13", "nope")."""
    return _known_charset(name) if len(name) <= 64 else None


@lru_cache(maxsize=128)
def _known_charset(name: str) -> str | None:
    key = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    codec = aliases.get(key, key)
    if codec in _NOT_CHARSETS or not (codec in _UNALIASED or codec in _aliased()):
        return None
    return codec


@lru_cache(maxsize=1)
def _aliased() -> frozenset[str]:
    return frozenset(aliases.values())


@lru_cache(maxsize=64)
def parse_content_type(value: str) -> tuple[str, str, Mapping[str, str]] | None:
    """Split a Content-Type (RFC 9110 8.3.1) into type, subtype and parameters; None if there is no type/subtype.

    All names are lower case; values keep their case, without quotes and backslashes; of two equal names the last wins.
    """
    media_type = value.partition(";")[0]
    type_, slash, subtype = media_type.partition("/")
    if not slash:
        return None
    parameters = {name.lower(): _unquoted(text) for name, text in parse_parameters(value)}
    return type_.strip().lower(), subtype.strip().lower(), MappingProxyType(parameters)


def parse_parameters(value: str) -> list[tuple[str, str]]:
    """The (name, text) parameters after the first `;` of a header (RFC 9110 5.6.6), as spelled, quotes included."""
    parameters = value[value.find(";") :] if ";" in value else ""
    return [(name, text.strip()) for name, text in re.findall(_PARAMETER, parameters)]


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def with_charset(content_type: str, charset: str) -> str:
    """The same Content-Type with its charset parameter set; `text/plain` where there was no media type."""
    parsed = parse_content_type(content_type)
    if parsed is None:
        return f"text/plain; charset={charset}"
    media_type = content_type.partition(";")[0]
    kept = [f"{name}={text}" for name, text in parse_parameters(content_type) if name.lower() != "charset"]
    return "; ".join([media_type.strip(), *kept, f"charset={charset}"])


# -- inference --------------------------------------------------------------------------------------------------------


def infer_charset(content_type: str, content: bytes = b"") -> str:
    """The name of the charset in which a body of this Content-Type is written; never fails.

    A name that the header or the document states is returned as it stands there, even if it is unknown (then
    `text_decode` raises and `decode_text` falls back), except that gb2312 and gbk are widened to gb18030, which holds
    both. UTF-16 in a document that could be searched as ASCII is UTF-8 (HTML 13.2.3.2, CSS Syntax 3.2).
    """
    if content and content[0] in b"\x00\xef\xfe\xff":
        for mark, charset in _BOMS:
            if content.startswith(mark):
                return charset
    charset, looks_like = _stated(content_type)
    return charset or _sniffed(looks_like, content)


@lru_cache(maxsize=64)
def _stated(content_type: str) -> tuple[str, str]:
    """The charset that a Content-Type states ("" if none) and the family of documents it names."""
    parsed = parse_content_type(content_type)
    charset = parsed[2].get("charset", "").strip(" '\"") if parsed else ""
    lower = content_type.lower()
    return _widened(charset), next((name for name in _FAMILIES if name in lower), "")


_FAMILIES = ("json", "html", "xml", "javascript", "ecmascript", "text/css")
"""Looked for anywhere in the Content-Type, in this order."""


def _widened(charset: str) -> str:
    return _WIDER.get(charset.lower().replace("-", "_"), charset)


def _sniffed(family: str, content: bytes) -> str:
    if family == "html":
        head = content[:_SNIFFED].lower()
        return _found(re.search(_META, head)) if b"charset" in head else UTF8
    if family == "xml":
        return _found(re.match(_XML, content[:1024].lower()))
    if family == "text/css":
        return _found(re.match(_CSS, content[:128].lower()))
    return UTF8 if family else LATIN1


def _found(match: re.Match[bytes] | None) -> str:
    if match is None:
        return UTF8
    charset = _widened(match[1].decode(LATIN1))
    return UTF8 if charset.startswith(("utf-16", "utf16", "utf_16")) else charset


# -- text -------------------------------------------------------------------------------------------------------------


def text_decode(content: bytes, charset: str) -> str:
    """Decode strictly. Raises `ValueError` if the charset is unknown or the bytes do not fit it."""
    return content.decode(_required(charset))


def text_encode(text: str, charset: str) -> bytes:
    """Encode strictly. Raises `ValueError` if the charset is unknown or the text does not fit it."""
    return text.encode(_required(charset))


def _required(charset: str) -> str:
    codec = known_charset(charset)
    if codec is None:
        raise ValueError(f"unknown charset {charset[:40]!r}")
    return codec


def decode_text(content: bytes, content_type: str) -> str:
    """The text of any body: in its charset, or else in UTF-8 with surrogate escapes. Never raises."""
    try:
        return text_decode(content, infer_charset(content_type, content))
    except ValueError:
        return content.decode(UTF8, "surrogateescape")


def encode_text(text: str, content_type: str) -> tuple[bytes, str]:
    """Bytes for a text and the Content-Type that fits them.

    The charset that the header states or implies is kept if it can hold the text. Else the text is written as UTF-8
    (surrogate escapes become their bytes again) and the returned header says so. Raises `ValueError` for surrogates
    that stand for no byte.
    """
    try:
        return text_encode(text, infer_charset(content_type)), content_type
    except ValueError:
        return text.encode(UTF8, "surrogateescape"), with_charset(content_type, UTF8)
