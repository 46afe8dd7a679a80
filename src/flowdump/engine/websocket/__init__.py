"""WebSocket (RFC 6455): frames, one direction, and the relay that joins two connections."""
