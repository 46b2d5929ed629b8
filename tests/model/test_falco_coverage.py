"""Which writes Falco's rules report. All rules here are our own."""

import pytest

from kcompliance.model.falco.conditions import Unclear, parse_condition
from kcompliance.model.falco.coverage import FalcoCoverage, reports_writes
from kcompliance.model.falco.rules import NotFalcoRules, is_falco_rules, read_falco_rules

POLICY = "/etc/kubernetes/audit-policy.yaml"
LOG = "/var/log/kubernetes/audit/audit.log"
MOVES = (
    "modify and (fs.path.name startswith /etc/kubernetes/ or fs.path.source startswith "
    "/etc/kubernetes/ or fs.path.target startswith /etc/kubernetes/)"
)


def _rule(condition: str, name: str = "A", **more: str) -> str:
    keys = {"desc": "d", "output": "o", "priority": "WARNING", **more}
    rest = "".join(f"  {key}: {value}\n" for key, value in keys.items())
    return f"- rule: {name}\n  condition: >\n    {condition}\n{rest}"


def _reports(*files: str, path: str = POLICY) -> FalcoCoverage:
    named = [(f"{number}.yaml", text.encode()) for number, text in enumerate(files)]
    return reports_writes(read_falco_rules(named), (path,))


def _opened(condition: str, *more: str) -> FalcoCoverage:
    """The condition in a rule beside one that sees renames and deletions."""
    return _reports(_rule(MOVES, "Moves") + _rule(condition), *more)


@pytest.mark.parametrize(
    "condition",
    [
        "open_write and fd.name startswith /etc/kubernetes/",
        f"open_write and fd.name = {POLICY}",
        f'open_write and fd.name="{POLICY}"',
        f"open_write and fd.name in (/etc/passwd, '{POLICY}')",
        "open_write and fd.directory = /etc/kubernetes",
        "open_write and fd.filename=audit-policy.yaml",
        "open_write and fd.name pmatch (/etc/kubernetes, /var/log)",
        "open_write and fd.name pmatch (/etc/kube*)",
        "open_write and fd.name glob /etc/kubernetes/*",
        "open_write and fd.name contains kubernetes and fd.name endswith .yaml",
        "open_write and fs.path.name startswith /etc/kubernetes",
        "evt.is_open_write=true and fd.typechar='f' and fd.num>=0 and fd.directory=/etc/kubernetes",
        "evt.type in (open,openat,openat2) and evt.dir=< and evt.is_open_write=true"
        " and fd.name startswith /etc",
        "not fd.name startswith /tmp and (open_write or spawned_process)",
        'open_write and fd.directory=/etc/kubernetes and proc.name!="<NA>"',
        "open_write and fd.directory=/etc/kubernetes and not never_true",
    ],
)
def test_these_conditions_see_every_opening(condition: str) -> None:
    found = _opened(condition)

    assert (found.missing, found.questions) == ((), ())


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("open_read and fd.name startswith /etc/kubernetes/", ""),
        ("open_write and fd.name startswith /etc/kubernetes/manifests", "no rule reports"),
        ("open_write and fd.directory in (/etc, /var)", "no rule reports"),
        ("open_write and fd.name pmatch (/etc/kubernetes/pki)", "no rule reports"),
        ("spawned_process and fd.name startswith /etc", "no rule reports"),
        ("evt.type=open and evt.is_open_write=true and fd.name startswith /etc", "no rule reports"),
        ("open_write and fd.name startswith /etc and proc.name in (vi, sed)", "only if proc.name"),
        ("open_write and fd.name startswith /etc and user.uid=0", "only if user.uid = 0"),
        ("open_write and fd.name startswith /etc and container.id = host", "only if container.id"),
    ],
)
def test_these_conditions_do_not_and_no_pass_comes_of_them(condition: str, words: str) -> None:
    found = _opened(condition)

    assert found.missing or found.questions
    assert words in "; ".join(found.missing)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("open_write and fd.directory=/etc/kubernetes and not proc.name in (vi)", "exceptions"),
        ("open_write and fd.directory=/etc/kubernetes and container", "exceptions"),
        (
            'open_write and fd.directory=/etc/kubernetes and evt.arg.flags contains "O_TRUNC"',
            "flags",
        ),
        ("open_write and fd.name regex '/etc/kubernetes/.*'", "fd.name regex"),
        ("open_write and tolower(fd.name) startswith /etc/kubernetes", "not understood"),
        ("open_write and fd.directory=/etc/kubernetes and mystery", "the macro mystery"),
        ("open_write and fd.directory=/etc/kubernetes and proc.pid > 5", "proc.pid > 5"),
        ("open_write and fd.directory=/etc/kubernetes and (proc.name=x", "parenthesis"),
    ],
)
def test_what_is_not_understood_or_left_out_is_a_question(condition: str, words: str) -> None:
    found = _opened(condition)

    assert found.missing == ()
    assert words in "; ".join(found.questions)


def test_programs_of_the_cluster_may_be_left_out_with_a_note() -> None:
    found = _opened("open_write and fd.directory=/etc/kubernetes and not proc.name in (kubelet)")

    assert (found.missing, found.questions) == ((), ())
    assert "by a name that anybody can take: proc.name in (kubelet)" in found.notes[0]


def test_a_rule_that_goes_by_fd_name_sees_no_renaming_and_no_deletion() -> None:
    found = _reports(_rule("(open_write or modify) and fd.name startswith /etc/kubernetes/"))

    assert found.missing == (
        "no rule reports files that are renamed or replaced: fd.name is empty there, "
        "fs.path.name, .source and .target are not",
        "no rule reports files that are deleted: fd.name is empty there, "
        "fs.path.name, .source and .target are not",
    )


def test_a_file_that_is_only_moved_away_or_only_replaced_is_both_to_be_seen() -> None:
    opened = _rule("open_write and fd.directory=/etc/kubernetes")
    half = (
        "(remove and fs.path.name startswith /etc/) or (rename and fs.path.source startswith /etc/)"
    )

    assert "renamed or replaced" in _reports(opened + _rule(half, "B")).missing[0]


STOCK = """\
- list: log_directories
  items: [/var/log, /dev/log]
- list: log_files
  items: [syslog, auth.log, secure, kern.log, cron]
- macro: access_log_files
  condition: (fd.directory in (log_directories) or fd.filename in (log_files))
""" + _rule('open_write and access_log_files and evt.arg.flags contains "O_TRUNC"', "Clear logs")


def test_a_rule_on_the_usual_logs_is_no_watch_on_the_audit_log() -> None:
    assert len(_reports(STOCK, path=LOG).missing) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("- rule: A\n  enabled: false\n", "is not enabled"),
        ("- rule: A\n  override: {enabled: replace}\n  enabled: false\n", "is not enabled"),
        ("- rule: A\n  append: true\n  condition: and proc.name=vi\n", "only if proc.name = vi"),
        (
            "- rule: A\n  override: {condition: append}\n  condition: and user.uid=0\n",
            "user.uid = 0",
        ),
        (
            "- rule: A\n  override: {condition: replace}\n  condition: never_true\n",
            "no rule reports",
        ),
        ("- rule: A\n  override: {priority: replace}\n  priority: info\n", "below Notice"),
        ("- macro: open_write\n  condition: never_true\n", "no rule reports"),
        ("- list: places\n  items: [/tmp]\n", "no rule reports"),
        (_rule("never_true"), "no rule reports"),
        (
            _rule("open_write and fd.directory in (places)", source="k8s_audit"),
            "is about k8s_audit",
        ),
    ],
)
def test_a_later_file_changes_what_an_earlier_says(change: str, words: str) -> None:
    first = "- list: places\n  items: [/etc/kubernetes]\n"
    rule = _rule("open_write and fd.directory in (places)")

    assert _reports(first + rule + _rule(MOVES, "M")).missing == ()
    assert words in _reports(first + rule + _rule(MOVES, "M"), change).missing[0]


def test_a_list_and_a_macro_can_be_added_to() -> None:
    first = (
        "- list: places\n  items: [/tmp]\n- macro: mine\n  condition: fd.directory in (places)\n"
    )
    rule = _rule("open_write and mine") + _rule(MOVES, "M")

    assert _reports(first + rule).missing
    more = "- list: places\n  append: true\n  items: [/etc/kubernetes]\n"
    assert _reports(first + rule, more).missing == ()
    more = "- macro: mine\n  append: true\n  condition: or fd.directory=/etc/kubernetes\n"
    assert _reports(first + rule, more).missing == ()


def test_what_is_added_to_nothing_is_a_problem() -> None:
    found = read_falco_rules([("a", b"- macro: gone\n  append: true\n  condition: or x\n")])

    assert found.problems == ("a adds to a macro that is not there: gone",)


@pytest.mark.parametrize(
    ("exceptions", "question"),
    [
        ("[{name: e, fields: [proc.name], comps: [in], values: [[[vi, sed]]]}]", "exceptions"),
        ("[{name: e, fields: proc.name, values: [vi]}]", "exceptions"),
        ("[{name: e, fields: [proc.name, fd.name], values: [[vi]]}]", "does not fit its fields"),
        ("[{name: e, fields: [proc.name]}]", ""),
        ("[{name: e, fields: [fd.directory], comps: [=], values: [[/tmp]]}]", ""),
    ],
)
def test_exceptions_are_part_of_the_condition(exceptions: str, question: str) -> None:
    rule = _rule("open_write and fd.name startswith /etc/kubernetes", exceptions=exceptions)

    found = _reports(rule + _rule(MOVES, "M"))

    assert found.missing == ()
    assert question in "; ".join(found.questions)
    assert bool(found.questions) is bool(question)


def test_an_exception_for_the_path_itself_leaves_it_out() -> None:
    exceptions = f"[{{name: e, fields: [fd.name], comps: [=], values: [[{POLICY}]]}}]"
    rule = _rule("open_write and fd.name startswith /etc/kubernetes", exceptions=exceptions)

    assert "no rule reports files that are opened" in _reports(rule).missing[0]


@pytest.mark.parametrize("priority", ["EMERGENCY", "Critical", "error", "WARNING", "notice"])
def test_notice_and_higher_is_heard(priority: str) -> None:
    text = _rule("open_write and fd.directory=/etc/kubernetes", priority=priority)

    assert "opened" not in "".join(_reports(text).missing)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "open_write and",
        "and open_write",
        "fd.name",
        "fd.name in",
        "fd.name in (a",
        "a b",
        "(a",
        "x = y",
    ],
)
def test_a_condition_that_is_none_is_unclear(text: str) -> None:
    with pytest.raises(Unclear):
        parse_condition(text)


@pytest.mark.parametrize(
    "condition", ["(" * 5000 + "a" + ")" * 5000, "not " * 5000 + "a", "a or " * 30_000 + "a"]
)
def test_hostile_conditions_are_unclear(condition: str) -> None:
    with pytest.raises(Unclear):
        parse_condition(condition)


def test_macros_in_circles_and_without_end_are_a_question() -> None:
    circle = (
        "- macro: a\n  condition: b\n- macro: b\n  condition: a or fd.directory=/etc/kubernetes\n"
    )
    deep = "".join(f"- macro: m{n}\n  condition: (m{n + 1})\n" for n in range(500))
    deep += "- macro: m500\n  condition: fd.directory=/etc/kubernetes\n"

    for text, name in ((circle, "a"), (deep, "m0")):
        found = _reports(text + _rule(f"open_write and {name}"))
        assert "not understood" in found.questions[0]


def test_lists_of_lists_of_lists_are_bounded() -> None:
    lists = "".join(
        f"- list: l{n}\n  items: [{', '.join([f'l{n + 1}'] * 50)}]\n" for n in range(12)
    )

    assert _reports(lists + _rule("open_write and fd.name in (l0)")).missing


@pytest.mark.parametrize(
    ("document", "rules"),
    [
        ([{"rule": "a", "condition": "b"}], True),
        ([{"list": "a", "items": []}], True),
        ([{"macro": "a", "condition": "b"}], True),
        ([{"rule": "a"}], False),
        ({"rule": "a", "condition": "b"}, False),
        ([{"list": "a"}, 5, None], False),
        (None, False),
    ],
)
def test_rules_are_told_by_their_shape(document: object, rules: bool) -> None:
    assert is_falco_rules(document) is rules


@pytest.mark.parametrize("text", [b"- [", b"a: b", b"rules"])
def test_anything_else_is_no_rules_file(text: bytes) -> None:
    with pytest.raises(NotFalcoRules, match=r"r\.yaml"):
        read_falco_rules([("r.yaml", text)])
