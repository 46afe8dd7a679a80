"""``mitmproxy.net.dns``: types, classes, op codes and response codes by name."""

from __future__ import annotations

import importlib

import pytest

pytestmark = pytest.mark.usefixtures("installed")

PLACE = "mitmproxy.net.dns"


@pytest.mark.parametrize(
    ("place", "name", "number", "unnamed"),
    [
        ("types", "A", 1, "TYPE(1234)"),
        ("types", "HTTPS", 65, "TYPE(1234)"),
        ("classes", "IN", 1, "CLASS(1234)"),
        ("op_codes", "UPDATE", 5, "OPCODE(1234)"),
        ("response_codes", "NXDOMAIN", 3, "RCODE(1234)"),
    ],
)
def test_numbers_and_names_convert_both_ways(place: str, name: str, number: int, unnamed: str) -> None:
    module = importlib.import_module(f"{PLACE}.{place}")
    assert getattr(module, name) == module.from_str(name) == number
    assert (module.to_str(number), module.to_str(1234), module.from_str(unnamed)) == (name, unnamed, 1234)
    with pytest.raises(ValueError, match="nonsense"):
        module.from_str("nonsense")
    assert name in module.__all__


def test_the_dns_module_gives_its_modules_and_records() -> None:
    dns = importlib.import_module("mitmproxy.dns")
    assert (dns.types.AAAA, dns.classes.CH, dns.response_codes.REFUSED, dns.op_codes.QUERY) == (28, 3, 5, 0)
    assert dns.response_codes.http_equiv_status_code(5) == 403
    assert dns.response_codes.http_equiv_status_code(77) == 500
    assert dns.SVCParamKeys.ECH == 5
    record = dns.HTTPSRecord(1, "", {dns.SVCParamKeys.ALPN: b"\2h2"})
    assert dns.ResourceRecord.HTTPS("a.example", record).https_alpn == (b"h2",)
