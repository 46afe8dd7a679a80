"""Attributes that older scripts use on messages, flows and connections, and when those get them.

The scripting API had two generations before this one (mitmproxy up to 0.17, then 0.18 to 6). What they called
differently is here: one class of attributes for each class of today, each on top of the present name. What means
something else today, and so is for scripts of the first generation only, is in
:mod:`flowdump.scripting.older.first_generation`.

The classes of today know none of this. ``install`` puts the attributes on them, once and for the whole process, when
a script is loaded that mentions one of their names (:func:`mentions_older_names`), when a module of ``libmproxy`` or
``netlib`` is imported, and for programs and test suites that run on the façade. The names are looked for in the
compiled code of the script and of all modules that it imports while it is loaded. That costs one pass over their
names at start-up and nothing afterwards; a name too many installs what no script uses, which is harmless.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from types import CodeType
from typing import TYPE_CHECKING, Any

from flowdump.connection import Client, Connection, Server
from flowdump.exceptions import ControlException
from flowdump.flow import Flow
from flowdump.http.flow import HTTPFlow
from flowdump.http.headers import Headers
from flowdump.http.multidict import MultiDict
from flowdump.http.request import Request
from flowdump.http.response import Response
from flowdump.http.urls import hostport


class ODict(MultiDict[Any, Any]):
    """The multi-dict of the first generation: ``d[key]`` is the *list* of values, and a list is assigned."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> list[Any]:
        return self.get_all(key)

    def __setitem__(self, key: Any, values: Any) -> None:
        self.set_all(key, values if isinstance(values, list | tuple) else [values])

    def get(self, key: Any, default: Any = None) -> Any:
        return self.get_all(key) or default

    def get_first(self, key: Any, default: Any = None) -> Any:
        """The first value, ``default`` where there is none."""
        return first_of(self.get_all(key), default)

    def items(self, multi: bool = True) -> Any:
        return list(self.fields)

    @property
    def lst(self) -> list[list[Any]]:
        return [list(pair) for pair in self.fields]

    @lst.setter
    def lst(self, pairs: Iterable[Iterable[Any]]) -> None:
        self.set_state(pairs)


class ODictCaseless(ODict):
    """An ODict whose keys are case-insensitive."""

    __slots__ = ()

    @staticmethod
    def _fold_key(key: Any) -> Any:
        return key.lower()


def first_of(values: list[Any], default: Any) -> Any:
    return values[0] if values else default


class OlderHeaders:
    """On Headers: what an ``ODictCaseless`` had."""

    __slots__ = ()

    if TYPE_CHECKING:
        fields: tuple[tuple[bytes, bytes], ...]

        def get_all(self, key: str | bytes) -> list[str]: ...
        def add(self, key: Any, value: Any) -> None: ...

    def get_first(self, key: str | bytes, default: Any = None) -> Any:
        """The first value of a header, ``default`` where there is none."""
        return first_of(self.get_all(key), default)

    def extend(self, other: Any) -> None:
        """Append every pair of another multi-dict."""
        for key, value in other.fields if hasattr(other, "fields") else other:
            self.add(key, value)

    def in_any(self, key: str, value: str, caseless: bool = False) -> bool:
        """Whether ``value`` is part of any value of ``key``."""
        fold = str.lower if caseless else str
        return any(fold(value) in fold(known) for known in self.get_all(key))

    def match_re(self, expression: str) -> bool:
        """Whether an expression is found in any ``name: value`` line, ignoring case."""
        search = re.compile(expression, re.IGNORECASE).search
        return any(search(f"{k.decode('latin-1')}: {v.decode('latin-1')}") for k, v in self.fields)

    @property
    def lst(self) -> list[list[str]]:
        return [[k.decode("utf-8", "surrogateescape"), v.decode("utf-8", "surrogateescape")] for k, v in self.fields]


class OlderMessage:
    """On Request and Response."""

    #: Whether the message was replayed: what ``flow.is_replay`` says, up to mitmproxy 6.
    is_replay: bool = False

    if TYPE_CHECKING:
        content: bytes | None
        http_version: str
        headers: Any

        def get_content(self, strict: bool = True) -> bytes | None: ...

    @property
    def body(self) -> bytes | None:
        return self.content

    @body.setter
    def body(self, body: bytes | None) -> None:
        self.content = body

    @property
    def httpversion(self) -> tuple[int, int]:
        """``(1, 1)``."""
        major, _, minor = self.http_version.partition("/")[2].partition(".")
        return int(major), int(minor or 0)

    def get_decoded_content(self) -> bytes | None:
        return self.get_content(strict=False)

    def get_content_type(self) -> str:
        return str(self.headers.get("content-type", ""))


class OlderRequest(OlderMessage):
    """On Request: methods where there are properties now."""

    if TYPE_CHECKING:
        url: str
        scheme: str
        host: str
        port: int
        path_components: Any
        query: Any
        cookies: Any
        urlencoded_form: Any
        multipart_form: Any

    def get_url(self) -> str:
        return self.url

    def set_url(self, url: str) -> bool:
        """Raises ValueError for what is no URL."""
        self.url = url
        return True

    def get_path_components(self) -> list[str]:
        return list(self.path_components)

    def set_path_components(self, components: Iterable[str]) -> None:
        self.path_components = components

    def get_query(self) -> ODict:
        """The query, detached: a change takes effect with ``set_query``."""
        return ODict(self.query.fields)

    def set_query(self, pairs: Any) -> None:
        self.query = pairs

    def get_form_urlencoded(self) -> ODict:
        return ODict(self.urlencoded_form.fields)

    def set_form_urlencoded(self, pairs: Any) -> None:
        self.urlencoded_form = pairs

    def get_form_multipart(self) -> ODict:
        return ODict(self.multipart_form.fields)

    def set_form_multipart(self, pairs: Any) -> None:
        self.multipart_form = pairs

    def get_cookies(self) -> ODict:
        return ODict(self.cookies.fields)

    def set_cookies(self, pairs: Any) -> None:
        self.cookies = pairs

    def update_host_header(self) -> None:
        """Let the Host header say where the request goes."""
        self.headers["Host"] = hostport(self.scheme, self.host, self.port)

    @property
    def form_in(self) -> str:
        form: str = self.first_line_format  # type: ignore[attr-defined]
        return form


class OlderResponse(OlderMessage):
    """On Response."""

    if TYPE_CHECKING:
        status_code: int
        reason: str
        cookies: Any

    @property
    def code(self) -> int:
        return self.status_code

    @code.setter
    def code(self, code: int) -> None:
        self.status_code = code

    @property
    def msg(self) -> str:
        return self.reason

    @msg.setter
    def msg(self, msg: str) -> None:
        self.reason = msg

    def get_cookies(self) -> ODict:
        return ODict(self.cookies.fields)

    def set_cookies(self, pairs: Any) -> None:
        self.cookies = pairs


class Reply:
    """``flow.reply``: called with a response it answers the flow, without one the flow goes on."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def __call__(self, response: Any = None) -> None:
        if isinstance(response, type) or response is False:  # KILL was a class, and a constant later on
            self.kill()
        elif response is not None and response is not self._flow:
            self._flow.response = response  # type: ignore[attr-defined]

    send = __call__

    def kill(self, force: bool = False) -> None:
        """Raises ControlException when the flow is not killable, unless ``force`` is set."""
        try:
            self._flow.kill()
        except ControlException:
            if not force:
                raise

    def take(self) -> None:
        """Hold the flow until ``commit`` or ``ack``."""
        self._flow.intercept()

    def ack(self, force: bool = False) -> None:
        self._flow.resume()

    commit = ack


class OlderFlow:
    """On every flow."""

    @property
    def reply(self) -> Any:
        """A Reply, or what a test of an older script has put here instead."""
        return self.__dict__.get("_reply") or Reply(self)  # type: ignore[arg-type]

    @reply.setter
    def reply(self, reply: Any) -> None:
        self.__dict__["_reply"] = reply

    def match(self, expression: Any) -> bool:
        """Whether a filter expression, as text or parsed, matches the flow. Raises ValueError for a wrong one."""
        from flowdump import filters  # scripts without filters need not load them

        return filters.match(expression, self)  # type: ignore[arg-type]


class OlderWebSocketMessage:
    """A message as scripts saw it while a WebSocket was a flow of its own: the content of a text message is str."""

    def __init__(self, message: Any) -> None:
        self.__dict__["_message"] = message

    @property
    def content(self) -> str | bytes:
        message = self.__dict__["_message"]
        return message.text if message.is_text else message.content  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_message"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "content" and isinstance(value, str):
            value = value.encode("utf-8", "surrogateescape")
        setattr(self.__dict__["_message"], name, value)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, OlderWebSocketMessage):
            other = other.__dict__["_message"]
        return bool(self.__dict__["_message"] == other)

    def __hash__(self) -> int:
        return hash(self.__dict__["_message"])

    def __repr__(self) -> str:
        return repr(self.content)


class OlderHTTPFlow:
    """On HTTPFlow: what a ``WebSocketFlow`` had. Without a WebSocket there is none of it."""

    if TYPE_CHECKING:
        websocket: Any
        live: Any
        client_conn: Any

    def _websocket_facts(self, name: str) -> Any:
        if self.websocket is None:
            raise AttributeError(f"this HTTP flow has no {name}: it is no WebSocket")
        return self.websocket

    @property
    def messages(self) -> list[OlderWebSocketMessage]:
        return [OlderWebSocketMessage(message) for message in self._websocket_facts("messages").messages]

    @property
    def handshake_flow(self) -> Any:
        self._websocket_facts("handshake_flow")
        return self

    @property
    def close_code(self) -> int | None:
        return self._websocket_facts("close_code").close_code  # type: ignore[no-any-return]

    @property
    def close_reason(self) -> str | None:
        return self._websocket_facts("close_reason").close_reason  # type: ignore[no-any-return]

    @property
    def close_sender(self) -> str | None:
        by_client = self._websocket_facts("close_sender").closed_by_client
        return None if by_client is None else "client" if by_client else "server"

    @property
    def ended(self) -> bool:
        """Whether the WebSocket is closed."""
        return self._websocket_facts("ended").timestamp_end is not None or not self.live

    def inject_message(self, endpoint: Any, payload: str | bytes) -> None:
        """Send a message to ``client_conn`` or ``server_conn``. Raises ControlException when there is none any more."""
        self._websocket_facts("inject_message")
        if self.ended:
            raise ControlException("the WebSocket is closed: no message can be sent")
        content = payload.encode() if isinstance(payload, str) else payload
        self.live.inject_websocket(self, endpoint is self.client_conn, content, isinstance(payload, str))


class OlderAddress(tuple[Any, ...]):
    """An address as it was up to mitmproxy 1: ``address.host``, ``address.port``, and ``address()`` for the pair."""

    __slots__ = ()

    @property
    def host(self) -> Any:
        return self[0]

    @property
    def port(self) -> Any:
        return self[1]

    def __call__(self) -> tuple[Any, ...]:
        return tuple(self)


class OlderConnection:
    """On Client and Server."""

    if TYPE_CHECKING:
        cipher: str | None
        peername: Any
        sockname: Any
        timestamp_tls_setup: float | None
        certificate_list: list[Any]

    @property
    def cipher_name(self) -> str | None:
        return self.cipher

    @property
    def ssl_established(self) -> bool:
        return self.timestamp_tls_setup is not None

    @property
    def timestamp_ssl_setup(self) -> float | None:
        return self.timestamp_tls_setup

    @property
    def ip_address(self) -> Any:
        return self.peername

    @property
    def source_address(self) -> Any:
        return self.sockname

    @property
    def cert(self) -> Any:
        """The certificate that the peer showed, None where it showed none."""
        return first_of(self.certificate_list, None)

    clientcert = cert


class OlderClient:
    """On Client."""

    if TYPE_CHECKING:
        peername: Any

    @property
    def address(self) -> OlderAddress:
        warnings.warn("Client.address is called Client.peername now.", DeprecationWarning, stacklevel=2)
        return OlderAddress(self.peername)


class OlderServer:
    """On Server."""

    @property
    def address(self) -> OlderAddress | None:
        address = self.__dict__["address"]
        return address and OlderAddress(address)

    @address.setter
    def address(self, address: Any) -> None:
        self.__dict__["address"] = address


#: Class of today -> its older attributes.
ATTRIBUTES: dict[type, type] = {
    Client: OlderClient,
    Connection: OlderConnection,
    Flow: OlderFlow,
    HTTPFlow: OlderHTTPFlow,
    Headers: OlderHeaders,
    Request: OlderRequest,
    Response: OlderResponse,
    Server: OlderServer,
}


def _attributes_of(older: type) -> dict[str, Any]:
    """The attributes of a class of older names, inherited ones included."""
    found: dict[str, Any] = {}
    for base in reversed(older.__mro__[:-1]):
        found |= {name: value for name, value in vars(base).items() if not name.startswith("__")}
    return found


#: What ``address`` is today, too; only these make the difference.
_OF_ADDRESSES = {"host", "port"}
_NAMES = {name for older in ATTRIBUTES.values() for name in _attributes_of(older) if not name.startswith("_")} - {
    "address"
}


def install() -> None:
    """Give the classes of today their older attributes."""
    for current, older in ATTRIBUTES.items():
        for name, value in _attributes_of(older).items():
            setattr(current, name, value)


def mentions_older_names(code: CodeType) -> bool:
    """Whether compiled code, or a function in it, uses one of the older names, be it as text for ``getattr``."""
    names: set[str] = set()
    waiting = [code]
    while waiting:
        part = waiting.pop()
        names.update(part.co_names)
        for constant in part.co_consts:
            if isinstance(constant, CodeType):
                waiting.append(constant)
            elif isinstance(constant, str):
                names.add(constant)
    return not names.isdisjoint(_NAMES) or ("address" in names and not names.isdisjoint(_OF_ADDRESSES))
