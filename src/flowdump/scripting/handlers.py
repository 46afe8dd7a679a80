"""The handlers of a script's addons, each wrapped once, when the script is loaded.

Around every call ``sys.argv`` is the script's, and an exception, that of ``sys.exit()`` included, is logged with the
script's own frames instead of ending the run. A plain handler that blocks is named, once.
"""

from __future__ import annotations

import inspect
import select
import sys
import types
from collections.abc import Awaitable, Callable, Generator
from time import monotonic
from typing import TYPE_CHECKING, Any

from flowdump import ctx
from flowdump.exceptions import AddonHalt, EndedNow, ScriptError
from flowdump.runtime.hooks import EVENTS
from flowdump.scripting.on_error import condemn
from flowdump.scripting.script_file import place_of

if TYPE_CHECKING:
    from flowdump.scripting.script_file import ScriptFile

#: Seconds that a plain handler may take before it is named in a warning: everything else waits for it.
BLOCKING = 0.25


class Adapted:
    """Stands for an addon of older shape: its handlers as attributes named like today's events."""

    def __init__(self, addon: Any) -> None:
        self.addon = addon

    def __repr__(self) -> str:
        return f"Adapted({self.addon!r})"


class WrappedAddon:
    """An addon of a script as the hook table sees it: with the wrapped handlers as attributes.

    Raises ScriptError for a handler that can never be called.
    """

    def __init__(self, script: ScriptFile, addon: Any) -> None:
        self.script = script
        #: The addon as the script knows it.
        self.addon = addon.addon if isinstance(addon, Adapted) else addon
        for event in EVENTS:
            handler: Any = getattr(addon, event.name, None)
            if is_handler(addon, handler):
                if isinstance(addon, type) and len(required_names(handler)) == len(event.arguments) + 1:
                    raise ScriptError(
                        f"{located(script, handler)}: {event.name} needs an instance, and the addon is the class "
                        f"{addon.__name__} itself: put {addon.__name__}() into addons, or make it a static method"
                    )
                if event.name in _PLAIN and inspect.iscoroutinefunction(handler):
                    raise ScriptError(
                        f"{located(script, handler)}: {event.name} has to be a plain function: nothing can wait for it"
                    )
                setattr(self, event.name, _WRAPPERS.get(event.name, wrap)(script, event.name, handler))

    def __repr__(self) -> str:
        return f"WrappedAddon({self.addon!r})"


# -- what is a handler -------------------------------------------------------------------------------------------


def is_handler(addon: Any, handler: Any) -> bool:
    """Callable, and meant as one: not a class named ``error``, nor the ``load`` of ``from json import load``."""
    if not callable(handler) or isinstance(handler, type):
        return False
    if isinstance(addon, types.ModuleType) and isinstance(handler, types.FunctionType | types.BuiltinFunctionType):
        return (handler.__module__ or "").partition(".")[0] not in sys.stdlib_module_names
    return True


def required_names(handler: Callable[..., Any]) -> list[str]:
    """The names of the arguments without which a function cannot be called; empty where that cannot be told."""
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind in positional]


def located(script: ScriptFile, handler: Callable[..., Any]) -> str:
    file, line = place_of(handler) or (script.path, 1)
    return f"{file}:{line}"


# -- calling them ------------------------------------------------------------------------------------------------


def wrap(script: ScriptFile, event: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    argv = script.argv

    def call(*arguments: Any) -> Awaitable[None] | None:
        before = sys.argv
        sys.argv = argv
        begun = monotonic()
        try:
            result = handler(*arguments)
        except AddonHalt:
            raise
        except (Exception, SystemExit) as error:
            _raise_if_not_its_own(error)
            script.report(event, error, handler)
            condemn(event, arguments)
            return None
        finally:
            sys.argv = before
            if monotonic() - begun > BLOCKING:
                _warn(script, event, handler, monotonic() - begun)
        if result is not None and hasattr(result, "__await__"):
            return _guarded(script, event, result, arguments)
        return None

    return call


def _raise_if_not_its_own(error: BaseException) -> None:
    """A print() into a pipe without a reader is no mistake of the script: the run ends, as for the display.

    So does a second signal.
    """
    if isinstance(error, EndedNow):
        raise error
    if not isinstance(error, BrokenPipeError):
        return
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return
    if poll.poll(0):  # no reader is left
        raise error


def _warn(script: ScriptFile, event: str, handler: Callable[..., Any], seconds: float) -> None:
    if event == "done" or handler in script.blocking:
        return
    script.blocking.append(handler)
    ctx.log.warn(
        f"{located(script, handler)}: {event} blocked everything else for {seconds:.1f} s (said once); "
        "@concurrent or async def would let other flows go on"
    )


def _wrap_startup(script: ScriptFile, event: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    """``load`` and ``configure``: what they raise ends the start, or undoes the change of an option."""
    # ``configure(options, updated)`` is how the second generation of the scripting API had it.
    takes_options = event == "configure" and len(required_names(handler)) == 2

    def call(*arguments: Any) -> None:
        if event == "load":
            arguments[0].source = script.argv[0]
        with script.startup(event), script.arguments():
            handler(*((ctx.options, *arguments) if takes_options else arguments))

    return call


_WRAPPERS = {"load": _wrap_startup, "configure": _wrap_startup}
#: Events that are fired where nothing can be awaited.
_PLAIN = {"load", "configure", "add_log"}


async def _guarded(script: ScriptFile, event: str, waiting: Awaitable[None], arguments: tuple[Any, ...]) -> None:
    """Await an asynchronous handler and report its exceptions."""
    try:
        await _with_arguments(script, waiting)
    except AddonHalt:
        raise
    except (Exception, SystemExit) as error:
        _raise_if_not_its_own(error)
        script.report(event, error)
        condemn(event, arguments)


@types.coroutine
def _with_arguments(script: ScriptFile, waiting: Awaitable[None]) -> Generator[Any, Any, None]:
    """Await something whose first step runs with the script's ``sys.argv``."""
    steps = waiting.__await__()
    try:
        with script.arguments():
            yielded = next(steps)
        while True:
            try:
                sent = yield yielded
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # a cancellation, say: the handler may clean up
                yielded = steps.throw(error)
            else:
                yielded = steps.send(sent)
    except StopIteration:
        return
