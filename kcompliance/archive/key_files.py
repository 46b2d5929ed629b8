"""Keys in files: KEY (PKCS#8 in PEM, for its owner alone) and KEY.pub (SubjectPublicKeyInfo).

Any PEM that OpenSSL writes for an Ed25519 or a P-256 key is read. Keys that never leave a key
management service or a token will be named by a URL in the same place.
"""

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from kcompliance.errors import ExitCode, KcomplianceError, OutputError
from kcompliance.ledger import KeySigner, SignatureType, Signer, VerifierKey
from kcompliance.ledger.note import PrivateKey, PublicKey
from kcompliance.model.digest import Sha256, sha256

__all__ = [
    "MIN_PASSPHRASE_BYTES",
    "KeyFileError",
    "KeyKind",
    "LoadedKey",
    "Passphrase",
    "fingerprint",
    "key_at",
    "kind_of",
    "load_key",
    "load_public_key",
    "new_key",
    "public_key_of",
    "public_path",
    "signer",
    "write_key",
]

MIN_PASSPHRASE_BYTES: Final = 12
"""Of a new key: OpenSSL derives the key of a PKCS#8 file in few rounds (PBKDF2, 2048)."""

_MAX_BYTES: Final = 64 * 1024
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_MAKE_ONE: Final = "make one with: kcompliance keys new --out KEY"

Passphrase = Callable[[], bytes]
"""Asked only for a key that is encrypted; raises where nobody can be asked."""


class KeyKind(StrEnum):
    """The kinds of keys that sign checkpoints."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"


class KeyFileError(KcomplianceError):
    """A key's file is not there, is something else, or cannot be opened."""

    exit_code = ExitCode.USAGE

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "key-file"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedKey:
    """A private key, and what its owner should know about its file."""

    private: PrivateKey
    warnings: tuple[str, ...] = ()


# --- making -----------------------------------------------------------------------------------


def new_key(kind: KeyKind) -> PrivateKey:
    """A fresh key of this kind."""
    if kind is KeyKind.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def kind_of(key: PrivateKey | PublicKey) -> KeyKind:
    """The kind of a key that was made or loaded here."""
    is_ed25519 = isinstance(key, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey)
    return KeyKind.ED25519 if is_ed25519 else KeyKind.ECDSA_P256


def fingerprint(public: PublicKey) -> Sha256:
    """SHA-256 of the public key as DER: `openssl pkey -pubin -in KEY.pub -outform DER | sha256sum`.

    It does not depend on the archive that the key signs for, as the id in a verifier key does.
    """
    return sha256(
        public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def public_key_of(key: VerifierKey) -> PublicKey:
    """The public key that a verifier key holds, which has been read from it once already."""
    if key.type is SignatureType.ED25519:
        return ed25519.Ed25519PublicKey.from_public_bytes(key.public)
    public = serialization.load_der_public_key(key.public)
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise TypeError(key.type)  # `parse_vkey` and `verifier_key` make no such key
    return public


def public_path(path: Path) -> Path:
    """Where the public half of a key file lies: KEY.pub."""
    return path.with_name(f"{path.name}.pub")


def write_key(path: Path, key: PrivateKey, passphrase: bytes | None) -> Path:
    """Create KEY and KEY.pub, whole and never over anything; the path of the public one.

    The public one gets its name first, so that no private key is ever without it. Raises
    `KeyFileError` where either is there already, and `OutputError` where the disk refuses.
    """
    public = public_path(path)
    for each in (path, public):
        if os.path.lexists(each):
            raise _taken(each)
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase)
    private_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    public_pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    try:
        with (
            _partial(public, public_pem, 0o644) as public_partial,
            _partial(path, private_pem, 0o600) as private_partial,
        ):
            with _named(public_partial, public):
                _name(private_partial, path)
            _bring_to_disk(path.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    return public


@contextmanager
def _partial(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """The content on the disk, beside its place, under a name that does not outlive this."""
    partial = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(partial, _NEW, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield partial
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


@contextmanager
def _named(partial: Path, path: Path) -> Iterator[None]:
    """The file has its name, which it keeps only where nothing fails while it is new."""
    _name(partial, path)
    fine = False
    try:
        yield
        fine = True
    finally:
        if not fine:
            path.unlink()


def _name(partial: Path, path: Path) -> None:
    """Give the file its name, which nothing has."""
    try:
        # link(2) creates a name or fails, where rename(2) would put the file over another.
        os.link(partial, path, follow_symlinks=False)
    except FileExistsError as error:
        raise _taken(path) from error


def _bring_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _taken(path: Path) -> KeyFileError:
    return KeyFileError(
        f'"{path}" is there already', "a key is never overwritten: choose another name with --out"
    )


def _not_written(path: Path, error: OSError) -> OutputError:
    hint = None
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        hint = f'there is no folder "{path.parent}"'
    elif error.errno in _NO_LINKS:
        hint = "the file system has no hard links: write the key elsewhere and move it"
    return OutputError(f'cannot write "{path}": {error.strerror}', hint)


# --- reading ----------------------------------------------------------------------------------


def load_key(path: Path, passphrase: Passphrase) -> LoadedKey:
    """Read a private key; raises `KeyFileError`, and what `passphrase` raises."""
    data, mode = _read(path)
    _refuse_other_pem(path, data)
    password = None
    if _ENCRYPTED.search(data):
        password = passphrase()
        if not password:
            raise KeyFileError(
                f'"{path}" is encrypted, and the passphrase is empty',
                "give it at the prompt or in KCOMPLIANCE_KEY_PASSPHRASE",
            )
    key = _decoded(path, data, password)
    if not isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
        raise _wrong_kind(path, type(key).__name__.removesuffix("PrivateKey"))
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name != ec.SECP256R1.name:
        raise _wrong_kind(path, f"an elliptic-curve key on {key.curve.name}")
    return LoadedKey(private=key, warnings=_warnings(path, mode))


def load_public_key(path: Path) -> PublicKey:
    """Read KEY.pub, or any file with one public key in PEM; raises `KeyFileError`."""
    data, _ = _read(path)
    if b"PRIVATE KEY-----" in data:
        raise KeyFileError(f'"{path}" is a private key', f'name its public half: "{path}.pub"')
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f'"{path}" is not a public key in PEM', "it begins with -----BEGIN PUBLIC KEY-----"
        ) from error
    if not isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey):
        raise _wrong_kind(path, type(key).__name__.removesuffix("PublicKey"))
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name != ec.SECP256R1.name:
        raise _wrong_kind(path, f"an elliptic-curve key on {key.curve.name}")
    return key


def key_at(place: str, passphrase: Passphrase) -> LoadedKey:
    """The private key at a path, or later behind a URL; raises as `load_key`."""
    if (service := _SERVICE.match(place)) is not None:
        raise KeyFileError(
            f'keys in {_SERVICES[service[1]]} are not built yet: "{place}"',
            "give the path of a key file; " + _MAKE_ONE,
        )
    return load_key(Path(place), passphrase)


def signer(
    place: str, name: str, ask: Passphrase, warn: Callable[[str], None] = lambda _: None
) -> Signer:
    """What signs under this name with the key at a path, or later behind a URL.

    `warn` is told what the key's owner should know. Raises as `load_key`.
    """
    loaded = key_at(place, ask)
    for warning in loaded.warnings:
        warn(warning)
    return KeySigner(name, loaded.private)


_SERVICES: Final = {
    "awskms": "AWS KMS",
    "azurekms": "Azure Key Vault",
    "pkcs11": "PKCS#11 tokens",
}
_SERVICE: Final = re.compile(f"({'|'.join(_SERVICES)}):")

# PKCS#8 says so in its label, OpenSSL's older format in a header.
_ENCRYPTED: Final = re.compile(
    rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE
)
_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")


def _read(path: Path) -> tuple[bytes, int]:
    """The file's content, and the rights on it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise KeyFileError(f'there is no key "{path}"', _MAKE_ONE) from error
    except IsADirectoryError as error:
        raise KeyFileError(f'"{path}" is a folder', "name the key's file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise KeyFileError(
            f'cannot read the key "{path}": {reason}', "run as the user who owns it"
        ) from error
    if len(data) > _MAX_BYTES:
        raise KeyFileError(f'"{path}" is too large for a key', "name the key's file")
    return data, mode


def _refuse_other_pem(path: Path, data: bytes) -> None:
    labels = {label.decode() for label in _LABEL.findall(data)}
    if any(label.endswith("PRIVATE KEY") and "OPENSSH" not in label for label in labels):
        return
    if "PUBLIC KEY" in labels:
        hint = f'name its private half, "{path.with_suffix("")}"' if path.suffix == ".pub" else None
        raise KeyFileError(
            f'"{path}" is a public key, which cannot sign', hint or "name its private half"
        )
    if "OPENSSH PRIVATE KEY" in labels:
        raise KeyFileError(f'"{path}" is a key of OpenSSH, not PKCS#8 in PEM', _MAKE_ONE)
    if labels:
        raise KeyFileError(f'"{path}" is no private key but: {", ".join(sorted(labels))}')
    raise KeyFileError(f'"{path}" is not a key in PEM', _MAKE_ONE)


def _decoded(path: Path, data: bytes, password: bytes | None) -> object:
    try:
        return serialization.load_pem_private_key(data, password)
    except UnsupportedAlgorithm as error:
        raise KeyFileError(f'"{path}" is of a kind that is not supported: {error}') from error
    except (ValueError, TypeError) as error:
        # What was tried may stand in the cause, but never the passphrase.
        if password is not None:
            raise KeyFileError(
                f'the passphrase does not open "{path}"',
                "check it for the spaces and line feeds that shells add; else the file is damaged",
            ) from error
        raise KeyFileError(
            f'"{path}" is damaged: it is PEM, but no private key can be read from it',
            "restore it from its backup",
        ) from error


def _wrong_kind(path: Path, kind: str) -> KeyFileError:
    return KeyFileError(
        f'"{path}" is of the wrong kind: {kind}',
        "checkpoints are signed with Ed25519 or with ECDSA on P-256",
    )


def _warnings(path: Path, mode: int) -> tuple[str, ...]:
    if stat.S_ISREG(mode) and mode & 0o077:
        return (
            f'"{path}" can be read by others than its owner (mode {stat.S_IMODE(mode):04o}): '
            f"chmod 600 {path}",
        )
    return ()
