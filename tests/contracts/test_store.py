"""What every store promises (`kcompliance.stores.interface`), shown on each kind of store."""

import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kcompliance.errors import ConfigError
from kcompliance.model.digest import sha256
from kcompliance.stores import Store, StoreOptions, open_store
from kcompliance.stores.interface import (
    AlreadyThere,
    Damaged,
    Lock,
    Locked,
    LockMode,
    NotThere,
    Refused,
    Source,
    Stored,
    StoreError,
    Unreachable,
    UnsafeKey,
    Unsupported,
)
from tests.contracts.places import KINDS, LOCKING, OUTSIDE, REMOTE, Place, open_place
from tests.servers.fault_proxy import Fault, FaultProxy
from tests.servers.versitygw import VersityGateway

pytestmark = pytest.mark.integration

MB = 1024 * 1024
KEY = "seg/prod/audit/2026/07/01/00/one.ndjson.zst"
WRITERS, ROUNDS = 8, 10
IS_OUTSIDE = pytest.mark.parametrize("place", OUTSIDE, indirect=True)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from open_place(request.param, request)


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()


@pytest.fixture(params=LOCKING)
def locking(request: pytest.FixtureRequest) -> Iterator[Store]:
    for place in open_place(request.param, request, locks=True):
        yield place.open()


@pytest.fixture(params=REMOTE)
def remote(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from open_place(request.param, request, faults=True)


def put(store: Store, key: str, content: bytes) -> Stored:
    return store.put_if_absent(key, content, sha256(content))


def keys(store: Store, prefix: str = "") -> list[str]:
    return [each.key for each in store.list(prefix)]


def in_days(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


# --- creating ------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"x", b"line\n" * 1000], ids=["empty", "small", "lines"])
def test_what_was_put_is_there(store: Store, content: bytes) -> None:
    stored = put(store, KEY, content)

    assert store.get(KEY) == content
    assert b"".join(store.read(KEY)) == content
    assert stored.size == store.head(KEY).size == len(content)
    assert store.head(KEY).sha256 in {sha256(content), None}
    assert store.head(KEY).version_id == stored.version_id
    assert abs(store.head(KEY).modified - datetime.now(UTC)) < timedelta(minutes=1)
    assert keys(store) == [KEY]


@pytest.mark.parametrize("kind", ["bytes", "path", "file"])
def test_all_kinds_of_sources_are_put_whole(store: Store, kind: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 100
    path = tmp_path / "source"
    path.write_bytes(content)
    with path.open("rb") as file:
        file.seek(77)
        sources: dict[str, Source] = {"bytes": content, "path": path, "file": file}

        store.put_if_absent(KEY, sources[kind], sha256(content))

        assert not file.closed
    assert store.get(KEY) == content


def test_another_process_sees_it(place: Place) -> None:
    put(place.open(), KEY, b"content")

    assert place.open().get(KEY) == b"content"


def test_what_is_there_is_not_overwritten(store: Store) -> None:
    put(store, KEY, b"first")

    with pytest.raises(AlreadyThere) as taken:
        put(store, KEY, b"second")

    assert store.get(KEY) == b"first"
    assert taken.value.holds(5, sha256(b"first"))
    assert not taken.value.holds(5, sha256(b"other"))
    assert KEY in str(taken.value)


def test_the_same_content_is_created_once_and_known_again(store: Store) -> None:
    put(store, KEY, b"first")

    with pytest.raises(AlreadyThere) as taken:
        put(store, KEY, b"first")

    assert taken.value.holds(5, sha256(b"first"))


@pytest.mark.parametrize("size", [10_000, 9 * MB], ids=["small", "in blocks"])
def test_a_source_with_another_digest_is_refused(store: Store, size: int) -> None:
    with pytest.raises(Damaged):
        store.put_if_absent(KEY, b"x" * size, sha256(b"something else"))

    with pytest.raises(NotThere):
        store.get(KEY)
    put(store, KEY, b"1")


@pytest.mark.parametrize("same", [False, True], ids=["different contents", "same content"])
def test_of_many_writers_exactly_one_wins(place: Place, same: bool) -> None:
    stores = [place.open() for _ in range(WRITERS)]

    for number in range(ROUNDS):
        key = f"cp/{number:012d}.ckpt"
        line_up = threading.Barrier(WRITERS)

        def write(writer: int, key: str = key, line_up: threading.Barrier = line_up) -> bool:
            content = b"same" if same else b"%d" % writer * 5000
            line_up.wait()
            try:
                put(stores[writer], key, content)
            except AlreadyThere:
                return False
            return True

        with ThreadPoolExecutor(WRITERS) as pool:
            won = list(pool.map(write, range(WRITERS)))

        assert won.count(True) == 1
        winner = b"same" if same else b"%d" % won.index(True) * 5000
        assert stores[0].get(key) == winner
    assert len(list(stores[0].list_versions("cp/"))) == ROUNDS


def test_large_objects_are_created_by_one_of_many_writers(place: Place) -> None:
    stores = [place.open() for _ in range(4)]
    line_up = threading.Barrier(len(stores))

    def write(writer: int) -> bool:
        content = b"%d" % writer * (9 * MB)
        line_up.wait()
        try:
            put(stores[writer], KEY, content)
        except AlreadyThere:
            return False
        return True

    with ThreadPoolExecutor(len(stores)) as pool:
        won = list(pool.map(write, range(len(stores))))

    assert won.count(True) == 1
    assert stores[0].get(KEY) == b"%d" % won.index(True) * (9 * MB)


@IS_OUTSIDE
def test_a_large_object_takes_little_memory(place: Place, tmp_path: Path) -> None:
    store = place.open()
    size = 64 * MB
    path = tmp_path / "large"
    with path.open("wb") as file:
        for number in range(size // MB):
            file.write(bytes([number]) * MB)
    digest = sha256(path.read_bytes())
    put(store, "warm-up", b"1")

    # The SDK of Azure takes ten times the part that it asks for.
    limit = {"folder": 4, "s3": 8, "minio": 8, "azure": 48}[place.kind] * MB
    assert peak_of(lambda: store.put_if_absent(KEY, path, digest)) < limit
    total = 0

    def read() -> None:
        nonlocal total
        for piece in store.read(KEY):
            total += len(piece)

    assert peak_of(read) < limit
    assert total == size


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 5), (3, 7), (5, None), (0, 100), (9, 10), (10, None), (50, 60), (4, 4), (7, 3)],
)
def test_a_part_is_what_python_would_cut_out(store: Store, start: int, end: int | None) -> None:
    content = b"0123456789"
    put(store, KEY, content)

    assert store.get(KEY, start=start, end=end) == content[start:end]


def test_a_part_beyond_the_first_block_is_right(store: Store) -> None:
    content = b"".join(b"%08d" % number for number in range(2 * MB))
    put(store, KEY, content)

    assert store.get(KEY, start=9 * MB, end=9 * MB + 24) == content[9 * MB :][:24]
    assert store.get(KEY, start=len(content) - 3) == content[-3:]
    assert store.get(KEY) == content


def test_what_is_not_there_is_said_to_be_not_there(store: Store) -> None:
    put(store, "a/b", b"1")

    for missing in (KEY, "a", "a/b/c", "a/c"):
        with pytest.raises(NotThere):
            store.get(missing)
        with pytest.raises(NotThere):
            store.get(missing, start=2, end=2)
        with pytest.raises(NotThere):
            list(store.read(missing))
        with pytest.raises(NotThere):
            store.head(missing)


def test_reading_may_end_early(store: Store) -> None:
    put(store, KEY, b"x" * (20 * MB))

    for piece in store.read(KEY):
        assert piece[:1] == b"x"
        break

    assert store.head(KEY).size == 20 * MB


# --- listing -------------------------------------------------------------------------------------


def test_keys_come_in_the_order_of_their_bytes(store: Store) -> None:
    shuffled = ["a/c", "b", "a.b", "a/b/c", "a0", "a-b", "a/b-c", "a_b", "a=b", "a+b", "a/b.c"]
    for key in shuffled:
        put(store, key, b"1")

    assert keys(store) == sorted(shuffled)
    assert [each.key for each in store.list_versions()] == sorted(shuffled)


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("a/", ["a/b", "a/bc", "a/c/d"]),
        ("a/b", ["a/b", "a/bc"]),
        ("a/c/", ["a/c/d"]),
        ("a/c/d", ["a/c/d"]),
        ("a", ["a-x", "a/b", "a/bc", "a/c/d"]),
        ("b/b/b/", []),
        ("z", []),
        ("a/b/", []),
    ],
)
def test_only_keys_that_begin_with_the_prefix_are_listed(
    store: Store, prefix: str, found: list[str]
) -> None:
    for key in ("a/b", "a/bc", "a/c/d", "a-x", "b"):
        put(store, key, b"1")

    assert keys(store, prefix) == found
    assert [each.key for each in store.list_versions(prefix)] == found


def test_a_listing_says_size_time_and_version(store: Store) -> None:
    stored = put(store, KEY, b"12345")

    (entry,) = store.list()

    assert (entry.size, entry.version_id) == (5, stored.version_id)
    assert abs(entry.modified - datetime.now(UTC)) < timedelta(minutes=1)
    assert entry.is_latest
    assert not entry.is_delete_marker
    assert list(store.list_versions()) == [entry]


def test_a_listing_of_several_pages_has_every_key_once(store: Store) -> None:
    put(store, "log/first", b"1")
    expected = [f"log/{number:06d}" for number in range(1100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put(store, key, b""), expected))

    assert keys(store, "log/0") == expected
    assert [each.key for each in store.list_versions("log/0")] == expected


@IS_OUTSIDE
def test_a_place_that_does_not_exist_is_not_empty(place: Place) -> None:
    """A mistyped name must not look like an archive that holds nothing."""
    assert place.open_nowhere is not None
    with place.open_nowhere() as store:
        with pytest.raises(NotThere):
            list(store.list())
        with pytest.raises(NotThere):
            list(store.list_versions())
        with pytest.raises(NotThere):
            store.get(KEY)
        if place.kind != "folder":
            with pytest.raises(NotThere):
                put(store, KEY, b"1")
            with pytest.raises(NotThere):
                store.delete(KEY, None)


# --- deleting ------------------------------------------------------------------------------------


def test_what_was_deleted_is_gone_and_can_be_created_again(store: Store) -> None:
    stored = put(store, KEY, b"first")
    put(store, "seg/other", b"1")

    store.delete(KEY, stored.version_id)
    store.delete(KEY, stored.version_id)

    assert keys(store) == ["seg/other"]
    with pytest.raises(NotThere):
        store.get(KEY)
    put(store, KEY, b"second")
    assert store.get(KEY) == b"second"


def test_deleting_another_version_deletes_nothing(store: Store) -> None:
    put(store, KEY, b"first")

    store.delete(KEY, "2020-01-01T00:00:00.0000000Z")

    assert store.get(KEY) == b"first"


# --- keys ----------------------------------------------------------------------------------------

UNSAFE = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "a/../b",
    "../a",
    "a//b",
    "a/",
    "./a",
    "a/.",
    "a/.hidden",
    "a/dot.",
    "a\\b",
    "a\x00b",
    "a\nb",
    "c:/a",
    "a b",
    "A",
    "é",
    "a/" * 20 + "b",
    "a" * 201,
    "/".join(["a" * 150] * 5),
    "a?versionId=1",
    "a%2e%2e",
]


@pytest.mark.parametrize("key", UNSAFE)
def test_an_unsafe_key_is_refused_by_every_method(store: Store, key: str) -> None:
    for use in (
        lambda: put(store, key, b""),
        lambda: store.get(key),
        lambda: list(store.read(key)),
        lambda: store.head(key),
        lambda: store.delete(key, None),
        lambda: store.retain(key, None, in_days(1)),
    ):
        with pytest.raises(UnsafeKey):
            use()


@pytest.mark.parametrize("prefix", ["/", "../", "a/../", "a//", "a\\", ".hidden", "a\x00"])
def test_an_unsafe_prefix_is_refused(store: Store, prefix: str) -> None:
    with pytest.raises(UnsafeKey):
        list(store.list(prefix))


def test_the_longest_key_is_taken_by_every_store(store: Store) -> None:
    key = "/".join(["a" * 200] * 3 + ["b" * 97])
    put(store, key, b"1")

    assert keys(store) == [key]


# --- locks ---------------------------------------------------------------------------------------


def test_a_lock_is_set_and_read_back(locking: Store) -> None:
    until = in_days(30)

    stored = locking.put_if_absent(KEY, b"1", sha256(b"1"), retain_until=until, legal_hold=True)

    lock = locking.head(KEY).lock
    assert lock is not None
    assert (lock.mode, lock.hold) == (LockMode.COMPLIANCE, True)
    assert lock.until is not None
    assert timedelta(0) <= lock.until - until < timedelta(seconds=1)
    assert stored.version_id is not None


def test_an_object_without_a_lock_is_said_to_have_none(locking: Store) -> None:
    put(locking, KEY, b"1")

    assert locking.head(KEY).lock == Lock()


@pytest.mark.parametrize("how", ["date", "hold"])
def test_what_is_locked_is_not_deleted(locking: Store, how: str) -> None:
    stored = locking.put_if_absent(
        KEY,
        b"1",
        sha256(b"1"),
        retain_until=in_days(30) if how == "date" else None,
        legal_hold=how == "hold",
    )

    with pytest.raises(Locked):
        locking.delete(KEY, stored.version_id)

    assert locking.get(KEY) == b"1"
    assert [each.is_delete_marker for each in locking.list_versions()] == [False]


def test_what_is_not_locked_is_deleted_in_a_store_with_locks(locking: Store) -> None:
    stored = put(locking, KEY, b"1")

    locking.delete(KEY, stored.version_id)

    assert list(locking.list_versions()) == []


def test_a_lock_is_made_longer_and_never_shorter(locking: Store) -> None:
    stored = locking.put_if_absent(KEY, b"1", sha256(b"1"), retain_until=in_days(30))
    first = locking.head(KEY).lock
    assert first is not None

    assert locking.retain(KEY, stored.version_id, in_days(10)) == first
    longer = locking.retain(KEY, stored.version_id, in_days(60))

    assert longer == locking.head(KEY).lock
    assert longer.until is not None
    assert longer.until > in_days(59)


def test_what_had_no_lock_can_get_one(locking: Store) -> None:
    stored = put(locking, KEY, b"1")

    locking.retain(KEY, stored.version_id, in_days(5))

    with pytest.raises(Locked):
        locking.delete(KEY, stored.version_id)


def test_a_store_with_locks_says_so(locking: Store) -> None:
    found = locking.capabilities()

    assert (found.locks, found.versions, found.default_retention) == (True, True, None)


def test_a_lock_is_refused_with_a_hint_where_there_is_none(store: Store) -> None:
    """Azurite would take it in silence."""
    put(store, "other", b"1")
    for retain_until, legal_hold in ((in_days(1), False), (None, True)):
        with pytest.raises(Unsupported) as refused:
            store.put_if_absent(
                KEY, b"1", sha256(b"1"), retain_until=retain_until, legal_hold=legal_hold
            )
        assert KEY in str(refused.value)
        assert refused.value.hint or store.url == "memory"
    assert keys(store) == ["other"]
    with pytest.raises(Unsupported):
        store.retain("other", None, in_days(1))
    assert store.head("other").lock is None
    assert store.capabilities().locks is False


# --- faults on the way ---------------------------------------------------------------------------

UPLOADS = pytest.mark.parametrize("size", [1000, 20 * MB], ids=["small", "large"])


def proxy_of(place: Place) -> FaultProxy:
    assert place.faults is not None
    return place.faults


def content_of(size: int) -> bytes:
    return b"0123456789abcdef" * (size // 16)


def spoil_creation(place: Place, *faults: Fault) -> None:
    """Azure creates an object by the last request of a put; the blocks before it are no object."""
    creation = "comp=blocklist" if place.kind == "azure" else ""
    proxy_of(place).plan(*faults, method="PUT", path=creation)


def only_object_is(place: Place, content: bytes) -> None:
    store = place.open()
    assert [each.key for each in store.list_versions()] == [KEY]
    assert store.get(KEY) == content


@UPLOADS
@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.CUT_REQUEST, Fault.BUSY])
def test_a_put_survives_a_fault(remote: Place, fault: Fault, size: int) -> None:
    content = content_of(size)
    proxy_of(remote).plan(fault, method="PUT")

    stored = put(remote.open(), KEY, content)

    assert stored.size == len(content)
    assert [each.fault for each in proxy_of(remote).exchanges].count(fault) == 1
    only_object_is(remote, content)


def test_a_put_survives_a_server_that_is_silent_once(remote: Place) -> None:
    proxy_of(remote).plan(Fault.SILENCE, method="PUT")

    put(remote.open(), KEY, b"content")

    only_object_is(remote, b"content")


@UPLOADS
def test_a_put_whose_answer_is_lost_again_and_again_is_ours(remote: Place, size: int) -> None:
    content = content_of(size)
    spoil_creation(remote, Fault.LOSE_ANSWER, Fault.LOSE_ANSWER)

    put(remote.open(), KEY, content)

    assert [each.fault for each in proxy_of(remote).exchanges].count(Fault.LOSE_ANSWER) == 2
    only_object_is(remote, content)


def test_a_put_none_of_whose_answers_arrives_is_looked_up(remote: Place) -> None:
    spoil_creation(remote, *[Fault.LOSE_ANSWER] * 3)

    put(remote.open(), KEY, b"content")

    only_object_is(remote, b"content")


def test_a_put_that_cannot_be_looked_up_is_settled_by_another(remote: Place) -> None:
    store = remote.open()
    spoil_creation(remote, *[Fault.LOSE_ANSWER] * 3)
    proxy_of(remote).plan(*[Fault.BUSY] * 3, method="HEAD")
    with pytest.raises(Unreachable):
        put(store, KEY, b"content")

    with pytest.raises(AlreadyThere) as taken:
        put(store, KEY, b"content")

    assert taken.value.holds(7, sha256(b"content"))
    only_object_is(remote, b"content")


def test_a_lost_answer_does_not_hide_that_another_was_first(remote: Place) -> None:
    put(remote.open(), KEY, b"theirs")
    spoil_creation(remote, Fault.LOSE_ANSWER)

    with pytest.raises(AlreadyThere):
        put(remote.open(), KEY, b"ours")

    only_object_is(remote, b"theirs")


@UPLOADS
@pytest.mark.parametrize("fault", [Fault.CUT_ANSWER, Fault.LOSE_ANSWER, Fault.BUSY])
def test_a_response_that_breaks_off_is_resumed(remote: Place, fault: Fault, size: int) -> None:
    content = content_of(size)
    store = remote.open()
    put(store, KEY, content)
    proxy_of(remote).plan(fault, fault, method="GET")

    assert b"".join(store.read(KEY)) == content
    assert [each.fault for each in proxy_of(remote).exchanges].count(fault) == 2


def test_a_part_whose_response_breaks_off_is_resumed(remote: Place) -> None:
    content = content_of(MB)
    store = remote.open()
    put(store, KEY, content)
    proxy_of(remote).plan(Fault.CUT_ANSWER, method="GET")

    assert store.get(KEY, start=100, end=700_000) == content[100:700_000]


def test_a_listing_survives_faults(remote: Place) -> None:
    store = remote.open()
    put(store, KEY, b"1")
    proxy_of(remote).plan(Fault.CUT_ANSWER, Fault.BUSY, method="GET")

    assert keys(store) == [KEY]


def test_a_delete_whose_answer_is_lost_is_done(remote: Place) -> None:
    store = remote.open()
    stored = put(store, KEY, b"1")
    proxy_of(remote).plan(Fault.LOSE_ANSWER, method="DELETE")

    store.delete(KEY, stored.version_id)

    assert keys(store) == []


def test_a_server_that_stays_busy_is_unreachable(remote: Place) -> None:
    store = remote.open()
    proxy_of(remote).plan(*[Fault.BUSY] * 9, method="GET")
    proxy_of(remote).plan(*[Fault.BUSY] * 9, method="HEAD")
    proxy_of(remote).plan(*[Fault.BUSY] * 9, method="PUT")

    with pytest.raises(Unreachable):
        list(store.list())
    with pytest.raises(Unreachable):
        store.head(KEY)
    with pytest.raises(Unreachable):
        put(store, KEY, b"1")


# --- no answer, no permission --------------------------------------------------------------------

SECRET = "c2VjcmV0LWtleS1vZi1ub2JvZHk="
SIGNATURE = "sv=2024-01-01&sp=rl&sig=c2lnbmF0dXJlLW9mLW5vYm9keQ%3D%3D"


def everything_said(error: BaseException) -> str:
    assert isinstance(error, StoreError)
    return "".join([*traceback.format_exception(error), error.message, error.hint or ""])


@pytest.mark.parametrize(
    ("url", "endpoint", "variables"),
    [
        (
            "s3://bucket/a",
            "http://127.0.0.1:1",
            {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": SECRET},
        ),
        ("azblob://a/b/c", "http://127.0.0.1:1/a", {"AZURE_STORAGE_KEY": SECRET}),
        ("azblob://a/b/c", "http://127.0.0.1:1/a", {"AZURE_STORAGE_SAS_TOKEN": SIGNATURE}),
        (
            "azblob://a/b/c",
            None,
            {
                "AZURE_STORAGE_CONNECTION_STRING": "BlobEndpoint=http://127.0.0.1:1/a;"
                f"AccountName=a;SharedAccessSignature={SIGNATURE}"
            },
        ),
    ],
    ids=["s3", "azure key", "azure signature", "azure connection string"],
)
def test_no_server_is_unreachable_in_bounded_time_and_tells_no_secret(
    url: str, endpoint: str | None, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    options = StoreOptions(endpoint_url=endpoint, tries=3, connect_seconds=2, read_seconds=2)
    with open_store(url, options) as store:
        start = time.monotonic()
        for use in (lambda: put(store, KEY, b"1"), lambda: store.get(KEY), lambda: keys(store)):
            with pytest.raises(Unreachable) as failed:
                use()
            said = everything_said(failed.value)
            assert SECRET not in said
            assert "sig" not in said.replace("signal", "")
            assert store.url in said
        assert time.monotonic() - start < 45


def test_wrong_credentials_are_refused_and_not_told(
    remote: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AZURE_STORAGE_KEY", SECRET)
    store = remote.open()

    with pytest.raises(Refused) as refused:
        put(store, KEY, b"1")

    assert SECRET not in everything_said(refused.value)
    assert refused.value.hint


def test_no_credentials_are_a_refusal(remote: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises((Refused, ConfigError)) as refused:
        put(remote.open(), KEY, b"1")

    assert refused.value.hint


@pytest.mark.parametrize(
    ("use", "permission"),
    [
        (lambda store: put(store, KEY, b"1"), "s3:PutObject"),
        (lambda store: store.get("there"), "s3:GetObject"),
        (lambda store: store.head("there"), "s3:GetObject"),
        (lambda store: list(store.list()), "s3:ListBucket"),
        (lambda store: list(store.list_versions()), "s3:ListBucketVersions"),
        (lambda store: store.delete("there", None), "s3:DeleteObjectVersion"),
    ],
)
def test_s3_names_the_permission_that_is_missing(
    use: Callable[[Store], object],
    permission: str,
    s3_server: VersityGateway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = s3_server.new_bucket()
    for name, value in s3_server.new_user().items():
        monkeypatch.setenv(name, value)
    with open_store(f"s3://{bucket}", StoreOptions(endpoint_url=s3_server.url)) as store:
        with pytest.raises(Refused) as refused:
            use(store)

        assert refused.value.permission == permission
        assert refused.value.hint is not None
        assert permission in refused.value.hint
