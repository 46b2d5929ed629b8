"""What only Azure Blob Storage has. Azurite shows neither versions nor locks: see the module."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import ContainerClient, generate_container_sas

from kcompliance.errors import ConfigError
from kcompliance.model.digest import sha256
from kcompliance.stores import Store, StoreOptions, open_store
from kcompliance.stores.interface import (
    AlreadyThere,
    Damaged,
    Refused,
    Unknown,
    Unsupported,
)
from tests.servers.azurite import ACCOUNT, Azurite

pytestmark = pytest.mark.integration

KEY = "seg/one"
MB = 1024 * 1024


@pytest.fixture
def container(azurite_server: Azurite) -> Iterator[ContainerClient]:
    with azurite_server.service() as service:
        yield service.get_container_client(azurite_server.new_container())


@pytest.fixture
def store(
    container: ContainerClient, azurite_server: Azurite, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    monkeypatch.setenv("AZURE_STORAGE_KEY", azurite_server.key)
    options = StoreOptions(endpoint_url=azurite_server.url)
    with open_store(f"azblob://{ACCOUNT}/{container.container_name}/archive", options) as store:
        yield store


def put(store: Store, content: bytes) -> None:
    store.put_if_absent(KEY, content, sha256(content))


def test_blocks_that_somebody_left_behind_are_no_object(
    store: Store, container: ContainerClient
) -> None:
    container.get_blob_client(f"archive/{KEY}").stage_block("left-behind", b"half of something")

    assert list(store.list()) == []


def test_an_upload_that_stopped_is_done_again(store: Store) -> None:
    """A process that dies leaves blocks without a commit."""
    with pytest.raises(Damaged):
        store.put_if_absent(KEY, b"x" * 9 * MB, sha256(b"cut short"))

    put(store, b"y" * 10)

    assert store.get(KEY) == b"y" * 10


def test_content_that_was_changed_behind_our_back_is_damage(
    store: Store, container: ContainerClient
) -> None:
    put(store, b"ours")
    blob = container.get_blob_client(f"archive/{KEY}")
    metadata = blob.get_blob_properties().metadata
    blob.upload_blob(b"0urs", overwrite=True, metadata=metadata)

    with pytest.raises(Damaged, match="sha256"):
        store.get(KEY)


def test_an_object_of_somebody_else_has_no_digest(store: Store, container: ContainerClient) -> None:
    container.get_blob_client(f"archive/{KEY}").upload_blob(b"theirs")

    assert store.head(KEY).sha256 is None
    assert store.get(KEY) == b"theirs"
    with pytest.raises(AlreadyThere) as taken:
        put(store, b"theirs")
    assert (taken.value.size, taken.value.sha256) == (6, None)


def test_the_emulator_has_no_locks_and_says_so(store: Store) -> None:
    found = store.capabilities()

    assert found.locks is False
    assert found.default_retention is None
    assert isinstance(found.versions, Unknown)


def test_a_server_that_ignores_the_encryption_scope_is_found_out(
    container: ContainerClient, azurite_server: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", azurite_server.key)
    options = StoreOptions(endpoint_url=azurite_server.url, encryption_scope="archives")
    with (
        open_store(f"azblob://{ACCOUNT}/{container.container_name}", options) as store,
        pytest.raises(Unsupported, match="not encrypted"),
    ):
        put(store, b"1")


def signature(container: ContainerClient, server: Azurite, permission: str) -> str:
    return generate_container_sas(
        ACCOUNT,
        container.container_name,
        account_key=server.key,
        permission=permission,
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )


def test_a_signature_is_enough_to_write_and_read(
    container: ContainerClient, azurite_server: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", signature(container, azurite_server, "rlcw"))
    options = StoreOptions(endpoint_url=azurite_server.url)
    with open_store(f"azblob://{ACCOUNT}/{container.container_name}", options) as store:
        put(store, b"1")

        assert [each.key for each in store.list()] == [KEY]
        assert store.get(KEY) == b"1"
        assert isinstance(store.capabilities().locks, Unknown)


def test_a_signature_for_reading_is_refused_to_write(
    container: ContainerClient, azurite_server: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signature(container, azurite_server, "rl")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", token)
    options = StoreOptions(endpoint_url=azurite_server.url)
    with open_store(f"azblob://{ACCOUNT}/{container.container_name}", options) as store:
        with pytest.raises(Refused) as refused:
            put(store, b"1")

        assert (refused.value.permission or "").endswith("/blobs/write")
        assert token.rpartition("sig=")[2] not in f"{refused.value} {refused.value.hint}"
        assert list(store.list()) == []


def test_a_lock_is_refused_where_one_may_not_ask_for_it(
    container: ContainerClient, azurite_server: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", signature(container, azurite_server, "rlcw"))
    options = StoreOptions(endpoint_url=azurite_server.url)
    with open_store(f"azblob://{ACCOUNT}/{container.container_name}", options) as store:
        with pytest.raises(Refused) as refused:
            store.put_if_absent(KEY, b"1", sha256(b"1"), legal_hold=True)

        assert (refused.value.permission or "").endswith("/containers/read")
        assert list(store.list()) == []


def test_a_connection_string_is_enough(
    container: ContainerClient, azurite_server: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING",
        f"AccountName={ACCOUNT};AccountKey={azurite_server.key};BlobEndpoint={azurite_server.url}",
    )
    with open_store(f"azblob://{ACCOUNT}/{container.container_name}") as store:
        put(store, b"1")

        assert store.get(KEY) == b"1"


def test_an_endpoint_that_is_named_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=c2VjcmV0")

    with pytest.raises(ConfigError, match="twice"):
        open_store("azblob://a/b", StoreOptions(endpoint_url="https://other.example/a"))


def test_without_anything_in_the_environment_the_identity_of_the_machine_is_used() -> None:
    """Only that it is opened, with nobody asked yet: there is no such identity here."""
    with open_store("azblob://account/container/archive") as store:
        assert store.url == "azblob://account/container/archive"


@pytest.mark.parametrize(
    "connection",
    [
        "nonsense",
        "AccountName=other;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1:1/other",
        "AccountKey=c2VjcmV0",
    ],
)
def test_a_connection_string_that_does_not_fit_is_refused_and_not_told(
    connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)

    with pytest.raises(ConfigError) as refused:
        open_store(f"azblob://{ACCOUNT}/container")

    assert "c2VjcmV0" not in f"{refused.value} {refused.value.hint} {refused.value.__cause__}"
