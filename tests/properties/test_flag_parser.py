"""Flags written in any shape are read back as they were meant, and nothing raises."""

import shlex

from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.apiserver import (
    Arguments,
    api_servers_in,
    audit_settings,
    find_arguments,
    parse_argv,
    parse_command_line,
)
from kcompliance.model.apiserver.flag_names import BOOLEAN_FLAGS, VALUE_FLAGS
from kcompliance.model.apiserver.shell import simple_commands
from kcompliance.model.kubernetes_version import KubernetesVersion

NAMES = st.sampled_from(sorted(VALUE_FLAGS | BOOLEAN_FLAGS))
PLAIN_VALUES = st.text(
    st.characters(codec="utf-8", exclude_characters="$`{\0", exclude_categories=["Cs"]), max_size=20
)
PAIRS = st.lists(st.tuples(NAMES, PLAIN_VALUES), max_size=8)
WORDS = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(["kube-apiserver", "sh", "-c", "exec", "env", "--", "-v", "hyperkube"]),
        st.sampled_from(
            ["--audit-log-path", "--audit-log-path=/a", "--profiling", "k3s", "server"]
        ),
    ),
    max_size=10,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


def rendered(data: st.DataObject, pairs: list[tuple[str, str]]) -> list[str]:
    """The flags as words, each in one of the shapes that the server takes."""
    words = []
    for name, value in pairs:
        shown = name.replace("-", "_") if data.draw(st.booleans()) else name
        if name in VALUE_FLAGS and data.draw(st.booleans()):
            words += [f"--{shown}", value]
        elif name in BOOLEAN_FLAGS and value == "true" and data.draw(st.booleans()):
            words.append(f"--{shown}")
        elif name == "v" and value and value[0] != "=" and data.draw(st.booleans()):
            words.append(data.draw(st.sampled_from([f"-v{value}", f"-v={value}"])))
        else:
            words.append(f"--{shown}={value}")
    return words


def assert_read_back(arguments: Arguments | None, pairs: list[tuple[str, str]]) -> None:
    assert arguments is not None
    assert [(flag.name, flag.value) for flag in arguments.flags] == pairs
    for name, value in dict(pairs).items():
        assert arguments.value(name) == value
    assert arguments.complete


@given(st.data(), PAIRS)
def test_flags_in_any_shape_are_read_back(
    data: st.DataObject, pairs: list[tuple[str, str]]
) -> None:
    assert_read_back(parse_argv(rendered(data, pairs)), pairs)


@given(st.data(), PAIRS)
def test_flags_in_a_shell_script_are_read_back(
    data: st.DataObject, pairs: list[tuple[str, str]]
) -> None:
    kept = [(name, value) for name, value in pairs if name not in ("help", "version")]
    words = rendered(data, kept)
    script = f"set -e; exec /usr/local/bin/kube-apiserver {shlex.join(words)} 1>>/log 2>&1"
    assert_read_back(find_arguments(["/bin/sh", "-c", script], []), kept)


@given(st.data(), PAIRS)
def test_flags_in_proc_cmdline_are_read_back(
    data: st.DataObject, pairs: list[tuple[str, str]]
) -> None:
    words = ["kube-apiserver", "--v=0", *rendered(data, pairs), "--v=1"]
    expected = [("v", "0"), *pairs, ("v", "1")]
    assert_read_back(parse_command_line("\0".join(words) + "\0"), expected)


@given(st.lists(st.text(), max_size=6))
def test_words_that_are_quoted_for_a_shell_come_out_as_they_were(words: list[str]) -> None:
    plain = [word.replace("\0", "") for word in words]
    assert simple_commands(shlex.join(plain)) == ([plain] if plain else [])


@given(WORDS, WORDS)
def test_no_words_raise(command: list[str], args: list[str]) -> None:
    arguments = parse_argv(command)
    for version in (None, KubernetesVersion(1, 35), KubernetesVersion(1, 36)):
        audit_settings(arguments, version)
    find_arguments(command, args)
    parse_command_line(" ".join(command))
    parse_command_line("\0".join(command))


@given(st.text())
def test_no_script_raises(script: str) -> None:
    simple_commands(script)
    find_arguments(["sh", "-c", script], [])


@given(
    JSON,
    st.sampled_from(["Pod", "List", "Deployment", "ClusterConfiguration", "ConfigMap", "Cluster"]),
    st.sampled_from(["spec", "items", "apiServer", "data", "kube-apiserver-arg"]),
)
def test_no_document_raises(value: object, kind: str, place: str) -> None:
    for document in (value, {"kind": kind, place: value}, {place: value}):
        for server in api_servers_in(document).servers:
            audit_settings(server.arguments, server.version)
