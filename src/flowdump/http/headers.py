"""HTTP header fields: a case-insensitive multi-dict of byte pairs that keeps case, order and repetition."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from flowdump.http.multidict import BaseMultiDict, MultiDict

#: Header or trailer fields as they are on the wire: (name, value) pairs, in order.
Fields = tuple[tuple[bytes, bytes], ...]


def to_bytes(value: str | bytes) -> bytes:
    """``str`` as UTF-8 (surrogateescape), bytes as they are. Raises TypeError for anything else."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TypeError(f"str or bytes are expected, not {type(value).__name__}")
    return value.encode("utf-8", "surrogateescape")


def _to_str(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


@lru_cache(maxsize=1024)
def _folded(key: str | bytes) -> bytes:
    """The form in which names are compared."""
    return to_bytes(key).lower()


class Headers(MultiDict[Any, Any]):
    """Header or trailer fields (RFC 9110 section 5).

    ``fields`` holds ``(name, value)`` pairs of bytes as they were on the wire. Everything else speaks ``str``, decoded
    as UTF-8 with surrogateescape, so that no byte is lost on the way through a script. ``h["set-cookie"]`` folds
    repeated fields with ``", "`` (section 5.3); ``h.get_all()`` gives them one by one.

    ``Headers([(b"Host", b"a")], content_type="text/html")``: keyword names have their underscores turned to dashes.
    Raises TypeError when a field is not made of bytes, ValueError when it is not a pair.
    """

    # The index of the fields by folded name, and the fields it was made of: a message is asked for several headers.
    __slots__ = ("_index", "_indexed")
    _index: dict[bytes, bytes]
    _indexed: tuple[tuple[bytes, bytes], ...]

    def __init__(self, fields: Iterable[tuple[bytes, bytes]] = (), **headers: str | bytes) -> None:
        self.fields = tuple([(name, value) for name, value in fields])
        for name, value in self.fields:
            if not (isinstance(name, bytes) and isinstance(value, bytes)):
                raise TypeError(f"header fields are pairs of bytes, not {(name, value)!r}")
        for key, text in headers.items():
            self[key.replace("_", "-")] = text

    @classmethod
    def of(cls, fields: tuple[tuple[bytes, bytes], ...]) -> Headers:
        """Headers of fields that are known to be pairs of bytes, which is not checked."""
        headers = cls.__new__(cls)
        headers.fields = fields
        return headers

    @staticmethod
    def _fold_key(key: Any) -> Any:
        return key.lower() if isinstance(key, bytes) else _folded(key)

    # -- reading -------------------------------------------------------------------------------------------------

    def _by_name(self) -> dict[bytes, bytes]:
        """Folded name -> value, repeated fields joined; made anew when the fields changed."""
        fields = self.fields
        try:
            if self._indexed is fields:
                return self._index
        except AttributeError:
            pass  # never asked before
        index = {name.lower(): value for name, value in fields}
        if len(index) != len(fields):
            index = _joined(fields)
        if type(fields) is tuple:  # a script may have put a list there, and that may change under us
            self._index, self._indexed = index, fields
        return index

    def raw(self, name: bytes) -> bytes | None:
        """The value of the field of that lower-case name, repeated ones joined; None if there is none."""
        return self._by_name().get(name)

    def get(self, key: str | bytes, default: Any = None) -> Any:
        value = self._by_name().get(_folded(key))
        return default if value is None else value.decode("utf-8", "surrogateescape")

    def __getitem__(self, key: str | bytes) -> str:
        value = self._by_name().get(_folded(key))
        if value is None:
            raise KeyError(key)
        return value.decode("utf-8", "surrogateescape")

    def get_all(self, key: str | bytes) -> list[str]:
        """Every value of a repeated field, in order, unfolded."""
        wanted = _folded(key)
        return [_to_str(v) for k, v in self.fields if k.lower() == wanted]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str | bytes) and _folded(key) in self._by_name()

    def __iter__(self) -> Any:
        for key in super().__iter__():
            yield _to_str(key)

    def keys(self, multi: bool = False) -> Any:
        return [_to_str(k) for k, _ in self.fields] if multi else BaseMultiDict.keys(self)

    def values(self, multi: bool = False) -> Any:
        return [_to_str(v) for _, v in self.fields] if multi else BaseMultiDict.values(self)

    def items(self, multi: bool = False) -> Any:
        return [(_to_str(k), _to_str(v)) for k, v in self.fields] if multi else BaseMultiDict.items(self)

    def __bytes__(self) -> bytes:
        """The header section as on an HTTP/1 wire: each line ends with CRLF, no empty line after."""
        return b"".join([b"%b: %b\r\n" % pair for pair in self.fields])

    # -- changing ------------------------------------------------------------------------------------------------

    def __setitem__(self, key: str | bytes, value: Any) -> None:
        """One field of this name with this value; the index is kept up to date, as scripts set more than one.

        A list sets as many fields, for scripts of the first generation.
        """
        if type(value) is list:
            self.set_all(key, value)
            return
        folded, raw, fields, index = _folded(key), to_bytes(value), self.fields, self._by_name()
        if folded not in index:
            self.fields = (*fields, (to_bytes(key), raw))
        elif len(index) != len(fields):
            self.set_all(key, [raw])
            return
        elif index[folded] == raw:
            return
        else:
            pairs = list(fields)
            for at, (name, _) in enumerate(fields):
                if name.lower() == folded:
                    pairs[at] = (name, raw)
                    break
            self.fields = tuple(pairs)
        index[folded] = raw
        self._indexed = self.fields

    def set_all(self, key: str | bytes, values: Iterable[str | bytes]) -> None:
        super().set_all(to_bytes(key), [to_bytes(v) for v in values])

    def insert(self, index: int, key: str | bytes, value: str | bytes) -> None:
        super().insert(index, to_bytes(key), to_bytes(value))

    def replace(self, pattern: str | bytes, repl: str | bytes, count: int = 0, flags: int = 0) -> int:
        """Replace a regular expression in every ``name: value`` line; gives the number of replacements.

        ``count`` limits them, 0 means all. A line that is left without a ``": "`` is dropped.
        """
        regex, replacement, fields, replaced = re.compile(to_bytes(pattern), flags), to_bytes(repl), [], 0
        for pair in self.fields:
            if count and replaced >= count:
                fields.append(pair)
                continue
            line, n = regex.subn(replacement, b"%b: %b" % pair, count=count - replaced if count else 0)
            replaced += n
            name, colon, value = line.partition(b": ") if n else (pair[0], b": ", pair[1])
            if colon:
                fields.append((name, value))
        if replaced:
            self.fields = tuple(fields)
        return replaced


def _joined(fields: tuple[tuple[bytes, bytes], ...]) -> dict[bytes, bytes]:
    index: dict[bytes, bytes] = {}
    for name, value in fields:
        folded = name.lower()
        index[folded] = value if folded not in index else b"%b, %b" % (index[folded], value)
    return index


def to_headers(headers: Headers | Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> Headers:
    """Headers from what people pass to ``Response.make``: Headers, a mapping, or pairs, each of str or bytes.

    Raises TypeError for anything else.
    """
    if isinstance(headers, Headers):
        return headers
    if isinstance(headers, Mapping):
        headers = headers.items()
    try:
        return Headers([(to_bytes(name), to_bytes(value)) for name, value in headers])
    except (AttributeError, TypeError, ValueError):
        raise TypeError(f"headers are given as Headers, a dict or pairs, not as {headers!r}") from None
