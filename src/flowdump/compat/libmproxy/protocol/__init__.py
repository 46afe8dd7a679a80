"""``libmproxy.protocol``: the messages of each protocol."""
