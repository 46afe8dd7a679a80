"""``mitmproxy.net.dns.response_codes``: what became of a query, by name."""

from flowdump.dns.codes import HTTP_STATUS, RESPONSE_CODES, listed
from flowdump.dns.codes import response_code_number as from_str

globals().update({name: number for number, name in RESPONSE_CODES.items()})


def to_str(number: int) -> str:
    """The name of a number, ``RCODE(1234)`` where there is none."""
    return listed(number, RESPONSE_CODES, "RCODE")


def http_equiv_status_code(number: int) -> int:
    """The HTTP status that says about the same."""
    return HTTP_STATUS.get(number, 500)


__all__ = ["http_equiv_status_code", "from_str", "to_str", *RESPONSE_CODES.values()]
