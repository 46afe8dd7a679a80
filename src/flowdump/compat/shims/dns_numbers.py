"""``mitmproxy.net.dns``: types, classes, op codes and response codes by name, and their names by number."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from flowdump.dns.codes import CLASSES, HTTP_STATUS, OP_CODES, RESPONSE_CODES, TYPES, listed
from flowdump.dns.svcb import PARAMS


def _numbers(names: dict[int, str], unknown: str) -> dict[str, Any]:
    """Each name with its number, and ``to_str``, which gives ``TYPE(1234)`` for a number without a name."""

    def to_str(number: int) -> str:
        return listed(number, names, unknown)

    return {name: number for number, name in names.items()} | {"to_str": to_str}


def http_equiv_status_code(number: int) -> int:
    """The HTTP status that comes closest to a response code."""
    return HTTP_STATUS.get(number, 500)


CLASS_NAMES = _numbers(CLASSES, "CLASS")
OP_CODE_NAMES = _numbers(OP_CODES, "OPCODE")
RESPONSE_CODE_NAMES = _numbers(RESPONSE_CODES, "RCODE") | {"http_equiv_status_code": http_equiv_status_code}
TYPE_NAMES = _numbers(TYPES, "TYPE")

SVCParamKeys = IntEnum("SVCParamKeys", {name.upper(): number for number, name in PARAMS.items()})  # type: ignore[misc]
