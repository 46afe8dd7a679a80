"""``SaveHar`` builds HARs as dictionaries; ``request_to_flow`` makes the flow of a HAR entry."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

from flowdump.flow import Flow
from flowdump.formats.har.read import flow_from_entry
from flowdump.formats.har.write import HarWriter
from flowdump.http.flow import HTTPFlow


class SaveHar:
    """``SaveHar().make_har(flows)``; the ``hardump`` option works without this addon."""

    def make_har(self, flows: Iterable[Flow]) -> dict[str, Any]:
        """The HAR of the HTTP flows in ``flows``, as a dictionary."""
        out = io.BytesIO()
        writer = HarWriter(out)
        for flow in flows:
            writer.add(flow)
        writer.close()
        return json.loads(out.getvalue())  # type: ignore[no-any-return]

    def flow_entry(self, flow: HTTPFlow, servers_seen: Any = None) -> dict[str, Any]:
        """The HAR entry of one flow."""
        entry: dict[str, Any] = self.make_har([flow])["log"]["entries"][0]
        return entry


def request_to_flow(request_json: dict[str, Any]) -> HTTPFlow:
    """Make the flow of a HAR entry. Raises ValueError for an invalid entry, such as one without a URL."""
    return flow_from_entry(request_json, lambda notice: None)
