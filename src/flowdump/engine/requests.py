"""From request heads to flows: where a request goes, and the record of a request that cannot be understood.

Both versions of HTTP use it; an exchange takes over from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdump.connection import Server, hostport
from flowdump.engine.http1 import request_target
from flowdump.flow import Error
from flowdump.http.flow import HTTPFlow
from flowdump.http.request import Request
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from flowdump.engine.context import Context
    from flowdump.engine.errors import ConnectionFailure, ProtocolError
    from flowdump.engine.http1.heads import RequestHead
    from flowdump.http.request import RequestData


def new_flow(context: Context, data: RequestData) -> HTTPFlow:
    """The flow of a request of which it is known where it goes."""
    flow = HTTPFlow(context.client, Server(address=(data.host, data.port)), live=context)
    if context.via is not None:
        flow.server_conn.via = context.via.spec
    flow.request = Request.from_data(data)
    return flow


def flow_of(context: Context, head: RequestHead) -> HTTPFlow:
    """The flow of a request, with the host that its target names or the mode fixes. Raises ProtocolError."""
    data = request_target.request_data(head)
    if head.target.startswith(b"/") or head.target == b"*":
        request_target.origin_form(data, head.target, context.destination)
    else:
        # In reverse mode, for example, the client does not choose the server.
        request_target.absolute_form(data, head, None if context.mode.is_proxy else context.destination)
    flow = new_flow(context, data)
    if context.mode.kind == "reverse" and not context.options.keep_host_header:
        request_target.rewrite_host(flow, head.host)
    elif head.host is not None and data.authority not in (b"", head.host):
        flow.metadata["host_header_arrived"] = head.host
    return flow


async def refused_flow(context: Context, data: RequestData, error: ProtocolError | ConnectionFailure) -> HTTPFlow:
    """The flow of a request that cannot be understood, as far as its first line tells; ``error`` has fired."""
    flow = new_flow(context, data)
    flow.error = Error(str(error))
    context.log.warn(f"{hostport(context.client.peername)}: {error}")
    await fire(context.hooks.table.error, flow)
    return flow


async def record_refused(context: Context, line: bytes, error: ProtocolError) -> None:
    """Record a request that cannot be understood; ``line`` is its first line."""
    context.finished(await refused_flow(context, request_target.told(line, context.destination), error))
