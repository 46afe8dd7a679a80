"""States as JSON, in the notation of the recorded samples, and how two of them differ.

Bytes are ``{"$b": text}`` where they are printable ASCII, else ``{"$b64": base64}``; tuples are lists; a dict whose
keys are not all text is ``{"$dict": [[key, value], …]}``, sorted, as mitmproxy turns the order round on each save.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from flowdump.flow import Flow

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PLAIN = re.compile(rb"[\t\r\n -~]*")


def notation(value: Any) -> Any:
    """A state in the notation."""
    if isinstance(value, bytes):
        return {"$b": value.decode()} if PLAIN.fullmatch(value) else {"$b64": base64.b64encode(value).decode()}
    if isinstance(value, list | tuple):
        return [notation(item) for item in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: notation(item) for key, item in value.items()}
        return {"$dict": sorted(([notation(key), notation(item)] for key, item in value.items()), key=repr)}
    return value


def restored(value: Any) -> Any:
    """A state from its notation."""
    if isinstance(value, list):
        return [restored(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$b"}:
        return value["$b"].encode()
    if value.keys() == {"$b64"}:
        return base64.b64decode(value["$b64"])
    if value.keys() == {"$dict"}:
        return {restored(key): restored(item) for key, item in value["$dict"]}
    return {key: restored(item) for key, item in value.items()}


def exact(state: Any) -> str:
    """A state as text that is equal only for equal values of equal types: 1, 1.0 and true differ, nan is nan."""
    return json.dumps(state, sort_keys=True)


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """What differs between two states in notation, by the rules of the recorded samples:

    ``<random-uuid>`` stands for any UUID, and any text will do where a flow is said to be a duplicate.
    """
    if expected == "<random-uuid>":
        return [] if isinstance(found, str) and UUID.fullmatch(found) else [f"{path}: {found!r} is no UUID"]
    if path == ".metadata.duplicated":
        return [] if isinstance(found, str) and found else [f"{path}: empty"]
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = expected.keys() ^ found.keys()
        same = expected.keys() & found.keys()
        return [f"{path}: keys {keys}"] * bool(keys) + [
            line for key in sorted(same) for line in differences(expected[key], found[key], f"{path}.{key}")
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for index, (a, b) in pairs for line in differences(a, b, f"{path}.{index}")]
    return [] if exact(expected) == exact(found) else [f"{path}: {str(expected)[:200]} != {str(found)[:200]}"]


def decoded(state: dict[str, Any]) -> dict[str, Any]:
    """A state in notation, with bodies decoded and the lengths that belong to encoded ones left out."""
    if state["type"] != "http":
        return state
    flow: Any = Flow.from_state(restored(state))
    for name, message in (("request", flow.request), ("response", flow.response)):
        lengths = message.headers.get_all("content-length") if message else []
        if message and message.headers.get("content-encoding") and message.raw_content is not None:
            state[name]["content"] = notation(message.get_content(strict=False))
            state[name]["headers"] = [pair for pair in state[name]["headers"] if key_of(pair) != "content-length"]
            assert lengths in ([], [str(len(message.raw_content))])
    return state


def key_of(pair: list[dict[str, str]]) -> str:
    return pair[0].get("$b", "").lower()
