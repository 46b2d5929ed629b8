"""Runs over Elasticsearch and OpenSearch: killed, at once, or refused; events go on to arrive."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.archive.check_archive import CheckedArchive
from tests.archive.elasticsearch.archiving import make_index, send
from tests.faults.places import RunPlace, run_place
from tests.faults.running import STREAM, Trail, ended
from tests.servers.search_server import SearchServer

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)
HOURS = 24
PRODUCTS = ["elasticsearch", "opensearch"]


class SearchTrail(Trail):
    """Events of a day in indices of two shards, and the place of their archive."""

    def __init__(self, folder: Path, place: RunPlace, server: SearchServer) -> None:
        super().__init__(folder=folder, place=place, files=0)
        self.server = server
        self.index = f"audit-{uuid4().hex[:12]}"
        self.begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 48 * HOUR
        self.draw = random.Random(0)
        self.indices = 0
        self.grow(200)

    def grow(self, files: int) -> None:
        """So many more events at any time of the day, in a new index and an old one."""
        self.indices += 1
        make_index(self.server, f"{self.index}-{self.indices}", shards=2)
        for index in {self.indices, self.draw.randint(1, self.indices)}:
            self._send(f"{self.index}-{index}", files)

    def _send(self, index: str, count: int) -> None:
        events = {}
        for _ in range(count):
            received = self.begin + self.draw.random() * HOURS * HOUR
            name = str(len(self.lines))
            text = {"auditID": name, "requestReceivedTimestamp": received.isoformat()}
            events[name] = json.dumps(text, separators=(",", ":")).encode()
            self.lines.append(key_of(name, events[name]))
        send(self.server, index, events)

    def command(
        self, *more: str | Path, stream: str = STREAM, write_trust: bool = True
    ) -> list[str]:
        """The arguments of a run."""
        where = ["--elasticsearch", self.server.url, "--index", f"{self.index}-*"]
        bounds = [self.begin, self.begin + HOURS * HOUR]
        when = [
            text for pair in zip(["--from", "--to"], map(str, bounds), strict=True) for text in pair
        ]
        with_files = super().command(*more, stream=stream, write_trust=write_trust)
        place = with_files.index("--files")
        return [*with_files[:place], *with_files[place + 2 :], *where, *when]

    def check(self, **options: object) -> CheckedArchive:
        """Everything is archived once, and everything that lies there is explained."""
        return super().check(seen=archived_key, **options)


def key_of(name: str, source: bytes) -> bytes:
    return name.encode() + b" " + source


def archived_key(line: bytes) -> bytes:
    """What of a line does not depend on the server: its name and its source."""
    head, _, source = line.partition(b',"_source":')
    name: str = json.loads(head + b"}")["_id"]
    return key_of(name, source[:-1])


@pytest.fixture
def trail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SearchTrail]:
    """Its parameters: a kind of place, and a kind of search server."""
    kind, product = request.param
    server: SearchServer = request.getfixturevalue(product)
    for place in run_place(kind, request):
        yield SearchTrail(tmp_path, place, server)


def kill_several_times(trail: SearchTrail, seed: int) -> None:
    draw = random.Random(seed)
    steps = {"folder": 220, "s3": 60}[trail.place.kind]
    killed = 0
    for tries in range(9):
        if tries >= 3 and killed:
            break  # a run may end before the step that was drawn
        step = draw.randint(1, steps)
        died = trail.dying(draw.choice(["after:", ""]) + str(step))
        assert died.killed or died.code == 0, died
        killed += died.killed
        trail.grow(draw.choice([1, 20]))
    assert killed

    done = trail.run("--format", "json")

    assert done.code == 0, done.err
    windows = trail.check().windows
    revisions = Counter(each.start for each in windows)
    assert len(revisions) == HOURS
    assert trail.run("--format", "json").json["docs"] == 0


@pytest.mark.parametrize(
    ("trail", "seed"),
    [(("folder", "elasticsearch"), 0), (("s3", "elasticsearch"), 1), (("s3", "opensearch"), 2)],
    indirect=["trail"],
    ids=["folder-elasticsearch", "s3-elasticsearch", "s3-opensearch"],
)
def test_runs_that_are_killed_lose_no_event(trail: SearchTrail, seed: int) -> None:
    kill_several_times(trail, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "trail",
    [("folder", "elasticsearch"), ("s3", "elasticsearch"), ("folder", "opensearch")],
    indirect=True,
    ids=["folder-elasticsearch", "s3-elasticsearch", "folder-opensearch"],
)
def test_runs_that_are_killed_lose_no_event_ever(trail: SearchTrail, seed: int) -> None:
    kill_several_times(trail, seed + 10)


@pytest.mark.parametrize(
    "trail", [("folder", "elasticsearch")], indirect=True, ids=["elasticsearch"]
)
def test_two_runs_at_once_while_events_arrive(trail: SearchTrail) -> None:
    running = [trail.start(trail.command()) for _ in range(2)]
    trail.grow(20)
    codes = [ended(process).code for process in running]

    assert set(codes) <= {0, 3}
    assert trail.run().code == 0
    trail.check()


REFUSED = {
    "end before start": ((5, 3), "is not before --to"),
    "nothing between": ((5, 5), "is not before --to"),
    "off the grid": ((5.5, 7), "is not a bound of windows"),
    "too young": ((5, 49), "events may still arrive"),
    "no time zone": ((None, 7), "has no time zone"),
}


@pytest.mark.parametrize(("hours", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize(
    "trail", [("folder", "elasticsearch")], indirect=True, ids=["elasticsearch"]
)
def test_bounds_that_cannot_be_are_refused_before_anything_is_written(
    trail: SearchTrail, hours: tuple[float | None, float], message: str
) -> None:
    first, last = hours
    start = "2026-07-01T00:00:00" if first is None else str(trail.begin + first * HOUR)
    bounds = ["--from", start, "--to", str(trail.begin + last * HOUR)]

    refused = ended(trail.start([*trail.command(), *bounds, "--format", "json"]))

    assert refused.code == refused.json["exit_code"] == 2
    assert message in refused.json["error"]["message"]
    assert list(trail.spool.iterdir()) == []
    assert not trail.trust_file.exists()
    assert not Path(trail.place.url).exists()
