"""``onboarding``:

the page at http://mitm.it/, seen through the proxy, that hands out the certificate authority's certificate.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from flowdump import ctx
from flowdump.http.flow import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.http.flow import HTTPFlow

#: Path -> (file name, media type, which form of the certificate).
FORMS = {
    "/cert/pem": ("flowdump-ca-cert.pem", "application/x-x509-ca-cert", "pem"),
    "/cert/cer": ("flowdump-ca-cert.cer", "application/x-x509-ca-cert", "der"),
    "/cert/p12": ("flowdump-ca-cert.p12", "application/x-pkcs12", "p12"),
}

_PLATFORMS = (
    (
        "Linux",
        "pem",
        "Download the certificate.",
        "Copy it to /usr/local/share/ca-certificates/flowdump.crt (Fedora: /etc/pki/ca-trust/source/anchors/).",
        "Run update-ca-certificates (Fedora: update-ca-trust) as root.",
    ),
    (
        "macOS",
        "pem",
        "Download the certificate and open it: Keychain Access starts.",
        "Add it to the keychain, then find it there as {name}.",
        "Open it, and under Trust choose Always Trust.",
    ),
    (
        "Windows",
        "p12",
        "Download the certificate and open it.",
        "Choose Local Machine and leave the password empty.",
        "Place it in Trusted Root Certification Authorities.",
    ),
    (
        "iOS",
        "pem",
        "Download the certificate in Safari and allow the profile.",
        "Settings, General, VPN and Device Management: install it.",
        "Settings, General, About, Certificate Trust Settings: switch it on.",
    ),
    (
        "Android",
        "cer",
        "Download the certificate.",
        "Settings, Security, Encryption and Credentials: install a CA certificate.",
        "Choose the file. Apps that trust only the system's list need more.",
    ),
    (
        "Firefox",
        "pem",
        "Download the certificate.",
        "Settings, Privacy and Security, View Certificates, Authorities: import it.",
        "Tick: trust this CA to identify websites.",
    ),
)

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "section{border-top:1px solid #ddd;padding:.5rem 0}h2{margin:.3rem 0}a{color:#0645ad}ol{margin:.3rem 0}"
)


class Onboarding:
    """Takes part while the option ``onboarding`` is set.

    ``certificate(form)`` gives the certificate as pem, der or p12; ``name`` is what keychains call it, its common name.
    """

    option = "onboarding"

    def __init__(self, certificate: Callable[[str], bytes], name: str) -> None:
        self._certificate = certificate
        self._name = name

    def request(self, flow: HTTPFlow) -> None:
        request = flow.request
        if not ctx.options.onboarding or flow.response is not None or not request:  # a script may have taken it away
            return
        if request.host.lower() != ctx.options.onboarding_host.lower():
            return
        path = request.path.partition("?")[0]
        if path in FORMS:
            name, media_type, form = FORMS[path]
            disposition = f'attachment; filename="{name}"'
            headers = {"Content-Type": media_type, "Content-Disposition": disposition, "Cache-Control": "no-store"}
            flow.response = Response.make(200, self._certificate(form), headers)
        elif path == "/":
            flow.response = Response.make(200, page(self._name), {"Content-Type": "text/html; charset=utf-8"})
        else:
            flow.response = Response.make(404, "There is no such page here.\n", {"Content-Type": "text/plain"})


def page(certificate: str) -> str:
    """The page itself: three lines for each platform. ``certificate`` is the name of the certificate."""
    sections = "".join(
        f'<section><h2>{name}</h2><p><a href="/cert/{form}">Download {FORMS[f"/cert/{form}"][0]}</a></p>'
        f"<ol>{''.join(f'<li>{line.format(name=html.escape(certificate))}</li>' for line in lines)}</ol></section>"
        for name, form, *lines in _PLATFORMS
    )
    forms = ", ".join(f'<a href="{path}">{name}</a>' for path, (name, _, _) in FORMS.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>flowdump certificate</title>'
        f"<style>{_STYLE}</style></head><body><h1>Trust flowdump's certificate</h1>"
        "<p>To look into HTTPS, flowdump signs certificates with an authority of its own, made on this machine's first "
        "run. Install it only on devices that you test with, and remove it afterwards.</p>"
        f"{sections}<section><p>All forms: {forms}</p></section></body></html>"
    )
