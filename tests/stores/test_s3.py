"""What only S3 has: versions, a bucket's own settings, and servers that do not do as they say."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kcompliance.model.digest import sha256
from kcompliance.stores import Store, StoreOptions, open_store
from kcompliance.stores.interface import (
    AlreadyThere,
    Damaged,
    DefaultRetention,
    LockMode,
    NotThere,
    Refused,
    Unknown,
    Unsupported,
)
from tests.servers.versitygw import VersityGateway

pytestmark = pytest.mark.integration

KEY = "seg/one"
S3_KEY = f"archive/{KEY}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket with Object Lock, the client of somebody else, and our store."""

    name: str
    theirs: Any
    store: Store
    server: VersityGateway

    def put(self, content: bytes, key: str = KEY) -> str | None:
        """Put it through the store; the version."""
        return self.store.put_if_absent(key, content, sha256(content)).version_id


@pytest.fixture
def bucket(s3_server: VersityGateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    name = s3_server.new_bucket(object_lock=True)
    client = s3_server.client()
    with open_store(f"s3://{name}/archive", StoreOptions(endpoint_url=s3_server.url)) as store:
        yield Bucket(name=name, theirs=client, store=store, server=s3_server)
    client.close()


def test_what_somebody_puts_over_it_is_another_version(bucket: Bucket) -> None:
    ours = bucket.put(b"ours")
    theirs = bucket.theirs.put_object(Bucket=bucket.name, Key=S3_KEY, Body=b"forged")["VersionId"]

    assert bucket.store.get(KEY) == b"forged"
    assert bucket.store.get(KEY, version=ours) == b"ours"
    assert b"".join(bucket.store.read(KEY, version=ours)) == b"ours"
    assert bucket.store.head(KEY, version=ours).version_id == ours
    listed = list(bucket.store.list_versions())
    assert [(each.version_id, each.is_latest) for each in listed] == [(theirs, True), (ours, False)]


def test_a_delete_marker_is_listed_and_hides_only_the_latest(bucket: Bucket) -> None:
    ours = bucket.put(b"ours")
    bucket.theirs.delete_object(Bucket=bucket.name, Key=S3_KEY)

    assert list(bucket.store.list()) == []
    assert [each.is_delete_marker for each in bucket.store.list_versions()] == [True, False]
    assert bucket.store.get(KEY, version=ours) == b"ours"
    with pytest.raises(NotThere):
        bucket.store.get(KEY)


def test_a_key_that_was_deleted_with_a_marker_is_not_free_on_versitygw(bucket: Bucket) -> None:
    """AWS would create a new version; that the old one is there, the listing says on both."""
    bucket.put(b"ours")
    bucket.theirs.delete_object(Bucket=bucket.name, Key=S3_KEY)

    with pytest.raises(AlreadyThere) as taken:
        bucket.put(b"again")

    assert (taken.value.size, taken.value.sha256) == (None, None)


def test_deleting_a_version_leaves_the_others_and_no_marker(bucket: Bucket) -> None:
    ours = bucket.put(b"ours")
    theirs = bucket.theirs.put_object(Bucket=bucket.name, Key=S3_KEY, Body=b"forged")["VersionId"]

    bucket.store.delete(KEY, theirs)

    (left,) = bucket.store.list_versions()
    assert (left.version_id, left.is_delete_marker, left.is_latest) == (ours, False, True)


def test_deleting_without_a_version_deletes_nothing_where_there_are_versions(
    bucket: Bucket,
) -> None:
    bucket.put(b"ours")

    bucket.store.delete(KEY, None)

    assert bucket.store.get(KEY) == b"ours"
    assert len(list(bucket.store.list_versions())) == 1


def test_many_versions_are_listed_once_each_over_pages(bucket: Bucket) -> None:
    for _ in range(3):
        for number in range(400):
            bucket.theirs.put_object(Bucket=bucket.name, Key=f"archive/k/{number:03d}", Body=b"")

    listed = list(bucket.store.list_versions("k/"))

    assert len({(each.key, each.version_id) for each in listed}) == len(listed) == 1200
    assert [each.key for each in listed] == sorted(each.key for each in listed)
    assert [each.is_latest for each in listed] == [True, False, False] * 400


def test_a_bit_flipped_at_rest_is_damage(bucket: Bucket) -> None:
    bucket.put(b"0123456789")
    file = bucket.server.file_of(bucket.name, S3_KEY)
    file.write_bytes(b"0123056789")

    with pytest.raises(Damaged, match="sha256"):
        bucket.store.get(KEY)
    with pytest.raises(Damaged):
        list(bucket.store.read(KEY))
    assert bucket.store.get(KEY, start=0, end=4) == b"0123"  # a part cannot be checked


def test_a_bucket_says_how_it_keeps_what_nothing_was_asked_for(bucket: Bucket) -> None:
    bucket.theirs.put_object_lock_configuration(
        Bucket=bucket.name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 730}},
        },
    )

    found = bucket.store.capabilities()

    assert found.default_retention == DefaultRetention(mode=LockMode.COMPLIANCE, days=730)
    assert isinstance(found.encryption, Unknown)  # versitygw does not know the question


def test_a_default_of_the_bucket_is_not_taken_for_a_lock_of_the_object(bucket: Bucket) -> None:
    """versitygw does not stamp it on objects; so retention is asked for with each of them."""
    bucket.theirs.put_object_lock_configuration(
        Bucket=bucket.name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 730}},
        },
    )
    bucket.put(b"1")

    lock = bucket.store.head(KEY).lock

    assert lock is not None
    assert lock.until is None


def test_governance_is_chosen_by_option(bucket: Bucket, s3_server: VersityGateway) -> None:
    options = StoreOptions(endpoint_url=s3_server.url, lock_mode=LockMode.GOVERNANCE)
    with open_store(f"s3://{bucket.name}/archive", options) as store:
        store.put_if_absent(
            KEY, b"1", sha256(b"1"), retain_until=datetime.now(UTC) + timedelta(days=1)
        )

        lock = store.head(KEY).lock

    assert lock is not None
    assert lock.mode is LockMode.GOVERNANCE


def test_a_server_that_ignores_kms_is_found_out(bucket: Bucket, s3_server: VersityGateway) -> None:
    options = StoreOptions(endpoint_url=s3_server.url, kms_key="alias/archives")
    with open_store(f"s3://{bucket.name}/archive", options) as store:
        with pytest.raises(Unsupported, match="not encrypted") as found_out:
            store.put_if_absent(KEY, b"1", sha256(b"1"))

        assert found_out.value.hint


def test_kms_is_looked_at_where_there_are_no_locks_too(
    s3_server: VersityGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    options = StoreOptions(endpoint_url=s3_server.url, kms_key="alias/archives")
    with (
        open_store(f"s3://{s3_server.new_bucket()}", options) as store,
        pytest.raises(Unsupported, match="not encrypted"),
    ):
        store.put_if_absent(KEY, b"1", sha256(b"1"))


def test_what_one_may_not_ask_is_unknown_and_not_absent(
    bucket: Bucket, s3_server: VersityGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.new_user().items():
        monkeypatch.setenv(name, value)
    with open_store(f"s3://{bucket.name}", StoreOptions(endpoint_url=s3_server.url)) as store:
        found = store.capabilities()

    assert isinstance(found.locks, Unknown)
    assert found.locks.permission == "s3:GetBucketObjectLockConfiguration"
    assert isinstance(found.versions, Unknown)
    assert isinstance(found.default_retention, Unknown)


def test_a_lock_that_one_may_not_see_is_refused_and_not_absent(
    bucket: Bucket, s3_server: VersityGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put(b"1")
    user = s3_server.new_user()
    s3_server.allow(user, bucket.name, "s3:GetObject", "s3:ListBucket")
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    options = StoreOptions(endpoint_url=s3_server.url)
    with open_store(f"s3://{bucket.name}/archive", options) as store:
        assert store.get(KEY) == b"1"

        with pytest.raises(Refused) as refused:
            store.head(KEY)

    assert refused.value.permission == "s3:GetObjectRetention"


def test_a_reader_may_not_write(
    bucket: Bucket, s3_server: VersityGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = s3_server.new_user()
    s3_server.allow(user, bucket.name, "s3:GetObject", "s3:ListBucket")
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    options = StoreOptions(endpoint_url=s3_server.url)
    with open_store(f"s3://{bucket.name}/archive", options) as store:
        with pytest.raises(Refused) as refused:
            store.put_if_absent(KEY, b"1", sha256(b"1"))

        assert refused.value.permission == "s3:PutObject"
        assert list(store.list()) == []
