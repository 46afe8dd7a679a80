"""``mitmproxy.net.dns.classes``: classes of records, by name."""

from flowdump.dns.codes import CLASSES, listed
from flowdump.dns.codes import class_number as from_str

globals().update({name: number for number, name in CLASSES.items()})


def to_str(number: int) -> str:
    """The name of a number, ``CLASS(1234)`` where there is none."""
    return listed(number, CLASSES, "CLASS")


__all__ = ["from_str", "to_str", *CLASSES.values()]
