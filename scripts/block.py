"""Refuse requests: those that match a filter, and those to hosts in a list.

    flowdump -s "scripts/block.py '~d ads.example.com'"
    flowdump -s "scripts/block.py '~u /track' '~m DELETE' --status 404"
    flowdump -s "scripts/block.py --hosts blocked.txt --kill"
    flowdump -r saved -s "scripts/block.py '~d example.net'" -w changed

A refused request gets a 403 (``--status`` names another one) that never comes from the origin; with ``--kill`` its
connection is closed instead. What is refused is decided when the head of a request is there, CONNECT included, so
filters about bodies match nothing. Of saved flows, those that match get that answer, and ``--kill`` leaves them alone.

A list has one domain per line, which means its subdomains too. The form of a hosts file, ``0.0.0.0 ads.example.com``,
will do; ``#`` begins a comment.
"""

import argparse
from collections import Counter
from pathlib import Path

from flowdump import ctx, filters, http

#: Answers that have no body (RFC 9110 section 6.4.1).
BODILESS = {204, 205, 304}


class Block:
    def __init__(self, blocked: list[filters.Filter], domains: set[str], status: int, kill: bool) -> None:
        self.blocked = blocked
        self.domains = domains
        self.status = status
        self.kill = kill
        self.count: Counter[str] = Counter()

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if not (self.is_listed(flow.request.host) or any(blocked(flow) for blocked in self.blocked)):
            return
        self.count[flow.request.host] += 1
        if not self.kill:
            page = "" if self.status in BODILESS else f"{flow.request.pretty_host} is blocked here.\n"
            flow.response = http.Response.make(self.status, page, {"content-type": "text/plain; charset=utf-8"})
        elif flow.killable:
            flow.kill()

    http_connect = requestheaders

    def done(self) -> None:
        for host, count in self.count.most_common():
            ctx.log.info(f"blocked: {host} {count}")

    def is_listed(self, host: str) -> bool:
        """Whether a host or one of the domains that it belongs to is in the list."""
        labels = host.lower().rstrip(".").split(".")
        return any(".".join(labels[n:]) in self.domains for n in range(len(labels)))


def expression(text: str) -> filters.Filter:
    try:
        return filters.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def domains(path: str) -> set[str]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {path!r}: {error}") from None
    words = [line.partition("#")[0].split() for line in lines]
    return {found[-1].lower().strip(".") for found in words if found}


def status(text: str) -> int:
    if len(text) != 3 or not text.isdigit() or text[0] not in "2345":
        raise argparse.ArgumentTypeError(f"{text!r} is not a status from 200 to 599")
    return int(text)


def start() -> Block:
    parser = argparse.ArgumentParser(description="Refuse requests.")
    parser.add_argument("filter", nargs="*", type=expression, help="what to refuse, any of these")
    parser.add_argument("--hosts", type=domains, default=set(), help="a file of domains to refuse, one per line")
    parser.add_argument("--status", type=status, default=403, help="the status of the answer")
    parser.add_argument("--kill", action="store_true", help="close the connection instead of an answer")
    args = parser.parse_args()
    if not args.filter and not args.hosts:
        parser.error("there is nothing to refuse: give a filter, or --hosts")
    return Block(args.filter, args.hosts, args.status, args.kill)
