"""Where the values of secrets come from."""

import sys

import pytest

from ipymlops.errors import MissingExtra, UsageProblem
from ipymlops.platforms.secret_refs import MAX_BYTES, secret_line, secret_values

ENV = {"TOKEN": "t0k", "OTHER": "0th"}


@pytest.fixture
def keyring_file(home, monkeypatch):
    """A real keyring backend with one password in it."""
    import keyring
    from keyring.backend import KeyringBackend

    class Kept(KeyringBackend):
        priority = 1

        def get_password(self, service, username):
            return {("svc/x", "user"): "k3y", ("ipymlops", "TOKEN"): "own"}.get((service, username))

        def set_password(self, service, username, password):  # noqa: ARG002
            raise AssertionError("nothing is written")

    before = keyring.get_keyring()
    keyring.set_keyring(Kept())
    yield
    keyring.set_keyring(before)


@pytest.mark.parametrize(
    ("reference", "value"), [("", "t0k"), ("TOKEN", "t0k"), ("env:TOKEN", "t0k"), ("env:OTHER", "0th")]
)
def test_a_value_comes_from_the_callers_environment(reference, value):
    assert secret_values((("TOKEN", reference),), ENV) == {"TOKEN": value}


@pytest.mark.parametrize(("reference", "value"), [("keyring:svc/x/user", "k3y"), ("keyring", "own")])
def test_a_value_comes_from_the_keyring(keyring_file, reference, value):
    assert secret_values((("TOKEN", reference),), {}) == {"TOKEN": value}


@pytest.mark.parametrize(
    "reference", ["keyring:svc/nobody", "keyring:svc", "keyring:/", "env:NOT_SET", "env:", "MISSING"]
)
def test_a_value_that_is_missing_is_refused_with_what_to_do(keyring_file, reference):
    with pytest.raises(UsageProblem) as refusal:
        secret_values((("TOKEN", reference),), {})
    assert refusal.value.fix
    assert "TOKEN" in str(refusal.value)


def test_a_value_given_in_place_of_a_reference_is_never_shown():
    with pytest.raises(UsageProblem) as refusal:
        secret_values((("TOKEN", "hf_abcdefg"),), ENV)
    assert "hf_abcdefg" not in str(refusal.value)


def test_without_the_keyring_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(MissingExtra, match=r"pip install 'ipymlops\[keyring\]'"):
        secret_values((("TOKEN", "keyring"),), {})


def test_what_fits_into_no_pipe_is_refused():
    with pytest.raises(UsageProblem, match=f"{MAX_BYTES:,}"):
        secret_values((("TOKEN", ""),), {"TOKEN": "\0" * (MAX_BYTES // 6)})


def test_the_line_is_one_line_and_nothing_without_secrets():
    assert secret_line({"A": "x\ny"}) == b'{"A": "x\\ny"}\n'
    assert secret_line({}) == b""
