"""DNS messages as values: ``DNSFlow``, ``DNSMessage``, ``Question``, ``ResourceRecord``, ``HTTPSRecord``.

``message.py`` holds the classes that scripts meet, ``wire.py`` the format of RFC 1035 section 4, ``codes.py`` the names
of types and codes, ``rdata.py`` and ``svcb.py`` the presentation of record data. None of them does any I/O.
"""

from flowdump.dns.message import (
    CLASSES,
    OP_CODES,
    RESPONSE_CODES,
    TYPES,
    DNSFlow,
    DNSMessage,
    HTTPSRecord,
    MalformedMessage,
    Question,
    ResourceRecord,
    class_name,
    pack_name,
    type_name,
)

__all__ = [
    "CLASSES",
    "OP_CODES",
    "RESPONSE_CODES",
    "TYPES",
    "DNSFlow",
    "DNSMessage",
    "HTTPSRecord",
    "MalformedMessage",
    "Question",
    "ResourceRecord",
    "class_name",
    "pack_name",
    "type_name",
]
