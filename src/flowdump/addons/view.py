"""``view.flows.…``: the flows that commands are about, by a specification such as ``@all`` or ``~c 404``.

There is no list of flows on a screen here, and none in memory: a flow is gone when its exchange has ended and nothing
holds it. So ``@all`` means the live flows that are still there, and this addon knows them by weak references. Flows of
a file are not kept at all: where some were read, asking for flows of the past says so.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence

from flowdump.connection import Client, Server
from flowdump.exceptions import CommandError, FilterError
from flowdump.flow import Flow
from flowdump.http import urls
from flowdump.runtime import commands

#: Specifications that are no filter expressions, as filters.
_NAMED = {"@all": "~all", "@shown": "~all", "@marked": "~marked", "@unmarked": "! ~marked"}


class FlowRegister:
    """Takes part beside scripts, the only ones that can call commands."""

    option = "scripts"

    def __init__(self) -> None:
        self._flows: weakref.WeakValueDictionary[int, Flow] = weakref.WeakValueDictionary()
        self._count = 0
        self._saved = 0

    def _add(self, flow: Flow) -> None:
        if flow.live:
            self._count += 1
            self._flows[self._count] = flow
        else:
            self._saved += 1

    requestheaders = tcp_start = udp_start = dns_request = _add

    # -- commands ------------------------------------------------------------------------------------------------------

    @commands.command("view.flows.resolve")
    def resolve(self, flow_spec: str) -> Sequence[Flow]:
        """The flows in memory that a filter expression, @all, @marked or @unmarked means."""
        from flowdump import filters

        if flow_spec.startswith("@") and flow_spec not in _NAMED:
            raise CommandError(f"{flow_spec!r} means no flows here: @all, @marked, @unmarked or a filter does")
        try:
            matches = filters.parse(_NAMED.get(flow_spec, flow_spec))
        except FilterError as error:
            raise CommandError(str(error)) from None
        known = list(self._flows.values())
        if self._saved and not known:
            raise CommandError(
                f"{flow_spec!r} means flows in memory, and those that are read from files are not kept there; "
                "call the command with flows, from a handler"
            )
        return [flow for flow in known if matches(flow)]

    @commands.command("view.flows.create")
    def create(self, method: str, url: str) -> Flow:
        """A new flow that asks for a URL, for replay.client or export."""
        from flowdump.http.flow import HTTPFlow, Request

        try:
            request = Request.make(method.upper(), url)
        except ValueError as error:
            raise CommandError(f"{url!r} is no URL: {error}") from None
        server = Server(address=(request.host, request.port), tls=request.scheme == "https")
        flow = HTTPFlow(Client(), server)
        flow.request = request
        flow.request.headers["Host"] = urls.hostport(request.scheme, request.host, request.port)
        return flow

    @commands.command("view.flows.duplicate")
    def duplicate(self, flows: Sequence[Flow]) -> Sequence[Flow]:
        """Copies of flows, with ids of their own."""
        return [flow.copy() for flow in flows]
