"""msgpack: a tree of the values, by the optional package msgpack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdump.contentviews.body import NeedsPackage
from flowdump.contentviews.layout import Pairs, Plain, tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from flowdump.contentviews.body import Body


def lines(body: Body) -> Iterator[str]:
    """Raises NeedsPackage without the package, the package's own errors when the body is something else."""
    try:
        import msgpack
    except ImportError:
        raise NeedsPackage("msgpack") from None
    # Walk over the values without building them: the package would make room for a billion items if told so.
    content = body.content
    unpacker = _unpacker(msgpack, content)
    while unpacker.tell() < len(content):
        unpacker.skip()
    return _format(_unpacker(msgpack, body.content))


def _unpacker(msgpack: Any, content: bytes) -> Any:
    unpacker = msgpack.Unpacker(
        object_pairs_hook=Pairs,
        ext_hook=_extension,
        strict_map_key=False,
        unicode_errors="surrogateescape",
        max_buffer_size=len(content),
    )
    unpacker.feed(content)
    return unpacker


def _extension(code: int, data: bytes) -> object:
    return Pairs([(Plain(f"extension {code}"), data)])


def _format(unpacker: Any) -> Iterator[str]:
    for number, value in enumerate(unpacker):
        if number:
            yield "---"
        yield from tree(value)
