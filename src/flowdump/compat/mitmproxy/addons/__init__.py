"""``mitmproxy.addons``: the addons that come with the tool, one module each."""
