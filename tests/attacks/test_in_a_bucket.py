"""Attacks that need versions and locks, and stores that do not answer: 24, 25, 26, 46."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from kcompliance.archive.verify import OutsideResult, Request, Verification, verify
from kcompliance.errors import ExitCode
from kcompliance.ledger import (
    AbandonedObject,
    AbandonedRecord,
    FindingCode,
    LockMode,
    Period,
    Require,
    Trust,
)
from kcompliance.model.digest import sha256
from kcompliance.stores import Store, StoreOptions, open_store
from kcompliance.stores.filesystem import FilesystemStore
from kcompliance.stores.interface import LockMode as StoreMode
from kcompliance.stores.interface import Refused, StoreError
from kcompliance.stores.memory import MemoryStore
from tests.archive.building import AUDIT, Builder, built, objects_of, store_of
from tests.attacks.victim import Victim
from tests.ledger.samples import HOUR, JULY
from tests.servers.fault_proxy import Fault, FaultProxy
from tests.servers.s3_server import REGION
from tests.servers.versitygw import VersityGateway

YEAR = Period(years=1)
PREFIX = "some/archive/"


@dataclass(slots=True)
class Bucket:
    """A locked archive in a bucket of a real server."""

    server: VersityGateway
    name: str
    builder: Builder
    client: Any

    @property
    def store(self) -> Store:
        return self.builder.store

    def verified(self, *, trust: Trust | None = None, **asked: Any) -> Verification:
        request = Request(trust=trust or self.builder.trust(), as_of=self.builder.as_of, **asked)
        return verify(self.store, request)

    def overwrite(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=PREFIX + key, Body=data)

    def delete(self, key: str) -> None:
        """As somebody does who names no version: only a marker is put."""
        self.client.delete_object(Bucket=self.name, Key=PREFIX + key)


def _options(server: VersityGateway, mode: StoreMode = StoreMode.COMPLIANCE) -> StoreOptions:
    return StoreOptions(endpoint_url=server.url, region=REGION, lock_mode=mode, tries=2)


@pytest.fixture
def bucket(
    s3_server: VersityGateway, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Bucket]:
    mode = getattr(request, "param", StoreMode.COMPLIANCE)
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.new_bucket(object_lock=True)
    now = datetime.now(UTC).replace(microsecond=0) - 4 * HOUR
    client = s3_server.client()
    with open_store(f"s3://{bucket}/{PREFIX}", _options(s3_server, mode)) as store:
        builder = built(store, retain=YEAR, now=now)
        yield Bucket(s3_server, bucket, builder, client)
    client.close()


def _causes(found: Verification) -> list[tuple[str, str | None]]:
    return [(each.code.value, each.object) for each in found.causes]


def test_a_locked_archive_is_good_and_its_locks_are_a_memory(bucket: Bucket) -> None:
    found = bucket.verified(trust=bucket.builder.trust(pin=False), live=True)

    assert found.findings == ()
    assert [(each.kind, each.result) for each in found.outside_memory] == [
        ("worm", OutsideResult.FITS)
    ]
    assert bucket.verified(trust=bucket.builder.trust(pin=False)).exit_code is ExitCode.INCOMPLETE


@pytest.mark.parametrize("level", [1, 4])
def test_24_a_newer_version_lies_over_a_segment(bucket: Bucket, level: int) -> None:
    key = bucket.builder.made[0].key
    bucket.overwrite(key, b"forged")

    found = bucket.verified(level=level)

    assert _causes(found) == [("SHADOW_VERSION", key)]
    assert found.exit_code is ExitCode.FINDINGS
    if level == 4:
        assert found.checked.docs == 8  # the recorded version was read


@pytest.mark.parametrize("which", ["checkpoint", "records", "intent", "settings"])
def test_24_a_newer_version_lies_over_another_object(bucket: Bucket, which: str) -> None:
    prefix = {"checkpoint": "cp/", "records": "log/", "intent": "run/", "settings": "meta/"}[which]
    key = next(entry.key for entry in bucket.store.list(prefix))
    bucket.overwrite(key, b"forged")

    assert _causes(bucket.verified()) == [("SHADOW_VERSION", key)]


@pytest.mark.parametrize("level", [1, 3])
def test_25_a_delete_marker_hides_a_segment(bucket: Bucket, level: int) -> None:
    key = bucket.builder.made[0].key
    bucket.delete(key)

    found = bucket.verified(level=level)

    assert _causes(found) == [("DELETE_MARKER", key)]
    assert "is still there" in found.causes[0].detail
    assert found.checked.docs == (8 if level == 3 else 0)


@pytest.mark.parametrize("prefix", ["cp/", "log/", "run/", "meta/"])
def test_25_a_delete_marker_hides_another_object(bucket: Bucket, prefix: str) -> None:
    key = next(entry.key for entry in bucket.store.list(prefix))
    bucket.delete(key)

    assert _causes(bucket.verified()) == [("DELETE_MARKER", key)]


def test_25_a_marker_over_what_was_never_committed_hides_nothing(bucket: Bucket) -> None:
    stray = "meta/" + "0" * 64 + ".json.zst"
    left = "meta/" + "1" * 64 + ".json.zst"
    for key in (stray, left, "cp/000000000004.ckpt"):
        bucket.overwrite(key, b"half")
    digest = sha256(b"half")
    objects = (AbandonedObject(key=left, size=4, sha256=digest),)
    bucket.builder.commit(AbandonedRecord(stream=AUDIT, run=UUID(int=1), objects=objects))
    for key in (stray, left, "cp/000000000004.ckpt"):
        bucket.delete(key)
    (batch,) = (entry.key for entry in bucket.store.list("log/000000000004-"))
    bucket.delete(batch)

    assert bucket.verified().findings == ()


def test_25_a_marker_over_nothing_hides_nothing(bucket: Bucket) -> None:
    bucket.delete("never/there")
    bucket.delete("cp/000000000009.ckpt")

    assert bucket.verified().findings == ()


def test_an_object_that_stands_for_the_folder_is_none(bucket: Bucket) -> None:
    bucket.overwrite("", b"")

    assert bucket.verified().findings == ()


def test_25_markers_hide_the_whole_tail(bucket: Bucket) -> None:
    """Without a pin: the bucket itself remembers what was cut off."""
    for prefix in ("cp/", "log/", "run/"):
        bucket.delete(list(bucket.store.list(prefix))[-1].key)

    found = bucket.verified(trust=bucket.builder.trust(pin=False))

    assert found.exit_code is ExitCode.FINDINGS
    assert [(each.code.value, each.object) for each in found.causes] == [
        ("DELETE_MARKER", "cp/000000000003.ckpt"),
        ("UNANCHORED", None),
    ]


def test_25_markers_hide_everything(bucket: Bucket) -> None:
    for entry in list(bucket.store.list()):
        bucket.delete(entry.key)

    found = bucket.verified()

    assert found.exit_code is ExitCode.FINDINGS
    assert {each.code for each in found.causes} == {
        FindingCode.NO_CHECKPOINT,
        FindingCode.DELETE_MARKER,
    }


@pytest.mark.parametrize("bucket", [StoreMode.GOVERNANCE], indirect=True)
def test_26_locks_are_of_a_weaker_mode(bucket: Bucket) -> None:
    found = bucket.verified(live=True)

    assert found.exit_code is ExitCode.INCOMPLETE
    assert {each.code for each in found.findings} == {FindingCode.WORM_WEAK}
    assert {each.object for each in found.findings} == {entry.key for entry in bucket.store.list()}
    assert bucket.verified(live=False).exit_code is ExitCode.GOOD


def test_26_a_lock_ends_before_its_record_says(bucket: Bucket) -> None:
    window_end = bucket.builder.now
    bucket.builder.retain = Period(days=1)
    segment = bucket.builder.segments(_window(window_end))[0]
    longer = replace(segment, retain_until=YEAR.after(window_end))
    bucket.builder.retain = YEAR
    bucket.builder.commit(longer)

    found = bucket.verified(live=True)

    assert _causes(found) == [("WORM_WEAK", segment.key)]
    assert found.exit_code is ExitCode.INCOMPLETE


def _window(end: datetime) -> Any:
    from kcompliance.archive.interface import Window

    return Window(start=end - HOUR, end=end)


def test_26_locks_end_before_the_trust_file_asks(bucket: Bucket) -> None:
    require = Require(min_retention=Period(years=5))

    found = bucket.verified(trust=bucket.builder.trust(require=require), live=True)

    assert {each.code for each in found.findings} == {FindingCode.WORM_WEAK}
    assert len(found.findings) == len(list(bucket.store.list()))


def test_26_a_copy_in_a_place_without_locks(bucket: Bucket, tmp_path: Path) -> None:
    copy = store_of(objects_of(bucket.store), FilesystemStore(tmp_path / "copy"))
    request = Request(trust=bucket.builder.trust(), as_of=bucket.builder.as_of, live=True)

    found = verify(copy, request)

    assert [(each.code.value, each.object) for each in found.findings] == [("WORM_WEAK", None)]
    assert verify(copy, replace(request, live=False)).findings == ()


def test_a_checkpoint_that_was_stored_long_after_its_commit_remembers_nothing() -> None:
    """A bucket to which everything was written anew, whatever its commits are dated."""
    store = MemoryStore(locks=True)
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
    builder = built(store, retain=YEAR, now=now)
    request = Request(trust=builder.trust(pin=False), as_of=datetime.now(UTC), live=True)

    found = verify(store, request)

    assert [each.code for each in found.findings] == [FindingCode.UNANCHORED]
    assert [each.result for each in found.outside_memory] == [OutsideResult.NOT_COMPARED]


def test_a_lock_that_has_ended_remembers_nothing() -> None:
    store = MemoryStore(locks=True, clock=lambda: JULY)
    builder = built(store, retain=YEAR)
    as_of = JULY.replace(year=JULY.year + 3)
    request = Request(trust=builder.trust(pin=False), as_of=as_of, live=True)

    found = verify(store, request)

    assert [each.code for each in found.findings] == [FindingCode.UNANCHORED]
    assert "has ended" in found.outside_memory[0].detail


def test_no_lock_is_asked_for_where_none_was_wanted() -> None:
    store = MemoryStore(locks=True)
    builder = built(store, retain=None)
    request = Request(trust=builder.trust(), as_of=builder.as_of, live=True)
    assert verify(store, request).findings == ()

    unlocked = built(MemoryStore(locks=True), retain=YEAR, mode=LockMode.NONE)
    assert unlocked.made[0].retain_until is not None
    asked = Request(trust=unlocked.trust(), as_of=unlocked.as_of, live=True)
    assert verify(unlocked.store, asked).findings == ()


# --- 46: no answer ------------------------------------------------------------------------------


def test_46_nothing_may_be_listed(
    s3_server: VersityGateway, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = s3_server.new_user()
    for name, value in user.items():
        monkeypatch.setenv(name, value)

    with (
        open_store(f"s3://{bucket.name}/{PREFIX}", _options(s3_server)) as store,
        pytest.raises(StoreError) as raised,
    ):
        verify(store, Request(trust=bucket.builder.trust(), as_of=bucket.builder.as_of))

    assert raised.value.exit_code is ExitCode.COULD_NOT_RUN


def test_46_objects_may_be_listed_but_not_read(
    s3_server: VersityGateway, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = s3_server.new_user()
    s3_server.allow(user, bucket.name, "s3:ListBucket", "s3:ListBucketVersions")
    for name, value in user.items():
        monkeypatch.setenv(name, value)

    with open_store(f"s3://{bucket.name}/{PREFIX}", _options(s3_server)) as store:
        found = verify(store, Request(trust=bucket.builder.trust(), as_of=bucket.builder.as_of))

    assert found.exit_code is ExitCode.COULD_NOT_RUN
    assert {each.code for each in found.findings} == {FindingCode.READ_FAILED}


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        (Fault.BUSY, "seg/"),
        (Fault.LOSE_ANSWER, "seg/"),
        (Fault.CUT_ANSWER, "seg/"),
        (Fault.BUSY, "run/"),
        (Fault.BUSY, "log/"),
        (Fault.BUSY, "cp/"),
    ],
)
def test_46_one_object_is_not_answered_for(
    s3_server: VersityGateway, bucket: Bucket, fault: Fault, place: str
) -> None:
    key = list(bucket.store.list(place))[1].key
    with FaultProxy(s3_server.port) as proxy:
        options = replace(_options(s3_server), endpoint_url=proxy.url)
        proxy.plan(*[fault] * 20, method="GET", path=key)
        with open_store(f"s3://{bucket.name}/{PREFIX}", options) as store:
            found = verify(store, Request(trust=bucket.builder.trust(), as_of=bucket.builder.as_of))

    assert [(each.code.value, each.object) for each in found.findings] == [("READ_FAILED", key)]
    assert found.exit_code is ExitCode.COULD_NOT_RUN


def test_46_a_throttled_listing(s3_server: VersityGateway, bucket: Bucket) -> None:
    with FaultProxy(s3_server.port) as proxy:
        options = replace(_options(s3_server), endpoint_url=proxy.url)
        proxy.plan(*[Fault.BUSY] * 2, method="GET", path="versions")
        with open_store(f"s3://{bucket.name}/{PREFIX}", options) as store:
            found = verify(store, Request(trust=bucket.builder.trust(), as_of=bucket.builder.as_of))

    assert [each.code for each in found.findings] == [FindingCode.READ_FAILED]
    assert found.checked.docs == 8  # all else was verified
    assert found.exit_code is ExitCode.COULD_NOT_RUN


class Refusing(MemoryStore):
    """Refuses to hand out some objects."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self.refused = refused

    def read(self, key: str, *, version: str | None = None) -> Iterator[bytes]:
        if key in self.refused:
            raise Refused(f"may not read {key}", permission="read")
        return super().read(key, version=version)


def test_46_a_fault_that_was_found_stands_whatever_could_not_be_read(victim: Victim) -> None:
    objects = objects_of(FilesystemStore(victim.folder))
    made = victim.builder.made
    store = Refusing(made[0].key)
    store_of({**objects, made[1].key: b"forged"}, store)

    found = verify(store, Request(trust=victim.trust, as_of=victim.as_of))

    codes = {(each.code.value, each.object) for each in found.findings}
    assert codes == {("READ_FAILED", made[0].key), ("SEGMENT_MODIFIED", made[1].key)}
    assert found.exit_code is ExitCode.FINDINGS


def test_46_there_is_no_such_place(tmp_path: Path, victim: Victim) -> None:
    store = FilesystemStore(tmp_path / "nowhere")

    with pytest.raises(StoreError):
        verify(store, Request(trust=victim.trust, as_of=victim.as_of))
