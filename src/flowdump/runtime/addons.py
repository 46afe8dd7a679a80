"""The addons of a run: who gets events, in which order, and the prepared table of their handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flowdump.exceptions import AddonManagerError
from flowdump.runtime.hooks import HookTable, fire

if TYPE_CHECKING:
    from flowdump.options.store import Options


class Addons:
    """Who gets events, in order, and the prepared table of their handlers.

    Built-in ones that keep strangers out come first, then ``script_addons``, then the other built-in ones. Without
    scripts a built-in takes part only while its option is set. A script may set it in the middle of an event, so beside
    scripts they all take part and look for themselves.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        #: Wraps an addon that is added while the run goes on; the wrapped addons of scripts get the events.
        self.adopt: Callable[[Any], Iterable[Any]] = lambda addon: [addon]
        #: Called with a mistake that a script made outside of its handlers: a sentence, and what was raised.
        self.on_report: Callable[[str, BaseException | None], None] = lambda text, error: None
        #: Makes the argument of ``load``.
        self.loader: Callable[[], Any] = lambda: None
        #: Asynchronous handlers that plain code has begun: nothing else holds on to these tasks.
        self.background: set[Any] = set()
        self.script_addons: list[Any] = []
        self.builtins: list[Any] = []
        self.table = HookTable()
        options.subscribe(self._configure)

    def rebuild(self) -> None:
        """Prepare the table anew, after addons came or went."""
        active = [addon for addon in self.builtins if self.script_addons or self._options.get(addon.option)]
        guards = [addon for addon in active if getattr(addon, "guards", False)]
        self.table = HookTable([*guards, *self.script_addons, *(addon for addon in active if addon not in guards)])

    def add(self, *addons: Any) -> None:
        """Add addons after the others; they get ``load`` and ``configure``.

        Raises AddonManagerError where one of that name is there, and what their handlers raise.
        """
        for addon in addons:
            if _name_of(addon) in self.lookup:
                raise AddonManagerError(f"there is an addon {_name_of(addon)!r} already")
            for one in self.adopt(addon):
                self.call(one, "load", self.loader())
                self.script_addons.append(one)
                self.rebuild()
                self.call(one, "configure", self._options.keys())

    def remove(self, addon: Any) -> None:
        """Take an addon out again; it gets ``done``. Raises AddonManagerError where it is not one of them."""
        known = [one for one in self.script_addons if getattr(one, "addon", one) is addon]
        if not known:
            raise AddonManagerError(f"there is no addon {_name_of(addon)!r}")
        self.script_addons = [one for one in self.script_addons if one not in known]
        self.rebuild()
        for one in known:
            self.call(one, "done")

    def clear(self) -> None:
        """Remove every addon that was added."""
        for one in list(self.script_addons):
            with suppress(AddonManagerError):  # one of an addon that went with another of its parts
                self.remove(getattr(one, "addon", one))

    def report(self, text: str, error: BaseException | None) -> None:
        """Tell of what a script did wrong outside of its handlers; ``error`` is what it raised, if it did."""
        self.on_report(text, error)

    def trigger(self, event: Any) -> None:
        """Fire an event such as ``UpdateHook([flow])``; what is asynchronous goes on in the loop."""
        for handler in self.table.handlers(event.name):
            self.begin(handler(*event.args()))

    async def trigger_event(self, event: Any) -> None:
        """Fire an event and wait for its handlers."""
        await fire(self.table.handlers(event.name), *event.args())

    async def invoke_addon(self, addon: Any, event: Any) -> None:
        """Let one addon have an event such as ``UpdateHook([flow])``, and wait for it."""
        handler = getattr(addon, event.name, None)
        if callable(handler):
            await fire((handler,), *event.args())

    def invoke_addon_sync(self, addon: Any, event: Any) -> None:
        """The same from plain code; what is asynchronous goes on in the loop."""
        self.call(addon, event.name, *event.args())

    def call(self, addon: Any, event: str, *arguments: Any) -> None:
        """Call one handler of one addon, if it has it."""
        handler = getattr(addon, event, None)
        if callable(handler):
            self.begin(handler(*arguments))

    def begin(self, waiting: Any) -> None:
        """Let what an ``async def`` gave go on in the loop."""
        if waiting is not None and hasattr(waiting, "__await__"):
            import asyncio

            task = asyncio.ensure_future(waiting)
            self.background.add(task)
            task.add_done_callback(self.background.discard)

    def register(self, addon: Any) -> Any:
        """Add an addon, and give it back. Raises AddonManagerError where one of its name is there."""
        self.add(addon)
        return addon

    def _configure(self, changed: set[str]) -> None:
        for handler in self.table.configure:
            handler(changed)
        self.rebuild()

    def get(self, name: str) -> Any:
        """The addon of that name (its class name in lower case, or its ``name``), None where there is none."""
        return self.lookup.get(name)

    @property
    def lookup(self) -> dict[str, Any]:
        known = [getattr(addon, "addon", addon) for addon in (*self.script_addons, *self.builtins)]
        return {_name_of(addon): addon for addon in known}

    def __contains__(self, addon: object) -> bool:
        """Whether there is an addon of a name, or that addon."""
        known = self.lookup
        return addon in known if isinstance(addon, str) else any(addon is one for one in known.values())

    def __len__(self) -> int:
        return len(self.lookup)


def _name_of(addon: Any) -> str:
    name = getattr(addon, "name", None)
    return name if isinstance(name, str) else type(addon).__name__.lower()
