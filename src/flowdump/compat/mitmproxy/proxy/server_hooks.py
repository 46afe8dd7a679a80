"""``mitmproxy.proxy.server_hooks``: the arguments of the events of connections."""

from flowdump.compat.shims.hook_objects import (
    ClientConnectedHook,
    ClientDisconnectedHook,
    ServerConnectedHook,
    ServerConnectErrorHook,
    ServerConnectHook,
    ServerDisconnectedHook,
)
from flowdump.runtime.hook_data import ServerData as ServerConnectionHookData

__all__ = [
    "ClientConnectedHook",
    "ClientDisconnectedHook",
    "ServerConnectErrorHook",
    "ServerConnectHook",
    "ServerConnectedHook",
    "ServerConnectionHookData",
    "ServerDisconnectedHook",
]
