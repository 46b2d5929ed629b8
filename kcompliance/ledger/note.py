"""Signed notes and verifier keys (https://c2sp.org/signed-note), read strictly.

A note is a text and below it signature lines. Two kinds of signature are known: 0x01, Ed25519
(RFC 8032) over the text; 0x02, ECDSA on P-256 over the text's SHA-256, in DER. What signs lies
elsewhere (a key file, a key management service): it is given as a `Signer`.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

from kcompliance.ledger.findings import Refused

__all__ = [
    "MAX_NOTE_BYTES",
    "MAX_SIGNATURES",
    "KeySigner",
    "Note",
    "NoteSignature",
    "PrivateKey",
    "PublicKey",
    "SignatureType",
    "Signer",
    "VerifierKey",
    "format_note",
    "parse_note",
    "parse_vkey",
    "sign_note",
    "verifier_key",
]

MAX_NOTE_BYTES = 128 * 1024
MAX_SIGNATURES = 16
"""As many as the specification asks every reader to take."""

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


class SignatureType(IntEnum):
    """The byte that tells in a verifier key what it verifies."""

    ED25519 = 0x01
    ECDSA = 0x02
    """On P-256 with SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key and the name that it signs under. Made by `parse_vkey` and `verifier_key`."""

    name: str
    type: SignatureType
    public: bytes
    """Ed25519: the 32 bytes of RFC 8032; ECDSA: SubjectPublicKeyInfo in DER."""

    @property
    def id(self) -> bytes:
        """Four bytes that name the key in a signature line; they are no proof of anything.

        For ECDSA the name is no part of it: so it says signed-note, and so do the logs that use
        this type.
        """
        if self.type is SignatureType.ECDSA:
            return sha256(self.public).digest()[:4]
        return sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    def __str__(self) -> str:
        encoded = base64.b64encode(bytes([self.type]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Whether this key made this signature over this text."""
        key = _load_public(self.type, self.public)
        if key is None:
            return False
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, text)
            else:
                key.verify(signature, text, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line: who says to have signed, and the signature itself."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note as it was read; nothing in it was verified."""

    text: bytes
    """With its last line feed: what is signed."""
    signatures: tuple[NoteSignature, ...]


class Signer(Protocol):
    """Signs with a private key, wherever that is kept."""

    @property
    def key(self) -> VerifierKey:
        """The key that verifies what this one signs."""

    def sign(self, text: bytes) -> bytes:
        """Ed25519: 64 bytes over the text; ECDSA: DER over the text's SHA-256."""


class KeySigner:
    """Signs with a private key that is at hand."""

    def __init__(self, name: str, private: PrivateKey) -> None:
        self._private = private
        self._key = verifier_key(name, private.public_key())

    @property
    def key(self) -> VerifierKey:
        """The key that verifies what this one signs."""
        return self._key

    def sign(self, text: bytes) -> bytes:
        """Sign these bytes."""
        if isinstance(self._private, ed25519.Ed25519PrivateKey):
            return self._private.sign(text)
        return self._private.sign(text, ec.ECDSA(SHA256()))


def verifier_key(name: str, public: PublicKey) -> VerifierKey:
    """The verifier key of a public key; ValueError for a name or a curve that notes do not have."""
    if (reason := _bad_name(name)) is not None:
        raise ValueError(f"{name!r} cannot name a key: {reason}")
    if isinstance(public, ed25519.Ed25519PublicKey):
        return VerifierKey(name=name, type=SignatureType.ED25519, public=public.public_bytes_raw())
    if public.curve.name != ec.SECP256R1.name:
        raise ValueError(f"the curve is {public.curve.name}, not P-256")
    return VerifierKey(name=name, type=SignatureType.ECDSA, public=_spki(public))


def parse_vkey(text: str) -> VerifierKey | Refused:
    """Read `<name>+<id in hex>+<base64 of type and public key>`; the id has to be the key's."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        return Refused("a verifier key has three parts, joined by +")
    name, key_id, encoded = parts
    if (reason := _bad_name(name)) is not None:
        return Refused(reason)
    data = _canonical_base64(encoded)
    if data is None:
        return Refused("the key is not canonical base64")
    if data[:1] not in (b"\x01", b"\x02"):
        return Refused("neither an Ed25519 key (01) nor an ECDSA key (02)")
    type_, public = SignatureType(data[0]), data[1:]
    if _load_public(type_, public) is None:
        return Refused(f"not a public key for {type_.name}")
    key = VerifierKey(name=name, type=type_, public=public)
    if key.id.hex() != key_id:
        return Refused(f"the id of this key is {key.id.hex()}")
    return key


def parse_note(data: bytes) -> Note | Refused:
    """Take a note apart; nothing is verified."""
    if len(data) > MAX_NOTE_BYTES:
        return Refused(f"longer than {MAX_NOTE_BYTES} bytes")
    if _CONTROL.search(data):
        return Refused("a control character other than line feed")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return Refused("not UTF-8")
    text, blank, lines = data.rpartition(b"\n\n")
    if not blank:
        return Refused("no blank line before signatures")
    if not lines.endswith(b"\n"):
        return Refused("no signature lines that end in a line feed")
    encoded = lines.removesuffix(b"\n").decode().split("\n")
    if len(encoded) > MAX_SIGNATURES:
        return Refused(f"{len(encoded)} signatures where {MAX_SIGNATURES} are allowed")
    signatures: list[NoteSignature] = []
    for line in encoded:
        match _parse_signature(line):
            case Refused() as refused:
                return refused
            case signature:
                signatures.append(signature)
    return Note(text=text + b"\n", signatures=tuple(signatures))


def format_note(text: bytes, signatures: Iterable[NoteSignature]) -> bytes:
    """The bytes of a note; ValueError for what `parse_note` would not read back."""
    lines = [
        f"— {each.name} {base64.b64encode(each.key_id + each.signature).decode()}\n"
        for each in signatures
    ]
    data = text + b"\n" + "".join(lines).encode()
    match parse_note(data):
        case Refused(reason):
            raise ValueError(f"this cannot be a note: {reason}")
        case note if note.text != text:
            raise ValueError("this cannot be a note: its text ends elsewhere")
    return data


def sign_note(text: bytes, signers: Sequence[Signer]) -> bytes:
    """A note signed by each of these, in order.

    Every signature is verified before it is used: ValueError if a signer answers with another.
    """
    signatures = []
    for signer in signers:
        signature = signer.sign(text)
        if not signer.key.verifies(text, signature):
            raise ValueError(f"{signer.key.name}: the signer answered with a wrong signature")
        signatures.append(
            NoteSignature(name=signer.key.name, key_id=signer.key.id, signature=signature)
        )
    return format_note(text, signatures)


_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_SIGNATURE_LINE = re.compile("— ([^ ]+) ([^ ]+)")
_KEY_ID_BYTES = 4
_ED25519_BYTES = 32


def _parse_signature(line: str) -> NoteSignature | Refused:
    found = _SIGNATURE_LINE.fullmatch(line)
    if found is None:
        return Refused(f"not a signature line: {line[:80]!r}")
    if (reason := _bad_name(found[1])) is not None:
        return Refused(reason)
    data = _canonical_base64(found[2])
    if data is None:
        return Refused("a signature is not canonical base64")
    if len(data) <= _KEY_ID_BYTES:
        return Refused("a signature of no bytes")
    return NoteSignature(name=found[1], key_id=data[:_KEY_ID_BYTES], signature=data[_KEY_ID_BYTES:])


def _bad_name(name: str) -> str | None:
    if not name or "+" in name or any(character.isspace() for character in name):
        return "a key's name is empty or holds a space or a +"
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in name):
        return "a key's name holds a control character or half a character"
    return None


def _canonical_base64(text: str) -> bytes | None:
    """RFC 4648 section 4 with padding, and nothing else that decodes to the same."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


def _load_public(type_: SignatureType, public: bytes) -> PublicKey | None:
    if type_ is SignatureType.ED25519:
        if len(public) != _ED25519_BYTES:
            return None
        return ed25519.Ed25519PublicKey.from_public_bytes(public)
    try:
        key = serialization.load_der_public_key(public)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return None
    return key if _spki(key) == public else None


def _spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
