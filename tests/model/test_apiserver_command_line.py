import time

import pytest

from kcompliance.model.apiserver import Arguments, find_arguments, parse_command_line
from kcompliance.model.apiserver.shell import simple_commands


def audit_log_path(arguments: Arguments | None) -> str | None:
    assert arguments is not None
    return arguments.value("audit-log-path")


FLAG = "--audit-log-path=/a"


@pytest.mark.parametrize(
    ("command", "args"),
    [
        (["kube-apiserver", FLAG], []),
        (["kube-apiserver"], [FLAG]),
        ([], ["kube-apiserver", FLAG]),
        (["/usr/local/bin/kube-apiserver"], ["--audit-log-path", "/a"]),
        (["/hyperkube", "apiserver", FLAG], []),
        (["/hyperkube"], ["kube-apiserver", FLAG]),
        (["/go-runner", "--log-file=/l"], ["--also-stdout", "/x/kube-apiserver", FLAG]),
        (["/go-runner", "--log-file", "/var/log/kube-apiserver", "/x/kube-apiserver", FLAG], []),
        (["/bin/sh", "-c", f"exec /usr/local/bin/kube-apiserver {FLAG} 1>>/l 2>&1"], []),
        (["/bin/sh", "-c"], [f"A=b C='d e' kube-apiserver {FLAG}"]),
        (["/bin/bash", "-ec"], [f"set -x\nexec kube-apiserver \\\n  --v=2 \\\n  {FLAG}\n"]),
        (["bash", "-o", "pipefail", "-c", f"kube-apiserver {FLAG} 2>&1 | tee /l"], []),
        (["sh", "-c", 'exec kube-apiserver "$@"', "--", FLAG], []),
        (["sh", "-c", 'exec "$0" "$@"', "kube-apiserver", FLAG], []),
        (["tini", "--", "/bin/sh", "-c", f"exec kube-apiserver '{FLAG}'"], []),
        (["env", "A=b", "timeout", "5m", "kube-apiserver", FLAG], []),
        (["/entrypoint.sh", "kube-apiserver", FLAG], []),
        (["/bin/sh", "/entrypoint.sh", "kube-apiserver", FLAG], []),
        (["sh", "-c", f"if true; then exec kube-apiserver {FLAG}; fi"], []),
        (
            ["/bin/sh", "-c"],
            [
                "mkfifo /tmp/pipe; (tee -a /var/log/kube-apiserver.log < /tmp/pipe & ) ; "
                f'exec /usr/local/bin/kube-apiserver "{FLAG}" > /tmp/pipe 2>&1'
            ],
        ),
        (
            ["/bin/bash", "-ec"],
            [
                'LOCK=/l\nexec {LOCK_FD}>${LOCK} && flock -w 30 "${LOCK_FD}" || {\n  exit 1\n}\n'
                "exec watch-termination --termination-touch-file=/t -- hyperkube kube-apiserver "
                f"{FLAG} --permit-address-sharing"
            ],
        ),
    ],
)
def test_the_server_is_found_behind_what_starts_it(command: list[str], args: list[str]) -> None:
    arguments = find_arguments(command, args)
    assert audit_log_path(arguments) == "/a"
    assert arguments is not None
    assert arguments.problems == ()


@pytest.mark.parametrize(
    "command",
    [
        [],
        [""],
        ["/kube-apiserver-healthcheck", "--ca-cert=/x"],
        ["kube-apiserver-proxy", FLAG],
        ["my-kube-apiserver", FLAG],
        ["kube-apiserver.sh.bak", FLAG],
        ["cluster-kube-apiserver-operator", "cert-syncer"],
        ["/proxy-server", "--server=kube-apiserver"],
        ["kubectl", "logs", "kube-apiserver"],
        ["hyperkube", "kubelet", FLAG],
        ["hyperkube"],
        ["cp", "/usr/local/bin/kube-apiserver", "/shared"],
        ["sh", "-c", "cp /usr/local/bin/kube-apiserver /shared"],
        ["sh", "-c", f"# kube-apiserver {FLAG}"],
        ["sh", "-c", f"echo 'kube-apiserver {FLAG}'"],
        ["sh", "-c", "kube-apiserver --version"],
        ["sh", "-c"],
        ["sh"],
        ["tail", "-f", "/var/log/kube-apiserver"],
        ["go-runner", "--log-file", "/var/log/kube-apiserver", "/x/kube-scheduler", "--v=2"],
    ],
)
def test_other_containers_are_none(command: list[str]) -> None:
    assert find_arguments(command, []) is None


def test_redirections_and_pipes_are_no_arguments() -> None:
    script = f"kube-apiserver {FLAG} >/l 2>&1 </dev/null &>>/m 3<>/x >| /y > >(tee /z) | tee -a /w"
    arguments = find_arguments(["sh", "-c", script], [])
    assert arguments is not None
    assert [flag.name for flag in arguments.flags] == ["audit-log-path"]
    assert arguments.problems == ()


def test_a_variable_in_a_script_leaves_the_rest_open() -> None:
    arguments = find_arguments(["sh", "-c", "kube-apiserver --v=2 $EXTRA"], [])
    assert arguments is not None
    assert not arguments.complete


def test_of_several_starts_in_a_script_the_last_is_read_and_that_is_said() -> None:
    script = f"if a; then kube-apiserver --audit-log-path=/b; else kube-apiserver {FLAG}; fi"
    arguments = find_arguments(["sh", "-c", script], [])
    assert audit_log_path(arguments) == "/a"
    assert arguments is not None
    assert arguments.problems == ("the script starts kube-apiserver in 2 ways, the last was read",)


def test_the_server_inside_of_k3s() -> None:
    command = ["k3s", "server", "--kube-apiserver-arg=audit-log-path=/a"]
    arguments = find_arguments(command, ["--kube-apiserver-arg", "audit-policy-file=/p"])
    assert audit_log_path(arguments) == "/a"
    assert arguments is not None
    assert arguments.value("audit-policy-file") == "/p"
    assert not arguments.complete
    assert find_arguments(["k3s", "agent", "--kube-apiserver-arg=audit-log-path=/a"], []) is None


@pytest.mark.parametrize(
    "line",
    [
        f"kube-apiserver {FLAG}",
        f"/usr/local/bin/kube-apiserver\0{FLAG}\0--v=2\0",
        f"/usr/local/bin/kube-apiserver {FLAG} \0",
        f"root        2618    2570 15 22:56 ?        00:00:07 kube-apiserver {FLAG}",
        f"root  2618  1.2  3.4 1160128 347656 ?  Ssl  Nov21  12:34 kube-apiserver {FLAG}",
        f"2618 root kube-apiserver {FLAG}",
        f"2618 kube-apiserver {FLAG}",
        f"           └─2618 /usr/bin/kube-apiserver {FLAG}",
        f"root 1 0 0 22:56 ? 00:00:00 /bin/sh -c exec /x/kube-apiserver {FLAG} 1>>/l 2>&1",
        f"UID PID CMD\nroot 1 init\nroot 2 kube-apiserver {FLAG}\n",
        f"[Service]\nExecStart=/usr/local/bin/kube-apiserver \\\n  --v=2 \\\n  {FLAG}\n",
        f"ExecStart=-/usr/local/bin/kube-apiserver '{FLAG}'",
        'kube-apiserver --audit-log-path="/a" --service-account-issuer="https://x y"',
        f'time="2026-01-01T00:00:00Z" level=info msg="Running kube-apiserver {FLAG} --v=2"',
    ],
)
def test_lines_that_tell_what_a_process_was_started_with(line: str) -> None:
    assert audit_log_path(parse_command_line(line)) == "/a"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\0",
        "\n\n",
        "root 12 1 0 22:56 pts/0 00:00:00 grep --color=auto kube-apiserver",
        "12 grep kube-apiserver",
        "root 12 1 tail -f /var/log/kube-apiserver",
        "root 12 1 0 22:56 ? 00:00:01 kube-apiserver-proxy --v=2",
        "vi\0kube-apiserver\0",
        "kubectl logs kube-apiserver --all",
    ],
)
def test_lines_of_other_processes(line: str) -> None:
    assert parse_command_line(line) is None


def test_words_of_proc_keep_their_spaces() -> None:
    arguments = parse_command_line("kube-apiserver\0--audit-log-path\0/a b\0--audit-log-maxage=\0")
    assert audit_log_path(arguments) == "/a b"
    assert arguments is not None
    assert arguments.value("audit-log-maxage") == ""


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("", []),
        ("a 'b c' \"d $e\" f\\ g", [["a", "b c", "d $e", "f g"]]),
        ("a''b \"\" c", [["ab", "", "c"]]),
        ("a; b && c || d & e | f\n(g)", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"], ["g"]]),
        ("a # b\nc#d", [["a"], ["c#d"]]),
        ("a $(b; c) ${d e} `f; g`", [["a", "$(b; c)", "${d e}", "`f; g`"]]),
        ("a 2>&1 b >c d", [["a", "b", "d"]]),
        ("a <<EOF b\nkube-apiserver\nEOF\nc", [["a", "b"], ["c"]]),
        ("a <<-'E F'\n\tx\n\tE F\nc", [["a"], ["c"]]),
        ('a "b\\"c\\$d\\e"', [["a", 'b"c$d\\e']]),
        ("a 'b", [["a", "b"]]),
        ('a "b', [["a", "b"]]),
        ("a $(b", [["a", "$(b"]]),
        ("a \\", [["a", ""]]),
        ("$ a", [["$", "a"]]),
        ("a\\\nb", [["a", "b"]]),
    ],
)
def test_simple_commands_of_a_script(script: str, commands: list[list[str]]) -> None:
    assert simple_commands(script) == commands


@pytest.mark.parametrize(
    "text",
    [
        "$" * 300_000,
        "\\" * 300_000,
        "'" * 300_001,
        '"' * 300_001,
        "`" * 300_001,
        "$(" * 150_000,
        "<<a\n" * 60_000,
        "env " * 60_000,
        "sh -c " * 40_000,
        'kube-apiserver "$@";' * 15_000,
        "a=b " * 60_000,
        "1" * 300_000,
        "{a}" * 100_000,
    ],
)
def test_the_work_is_bounded(text: str) -> None:
    before = time.process_time()
    find_arguments(["sh", "-c", text], ["x", *text.split(" ")])
    find_arguments(text.split(" "), [])
    parse_command_line(text)
    parse_command_line(text.replace(" ", "\0"))
    assert time.process_time() - before < 10
