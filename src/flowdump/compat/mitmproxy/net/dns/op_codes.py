"""``mitmproxy.net.dns.op_codes``: kinds of queries, by name."""

from flowdump.dns.codes import OP_CODES, listed
from flowdump.dns.codes import op_code_number as from_str

globals().update({name: number for number, name in OP_CODES.items()})


def to_str(number: int) -> str:
    """The name of a number, ``OPCODE(1234)`` where there is none."""
    return listed(number, OP_CODES, "OPCODE")


__all__ = ["from_str", "to_str", *OP_CODES.values()]
