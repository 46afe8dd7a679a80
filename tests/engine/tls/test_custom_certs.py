"""The option ``certs``: which certificate is served for which host, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.pki import Ca, certificate_pem, key_pem, rsa_key

from flowdump.engine.tls.custom_certs import GivenCerts
from flowdump.exceptions import OptionsError

CA = Ca()


def write(folder: Path, name: str, *names: str, passphrase: str | None = None) -> str:
    return str(CA.leaf(*(names or (f"{name}.own",))).write(folder / f"{name}.pem", passphrase))


def found(given: GivenCerts, *names: str) -> str | None:
    leaf = given.find(names)
    return leaf.cert.cn if leaf else None


def test_none() -> None:
    given = GivenCerts()
    assert not given
    assert given.find(["example.com"]) is None


def test_the_exact_name_then_wildcards_then_the_rest(tmp_path: Path) -> None:
    specs = [
        write(tmp_path, "rest"),
        f"a.example={write(tmp_path, 'exact')}",
        f"*.example={write(tmp_path, 'wide')}",
        f"*.b.example={write(tmp_path, 'near')}",
        f"10.0.0.1={write(tmp_path, 'address')}",
    ]
    given = GivenCerts(specs)
    assert given
    assert found(given, "a.example") == found(given, "A.Example.") == "exact.own"
    assert found(given, "c.example") == found(given, "x.c.example") == "wide.own"
    assert found(given, "c.b.example") == "near.own"
    assert found(given, "example") == found(given, "other") == found(given) == "rest.own"
    assert found(given, "other.test", "a.example") == "exact.own"
    assert found(given, "10.0.0.1") == "address.own"
    assert found(given, "wide.own") == "wide.own"


def test_without_a_rest_other_hosts_have_none(tmp_path: Path) -> None:
    given = GivenCerts([f"a.example={write(tmp_path, 'exact')}"])
    assert found(given, "b.example") is None
    assert found(given, "") is None
    assert found(given, "exact.own") == "exact.own"
    assert repr(given) == "GivenCerts(exact.own, a.example)"


def test_a_given_domain_wins_over_the_names_in_a_certificate(tmp_path: Path) -> None:
    one, two = write(tmp_path, "one", "one.own", "shared.example"), write(tmp_path, "two", "two.own", "*.test")
    given = GivenCerts([f"shared.example={two}", f"x.example={one}"])
    assert found(given, "shared.example") == "two.own"
    assert found(given, "y.test") == "two.own"


def test_addresses_have_no_wildcards(tmp_path: Path) -> None:
    given = GivenCerts([f"*.0.0.1={write(tmp_path, 'odd')}"])
    assert found(given, "10.0.0.1") is None


def test_unicode_domains(tmp_path: Path) -> None:
    given = GivenCerts([f"bücher.example={write(tmp_path, 'books')}"])
    assert found(given, "xn--bcher-kva.example") == "books.own"


def test_a_path_with_an_equals_sign(tmp_path: Path) -> None:
    given = GivenCerts([write(tmp_path, "a=b", "odd.own")])
    assert found(given, "example.com") == "odd.own"


def test_chain_key_and_passphrase(tmp_path: Path) -> None:
    middle = Ca("middle", parent=CA)
    origin = middle.leaf("example.com", key=rsa_key())
    given = GivenCerts([str(origin.write(tmp_path / "x.pem", "secret"))], "secret")
    leaf = given.find(["example.com"])
    assert leaf is not None
    assert leaf.pem == b"".join(map(certificate_pem, (origin.certificate, middle.certificate))) + key_pem(origin.key)


def test_errors(tmp_path: Path) -> None:
    good, encrypted = write(tmp_path, "good"), write(tmp_path, "encrypted", passphrase="secret")
    (tmp_path / "garbage.pem").write_text("garbage")
    (tmp_path / "half.pem").write_bytes(certificate_pem(CA.certificate))
    errors = {
        f"a b={good}": "'a b' is not a host name",
        str(tmp_path / "absent.pem"): "No such file",
        f"x.example={tmp_path}": "Is a directory",
        str(tmp_path / "garbage.pem"): "no readable certificate",
        str(tmp_path / "half.pem"): "no readable private key",
        encrypted: "cert_passphrase",
    }
    for spec, message in errors.items():
        with pytest.raises(OptionsError, match=message) as caught:
            GivenCerts([good, spec])
        assert repr(spec) in str(caught.value)


def test_a_certificate_that_the_tls_library_refuses(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    weak = CA.leaf("example.com", key=rsa.generate_private_key(65537, 1024)).write(tmp_path / "weak.pem")
    with pytest.raises(OptionsError, match="TLS library refuses it"):
        GivenCerts([str(weak)])
