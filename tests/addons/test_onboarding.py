"""The page at http://mitm.it/: what it hands out, and that it hands out nothing else."""

from __future__ import annotations

import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
from tests.support.live import Running, running, shared_confdir

from flowdump.addons.onboarding import FORMS, Onboarding, page
from flowdump.engine.tls.authority import Authority


def addon() -> Onboarding:
    authority = Authority.open(str(shared_confdir()))
    forms = {"pem": authority.pem, "der": authority.der, "p12": authority.p12}
    return Onboarding(lambda form: forms[form](), authority.cert.cn or "")


async def get(proxy: Running, path: str, host: str = "mitm.it") -> tuple[bytes, bytes]:
    reply = await proxy.send(f"GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = reply.partition(b"\r\n\r\n")
    return head, body


async def test_every_link_of_the_page_leads_to_the_certificate() -> None:
    load = {
        "pem": x509.load_pem_x509_certificate,
        "cer": x509.load_der_x509_certificate,
        "p12": lambda data: load_pkcs12(data, b"").additional_certs[0].certificate,
    }

    expected = x509.load_pem_x509_certificate(Authority.open(str(shared_confdir())).pem())
    async with running(addon()) as proxy:
        head, body = await get(proxy, "/?lang=en", "MITM.it")
        assert head.startswith(b"HTTP/1.1 200 ")
        links = set(re.findall(r'href="([^"]*)"', body.decode()))
        assert links == set(FORMS)
        for link in links:
            head, body = await get(proxy, link)
            name, media_type, _ = FORMS[link]
            assert f'filename="{name}"'.encode() in head
            assert media_type.encode() in head
            assert load[name.rpartition(".")[2]](body) == expected
            assert b"PRIVATE KEY" not in body


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "//etc/passwd", "/cert/%2e%2e%2fflowdump-ca.pem", "/cert/", "/cert/pem/", "/x"]
)
async def test_other_paths_are_not_found(path: str) -> None:
    async with running(addon()) as proxy:
        head, body = await get(proxy, path)
        assert head.startswith(b"HTTP/1.1 404 ")
        assert path.encode() not in body


async def test_the_options_say_whether_and_where() -> None:
    async with running(addon(), onboarding_host="certificates.invalid") as proxy:
        head, _ = await get(proxy, "/", "certificates.invalid")
        assert head.startswith(b"HTTP/1.1 200 ")
    async with running(addon(), onboarding=False, onboarding_host="certificates.invalid") as proxy:
        head, _ = await get(proxy, "/", "certificates.invalid")
        assert head.startswith(b"HTTP/1.1 502 ")


def test_every_platform_has_three_lines() -> None:
    assert [section.count("<li>") for section in page("flowdump").split("<h2>")[1:]] == [3] * 6


def test_keychains_list_the_certificate_by_its_name() -> None:
    assert "find it there as flowdump.</li>" in page("flowdump")
    assert "find it there as &lt;b&gt; {x}.</li>" in page("<b> {x}")
