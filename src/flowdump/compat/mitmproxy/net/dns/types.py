"""``mitmproxy.net.dns.types``: types of records, by name."""

from flowdump.dns.codes import TYPES, listed
from flowdump.dns.codes import type_number as from_str

globals().update({name: number for number, name in TYPES.items()})


def to_str(number: int) -> str:
    """The name of a number, ``TYPE(1234)`` where there is none."""
    return listed(number, TYPES, "TYPE")


__all__ = ["from_str", "to_str", *TYPES.values()]
