from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts.redact import FIELDS, HEADERS, Redactor
from tests.support.flows import (
    every_kind,
    http_flow,
    read_flows,
    request,
    response,
    run_flowdump,
    script,
    tcp_flow,
    websocket_flow,
    write_flows,
)

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}


def _redacted(folder: Path, *flows: Any, arguments: Sequence[str] = ()) -> list[Any]:
    """The flows after the script; the file that was written must not hold the word hush anywhere."""
    saved = write_flows(folder / "saved", flows)
    assert b"hush" in saved.read_bytes()
    run_flowdump("-q", "-r", saved, "-s", script("redact.py", *arguments), "-w", "changed", cwd=folder, check=True)
    assert b"hush" not in (folder / "changed").read_bytes()
    return read_flows(folder / "changed")


def test_headers_of_requests_and_responses(tmp_path: Path) -> None:
    flow = http_flow(
        request(headers=[("Authorization", "Bearer hush"), ("X-Api-Key", "hush"), ("X-Tenant", "hush"), ("A", "b")]),
        response(200, b"", [("x-auth-token", "hush"), ("Content-Type", "text/html")]),
    )
    (redacted,) = _redacted(tmp_path, flow, arguments=["--header", "x-tenant"])
    assert redacted.request.headers.fields == (
        (b"Host", b"example.com"),
        (b"Authorization", b"REDACTED"),
        (b"X-Api-Key", b"REDACTED"),
        (b"X-Tenant", b"REDACTED"),
        (b"A", b"b"),
    )
    assert redacted.response.headers.fields[:2] == ((b"x-auth-token", b"REDACTED"), (b"Content-Type", b"text/html"))


def test_trailers(tmp_path: Path) -> None:
    flow = http_flow(answer=response())
    flow.response.trailers = request(headers=[("x-session-token", "hush")]).headers
    (redacted,) = _redacted(tmp_path, flow)
    assert redacted.response.trailers["x-session-token"] == "REDACTED"


COOKIES = [
    ("a=hush", "a=REDACTED"),
    ("a=hush; b=hush=hush;c=", "a=REDACTED; b=REDACTED;c="),
    ('a="hush; hush"; b=hush', "a=REDACTED; REDACTED; b=REDACTED"),
    ("hush", "REDACTED"),
    ("path=hush; secure", "path=REDACTED; REDACTED"),
]


def test_cookies(tmp_path: Path) -> None:
    flows = [http_flow(request(headers={"Cookie": value})) for value, _ in COOKIES]
    found = [flow.request.headers["cookie"] for flow in _redacted(tmp_path, *flows)]
    assert found == [redacted for _, redacted in COOKIES]


SET_COOKIES = [
    ("sid=hush; Path=/; HttpOnly; SameSite=Lax", "sid=REDACTED; Path=/; HttpOnly; SameSite=Lax"),
    (
        "a=hush; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Secure",
        "a=REDACTED; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Secure",
    ),
    ("a=hush; Path=/, b=hush; Domain=example.com", "a=REDACTED; Path=REDACTED; Domain=example.com"),
    ("path=hush", "path=REDACTED"),
    ("a=hush;other=hush;hush", "a=REDACTED;other=REDACTED;REDACTED"),
]


def test_set_cookies(tmp_path: Path) -> None:
    fields = [[("Set-Cookie", value), ("set-cookie", "z=hush")] for value, _ in SET_COOKIES]
    flows = [http_flow(answer=response(200, b"", headers)) for headers in fields]
    found = [flow.response.headers.get_all("set-cookie") for flow in _redacted(tmp_path, *flows)]
    assert found == [[redacted, "z=REDACTED"] for _, redacted in SET_COOKIES]


QUERY_PARAMETERS = [
    ("/a?token=hush&b=%20c+d", "/a?token=REDACTED&b=%20c+d"),
    ("/a?x&Access-Token=hush#frag", "/a?x&Access-Token=REDACTED#frag"),
    ("/a?user%5Bpassword%5D=hush;hush&b=1", "/a?user%5Bpassword%5D=REDACTED&b=1"),
    ("/a?b=1;%74oken=hush", "/a?b=1;%74oken=REDACTED"),
    ("/a?apiKey=hush=hush/hush?hush", "/a?apiKey=REDACTED"),
    ("/a;sid=hush?b=1", "/a;sid=REDACTED"),
    ("/a?token=hush&token=hush&token=", "/a?token=REDACTED&token=REDACTED&token="),
    ("/a?next=/b?token=hush&c", "/a?next=/b?token=REDACTED&c"),
    ("/a?iban=hush", "/a?iban=REDACTED"),
    ("/\udcff?token=hush&\udcfe=1", "/\udcff?token=REDACTED&\udcfe=1"),
]


def test_query_parameters(tmp_path: Path) -> None:
    flows = [http_flow() for _ in QUERY_PARAMETERS]
    for flow, (path, _) in zip(flows, QUERY_PARAMETERS, strict=True):
        flow.request.path = path
    found = [flow.request.path for flow in _redacted(tmp_path, *flows, arguments=["--field", "IBAN"])]
    assert found == [redacted for _, redacted in QUERY_PARAMETERS]


def test_urls_in_headers(tmp_path: Path) -> None:
    flow = http_flow(
        request(headers={"Referer": "https://me:hush@hush@example.com/?session_id=hush&page=2"}),
        response(302, b"", [("Location", "/welcome?page=2#access_token=hush"), ("refresh", "0; url=/x?sig=hush")]),
    )
    (redacted,) = _redacted(tmp_path, flow)
    assert redacted.request.headers["referer"] == "https://REDACTED@example.com/?session_id=REDACTED&page=2"
    assert redacted.response.headers["location"] == "/welcome?page=2#access_token=REDACTED"
    assert redacted.response.headers["refresh"] == "0; url=/x?sig=REDACTED"


def test_form_fields(tmp_path: Path) -> None:
    asked = request("POST", content=b"user=me&password=hush#hush;hush&otp=hush&x=%zz", headers=FORM)
    (flow,) = _redacted(tmp_path, http_flow(asked))
    assert flow.request.content == b"user=me&password=REDACTED&otp=REDACTED&x=%zz"
    assert flow.request.headers["content-length"] == str(len(flow.request.content))


JSON_FIELDS = [
    (b'{ "a" : 1.0,\n"token" :  "hush" }\n', b'{ "a" : 1.0,\n"token" :  "REDACTED" }\n'),
    (b'{"user":{"passWord":"hush \\"hush\\\\"},"b":[]}', b'{"user":{"passWord":"REDACTED"},"b":[]}'),
    (b'{"secret":{"a":["hush",{"token":"hush"}]},"b":1}', b'{"secret":"REDACTED","b":1}'),
    (b'[{"otp": 123.5e7, "a":"h"}]', b'[{"otp": "REDACTED", "a":"h"}]'),
    (b'{"token":null,"otp":"","jwt":false,"sid":"hush"}', b'{"token":null,"otp":"","jwt":false,"sid":"REDACTED"}'),
    (b'{"to\\u006ben":"hush"}', b'{"to\\u006ben":"REDACTED"}'),
    (b'{"token":"x"}\n{"token":"hush"}\n', b'{"token":"REDACTED"}\n{"token":"REDACTED"}\n'),
    (b'{"a":"\\"token\\": 1","token":["hush"]}', b'{"a":"\\"token\\": 1","token":"REDACTED"}'),
    (b'{"a":"\xc3\xbc\xff","token":"hush\xc3\xbc"}', b'{"a":"\xc3\xbc\xff","token":"REDACTED"}'),
    (b'{"token":"hush, cut', b'{"token":"REDACTED"'),
    (b'{"token":hush, "a":1}', b'{"token":"REDACTED"'),
    ('{"größe":"hush"}'.encode(), '{"größe":"REDACTED"}'.encode()),
    (b'{"token":' + b"[" * 5000 + b'"hush"', b'{"token":"REDACTED"'),
]


def test_json_fields(tmp_path: Path) -> None:
    flows = [http_flow(answer=response(200, body, JSON)) for body, _ in JSON_FIELDS]
    answers = [flow.response for flow in _redacted(tmp_path, *flows, arguments=["--field", "größe"])]
    assert [answer.content for answer in answers] == [redacted for _, redacted in JSON_FIELDS]
    assert [answer.headers["content-length"] for answer in answers] == [str(len(body)) for _, body in JSON_FIELDS]


def test_json_is_recognised_by_type_or_by_its_looks(tmp_path: Path) -> None:
    types: list[dict[str, str]] = [{}, {"content-type": "text/plain"}, {"content-type": "application/vnd.api+json"}]
    flows = [http_flow(request("POST", content=b' {"token":"hush"}', headers=headers)) for headers in types]
    assert [f.request.content for f in _redacted(tmp_path, *flows)] == [b' {"token":"REDACTED"}'] * 3


def test_compressed_body_stays_compressed(tmp_path: Path) -> None:
    answer = response(200, b'{"token":"hush", "a": 1}', JSON | {"content-encoding": "br"})
    flow = http_flow(request(headers={"x-api-key": "hush"}), answer)
    redacted = _redacted(tmp_path, flow)[0].response
    assert redacted.headers["content-encoding"] == "br"
    assert redacted.content == b'{"token":"REDACTED", "a": 1}'
    assert redacted.raw_content != redacted.content


def test_body_that_is_not_compressed_though_its_header_says_so(tmp_path: Path) -> None:
    answer = response(200, b"", JSON | {"content-encoding": "gzip"})
    answer.raw_content = b'{"token":"hush"}'
    redacted = _redacted(tmp_path, http_flow(answer=answer))[0].response
    assert redacted.raw_content == redacted.content == b'{"token":"REDACTED"}'
    assert "content-encoding" not in redacted.headers


def test_websocket_messages(tmp_path: Path) -> None:
    flow = websocket_flow('{"token": "hush"}', b'[{"otp": "hush"}]', "token: 1")
    messages = _redacted(tmp_path, flow)[0].websocket.messages
    assert [m.content for m in messages] == [b'{"token": "REDACTED"}', b'[{"otp": "REDACTED"}]', b"token: 1"]


def test_credentials_for_the_proxy(tmp_path: Path) -> None:
    flow = http_flow(metadata={"proxyauth": ["me", "hush"], "mine": "stays"})
    assert _redacted(tmp_path, flow)[0].metadata == {"proxyauth": ["REDACTED", "REDACTED"], "mine": "stays"}


def test_original_of_an_edited_flow_goes_too(tmp_path: Path) -> None:
    """A flow that was edited before it was saved carries its state before that."""
    flows = [
        http_flow(),
        http_flow(answer=response(200, b'{"token": "hush"}', JSON)),
        websocket_flow('{"jwt": "hush"}'),
    ]
    for flow in flows:
        flow.request.headers["authorization"] = "hush"
        flow.backup()
        flow.request.headers["edited"] = "yes"
    redacted = _redacted(tmp_path, *flows)
    assert [flow.request.headers["edited"] for flow in redacted] == ["yes"] * 3
    assert [flow.request.headers["authorization"] for flow in redacted] == ["REDACTED"] * 3
    assert not any(flow.modified() for flow in redacted)


def test_marker(tmp_path: Path) -> None:
    flow = http_flow(request(headers={"Authorization": "hush"}))
    (redacted,) = _redacted(tmp_path, flow, arguments=["--marker", "x-x"])
    assert redacted.request.headers["authorization"] == "x-x"


@pytest.mark.parametrize(("arguments", "message"), [(("--marker", "a;b"), "--marker takes"), (("x",), "unrecognized")])
def test_wrong_arguments_end_the_start(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    saved = write_flows(tmp_path / "saved", [])
    done = run_flowdump("-r", saved, "-s", script("redact.py", *arguments), "-w", "changed", cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "changed").exists()


def test_what_holds_no_secrets_stays_byte_for_byte(tmp_path: Path) -> None:
    odd = request(
        "POST", "https://example.com/a?b=%zz&&c", b" {\n'not json'", {"Referer": "https://example.com/?q=a b"}
    )
    flows = [*every_kind(), http_flow(odd), tcp_flow(b'{"token":"not looked at"}')]
    saved = write_flows(tmp_path / "saved", flows)
    run_flowdump("-q", "-r", saved, "-s", script("redact.py"), "-w", "changed", cwd=tmp_path, check=True)
    assert (tmp_path / "changed").read_bytes() == saved.read_bytes()


# -- the search for secrets ----------------------------------------------------------------------------------------

REDACTOR = Redactor(HEADERS.split(), FIELDS.split(), "REDACTED")

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(FIELDS.split()), inner, max_size=3)
    ),
    max_leaves=10,
)


def _expected(value: Any) -> Any:
    if isinstance(value, list):
        return [_expected(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {k: _hidden(v) if REDACTOR.is_secret(k) else _expected(v) for k, v in value.items()}


def _hidden(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) or value == "" else "REDACTED"


@given(_values, st.booleans(), st.sampled_from([None, 2]))
@settings(deadline=None)
def test_any_json_is_redacted_and_nothing_else_of_it(value: Any, ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    redacted = REDACTOR.body("application/json", body)
    assert json.loads(redacted.decode("utf-8", "surrogatepass")) == _expected(value)
    if _expected(value) == value:
        assert redacted == body


@given(st.sampled_from(["application/json", "application/x-www-form-urlencoded", ""]), st.binary())
@settings(deadline=None)
def test_any_bytes_are_a_body(content_type: str, body: bytes) -> None:
    REDACTOR.body(content_type, body)


@given(st.text(alphabet=st.sampled_from(list('"\\:{}[],a \n')), max_size=60))
@settings(deadline=None)
def test_secret_behind_any_beginning_is_found(noise: str) -> None:
    """Whatever stands in front of it, as long as it leaves no string open."""
    if len([c for c in noise.replace("\\\\", "").replace('\\"', "") if c == '"']) % 2 or "\\" in noise:
        return
    assert b"hush" not in REDACTOR.body("application/json", f'{noise}"token":"hush"'.encode())


@pytest.mark.parametrize(
    "body",
    [b'"\\' * 200_000, b'{"token":' * 20_000, b"token=;" * 100_000, b'{"a":"' + b'\\"' * 200_000, b"[" * 200_000],
    ids=["open strings", "nested", "repeated", "escapes", "brackets"],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_hostile_bodies_take_no_longer_than_their_size_warrants(content_type: str, body: bytes) -> None:
    begin = time.process_time()
    REDACTOR.body(content_type, body)
    assert time.process_time() - begin < 2
