"""The numbers of DNS and their names, as IANA lists them: types, classes, operations and response codes."""

from __future__ import annotations

#: Types of records; others are shown as TYPE123 (RFC 3597 section 5).
TYPES = {
    1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR", 10: "NULL", 11: "WKS",
    12: "PTR", 13: "HINFO", 14: "MINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB", 19: "X25", 20: "ISDN", 21: "RT",
    22: "NSAP", 23: "NSAP_PTR", 24: "SIG", 25: "KEY", 26: "PX", 27: "GPOS", 28: "AAAA", 29: "LOC", 30: "NXT",
    31: "EID", 32: "NIMLOC", 33: "SRV", 34: "ATMA", 35: "NAPTR", 36: "KX", 37: "CERT", 38: "A6", 39: "DNAME",
    40: "SINK", 41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY",
    49: "DHCID", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 56: "NINFO", 57: "RKEY",
    58: "TALINK", 59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS",
    99: "SPF", 100: "UINFO", 101: "UID", 102: "GID", 103: "UNSPEC", 104: "NID", 105: "L32", 106: "L64", 107: "LP",
    108: "EUI48", 109: "EUI64", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 253: "MAILB", 254: "MAILA",
    255: "ANY", 256: "URI", 257: "CAA", 258: "AVC", 259: "DOA", 260: "AMTRELAY", 32768: "TA", 32769: "DLV",
}  # fmt: skip
CLASSES = {1: "IN", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"}
OP_CODES = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}
RESPONSE_CODES = {
    0: "NOERROR",
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
    6: "YXDOMAIN",
    7: "YXRRSET",
    8: "NXRRSET",
    9: "NOTAUTH",
    10: "NOTZONE",
    11: "DSOTYPENI",
}


def type_name(number: int) -> str:
    """``1`` -> ``"A"``."""
    return TYPES.get(number, f"TYPE{number}")


def type_number(name: str) -> int:
    """``"A"`` -> 1; ``"TYPE1234"`` and ``"TYPE(1234)"`` -> 1234. Raises ValueError for a name that is none."""
    return _number(name, TYPES, "TYPE")


def class_name(number: int) -> str:
    """``1`` -> ``"IN"``."""
    return CLASSES.get(number, f"CLASS{number}")


def class_number(name: str) -> int:
    """``"IN"`` -> 1; ``"CLASS77"`` and ``"CLASS(77)"`` -> 77. Raises ValueError for a name that is none."""
    return _number(name, CLASSES, "CLASS")


def op_code_number(name: str) -> int:
    """``"QUERY"`` -> 0; ``"OPCODE(9)"`` -> 9. Raises ValueError for a name that is none."""
    return _number(name, OP_CODES, "OPCODE")


def response_code_number(name: str) -> int:
    """``"NXDOMAIN"`` -> 3; ``"RCODE(13)"`` -> 13. Raises ValueError for a name that is none."""
    return _number(name, RESPONSE_CODES, "RCODE")


def listed(number: int, names: dict[int, str], prefix: str) -> str:
    """The name of a number as mitmproxy writes it in JSON: ``"TYPE(1234)"`` where there is none."""
    return names.get(number, f"{prefix}({number})")


def _number(name: str, names: dict[int, str], prefix: str) -> int:
    for number, known in names.items():
        if known == name:
            return number
    digits = name.removeprefix(prefix).removeprefix("(").removesuffix(")")
    if not (name.startswith(prefix) and digits.isascii() and digits.isdigit() and len(digits) <= 5):
        raise ValueError(f"{name!r} is no name of a {prefix} of DNS")
    return int(digits)


#: Rough HTTP status of a response code, as mitmproxy has it in JSON; anything else is 500.
HTTP_STATUS = {0: 200, 1: 400, 3: 404, 4: 501, 5: 403, 6: 409, 7: 409, 8: 410, 9: 401, 10: 404, 11: 501}
