"""``save.file`` and ``save.har``: flows into files, when a script says so."""

from __future__ import annotations

import os
from collections.abc import Sequence

from flowdump import ctx
from flowdump.addons.hardump import open_har
from flowdump.exceptions import CommandError, FlowFileError
from flowdump.flow import Flow
from flowdump.formats.flowfile.reader import FlowFile
from flowdump.runtime import commands
from flowdump.runtime.arguments import Path


class SaveCommands:
    """Both raise CommandError when the file cannot be written."""

    @commands.command("save.file")
    def file(self, flows: Sequence[Flow], path: Path) -> None:
        """Write flows to a flow file; with + before the path they are appended."""
        target = FlowFile(str(path), lambda keys: ctx.log.warn(f"{path}: flow.metadata without {keys}"))
        try:
            target.open()
            for flow in flows:
                target.add(flow)
        except (OSError, FlowFileError) as error:
            raise CommandError(f"cannot write {target.path!r}: {getattr(error, 'strerror', None) or error}") from None
        finally:
            target.close()
        ctx.log.alert(f"{_counted(len(flows))} written to {target.path}")

    @commands.command("save.har")
    def har(self, flows: Sequence[Flow], path: Path) -> None:
        """Write HTTP flows to a HAR; one whose name ends in .zhar is compressed."""
        where = os.path.expanduser(path)
        try:
            file, writer = open_har(where)
            with file:
                written = sum(writer.add(flow) for flow in flows)
                writer.close()
        except OSError as error:
            raise CommandError(f"cannot write {where!r}: {error.strerror or error}") from None
        left_out = (
            f", {_counted(len(flows) - written)} left out: a HAR is for HTTP only" if written < len(flows) else ""
        )
        ctx.log.alert(f"{_counted(written)} written to {where}{left_out}")


def _counted(count: int) -> str:
    return "1 flow" if count == 1 else f"{count} flows"
