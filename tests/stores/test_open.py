"""A store is named by a URL, in which there is no place for a secret."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from kcompliance.errors import UsageError
from kcompliance.stores import SCHEMES, StoreOptions, open_store


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://localhost{}"])
def test_a_folder_is_named_by_path_or_url(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "a b"

    named = quote(str(folder)) if "://" in form else str(folder)

    assert open_store(form.format(named)).url == str(folder)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///prefix",
        "azblob://account",
        "azblob://account/",
        "azblob:///container",
        "ftp://host/path",
        "s3:bucket",
        "s3:/bucket",
        "file://host/path",
        "file://",
        "s3://bucket/../other",
        "s3://bucket/a//b",
        "s3://bucket/a b",
        "s3://[bucket",
        "s3://bucket/" + "a/" * 200,
    ],
)
def test_what_names_no_store_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_store(url)

    assert refused.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:hunter2@bucket/a",
        "azblob://account/container?sig=hunter2",
        "https://account.blob.core.windows.net/container?sig=hunter2",
        "s3://bucket/a#hunter2",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_store(url)
    with pytest.raises(UsageError) as also_refused:
        open_store("s3://bucket", StoreOptions(endpoint_url=url))

    for error in (refused.value, also_refused.value):
        assert "hunter2" not in f"{error} {error.hint} {error.__cause__}"


@pytest.mark.parametrize(
    "options",
    [StoreOptions(endpoint_url="no url"), StoreOptions(region="no region")],
    ids=["endpoint", "region"],
)
def test_what_no_client_can_be_made_for_is_a_usage_error(options: StoreOptions) -> None:
    with pytest.raises(UsageError):
        open_store("s3://bucket", options)


def test_a_name_with_nul_is_no_store() -> None:
    with pytest.raises(UsageError):
        open_store("/tmp/a\x00b")


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UsageError):
        open_store(str(tmp_path / "file"))


def test_all_schemes_are_known() -> None:
    assert list(SCHEMES) == ["file", "s3", "azblob"]


def test_no_sdk_is_imported_for_a_folder() -> None:
    program = (
        "import sys; from kcompliance.stores import open_store; open_store('/tmp');"
        "print(*{'boto3', 'botocore', 'azure'} & {each.partition('.')[0] for each in sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert run.stdout.strip() == ""
