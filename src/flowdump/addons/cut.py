"""``cut``: facts of flows as a table, given back or written to a file.

A path names an attribute from the flow on: ``request.method``, ``response.header[content-type]``, ``error.msg``,
``server_conn.address.host``. What a flow does not have is empty. Bytes stay bytes, bools are ``true`` and ``false``,
certificates PEM, other values as text.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from typing import Any

from flowdump import ctx
from flowdump.certs import Cert
from flowdump.exceptions import CommandError
from flowdump.flow import Flow
from flowdump.runtime import commands
from flowdump.runtime.arguments import CutSpec, Data, Path

#: Parts of an address, which is a tuple.
_ADDRESS = {"host": 0, "port": 1}


class Cut:
    """Both commands raise CommandError for names that begin with an underscore: they are private."""

    @commands.command("cut")
    def cut(self, flows: Sequence[Flow], cuts: CutSpec) -> Data:
        """A row for each flow, a column for each path such as request.method or response.header[etag]."""
        return [[extract(path, flow) for path in cuts] for flow in flows]  # type: ignore[return-value]

    @commands.command("cut.save")
    def save(self, flows: Sequence[Flow], cuts: CutSpec, path: Path) -> None:
        """Write the rows to a file as CSV, a single value as it is; with + before the path they are appended."""
        rows: Any = self.cut(flows, cuts)
        where = os.path.expanduser(str(path).removeprefix("+"))
        single = len(rows) == 1 and len(rows[0]) == 1
        data = _bytes(rows[0][0]) if single else _csv(rows)
        try:
            with open(where, "ab" if str(path).startswith("+") else "wb") as fo:
                if single and fo.tell():
                    fo.write(b"\n")
                fo.write(data)
        except OSError as error:
            raise CommandError(f"cannot write {where!r}: {error.strerror or error}") from None
        ctx.log.alert(f"{len(rows)} rows with {len(cuts)} columns written to {where}")


def extract(path: str, flow: Flow) -> str | bytes:
    """The value of a path in one flow. Raises CommandError for private names."""
    value: Any = flow
    for name in path.strip().split("."):
        if name.startswith("_"):
            raise CommandError(f"{path!r}: {name} is not for others to see")
        value = _step(value, name)
        if value is None:
            return ""
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Cert):
        return value.to_pem().decode("ascii")
    if isinstance(value, list) and value and isinstance(value[0], Cert):
        return "".join(cert.to_pem().decode("ascii") for cert in value)
    return "" if callable(value) or value in ([], {}) else str(value)


def _step(value: Any, name: str) -> Any:
    if name.startswith("header[") and name.endswith("]"):
        headers = getattr(value, "headers", None)
        return None if headers is None else headers.get(name[len("header[") : -1])
    if isinstance(value, tuple) and name in _ADDRESS:
        return value[_ADDRESS[name]] if len(value) > _ADDRESS[name] else None
    try:
        return getattr(value, name, None)
    except ValueError:  # a body that cannot be decoded, say
        return None


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


def _csv(rows: Sequence[Sequence[str | bytes]]) -> bytes:
    """RFC 4180; bytes that are no UTF-8 are written with backslashes."""
    out = io.StringIO(newline="")
    texts = [[v.decode("utf-8", "backslashreplace") if isinstance(v, bytes) else v for v in row] for row in rows]
    csv.writer(out).writerows(texts)
    return out.getvalue().encode("utf-8", "surrogateescape")
