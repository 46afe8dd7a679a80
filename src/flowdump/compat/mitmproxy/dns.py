"""``mitmproxy.dns``: DNS flows."""

from flowdump.dns import DNSFlow, DNSMessage, Question, ResourceRecord

__all__ = ["DNSFlow", "DNSMessage", "Question", "ResourceRecord"]
