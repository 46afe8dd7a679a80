"""``libmproxy.flow``: flows, where the first releases had them."""

from flowdump.compat.shims.flow_io import FlowReader, FlowWriter
from flowdump.compat.shims.older_http import HTTPRequest as Request
from flowdump.compat.shims.older_http import HTTPResponse as Response
from flowdump.connection import Client as ClientConnect
from flowdump.connection import Client as ClientDisconnect
from flowdump.flow import Error, Flow
from flowdump.http import Headers
from flowdump.older_names import ODict, ODictCaseless
from flowdump.scripting.older.first_generation import ScriptContext

__all__ = [
    "ClientConnect",
    "ClientDisconnect",
    "Error",
    "Flow",
    "FlowReader",
    "FlowWriter",
    "Headers",
    "ODict",
    "ODictCaseless",
    "Request",
    "Response",
    "ScriptContext",
]
