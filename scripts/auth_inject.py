"""Add credentials to requests to some hosts, so that clients need not know them.

    flowdump -s "scripts/auth_inject.py api.example.org"
    flowdump -s "scripts/auth_inject.py api.example.org --env REPORTS_LOGIN --basic"
    flowdump -s "scripts/auth_inject.py .example.org --header X-Api-Key"
    flowdump -r saved -s "scripts/auth_inject.py api.example.org" -w changed

The secret comes from the environment (``API_TOKEN``, ``--env`` names another variable): a command line can be seen by
others. It is sent as ``Authorization: Bearer SECRET``; with ``--basic`` as Basic, where the variable holds
``user:password``; with ``--header`` as the plain value of that header. A header that the client sends itself stays.

``.example.org`` is the domain and all hosts in it. Only HTTPS requests get the secret, unless ``--plain`` is given.
What is written with ``-w`` has it too; ``redact.py`` takes such things out.
"""

import argparse
import base64
import os

from flowdump import http


class AuthInject:
    def __init__(self, hosts: list[str], header: str, value: str, plain: bool) -> None:
        self.hosts = {host.lower() for host in hosts}
        self.header = header
        self.value = value
        self.plain = plain

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        request = flow.request
        # The host that is connected to; the Host header may say anything.
        if self.is_meant(request.host) and (request.scheme == "https" or self.plain):
            request.headers.setdefault(self.header, self.value)

    def is_meant(self, host: str) -> bool:
        labels = host.lower().rstrip(".").split(".")
        return ".".join(labels) in self.hosts or any(
            f".{'.'.join(labels[n:])}" in self.hosts for n in range(len(labels))
        )


def start() -> AuthInject:
    parser = argparse.ArgumentParser(description="Add credentials to requests to some hosts.")
    parser.add_argument("host", nargs="+", help="a host, or .DOMAIN for all hosts in it")
    parser.add_argument("--env", default="API_TOKEN", metavar="NAME", help="the environment variable with the secret")
    parser.add_argument("--basic", action="store_true", help="Basic instead of Bearer; the secret is user:password")
    parser.add_argument("--header", metavar="NAME", help="this header instead of Authorization")
    parser.add_argument("--plain", action="store_true", help="over plain HTTP too")
    args = parser.parse_args()
    secret = os.environ.get(args.env, "").strip()
    if not secret:
        parser.error(f"the environment variable {args.env} is not set")
    if not secret.isprintable():
        parser.error(f"the environment variable {args.env} holds characters that no header can")
    if args.basic:
        if ":" not in secret or args.header:
            parser.error(f"--basic needs user:password in {args.env}, and no --header")
        secret = f"Basic {base64.b64encode(secret.encode()).decode()}"
    elif not args.header:
        secret = f"Bearer {secret}"
    return AuthInject(args.host, args.header or "Authorization", secret, args.plain)
