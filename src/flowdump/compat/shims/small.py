"""Small helpers of several modules of mitmproxy's ``utils``."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any, TypeVar

from flowdump.exceptions import OptionsError
from flowdump.options.store import fits, type_name

T = TypeVar("T")

_TASKS: set[asyncio.Task[Any]] = set()


def create_task(
    coro: Coroutine[Any, Any, T], *, name: str, keep_ref: bool = True, client: Any = None
) -> asyncio.Task[T]:
    """A task in the running loop; ``keep_ref`` keeps it alive until it is done."""
    task = asyncio.get_running_loop().create_task(coro, name=name)
    if keep_ref:
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)
    return task


def window(iterator: Iterable[T], behind: int = 0, ahead: int = 0) -> Iterator[tuple[T | None, ...]]:
    """Each item between its neighbours; None where there are none."""
    items: list[T | None] = list(iterator)
    padded: list[T | None] = [*[None] * behind, *items, *[None] * ahead]
    for i in range(len(items)):
        yield tuple(padded[i : i + behind + 1 + ahead])


_TYPE_NAMES = {
    "str?": "optional str",
    "int?": "optional int",
    "bool?": "optional bool",
    "float?": "optional float",
    "[str]": "sequence of str",
}


def typespec_to_str(typespec: Any) -> str:
    """``Optional[int]`` -> ``"optional int"``. Raises NotImplementedError for types that options cannot have."""
    try:
        name = type_name(typespec)
    except OptionsError as error:
        raise NotImplementedError(str(error)) from None
    return _TYPE_NAMES.get(name, name)


def check_option_type(name: str, value: Any, typeinfo: Any) -> None:
    """Raises TypeError where a value does not fit an option's type."""
    if not fits(type_name(typeinfo), value):
        raise TypeError(f"Expected {typeinfo} for {name}, but got {type(value)}.")


#: From the most severe on; two of them are of one tier.
LogLevels = ["error", "warn", "info", "alert", "debug"]


def log_tier(level: str) -> int | None:
    """How little severe a level is, from 0 on; None for one that is unknown."""
    return {"error": 0, "warn": 1, "info": 2, "alert": 2, "debug": 3}.get(level)
