"""The table of views, and the choice among them.

`VIEWS` is the whole knowledge of which view is for what: a row has a name, the module whose `lines(body)` makes the
lines, the media types it is for, and how it recognises a body whose type says nothing. Modules are imported when first
needed. A view says that a body is not its own by raising, any exception, when called or before its first line.

"auto" tries the view of the media type, then those that recognise the body, then text or hex dump, which never fail. A
body larger than a row's limit is not for that view: it would be parsed whole before the first line.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from flowdump.contentviews.body import Body, NeedsPackage, looks_binary
from flowdump.escaping import escape_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AUTO = "auto"
MIB = 1 << 20
_UNLIMITED = 1 << 62


class Rendered(NamedTuple):
    """What to show: the name of the view that made it, and its lines, made as they are taken."""

    name: str
    lines: Iterator[str]


class View(NamedTuple):
    """A row of the table; `starts` and `ends` are of media types, `sniff` gets the first bytes."""

    name: str
    module: str
    starts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    sniff: Callable[[bytes], bool] | None = None
    limit: int = _UNLIMITED

    def claims(self, mime: str) -> bool:
        """Whether the view is for this media type."""
        return mime.startswith(self.starts) or mime.endswith(self.ends)


def _like_json(head: bytes) -> bool:
    return head.startswith((b"{", b"[", b")]}'", b"for(;;);", b"for (;;);", b"while(1);"))


def _like_markup(head: bytes) -> bool:
    import re

    return re.match(rb"<(?:!doctype\s|!--|\?xml\s|[a-z_][\w:.-]*(?:\s[^<>]*)?/?>)", head, re.IGNORECASE) is not None


def _like_image(head: bytes) -> bool:
    return head.startswith(_IMAGES) or head.startswith(
        (b"WEBP", b"ftypavi", b"ftyphe"), 4 if head[4:8] == b"ftyp" else 8
    )


def _like_multipart(head: bytes) -> bool:
    return head.startswith(b"--") and b"\ncontent-disposition: form-data" in head[:512].lower()


_IMAGES = (b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"\xff\xd8\xff", b"\0\0\1\0")


VIEWS = (
    View(
        "json",
        "json_text",
        ("application/json", "text/json", "text/x-json", "application/x-json", "application/manifest+json"),
        ("+json", "ndjson", "/jsonlines", "/jsonl", "/x-jsonlines", "/csp-report"),
        _like_json,
        8 * MIB,
    ),
    View(
        "xml/html",
        "markup",
        ("text/html", "text/xml", "application/xml", "application/xhtml"),
        ("+xml", "/x-xml"),
        _like_markup,
        32 * MIB,
    ),
    View("css", "css", ("text/css",), ("/x-scss", "/x-less"), None, 32 * MIB),
    View(
        "javascript",
        "javascript",
        ("application/javascript", "application/x-javascript", "application/ecmascript"),
        ("text/javascript", "text/x-javascript", "text/ecmascript", "/typescript"),
        None,
        32 * MIB,
    ),
    View("url-encoded", "urlencoded", ("application/x-www-form-urlencoded",)),
    View("multipart form", "multipart", ("multipart/",), (), _like_multipart),
    View("query", "query"),
    View("image", "image", ("image/",), (), _like_image),
    View("grpc", "grpc", ("application/grpc",)),
    View(
        "protobuf",
        "protobuf",
        (
            "application/x-protobuf",
            "application/protobuf",
            "application/vnd.google.protobuf",
            "application/x-protobuffer",
        ),
        ("+protobuf", "+proto", "/proto"),
        None,
        8 * MIB,
    ),
    View(
        "msgpack",
        "messagepack",
        ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack"),
        ("+msgpack",),
        None,
        8 * MIB,
    ),
    View("raw", "plain", ("text/csv", "text/markdown", "text/event-stream", "text/x-")),
    View(
        "hex dump", "hexdump", ("font/", "audio/", "video/", "application/zip", "application/pdf", "application/wasm")
    ),
)

_BY_NAME = {view.name: view for view in VIEWS}
_RAW, _HEX = _BY_NAME["raw"], _BY_NAME["hex dump"]
# What the views were called in earlier releases of mitmproxy, and what people type.
_ALSO_KNOWN_AS = {
    "viewcss": "css",
    "form": "url-encoded",
    "urlencoded": "url-encoded",
    "multipart": "multipart form",
    "hex": "hex dump",
    "text": "raw",
    "plain": "raw",
    "html": "xml/html",
    "xml": "xml/html",
    "js": "javascript",
}


def names() -> tuple[str, ...]:
    """The names that `show` accepts, "auto" first."""
    return (AUTO, *_BY_NAME)


@lru_cache(32)
def canonical(name: str) -> str:
    """The name as in `names()`, whatever its case and spelling; ValueError with the nearest one when there is none."""
    wanted = name.strip().lower()
    wanted = _ALSO_KNOWN_AS.get(wanted, wanted)
    if wanted == AUTO or wanted in _BY_NAME:
        return wanted
    from difflib import get_close_matches

    near = get_close_matches(wanted, [*names(), *_ALSO_KNOWN_AS], n=1, cutoff=0.0)
    raise ValueError(f"There is no content view {name!r}. Did you mean {_ALSO_KNOWN_AS.get(near[0], near[0])!r}?")


def show(body: Body, view: str) -> Rendered:
    """The lines of the first view that can read the body. `view` must be canonical."""
    for candidate in _candidates(body, view):
        try:
            lines = _started(candidate, body)
        except NeedsPackage as missing:
            note = f"(the package {missing} shows this better: pip install 'flowdump[views]')"
            return Rendered(_HEX.name, _clean(chain([note], _load(_HEX.module)(body)), body))
        if lines is not None:
            return Rendered(candidate.name, _clean(lines, body))
    fallback = _fallback(body)
    return Rendered(fallback.name, _clean(_load(fallback.module)(body), body))


def _candidates(body: Body, view: str) -> Iterator[View]:
    if view != AUTO:
        yield _BY_NAME[view]
        return
    if not body.content:
        yield _BY_NAME["query"]
        return
    claimed = _claimed(body.mime)
    if claimed:
        yield claimed
    head = body.head
    yield from (row for row in VIEWS if row.sniff and row is not claimed and row.sniff(head))


def _fallback(body: Body) -> View:
    return _HEX if looks_binary(body) else _RAW


@lru_cache(128)
def _claimed(mime: str) -> View | None:
    return next((view for view in VIEWS if view.claims(mime)), None) if mime else None


def _started(view: View, body: Body) -> Iterator[str] | None:
    """The lines of a view that got as far as its first line, None if it did not."""
    if len(body.content) > view.limit:
        return None
    try:
        lines = _load(view.module)(body)
        first = next(lines, None)
    except NeedsPackage:
        raise
    except Exception:  # a view may fail in any way on what strangers send; the next one is tried
        return None
    return None if first is None else chain([first], lines)


@lru_cache
def _load(module: str) -> Callable[[Body], Iterator[str]]:
    lines: Callable[[Body], Iterator[str]] = import_module(f"flowdump.contentviews.{module}").lines
    return lines


def _clean(lines: Iterator[str], body: Body) -> Iterator[str]:
    """The one way out: every line is escaped; a view that fails half-way is followed by the body as it came."""
    try:
        for line in lines:
            yield escape_controls(line)
    except Exception:  # as in _started, only later
        yield "(this view went no further; the whole body as it came:)"
        yield from (escape_controls(line) for line in _load(_fallback(body).module)(body))
