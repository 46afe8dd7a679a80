"""``mitmproxy.proxy``: the data that events of the proxy are about; protocol layers there are none."""
