"""Somebody else's objects can be read where that is asked for, and never written."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from kcompliance.model.digest import sha256
from kcompliance.stores import Store, StoreOptions, open_store
from kcompliance.stores.interface import UnsafeKey
from kcompliance.stores.keys import checked_foreign

URLS = ["s3://bucket/resourceId=/A (x)", "azblob://account/container/resourceId=/A (x)"]


@pytest.fixture(params=URLS, ids=["s3", "azure"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("AZURE_STORAGE_KEY", "a2V5")
    options = StoreOptions(endpoint_url="http://127.0.0.1:1/account", region="x", foreign=True)
    with open_store(request.param, options) as opened:
        assert opened.url == request.param
        yield opened


@pytest.mark.parametrize("key", ["PT1H.json", "a b/ä%2e#?", "x" * 1024, ".a/b.", "a//b"])
def test_a_foreign_key_is_any_that_means_itself(key: str) -> None:
    assert checked_foreign(key) == key


@pytest.mark.parametrize("key", ["..", "a/../b", "./a", "a\\b", "a\nb", "a\ud800", "x" * 1025])
def test_a_key_that_may_be_taken_for_another_is_not_read(store: Store, key: str) -> None:
    for read in (store.get, store.head, lambda key: next(store.read(key))):
        with pytest.raises(UnsafeKey):
            read(key)
    with pytest.raises(UnsafeKey):
        next(iter(store.list(key)))


def test_a_foreign_key_is_never_written(store: Store) -> None:
    for write in (
        lambda: store.put_if_absent("A", b"x", sha256(b"x")),
        lambda: store.delete("A", None),
        lambda: store.retain("A", None, datetime(2030, 1, 1, tzinfo=UTC)),
    ):
        with pytest.raises(UnsafeKey):
            write()
