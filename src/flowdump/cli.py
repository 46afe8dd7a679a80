"""The command line. Its flags are generated from the option table; everything else can be set with ``--set``.

Errors of the user become one message on stderr: exit code 1, or 2 for a command line that click cannot parse.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from flowdump.exceptions import FilterError, UserError
from flowdump.options.store import Options, listing, load_config
from flowdump.options.table import GROUPS, OPTIONS, Spec
from flowdump.runtime.log import EventLog, coloured
from flowdump.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = """\
Examples:
  flowdump -s add_header.py -w traffic.flows                 a proxy on port 8080 that runs a script and records
  flowdump -r saved                                          show the flows of a file, one line each
  flowdump -r saved -s "replacer.py html faketml" -w changed   transform saved flows with a script
  flowdump -q -r saved --set hardump=- > saved.har           turn a flow file into a HAR
  flowdump -r example.har -w example.flows                   and back
  flowdump -dd -r saved '~c 5xx & ~d example.com'            show matching flows with their bodies
"""


class FlowdumpCommand(click.Command):
    """Help with the options in sections, examples and the filter language."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {group: [] for group in (*GROUPS, "More")}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections[getattr(parameter, "group", "More")].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from flowdump import filters

        with formatter.section("Filter expressions"):
            formatter.write_dl(filters.help_rows())
        formatter.write_paragraph()
        formatter.write(EXAMPLES)


class TableOption(click.Option):
    """A flag that sets one option of the table."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.group = spec.group
        names = list(spec.flags)
        facts: dict[str, Any] = {"default": None, "help": spec.help, "expose_value": True}
        if spec.type == "bool":
            names[-1] = f"{names[-1]}/--no-{names[-1].removeprefix('--')}"
        elif spec.choices and spec.type == "str":
            facts["type"] = click.Choice(spec.choices)
        else:
            facts["metavar"] = {"filter?": "FILTER", "int": "N", "int?": "N", "size?": "SIZE"}.get(spec.type, "TEXT")
            facts["multiple"] = spec.type == "[str]"
        facts["metavar"] = _METAVARS.get(spec.name, facts.get("metavar"))
        super().__init__([*names, spec.name], **facts)


_METAVARS = {
    "rfile": "PATH",
    "save_stream_file": "PATH",
    "hardump": "PATH",
    "client_replay": "PATH",
    "scripts": "SCRIPT",
    "confdir": "PATH",
    "flow_detail": "LEVEL",
    "mode": "MODE",
    "listen_host": "HOST",
    "listen_port": "PORT",
    "certs": "[DOMAIN=]PATH",
    "proxyauth": "CREDENTIALS",
    "upstream_auth": "USER:PASSWORD",
    "allow_hosts": "REGEX",
    "ignore_hosts": "REGEX",
    "tcp_hosts": "REGEX",
}


def _grouped(group: str, *names: str, **facts: Any) -> click.Option:
    option = click.Option([*names], **facts)
    option.group = group  # type: ignore[attr-defined]
    return option


def _parameters() -> list[click.Parameter]:
    _, _, _, display, _, running = GROUPS
    table: list[click.Parameter] = [TableOption(spec) for spec in OPTIONS if spec.flags]
    return [
        *table,
        _grouped(display, "-d", "detail", count=True, help="More detail: each adds one to the level, -dd is 3."),
        _grouped(display, "-q", "--quiet", "quiet", is_flag=True, help="Show no flows, and only errors."),
        _grouped(display, "-v", "--verbose", "verbose", is_flag=True, help="Log more."),
        _grouped(running, "-n", "--no-server", "no_server", is_flag=True, help="Start no listener."),
        _grouped(
            running,
            "--set",
            "assignments",
            multiple=True,
            metavar="NAME[=VALUE]",
            help="Set any option; see --options.",
        ),
        _grouped(
            "More",
            "--options",
            "show_options",
            is_flag=True,
            help="List every option with its value, as YAML; with -s those of scripts too.",
        ),
        _grouped("More", "--commands", "show_commands", is_flag=True, help="List every command with its arguments."),
        _grouped("More", "--version", "show_version", is_flag=True, help="Show the version."),
        click.Argument(["filter_words"], nargs=-1, metavar="[FILTER]"),
    ]


def _invoke(**given: Any) -> None:
    if given.pop("show_version"):
        click.echo(f"flowdump {__version__}")
        return
    log = EventLog(colour=coloured(sys.stderr))
    options = Options()
    try:
        _configure(options, given)
        if given["show_options"]:
            if options.scripts:
                from flowdump import app

                app.declare(options, log)
            click.echo(listing(options), nl=False)
            return
        from flowdump import app

        if given["show_commands"]:
            click.echo(app.commands(options, log), nl=False)
            return
        log.set_verbosity(options.termlog_verbosity)
        code = app.start(options, log)
        sys.stdout.flush()
    except UserError as error:
        log.error(f"flowdump: {error}")
        code = 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _configure(options: Options, given: dict[str, Any]) -> None:
    """Configuration file, then ``--set``, then flags. Raises OptionsError."""
    assignments = list(given["assignments"])
    confdir = given["confdir"] or next(
        (a.partition("=")[2] for a in assignments if a.startswith("confdir=")), options.confdir
    )
    load_config(options, os.path.join(os.path.expanduser(confdir), "config.yaml"))
    options.set(*assignments, defer=True)
    flags = {spec.name: given[spec.name] for spec in OPTIONS if spec.flags and given[spec.name] not in (None, ())}
    options.update(**{name: _typed(options.spec(name), value) for name, value in flags.items()})
    if given["filter_words"]:
        expression = " ".join(given["filter_words"])
        # The filter of the command line limits what is read, shown and written.
        from flowdump import filters

        try:
            filters.parse(expression)
        except FilterError as error:
            raise UserError(str(error)) from None
        options.update(dumper_filter=expression, save_stream_filter=expression, readfile_filter=expression)
    if given["no_server"]:
        options.update(server=False)
    if given["detail"]:
        options.update(flow_detail=min(options.flow_detail + given["detail"], 4))
    if given["verbose"]:
        options.update(termlog_verbosity="debug")
    if given["quiet"]:
        options.update(flow_detail=0, termlog_verbosity="error")


def _typed(spec: Spec, value: Any) -> Any:
    if spec.type == "[str]":
        return list(value)
    if spec.type in ("int", "int?") and isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return value
    return value


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point ``flowdump``; without ``arguments`` it takes those of the process."""
    # Flows come and go by the thousand and hold no cycles of ours: what exists now is exempt, and young objects are
    # looked through rarely.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    command = FlowdumpCommand(
        "flowdump",
        params=_parameters(),
        callback=_invoke,
        help="Record, transform and replay HTTP(S) traffic with Python scripts.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the parent process has closed it
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for as long as the process lives
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        command.main(arguments, prog_name="flowdump")
    except OSError as error:  # stdout does not take what click writes there
        sys.stderr.write(f"flowdump: cannot write 'stdout': {error.strerror or error}\n")
        os._exit(1)
