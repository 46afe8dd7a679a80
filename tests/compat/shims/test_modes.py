"""Proxy modes that only mitmproxy has."""

from __future__ import annotations

from importlib import import_module

import pytest

pytestmark = pytest.mark.usefixtures("installed")


def test_modes_of_recorded_flows_are_recognised_but_not_constructed() -> None:
    specs = import_module("mitmproxy.proxy.mode_specs")
    mode = specs.ProxyMode.of("wireguard:keys.conf@51820")
    assert isinstance(mode, specs.WireGuardMode)
    assert not isinstance(mode, specs.LocalMode | specs.TunMode)
    assert not isinstance("wireguard", specs.WireGuardMode)
    with pytest.raises(ValueError, match="not part of flowdump"):
        specs.LocalMode.parse("local")
