"""Modes that flowdump does not have, but that recorded flows may tell of: ``isinstance(mode, WireGuardMode)``."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from flowdump.compat.shims.alike import Alike
from flowdump.proxy_mode import ProxyMode


class _ForeignMode(metaclass=Alike):
    """A mode that can be recognised, not made."""

    type_name: ClassVar[str] = ""

    @classmethod
    def is_one(cls, instance: Any) -> bool:
        return isinstance(instance, ProxyMode) and instance.partition(":")[0].partition("@")[0].lower() == cls.type_name

    @classmethod
    def made(cls, *_: Any) -> NoReturn:
        raise ValueError(f"the mode {cls.type_name} is not part of flowdump")

    parse = made


class WireGuardMode(_ForeignMode):
    type_name = "wireguard"


class LocalMode(_ForeignMode):
    type_name = "local"


class TunMode(_ForeignMode):
    type_name = "tun"
