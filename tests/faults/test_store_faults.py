"""The archive's store does not answer, answers no, or is full."""

import os
from pathlib import Path

import pytest

from kcompliance.errors import ExitCode
from kcompliance.stores.interface import Unreachable
from tests.archive.event_source import EventSource, hours
from tests.archive.runs import Archiver
from tests.faults.places import RunPlace
from tests.faults.running import Trail, ended
from tests.servers.fault_proxy import Fault
from tests.servers.versitygw import VersityGateway

pytestmark = pytest.mark.integration

REMOTE = ["s3", "azure"]
WRITTEN = ["run/", "seg/", "log/", "cp/"]
DAY = hours(0, 6)


@pytest.fixture
def source() -> EventSource:
    source = EventSource()
    for hour in range(4):
        source.add(hour, *(f"{hour}-{number}" for number in range(5)))
    return source


# --- a server that fails ------------------------------------------------------------------------


@pytest.mark.parametrize("place", REMOTE, indirect=True)
@pytest.mark.parametrize("fault", Fault)
def test_what_is_tried_again_is_archived_once(
    place: RunPlace, source: EventSource, fault: Fault
) -> None:
    with place.open_through_proxy() as store, place.open() as plain:
        archiver = Archiver(store=store)
        assert place.proxy is not None
        for name in WRITTEN:
            place.proxy.plan(fault, method="PUT", path=name)
        place.proxy.plan(fault, method="GET", path="log")

        result = archiver.run(source, DAY)
        archiver.run(source, DAY)

        assert (result.docs, result.exit_code) == (20, ExitCode.GOOD)
        assert {each.fault for each in place.proxy.exchanges} == {fault, None}
        archiver.store = plain
        archiver.check(source.lines)


@pytest.mark.parametrize("place", REMOTE, indirect=True)
@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.BUSY])
def test_a_server_that_stays_out_of_reach_ends_the_run_and_the_next_one_makes_it_good(
    place: RunPlace, source: EventSource, name: str, fault: Fault
) -> None:
    """Where the answer was lost, what was put is there all the same."""
    with place.open_through_proxy() as store, place.open() as plain:
        archiver = Archiver(store=store, threads=1)
        archiver.run(source, hours(0, 1))
        assert place.proxy is not None
        place.proxy.plan(*[fault] * 2, method="PUT", path=name)
        if place.kind == "azure" or fault is Fault.LOSE_ANSWER:
            place.proxy.plan(*[fault] * 2, method="HEAD", path=name)

        with pytest.raises(Unreachable):
            archiver.run(source, DAY)

        archiver.store = plain
        archiver.run(source, DAY)
        archiver.check(source.lines)


# --- no right to write --------------------------------------------------------------------------


def test_who_may_only_read_a_bucket_is_refused(s3_server: VersityGateway, tmp_path: Path) -> None:
    bucket, user = s3_server.new_bucket(), s3_server.new_user()
    s3_server.allow(user, bucket, "s3:ListBucket", "s3:GetObject")
    place = RunPlace(
        kind="s3", url=f"s3://{bucket}/archive", endpoint=s3_server.url, environment=user
    )
    trail = Trail(folder=tmp_path, place=place, files=2)

    refused = trail.run()

    assert refused.code == 4
    assert "s3:PutObject" in refused.err
    assert user["AWS_SECRET_ACCESS_KEY"] not in refused.err
    assert left(trail) == []
    assert s3_server.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_folder_that_may_not_be_written_is_refused(trail: Trail) -> None:
    archive = Path(trail.place.url)
    archive.mkdir()
    archive.chmod(0o555)

    refused = trail.limited("permissions")

    assert refused.code == 4
    assert "may not write" in refused.err
    assert list(archive.iterdir()) == left(trail) == []
    archive.chmod(0o755)
    assert trail.run().code == 0
    trail.check()


def test_files_that_may_not_be_read_are_told_and_all_others_archived(trail: Trail) -> None:
    secret = trail.source / "audit-00003.log"
    content = secret.read_bytes().splitlines()
    secret.chmod(0)

    done = trail.limited("permissions")

    assert done.code == 3
    assert secret.name in done.out
    trail.lines = [line for line in trail.lines if line not in content]
    trail.check()


# --- no space -----------------------------------------------------------------------------------


def test_an_archive_that_is_full_keeps_nothing_in_part(trail: Trail) -> None:
    """The segments have room, but the records of their commit have not."""
    full = trail.limited("file-size=8000")

    assert full.code == 4
    assert 'no space for "log/' in full.err
    assert left(trail) == []
    assert [each for each in Path(trail.place.url).rglob(".partial-*")] == []
    done = trail.run("--format", "json")
    # The dead run's intent; its segments were found again and have become those of this one.
    assert (done.code, done.json["abandoned"]) == (0, 1)
    trail.check()


def test_a_spool_that_is_full_is_left_empty(trail: Trail) -> None:
    noise = os.urandom(300_000).hex().encode()
    (trail.source / "audit-00000.log").write_bytes(
        trail.lines[0][:-1] + b',"x":"' + noise + b'"}\n'
    )
    trail.lines[:3] = (trail.source / "audit-00000.log").read_bytes().splitlines()

    full = trail.limited("file-size=100000")

    assert full.code == 4
    assert f'no space in "{trail.spool}' in full.err
    assert "--spool" in full.err
    assert left(trail) == []
    assert trail.run().code == 0
    trail.check()


# --- nowhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", REMOTE, indirect=True)
def test_a_bucket_that_is_not_there_is_an_error(trail: Trail) -> None:
    nowhere = trail.place.url.replace("bucket-", "no-bucket-").replace("container-", "no-such-")
    command = trail.command()
    command[2] = nowhere

    refused = ended(trail.start(command))

    assert refused.code == 4
    assert nowhere.split("/")[-3] in refused.err or "there is no" in refused.err
    assert left(trail) == []
    assert not trail.trust_file.exists()


def left(trail: Trail) -> list[Path]:
    """What is in the spool."""
    return list(trail.spool.iterdir())
