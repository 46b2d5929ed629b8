"""What kube-apiserver 1.36.4 does with each of these arguments was tried on its binary."""

import pytest

from kcompliance.model.apiserver import Flag, parse_argv
from kcompliance.model.apiserver.flag_names import BOOLEAN_FLAGS, VALUE_FLAGS


def test_both_ways_of_writing_a_value() -> None:
    arguments = parse_argv(["--audit-log-path=/a", "--audit-policy-file", "/b"])
    assert arguments.flags == (
        Flag(name="audit-log-path", value="/a"),
        Flag(name="audit-policy-file", value="/b"),
    )
    assert arguments.problems == ()
    assert arguments.complete


def test_the_last_of_repeated_flags_wins_and_all_are_kept() -> None:
    arguments = parse_argv(["--audit-log-path=/a", "--audit-log-path", "/b", "--audit-log-path="])
    assert arguments.value("audit-log-path") == ""
    assert [flag.value for flag in arguments.flags] == ["/a", "/b", ""]


def test_a_flag_that_was_never_given_has_no_value() -> None:
    assert parse_argv([]).value("audit-log-path") is None
    assert parse_argv([]).flag("audit-log-path") is None


def test_underscores_in_names_are_dashes() -> None:
    assert parse_argv(["--audit_log_path=/a_b"]).value("audit-log-path") == "/a_b"


def test_only_the_first_equals_sign_separates() -> None:
    arguments = parse_argv(["--etcd-servers-overrides=/events#http://a?b=c"])
    assert arguments.value("etcd-servers-overrides") == "/events#http://a?b=c"


def test_a_boolean_flag_takes_no_following_word() -> None:
    arguments = parse_argv(["--profiling", "false", "--allow-privileged", "--audit-log-path=/a"])
    assert arguments.value("profiling") == "true"
    assert arguments.value("allow-privileged") == "true"
    assert arguments.value("audit-log-path") == "/a"
    assert arguments.problems == ("positional argument 'false'",)


def test_a_flag_with_a_value_takes_the_next_word_even_if_it_looks_like_a_flag() -> None:
    arguments = parse_argv(["--audit-log-path", "--audit-policy-file=/b"])
    assert arguments.value("audit-log-path") == "--audit-policy-file=/b"
    assert arguments.value("audit-policy-file") is None


def test_a_flag_of_an_unknown_release_does_not_swallow_the_next_flag() -> None:
    arguments = parse_argv(["--quite-new", "--audit-log-path=/a", "--newer", "value"])
    assert arguments.value("quite-new") == "true"
    assert arguments.value("audit-log-path") == "/a"
    assert arguments.value("newer") == "value"
    assert "--quite-new" in arguments.problems[0]


def test_a_flag_at_the_end_without_its_value() -> None:
    arguments = parse_argv(["--profiling=false", "--audit-log-path"])
    assert arguments.value("audit-log-path") is None
    assert arguments.problems == ("flag --audit-log-path has no value",)


@pytest.mark.parametrize("argv", [["-v=4"], ["-v4"], ["-v", "4"], ["--v=4"], ["--v", "4"]])
def test_shorthands(argv: list[str]) -> None:
    assert parse_argv(argv).value("v") == "4"


def test_nothing_behind_the_terminator_is_a_flag() -> None:
    arguments = parse_argv(["--v=1", "--", "--audit-log-path=/a"])
    assert arguments.value("audit-log-path") is None
    assert arguments.problems == ("positional argument '--audit-log-path=/a'",)


@pytest.mark.parametrize("word", ["-audit-log-path=/a", "---audit-log-path=/a", "--=/a"])
def test_what_the_server_does_not_take_for_a_flag(word: str) -> None:
    arguments = parse_argv([word])
    assert arguments.flags == ()
    assert arguments.problems == (f"not a flag that the server knows: {word!r}",)


def test_empty_words_pass_and_others_do_not() -> None:
    assert parse_argv(["", "--v=1", ""]).problems == ()
    assert parse_argv(["-"]).problems == ("positional argument '-'",)


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        ("$(LOG_PATH)", "$(LOG_PATH)"),
        ("/var/${DIR}/a", "${DIR}"),
        ("$DIR/a", "$DIR"),
        ("`hostname`", "`"),
        ("{{ audit_log_path }}", "{{"),
    ],
)
def test_a_value_that_is_only_a_reference_is_not_known(value: str, reference: str) -> None:
    arguments = parse_argv([f"--audit-log-path={value}"])
    flag = arguments.flag("audit-log-path")
    assert flag is not None
    assert (flag.value, flag.known) == (value, False)
    assert arguments.problems == (
        f"--audit-log-path: the value comes from {reference!r}, not known here",
    )
    assert arguments.complete


@pytest.mark.parametrize("word", ["$(EXTRA_ARGS)", "${EXTRA}", "$KUBE_API_ARGS", "$@", "{{ x }}"])
def test_arguments_from_a_variable_leave_the_rest_open(word: str) -> None:
    arguments = parse_argv(["--audit-log-path=/a", word])
    assert not arguments.complete
    assert arguments.value("audit-log-path") == "/a"


def test_quotes_that_reach_the_server_belong_to_the_value() -> None:
    # `--audit-log-path="/a"` unquoted in YAML: the server makes a file whose name has quotes.
    arguments = parse_argv(['--audit-log-path="/var/log/audit.log"'])
    assert arguments.value("audit-log-path") == '"/var/log/audit.log"'
    assert "quotes" in arguments.problems[0]


def test_the_file_with_flags_of_openshift_leaves_the_rest_open() -> None:
    arguments = parse_argv(["--openshift-config=/etc/config.yaml"])
    assert not arguments.complete
    assert arguments.problems == (
        "more flags come from the file '/etc/config.yaml', which is not read here",
    )


def test_a_problem_does_not_repeat_or_grow() -> None:
    arguments = parse_argv(["x" * 10_000] * 3)
    assert len(arguments.problems) == 1
    assert len(arguments.problems[0]) < 200


def test_no_flag_is_of_both_sorts() -> None:
    assert not BOOLEAN_FLAGS & VALUE_FLAGS
    assert {"audit-log-compress", "profiling"} <= BOOLEAN_FLAGS
    assert {"audit-log-path", "audit-policy-file", "v"} <= VALUE_FLAGS
