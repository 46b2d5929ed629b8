"""A bundle is read back as it was saved, or not at all."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kcompliance.collect.bundle import is_bundle, read_bundle, write_bundle
from kcompliance.collect.interface import Collected, Collection
from kcompliance.errors import BundleError, OutputError
from kcompliance.model.control import Platform
from kcompliance.model.reading import Kind, Raw
from tests.captures import SOUND_POLICY, absent, pod, raw, unreadable, whole

POLICY = raw(Kind.AUDIT_POLICY, "policy.yaml", SOUND_POLICY)
COLLECTION = Collection(
    as_of=datetime(2026, 1, 1, tzinfo=UTC),
    parameters={"KC-AUD-008": {"min_level": "Request"}},
    targets=(
        Collected(
            name="node",
            platform=Platform.SELF_MANAGED,
            captures=(
                POLICY,
                raw(Kind.OBJECTS, "server.yaml", pod()),
                unreadable(Kind.METRICS, "kube /metrics"),
                absent(Kind.FLAGZ, "kube /flagz"),
            ),
            saved=True,
        ),
    ),
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    write_bundle(COLLECTION, tmp_path / "saved")
    return tmp_path / "saved"


def _read(folder: Path) -> Collection:
    return whole(read_bundle(folder))[0]


def _index(folder: Path) -> Any:
    return json.loads((folder / "bundle.json").read_text())


def _rewrite(folder: Path, index: Any) -> None:
    (folder / "bundle.json").write_text(json.dumps(index))


def test_what_was_saved_is_read_back(saved: Path) -> None:
    assert _read(saved) == COLLECTION


def test_a_bundle_holds_an_index_and_the_bytes_by_their_digest(saved: Path) -> None:
    files = sorted(str(path.relative_to(saved)) for path in saved.rglob("*") if path.is_file())
    raws = [c for t in COLLECTION.targets for c in t.captures if isinstance(c, Raw)]

    assert files == sorted(["bundle.json", *(f"raw/{capture.sha256}" for capture in raws)])


def test_the_same_input_is_saved_as_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    write_bundle(read_bundle(saved), tmp_path / "again")

    assert (tmp_path / "again/bundle.json").read_bytes() == (saved / "bundle.json").read_bytes()


def test_redactions_are_saved(tmp_path: Path) -> None:
    capture = Raw(origin=POLICY.origin, content=b"x", redactions=("/env/0/value",))
    target = Collected(name="n", captures=(capture,))
    write_bundle(
        Collection(as_of=COLLECTION.as_of, targets=(target,), parameters={}), tmp_path / "saved"
    )

    (again,) = read_bundle(tmp_path / "saved").targets
    assert again.captures == (capture,)


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_nothing_is_ever_written_over(tmp_path: Path, kind: str) -> None:
    there = tmp_path / "saved"
    if kind == "file":
        there.write_text("mine")
    elif kind == "folder":
        there.mkdir()
    else:
        there.symlink_to("nowhere")

    with pytest.raises(OutputError, match="it exists"):
        write_bundle(COLLECTION, there)

    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_a_bundle_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(OutputError):
        write_bundle(COLLECTION, tmp_path / "file/saved")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_of_files_is_no_bundle(tmp_path: Path, saved: Path) -> None:
    assert not is_bundle(tmp_path)
    assert is_bundle(saved)


def test_a_target_is_read_when_its_turn_comes(saved: Path) -> None:
    targets = iter(read_bundle(saved).targets)
    (saved / "raw" / POLICY.sha256).unlink()

    with pytest.raises(BundleError, match="No such file"):
        next(targets)


def test_an_index_that_changes_before_its_turn_is_not_believed(saved: Path) -> None:
    targets = iter(read_bundle(saved).targets)
    _rewrite(saved, {**_index(saved), "parameters": {}})

    with pytest.raises(BundleError, match="while it was read"):
        next(targets)


def test_what_is_saved_halfway_is_taken_away(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Collected]:
        yield from COLLECTION.targets
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(replace(COLLECTION, targets=interrupted()), tmp_path / "saved")

    assert list(tmp_path.iterdir()) == []


# --- tampering ---------------------------------------------------------------------------------


def test_changed_bytes_are_found(saved: Path) -> None:
    file = saved / "raw" / POLICY.sha256
    file.write_bytes(file.read_bytes().replace(b"Metadata", b"None    "))

    with pytest.raises(BundleError, match="was changed"):
        _read(saved)


def test_missing_bytes_are_found(saved: Path) -> None:
    (saved / "raw" / POLICY.sha256).unlink()

    with pytest.raises(BundleError, match="No such file"):
        _read(saved)


def test_a_link_in_place_of_the_bytes_is_refused(saved: Path, tmp_path: Path) -> None:
    file = saved / "raw" / POLICY.sha256
    (tmp_path / "same").write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(tmp_path / "same")

    with pytest.raises(BundleError, match="symbolic link"):
        _read(saved)


def test_a_link_in_place_of_the_folder_is_refused(saved: Path, tmp_path: Path) -> None:
    (saved / "raw").rename(tmp_path / "elsewhere")
    (saved / "raw").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BundleError, match="symbolic link"):
        _read(saved)


@pytest.mark.timeout(20)
def test_a_pipe_in_place_of_the_bytes_does_not_hang(saved: Path) -> None:
    (saved / "raw" / POLICY.sha256).unlink()
    os.mkfifo(saved / "raw" / POLICY.sha256)

    with pytest.raises(BundleError, match="no regular file"):
        _read(saved)


@pytest.mark.parametrize("digest", ["../../policy.yaml", "/etc/hostname", "", None, "A" * 64])
def test_a_digest_that_is_a_path_is_refused(saved: Path, digest: str | None) -> None:
    index = _index(saved)
    index["targets"][0]["readings"][0]["sha256"] = digest
    _rewrite(saved, index)

    with pytest.raises(BundleError, match=r"no digest for policy\.yaml"):
        _read(saved)


@pytest.mark.parametrize("schema", ["kcompliance/bundle/v2", "", None, 5])
def test_another_format_is_refused_with_the_name_of_it(saved: Path, schema: Any) -> None:
    _rewrite(saved, {**_index(saved), "schema": schema})

    with pytest.raises(BundleError, match="has the schema"):
        _read(saved)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("as_of",), "2026-01-01T00:00:00"),
        (("as_of",), "yesterday"),
        (("targets",), {}),
        (("parameters",), []),
        (("targets", 0, "platform"), "gke"),
        (("targets", 0, "readings", 0, "status"), "guessed"),
        (("targets", 0, "readings", 0, "kind"), "tea-leaves"),
        (("targets", 0, "readings", 0, "collected_at"), "2026-01-01T00:00:00"),
        (("targets", 0, "readings", 0, "resource"), 5),
        (("targets", 0, "readings", 0, "redactions"), "all"),
    ],
    ids=str,
)
def test_a_damaged_index_is_refused(saved: Path, path: tuple[str | int, ...], value: Any) -> None:
    index = _index(saved)
    holder = index
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    _rewrite(saved, index)

    with pytest.raises(BundleError):
        _read(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, "\xff"], ids=len)
def test_an_index_that_is_no_document_is_refused(saved: Path, text: str) -> None:
    (saved / "bundle.json").write_text(text, encoding="latin-1")

    with pytest.raises(BundleError):
        _read(saved)


def test_bytes_that_no_reading_names_are_not_looked_at(saved: Path) -> None:
    (saved / "raw" / ("0" * 64)).write_text("anything")

    assert _read(saved) == COLLECTION
