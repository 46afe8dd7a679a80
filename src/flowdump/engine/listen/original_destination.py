"""Where a connection that the kernel redirected was meant to go (Linux).

``iptables … -j REDIRECT`` and its nftables counterpart rewrite the destination and remember it: the socket option
SO_ORIGINAL_DST tells. With TPROXY nothing is rewritten: the socket's own address is the destination.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from typing import Any

from flowdump.exceptions import OptionsError

#: linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h: both have this number.
_SO_ORIGINAL_DST = 80

#: sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6).
_SIZE4, _SIZE6 = 16, 28


def check_platform() -> None:
    """Raises OptionsError where the kernel cannot tell."""
    if sys.platform != "linux":
        raise OptionsError("option 'mode': transparent mode needs Linux; on this system it comes in a later version")


def original_destination(sock: Any, sockname: Any) -> tuple[str, int]:
    """Address and port; ``sockname`` is the address of our end. Raises OSError when the kernel knows nothing."""
    family = sock.family
    if family == socket.AF_INET6 and ipaddress.IPv6Address(sockname[0].partition("%")[0]).ipv4_mapped is None:
        return parse6(sock.getsockopt(socket.IPPROTO_IPV6, _SO_ORIGINAL_DST, _SIZE6))
    return parse4(sock.getsockopt(socket.IPPROTO_IP, _SO_ORIGINAL_DST, _SIZE4))


def parse4(raw: bytes) -> tuple[str, int]:
    """A ``struct sockaddr_in``."""
    port, address = struct.unpack_from("!2xH4s", raw)
    return socket.inet_ntop(socket.AF_INET, address), port


def parse6(raw: bytes) -> tuple[str, int]:
    """A ``struct sockaddr_in6``."""
    port, address = struct.unpack_from("!2xH4x16s", raw)
    return socket.inet_ntop(socket.AF_INET6, address), port
