"""The named fast path of the flow file: plain, current HTTP records to flows and back.

A record of version 21 in mitmproxy's key order, without error, backup, metadata, marker, comment, trailers or WebSocket
messages is what nearly all of a modern flow file consists of. ``decode`` takes such a record apart with a handful of
anchored patterns that match whole runs of keys at once; every length in it is checked against what it counts, so that a
record it accepts is one that a full parse accepts, with the same values. It says None to anything else, which then
takes the general path (:mod:`flowdump.formats.flowfile`): parse, migrate, complete.

A flow decoded here remembers its record and what its parts looked like. ``encode`` compares, and copies unchanged parts
from the record, byte for byte; only a changed part is written anew. Flows from elsewhere have no record:
all their parts are written anew, still without the detour over a state dict. What ``encode`` is not sure about (a value
of an odd type) it leaves to the general path, too, by giving None.

Connections repeat: a client's keep-alive connection is stored with each of its flows. Decoded connections are therefore
kept in a small cache by their bytes. Figures: 27 us to decode a flow with ten headers each way and 4 us to write it
back unchanged, where a full parse and a full encode take 90 and 110.
"""

from flowdump.formats.flowfile.plain_records.read import decode
from flowdump.formats.flowfile.plain_records.write import encode

__all__ = ["decode", "encode"]
