"""h2 as it is used here: what is switched off, what is allowed, and its memory bounded."""

from __future__ import annotations

from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings

from flowdump.engine.http2.hpack import FieldDecoder, FieldEncoder

STREAM_WINDOW: Final = 1 << 20
CONNECTION_WINDOW: Final = 8 << 20

#: Streams that a client may have open at a time; the value that servers in the field use.
MAX_STREAMS: Final = 100

#: The largest frame we take; larger ones save work on downloads, and one read of a socket gives as much.
MAX_FRAME: Final = 64 * 1024
#: Ended streams of which h2 remembers how they ended.
_REMEMBERED: Final = 500

#: Ended streams that h2 may hold before it is made to look for them; a few kilobytes each.
_SWEEP: Final = 16


class Patience:
    """How much of something a peer may do: ``burst`` at once, ``rate`` per second for long."""

    __slots__ = ("_burst", "_left", "_rate", "_since")

    def __init__(self, burst: int, rate: int, now: float) -> None:
        self._burst = self._left = float(burst)
        self._rate = rate
        self._since = now

    def spend(self, now: float) -> bool:
        """One more; whether that is still bearable."""
        self._left -= 1
        if self._left < 0:
            self._left = min(self._burst, self._left + (now - self._since) * self._rate)
            self._since = now
        return self._left >= 0

    def earn(self, amount: int = 1) -> None:
        """Something useful was done."""
        self._left = min(self._burst, self._left + amount)


class Codec(H2Connection):
    """h2 with bounded memory.

    h2 counts open streams whenever one is opened, by looking at each, and throws the ended ones away while it is at it.
    Here it looks when there are many, and never says that there are too many: who is over the limit is refused later.
    """

    MAX_CLOSED_STREAMS = _REMEMBERED
    _sweep_at = _SWEEP

    @property
    def open_outbound_streams(self) -> int:
        return self.open_inbound_streams

    @property
    def open_inbound_streams(self) -> int:
        if len(self.streams) > self._sweep_at:
            super().open_inbound_streams  # noqa: B018  # asking is what throws away
            self._sweep_at = 2 * len(self.streams) + _SWEEP
        return 0


def codec(client_side: bool) -> Codec:
    config = H2Configuration(
        client_side=client_side,
        header_encoding=None,
        validate_inbound_headers=False,
        normalize_inbound_headers=False,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
    connection = Codec(config)
    connection.encoder = FieldEncoder()
    connection.decoder = FieldDecoder(connection.DEFAULT_MAX_HEADER_LIST_SIZE)
    values = {
        SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        SettingCodes.MAX_FRAME_SIZE: MAX_FRAME,
        SettingCodes.MAX_HEADER_LIST_SIZE: connection.DEFAULT_MAX_HEADER_LIST_SIZE,
        SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
    }
    # No pushes from origins; WebSockets from clients (RFC 8441).
    values[SettingCodes.ENABLE_PUSH if client_side else SettingCodes.ENABLE_CONNECT_PROTOCOL] = int(not client_side)
    connection.local_settings = Settings(client=client_side, initial_values=values)
    connection.max_inbound_frame_size = MAX_FRAME
    connection.initiate_connection()
    connection.increment_flow_control_window(CONNECTION_WINDOW - 65535)
    return connection
