"""``mitmproxy.addons.stickycookie``: the option of that name."""

from flowdump.addons.stickycookie import StickyCookie

__all__ = ["StickyCookie"]
