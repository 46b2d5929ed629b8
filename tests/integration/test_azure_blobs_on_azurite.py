"""Audit records in Azure's own emulator of Blob storage, which is asked with a token."""

import http.client
import json
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from kcompliance.model.finding import Status
from kcompliance.model.reading import Kind, Raw
from tests.azure_rm import blob_documents, documents
from tests.azure_rm.blob_documents import CONTAINER, PREFIX, blob, event, record_lines, sample
from tests.azure_rm.documents import STORAGE, setting
from tests.azure_rm.scanning import live_and_from_bundle
from tests.azure_rm.server import AzureOnLoopback
from tests.captures import NOW
from tests.servers.azurite import ACCOUNT, Azurite
from tests.servers.pki import Pki

pytestmark = pytest.mark.integration

PLACE = STORAGE.replace("auditlogs", ACCOUNT)


class AzuriteWithTokens(Azurite):
    """Azurite behind TLS, where it takes tokens too."""

    def __init__(self, folder: Path, pki: Pki) -> None:
        super().__init__(folder)
        self._pki = pki

    def command(self) -> list[str]:
        """With a certificate."""
        files = ("--cert", self._pki.serving_certificate, "--key", self._pki.serving_key)
        return [*super().command(), *map(str, files), "--oauth", "basic"]

    def owner(self) -> BlobServiceClient:
        """A client with all rights."""
        named: dict[str, str] = {"account_name": ACCOUNT, "account_key": self.key}
        url = f"https://127.0.0.1:{self.port}/{ACCOUNT}"
        ca = str(self._pki.ca_certificate)
        return BlobServiceClient(url, credential=named, connection_verify=ca)

    def _is_healthy(self) -> bool:
        context = ssl.create_default_context(cafile=str(self._pki.ca_certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context)
        try:
            connection.request("GET", self.health)
            return connection.getresponse().status < 500
        except OSError:
            return False
        finally:
            connection.close()


@pytest.fixture
def azurite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzuriteWithTokens]:
    with (
        AzureOnLoopback(tmp_path / "azure") as azure,
        AzuriteWithTokens(tmp_path / "azurite", azure.pki) as running,
    ):
        azure.environment(monkeypatch)
        address = f"https://127.0.0.1:{running.port}"
        monkeypatch.setenv("KCOMPLIANCE_AZURE_BLOB_STORAGE", address)
        azure.usual(setting("kube-audit", workspace=None, storage=PLACE))
        azure.put(documents.account(PLACE))
        yield running


def test_hours_and_the_end_of_the_newest_are_read(
    azurite: AzuriteWithTokens, tmp_path: Path
) -> None:
    now = blob(NOW)
    lines = record_lines(sample(now, *(event(NOW, number) for number in range(3))))
    filling = record_lines(sample(now, event(NOW, 99, requestURI="/" + "x" * 60_000)))
    with azurite.owner() as owner:
        container = owner.create_container(CONTAINER)
        for hour in range(3):
            name = PREFIX + blob(NOW - timedelta(hours=hour))["name"]
            client = container.get_blob_client(name)
            client.create_append_blob()
            for _ in range(20 if hour == 0 else 1):
                client.append_block(filling)
            client.append_block(lines)
        container.get_blob_client(
            PREFIX + "y=2026/m=01/d=15/h=10/m=00/PT1H.json"
        ).create_append_blob()

    scan = live_and_from_bundle(tmp_path)

    (hours,), (read,) = scan.captures(Kind.AZURE_BLOB_HOURS), scan.captures(Kind.AZURE_BLOB_SAMPLE)
    assert isinstance(hours, Raw)
    assert isinstance(read, Raw)
    told = json.loads(hours.content)["blobs"]
    assert [each["name"][:22] for each in told] == [
        f"y=2026/m=01/d=15/h=0{hour}/" for hour in (7, 8, 9)
    ]
    assert told[-1]["size"] > 1024 * 1024
    records = json.loads(read.content)["records"]
    assert 10 < len(records) < 23  # of which the blob has 23
    assert records[-1]["properties"]["log"]["auditID"].endswith("2")
    assert scan.statuses("KC-CMP-008", "questions") == [Status.PASS]
    assert scan.statuses("KC-CMP-012", "gaps") == [Status.PASS]


def test_before_the_first_record_there_is_no_container(
    azurite: AzuriteWithTokens, tmp_path: Path
) -> None:
    scan = live_and_from_bundle(tmp_path)

    assert scan.reason("KC-RET-002") == "it holds no audit record"
    assert blob_documents.CONTAINER not in scan.reason("KC-CMP-011", "fresh")
