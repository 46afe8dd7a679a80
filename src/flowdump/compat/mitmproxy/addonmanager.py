"""``mitmproxy.addonmanager``: who gets events, and what declares options."""

from flowdump.runtime.master import Addons as AddonManager
from flowdump.runtime.master import Loader

__all__ = ["AddonManager", "Loader"]
