"""What is probably a mistake in a script, told when it is loaded: a misspelt event, a handler that cannot be called,
one for an event that does not happen here.

All of them are warnings only. A function that looks like a misspelt event may be meant as it is, so only those are
named that the script itself makes no use of.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from flowdump.runtime.hooks import EVENTS
from flowdump.scripting.handlers import Adapted, is_handler, located, required_names
from flowdump.scripting.older.generations import FIRST, SECOND

if TYPE_CHECKING:
    from flowdump.scripting.script_file import ScriptFile

#: How alike two names must be, from 0 to 1: "reponse", "responce" and "response_" are 0.93, 0.88 and 0.94 like
#: "response"; "respond" is 0.8 and may be meant so.
_ALIKE = 0.82

#: What some frameworks put in front of the names of events.
_PREFIXES = re.compile("^(on|handle|do)_")

_EVENTS = {event.name: event.arguments for event in EVENTS}
#: Events that scripts may handle, and that do not happen in flowdump: why, and what there is instead.
_NEVER = {
    "next_layer": "flowdump has no protocol layers; to let a connection pass untouched, set data.ignore_connection in "
    "tls_clienthello, or the option ignore_hosts",
    "quic_start_client": "flowdump speaks no QUIC",
    "quic_start_server": "flowdump speaks no QUIC",
}

_OLDER = {name: older.names for name, older in (*FIRST.items(), *SECOND.items())} | {"start": ()}
_KNOWN = _OLDER | _EVENTS


def about(script: ScriptFile, addons: list[Any]) -> Iterator[str]:
    """The warnings about the addons of a script."""
    for addon in addons:
        first = isinstance(addon, Adapted)
        yield from _wrong_signatures(script, addon)
        yield from _never_called(script, addon)
        yield from _misspelt(script, addon.addon if first else addon, first)


# -- handlers that cannot be called ------------------------------------------------------------------------------


def _wrong_signatures(script: ScriptFile, addon: Any) -> Iterator[str]:
    for event, names in _EVENTS.items():
        handler: Any = getattr(addon, event, None)
        if isinstance(addon, Adapted) or not is_handler(addon, handler) or _takes(handler, len(names)):
            continue
        if event == "configure" and _takes(handler, 2):
            continue
        yield (
            f"{located(script, handler)}: {event}{_shown(handler)} will fail: it is called as "
            f"{event}({', '.join(names)})"
        )


def _never_called(script: ScriptFile, addon: Any) -> Iterator[str]:
    for event, reason in _NEVER.items():
        handler: Any = getattr(addon, event, None)
        if is_handler(addon, handler):
            yield f"{located(script, handler)}: {event} is never called: {reason}"


def _takes(handler: Callable[..., Any], count: int) -> bool:
    """Whether a function can be called with so many arguments; yes where that cannot be told."""
    try:
        inspect.signature(handler).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _shown(handler: Callable[..., Any]) -> str:
    return f"({', '.join(inspect.signature(handler).parameters)})"


# -- misspelt events ---------------------------------------------------------------------------------------------


def _misspelt(script: ScriptFile, addon: Any, first: bool) -> Iterator[str]:
    for name, function in _functions(script, addon):
        near = get_close_matches(_PREFIXES.sub("", name.lower()), list(_KNOWN), n=1, cutoff=_ALIKE)
        # With its context, in the first generation.
        if near and len(required_names(function)) == len(_KNOWN[near[0]]) + first and not script.uses(name):
            yield (
                f"{located(script, function)}: there is no event {name!r}, so nothing calls this function; "
                f"did you mean {near[0]!r}?"
            )


def _functions(script: ScriptFile, addon: Any) -> Iterator[tuple[str, Any]]:
    """The public functions of an addon that the script itself defines and that are no events."""
    members = addon if isinstance(addon, types.ModuleType | type) else type(addon)
    for name, member in vars(members).items():
        if isinstance(member, types.FunctionType) and not name.startswith("_") and name not in _KNOWN:
            bound = getattr(addon, name)
            if callable(bound) and script.module is not None and member.__module__ == script.module.__name__:
                yield name, bound
