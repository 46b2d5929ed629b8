"""What is approved of clouds and stores: its form in kcompliance.lock, and what changed of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.approval.approved import WrongLock, read_lock, write_lock
from kcompliance.model.approval.clouds import (
    ApprovedCloudV1,
    ApprovedShippingV1,
    changed_destinations,
    changed_logs,
)
from kcompliance.model.approval.difference import compare_approvals
from kcompliance.model.approval.documents import (
    Document,
    TooDeep,
    canonical_document,
    changed_document,
    document_sha256,
    is_canonical,
)
from kcompliance.model.approval.stores import (
    ApprovedDocumentV1,
    ApprovedStoreV1,
    changed_store,
    unchanged_notes,
)
from kcompliance.model.reading import Kind
from tests.approvals import approved
from tests.captures import SOUND_POLICY, raw

POLICY = raw(Kind.AUDIT_POLICY, "node/etc/kubernetes/audit-policy.yaml", SOUND_POLICY)
ILM, PIPELINE = "ILM policy audit", "ingest pipeline k8s"


def document(name: str, value: Any) -> ApprovedDocumentV1:
    canonical = canonical_document(value)
    return ApprovedDocumentV1(name=name, sha256=document_sha256(canonical), canonical=canonical)


def store(*documents: ApprovedDocumentV1, **governed: tuple[tuple[str, ...], ...]) -> Any:
    ways = {name.replace("_", " "): each for name, each in governed.items()}
    return ApprovedStoreV1(name="https://es", governed=ways, documents=documents)


AGED = document(ILM, {"phases": {"delete": {"min_age": "270d", "actions": {"delete": {}}}}})
STORE = store(AGED, data_stream_a=((ILM,),))
CLOUD = ApprovedCloudV1(
    id="arn:prod",
    settings=(
        ApprovedShippingV1(name="a", logs=("audit",), destinations=("workspace x",)),
        ApprovedShippingV1(name="b", logs=("audit", "guard"), destinations=("workspace x", "hub")),
    ),
)


def target(**parts: Any) -> Any:
    before = approved(POLICY)
    return type(before)(
        **{name: getattr(before, name) for name in before.__struct_fields__} | parts
    )


LOCK = write_lock({"c": target(clouds=(CLOUD,), stores=(STORE,), policies=())})


def bent(*path: str | int, value: Any) -> bytes:
    found = json.loads(LOCK)
    at = found["targets"]["c"]
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return json.dumps(found).encode()


# --- the lock ------------------------------------------------------------------------------------


def test_what_is_written_is_read_and_written_alike() -> None:
    read = read_lock(LOCK.encode())

    assert write_lock(read.targets) == LOCK
    assert read.targets["c"].clouds == (CLOUD,)
    assert read.targets["c"].stores == (STORE,)


def test_a_lock_of_before_stays_readable_and_is_written_as_it_was() -> None:
    old = write_lock({"c": approved(POLICY)})

    assert "clouds" not in old
    assert "stores" not in old
    assert read_lock(old.encode()).targets["c"].stores == ()


_DOCUMENT = ("stores", 0, "documents", 0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bent("clouds", value=[]), None),
        (
            bent("clouds", value=json.loads(LOCK)["targets"]["c"]["clouds"] * 2),
            "stands there twice",
        ),
        (bent("clouds", 0, "settings", 1, "name", value="a"), "a setting of arn:prod stands"),
        (bent("clouds", 0, "colour", value="red"), "unknown field `colour`"),
        (bent("stores", value=json.loads(LOCK)["targets"]["c"]["stores"] * 2), "a store stands"),
        (bent(*_DOCUMENT, "canonical", "phases", value={}), "does not have its sha256"),
        (bent(*_DOCUMENT, "canonical", "phases", value=True), "not in canonical form"),
        (bent(*_DOCUMENT, "canonical", "phases", value=30), "the number 30"),
        (bent(*_DOCUMENT, "canonical", "phases", value="\ud800"), "not in canonical form"),
        (bent(*_DOCUMENT, "sha256", value="0" * 64), "does not have its sha256"),
        (
            LOCK.replace('"270d"', "[" * 90 + "]" * 90).encode(),
            "not in canonical form",
        ),
        (LOCK.replace('"270d"', "[" * 50_000 + "]" * 50_000).encode(), "nested too deeply"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_hold_together_is_refused(data: bytes, words: str | None) -> None:
    if words is None:
        read_lock(data)
        return
    with pytest.raises(WrongLock, match=words):
        read_lock(data)


# --- documents -----------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text("ab1", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=12,
)


@given(value=_JSON)
def test_the_canonical_form_is_one_and_has_no_number(value: Any) -> None:
    canonical = canonical_document(value)

    assert is_canonical(canonical)
    assert canonical_document(canonical) == canonical
    assert json.loads(json.dumps(canonical)) == canonical


@given(before=_JSON, now=_JSON)
def test_a_difference_is_told_exactly_where_the_digests_differ(before: Any, now: Any) -> None:
    old, new = canonical_document(before), canonical_document(now)

    assert bool(list(changed_document(old, new))) == (document_sha256(old) != document_sha256(new))


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        ({"a": {"b": "270d"}}, {"a": {"b": "30d"}}, ["a.b: 270d → 30d"]),
        ({"a": "1"}, {"b": None}, ["a: 1 → not there", "b: not there → nothing"]),
        (["x", "y"], ["y"], ["[0]: x → not there"]),
        ({"p": ["x", "y"]}, {"p": ["new", "x", "y"]}, ["p[0]: not there → new"]),
        ({"p": [{"k": "1"}, "y"]}, {"p": [{"k": "2"}, "y"]}, ["p[0].k: 1 → 2"]),
        (["x"] * 600, ["y"] * 600, [": 600 entries → 600 entries, which are others"]),
        ("a", None, ["the whole: a → nothing"]),
        ("a" * 100, "b", [f"the whole: {'a' * 79}… → b"]),
    ],
)
def test_changes_are_told_by_where_they_are(
    before: Document, now: Document, lines: list[str]
) -> None:
    assert list(changed_document(before, now)) == lines


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = "x"
    for _ in range(70):
        deep = [deep]

    with pytest.raises(TooDeep):
        canonical_document(deep)


# --- clouds --------------------------------------------------------------------------------------


def test_logs_and_destinations_are_told_apart() -> None:
    now = ApprovedCloudV1(
        id=CLOUD.id,
        settings=(
            ApprovedShippingV1(name="a", logs=("audit",), destinations=("workspace y",)),
            ApprovedShippingV1(name="b", logs=("audit",), destinations=("hub", "workspace x")),
        ),
    )

    assert list(changed_logs(CLOUD, now)) == ["b: guard is no longer shipped"]
    assert list(changed_destinations(CLOUD, now)) == ["a: workspace x → workspace y"]
    assert list(changed_logs(CLOUD, ApprovedCloudV1(id=CLOUD.id, settings=()))) == [
        "a: audit is no longer shipped",
        "b: audit is no longer shipped",
        "b: guard is no longer shipped",
    ]


# --- stores --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (store(AGED, data_stream_a=((ILM,), (ILM,))), ()),
        (store(AGED, data_stream_a=((ILM,), ("no lifecycle",))), ("some are governed by no",)),
        (store(AGED, data_stream_a=(("no lifecycle",), (ILM,))), (f"{ILM} → no lifecycle",)),
        (store(AGED, data_stream_a=((ILM,),), data_stream_b=((ILM,),)), ()),
        (
            store(AGED, data_stream_a=((ILM,),), data_stream_b=(("no lifecycle",),)),
            ("data stream b: was not there, and is governed by no lifecycle",),
        ),
        (store(AGED), ("data stream a: no longer there",)),
        (store(AGED, document(PIPELINE, {}), data_stream_a=((ILM,),)), (f"{PIPELINE}: was not",)),
        (store(document(ILM, None), data_stream_a=((ILM,),)), (f"{ILM}: the whole: ",)),
        (store(data_stream_a=((ILM,),)), (f"{ILM}: is no longer there",)),
    ],
)
def test_what_became_of_a_store(now: ApprovedStoreV1, words: tuple[str, ...]) -> None:
    lines = list(changed_store(STORE, now))

    assert len(lines) == len(words)
    assert all(
        line.startswith(word) or word in line for line, word in zip(lines, words, strict=True)
    )


def test_what_no_index_has_any_more_is_told_by_what_governs_instead() -> None:
    before = store(
        AGED, document(PIPELINE, {}), data_stream_a=((ILM,), (ILM, f"default {PIPELINE}"))
    )

    assert list(changed_store(before, STORE)) == []
    assert list(changed_store(before, store(data_stream_a=(("no lifecycle",),)))) == [
        f"data stream a: {ILM} → no lifecycle"
    ]


def test_a_stream_more_that_is_governed_alike_is_a_note() -> None:
    now = store(AGED, data_stream_a=((ILM,),), data_stream_b=((ILM,),))

    (note,) = unchanged_notes(STORE, now)
    assert note.startswith("data stream b: was not there")


def test_one_approval_after_another_tells_of_clouds_and_stores() -> None:
    before = target(clouds=(CLOUD,), stores=(STORE,))
    other = store(document(ILM, {"phases": {}}), data_stream_a=((ILM,),))

    changes = compare_approvals(before, target(clouds=(CLOUD,), stores=(other,)))
    first = compare_approvals(approved(POLICY), before)
    gone = compare_approvals(before, target(policies=()))

    assert changes.lines == changes.stores
    assert "phases.delete" in changes.stores[0]
    assert first.clouds == ("arn:prod: approved for the first time",)
    assert (*gone.clouds, *gone.stores) == (
        "arn:prod: approved no longer",
        "https://es: approved no longer",
    )
