"""The help: every command has one, with examples and exit codes."""

from pathlib import Path

import pytest

from tests.cli.command import kcompliance

COMMANDS = [
    ("scan",),
    ("approve",),
    ("preflight",),
    ("policy", "explain"),
    ("policy", "lint"),
    ("policy", "coverage"),
    ("policy", "replay"),
    ("policy", "test"),
    ("archive", "run"),
    ("archive", "list"),
    ("archive", "show"),
    ("archive", "cat"),
    ("archive", "prove"),
    ("verify",),
    ("keys", "new"),
    ("keys", "show"),
    ("keys", "rotate"),
    ("keys", "revoke"),
    ("controls", "list"),
    ("controls", "show"),
    ("controls", "test"),
    ("demo",),
    ("exit-codes",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_shows_examples_and_exit_codes(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = kcompliance(*command, "--help", cwd=tmp_path)

    assert (done.code, done.err) == (0, "")
    assert "Example" in done.out
    assert f"kcompliance {' '.join(command)}" in done.out.partition("Example")[2]
    assert "Exit codes: 0" in done.out


def test_the_help_names_every_command(tmp_path: Path) -> None:
    done = kcompliance("--help", cwd=tmp_path)

    assert done.code == 0
    assert all(name in done.out for name in {command[0] for command in COMMANDS})


@pytest.mark.parametrize(
    "arguments", [(), ("policy",), ("controls",), ("archive",), ("keys",)], ids=" ".join
)
def test_a_call_without_a_command_shows_the_help_and_ends_with_2(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = kcompliance(*arguments, cwd=tmp_path)

    assert done.code == 2
    assert "Usage: " in done.out + done.err


def test_every_setting_of_scan_has_a_twin_in_the_environment(tmp_path: Path) -> None:
    done = kcompliance("scan", "--help", cwd=tmp_path)

    names = ("CONFIG", "PLATFORM", "AS_OF", "CONTROL", "FRAMEWORK", "PARAM", "SEVERITY", "FAIL_ON")
    more = ("ALLOW_MANUAL", "APPROVED", "FORMAT", "OUTPUT", "SAVE_BUNDLE", "PROGRESS")
    assert [name for name in (*names, *more) if f"KCOMPLIANCE_{name}" not in done.out] == []


def test_the_version_is_one_line(tmp_path: Path) -> None:
    done = kcompliance("--version", cwd=tmp_path)

    assert done.code == 0
    assert done.out.startswith("kcompliance ")
    assert len(done.out.splitlines()) == 1


def test_a_shell_gets_its_completion(tmp_path: Path) -> None:
    done = kcompliance("--show-completion", "bash", cwd=tmp_path, env={"SHELL": "/bin/bash"})

    assert done.code == 0
    assert "complete" in done.out
    assert list(tmp_path.iterdir()) == []


def test_completion_does_not_read_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "kcompliance.yaml").write_text("severe: low\n")
    asked = {
        "_KCOMPLIANCE_COMPLETE": "complete_bash",
        "COMP_WORDS": "kcompliance scan --fail",
        "COMP_CWORD": "2",
    }

    done = kcompliance(cwd=tmp_path, env=asked)

    assert "kcompliance.yaml" not in done.err
