"""Scripts are told where the proxy listens."""

from __future__ import annotations

from pathlib import Path

from tests.support.live import shared_confdir

import flowdump

SCRIPT = """
from mitmproxy import ctx

def running():
    server = ctx.master.addons.get("proxyserver")
    ctx.master.told = (server.is_running, server.listen_addrs(), "proxyserver" in ctx.master.addons)
"""


async def test_a_script_is_told_where_the_proxy_listens(tmp_path: Path) -> None:
    path = tmp_path / "told.py"
    path.write_text(SCRIPT)

    async with flowdump.Proxy(scripts=[str(path)], confdir=str(shared_confdir())) as proxy:
        assert proxy.master.told == (True, [proxy.address], True)
