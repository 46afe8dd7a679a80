"""The proxy engine: sockets, TLS, HTTP. It knows asyncio; it knows nothing of files, click or scripts."""
