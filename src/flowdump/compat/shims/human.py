"""``mitmproxy.utils.human``: format sizes, durations, timestamps and addresses, and parse sizes."""

from __future__ import annotations

import datetime
import ipaddress
from typing import Any

_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def pretty_size(size: float) -> str:
    """``"1.5k"``: at most three digits, except above 999 terabytes."""
    unit = next((unit for unit, factor in _UNITS.items() if size < factor * 1024), "t")
    value = size / _UNITS[unit]
    if unit == "b":
        return f"{int(value)}b" if value == int(value) else f"{value:.3g}b"
    return f"{value:.1f}{unit}" if value < 99.95 else f"{value:.0f}{unit}"


def parse_size(text: str | None) -> int | None:
    """``"3m"`` -> 3145728. Raises ValueError."""
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        factor = _UNITS.get(text[-1:].lower())
        if factor is None:
            raise ValueError("Invalid size specification.") from None
        return int(text[:-1]) * factor


def pretty_duration(secs: float | None) -> str:
    """``"250ms"``, ``"1.50s"``, ``"10.5s"``, ``"100s"``; empty for None."""
    if secs is None:
        return ""
    if secs < 1:
        return f"{secs * 1000:.0f}ms"
    digits = 2 if secs < 10 else 1 if secs < 100 else 0
    return f"{secs:.{digits}f}s"


def format_timestamp(s: float) -> str:
    """Unix seconds in local time: ``2023-11-14 22:13:20``."""
    return datetime.datetime.fromtimestamp(s).strftime("%Y-%m-%d %H:%M:%S")


def format_timestamp_with_milli(s: float) -> str:
    return datetime.datetime.fromtimestamp(s).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def format_address(address: tuple[Any, ...] | None) -> str:
    """``host:port``, with ``*`` for an unspecified address such as ``0.0.0.0``."""
    if address is None:
        return "<no address>"
    host, port = address[:2]
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return f"{host}:{port}"
    if ip.is_unspecified:
        return f"*:{port}"
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped:
        return f"{mapped}:{port}"
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"
