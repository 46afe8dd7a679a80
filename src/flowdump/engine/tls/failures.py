"""What a failed TLS handshake means, in words.

OpenSSL names its reasons (``TLSV1_ALERT_UNKNOWN_CA``), and not always the same way from release to release. The table
maps those that people meet to a sentence about the peer; any other is shown with its own words. An alert is something
the peer *says*, every other reason something *we* found; both are told from our side.
"""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flowdump.engine.errors import Peer

_NO_TRUST = "the {peer} does not trust the certificate authority of the proxy"
_NO_VERSION = "the {peer} and the proxy have no TLS version in common"
_NO_CIPHER = "the {peer} and the proxy have no cipher suite in common"
_NO_PROTOCOL = "the {peer} and the proxy have no application protocol (ALPN) in common"
_EARLY = "the {peer} closed the connection during the TLS handshake"
_NOT_TLS = "the {peer} does not speak TLS on this port"
_REFUSED = "the {peer} refused the TLS handshake"
_CERTIFICATE_WANTED = "the {peer} asks for a client certificate (option client_certs)"
_CLIENT_CERTIFICATE = "the {peer} did not accept the client certificate"

#: OpenSSL's reason -> the sentence. (ssl.SSLError.reason; names of 1.1.1 to 3.5. Alerts: RFC 8446 section 6.2.)
_REASONS: Final = {
    # alerts
    "TLSV1_ALERT_PROTOCOL_VERSION": _NO_VERSION,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": _NO_CIPHER,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the {peer} refused the TLS handshake: nothing it accepts was offered",
    "TLSV1_ALERT_NO_APPLICATION_PROTOCOL": _NO_PROTOCOL,
    "TLSV1_UNRECOGNIZED_NAME": "the {peer} does not serve the host name that was asked for",
    "TLSV1_ALERT_ACCESS_DENIED": _REFUSED,
    "TLSV1_ALERT_USER_CANCELLED": _EARLY,
    "TLSV1_ALERT_INTERNAL_ERROR": "the {peer} had an internal error during the TLS handshake",
    "SSLV3_ALERT_ILLEGAL_PARAMETER": _REFUSED,
    "TLSV1_ALERT_DECODE_ERROR": "the {peer} could not read the TLS handshake",
    # found here
    "NO_SHARED_CIPHER": _NO_CIPHER,
    "NO_CIPHERS_AVAILABLE": "the options leave no cipher suite for this TLS version",
    "NO_APPLICATION_PROTOCOL": _NO_PROTOCOL,
    "UNSUPPORTED_PROTOCOL": _NO_VERSION,
    "NO_PROTOCOLS_AVAILABLE": "the options leave no TLS version",
    "VERSION_TOO_LOW": _NO_VERSION,
    "VERSION_TOO_HIGH": _NO_VERSION,
    "WRONG_SSL_VERSION": _NO_VERSION,
    "INAPPROPRIATE_FALLBACK": _NO_VERSION,
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "UNKNOWN_PROTOCOL": _NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": _NOT_TLS,
    "RECORD_LAYER_FAILURE": _NOT_TLS,
    "HTTP_REQUEST": _NOT_TLS,
    "HTTPS_PROXY_REQUEST": _NOT_TLS,
    "UNEXPECTED_EOF_WHILE_READING": _EARLY,
    "EOF occurred in violation of protocol": _EARLY,
    "DH_KEY_TOO_SMALL": "the {peer} uses a Diffie-Hellman key that is too small to be safe",
    "EE_KEY_TOO_SMALL": "the {peer} has a certificate whose key is too small to be safe",
    "CA_MD_TOO_WEAK": "the {peer} has a certificate with a signature that is too weak to be safe",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": "the {peer} only knows TLS without secure renegotiation (RFC 5746)",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the {peer} sent no certificate",
    "BAD_SIGNATURE": "the {peer} sent a wrong signature",
}

#: Alerts about the certificate that the other side was shown: what they mean depends on whose certificate it was.
_ABOUT_CERTIFICATES: Final = {
    "TLSV1_ALERT_UNKNOWN_CA": _NO_TRUST,
    "SSLV3_ALERT_BAD_CERTIFICATE": _NO_TRUST,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _NO_TRUST,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the {peer} does not accept this kind of certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the {peer} holds the certificate for expired (are the clocks right?)",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the {peer} holds the certificate for revoked",
    "TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE": "the {peer} wants a stapled certificate status, which there is none of",
    "TLSV1_CERTIFICATE_UNOBTAINABLE": _NO_TRUST,
    "TLSV1_ALERT_DECRYPT_ERROR": "the {peer} could not verify a signature",
}
_ALERTS_OF_SERVERS: Final = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _CERTIFICATE_WANTED,
    "SSLV3_ALERT_NO_CERTIFICATE": _CERTIFICATE_WANTED,
}

#: Verification results (X509_V_ERR_*, see x509_vfy.h) -> what is wrong with the certificate that the peer presented.
_VERIFY: Final = {
    2: "is signed by an authority that is not known here",
    3: "could not be checked: a revocation list is missing",
    7: "has a wrong signature",
    9: "is not valid yet (are the clocks right?)",
    10: "has expired",
    12: "could not be checked: the revocation list has expired",
    18: "is self-signed",
    19: "is signed by an authority that is not trusted",
    20: "is signed by an authority that is not known here",
    21: "comes without the certificates of its authority",
    22: "has too long a chain of authorities",
    23: "was revoked",
    24: "is signed by something that is no certificate authority",
    25: "is signed by an authority that may not sign so far down",
    26: "is not meant for this purpose",
    27: "is signed by an authority that is not trusted",
    62: "is for another host name",
    64: "is for another address",
    66: "has a key that is too weak",
    67: "is signed by an authority whose key is too weak",
    68: "has a signature that is too weak",
}

#: Results that go away when the right authority is known.
_UNTRUSTED: Final = frozenset((2, 18, 19, 20, 21, 27))


#: ``[SSL] tlsv1 alert no application protocol (_ssl.c:1006)``
_in_text = re.compile(r"\[SSL\] ([\w ]+) \(_ssl").match


def describe_failure(error: BaseException, peer: Peer) -> str:
    """A sentence without a full stop that says why TLS with ``peer`` failed.

    ``error`` is what ``TlsCodec`` raised, or the error that ended the connection.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _VERIFY.get(error.verify_code)
        return f"the certificate of the {peer} {known or 'is not valid: ' + str(error.verify_message)}"
    if isinstance(error, ssl.SSLEOFError | ConnectionError | EOFError):
        return _EARLY.format(peer=peer)
    reason = _reason(error)
    return _sentence(reason, peer).format(peer=peer) if reason else f"TLS with the {peer} failed: {_plain(error)}"


def way_out(error: BaseException, peer: Peer) -> str:
    """Which options help when an origin could not be verified, to be appended to the sentence; else empty."""
    if peer == "client" or not isinstance(error, ssl.SSLCertVerificationError):
        return ""
    if error.verify_code in _UNTRUSTED:
        return " (options: ssl_verify_upstream_trusted_ca names authorities, ssl_insecure accepts any certificate)"
    return " (the option ssl_insecure accepts any certificate)"


def _reason(error: BaseException) -> str:
    """OpenSSL's name of what happened, "" if it is no error of OpenSSL.

    Names that Python's table does not have (alert 120, for one) are in the text alone, as words.
    """
    if not isinstance(error, ssl.SSLError):
        return ""
    found = _in_text(str(error))
    reason: str = getattr(error, "reason", None) or ""  # it is there only when OpenSSL gave one
    return reason or (found[1].upper().replace(" ", "_") if found else "")


def _sentence(reason: str, peer: Peer) -> str:
    if peer == "server":
        if reason in _ABOUT_CERTIFICATES:
            return _CLIENT_CERTIFICATE
        if reason in _ALERTS_OF_SERVERS:
            return _ALERTS_OF_SERVERS[reason]
    known = _REASONS.get(reason) or _ABOUT_CERTIFICATES.get(reason)
    return known or f"TLS with the {{peer}} failed: {_words(reason)}"


def _words(reason: str) -> str:
    """``"BAD_DH_VALUE"`` -> ``"bad dh value"``."""
    return reason.replace("_", " ").lower().replace("{", "").replace("}", "")


def _plain(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
