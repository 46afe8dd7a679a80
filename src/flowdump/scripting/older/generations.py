"""Handlers of older generations of the scripting API, under the names and with the arguments of today's events.

What an addon is tells its shape. A module whose handlers take one argument more than their event has, a context, is of
the first generation (mitmproxy up to 0.17): each of its handlers gets the script's one ``ScriptContext`` in front.
Names that events had in the second generation (0.18 to 6) are heard beside those of today: ``clientconnect`` is
``client_connected`` with a ``RootLayer``, and so on. A ``WebSocketFlow`` needs nothing here: every flow is one, see
:mod:`flowdump.scripting.older.names`.
"""

from __future__ import annotations

import asyncio
import functools
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdump.scripting.handlers import Adapted, is_handler, required_names, wrap
from flowdump.scripting.older.first_generation import ScriptContext, calling

if TYPE_CHECKING:
    from flowdump.scripting.script_file import ScriptFile

#: Seconds between two calls of ``tick``, "a regular sub-second interval"; 0.1 is what mitmproxy had.
TICK = 0.1

#: Names of the first argument of ``start`` and ``done`` where no other handler tells the generation.
_CONTEXTS = ("context", "ctx", "sc", "script_context", "_context")
#: Names of the second argument that tell it as well, whatever the first one is called.
_SUBJECTS = ("flow", "f", "conn", "root_layer", "server_conn")


class RootLayer:
    """The argument of ``clientconnect`` and ``clientdisconnect`` in the second generation.

    It has the attributes of the client's connection as well.
    """

    def __init__(self, client: Any) -> None:
        self.client_conn = client

    def __getattr__(self, name: str) -> Any:
        if name == "client_conn":
            raise AttributeError(name)
        return getattr(self.client_conn, name)


class Older(NamedTuple):
    """An event of an older generation: what it is called now, its arguments then, and how to make them of today's.

    ``arguments`` returns None where the event did not occur then.
    """

    event: str
    names: tuple[str, ...]
    arguments: Callable[..., tuple[Any, ...] | None]


def _is_upgrade(flow: Any) -> bool:
    return "websocket" in flow.request.headers.get("upgrade", "").lower()


#: The second generation, by name.
SECOND: dict[str, Older] = {
    "clientconnect": Older("client_connected", ("root_layer",), lambda client: (RootLayer(client),)),
    "clientdisconnect": Older("client_disconnected", ("root_layer",), lambda client: (RootLayer(client),)),
    "serverconnect": Older("server_connect", ("server_conn",), lambda data: (data.server,)),
    "serverdisconnect": Older("server_disconnected", ("server_conn",), lambda data: (data.server,)),
    "websocket_handshake": Older("request", ("flow",), lambda flow: (flow,) if _is_upgrade(flow) else None),
    "websocket_error": Older("error", ("flow",), lambda flow: (flow,) if flow.websocket is not None else None),
    "log": Older("add_log", ("entry",), lambda entry: (entry,)),
    "tick": Older("running", (), lambda: ()),
}

#: The first generation: each of these came with a context in front.
FIRST: dict[str, Older] = {
    "request": Older("request", ("flow",), lambda flow: (flow,)),
    "responseheaders": Older("responseheaders", ("flow",), lambda flow: (flow,)),
    "response": Older("response", ("flow",), lambda flow: (flow,)),
    "error": Older("error", ("flow",), lambda flow: (flow,)),
    "clientconnect": Older("client_connected", ("conn",), lambda client: (client,)),
    "clientdisconnect": Older("client_disconnected", ("conn",), lambda client: (client,)),
    "serverconnect": Older("server_connect", ("server_conn",), lambda data: (data.server,)),
    "serverdisconnect": Older("server_disconnected", ("server_conn",), lambda data: (data.server,)),
    "done": Older("done", (), lambda: ()),
}


def is_first(module: Any) -> bool:
    """Whether a module is of the first generation. One with ``addons`` is not, and may call functions what it likes."""
    if hasattr(module, "addons"):
        return False
    return any(_has_context(_signature(module, name), len(older.names)) for name, older in FIRST.items()) or any(
        (_signature(module, name) or [""])[0] in _CONTEXTS for name in ("start", "done")
    )


def _has_context(names: list[str] | None, usual: int) -> bool:
    """Whether a handler takes one argument more than its event has, and that is a context."""
    if names is None or not usual or len(names) != usual + 1:
        return False
    return names[0] in _CONTEXTS or names[1] in _SUBJECTS


def _signature(module: Any, name: str) -> list[str] | None:
    """The required arguments of a function of a module."""
    function = getattr(module, name, None)
    if not isinstance(module, types.ModuleType) or not isinstance(function, types.FunctionType):
        return None
    return required_names(function)


def start_first(script: ScriptFile, module: Any) -> Adapted:
    """Start a script of the first generation, and give it the events of today."""
    context = ScriptContext()
    start: Any = getattr(module, "start", None)
    if isinstance(start, types.FunctionType):
        start(*(context, script.argv)[: len(required_names(start))])
    adapted = Adapted(module)
    for name, older in FIRST.items():
        handler: Any = getattr(module, name, None)
        if is_handler(module, handler):
            setattr(adapted, older.event, _first(handler, older, context))
    return adapted


def _first(handler: Callable[..., Any], older: Older, context: ScriptContext) -> Callable[..., Any]:
    takes_context = len(required_names(handler)) != len(older.names)

    @functools.wraps(handler)
    def call(*arguments: Any) -> Any:
        given = older.arguments(*arguments) or ()
        if older.names == ("flow",) and context.has_sent(given[0]):
            return None
        bound = functools.partial(handler, *([context] if takes_context else []), *given)
        return calling(bound, given[0]) if older.names == ("flow",) else bound()

    return call


def adapt(script: ScriptFile, addon: Any) -> Iterator[Any]:
    """An addon, and before it what stands for its handlers of the second generation, each event by itself."""
    for name, older in SECOND.items():
        handler = getattr(addon, name, None)
        if is_handler(addon, handler) and _is_second(script, name, handler, older):
            adapted = Adapted(addon)
            if name == "tick":
                _add_ticking(script, adapted, handler)
            else:
                setattr(adapted, older.event, _second(handler, older))
            yield adapted
    yield addon


def _is_second(script: ScriptFile, name: str, handler: Any, older: Older) -> bool:
    """Many scripts have a function named ``log``: it is a handler if its argument is named like the event's, and if
    the script itself does not call it.
    """
    names = required_names(handler)
    if name not in ("log", "tick"):
        return len(names) == len(older.names)
    return tuple(names) == older.names and not script.uses(name)


def _second(handler: Any, older: Older) -> Callable[..., Any]:
    @functools.wraps(handler)
    def call(*arguments: Any) -> Any:
        given = older.arguments(*arguments)
        return None if given is None else handler(*given)

    return call


def _add_ticking(script: ScriptFile, adapted: Any, handler: Any) -> None:
    """``tick`` runs from ``running`` to ``done`` in a task of its own."""
    tick = wrap(script, "tick", handler)

    async def ticking() -> None:
        while True:
            waiting = tick()
            if waiting is not None:
                await waiting
            await asyncio.sleep(TICK)

    def running() -> None:
        adapted.task = asyncio.get_running_loop().create_task(ticking(), name=f"tick of {script.path}")

    def done() -> None:
        if getattr(adapted, "task", None) is not None:
            adapted.task.cancel()

    adapted.running, adapted.done = running, done
