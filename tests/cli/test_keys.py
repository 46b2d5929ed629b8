"""`kcompliance keys`: keys are made, shown, replaced and revoked, and the log tells it for ever."""

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kcompliance.archive.catalogue import Catalogue, read_catalogue
from kcompliance.archive.key_change import KeyChange, rotate_key
from kcompliance.archive.key_files import fingerprint, load_key, write_key
from kcompliance.archive.trust_files import create_trust, read_trust
from kcompliance.ledger import KeySigner, Trust, checkpoint_name
from kcompliance.stores.filesystem import FilesystemStore
from kcompliance.stores.interface import LockMode
from tests.archive.small_archive import SmallArchive, small_archive
from tests.cli.command import environment
from tests.cli.in_process import run
from tests.ledger.samples import HOUR, JULY, ORIGIN, ed25519_signer

PASSPHRASE = "several words are best"


# --- new ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-p256"])
def test_a_new_key_is_encrypted_and_told_with_its_fingerprint(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.key"

    done = run("keys", "new", "--out", path, "--type", kind, KCOMPLIANCE_KEY_PASSPHRASE=PASSPHRASE)

    key = load_key(path, PASSPHRASE.encode).private
    assert (done.code, done.err) == (0, "")
    assert f"sha256:{fingerprint(key.public_key())}" in done.out
    assert f"{path}.pub" in done.out
    assert PASSPHRASE not in done.out
    assert fingerprint(key.public_key()) in run("keys", "show", f"{path}.pub").out


def test_a_key_without_a_passphrase_has_to_be_asked_for(tmp_path: Path) -> None:
    refused = run("keys", "new", "--out", tmp_path / "a.key")
    short = run("keys", "new", "--out", tmp_path / "a.key", KCOMPLIANCE_KEY_PASSPHRASE="secret")
    made = run("keys", "new", "--out", tmp_path / "a.key", "--no-passphrase")

    assert (refused.code, short.code, made.code) == (2, 2, 0)
    assert "KCOMPLIANCE_KEY_PASSPHRASE" in refused.err
    assert "shorter than 12 bytes" in short.err
    assert "not encrypted" in made.out


def test_what_is_there_and_what_is_unknown_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.key.pub").write_text("mine")

    there = run("keys", "new", "--out", tmp_path / "a.key", "--no-passphrase")
    unknown = run("keys", "new", "--out", tmp_path / "b.key", "--type", "rsa", "--no-passphrase")

    assert (there.code, unknown.code) == (2, 2)
    assert 'a.key.pub" is there already' in there.err
    assert "ed25519 or ecdsa-p256" in unknown.err
    assert [each.name for each in tmp_path.iterdir()] == ["a.key.pub"]


def test_a_terminal_is_asked_twice_and_shows_nothing(tmp_path: Path) -> None:
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kcompliance", "keys", "new", "--out", "a.key"],
        cwd=tmp_path,
        env=environment(),
        stdin=inner,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        shown = b""
        assert process.stderr is not None
        for _ in range(2):
            # The space comes when the echo is off and what was typed before is forgotten.
            while not shown.endswith(b": "):
                piece = os.read(process.stderr.fileno(), 1)
                assert piece, shown
                shown += piece
            os.write(outer, f"{PASSPHRASE}\n".encode())
            shown += b"|"
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
        os.close(inner)
        os.close(outer)

    assert process.returncode == 0, err
    assert b"New passphrase of a.key: |" in shown
    assert PASSPHRASE.encode() not in shown + out + err
    assert load_key(tmp_path / "a.key", PASSPHRASE.encode).warnings == ()


# --- an archive whose keys change --------------------------------------------------------------


class Keys:
    """Key files in a folder, by the seed of the key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, seed: int) -> Path:
        path = self.folder / f"{seed}.key"
        if not path.exists():
            write_key(path, self.signer(seed)._private, None)
        return path

    @staticmethod
    def signer(seed: int) -> KeySigner:
        return ed25519_signer(seed=seed)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def archive(tmp_path: Path) -> SmallArchive:
    return small_archive(tmp_path / "archive")


@pytest.fixture
def trust_file(tmp_path: Path, archive: SmallArchive) -> Path:
    path = tmp_path / "trust.toml"
    create_trust(path, archive.pinned())
    return path


def read(archive: SmallArchive, trust: Trust | None = None) -> Catalogue:
    return read_catalogue(archive.store, trust or archive.pinned())


def rotate(archive: SmallArchive, keys: Keys, old: int, new: int, *more: str | Path) -> str:
    arguments = ("--key", keys.file(old), "--new-key", keys.file(new))
    done = run("keys", "rotate", archive.folder, *arguments, *more)
    assert done.code == 0, done.err
    return done.out


def able(catalogue: Catalogue) -> set[str]:
    size = catalogue.end.frontier.size + 1
    return {str(each.key) for each in catalogue.end.keys.keys if each.may_sign(size)}


@pytest.mark.parametrize("keep_old", [False, True], ids=["replaced", "kept"])
def test_a_rotation_is_signed_by_both_and_believed_by_the_old_trust_file(
    archive: SmallArchive, keys: Keys, keep_old: bool
) -> None:
    old_trust = archive.pinned()

    out = rotate(archive, keys, 1, 2, *(["--keep-old"] if keep_old else []))

    catalogue = read(archive, old_trust)
    new, old = str(keys.signer(2).key), str(archive.signer.key)
    assert catalogue.faults == []
    assert able(catalogue) == ({new, old} if keep_old else {new})
    assert len(catalogue.end.checkpoint.note.signatures) == 2
    assert new in out
    assert (old in out) is keep_old
    assert catalogue.commits[catalogue.end.number].record is not None


def test_the_trust_file_gets_the_keys_and_the_pin(
    archive: SmallArchive, keys: Keys, trust_file: Path
) -> None:
    text = trust_file.read_text()
    trust_file.write_text(f"# from Jo\n{text}")

    rotate(archive, keys, 1, 2, "--write-trust", trust_file)

    trust, catalogue = read_trust(trust_file), read(archive)
    size = catalogue.end.frontier.size
    assert trust.pin is not None
    assert (trust.pin.size, trust.pin.root) == (size, catalogue.end.frontier.root)
    assert [(each.from_size, each.to_size) for each in trust.keys] == [(0, size + 1), (size, None)]
    assert trust_file.read_text().startswith("# from Jo\n")
    assert read(archive, trust).faults == []


def test_a_key_never_comes_back_and_a_stranger_never_signs(
    archive: SmallArchive, keys: Keys
) -> None:
    rotate(archive, keys, 1, 2)
    before = sorted(archive.folder.rglob("*"))

    for old, new, reason in (
        (2, 1, "is, or was, one of this archive's keys"),
        (1, 3, "may not sign"),
        (9, 3, "may not sign"),
    ):
        arguments = ("--key", keys.file(old), "--new-key", keys.file(new))
        done = run("keys", "rotate", archive.folder, *arguments)
        assert done.code == 2
        assert reason in done.err

    assert sorted(archive.folder.rglob("*")) == before


def test_a_revoked_key_signs_nothing_later(
    archive: SmallArchive, keys: Keys, trust_file: Path
) -> None:
    rotate(archive, keys, 1, 2, "--keep-old", "--write-trust", trust_file)
    lost = ("--revoke", f"{keys.file(1)}.pub", "--compromised", "2026-07-01T02:00:00+02:00")
    arguments = ("--key", keys.file(2), *lost, "--reason", "laptop stolen")

    done = run("keys", "revoke", archive.folder, *arguments, "--write-trust", trust_file)

    catalogue = read(archive)
    assert done.code == 0, done.err
    assert able(catalogue) == {str(keys.signer(2).key)}
    (revoked,) = catalogue.revocations
    assert (revoked.vkey, revoked.reason) == (archive.signer.key, "laptop stolen")
    assert f"{revoked.compromised:%Y-%m-%dT%H:%M}" == "2026-07-01T00:00"
    assert read(archive, read_trust(trust_file)).faults == []
    shown = run("keys", "show", archive.folder, "--trust", trust_file)
    assert "compromised since 2026-07-01T00:00:00Z: laptop stolen" in shown.out
    again = run("keys", "revoke", archive.folder, *arguments)
    assert (again.code, "is revoked already" in again.err) == (2, True)
    # What the thief signs from now on counts for nothing, even beside the right chain.
    archive.end = replace(catalogue.end, keys=archive.trust.ring)
    archive.commit()
    assert [each.code for each in read(archive, archive.trust).faults] == ["KEY_OUT_OF_RANGE"]


def test_a_key_is_revoked_by_its_vkey_too_but_never_by_itself(
    archive: SmallArchive, keys: Keys
) -> None:
    rotate(archive, keys, 1, 2, "--keep-old")
    itself, unknown = str(keys.signer(2).key), str(keys.signer(7).key)
    known = ("--key", keys.file(2), "--reason", "a drill")

    for vkey, reason in (
        (itself, "cannot revoke itself"),
        (unknown, "is none of this archive's keys"),
        (f"{ORIGIN}+00000000+AAAA", "is no verifier key"),
        ("nowhere.pub", "there is no key"),
    ):
        done = run("keys", "revoke", archive.folder, *known, "--revoke", vkey)
        assert (done.code, reason in done.err) == (2, True), done.err
    done = run("keys", "revoke", archive.folder, *known, "--revoke", str(archive.signer.key))

    assert done.code == 0
    assert able(read(archive)) == {itself}


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("2026-07-01T00:00:00", "has no time zone"),
        ("yesterday", "is no moment"),
        ("2999-01-01T00:00:00Z", "is in the future"),
    ],
)
def test_a_time_of_compromise_is_a_moment_of_the_past(
    archive: SmallArchive, keys: Keys, time: str, reason: str
) -> None:
    lost = ("--revoke", str(keys.signer(2).key), "--compromised", time, "--reason", "lost")
    rotate(archive, keys, 1, 2, "--keep-old")

    done = run("keys", "revoke", archive.folder, "--key", keys.file(1), *lost)

    assert (done.code, reason in done.err) == (2, True)


def test_the_intent_of_a_change_is_in_the_archive_before_its_commit(
    archive: SmallArchive, keys: Keys
) -> None:
    rotate(archive, keys, 1, 2)

    catalogue = read(archive)
    record = catalogue.commits[catalogue.end.number].record
    assert record is not None
    data = (archive.folder / f"run/{record.run.id}.json").read_bytes()
    assert len(data) == record.run.size
    assert b'"stream":null' in data


# --- what is not sound is not written on -------------------------------------------------------


def test_a_foreign_checkpoint_is_stepped_over(archive: SmallArchive, keys: Keys) -> None:
    number = archive.end.number + 1
    (archive.folder / checkpoint_name(number)).write_bytes(b"mine now")

    rotate(archive, keys, 1, 2)

    catalogue = read(archive)
    assert catalogue.end.number == number + 1
    assert [fault.code for fault in catalogue.faults] == ["CHECKPOINT_MALFORMED"]


def test_a_log_that_was_altered_is_not_written_on(archive: SmallArchive, keys: Keys) -> None:
    (batch,) = (archive.folder / "log").glob("000000000001-*")
    batch.chmod(0o644)
    batch.write_bytes(batch.read_bytes().replace(b'"somebody"', b'"somebodi"'))
    before = sorted(archive.folder.rglob("*"))

    arguments = ("--key", keys.file(1), "--new-key", keys.file(2))
    done = run("keys", "rotate", archive.folder, *arguments)

    assert done.code == 1
    assert "is not sound: ROOT_MISMATCH" in done.err
    assert sorted(archive.folder.rglob("*")) == before


def test_an_archive_that_was_put_back_is_not_written_on(
    archive: SmallArchive, keys: Keys, trust_file: Path
) -> None:
    (archive.folder / checkpoint_name(archive.end.number)).unlink()

    arguments = ("--key", keys.file(1), "--new-key", keys.file(2), "--trust", trust_file)
    done = run("keys", "rotate", archive.folder, *arguments)

    assert done.code == 1
    assert "ROLLBACK_VS_PIN" in done.err


def test_a_place_without_an_archive_is_a_wrong_call(tmp_path: Path, keys: Keys) -> None:
    (tmp_path / "empty").mkdir()
    arguments = ("--key", keys.file(1), "--new-key", keys.file(2))

    for place in ("missing", "empty"):
        done = run("keys", "rotate", tmp_path / place, *arguments)
        assert done.code == 2
        assert "no archive at" in done.err


def test_another_writer_may_be_first(archive: SmallArchive, keys: Keys) -> None:
    """The other one commits after the log was read: here, while the store is opened to write."""
    opened = 0

    def open_store(_: LockMode) -> FilesystemStore:
        nonlocal opened
        opened += 1
        if opened == 2:
            archive.commit()
        return archive.store

    change = KeyChange(
        open_store=open_store,
        trust=archive.pinned(),
        actor="somebody",
        tool="kcompliance/0",
        clock=lambda: JULY + 9 * HOUR,
    )
    old, new = keys.signer(1)._private, keys.signer(2)._private

    end = rotate_key(change, old, new, keep_old=False)

    catalogue = read(archive)
    assert end.number == archive.end.number + 1 == catalogue.end.number
    assert catalogue.faults == []
    assert able(catalogue) == {str(keys.signer(2).key)}


# --- show --------------------------------------------------------------------------------------


def test_a_key_file_shows_its_verifier_key_for_an_archive(keys: Keys) -> None:
    for place in (keys.file(1), f"{keys.file(1)}.pub"):
        done = run("keys", "show", place, "--origin", ORIGIN)
        assert done.code == 0
        assert str(keys.signer(1).key) in done.out

    wrong = run("keys", "show", keys.file(1), "--origin", "example.com/log")
    assert wrong.code == 2


def test_an_archive_shows_whose_word_its_keys_are(
    archive: SmallArchive, keys: Keys, trust_file: Path
) -> None:
    rotate(archive, keys, 1, 2)

    done = run("keys", "show", archive.folder)
    trusted = run("keys", "show", archive.folder, "--trust", trust_file)

    assert (done.code, trusted.code) == (0, 0)
    assert "what the archive says of itself" in done.err
    assert trusted.err == ""
    assert done.out == trusted.out
    assert "replaced" in done.out
    assert done.out.count("vkey ") == 2
