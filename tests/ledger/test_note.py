"""Signed notes: the published examples of C2SP, Go and Rekor, and attack 38."""

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from kcompliance.ledger import (
    KeySigner,
    Note,
    NoteSignature,
    Refused,
    SignatureType,
    VerifierKey,
    format_note,
    parse_note,
    parse_vkey,
    sign_note,
    verifier_key,
)
from kcompliance.ledger.note import MAX_NOTE_BYTES, MAX_SIGNATURES
from tests.ledger.samples import ecdsa_signer, ed25519_signer

# golang.org/x/mod/sumdb/note, the package's own example.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SECRET = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = (
    b"If you think cryptography is the answer to your problem,\n"
    b"then you don't know what your problem is.\n"
)
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotp"
    "RZb6KE6RyyBwJnAM=\n"
).encode()
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox"
    "33WWd1RvMc+QQ=\n"
).encode()
GOOD = TEXT + b"\n" + PETER_LINE

# The key of Rekor, and a checkpoint that it signed: ECDSA on P-256 with SHA-256.
REKOR = (
    "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwB"
    "cK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc="
)
REKOR_NOTE = (
    "Rekor\n798034\nf+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=\n\n"
    "— rekor.sigstore.dev wNI9ajBEAiARInWIWyCdyG27CO6LPnPekyw20qO0YJfoaPaowGp/XgIgc+qEHS3+GKVClg"
    "qq20uDLet7MCoTURUCRdxwWBHHufk=\n"
).encode()


def key(text: str) -> VerifierKey:
    parsed = parse_vkey(text)
    assert isinstance(parsed, VerifierKey)
    return parsed


def note(data: bytes) -> Note:
    parsed = parse_note(data)
    assert isinstance(parsed, Note)
    return parsed


@pytest.mark.parametrize("vkey", [PETER, ENOCH, REKOR])
def test_published_keys_are_read_and_written_back(vkey: str) -> None:
    assert str(key(vkey)) == vkey


def test_the_published_note_of_go_verifies() -> None:
    read = note(TEXT + b"\n" + PETER_LINE + ENOCH_LINE)
    assert read.text == TEXT
    assert [line.name for line in read.signatures] == ["PeterNeumann", "EnochRoot"]
    for line, vkey in zip(read.signatures, (PETER, ENOCH), strict=True):
        assert line.key_id == key(vkey).id
        assert key(vkey).verifies(TEXT, line.signature)
        assert not key(vkey).verifies(TEXT + b"\n", line.signature)


def test_the_published_note_of_rekor_verifies() -> None:
    read = note(REKOR_NOTE)
    (line,) = read.signatures
    assert (line.name, line.key_id) == ("rekor.sigstore.dev", key(REKOR).id)
    assert key(REKOR).verifies(read.text, line.signature)
    assert not key(REKOR).verifies(read.text.replace(b"4", b"5"), line.signature)


def test_a_signature_is_that_which_go_makes() -> None:
    seed = base64.b64decode(PETER_SECRET)[1:]
    signer = KeySigner("PeterNeumann", ed25519.Ed25519PrivateKey.from_private_bytes(seed))
    assert str(signer.key) == PETER
    assert sign_note(TEXT, [signer]) == GOOD


@pytest.mark.parametrize("signer", [ed25519_signer("a.example/log"), ecdsa_signer("a.example/log")])
def test_what_is_signed_verifies(signer: KeySigner) -> None:
    read = note(sign_note(TEXT, [signer]))
    (line,) = read.signatures
    vkey = key(str(signer.key))
    assert (line.name, line.key_id) == (vkey.name, vkey.id)
    assert vkey.verifies(read.text, line.signature)
    assert not vkey.verifies(read.text, line.signature[:-1])
    assert not vkey.verifies(read.text, line.signature + b"\0")
    assert not vkey.verifies(read.text, b"")


def test_key_ids_are_those_of_the_specification() -> None:
    signer = ed25519_signer("a.example/log").key
    assert signer.id == sha256(b"a.example/log\n\x01" + signer.public).digest()[:4]
    other = ecdsa_signer("a.example/log").key
    assert other.id == sha256(other.public).digest()[:4]


def test_a_signer_that_answers_nonsense_is_found_before_anything_is_written() -> None:
    class Broken(KeySigner):
        def sign(self, text: bytes) -> bytes:
            return super().sign(text + b"!")

    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(ValueError, match="wrong signature"):
        sign_note(TEXT, [Broken("a", private)])


def test_no_part_and_no_changed_character_of_a_key_is_a_key() -> None:
    for start in range(len(PETER)):
        for end in range(start, len(PETER) + 1):
            assert (start, end) == (0, len(PETER)) or isinstance(
                parse_vkey(PETER[start:end]), Refused
            )
    for place, character in enumerate(PETER):
        changed = PETER[:place] + chr(ord(character) + 1) + PETER[place + 1 :]
        assert isinstance(parse_vkey(changed), Refused)


def test_the_id_of_an_ecdsa_key_binds_all_but_its_name() -> None:
    name = len(REKOR.split("+", maxsplit=1)[0])
    for place, character in enumerate(REKOR):
        changed = REKOR[:place] + chr(ord(character) + 1) + REKOR[place + 1 :]
        assert isinstance(parse_vkey(changed), VerifierKey) == (place < name)


def vkey_of(type_: int, public: bytes, name: str = "a.example") -> str:
    """A key whose id is right, whatever it is."""
    id_ = sha256(public if type_ == 2 else name.encode() + b"\n" + bytes([type_]) + public)
    return f"{name}+{id_.hexdigest()[:8]}+{base64.b64encode(bytes([type_]) + public).decode()}"


def spki(public: object) -> bytes:
    data = public.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert isinstance(data, bytes)
    return data


P256 = ec.derive_private_key(7, ec.SECP256R1()).public_key()
COMPRESSED = P256.public_bytes(
    serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
)
NO_KEYS = {
    "an unknown type": vkey_of(0x65, bytes(32)),
    "a cosignature's type": vkey_of(0x04, bytes(32)),
    "Ed25519 of 31 bytes": vkey_of(1, bytes(31)),
    "Ed25519 of 33 bytes": vkey_of(1, bytes(33)),
    "Ed25519 of no bytes": vkey_of(1, b""),
    "no bytes at all": "a.example+e3b0c442+",
    "ECDSA of no bytes": vkey_of(2, b""),
    "ECDSA of nonsense": vkey_of(2, b"\x30\x59" + bytes(89)),
    "ECDSA with bytes after": vkey_of(2, spki(P256) + b"\0"),
    "ECDSA as a bare compressed point": vkey_of(2, COMPRESSED),
    "ECDSA on P-384": vkey_of(2, spki(ec.derive_private_key(7, ec.SECP384R1()).public_key())),
    "Ed25519 as SPKI": vkey_of(2, spki(ed25519_signer()._private.public_key())),
    "Ed448": vkey_of(2, spki(ed448.Ed448PrivateKey.from_private_bytes(bytes(57)).public_key())),
    "RSA": vkey_of(2, spki(rsa.RSAPublicNumbers(65537, 2**2047 + 1).public_key())),
    "the id in upper case": vkey_of(1, bytes(32)).replace("+", "+A", 1),
    "another id": PETER.replace("c74f20a3", "c74f20a4"),
    "an id with a sign": PETER.replace("c74f20a3", "+c74f20a3"),
    "the id in upper case letters": PETER.replace("c74f20a3", "C74F20A3"),
    "two parts": "a.example+e3b0c442",
    "a name with a space": vkey_of(1, bytes(32), "a b"),
    "a name with a no-break space": vkey_of(1, bytes(32), "a\u00a0b"),
    "a name with a line feed": vkey_of(1, bytes(32), "a\nb"),
    "a name with NUL": vkey_of(1, bytes(32), "a\0b"),
    "no name": vkey_of(1, bytes(32), ""),
    "base64 without padding": vkey_of(2, spki(P256)).rstrip("="),
    "base64 of an URL": vkey_of(1, b"\xff" * 32).replace("/", "_"),
    "base64 with a space": PETER + " ",
    "base64 with a line feed": PETER + "\n",
    "base64 with spare bits": REKOR.removesuffix("c=") + "d=",
    "letters beyond ASCII": PETER.replace("ARpc", "ÀRpc"),
}


@pytest.mark.parametrize("case", NO_KEYS)
def test_what_is_no_key_is_refused(case: str) -> None:
    assert isinstance(parse_vkey(NO_KEYS[case]), Refused)


def test_what_cannot_name_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot name"):
        verifier_key("a b", P256)
    with pytest.raises(ValueError, match="P-256"):
        KeySigner("a", ec.derive_private_key(7, ec.SECP384R1()))


def test_a_key_made_by_hand_of_nonsense_verifies_nothing() -> None:
    nonsense = VerifierKey(name="a", type=SignatureType.ECDSA, public=b"nonsense")
    assert not nonsense.verifies(b"a\n", b"signature")


# --- attack 38: tricks with notes ----------------------------------------------------------------

TOO_MANY = b"".join(
    f"— n{number} {base64.b64encode(bytes(5)).decode()}\n".encode() for number in range(10_000)
)
NOTE_TRICKS = {
    "nothing": b"",
    "a text alone": TEXT,
    "a text and a blank line": TEXT + b"\n",
    "no final line feed": GOOD[:-1],
    "CRLF": GOOD.replace(b"\n", b"\r\n"),
    "one CR": GOOD.replace(b"problem is.\n", b"problem is.\r\n"),
    "CR after the signature": GOOD[:-1] + b"\r\n",
    "a blank line after the signature": GOOD + b"\n",
    "two blank lines after the signature": GOOD + b"\n\n",
    "a blank line of a space": TEXT + b" \n" + PETER_LINE,
    "a signature alone": PETER_LINE,
    "no blank line": TEXT + PETER_LINE,
    "a tab": b"\t" + GOOD,
    "NUL": b"\0" + GOOD,
    "a control character": b"\x01" + GOOD,
    "no UTF-8": b"\xff" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "a line that is no signature": GOOD + b"Unexpected line.\n",
    "a hyphen for the dash": GOOD.replace("—".encode(), b"-"),
    "two spaces": GOOD.replace(b"Neumann ", b"Neumann  "),
    "a space after": GOOD[:-1] + b" \n",
    "a name with a space": GOOD.replace(b"PeterNeumann", b"Peter Neumann"),
    "a name with a plus": GOOD.replace(b"PeterNeumann", b"Peter+Neumann"),
    "a name with a no-break space": GOOD.replace(b"PeterN", "Peter\u00a0N".encode()),
    "no name": GOOD.replace(b"PeterNeumann", b""),
    "base64 without padding": GOOD.replace(b"=\n", b"\n"),
    "base64 with spare bits": GOOD.replace(b"AM=\n", b"AN=\n"),
    "base64 of an URL": GOOD.replace(b"go/Z", b"go_Z"),
    "base64 with a character too many": GOOD.replace(b"=\n", b"=A\n"),
    "base64 beyond ASCII": GOOD.replace(b"x08go", "\u044508go".encode()),
    "a signature of no bytes": TEXT + b"\n" + "— PeterNeumann x08gow==\n".encode(),
    "a signature of three bytes": TEXT + b"\n" + "— PeterNeumann x08g\n".encode(),
    "one signature too many": TEXT + b"\n" + PETER_LINE * (MAX_SIGNATURES + 1),
    "10 000 signatures": TEXT + b"\n" + TOO_MANY,
    "very long": b"x" * MAX_NOTE_BYTES + GOOD,
}


@pytest.mark.parametrize("trick", NOTE_TRICKS)
def test_attack_38_note_tricks(trick: str) -> None:
    assert isinstance(parse_note(GOOD), Note)
    assert NOTE_TRICKS[trick] != GOOD
    assert isinstance(parse_note(NOTE_TRICKS[trick]), Refused)


def test_as_many_signatures_as_every_reader_must_take() -> None:
    assert len(note(TEXT + b"\n" + PETER_LINE * MAX_SIGNATURES).signatures) == MAX_SIGNATURES


def test_a_text_may_hold_blank_lines_and_ends_at_the_last() -> None:
    assert note(b"a\n\nb\n\n" + PETER_LINE).text == b"a\n\nb\n"
    assert note(b"a\n\n\n" + PETER_LINE).text == b"a\n\n"


@pytest.mark.parametrize("text", [b"no line feed", b"\r\n", b"\xff\n", b"a\t\n", b""])
def test_what_cannot_be_a_note_is_never_written(text: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be a note"):
        sign_note(text, [ed25519_signer("a")])


def test_a_note_without_signatures_is_never_written() -> None:
    with pytest.raises(ValueError, match="cannot be a note"):
        format_note(TEXT, [])
    with pytest.raises(ValueError, match="cannot be a note"):
        format_note(TEXT, [NoteSignature(name="a b", key_id=bytes(4), signature=b"x")])
