"""Header compression (RFC 7541) where it costs least: these two are most of what HTTP/2 costs in Python.

``FieldDecoder`` is hpack's, with a memory. A block that put nothing into the dynamic table means the same until
another one does: clients repeat themselves, and servers that never use the table, as nginx, do so even more.

``FieldEncoder`` never uses the dynamic table at all, as nginx does not: every field is a reference to the static table
or a literal that is not added to the table, so what a field is encoded to does not depend on what came before, and is
kept. Nothing that an attacker causes to be sent can be compared with secrets that were sent before (RFC 7541 section
7.1), and a connection's memory does not grow with what the peer would allow. Long values are written as they are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from hpack import Decoder, Encoder
from hpack.hpack import encode_integer
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.table import HeaderTable

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Blocks that a decoder remembers, and how long they may be.
_BLOCKS: Final = 32
_BLOCK: Final = 2048

#: Values longer than this are neither compressed nor kept.
_SHORT: Final = 128

#: The first bits of a field that the other side need not keep, and of one that must never be indexed (section 6.2).
_LITERAL: Final = 0x00
_NEVER: Final = 0x10

_HUFFMAN: Final = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


class FieldDecoder(Decoder):
    """hpack's decoder; a block that came before is looked up."""

    def __init__(self, max_header_list_size: int) -> None:
        super().__init__(max_header_list_size)
        self._known: dict[bytes, list[Any]] = {}

    def decode(self, data: bytes, raw: bool = False) -> Iterable[Any]:
        """The fields of a block. Raises hpack.HPACKError."""
        known = self._known.get(data) if raw else None
        if known is not None:
            return known
        table = self.header_table.dynamic_entries
        before = (len(table), table[0] if table else None)
        fields = list(super().decode(data, raw))
        if len(table) != before[0] or (table and table[0] is not before[1]):
            self._known.clear()
        elif raw and len(data) <= _BLOCK and data[:1] and data[0] & 0xE0 != 0x20:  # no change of the table's size
            if len(self._known) >= _BLOCKS:
                self._known.clear()
            self._known[bytes(data)] = fields
        return fields


class FieldEncoder(Encoder):
    """An encoder without a dynamic table; the first block says so."""

    _said = False

    def encode(self, headers: Iterable[Any], huffman: bool = True) -> bytes:
        """A block of the fields: pairs of bytes, lower-case names; NeverIndexedHeaderTuple marks secrets."""
        pieces = [
            _short(pair[0], pair[1]) if type(pair) is tuple and len(pair[1]) <= _SHORT else _long(pair)
            for pair in headers
        ]
        if not self._said:
            self._said = True
            pieces.insert(0, b"\x20")
        return b"".join(pieces)


@lru_cache(maxsize=2048)
def _short(name: bytes, value: bytes) -> bytes:
    found = HeaderTable.STATIC_TABLE_MAPPING.get(name)
    if found is not None and value in found[1]:
        return _integer(found[1][value], 7, 0x80)
    return _name(name, _LITERAL) + _string(value)


def _long(pair: Any) -> bytes:
    name: bytes = pair[0]
    value: bytes = pair[1]
    bits = _LITERAL if getattr(pair, "indexable", True) else _NEVER
    return _name(name, bits) + _integer(len(value), 7, 0) + value


@lru_cache(maxsize=1024)
def _name(name: bytes, bits: int) -> bytes:
    found = HeaderTable.STATIC_TABLE_MAPPING.get(name)
    if found is not None:
        return _integer(found[0], 4, bits)
    return bytes((bits,)) + _string(name)


def _string(text: bytes) -> bytes:
    """Compressed where that makes it shorter (section 5.2)."""
    packed = _HUFFMAN.encode(text) if text else b""
    if text and len(packed) < len(text):
        return _integer(len(packed), 7, 0x80) + packed
    return _integer(len(text), 7, 0) + text


def _integer(number: int, prefix: int, bits: int) -> bytes:
    encoded = encode_integer(number, prefix)
    encoded[0] |= bits
    return bytes(encoded)
