"""Key files: made once and never over anything, and read with a reason for every refusal."""

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kcompliance.archive.key_files import (
    KeyFileError,
    KeyKind,
    fingerprint,
    key_at,
    kind_of,
    load_key,
    load_public_key,
    new_key,
    public_key_of,
    signer,
    write_key,
)
from kcompliance.errors import ExitCode, OutputError
from kcompliance.ledger import verifier_key
from tests.ledger.samples import ORIGIN

PASSPHRASE = b"several words are best"


def never_asked() -> bytes:
    raise AssertionError("nobody has to be asked")


@pytest.fixture(params=list(KeyKind), ids=str)
def kind(request: pytest.FixtureRequest) -> KeyKind:
    found: KeyKind = request.param
    return found


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "encrypted"])
def test_a_key_comes_back_as_it_was_written(
    tmp_path: Path, kind: KeyKind, passphrase: bytes | None
) -> None:
    key, path = new_key(kind), tmp_path / "a.key"

    public = write_key(path, key, passphrase)

    loaded = load_key(path, never_asked if passphrase is None else lambda: PASSPHRASE)
    assert loaded.warnings == ()
    assert kind_of(loaded.private) is kind
    assert loaded.private.public_key() == key.public_key()
    assert public == tmp_path / "a.key.pub"
    assert load_public_key(public) == key.public_key()
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.key", "a.key.pub"]
    assert (b"ENCRYPTED" in path.read_bytes()) is (passphrase is not None)


def test_openssl_reads_the_key_and_makes_the_same_fingerprint(
    tmp_path: Path, kind: KeyKind
) -> None:
    key, path = new_key(kind), tmp_path / "a.key"
    write_key(path, key, PASSPHRASE)

    def openssl(*arguments: str) -> bytes:
        return subprocess.run(["openssl", *arguments], capture_output=True, check=True).stdout

    words = PASSPHRASE.decode()
    from_private = openssl(
        "pkey", "-in", str(path), "-passin", f"pass:{words}", "-pubout", "-outform", "DER"
    )
    from_public = openssl("pkey", "-pubin", "-in", f"{path}.pub", "-outform", "DER")
    digest = subprocess.run(
        ["sha256sum"], input=from_public, capture_output=True, check=True
    ).stdout.split()[0]
    assert from_private == from_public
    assert digest.decode() == fingerprint(key.public_key())
    assert public_key_of(verifier_key(ORIGIN, key.public_key())) == key.public_key()


@pytest.mark.parametrize("taken", ["a.key", "a.key.pub"])
@pytest.mark.parametrize("link", [False, True], ids=["file", "dangling link"])
def test_nothing_is_ever_written_over(tmp_path: Path, taken: str, link: bool) -> None:
    there = tmp_path / taken
    if link:
        there.symlink_to(tmp_path / "nowhere")
    else:
        there.write_text("precious")

    with pytest.raises(KeyFileError, match="is there already") as refused:
        write_key(tmp_path / "a.key", new_key(KeyKind.ED25519), None)

    assert refused.value.exit_code is ExitCode.USAGE
    assert [each.name for each in tmp_path.iterdir()] == [taken]
    assert link or there.read_text() == "precious"


def test_of_two_who_make_a_key_at_once_one_does(tmp_path: Path) -> None:
    for number in range(10):
        path, start = tmp_path / f"{number}.key", Barrier(2)

        def make(path: Path = path, start: Barrier = start) -> bool:
            key = new_key(KeyKind.ED25519)
            start.wait()
            try:
                write_key(path, key, None)
            except KeyFileError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            made = [pool.submit(make), pool.submit(make)]
        assert sorted(each.result() for each in made) == [False, True]
        private = load_key(path, never_asked).private
        assert private.public_key() == load_public_key(tmp_path / f"{number}.key.pub")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file") as refused:
        write_key(tmp_path / "missing/a.key", new_key(KeyKind.ED25519), None)

    assert "missing" in (refused.value.hint or "")


# --- refusals ---------------------------------------------------------------------------------


def _pem(
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    *,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _public_pem(key: ed25519.Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


KEY = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)

NO_KEYS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not a key in PEM"),
    "text": (lambda: b"my key is 42\n", "not a key in PEM"),
    "der": (
        lambda: KEY.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        "not a key in PEM",
    ),
    "public": (lambda: _public_pem(KEY), "is a public key, which cannot sign"),
    "openssh": (lambda: _pem(KEY, form=serialization.PrivateFormat.OpenSSH), "OpenSSH"),
    "certificate": (
        lambda: b"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
        "no private key but: CERTIFICATE",
    ),
    "rsa": (lambda: _pem(rsa.generate_private_key(65537, 2048)), "wrong kind: RSA"),
    "p-384": (lambda: _pem(ec.generate_private_key(ec.SECP384R1())), "secp384r1"),
    "damaged": (lambda: _pem(KEY)[:60] + b"\n-----END PRIVATE KEY-----\n", "is damaged"),
    "huge": (lambda: _pem(KEY) + b"\n" * 70_000, "too large"),
}


@pytest.mark.parametrize("name", NO_KEYS)
def test_what_is_no_signing_key_is_refused(tmp_path: Path, name: str) -> None:
    make, reason = NO_KEYS[name]
    path = tmp_path / "a.key"
    path.write_bytes(make())

    with pytest.raises(KeyFileError, match=reason) as refused:
        load_key(path, never_asked)

    assert f'"{path}"' in refused.value.message
    assert refused.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("place", "reason"), [("missing.key", "there is no key"), (".", "is a folder")]
)
def test_a_place_without_a_key_is_refused_with_a_hint(
    tmp_path: Path, place: str, reason: str
) -> None:
    with pytest.raises(KeyFileError, match=reason) as refused:
        load_key(tmp_path / place, never_asked)

    assert refused.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(_pem(KEY))
    path.chmod(0)

    with pytest.raises(KeyFileError, match="cannot read the key"):
        load_key(path, never_asked)


@pytest.mark.parametrize(
    ("given", "reason"),
    [(b"not these words", "passphrase does not open"), (b"", "passphrase is empty")],
    ids=["wrong", "none"],
)
def test_an_encrypted_key_needs_its_passphrase(tmp_path: Path, given: bytes, reason: str) -> None:
    path = tmp_path / "a.key"
    write_key(path, KEY, PASSPHRASE)

    with pytest.raises(KeyFileError, match=reason) as refused:
        load_key(path, lambda: given)

    assert not given or given.decode() not in f"{refused.value} {refused.value.__cause__}"


def test_a_key_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(_pem(KEY))
    path.chmod(0o644)
    warned: list[str] = []

    assert len(load_key(path, never_asked).warnings) == 1
    made = signer(str(path), ORIGIN, never_asked, warned.append)

    assert made.key == verifier_key(ORIGIN, KEY.public_key())
    assert "chmod 600" in warned[0]


def test_the_older_format_of_openssl_is_read(tmp_path: Path) -> None:
    key = ec.derive_private_key(5, ec.SECP256R1())
    path = tmp_path / "a.key"
    path.write_bytes(_pem(key, form=serialization.PrivateFormat.TraditionalOpenSSL))
    path.chmod(0o600)

    assert load_key(path, never_asked).private.public_key() == key.public_key()


@pytest.mark.parametrize("place", ["awskms:arn:aws:kms:x", "azurekms:https://v", "pkcs11:token=a"])
def test_keys_elsewhere_are_not_built_yet(place: str) -> None:
    with pytest.raises(KeyFileError, match="not built yet"):
        signer(place, ORIGIN, never_asked)
    with pytest.raises(KeyFileError, match="not built yet"):
        key_at(place, never_asked)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(_pem(KEY), "is a private key"), (b"nothing", "not a public key in PEM")],
    ids=["private", "text"],
)
def test_a_public_key_is_not_anything_else(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.pub"
    path.write_bytes(content)

    with pytest.raises(KeyFileError, match=reason):
        load_public_key(path)
