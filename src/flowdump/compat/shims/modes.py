"""Proxy modes that only mitmproxy has; recorded flows may name them: ``isinstance(mode, WireGuardMode)``."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from flowdump.compat.shims.virtual_class import VirtualClass
from flowdump.proxy_mode import ProxyMode


class _ForeignMode(metaclass=VirtualClass):
    """A mode that can be recognised but not constructed."""

    type_name: ClassVar[str] = ""

    @classmethod
    def recognises(cls, instance: Any) -> bool:
        return isinstance(instance, ProxyMode) and instance.partition(":")[0].partition("@")[0].lower() == cls.type_name

    @classmethod
    def construct(cls, *_: Any) -> NoReturn:
        raise ValueError(f"the mode {cls.type_name} is not part of flowdump")

    parse = construct


class WireGuardMode(_ForeignMode):
    type_name = "wireguard"


class LocalMode(_ForeignMode):
    type_name = "local"


class TunMode(_ForeignMode):
    type_name = "tun"
