"""``Flow``: what HTTP, TCP, UDP and DNS flows have in common.

Flows are plain data. ``get_state()`` gives a flow as a tree of plain values (the *state dict*, keys as in a mitmproxy
flow of format version 21), ``from_state()`` builds one from it; :mod:`flowdump.formats` turns such trees into files.
Flows compare and hash by identity, and any further attribute may be set on them.
"""

from __future__ import annotations

import importlib
import time
from typing import Any, ClassVar

from flowdump.connection import Client, Server, new_id
from flowdump.exceptions import ControlException

#: The version of the state dict, mitmproxy 11.0 and later.
STATE_VERSION = 21


class Error:
    """Why a flow went wrong on the network: ``msg`` for people, ``timestamp`` in Unix seconds.

    Not an HTTP error status: a 500 is a response like any other.
    """

    KILLED_MESSAGE: ClassVar[str] = "Connection killed."

    def __init__(self, msg: str, timestamp: float | None = None) -> None:
        self.msg = msg
        self.timestamp = time.time() if timestamp is None else timestamp

    def get_state(self) -> dict[str, Any]:
        return {"msg": self.msg, "timestamp": self.timestamp}

    def set_state(self, state: dict[str, Any]) -> None:
        self.msg, self.timestamp = state["msg"], state["timestamp"]

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Error:
        return cls(state["msg"], state["timestamp"])

    def copy(self) -> Error:
        return Error(self.msg, self.timestamp)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Error) and self.get_state() == other.get_state()

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.msg

    __repr__ = __str__


class Flow:
    """One exchange, of any protocol.

    ``id`` is a UUID as text. ``error`` may stand beside a response. ``is_replay`` is None, ``"request"`` (sent again by
    client replay) or ``"response"`` (answered by server replay). ``marked`` is a marker such as ``":default:"``, or
    ``""``. ``metadata`` is free for scripts; what can be saved of it goes into the flow file. ``live`` is False for a
    flow that came from a file, else what relays it.
    """

    type: ClassVar[str]
    #: The parts of a state dict that only this kind of flow has, in its order.
    PARTS: ClassVar[tuple[str, ...]] = ()

    client_conn: Client
    server_conn: Server
    error: Error | None = None
    intercepted: bool = False
    is_replay: str | None = None
    marked: str = ""
    comment: str = ""
    live: Any = False
    _backup: dict[str, Any] | None = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "type" in vars(cls):
            _CLASSES.setdefault(cls.type, cls)

    def __init__(self, client_conn: Client, server_conn: Server, live: Any = False) -> None:
        self.id = new_id()
        self.client_conn = client_conn
        self.server_conn = server_conn
        self.live = live
        self.timestamp_created: float = time.time()
        self.metadata: dict[str, Any] = {}

    # -- state ---------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """The whole flow as plain values, certificates as PEM, headers as pairs of bytes."""
        state: dict[str, Any] = {
            "version": STATE_VERSION,
            "type": self.type,
            "id": self.id,
            "error": self.error.get_state() if self.error else None,
            "client_conn": self.client_conn.get_state(),
            "server_conn": self.server_conn.get_state(),
            "intercepted": self.intercepted,
            "is_replay": self.is_replay,
            "marked": self.marked,
            "metadata": dict(self.metadata),
            "comment": self.comment,
            "timestamp_created": self.timestamp_created,
            "backup": self._backup if self.modified() else None,
        }
        state.update(self._parts_state())
        return state

    def _parts_state(self) -> dict[str, Any]:
        raise TypeError(f"{type(self).__name__} has no state")

    def set_state(self, state: dict[str, Any]) -> None:
        """Become the flow of a (complete) state dict; the connections keep their identity."""
        self.id = state["id"]
        self.error = Error.from_state(state["error"]) if state["error"] else None
        for name, kind in (("client_conn", Client), ("server_conn", Server)):
            connection = self.__dict__.get(name)
            if connection is None:
                setattr(self, name, kind.from_state(state[name]))
            else:
                connection.set_state(state[name])
        self.intercepted = state["intercepted"]
        self.is_replay = state["is_replay"]
        self.marked = state["marked"]
        self.metadata = dict(state["metadata"] or {})
        self.comment = state["comment"]
        self.timestamp_created = state["timestamp_created"]
        self._backup = state.get("backup")
        self._set_parts(state)

    def _set_parts(self, state: dict[str, Any]) -> None:
        raise TypeError(f"{type(self).__name__} has no state")

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Any:
        """The flow of a complete state dict: an HTTPFlow, TCPFlow, UDPFlow or DNSFlow, by its ``type``.

        Raises ValueError for another type, KeyError for a missing key.
        """
        kind = flow_class(state["type"])
        flow = kind.__new__(kind)
        flow.set_state(state)
        return flow

    def copy(self) -> Any:
        """An independent flow with the same content and backup, a new id, and not live."""
        new = self.from_state(self.get_state())
        new.id = new_id()
        new.metadata = _deep(self.metadata)
        if new._backup is not None:
            new._backup = new._backup | {"id": new.id, "metadata": _deep(new._backup["metadata"])}
        return new

    # -- undo ----------------------------------------------------------------------------------------------------

    def backup(self, force: bool = False) -> None:
        """Remember the flow as it is now, for ``revert()``; an earlier backup stays unless ``force``."""
        if force or self._backup is None:
            self._backup = None
            state = self.get_state()
            state["metadata"] = _deep(self.metadata)
            self._backup = state

    def revert(self) -> None:
        """Go back to the backup, if there is one."""
        if self._backup is not None:
            self.set_state(self._backup)
            self._backup = None

    def modified(self) -> bool:
        """Whether the flow differs from its backup."""
        backup = self._backup
        if backup is None:
            return False
        self._backup = None
        try:
            now = self.get_state()
        finally:
            self._backup = backup
        # A backup out of a file has lists where we make tuples: it is not judged before it went through our hands.
        return backup != now and self.from_state(backup).get_state() != now

    # -- control -------------------------------------------------------------------------------------------------

    @property
    def killable(self) -> bool:
        """Whether ``kill()`` still makes a difference: the flow is live and not killed yet."""
        return bool(self.live) and not (self.error and self.error.msg == Error.KILLED_MESSAGE)

    def kill(self, *_: Any) -> None:
        """Give the flow up: nothing more of it is forwarded. Raises ControlException when it is not killable.

        Older scripts pass ``ctx.master``, to ``intercept`` as well; it is not needed.
        """
        if not self.killable:
            raise ControlException("Flow is not killable.")
        self.error = Error(Error.KILLED_MESSAGE)
        self.intercepted = False
        live, self.live = self.live, False
        _tell(live, "kill", self)

    def intercept(self, *_: Any) -> None:
        """Hold the flow until ``resume()``. A flow from a file is only marked as intercepted: nothing waits for it."""
        if not self.intercepted:
            self.intercepted = True
            _tell(self.live, "intercept", self)

    def resume(self) -> None:
        """Let an intercepted flow go on."""
        if self.intercepted:
            self.intercepted = False
            _tell(self.live, "resume", self)

    async def wait_for_resume(self) -> None:
        """Wait until an intercepted flow is resumed or killed; a flow that nothing relays goes on at once."""
        wait = getattr(self.live, "wait_for_resume", None)
        if self.intercepted and wait is not None:
            await wait(self)

    @property
    def timestamp_start(self) -> float | None:
        """When the flow began, in Unix seconds."""
        return self.client_conn.timestamp_start

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


def _tell(live: Any, what: str, flow: Flow) -> None:
    """Pass a wish on to what relays the flow; people who test their scripts set ``live`` to a mere True."""
    act = getattr(live, what, None)
    if act is not None:
        act(flow)


def _deep(metadata: dict[str, Any]) -> dict[str, Any]:
    """A copy that shares nothing with the original but what cannot be copied (locks, sockets, loggers)."""
    if not metadata:
        return {}
    from copy import deepcopy

    copied = {}
    for key, value in metadata.items():
        try:
            copied[key] = deepcopy(value)
        except Exception:  # a class of a script may raise anything when it is copied
            copied[key] = value
    return copied


#: Kind of flow -> the module below this package whose import registers its class (``Flow.__init_subclass__``). They are
#: imported on first use: a run over HTTP flows has no need of the others.
_MODULES = {"http": "http.flow", "tcp": "tcp", "udp": "udp", "dns": "dns.message"}
_CLASSES: dict[str, type[Flow]] = {}


def flow_class(kind: str) -> type[Flow]:
    """The class of a kind of flow. Raises ValueError for an unknown kind."""
    if kind not in _CLASSES:
        if kind not in _MODULES:
            raise ValueError(f"unknown flow type {kind!r}")
        importlib.import_module(f"{__package__}.{_MODULES[kind]}")
    return _CLASSES[kind]
