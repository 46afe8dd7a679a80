"""``mitmproxy.net.dns.https_records``: the data of HTTPS records."""

from enum import IntEnum

from flowdump.dns.svcb import PARAMS, HTTPSRecord, pack, unpack

SVCParamKeys = IntEnum("SVCParamKeys", {name.upper(): number for number, name in PARAMS.items()})  # type: ignore[misc]

__all__ = ["HTTPSRecord", "SVCParamKeys", "pack", "unpack"]
