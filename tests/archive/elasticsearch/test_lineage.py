"""Whether a window without events is empty, or what held them is gone."""

from datetime import UTC, datetime, timedelta

import pytest

from kcompliance.archive.elasticsearch.indices import Index
from kcompliance.archive.elasticsearch.lineage import missing_among
from kcompliance.archive.interface import ArchivedStream, ArchivedWindow, Window
from kcompliance.ledger import StreamName, WindowStatus

DAY = timedelta(days=1)
FIRST = datetime(2026, 7, 1, tzinfo=UTC)


def day(number: int) -> Window:
    return Window(start=FIRST + number * DAY, end=FIRST + (number + 1) * DAY)


DAYS = [day(number) for number in range(6)]


def index(name: str, created: int | None, uuid: str = "u") -> Index:
    moment = None if created is None else FIRST + created * DAY
    return Index(name=name, uuid=uuid, shards=1, copied=False, created=moment, most_hits=10_000)


def archived(*days: int, uuid: str = "gone") -> ArchivedStream:
    windows = {
        day(number): ArchivedWindow(
            window=day(number),
            rev=0,
            status=WindowStatus.SEALED,
            docs=1,
            max_seq_no={(uuid, 0): 5},
        )
        for number in days
    }
    return ArchivedStream(stream=StreamName("prod/audit"), windows=windows)


NEW = archived()


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        (".ds-logs-audit-2026.07.04-000001", False),
        (".ds-logs-audit-2026.07.04-000002", True),
        (".ds-logs-audit-000017", True),  # OpenSearch
        ("partial-.ds-logs-audit-2026.07.04-000002", True),
        ("audit-2026.07.04-000002", False),
    ],
)
def test_a_data_stream_without_its_beginning_is_missing_before_the_rest(
    name: str, cut: bool
) -> None:
    found = missing_among(DAYS, [index(name, 3)], {}, NEW)
    assert found == (set(DAYS[:3]) if cut else set())


def test_events_older_than_their_index_are_a_sign_of_it() -> None:
    """Reindexed or restored: the index was made later than what it holds."""
    name = ".ds-logs-audit-2026.07.04-000002"
    found = missing_among(DAYS, [index(name, 3)], {name: FIRST + 1.5 * DAY}, NEW)
    assert found == {DAYS[0]}


def test_each_data_stream_is_looked_at_by_itself() -> None:
    indices = [
        index(".ds-logs-old-2026.06.01-000001", -30, "a"),
        index(".ds-logs-cut-2026.07.03-000009", 2, "b"),
    ]
    assert missing_among(DAYS, indices, {}, NEW) == set(DAYS[:2])


def test_what_was_archived_from_indices_that_are_all_gone_leaves_a_hole_until_the_next() -> None:
    found = missing_among(DAYS[2:], [index("audit-5", 4)], {}, archived(0, 1))
    assert found == {DAYS[2], DAYS[3]}


def test_before_the_archive_begins_nothing_is_known() -> None:
    assert missing_among(DAYS[:2], [index("audit-5", 4)], {}, archived(2)) == set()


def test_one_index_that_is_still_there_tells_that_nothing_is_gone() -> None:
    indices = [index("audit-1", 0, "kept"), index("audit-5", 4)]
    assert missing_among(DAYS[2:], indices, {}, archived(0, 1, uuid="kept")) == set()


def test_a_new_stream_over_plain_indices_misses_nothing() -> None:
    assert missing_among(DAYS, [index("audit-5", 4)], {}, NEW) == set()


def test_where_the_age_of_an_index_is_unknown_nothing_is_claimed() -> None:
    name = ".ds-logs-audit-2026.07.04-000002"
    assert missing_among(DAYS, [index(name, None)], {}, NEW) == set()
