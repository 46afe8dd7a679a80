"""Looks at DNS."""
from mitmproxy import dns


def dns_request(flow: dns.DNSFlow):
    q = flow.request.question
    print("asked", q.name if q else None, q.type if q else None)


def dns_response(flow: dns.DNSFlow):
    for answer in flow.response.answers:
        print("answer", answer.name, answer.ttl, answer.ipv4_address)
        answer.ttl = 1


def dns_error(flow):
    print("failed", flow.error)
