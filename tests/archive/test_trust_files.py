"""Trust files: read with a reason for every refusal, changed without losing what people wrote."""

from dataclasses import replace
from pathlib import Path

import pytest

from kcompliance.archive.trust_files import (
    TrustFileError,
    create_trust,
    move_pin,
    new_trust,
    read_trust,
    update_keys,
)
from kcompliance.errors import ExitCode, OutputError
from kcompliance.ledger import Pin, Trust, TrustedKey, format_trust
from tests.ledger.samples import NEXT_SIGNER, ORIGIN, SIGNER, ed25519_signer

OLD = Pin(size=3, root=b"\x03" * 32)
ROOT = b"\x09" * 32
PEOPLES = f"""\
# From Jo, by telephone.
origin = "{ORIGIN}"

[[key]]   # the first
vkey = "{SIGNER.key}"

[pin] # as of July
  size = 3  # records
  root = '{OLD.root.hex()}'

[require]
max_age = "26h" # not size = 5

[[stream]]
name = "prod/audit"
cadence = "2h"

[[tsa]]
url = "https://tsa.example"
size = 12
"""


@pytest.fixture
def trust() -> Trust:
    return new_trust(ORIGIN, [SIGNER.key], OLD)


def test_a_new_file_says_what_was_meant_and_is_no_secret(tmp_path: Path, trust: Trust) -> None:
    path = tmp_path / "trust.toml"

    create_trust(path, trust)

    assert read_trust(path) == trust
    assert path.read_text().startswith("# What a verifier knows")
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["trust.toml"]


def test_a_new_file_is_never_written_over_another(tmp_path: Path, trust: Trust) -> None:
    path = tmp_path / "trust.toml"
    path.write_text(PEOPLES)

    with pytest.raises(TrustFileError, match="is there already"):
        create_trust(path, trust)

    assert path.read_text() == PEOPLES


def test_moving_the_pin_touches_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "trust.toml"
    path.write_text(PEOPLES)
    before = read_trust(path)

    after = move_pin(path, before, 9, ROOT)

    assert after == replace(before, pin=Pin(size=9, root=ROOT)) == read_trust(path)
    expected = PEOPLES.replace("size = 3 ", "size = 9 ").replace(OLD.root.hex(), ROOT.hex())
    assert path.read_text() == expected


@pytest.mark.parametrize(
    ("layout", "keeps_comments"),
    [
        (f'[pin]\r\nroot = "{OLD.root.hex()}"\r\nsize = 3\r\n# mine\r\n', True),
        ("# mine, and no pin yet", True),
        (f'pin = {{size = 3, root = "{OLD.root.hex()}"}} # mine\n', False),
        (f'["pin"]\nsize = 0x3\nroot = "{OLD.root.hex()}" # mine\n', False),
    ],
    ids=["line feeds of Windows", "no pin", "inline table", "quoted table"],
)
def test_any_layout_ends_with_the_pin_that_was_meant(
    tmp_path: Path, layout: str, keeps_comments: bool
) -> None:
    path = tmp_path / "trust.toml"
    head = f'origin = "{ORIGIN}"\n'
    key = f'[[key]]\nvkey = "{SIGNER.key}"\n'
    text = f"{head}{layout}{key}" if layout.startswith("pin") else f"{head}{key}{layout}"
    path.write_bytes(text.encode())

    after = move_pin(path, read_trust(path), 9, ROOT)

    assert read_trust(path) == after
    assert after.pin == Pin(size=9, root=ROOT)
    assert ("# mine" in path.read_text()) is keeps_comments


def test_a_pin_never_moves_back(tmp_path: Path, trust: Trust) -> None:
    path = tmp_path / "trust.toml"
    create_trust(path, trust)
    before = path.read_bytes()

    assert move_pin(path, trust, 2, ROOT).pin == OLD
    assert move_pin(path, trust, 3, OLD.root).pin == OLD
    with pytest.raises(TrustFileError, match="another root at size 3"):
        move_pin(path, trust, 3, ROOT)

    assert path.read_bytes() == before


def test_what_a_person_edited_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "trust.toml"
    path.write_text(PEOPLES)
    before = read_trust(path)
    path.write_text(PEOPLES.replace('"26h"', '"2d"'))

    move_pin(path, before, 9, ROOT)

    assert '"2d"' in path.read_text()


def test_a_file_that_became_another_archives_is_left_alone(tmp_path: Path, trust: Trust) -> None:
    path = tmp_path / "trust.toml"
    other = "kcompliance/11111111-2222-4333-8444-555555555555"
    create_trust(path, new_trust(other, [ed25519_signer(other).key], None))

    with pytest.raises(TrustFileError, match="is the trust file of"):
        move_pin(path, trust, 9, ROOT)


@pytest.mark.parametrize("written", [PEOPLES, None], ids=["by a person", "by kcompliance"])
def test_new_keys_and_ends_are_added(tmp_path: Path, trust: Trust, written: str | None) -> None:
    path = tmp_path / "trust.toml"
    path.write_text(written) if written else create_trust(path, trust)
    before = read_trust(path)
    keys = (
        TrustedKey(key=SIGNER.key, to_size=8),
        TrustedKey(key=NEXT_SIGNER.key, from_size=7),
    )

    middle = update_keys(path, before, keys)
    after = update_keys(path, middle, (replace(keys[0], to_size=5), keys[1]))

    assert read_trust(path) == after
    assert [each.to_size for each in after.keys] == [5, None]
    assert (after.pin, after.require, after.streams) == (
        before.pin,
        before.require,
        before.streams,
    )
    assert ("by telephone" in path.read_text()) is (written is not None)


def test_the_file_keeps_its_rights_and_a_link_stays_one(tmp_path: Path, trust: Trust) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "trust.toml"
    create_trust(real, trust)
    real.chmod(0o640)
    link.symlink_to(real)

    move_pin(link, trust, 9, ROOT)

    assert link.is_symlink()
    assert read_trust(real).pin == Pin(size=9, root=ROOT)
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"origin = 1", "origin: not a text"),
        (b"\xff", "not TOML"),
        (PEOPLES.replace("max_age", "max_agee").encode(), "require.max_agee: nobody knows this"),
        (b"#" * (1024 * 1024 + 1), "longer than"),
    ],
    ids=["type", "bytes", "unknown", "long"],
)
def test_a_refusal_names_the_file_and_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "trust.toml"
    path.write_bytes(content)

    with pytest.raises(TrustFileError, match=reason) as refused:
        read_trust(path)

    assert str(path) in refused.value.message
    assert refused.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(("place", "reason"), [("missing", "there is no"), (".", "is a folder")])
def test_a_place_without_a_trust_file_is_refused(tmp_path: Path, place: str, reason: str) -> None:
    with pytest.raises(TrustFileError, match=reason):
        read_trust(tmp_path / place)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, trust: Trust) -> None:
    with pytest.raises(OutputError, match="cannot write the trust file"):
        create_trust(tmp_path / "missing/trust.toml", trust)


def test_an_unchanged_file_is_not_written(tmp_path: Path, trust: Trust) -> None:
    path = tmp_path / "trust.toml"
    path.write_bytes(format_trust(trust))
    stamp = path.stat().st_mtime_ns, path.stat().st_ino

    update_keys(path, trust, trust.keys)

    assert (path.stat().st_mtime_ns, path.stat().st_ino) == stamp
