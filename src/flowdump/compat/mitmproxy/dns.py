"""``mitmproxy.dns``: DNS flows."""

from flowdump.compat.mitmproxy.net.dns import classes, https_records, op_codes, response_codes, types
from flowdump.compat.mitmproxy.net.dns.https_records import SVCParamKeys
from flowdump.dns import DNSFlow, DNSMessage, HTTPSRecord, Question, ResourceRecord
from flowdump.dns import DNSMessage as Message

__all__ = [
    "DNSFlow",
    "DNSMessage",
    "HTTPSRecord",
    "Message",
    "Question",
    "ResourceRecord",
    "SVCParamKeys",
    "classes",
    "https_records",
    "op_codes",
    "response_codes",
    "types",
]
