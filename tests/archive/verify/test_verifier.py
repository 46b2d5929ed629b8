"""The verdicts of a whole archive: levels, memories, effects and causes, what may lie there."""

import os
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from kcompliance.archive.run_object import Intent, reference_to, write_intent
from kcompliance.archive.verify import OutsideResult, Request, Subset, Verification, verify
from kcompliance.archive.verify.findings import MOST_OF_A_CODE, Findings
from kcompliance.archive.verify.listing import Listing
from kcompliance.archive.verify.verifier import is_in
from kcompliance.archive.verify.windows import StreamWindows
from kcompliance.errors import ExitCode
from kcompliance.ledger import (
    AbandonedObject,
    AbandonedRecord,
    Fault,
    FindingCode,
    KeyRotationRecord,
    Period,
    Record,
    Require,
    Trust,
    WindowStatus,
    coverage,
    encode_record,
    log_name,
)
from kcompliance.model.digest import sha256
from kcompliance.stores.filesystem import FilesystemStore
from kcompliance.stores.interface import Entry, Unreachable
from kcompliance.stores.memory import MemoryStore
from tests.archive.building import (
    AUDIT,
    Builder,
    built,
    objects_of,
    store_of,
    window_at,
    window_record,
)
from tests.ledger.samples import (
    HOUR,
    JULY,
    NEXT_SIGNER,
    ORIGIN,
    RUN,
    SIGNER,
    ed25519_signer,
    file_window,
    window,
)


def verified(builder: Builder, *, trust: Trust | None = None, **asked: Any) -> Verification:
    request = Request(**{"trust": trust or builder.trust(), "as_of": builder.as_of, **asked})
    return verify(builder.store, request)


def codes(found: Verification) -> list[str]:
    return [each.code.value for each in found.findings]


# --- what a verdict rests on --------------------------------------------------------------------


def test_a_good_archive_with_a_pin() -> None:
    builder = built()

    found = verified(builder)

    assert found.exit_code is ExitCode.GOOD
    assert found.origin == ORIGIN
    assert found.checkpoint is not None
    assert (found.checkpoint.number, found.checkpoint.size) == (3, builder.pin.size)
    assert [(each.kind, each.result) for each in found.outside_memory] == [
        ("pin", OutsideResult.FITS)
    ]
    (stream,) = found.streams
    assert (stream.name, stream.windows, stream.docs, stream.gaps) == (AUDIT, 3, 8, ())
    assert (stream.start, stream.end) == (JULY, JULY + 3 * HOUR)


@pytest.mark.parametrize(
    ("trust", "expected"),
    [
        (None, ["UNTRUSTED_KEY"]),
        ("no pin", ["UNANCHORED"]),
        ("nothing required", []),
        ("two required", ["UNANCHORED"]),
    ],
)
def test_what_confirms_an_archive(trust: str | None, expected: list[str]) -> None:
    builder = built()
    given = {
        None: None,
        "no pin": builder.trust(pin=False),
        "nothing required": builder.trust(pin=False, require=Require(outside=0)),
        "two required": builder.trust(require=Require(outside=2)),
    }[trust]

    found = verify(builder.store, Request(trust=given, as_of=builder.as_of))

    assert codes(found) == expected
    assert found.exit_code is (ExitCode.INCOMPLETE if expected else ExitCode.GOOD)


def test_memories_that_nobody_here_can_check_are_told() -> None:
    builder = built()
    trust = replace(builder.trust(), tsas=({"name": "a"},), witnesses=({"vkey": "b"},))

    found = verified(builder, trust=trust)

    assert [(each.kind, each.result.value) for each in found.outside_memory] == [
        ("pin", "fits"),
        ("tsa", "not-checked"),
        ("witness", "not-checked"),
    ]


def test_a_rotated_key_signs_on() -> None:
    builder = built()
    trust = builder.trust(pin=False)
    rotation = KeyRotationRecord(vkey=NEXT_SIGNER.key, replaces=SIGNER.key, time=JULY)
    builder.commit(rotation, signers=(SIGNER, NEXT_SIGNER))
    builder.signers = (NEXT_SIGNER,)
    builder.archive(3)

    assert verified(builder, trust=replace(trust, pin=builder.pin)).findings == ()


# --- levels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "objects", "docs"),
    [(0, 8, 0), (1, 8, 0), (3, 15, 8), (4, 15, 8)],
)
def test_levels_read_more_and_more(level: int, objects: int, docs: int) -> None:
    found = verified(built(), level=level)

    assert found.findings == ()
    assert (found.checked.objects, found.checked.docs) == (objects, docs)
    if level >= 3:
        assert found.checked.bytes == sum(map(len, objects_of(built().store).values()))


@pytest.mark.parametrize("parts", [1, 2, 5, 50])
def test_the_parts_of_a_subset_are_every_object_once(parts: int) -> None:
    builder = built()
    subsets = [Subset(number, parts) for number in range(1, parts + 1)]

    found = [verified(builder, level=2, subset=subset) for subset in subsets]

    assert sum(each.checked.objects - 8 for each in found) == 7
    assert sum(each.checked.docs for each in found) == 8
    for key in objects_of(builder.store):
        assert sum(is_in(subset, key) for subset in subsets) == 1


def test_a_subset_finds_what_is_in_it() -> None:
    builder = built()
    objects = objects_of(builder.store)
    segment = builder.made[0]
    data = bytearray(objects[segment.key])
    data[20] ^= 1
    builder.store = store_of({**objects, segment.key: bytes(data)})

    found = [verified(builder, level=2, subset=Subset(number, 3)) for number in (1, 2, 3)]

    assert sorted(each.exit_code for each in found) == [0, 0, 1]
    assert verified(builder, level=1).exit_code is ExitCode.GOOD


@pytest.mark.parametrize(("level", "subset"), [(5, None), (-1, None), (2, None), (3, Subset(1, 2))])
def test_what_cannot_be_asked(level: int, subset: Subset | None) -> None:
    with pytest.raises(ValueError, match="level"):
        Request(trust=None, as_of=JULY, level=level, subset=subset)


@pytest.mark.parametrize(("number", "parts"), [(0, 3), (4, 3), (1, 0)])
def test_no_such_part(number: int, parts: int) -> None:
    with pytest.raises(ValueError, match="no part"):
        Subset(number, parts)


# --- what lies there besides --------------------------------------------------------------------

STRAYS = (
    "seg/prod/k8s-audit/2026/07/01/05/" + "0" * 64 + ".ndjson.zst",
    "meta/" + "0" * 64 + ".json.zst",
    "run/0190d2a4-0000-7000-8000-00000000ffff.json",
    "log/000000000009-" + "0" * 64 + ".ndjson",
)


@pytest.mark.parametrize("stray", STRAYS, ids=lambda stray: stray.partition("/")[0])
@pytest.mark.parametrize(
    ("age", "code"),
    [
        (timedelta(minutes=59), "UNCOMMITTED"),
        (timedelta(minutes=61), "UNEXPECTED_OBJECT"),
        (timedelta(minutes=-4), "UNCOMMITTED"),
        (timedelta(minutes=-6), "UNEXPECTED_OBJECT"),
    ],
    ids=["young", "old", "of a clock that is ahead", "of the future"],
)
def test_an_object_that_no_commit_names_yet(
    tmp_path: Path, stray: str, age: timedelta, code: str
) -> None:
    builder = built(FilesystemStore(tmp_path / "archive"))
    path = tmp_path / "archive" / stray
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"on its way")
    moment = (builder.as_of - age).timestamp()
    os.utime(path, (moment, moment))

    found = verified(builder)

    assert [(each.code.value, each.object) for each in found.findings] == [(code, stray)]
    expected = ExitCode.INCOMPLETE if code == "UNCOMMITTED" else ExitCode.FINDINGS
    assert found.exit_code is expected


@pytest.mark.parametrize("name", ["cp/000000000009.ckpt", "notes.txt", "anchor/000000000001.tsr"])
def test_nothing_else_has_time_to_be_explained(tmp_path: Path, name: str) -> None:
    builder = built(FilesystemStore(tmp_path / "archive"))
    path = tmp_path / "archive" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"young")
    moment = builder.as_of.timestamp()
    os.utime(path, (moment, moment))

    assert verified(builder).exit_code is ExitCode.FINDINGS


def _left(key: str, data: bytes) -> AbandonedRecord:
    left = AbandonedObject(key=key, size=len(data), sha256=sha256(data))
    return AbandonedRecord(stream=AUDIT, run=RUN, objects=(left,))


@pytest.mark.parametrize("stray", STRAYS, ids=lambda stray: stray.partition("/")[0])
def test_an_object_that_a_dead_run_left_is_explained(stray: str) -> None:
    builder = built()
    builder.put(stray, b"half")
    builder.commit(_left(stray, b"half"))

    found = verified(builder)
    assert found.findings == ()

    builder.store.delete(stray, None)
    assert verified(builder).findings == ()

    builder.put(stray, b"flah")
    assert codes(verified(builder)) == ["UNEXPECTED_OBJECT"]
    assert codes(verified(builder, level=1)) == []
    builder.store.delete(stray, None)
    builder.put(stray, b"more than half")
    assert codes(verified(builder, level=1)) == ["UNEXPECTED_OBJECT"]


@pytest.mark.parametrize("first", ["abandoned", "referenced"])
def test_a_reference_wins_over_an_abandonment(first: str) -> None:
    builder = built()
    window = window_at(3)
    (segment,) = builder.segments(window)
    data = builder.store.get(segment.key)
    left = _left(segment.key, data)
    builder.commit(left if first == "abandoned" else segment)
    builder.commit(segment if first == "abandoned" else left)
    builder.commit(window_record(window, [segment]))
    assert verified(builder).findings == ()

    builder.store.delete(segment.key, None)
    assert codes(verified(builder)) == ["SEGMENT_MISSING"]

    builder.put(segment.key, data[:-1] + b"x")
    assert codes(verified(builder)) == ["SEGMENT_MODIFIED"]


def test_a_foreign_checkpoint_is_told_once_and_the_archive_goes_on() -> None:
    builder = built()
    builder.put("cp/000000000004.ckpt", b"not ours")
    assert builder.end is not None
    builder.archive(3)

    found = verified(builder)

    assert builder.end.number == 5
    told = [(each.code.value, each.object) for each in found.findings]
    (batch,) = (entry.key for entry in builder.store.list("log/000000000004-"))
    assert told == [
        ("CHECKPOINT_MALFORMED", "cp/000000000004.ckpt"),
        ("UNEXPECTED_OBJECT", batch),  # which the next run explains as left behind
    ]


# --- effects and causes -------------------------------------------------------------------------


def test_what_follows_from_lost_records_says_so() -> None:
    builder = built()
    (key,) = (entry.key for entry in builder.store.list("log/000000000002-"))
    builder.store.delete(key, None)

    found = verified(builder)

    assert [(each.code.value, each.object) for each in found.causes] == [("LEAF_MISSING", key)]
    effects = {each.code.value for each in found.findings if each.caused_by == key}
    assert effects == {"UNEXPECTED_OBJECT", "WINDOW_GAP"}
    assert len(found.findings) == 4


def test_a_pin_is_compared_with_a_checkpoint_whose_records_are_lost() -> None:
    builder = built()
    (key,) = (entry.key for entry in builder.store.list("log/000000000003-"))
    builder.store.delete(key, None)
    other = replace(builder.trust(), pin=replace(builder.pin, root=bytes(32)))

    assert [each.result for each in verified(builder).outside_memory] == [OutsideResult.FITS]
    found = verified(builder, trust=other)
    assert {each.code.value for each in found.causes} == {"FORK_VS_PIN", "LEAF_MISSING"}


def test_records_that_cannot_be_read_make_nothing_suspicious() -> None:
    builder = built()
    objects = objects_of(builder.store)
    (unread,) = (name for name in objects if name.startswith("log/000000000002-"))

    class Unreadable(MemoryStore):
        def get(
            self, key: str, *, start: int = 0, end: int | None = None, version: str | None = None
        ) -> bytes:
            if key == unread:
                raise Unreachable("no answer")
            return super().get(key, start=start, end=end, version=version)

    builder.store = store_of(objects, Unreadable())

    found = verified(builder)

    assert [(each.code.value, each.object) for each in found.findings] == [("READ_FAILED", unread)]
    assert found.exit_code is ExitCode.COULD_NOT_RUN


def test_a_later_kcompliance_may_explain_what_this_one_does_not_know() -> None:
    builder = built()
    builder.put("anchor/000000000003.tsr", b"a token")
    assert codes(verified(builder)) == ["UNEXPECTED_OBJECT"]

    builder.commit_raw(b'{"type":"anchor","v":1}')

    found = verified(builder)
    assert codes(found) == ["UNSUPPORTED_RECORD", "UNSUPPORTED_RECORD"]
    assert found.exit_code is ExitCode.INCOMPLETE


def test_a_later_kcompliance_may_have_pruned() -> None:
    builder = built()
    builder.store.delete(builder.made[0].key, None)
    assert verified(builder).exit_code is ExitCode.FINDINGS

    builder.commit_raw(b'{"type":"prune","v":1}')

    found = verified(builder)
    assert found.exit_code is ExitCode.INCOMPLETE
    assert {each.object for each in found.findings} >= {builder.made[0].key}


def test_a_later_kcompliance_may_bring_in_segments_that_this_one_does_not_know() -> None:
    builder = built()
    (segment,) = builder.segments(window_at(3))
    builder.store.delete(segment.key, None)
    newer = encode_record(segment).replace(b'"v":1', b'"v":2')
    builder.commit_raw(newer, encode_record(window_record(window_at(3), [segment])))

    assert codes(verified(builder)) == ["UNSUPPORTED_RECORD"]


def test_settings_that_two_commits_name_are_read_once() -> None:
    builder = built()
    again = next(iter(builder.store.list("meta/")))
    record = replace(builder_metadata(), key=again.key)
    builder.commit(record)

    found = verified(builder)

    assert found.findings == ()
    assert found.checked.objects == 15 + 3


def builder_metadata() -> Any:
    return Builder(store=MemoryStore()).metadata()


# --- windows and their segments -----------------------------------------------------------------


def test_the_order_of_records_in_the_log_does_not_matter() -> None:
    builder = built()
    window = window_at(3)
    made = builder.segments(window)
    builder.commit(window_record(window, made))
    builder.commit(*made)

    assert verified(builder).findings == ()


def test_a_window_names_a_segment_that_no_record_brings_in() -> None:
    builder = built()
    window = window_at(3)
    (segment,) = builder.segments(window)
    builder.store.delete(segment.key, None)
    builder.commit(window_record(window, [segment]))

    found = verified(builder)

    assert [(each.code.value, each.object) for each in found.findings] == [
        ("SEGMENT_MISSING", segment.key)
    ]


def _fewer(builder: Builder) -> None:
    window = window_at(3)
    (segment,) = builder.segments(window, docs=5)
    record = window_record(window, [segment])
    part = replace(record.partitions[0], expected=6, written=6)
    builder.commit(segment, replace(record, docs=6, partitions=(part,)))


def _of_another_window(builder: Builder) -> None:
    (segment,) = builder.segments(window_at(3), docs=5)
    builder.commit(segment, window_record(window_at(4), [segment]), window_record(window_at(3)))


@pytest.mark.parametrize("contradict", [_fewer, _of_another_window])
def test_records_that_contradict_each_other(contradict: Any) -> None:
    builder = built()
    contradict(builder)

    found = verified(builder)

    assert codes(found) == ["LEAF_MALFORMED"]
    assert found.findings[0].object == log_name(4, builder.pin.root)


def test_two_windows_name_one_segment() -> None:
    builder = built()
    (segment,) = builder.segments(window_at(3))
    record = window_record(window_at(3), [segment])
    builder.commit(segment, record, replace(record, rev=1))

    found = verified(builder)

    assert [(each.code.value, each.object) for each in found.findings] == [
        ("SEGMENT_MISSING", segment.key)
    ]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (0, 1, 3, 2), (2, 3, 1, 0)])
def test_equal_segments_of_two_windows(order: tuple[int, ...]) -> None:
    builder = built()
    lines = [b'{"_id":"twin"}']
    one, other = (builder.segments(window_at(hour), lines=lines)[0] for hour in (3, 4))
    assert one.sha256 == other.sha256
    windows = [window_record(window_at(3), [one]), window_record(window_at(4), [other])]
    records: list[Record] = [one, other, *windows]
    builder.commit(*(records[place] for place in order))

    assert verified(builder).findings == ()


def test_rows_of_windows_are_judged_as_the_ledger_judges_their_records() -> None:
    records = [window(hour, docs=hour % 3) for hour in (0, 1, 2, 4, 5, 5)]
    records += [window(1, rev=1), window(1, rev=3), window(9, hours=2)]
    records += [
        replace(window(20, docs=0), status=WindowStatus.SOURCE_MISSING, partitions=()),
        replace(window(0), start=None, end=None),
    ]
    files = [
        file_window(0, 100),
        file_window(100, 250),
        file_window(300, 400),
        file_window(50, 60, file=b"b"),
        file_window(0, 50, file=b"b"),
    ]
    for chosen in (records, files, [*records, *files]):
        row = StreamWindows(AUDIT)
        for record in chosen:
            row.add(record)
        ours, theirs = row.coverage, coverage(AUDIT, chosen)

        assert set(ours.faults) == set(theirs.faults)
        assert (ours.start, ours.end) == (theirs.start, theirs.end)
        assert [(each.start, each.docs, each.late) for each in ours.windows] == [
            (each.start, each.docs, each.late) for each in theirs.windows
        ]
        assert row.docs == sum(each.docs for each in chosen)


# --- intents ------------------------------------------------------------------------------------


def _intent(signer: Any, **changed: Any) -> Intent:
    intent = Intent(
        id=UUID(int=77),
        origin=ORIGIN,
        stream=AUDIT,
        windows=(),
        time=JULY,
        actor="somebody",
        tool="kcompliance/0.1.0",
    )
    return replace(intent, **changed)


@pytest.mark.parametrize(
    ("signer", "changed", "reason"),
    [
        (NEXT_SIGNER, {}, "no trusted key signed it"),
        (SIGNER, {"origin": ORIGIN[:-1] + "1"}, "not the intent"),
    ],
)
def test_an_intent_that_its_commit_names_but_that_is_none(
    signer: Any, changed: dict[str, Any], reason: str
) -> None:
    builder = built()
    intent = _intent(signer, **changed)
    data = write_intent(intent, [replace_name(signer, intent.origin)])
    builder.put("run/00000000-0000-0000-0000-00000000004d.json", data)
    builder.commit(run=reference_to(intent, data))

    found = verified(builder)

    assert codes(found) == ["RUN_MODIFIED"]
    assert reason in found.findings[0].detail


def replace_name(signer: Any, origin: str) -> Any:
    return ed25519_signer(origin, seed=2 if signer is NEXT_SIGNER else 1)


def test_an_intent_that_its_signer_wrote_anew() -> None:
    builder = built()
    intent = _intent(SIGNER)
    data = write_intent(intent, [SIGNER])
    key = f"run/{intent.id}.json"
    builder.put(key, data)
    builder.commit(run=reference_to(intent, data))
    assert verified(builder).findings == ()

    builder.store.delete(key, None)
    builder.put(key, write_intent(replace(intent, actor="nobody in particular"), [SIGNER]))

    assert codes(verified(builder)) == ["RUN_MODIFIED"]


def test_an_intent_of_another_run() -> None:
    builder = built()
    intent = _intent(SIGNER)
    data = write_intent(intent, [SIGNER])
    other = UUID(int=78)
    builder.put(f"run/{other}.json", data)
    builder.commit(run=replace(reference_to(intent, data), id=other))

    assert codes(verified(builder)) == ["RUN_MODIFIED"]


# --- bounds -------------------------------------------------------------------------------------


def test_verify_never_writes() -> None:
    builder = built(MemoryStore(locks=True), retain=Period(years=1))

    class ReadOnly(MemoryStore):
        sealed = False

        def put_if_absent(self, *arguments: Any, **options: Any) -> Any:
            assert not self.sealed
            return super().put_if_absent(*arguments, **options)

        def delete(self, key: str, version: str | None) -> None:
            raise AssertionError(key)

        def retain(self, key: str, version: str | None, until: datetime) -> Any:
            raise AssertionError(key)

    store = ReadOnly()
    store_of({**objects_of(builder.store), "stray": b"", builder.made[0].key: b"x"}, store)
    store.sealed = True
    builder.store = store

    assert verified(builder, level=4, live=True).exit_code is ExitCode.FINDINGS


def test_a_listing_of_many_objects_takes_little_memory() -> None:
    count = 50_000
    entries = (
        Entry(
            key=f"seg/prod/k8s-audit/2026/07/01/00/{number:064x}.ndjson.zst",
            size=number,
            version_id=None,
            modified=datetime.fromtimestamp(number, UTC),
        )
        for number in range(count)
    )
    tracemalloc.start()
    try:
        listing = Listing.of(entries, lambda key: None)
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert size < 250 * count
    found = listing.find(f"seg/prod/k8s-audit/2026/07/01/00/{777:064x}.ndjson.zst")
    assert found is not None
    assert (found.size, found.modified) == (777, datetime.fromtimestamp(777, UTC))
    assert listing.find("seg/prod") is None


@pytest.mark.parametrize("marker", [True, False], ids=["marker", "no version is the latest"])
def test_a_lone_name_without_content_to_see_is_hidden(marker: bool) -> None:
    entry = Entry(
        key="cp/000000000001.ckpt",
        size=0,
        version_id="1",
        modified=JULY,
        is_latest=marker,
        is_delete_marker=marker,
    )

    (listed,) = Listing.of([entry], lambda key: None)

    assert listed.is_hidden
    assert listed.contents == (() if marker else (entry,))


def test_a_store_that_lists_out_of_order_is_read_all_the_same() -> None:
    builder = built()

    class Unordered(MemoryStore):
        def list(self, prefix: str = "") -> Any:
            return reversed(list(super().list(prefix)))

    builder.store = store_of(objects_of(builder.store), Unordered())

    assert verified(builder).findings == ()


def test_findings_are_bounded() -> None:
    findings = Findings()
    for number in range(MOST_OF_A_CODE + 5):
        findings.add(Fault(code=FindingCode.UNEXPECTED_OBJECT, detail="x", object=f"{number:06d}"))
        findings.add(Fault(code=FindingCode.STALE, detail="the same"))

    result = findings.result()

    assert len(result) == MOST_OF_A_CODE + 2
    assert "5 more" in next(each.detail for each in result if each.object is None)


def test_findings_come_in_one_order_the_gravest_first() -> None:
    faults = [
        Fault(code=FindingCode.WINDOW_GAP, detail="", stream="a/b"),
        Fault(code=FindingCode.READ_FAILED, detail="", object="x"),
        Fault(code=FindingCode.UNEXPECTED_OBJECT, detail="", object="b"),
        Fault(code=FindingCode.UNEXPECTED_OBJECT, detail="", object="a"),
        Fault(code=FindingCode.SEGMENT_MODIFIED, detail="", object="z", caused_by="y"),
        Fault(code=FindingCode.SEGMENT_MODIFIED, detail="", object="y"),
    ]
    expected = [
        ("SEGMENT_MODIFIED", "y"),
        ("UNEXPECTED_OBJECT", "a"),
        ("UNEXPECTED_OBJECT", "b"),
        ("READ_FAILED", "x"),
        ("WINDOW_GAP", None),
        ("SEGMENT_MODIFIED", "z"),
    ]
    for order in (faults, faults[::-1]):
        findings = Findings()
        findings.extend(order)
        assert [(each.code.value, each.object) for each in findings.result()] == expected


def test_what_is_found_elsewhere_joins() -> None:
    found = verified(built())
    fault = Fault(code=FindingCode.SEGMENT_MODIFIED, detail="counted anew", object="x")

    assert found.joined([fault]).exit_code is ExitCode.FINDINGS
    assert found.exit_code is ExitCode.GOOD
