"""Asks for streaming, which saved flows have no use for."""
from typing import Iterable, Union


def modify(data: bytes) -> Union[bytes, Iterable[bytes]]:
    return data.replace(b"foo", b"bar")


def responseheaders(flow):
    flow.response.stream = modify


def requestheaders(flow):
    flow.request.stream = True
