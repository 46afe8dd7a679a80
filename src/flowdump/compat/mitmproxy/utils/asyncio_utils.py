"""``mitmproxy.utils.asyncio_utils``: tasks with a name."""

from flowdump.compat.shims.small import create_task

__all__ = ["create_task"]
