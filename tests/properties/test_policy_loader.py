"""The policy loader never raises, whatever it is given, and knows on which line each rule is."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.audit_policy import (
    Loaded,
    NotRead,
    PolicyEvaluator,
    Refused,
    lint_policy,
    load_policy,
)
from kcompliance.model.go_tree import MAX_BYTES
from kcompliance.model.kubernetes_version import KubernetesVersion
from tests.properties.bent_texts import bent

SAMPLES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in (Path(__file__).parents[1] / "samples" / "policies").glob("*.yaml")
}
VERSIONS = (None, KubernetesVersion(1, 33), KubernetesVersion(1, 36))
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"


def assert_answers(data: bytes) -> None:
    """One of the three answers, complete and the same each time; what was loaded can be used."""
    for version in VERSIONS:
        answer = load_policy(data, version)
        assert answer == load_policy(data, version)
        match answer:
            case Refused(reasons=reasons):
                assert all(reasons)
                assert reasons
            case NotRead(reason=reason):
                assert reason
            case Loaded(policy=policy):
                lines = data.count(b"\n") + data.count(b"\r") + 1
                assert policy.rules
                assert all(1 <= rule.line <= lines for rule in policy.rules)
                lint_policy(answer, version)
                PolicyEvaluator(policy)


# --- nothing raises --------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    assert_answers(data)
    assert_answers(HEAD.encode() + b"rules:\n- level: None\n" + data)


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert_answers(data)
    assert_answers(HEAD.encode() + b"rules: " + data)
    assert_answers(b'{"apiVersion": "audit.k8s.io/v1", "rules": [{"level": ' + data + b"}]}")


@given(st.sampled_from(sorted(SAMPLES)), st.integers(0), st.sampled_from(["utf-8", "utf-16"]))
def test_no_accident_raises(name: str, seed: int, encoding: str) -> None:
    assert_answers(bent(SAMPLES[name], random.Random(seed)).encode(encoding))


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_no_file_that_was_cut_off_raises(name: str, data: st.DataObject) -> None:
    whole = SAMPLES[name].encode()
    assert_answers(whole[: data.draw(st.integers(0, len(whole)))])


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param(b" " * (MAX_BYTES + 1), NotRead, id="too large"),
        pytest.param(b"#" * MAX_BYTES, Refused, id="one long comment"),
        pytest.param(b"[" * MAX_BYTES, NotRead, id="brackets"),
        pytest.param(b'{"a":' * (MAX_BYTES // 5), NotRead, id="braces"),
        pytest.param(b"- " * (MAX_BYTES // 2), NotRead, id="dashes"),
        pytest.param(b"? " * (MAX_BYTES // 2), NotRead, id="question marks"),
        pytest.param(b"&a " * (MAX_BYTES // 3), Refused, id="anchors"),
        pytest.param(b"a: &a [*a]\n", Refused, id="an anchor in itself"),
        pytest.param(b"-" * MAX_BYTES, Refused, id="one long word"),
        pytest.param(
            b"a0: &a0 [x, x]\n"
            + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (i, i, i - 1, i - 1) for i in range(1, 60)),
            Refused,
            id="aliases of aliases",
        ),
        pytest.param(
            HEAD.encode() + b"rules:\n" + b"-\n" * 50_000 + b"- level: None\n",
            Refused,
            id="dashes on many lines",
        ),
        pytest.param(
            HEAD.encode() + b"rules:\n-" + b"\n" * 400_000 + b"  level: None\n",
            Loaded,
            id="a rule far below its dash",
        ),
    ],
)
@pytest.mark.timeout(60)  # seconds are enough for any of them; what is quadratic takes minutes
def test_hostile_files_are_answered_in_time(data: bytes, answer: type) -> None:
    assert isinstance(load_policy(data), answer)


# --- documents -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("", "---\nrules: []\n", 5),
        ("# first\n---\n", "# more\n---\n# and\nkind: Policy\n", 8),
        ("%YAML 1.1\n---\n", "...\n---\na: b\n", 8),
        ("", "---\n--- # nothing\n--- text\n", 7),
        ("", "--- {kind: Policy}\n", 5),
    ],
)
def test_a_second_document_is_told_of(before: str, after: str, line: int) -> None:
    """The server reads the first and says nothing, whatever its author thought."""
    loaded = load_policy(f"{before}{HEAD}rules:\n- level: None\n{after}".encode())

    assert isinstance(loaded, Loaded)
    assert [(each.line, each.message) for each in loaded.warnings] == [
        (line, f"a second document, of which nothing is read (line {line})")
    ]


@pytest.mark.parametrize("before", ["", "---\n", "# first\n---\n", "\n%YAML 1.1\n---\n"])
@pytest.mark.parametrize("after", ["", "---\n", "...\n", "---\n# end\n\n...\n", "  # ---\n"])
def test_one_document_is_no_second_one(before: str, after: str) -> None:
    loaded = load_policy(f"{before}{HEAD}rules:\n- level: None\n{after}".encode())

    assert isinstance(loaded, Loaded)
    assert loaded.warnings == ()


# --- lines -----------------------------------------------------------------------------------

INDENTATION = st.integers(0, 4)
FILLERS = st.lists(
    st.sampled_from(["", "   ", "# - level: None", "  # -", "#", "      # rules:"]), max_size=2
)
FIELDS = [
    "verbs: [get]",
    "users: ['-', \"- a\"]",
    "omitStages: []",
    "omitManagedFields: true",
    "namespaces: [a,\n  b]",
    "resources:\n- group: apps\n-\n  resources: [pods]",
]
BEFORE = st.sampled_from(
    [
        "",
        "---\n",
        "%YAML 1.1\n---\n",
        "# rules:\n# - level: None\n",
        "metadata:\n  annotations:\n    note: |\n      rules:\n      - level: None\n",
        "metadata:\n  annotations:\n    note: a\n\n      - b\n",
        "omitStages:\n- Panic\n-\n  RequestReceived\n",
        'metadata: {name: "a\n\n  - b"}\n',
    ]
)
AFTER = st.sampled_from(
    ["", "omitStages:\n- Panic\n", "omitManagedFields: true\n", "# - level: None\n", "...\n- x\n"]
)


@st.composite
def policies_in_block_style(draw: st.DrawFn) -> tuple[str, list[int]]:
    """A policy, and the lines of the dashes of its rules."""
    lines = [*draw(BEFORE).splitlines(), *HEAD.splitlines(), "rules:"]
    margin = " " * draw(INDENTATION)
    dashes = []
    for _ in range(draw(st.integers(1, 4))):
        lines += draw(FILLERS)
        more = draw(st.lists(st.sampled_from(FIELDS), unique=True))
        fields = draw(st.permutations(["level: Metadata", *more]))
        dashes.append(len(lines) + 1)
        opening = draw(st.sampled_from(["- ", "-   ", "-", "-   # alone", "- &a", "- !!map"]))
        if opening.endswith(" "):
            inner = margin + " " * len(opening)
            lines += [margin + opening + fields[0].replace("\n", "\n" + inner)]
            fields = fields[1:]
        else:
            inner = margin + " " * draw(st.integers(1, 4))
            lines += [margin + opening, *draw(FILLERS)]
        lines += [inner + field.replace("\n", "\n" + inner) for field in fields]
        lines = "\n".join(lines).split("\n")
    return "\n".join([*lines, draw(AFTER)]), dashes


@given(
    policies_in_block_style(),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_the_line_of_a_rule_is_that_of_its_dash(
    policy: tuple[str, list[int]], line_end: str, encoding: str
) -> None:
    text, dashes = policy

    loaded = load_policy(text.replace("\n", line_end).encode(encoding))

    assert isinstance(loaded, Loaded), loaded
    assert [rule.line for rule in loaded.policy.rules] == dashes


@pytest.mark.parametrize(
    ("sample", "lines"),
    [
        ("dashes-and-comments", [8, 15, 23, 29, 33]),
        ("anchors", [6, 14, 20]),
        ("flow-style", [6, 7, 8, 10]),  # no dashes: where the rule begins
        ("json", [6, 7, 12, 13]),
    ],
)
def test_lines_of_the_samples(sample: str, lines: list[int]) -> None:
    loaded = load_policy(SAMPLES[sample].encode())

    assert isinstance(loaded, Loaded)
    assert [rule.line for rule in loaded.policy.rules] == lines
