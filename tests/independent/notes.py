"""Signed notes, verifier keys and checkpoints."""

import base64
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.independent.words import MOST, Bad

__all__ = ["Checkpoint", "Line", "Vkey", "read_checkpoint", "read_note"]


def _base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Bad(f"no base64: {text!r}") from error
    if base64.b64encode(data).decode() != text:
        raise Bad(f"not the only base64 of it: {text!r}")
    return data


def _name(text: str) -> str:
    if not text or "+" in text or any(each.isspace() or each < " " for each in text):
        raise Bad(f"no name of a key: {text!r}")
    return text


@dataclass(frozen=True)
class Vkey:
    """`<name>+<id>+<base64 of type and public key>`."""

    text: str

    def __post_init__(self) -> None:
        if self.id.hex() != self.text.split("+")[1]:
            raise Bad(f"the id of a key is not its own: {self.text}")
        try:
            self._public()
        except ValueError as error:
            raise Bad(f"no public key: {self.text}") from error

    @property
    def name(self) -> str:
        return _name(self._parts[0])

    @property
    def id(self) -> bytes:
        data = _base64(self._parts[2])
        named = b"" if data[:1] == b"\2" else self.name.encode() + b"\n" + data[:1]
        return hashlib.sha256(named + data[1:]).digest()[:4]

    def verifies(self, text: bytes, signature: bytes) -> bool:
        public = self._public()
        try:
            if isinstance(public, ed25519.Ed25519PublicKey):
                public.verify(signature, text)
            else:
                public.verify(signature, text, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    @property
    def _parts(self) -> list[str]:
        parts = self.text.split("+", 2)
        if len(parts) != 3:
            raise Bad(f"no verifier key: {self.text!r}")
        return parts

    def _public(self) -> ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey:
        data = _base64(self._parts[2])
        if data[:1] == b"\1":
            return ed25519.Ed25519PublicKey.from_public_bytes(data[1:])
        if data[:1] != b"\2":
            raise Bad(f"a key of an unknown type: {self.text}")
        public = serialization.load_der_public_key(data[1:])
        if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
            raise Bad(f"no key on P-256: {self.text}")
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        if public.public_bytes(serialization.Encoding.DER, form) != data[1:]:
            raise Bad(f"not the one form of a key: {self.text}")
        return public


@dataclass(frozen=True)
class Line:
    """A signature line."""

    name: str
    id: bytes
    signature: bytes


def read_note(data: bytes) -> tuple[bytes, list[Line]]:
    """The text of a note, which is what is signed, and its signature lines."""
    if len(data) > 131072 or re.search(rb"[\x00-\x09\x0b-\x1f]", data):
        raise Bad("too long for a note, or a control character in it")
    try:
        data.decode()
    except UnicodeError as error:
        raise Bad("a note that is not UTF-8") from error
    text, blank, lines = data.rpartition(b"\n\n")
    if not blank or not lines.endswith(b"\n"):
        raise Bad("a note without signatures")
    rows = lines.decode().split("\n")[:-1]
    if len(rows) > 16:
        raise Bad("more than 16 signatures")
    return text + b"\n", [_line(row) for row in rows]


def _line(row: str) -> Line:
    parts = row.split(" ")
    if len(parts) != 3 or parts[0] != "\N{EM DASH}":
        raise Bad(f"no signature line: {row!r}")
    data = _base64(parts[2])
    if len(data) < 5:
        raise Bad("a signature of no bytes")
    return Line(_name(parts[1]), data[:4], data[4:])


@dataclass(frozen=True)
class Checkpoint:
    """The signed size and root of a tree."""

    origin: str
    size: int
    root: bytes
    text: bytes
    lines: list[Line]
    sha256: str


def read_checkpoint(data: bytes) -> Checkpoint:
    """Nothing is verified yet."""
    text, lines = read_note(data)
    rows = text.decode().split("\n")
    if len(rows) != 4 or not rows[0] or not re.fullmatch("0|[1-9][0-9]{0,15}", rows[1]):
        raise Bad("no checkpoint")
    root = _base64(rows[2])
    if len(root) != 32 or int(rows[1]) > MOST:
        raise Bad("no checkpoint")
    if len({(line.name, line.id) for line in lines}) != len(lines):
        raise Bad("two signatures by one key")
    digest = hashlib.sha256(data).hexdigest()
    return Checkpoint(rows[0], int(rows[1]), root, text, lines, digest)
