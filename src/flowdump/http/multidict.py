"""Ordered mappings with repeated keys, the shape of headers, cookies, query strings and forms.

``fields`` is the whole truth: an immutable tuple of ``(key, value)`` pairs in their original order. Every change
assigns a new tuple, so a holder of the old one (the flow file writer, to see whether anything changed) can compare by
identity.

``MultiDict`` owns its pairs. ``MultiDictView`` reads them from somewhere else (a header, a body) at each access and
writes them back at each change: ``request.query["a"] = "b"`` rewrites the path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing import Self

K = TypeVar("K")
V = TypeVar("V")


class BaseMultiDict(MutableMapping[K, V]):
    """What all of them can do. ``d[k]`` gives the first value (headers fold all of them), ``get_all`` every one."""

    __slots__ = ()

    if TYPE_CHECKING:
        fields: tuple[tuple[K, V], ...]

    # -- what subclasses bend ------------------------------------------------------------------------------------

    @staticmethod
    def _fold_key(key: Any) -> Any:
        """The form in which two keys are compared."""
        return key

    @staticmethod
    def _fold_values(values: list[Any]) -> Any:
        """What ``d[k]`` gives when there are several."""
        return values[0]

    # -- reading -------------------------------------------------------------------------------------------------

    def get_all(self, key: K) -> list[V]:
        """All values of ``key`` in order; an empty list where there is none."""
        wanted = self._fold_key(key)
        return [v for k, v in self.fields if self._fold_key(k) == wanted]

    def __getitem__(self, key: K) -> V:
        values = self.get_all(key)
        if not values:
            raise KeyError(key)
        return self._fold_values(values)  # type: ignore[no-any-return]

    def __contains__(self, key: object) -> bool:
        wanted = self._fold_key(key)
        return any(self._fold_key(k) == wanted for k, _ in self.fields)

    def __iter__(self) -> Iterator[K]:
        seen = set()
        for key, _ in self.fields:
            folded = self._fold_key(key)
            if folded not in seen:
                seen.add(folded)
                yield key

    def __len__(self) -> int:
        return len({self._fold_key(k) for k, _ in self.fields})

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BaseMultiDict):
            return bool(self.fields == other.fields)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def keys(self, multi: bool = False) -> Any:
        """The keys, each once; with ``multi`` as often as they occur."""
        return [k for k, _ in self.fields] if multi else super().keys()

    def values(self, multi: bool = False) -> Any:
        """One value per key; with ``multi`` all of them."""
        return [v for _, v in self.fields] if multi else super().values()

    def items(self, multi: bool = False) -> Any:
        """One pair per key (repeated headers folded with ``", "``); with ``multi`` every pair as it came."""
        return list(self.fields) if multi else super().items()

    # -- changing ------------------------------------------------------------------------------------------------

    def set_all(self, key: K, values: Iterable[V]) -> None:
        """Replace every value of ``key``: the first ones keep their places, more are appended, surplus ones go."""
        wanted = self._fold_key(key)
        rest = list(values)
        fields: list[tuple[K, V]] = []
        for k, v in self.fields:
            if self._fold_key(k) != wanted:
                fields.append((k, v))
            elif rest:
                fields.append((k, rest.pop(0)))
        fields.extend((key, v) for v in rest)
        self.fields = tuple(fields)

    def __setitem__(self, key: K, value: V) -> None:
        self.set_all(key, [value])

    def __delitem__(self, key: K) -> None:
        wanted = self._fold_key(key)
        kept = tuple(pair for pair in self.fields if self._fold_key(pair[0]) != wanted)
        if len(kept) == len(self.fields):
            raise KeyError(key)
        self.fields = kept

    def add(self, key: K, value: V) -> None:
        """Append a pair, whether or not the key is there already."""
        self.insert(len(self.fields), key, value)

    def insert(self, index: int, key: K, value: V) -> None:
        """Put a pair in front of position ``index``."""
        self.fields = (*self.fields[:index], (key, value), *self.fields[index:])

    def clear(self) -> None:
        self.fields = ()


class MultiDict(BaseMultiDict[K, V]):
    """A multi-dict that owns its pairs. ``MultiDict([("a", "1"), ("a", "2")])``."""

    __slots__ = ("fields",)

    def __init__(self, fields: Iterable[Iterable[Any]] | Mapping[K, V] = ()) -> None:
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        self.fields = tuple(tuple(pair) for pair in pairs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}[{', '.join(repr(pair) for pair in self.fields)}]"

    def copy(self) -> Self:
        """An independent multi-dict with the same pairs."""
        new = type(self).__new__(type(self))
        new.fields = self.fields
        return new

    def get_state(self) -> tuple[tuple[K, V], ...]:
        return self.fields

    def set_state(self, state: Iterable[Iterable[Any]]) -> None:
        self.fields = tuple([tuple(pair) for pair in state])

    @classmethod
    def from_state(cls, state: Iterable[Iterable[Any]]) -> Self:
        new = cls.__new__(cls)
        new.set_state(state)
        return new


class MultiDictView(BaseMultiDict[K, V]):
    """A multi-dict whose pairs live elsewhere: ``getter()`` reads them, ``setter(pairs)`` writes them back."""

    __slots__ = ("_getter", "_setter")

    def __init__(
        self, getter: Callable[[], Iterable[tuple[K, V]]], setter: Callable[[tuple[tuple[K, V], ...]], None]
    ) -> None:
        self._getter = getter
        self._setter = setter

    @property
    def fields(self) -> tuple[tuple[K, V], ...]:
        return tuple(self._getter())

    @fields.setter
    def fields(self, pairs: tuple[tuple[K, V], ...]) -> None:
        self._setter(pairs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}[{', '.join(repr(pair) for pair in self.fields)}]"

    def copy(self) -> MultiDict[K, V]:
        """The pairs as they are now, no longer tied to their source."""
        return MultiDict(self.fields)
