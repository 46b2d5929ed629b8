"""How rules of the kernel's audit are read: what is loaded, in which order, and what is refused."""

import pytest

from kcompliance.model.auditd.rules import Action, Filter, load_rules
from kcompliance.model.auditd.text import (
    is_listing,
    join_as_augenrules,
    lines_of,
    looks_like_rules,
)

WATCH = "-w /etc/kubernetes -p wa -k k8s"


def _load(text: str, *, listed: bool = False):  # type: ignore[no-untyped-def]
    return load_rules(lines_of("a.rules", text), listed=listed)


def test_a_watch_is_a_rule_of_the_exit_list_on_all_system_calls() -> None:
    (rule,) = _load("-w /etc/kubernetes/ -p aw -k k8s -k second").rules

    assert (rule.action, rule.filter, rule.syscalls) == (Action.ALWAYS, Filter.EXIT, None)
    assert rule.value_of("watch") == "/etc/kubernetes"
    assert rule.value_of("perm") == "aw"
    assert rule.keys == ("k8s", "second")


@pytest.mark.parametrize(
    "text",
    [
        "-a always,exit -F arch=b64 -S open,openat -S creat -F dir=/etc -F key=k",
        "-a exit,always -F arch=b64 -S creat -S open -S openat -F dir=/etc/ -k k",
        "-a  always,exit  -F arch=b64 -Sopen,openat,creat -F dir=/etc -k k",
    ],
)
def test_a_system_call_rule_is_the_same_however_it_is_written(text: str) -> None:
    (rule,) = _load(text).rules

    assert rule.syscalls == {"open", "openat", "creat"}
    assert [str(field) for field in rule.fields] == ["-F arch=b64", "-F dir=/etc"]
    assert rule.keys == ("k",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-w etc/kubernetes -p wa", "does not begin at the root"),
        ("-w / -p wa", "watches no /"),
        ("-w /etc -p wz", "no permissions"),
        ("-w /etc -p wa # all of it", '"#" belongs to no option'),
        ("-w /etc\t-p wa", "a tab"),
        ("-w /etc -S open", "-p and -k only"),
        ("-k k8s -w /etc", "has to follow"),
        ("-w /etc -w /var", "several rules"),
        ("-p wa", "no list and no watch"),
        ("-a always -S all", "no action and list"),
        ("-a always,entry -S all", "no action and list"),
        ("-a possible,exit -S all", "no action and list"),
        ("-a always,exit -S open -F arch=b64", "before -S"),
        ("-a always,exit -F paht=/etc", "no such field"),
        ("-a always,exit -F path!=/etc", "takes = only"),
        ("-a always,exit -F path=/etc/", "no path of a file"),
        ("-a always,exit -F path=/a -F dir=/b", "more than one path"),
        ("-a never,task -F path=/a", "belongs in the exit list"),
        ("-a never,filesystem -F uid=0", "needs -F fstype"),
        ("-W /etc -p wa", "no such rule to delete"),
        ("-e 3", "takes a number up to 2"),
        ("-z 1", "no such option"),
        ("watch /etc", "belongs to no option"),
        ("-w", "no such option"),
        ("-w " + "/a" * 5000, "longer than"),
    ],
)
def test_what_auditctl_refuses_is_told_and_no_rule(text: str, reason: str) -> None:
    found = _load(text)

    assert found.rules == ()
    assert reason in found.unread[0].reason


def test_the_loading_stops_at_the_first_line_that_is_refused() -> None:
    found = _load(f"-w /etc/passwd -p wa\n-x\n{WATCH}\n")

    assert [rule.doubt for rule in found.rules] == [
        None,
        'auditctl stops at line 2 of a.rules: no such option: "-x"',
    ]


@pytest.mark.parametrize("option", ["-c", "-i"])
def test_the_loading_goes_on_where_the_rules_say_so(option: str) -> None:
    found = _load(f"{option}\n-w relative\n-w /x -y\n{WATCH}\n")

    assert len(found.unread) == 2
    assert found.rules[0].doubt is None


def test_a_line_that_may_hide_something_is_a_doubt_even_then() -> None:
    found = _load(f"-c\n-a never,exit -F nonsense=1\n{WATCH}\n")

    assert "may hide something" in str(found.rules[0].doubt)


@pytest.mark.parametrize("line", ["-A never,exit -F nonsense=1", "-d always,exit -F nonsense=1"])
def test_a_line_that_may_change_what_stands_above_is_a_doubt_on_that(line: str) -> None:
    found = _load(f"{WATCH}\n-c\n{line}\n")

    assert "may change rules above it" in str(found.rules[0].doubt)


def test_rules_are_put_first_deleted_one_by_one_by_key_and_all() -> None:
    first = _load(f"{WATCH}\n-A never,exit -F uid=0\n")
    assert [rule.action for rule in first.rules] == [Action.NEVER, Action.ALWAYS]
    assert _load(f"{WATCH}\n-W /etc/kubernetes -p wa -k k8s\n").rules == ()
    assert len(_load(f"{WATCH}\n-c\n-W /etc/kubernetes -p wa\n").rules) == 1
    assert len(_load(f"{WATCH}\n-w /b -k other\n-D -k other\n").rules) == 1
    assert _load(f"{WATCH}\n-w /b\n-D\n").rules == ()


def test_rules_behind_the_lock_are_not_loaded() -> None:
    found = _load(f"-e 2\n{WATCH}\n")

    assert found.enabled == 2
    assert found.rules == ()
    assert "locks the rules" in found.unread[0].reason


def test_options_that_tune_the_audit_are_no_rules() -> None:
    text = "-D\n-b 8192\n-f 1\n-r 0\n--backlog_wait_time 60000\n--loginuid-immutable\n-e 1\n"

    found = _load(text)

    assert (found.rules, found.unread, found.enabled) == ((), (), 1)


def test_a_blank_in_a_path_is_escaped() -> None:
    (rule,) = _load("-w /srv/a\\ b -p wa").rules

    assert rule.value_of("watch") == "/srv/a b"


def test_files_are_joined_in_their_natural_order_with_the_lock_at_the_end() -> None:
    files = [
        lines_of("rules.d/100-late.rules", "-e 1\n-w /late"),
        lines_of("rules.d/9-early.rules", "# first\n\n-e 2\n-w /early\n-b 5"),
        lines_of("rules.d/10-middle.rules", "-D\n-D -k x\n-w /middle\n-b 9"),
        lines_of("rules.d/20-off.rules.bak", "-w /off"),
    ]

    joined = [line.text for line in join_as_augenrules(files)]

    assert joined == ["-D", "-b 9", "-w /early", "-D -k x", "-w /middle", "-w /late", "-e 1"]


@pytest.mark.parametrize(
    ("name", "text", "listing"),
    [
        ("cp-1/auditctl-l.txt", f"{WATCH}\n", True),
        ("cp-1/auditctl-l.txt", "No rules\n", True),
        ("standard input", f"-a never,task\n{WATCH}", True),
        ("cp-1/auditctl-l.txt", f"# loaded\n{WATCH}\n", False),
        ("cp-1/auditctl-l.txt", f"-D\n{WATCH}\n", False),
        ("cp-1/k8s.rules", f"{WATCH}\n", False),
        ("node:cp-1/etc/audit/k8s", f"{WATCH}\n", False),
        ("cp-1/empty.txt", "", False),
    ],
)
def test_a_listing_of_what_is_loaded_is_told_from_a_file(
    name: str, text: str, listing: bool
) -> None:
    assert is_listing(name, text) is listing


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (WATCH, True),
        ("No rules\n", True),
        ("-a never,task", True),
        ("-D\n-b 8192\n-f 1\n", True),
        (f"# Kubernetes\n\n{WATCH}\n-e 2\n", True),
        ("-a always,exit -F arch=b64 -S all -F path=/a -F perm=wa -F key=k", True),
        ("", False),
        ("# -w /etc/kubernetes -p wa\n", False),
        ("-b 8192\n", False),
        ("Watch it with\n-w /etc/kubernetes -p wa\nas the manual says.\nAnd so on.\n", False),
        ("- a list\n- of things\n", False),
        ("-w /etc is what I would write, and then some prose", False),
        ("-a\n-w\n", False),
    ],
)
def test_rules_are_told_from_prose(text: str, rules: bool) -> None:
    assert looks_like_rules(text) is rules


def test_hostile_texts_are_bounded() -> None:
    many = _load("-w /a" + "\n-c" * 30_000)

    assert "not read beyond" in many.unread[-1].reason
