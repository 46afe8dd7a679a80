"""The run with the live proxy, after the saved flows, if there are any."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from flowdump.addons.alt_svc import AltSvc
from flowdump.addons.onboarding import Onboarding
from flowdump.addons.proxyauth import ProxyAuth
from flowdump.addons.proxyserver import ProxyServer
from flowdump.addons.upstream_auth import UpstreamAuth
from flowdump.app.saved import SavedRun
from flowdump.connection import hostport
from flowdump.engine.listen.proxy import Proxy

if TYPE_CHECKING:
    from flowdump.options.store import Options
    from flowdump.runtime.log import EventLog


class LiveRun(SavedRun):
    """Serves clients until it is told to end: by a signal, or by a script's ``ctx.master.shutdown()``."""

    def __init__(self, options: Options, log: EventLog) -> None:
        super().__init__(options, log)
        self._loop = asyncio.get_running_loop()
        self._loop_used = True
        self._ended = asyncio.Event()
        self.master.on_shutdown = self._wake
        self.proxy = Proxy(options, self.master.addons, log, self._finished)

    async def open(self) -> None:
        await super().open()
        builtins, modes = self.master.addons.builtins, self.options.mode
        proxyauth, upstream_auth = ProxyAuth(), UpstreamAuth()
        proxyauth.check()
        upstream_auth.check()
        builtins += [proxyauth, upstream_auth, ProxyServer(lambda: self.proxy.addresses)]
        if any(mode.strip().lower().startswith("reverse") for mode in modes):
            builtins.append(AltSvc())
        self.master.addons.rebuild()
        await self.proxy.start()
        name = self.proxy.tls.authority.cert.cn
        self.master.addons.builtins.append(Onboarding(self._certificate, name or "the name of its issuer"))
        self.master.addons.rebuild()

    def _certificate(self, form: str) -> bytes:
        authority = self.proxy.tls.authority
        return {"pem": authority.pem, "der": authority.der, "p12": authority.p12}[form]()

    async def process(self) -> None:
        await super().process()
        trust = f"; for https, clients have to trust {self.proxy.tls.authority.certificate_path}"
        if self.options.onboarding and self.options.onboarding_host:
            trust += f" (http://{self.options.onboarding_host}/ tells how)"
        for mode, address in self.proxy.listening:
            self.log.info(f"{mode.title} listening at {_shown(address)}{trust if mode.sees_tls else ''}")
            trust = "" if mode.sees_tls else trust  # once is enough
        if self.master.should_exit:
            return
        watch = self._watch_scripts()
        await self._ended.wait()
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    def _watch_scripts(self) -> asyncio.Task[None] | None:
        if not self.scripts:
            return None
        from flowdump.scripting.reload import Reloader

        return self._loop.create_task(Reloader(self.master, self.scripts).watch())

    def _engine(self) -> Proxy:
        return self.proxy

    async def _end_of_replays(self) -> None:
        """There is something else to do meanwhile."""

    async def shut(self) -> None:
        await super().shut()
        if self.proxy.addresses:
            await self.proxy.stop(self.options.shutdown_timeout)

    def _exit_code(self) -> int:
        """A signal is the usual way to end a proxy; what handlers raised until then has been told."""
        if self._signal:
            self._signal = self.handler_errors = 0
        return super()._exit_code()

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)


def _shown(address: tuple[str, int]) -> str:
    """An address that is listened on, for people: ``"*:8080"`` where it is every address of this machine."""
    return f"*:{address[1]}" if address[0] in ("0.0.0.0", "::") else hostport(address)
