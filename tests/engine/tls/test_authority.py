"""The certificate authority: its files, its errors, two processes at once, an existing folder of mitmproxy."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from tests.support.pki import EXPIRED, FUTURE, Ca, Credentials, certificate_pem, key_pem, rsa_key, self_signed

from flowdump.certs import Cert
from flowdump.engine.tls import authority as authority_module
from flowdump.engine.tls.authority import Authority
from flowdump.exceptions import UserError

FILES = {
    "flowdump-ca.pem": 0o600,
    "flowdump-ca.p12": 0o600,
    "flowdump-ca-cert.pem": 0o644,
    "flowdump-ca-cert.cer": 0o644,
    "flowdump-ca-cert.p12": 0o644,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new authority. Tests that change files take a copy."""
    folder = tmp_path_factory.mktemp("home") / "below" / "flowdump"
    before = os.umask(0o022)
    try:
        Authority.open(str(folder))
    finally:
        os.umask(before)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def openssl(*arguments: str | Path) -> str:
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def write_authority(folder: Path, credentials: Credentials, passphrase: str | None = None) -> Path:
    return credentials.write(folder / "flowdump-ca.pem", passphrase)


# files


def test_files_and_modes(made: Path) -> None:
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()} == FILES
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_what_openssl_says_to_the_files(made: Path) -> None:
    pem = made / "flowdump-ca-cert.pem"
    assert openssl("verify", "-x509_strict", "-CAfile", pem, pem).endswith(": OK\n")
    text = openssl("x509", "-in", pem, "-noout", "-text")
    assert "Public-Key: (2048 bit)" in text
    assert "CA:TRUE" in text
    assert "Certificate Sign, CRL Sign" in text
    subject = openssl("x509", "-in", pem, "-noout", "-subject", "-nameopt", "RFC2253")
    assert subject == "subject=O=flowdump,CN=flowdump\n"
    assert openssl("x509", "-inform", "DER", "-in", made / "flowdump-ca-cert.cer") == pem.read_text()
    assert "BEGIN CERTIFICATE" in openssl("pkcs12", "-in", made / "flowdump-ca-cert.p12", "-passin", "pass:", "-nokeys")
    openssl("pkey", "-in", made / "flowdump-ca.pem", "-check", "-noout")


def test_a_leaf_verifies(made: Path, tmp_path: Path) -> None:
    leaf = Authority.open(str(made)).leaf(["example.com"])
    (tmp_path / "leaf.pem").write_bytes(leaf.pem)
    options = ("-x509_strict", "-purpose", "sslserver", "-verify_hostname", "example.com")
    assert openssl("verify", *options, "-CAfile", made / "flowdump-ca-cert.pem", tmp_path / "leaf.pem").endswith("OK\n")
    assert leaf.pem.count(b"BEGIN CERTIFICATE") == 1, "the root is not sent"


def test_p12_holds_key_and_certificate(made: Path) -> None:
    key, certificate, _ = pkcs12.load_key_and_certificates((made / "flowdump-ca.p12").read_bytes(), None)
    own = load_pem_private_key((made / "flowdump-ca.pem").read_bytes(), None)
    assert key is not None
    assert certificate is not None
    assert key.public_key() == own.public_key() == certificate.public_key()
    alone = pkcs12.load_key_and_certificates((made / "flowdump-ca-cert.p12").read_bytes(), None)
    assert alone == (None, None, [certificate])


def test_opening_again_changes_nothing(folder: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    first, second = Authority.open(str(folder)), Authority.open(str(folder))
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    assert first.cert == second.cert
    assert first.pem() == (folder / "flowdump-ca-cert.pem").read_bytes()
    assert first.der() == (folder / "flowdump-ca-cert.cer").read_bytes()
    assert first.certificate_path == str(folder / "flowdump-ca-cert.pem")
    assert pkcs12.load_key_and_certificates(first.p12(), None)[2] == [first.cert.to_cryptography()]


@pytest.mark.parametrize("name", [name for name in FILES if name != "flowdump-ca.pem"])
def test_missing_files_come_back(folder: Path, name: str) -> None:
    (folder / name).unlink()
    authority = Authority.open(str(folder))
    assert set(os.listdir(folder)) == set(FILES)
    assert (folder / "flowdump-ca-cert.pem").read_bytes() == authority.pem()


def test_files_of_another_authority_are_replaced(folder: Path) -> None:
    ca = Ca("mine", key=rsa_key())
    write_authority(folder, ca.credentials)
    authority = Authority.open(str(folder))
    assert authority.cert.cn == "mine"
    assert (folder / "flowdump-ca-cert.cer").read_bytes() == authority.der()
    assert stat.S_IMODE((folder / "flowdump-ca.p12").stat().st_mode) == 0o600


def test_home_and_key_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    authority = Authority.open("~/conf", key_size=3072)
    assert (tmp_path / "conf" / "flowdump-ca.pem").exists()
    assert authority.cert.keyinfo == ("RSA", 3072)


@pytest.mark.parametrize("size", [7, 100_000])
def test_an_impossible_key_size(tmp_path: Path, size: int) -> None:
    with pytest.raises(UserError, match=rf"'key_size'.* {size} bits"):
        Authority.open(str(tmp_path), key_size=size)
    assert os.listdir(tmp_path) == []


def test_file_systems_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    Authority.open(str(tmp_path))
    assert set(os.listdir(tmp_path)) == set(FILES)


def test_being_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(key_size: int) -> bytes:
        write_authority(tmp_path, Ca("first").credentials)  # another process, in the meantime
        return Ca("second").credentials.pem()

    monkeypatch.setattr(authority_module, "_make", make)
    assert Authority.open(str(tmp_path)).cert.cn == "first"
    assert set(os.listdir(tmp_path)) == set(FILES)


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from flowdump.engine.tls.authority import Authority\n"
        "sys.stdin.read(); print(Authority.open(sys.argv[1]).cert.fingerprint().hex())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "new")]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    outputs = {process.communicate(timeout=120)[0] for process in processes}
    assert outputs == {Authority.open(str(tmp_path / "new")).cert.fingerprint().hex() + "\n"}
    assert set(os.listdir(tmp_path / "new")) == set(FILES)


# of others


def test_a_folder_of_mitmproxy_is_used_as_it_is(tmp_path: Path) -> None:
    ca = Ca("mitmproxy", key=rsa_key())
    ca.credentials.write(tmp_path / "mitmproxy-ca.pem")
    (tmp_path / "mitmproxy-ca-cert.pem").write_bytes(certificate_pem(ca.certificate))
    authority = Authority.open(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["mitmproxy-ca-cert.pem", "mitmproxy-ca.pem"]
    assert authority.certificate_path == str(tmp_path / "mitmproxy-ca-cert.pem")
    authority.leaf(["example.com"]).cert.to_cryptography().verify_directly_issued_by(ca.certificate)


def test_clients_are_sent_to_a_file_that_is_there(tmp_path: Path) -> None:
    path = Ca("mitmproxy").credentials.write(tmp_path / "mitmproxy-ca.pem")
    assert Authority.open(str(tmp_path)).certificate_path == str(path)


def test_our_own_comes_first(folder: Path) -> None:
    Ca("mitmproxy").credentials.write(folder / "mitmproxy-ca.pem")
    assert Authority.open(str(folder)).cert.cn == "flowdump"


def test_an_authority_below_another_is_sent_along(tmp_path: Path) -> None:
    root = Ca("root")
    middle = Ca("middle", parent=root)
    write_authority(tmp_path, Credentials(middle.certificate, middle.key, (root.certificate,)))
    leaf = Authority.open(str(tmp_path)).leaf(["example.com"])
    chain = x509.load_pem_x509_certificates(leaf.pem)
    assert chain == [leaf.cert.to_cryptography(), middle.certificate]


def test_the_order_of_the_file_does_not_matter(tmp_path: Path) -> None:
    ca, other = Ca("mine"), Ca("other")
    text = certificate_pem(other.certificate) + certificate_pem(ca.certificate) + key_pem(ca.key)
    (tmp_path / "flowdump-ca.pem").write_bytes(text)
    assert Authority.open(str(tmp_path)).cert.cn == "mine"


@pytest.mark.parametrize("given", ["secret", None])
def test_a_passphrase_that_is_not_needed(folder: Path, given: str | None) -> None:
    assert Authority.open(str(folder), passphrase=given).cert.cn == "flowdump"


def test_an_encrypted_key(tmp_path: Path) -> None:
    write_authority(tmp_path, Ca("mine").credentials, "secret")
    assert Authority.open(str(tmp_path), passphrase="secret").cert.cn == "mine"
    for passphrase in (None, ""):
        with pytest.raises(UserError, match=r"encrypted.*cert_passphrase"):
            Authority.open(str(tmp_path), passphrase=passphrase)
    with pytest.raises(UserError, match="cannot be opened with the passphrase"):
        Authority.open(str(tmp_path), passphrase="wrong")


def test_an_encrypted_key_lies_nowhere_in_the_clear(tmp_path: Path) -> None:
    write_authority(tmp_path, Ca("mine").credentials, "secret")
    Authority.open(str(tmp_path), passphrase="secret")
    exported = (tmp_path / "flowdump-ca.p12").read_bytes()
    with pytest.raises(ValueError, match=r"[Pp]assword"):
        pkcs12.load_key_and_certificates(exported, None)
    assert pkcs12.load_key_and_certificates(exported, b"secret")[0] is not None


# errors


def damaged_key() -> bytes:
    """An RSA key whose numbers no longer fit together."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    numbers = rsa_key().private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d + 2, numbers.dmp1 + 2, numbers.dmq1 + 2, numbers.iqmp, numbers.public_numbers
    )
    key = wrong.private_key(unsafe_skip_rsa_key_validation=True)
    return key_pem(key) + certificate_pem(Ca(key=rsa_key()).certificate)


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "no readable certificate"),
    "garbage": (lambda: b"\0\xff" * 100, "no readable certificate"),
    "damaged": (
        lambda: Ca().credentials.pem().replace(b"CERTIFICATE-----\nMI", b"CERTIFICATE-----\nXX"),
        "no readable cert",
    ),
    "no key": (lambda: certificate_pem(Ca().certificate), "no readable private key"),
    "no certificate": (lambda: key_pem(Ca().key), "no readable certificate"),
    "foreign key": (lambda: key_pem(rsa_key()) + certificate_pem(Ca().certificate), "belongs to another certificate"),
    "damaged key": (damaged_key, "its key is damaged"),
    "no authority": (lambda: self_signed("example.com").pem(), "not one of a certificate authority"),
    "a leaf": (lambda: Ca().leaf("example.com").pem(), "not one of a certificate authority"),
    "expired": (lambda: Ca(days=EXPIRED).credentials.pem(), r"has expired on \d{4}-\d\d-\d\d"),
    "not valid yet": (lambda: Ca(days=FUTURE).credentials.pem(), r"not valid before .*clock"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("base", ["flowdump", "mitmproxy"])
def test_broken_files(tmp_path: Path, name: str, base: str) -> None:
    content, message = BROKEN[name]
    path = tmp_path / f"{base}-ca.pem"
    path.write_bytes(content())
    with pytest.raises(UserError, match=message) as caught:
        Authority.open(str(tmp_path))
    assert str(path) in str(caught.value)
    assert "delete the file" in str(caught.value)
    assert os.listdir(tmp_path) == [path.name], "nothing is replaced unasked"


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "flowdump-ca.pem").mkdir()
    with pytest.raises(UserError, match=r"cannot read .*flowdump-ca.pem: Is a directory; .*confdir"):
        Authority.open(str(tmp_path))


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*conf.flowdump-ca.pem: .*confdir"):
        Authority.open(str(tmp_path / "conf"))


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        Authority.open(str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_any_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(30, "Read-only file system")

    (folder / "flowdump-ca-cert.cer").unlink()
    monkeypatch.setattr(os, "replace", refuse)
    authority = Authority.open(str(folder))
    assert len(authority.der()) > 500
    assert set(os.listdir(folder)) == set(FILES) - {"flowdump-ca-cert.cer"}


# leaves


def test_the_same_names_give_the_same_leaf(made: Path) -> None:
    authority = Authority.open(str(made))
    leaf = authority.leaf(["example.com"])
    assert authority.leaf(("example.com",)) is leaf
    assert authority.leaf(["example.com"], organization="x") is not leaf
    assert authority.leaf(["www.example.com"]) is not leaf
    assert "4 leaves" not in repr(authority)
    assert repr(authority) == f"Authority({authority.path}, 3 leaves)"


def test_names_of_the_origin(made: Path) -> None:
    authority = Authority.open(str(made))
    pem = Ca().leaf("a.example", "*.b.example", "10.0.0.1", cn="c.example", org="Org").pem()
    origin = Cert.from_pem(pem[pem.index(b"-----BEGIN CERT") :])
    leaf = authority.leaf(["asked.example"], upstream=origin)
    assert leaf.cert.altnames == ["asked.example", "c.example", "a.example", "*.b.example", "10.0.0.1"]
    assert (leaf.cert.cn, leaf.cert.organization) == ("asked.example", "Org")
    assert authority.leaf(["asked.example"], upstream=Cert.from_pem(origin.to_pem())) is leaf
    assert authority.leaf(["asked.example"], upstream=origin, organization="Other").cert.organization == "Other"
    sent = authority.leaf(["asked.example"], upstream=origin, chain=[origin])
    assert x509.load_pem_x509_certificates(sent.pem)[1:] == [origin.to_cryptography()]


def test_the_oldest_leaves_are_forgotten(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority_module, "MAX_LEAVES", 3)
    authority = Authority.open(str(made))
    a, b = authority.leaf(["a"]), authority.leaf(["b"])
    authority.leaf(["c"])
    assert authority.leaf(["a"]) is a
    authority.leaf(["d"])
    assert authority.leaf(["a"]) is a
    assert authority.leaf(["b"]) is not b


def test_a_leaf_is_made_anew_before_it_expires(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority.open(str(made))
    leaf = authority.leaf(["example.com"])
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 190 * 86400)
    assert authority.leaf(["example.com"]) is leaf
    monkeypatch.setattr(time, "time", lambda: now + 197.5 * 86400)
    assert authority.leaf(["example.com"]) is not leaf
