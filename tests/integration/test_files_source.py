"""Files as a source, as real writers write them: kube-apiserver, S3 and Azure's emulator."""

import dataclasses
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from kcompliance.archive.files import FilesOptions, FileSource
from kcompliance.archive.interface import NothingToArchive, SourceError, SourceRefused
from kcompliance.stores import StoreOptions
from tests.archive.files.trail import START, STREAM, Run, event, events, source_of
from tests.servers.azurite import ACCOUNT, Azurite
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.kube_apiserver import KubeApiServer
from tests.servers.versitygw import VersityGateway

pytestmark = pytest.mark.integration

# --- kube-apiserver -----------------------------------------------------------------------------

EVERYTHING = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def write_much(server: KubeApiServer, first: int, last: int) -> None:
    """About a megabyte of events each, half of it what the server answers."""
    for number in range(first, last + 1):
        body = {"metadata": {"name": f"much-{number}"}, "data": {"text": "audit " * 80_000}}
        assert server.request("POST", CONFIG_MAPS, body)[0] == 201


def trail_of(server: KubeApiServer) -> Counter[bytes]:
    """All lines of all its audit log files."""
    lines: Counter[bytes] = Counter()
    for path in server.folder.glob("audit*.log*"):
        content = path.read_bytes()
        plain = gzip.decompress(content) if path.suffix == ".gz" else content
        lines.update(plain.splitlines(keepends=True))
    return lines


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_the_files_of_a_kube_apiserver_are_archived_once_while_it_rotates_them(
    kube_apiserver: StartKubeApiServer, compress: bool
) -> None:
    server = kube_apiserver(
        audit_policy=EVERYTHING,
        extra_args=["--audit-log-maxsize=1", f"--audit-log-compress={str(compress).lower()}"],
    )
    # Beside its audit logs lie its own log, its keys and a policy.
    run, source = Run(), source_of(server.folder, line_bytes=8 * 1024 * 1024)
    for number in range(4):
        run.once(source)
        write_much(server, 2 * number, 2 * number + 1)
    server.stop()
    run.once(source)

    trail = trail_of(server)
    assert len(list(server.folder.glob("audit-*.log*"))) >= 4
    assert Counter(run.content.splitlines(keepends=True)) == trail
    assert sum(page.docs for page in run.pages) == sum(trail.values())
    assert run.faults() == []
    assert source.troubles == ()
    received = [json.loads(line)["requestReceivedTimestamp"] for line in trail]
    first = min(record.start for record in run.records if record.start)
    last = max(record.end for record in run.records if record.end)
    assert (first.isoformat()[:19], last.isoformat()[:19]) == (
        min(received)[:19],
        max(received)[:19],
    )
    assert run.once(source) == 0


# --- stores -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket or container of its own in which somebody else writes."""

    url: str
    options: StoreOptions
    append: Callable[[str, bytes], None]

    def source(self, path: str = "") -> FileSource:
        url = f"{self.url}/{path}".removesuffix("/")
        return FileSource(FilesOptions(locations=(url,), store=self.options, window_bytes=20_000))


@pytest.fixture(params=["s3", "azure"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with ExitStack() as running:
        if request.param == "s3":
            yield s3_bucket(request.getfixturevalue("s3_server"), monkeypatch, running)
        else:
            yield azure_container(request.getfixturevalue("azurite_server"), monkeypatch, running)


def s3_bucket(
    server: VersityGateway, monkeypatch: pytest.MonkeyPatch, running: ExitStack
) -> Bucket:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    name, client = server.new_bucket(), server.client()
    running.callback(client.close)
    written: dict[str, bytes] = {}

    def append(key: str, content: bytes) -> None:
        written[key] = written.get(key, b"") + content
        client.put_object(Bucket=name, Key=key, Body=written[key])

    options = StoreOptions(endpoint_url=server.url, tries=2, read_seconds=5)
    return Bucket(url=f"s3://{name}", options=options, append=append)


def azure_container(server: Azurite, monkeypatch: pytest.MonkeyPatch, running: ExitStack) -> Bucket:
    monkeypatch.setenv("AZURE_STORAGE_KEY", server.key)
    name, service = server.new_container(), running.enter_context(server.service())

    def append(key: str, content: bytes) -> None:
        blob = service.get_blob_client(name, key)
        if not blob.exists():
            blob.create_append_blob()
        if content:
            blob.append_block(content)

    options = StoreOptions(endpoint_url=server.url, tries=2, read_seconds=5)
    return Bucket(url=f"azblob://{ACCOUNT}/{name}", options=options, append=append)


def record(number: int) -> bytes:
    """What AKS's diagnostic setting makes of an event; the time is the record's own."""
    inner = event(number)
    text = {
        "category": "kube-audit",
        "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "properties": {"log": inner.decode(), "stream": "stdout", "pod": "kube-apiserver-0"},
        "resourceId": "/SUBSCRIPTIONS/0/RESOURCEGROUPS/MC_(X)/PROVIDERS/MICROSOFT.CONTAINERSERVICE",
        "time": f"{json.loads(inner)['requestReceivedTimestamp'][:-1]}0Z",
    }
    return json.dumps(text).encode() + b"\n"


def records(first: int, last: int) -> bytes:
    return b"".join(record(number) for number in range(first, last + 1))


AKS = (
    "resourceId=/SUBSCRIPTIONS/00000000-0000-4000-8000-000000000000/RESOURCEGROUPS/MC_(X)_y.z"
    "/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PROD/y=2026/m=07/d=01/h={:02}/m=00/PT1H.json"
)
SAFE = "insights-logs/y=2026/m=07/d=01/h={:02}/m=00/pt1h.json"
NAMES = [pytest.param(SAFE, id="lower-case"), pytest.param(AKS, id="aks")]


@pytest.mark.parametrize("name", NAMES)
def test_blobs_that_grow_are_archived_up_to_their_last_whole_line(
    bucket: Bucket, name: str
) -> None:
    bucket.append(name.format(0), records(0, 99))
    bucket.append(name.format(1), records(100, 110) + record(111)[:40])
    bucket.append(name.format(2), b"")
    run = Run()
    with bucket.source() as source:
        run.once(source)
        assert run.content == records(0, 110)

        bucket.append(name.format(1), record(111)[40:])
        bucket.append(name.format(2), records(112, 120))
        run.once(source)
        assert source.troubles == ()
        assert run.once(source) == 0
    assert run.content == records(0, 120)
    assert run.faults() == []
    assert run.records[0].start == run.pages[0].first
    assert (run.pages[0].first, run.pages[-1].last) == (
        START,
        START + timedelta(seconds=120),
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_url_may_name_a_folder_of_a_cluster_or_one_object(bucket: Bucket, name: str) -> None:
    bucket.append(name.format(0), records(0, 9))
    bucket.append(name.format(1), gzip.compress(records(10, 19)))
    bucket.append("elsewhere/audit.log", events(500, 501))
    for path, wanted in [
        (name.partition("/y=")[0], records(0, 19)),
        (name.format(0), records(0, 9)),
        (name.format(1), records(10, 19)),
    ]:
        run = Run()
        with bucket.source(path) as source:
            run.once(source)
            assert source.url == f"{bucket.url}/{path}"
            assert source.binding(STREAM).source.patterns == (f"{bucket.url}/{path}",)
        assert run.content == wanted


def test_nothing_below_a_url_is_an_error(bucket: Bucket) -> None:
    with bucket.source("nowhere/at-all") as source, pytest.raises(NothingToArchive):
        Run().plan(source)
    with bucket.source() as source, pytest.raises(NothingToArchive):
        Run().plan(source)
    gone = dataclasses.replace(bucket, url=f"{bucket.url}-gone")
    with gone.source() as source, pytest.raises(NothingToArchive):
        Run().plan(source)


def test_an_object_whose_name_cannot_be_read_is_told(bucket: Bucket) -> None:
    bucket.append("logs/a.log", records(0, 1))
    bucket.append("logs/b\u0085.log", records(2, 3))
    run = Run()
    with bucket.source() as source:
        run.once(source)
        assert run.content == records(0, 1)
        (trouble,) = source.troubles
    assert isinstance(trouble, SourceError)
    assert trouble.message.isprintable()


def test_credentials_that_are_wrong_are_refused(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.append("logs/a.log", records(0, 1))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    monkeypatch.setenv("AZURE_STORAGE_KEY", "d3Jvbmctc2VjcmV0")
    with bucket.source() as source, pytest.raises(SourceRefused) as raised:
        Run().plan(source)
    assert "wrong" not in f"{raised.value.message} {raised.value.hint}"


def test_an_s3_reader_needs_to_list_and_to_get_and_no_more(
    s3_server: VersityGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, user, client = s3_server.new_bucket(), s3_server.new_user(), s3_server.client()
    client.put_object(Bucket=bucket, Key="logs/audit.log", Body=events(0, 99))
    client.close()
    s3_server.allow(user, bucket, "s3:ListBucket", "s3:GetObject")
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    run = Run()
    options = StoreOptions(endpoint_url=s3_server.url)
    location = f"s3://{bucket}/logs"
    with FileSource(FilesOptions(locations=(location,), store=options)) as source:
        run.once(source)
    assert run.content == events(0, 99)


def test_a_file_and_a_bucket_are_one_stream(bucket: Bucket, tmp_path: Path) -> None:
    bucket.append("logs/audit-1.log", events(0, 9))
    (tmp_path / "audit.log").write_bytes(events(10, 19))
    (tmp_path / "audit-1.log").write_bytes(events(0, 9))
    locations = (str(tmp_path), f"{bucket.url}/logs")
    run = Run()
    with FileSource(FilesOptions(locations=locations, store=bucket.options)) as source:
        assert run.once(source) == 2
    assert run.content == events(0, 19)
