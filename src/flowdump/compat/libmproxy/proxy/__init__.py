"""``libmproxy.proxy``: connections."""
