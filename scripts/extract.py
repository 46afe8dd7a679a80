"""Write the bodies of responses to files in a folder.

    flowdump -r saved -s "scripts/extract.py bodies"
    flowdump -r saved -s "scripts/extract.py images --type ^image/" "~d example.com"
    flowdump -r saved -s "scripts/extract.py uploads --requests" "~m POST"

The folder is made if need be. A file is called after host and path, ``example.com_css_site.css``, with every character
other than ASCII letters, digits, ``.``, ``-`` and ``_`` turned to ``_``, so no URL leads out of the folder. Nothing is
overwritten: a name that is taken gets a number, ``example.com_css_site-2.css``. Empty bodies are left out; content
codings such as gzip are undone where possible.
"""

import argparse
import mimetypes
import re
from collections import Counter
from pathlib import Path

from flowdump import ctx, http

#: Longest file name, without number and suffix; file systems take 255 bytes.
LONGEST = 180


class Extractor:
    def __init__(self, folder: Path, kind: re.Pattern[str], requests: bool) -> None:
        self.folder = folder
        self.kind = kind
        self.requests = requests
        self.tried: Counter[str] = Counter()
        self.written = 0

    def request(self, flow: http.HTTPFlow) -> None:
        if self.requests:
            self.extract(flow, flow.request)

    def response(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None and not self.requests:
            self.extract(flow, flow.response)

    def done(self) -> None:
        ctx.log.info(f"bodies written to {self.folder}: {self.written}")

    def extract(self, flow: http.HTTPFlow, message: http.Message) -> None:
        content = message.get_content(strict=False)
        content_type = message.headers.get("content-type", "")
        if content and self.kind.search(content_type):
            self.write(file_name(flow.request, content_type), content)

    def write(self, name: str, content: bytes) -> None:
        stem, suffix = Path(name).stem, Path(name).suffix
        while True:
            self.tried[name] += 1
            number = f"-{self.tried[name]}" if self.tried[name] > 1 else ""
            try:
                with (self.folder / f"{stem}{number}{suffix}").open("xb") as file:
                    file.write(content)
            except FileExistsError:
                continue
            self.written += 1
            return


def file_name(request: http.Request, content_type: str) -> str:
    """``https://example.com/css/site.css?v=1`` -> ``example.com_css_site.css``."""
    path = re.split("[?#]", request.path)[0]
    path += "index" if path.endswith("/") else ""
    suffix = Path(path).suffix
    if not re.fullmatch(r"\.\w{1,10}", suffix, re.ASCII):
        suffix = mimetypes.guess_extension(content_type.partition(";")[0].strip()) or ".bin"
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{request.host}{path.removesuffix(suffix)}").lstrip("._-")
    return f"{stem[:LONGEST] or 'body'}{suffix}"


def pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{error}: {text!r}") from None


def start() -> Extractor:
    parser = argparse.ArgumentParser(description="Write bodies to files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--type", type=pattern, default="", help="only bodies whose content type matches this regex")
    parser.add_argument("--requests", action="store_true", help="the bodies of requests instead of responses")
    args = parser.parse_args()
    try:
        args.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"cannot make the folder '{args.folder}': {error.strerror}")
    return Extractor(args.folder, args.type, args.requests)
