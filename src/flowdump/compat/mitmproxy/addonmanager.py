"""``mitmproxy.addonmanager``: who gets events, and what declares options."""

from flowdump.master import Addons as AddonManager
from flowdump.master import Loader

__all__ = ["AddonManager", "Loader"]
