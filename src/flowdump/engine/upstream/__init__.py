"""Connections to origins: the connection pool of one client, and the proxies in between."""
