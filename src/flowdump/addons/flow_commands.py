"""``flow.…``: marks, comments, codings and changes of flows, as commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flowdump import ctx
from flowdump.exceptions import CommandError
from flowdump.flow import Flow
from flowdump.runtime import commands
from flowdump.runtime.arguments import Choice, Marker

#: What a body can be encoded with.
ENCODINGS = ("gzip", "deflate", "br", "zstd")

_PARTS = Choice(["request", "response"])
_ENCODINGS = Choice("flow.encode.options")
_SETTABLE = Choice("flow.set.options")


class FlowCommands:
    """Commands that change flows, and fire ``update``."""

    # -- marks and comments --------------------------------------------------------------------------------------------

    @commands.command("flow.mark")
    def mark(self, flows: Sequence[Flow], marker: Marker) -> None:
        """Mark flows with one character or a name such as :star:; true is :default:, false takes marks away."""
        _change(flows, lambda flow: setattr(flow, "marked", str(marker)))

    @commands.command("flow.mark.toggle")
    def mark_toggle(self, flows: Sequence[Flow]) -> None:
        """Mark flows that have no mark, and take it from those that have one."""
        _change(flows, lambda flow: setattr(flow, "marked", "" if flow.marked else ":default:"))

    @commands.command("flow.comment")
    def comment(self, flow: Sequence[Flow], comment: str) -> None:
        """Set the comment of flows."""
        _change(flow, lambda one: setattr(one, "comment", comment))

    # -- control -------------------------------------------------------------------------------------------------------

    @commands.command("flow.kill")
    def kill(self, flows: Sequence[Flow]) -> None:
        """Give up those of the flows that are live."""
        _change([flow for flow in flows if flow.killable], lambda flow: flow.kill())

    @commands.command("flow.resume")
    def resume(self, flows: Sequence[Flow]) -> None:
        """Let those of the flows that are held go on."""
        _change([flow for flow in flows if flow.intercepted], lambda flow: flow.resume())

    @commands.command("flow.revert")
    def revert(self, flows: Sequence[Flow]) -> None:
        """Undo what was changed since the backup of each flow."""
        _change([flow for flow in flows if flow.modified()], lambda flow: flow.revert())

    # -- bodies --------------------------------------------------------------------------------------------------------

    @commands.command("flow.encode.options")
    def encode_options(self) -> Sequence[str]:
        """The codings that flow.encode knows."""
        return ENCODINGS

    @commands.command("flow.encode")
    @commands.argument("part", type=_PARTS)
    @commands.argument("encoding", type=_ENCODINGS)
    def encode(self, flows: Sequence[Flow], part: str, encoding: str) -> None:
        """Encode bodies that are not encoded yet, and set Content-Encoding."""

        def encode(flow: Any) -> None:
            message = getattr(flow, part)
            if message.headers.get("content-encoding", "identity") == "identity":
                flow.backup()
                message.encode(encoding)

        _change(_with(flows, part), encode)

    @commands.command("flow.decode")
    @commands.argument("part", type=_PARTS)
    def decode(self, flows: Sequence[Flow], part: str) -> None:
        """Decode bodies and drop Content-Encoding; what cannot be decoded stays as it is."""

        def decode(flow: Any) -> None:
            flow.backup()
            getattr(flow, part).decode(strict=False)

        _change(_with(flows, part), decode)

    @commands.command("flow.encode.toggle")
    @commands.argument("part", type=_PARTS)
    def encode_toggle(self, flows: Sequence[Flow], part: str) -> None:
        """Decode bodies that are encoded, and encode the others with deflate."""
        for flow in _with(flows, part):
            encoded = getattr(flow, part).headers.get("content-encoding", "identity") != "identity"
            self.decode([flow], part) if encoded else self.encode([flow], part, "deflate")

    # -- setting -------------------------------------------------------------------------------------------------------

    @commands.command("flow.set.options")
    def set_options(self) -> Sequence[str]:
        """What flow.set can set."""
        return list(_SETTERS)

    @commands.command("flow.set")
    @commands.argument("attr", type=_SETTABLE)
    def set(self, flows: Sequence[Flow], attr: str, value: str) -> None:
        """Set the method, the URL or a part of it, the status or the reason of flows that have one."""
        part, setter = _SETTERS[attr]

        def change(flow: Any) -> None:
            flow.backup()
            setter(getattr(flow, part), value)

        _change(_with(flows, part), change)


def _set_url(request: Any, value: str) -> None:
    try:
        request.url = value
    except ValueError as error:
        raise CommandError(f"{value!r} is no URL: {error}") from None


def _set_status(response: Any, value: str) -> None:
    from flowdump.http.status_codes import RESPONSES

    if not value.isdecimal() or not 100 <= int(value) <= 999:
        raise CommandError(f"{value!r} is no status code: a number from 100 to 999 is expected")
    response.status_code = int(value)
    response.reason = RESPONSES.get(int(value), "")


def _set_port(request: Any, value: str) -> None:
    if not value.isdecimal() or not int(value) < 65536:
        raise CommandError(f"{value!r} is no port: a number up to 65535 is expected")
    request.port = int(value)


_SETTERS: dict[str, tuple[str, Callable[[Any, str], None]]] = {
    "host": ("request", lambda request, value: setattr(request, "host", value)),
    "port": ("request", _set_port),
    "status_code": ("response", _set_status),
    "method": ("request", lambda request, value: setattr(request, "method", value.upper())),
    "path": ("request", lambda request, value: setattr(request, "path", value)),
    "url": ("request", _set_url),
    "reason": ("response", lambda response, value: setattr(response, "reason", value)),
}


def _with(flows: Sequence[Flow], part: str) -> list[Any]:
    """The HTTP flows among flows that have a request or a response."""
    return [flow for flow in flows if flow.type == "http" and getattr(flow, part) is not None]


def _change(flows: Sequence[Any], change: Callable[[Any], None]) -> None:
    for flow in flows:
        change(flow)
    if flows:
        ctx.master.updated(flows)
