"""Sockets and what runs directly on them: the stream, the dialer (happy eyeballs), SOCKS 5."""
