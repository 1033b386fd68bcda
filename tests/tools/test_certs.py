"""The CA of an installation is made once, and never replaced behind its owner's back."""

from __future__ import annotations

import pytest
from cryptography import x509

from tools.harness.certs import Ca, CertsError, ensure, main, names_of


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_missing_is_made_and_then_left_alone(tmp_path) -> None:
    ensure(tmp_path)
    made = contents(tmp_path)
    assert made.keys() == {"ca.pem", "ca.key", "server.pem", "server.key"}
    ensure(tmp_path)
    assert contents(tmp_path) == made


def test_a_start_needs_no_ca_key_that_is_offline(tmp_path) -> None:
    ensure(tmp_path)
    (tmp_path / "ca.key").unlink()
    before = contents(tmp_path)
    ensure(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("gone", "says"), [("ca.key", "bring it back"), ("ca.pem", "put it back")])
def test_half_a_ca_is_not_replaced_by_another_one(tmp_path, gone: str, says: str) -> None:
    ensure(tmp_path)
    (tmp_path / gone).unlink()
    (tmp_path / "server.pem").unlink()
    before = contents(tmp_path)
    with pytest.raises(CertsError, match=says):
        ensure(tmp_path)
    with pytest.raises(CertsError, match=says):
        Ca(tmp_path)
    assert contents(tmp_path) == before


def test_a_name_longer_than_a_subject_may_be(tmp_path) -> None:
    name = ".".join(["a" * 40, "b" * 40, "example.org"])
    certificate, _ = Ca(tmp_path).issue("server", (name, "192.0.2.7"))
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "b\u00fccher.example",
        "broker.example.org:8883",
        "192.0.2.7:8883",
        "192.0.2.777",
        "broker..example.org",
        "a b",
        "",
    ],
)
def test_what_no_pile_calls_its_broker_gets_no_certificate(tmp_path, name: str) -> None:
    with pytest.raises(CertsError, match="no host name"):
        Ca(tmp_path).issue("server", ("a.example", name))
    assert not (tmp_path / "server.pem").exists()


@pytest.mark.parametrize("damaged", ["ca.key", "ca.pem"])
def test_a_damaged_ca_is_not_replaced_by_another_one(tmp_path, damaged: str) -> None:
    ensure(tmp_path)
    (tmp_path / damaged).write_text("")
    with pytest.raises(CertsError, match="cannot be read"):
        Ca(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("sys.argv", ["certs", "--data", str(tmp_path / "file")])
    assert main() == 1
    assert capsys.readouterr().err.startswith("certs: ")


def test_an_empty_variable_names_no_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RATELOCK_DATA", "")
    monkeypatch.setattr("sys.argv", ["certs"])
    assert main() == 0
    assert [path.name for path in tmp_path.iterdir()] == [".ratelock"]


def test_a_new_certificate_without_names_is_for_those_of_the_present_one(tmp_path, monkeypatch) -> None:
    """It was for this machine alone then, and every pile lost its broker."""
    for names in (["broker.example.org", "192.0.2.7"], []):
        monkeypatch.setattr("sys.argv", ["certs", "--data", str(tmp_path), *names])
        assert main() == 0
        assert names_of(tmp_path / "certs" / "server.pem") == ["broker.example.org", "192.0.2.7"]
