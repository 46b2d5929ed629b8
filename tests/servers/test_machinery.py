"""Servers are built once and whole, and never left out in silence."""

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.build import build
from tests.servers.kube_apiserver import error_text
from tests.servers.parts import ETCD, KUBE_APISERVERS
from tests.servers.pin import kube_apiserver_module
from tests.servers.toolchain import CACHE_VARIABLE, REPOSITORY, Part, Unavailable, placed


@dataclass
class Gadget:
    """A part that this machine can have, or cannot."""

    name: str
    missing: bool = False
    builds: int = 0

    def find(self) -> Path:
        if self.builds == 0:
            raise Unavailable(self.name, "not built", "build it")
        return Path(self.name)

    def build(self) -> Path:
        if self.missing:
            raise Unavailable(self.name, "no wheel", "bring your own")
        self.builds += 1
        return Path(self.name)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    return cache


def test_what_is_in_the_cache_is_not_made_again(tmp_path: Path) -> None:
    placed(tmp_path / "part", lambda folder: (folder / "made").touch())

    placed(tmp_path / "part", lambda folder: (folder / "made again").touch())

    assert [each.name for each in (tmp_path / "part").iterdir()] == ["made"]


def test_a_failed_build_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ChildProcessError

    with pytest.raises(ChildProcessError):
        placed(tmp_path / "part", fail)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("empty_cache")
def test_all_other_parts_are_built_when_one_is_missing() -> None:
    exotic, ordinary = Gadget("exotic", missing=True), Gadget("ordinary")

    left_out = build([exotic, ordinary])

    assert [(each.part, each.reason) for each in left_out] == [("exotic", "no wheel")]
    assert ordinary.builds == 1


@pytest.mark.usefixtures("empty_cache")
def test_a_second_build_does_nothing() -> None:
    gadget = Gadget("ordinary")
    build([gadget])

    assert build([gadget]) == []
    assert gadget.builds == 1


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize(
    ("part", "variable"),
    [(ETCD, "KCOMPLIANCE_TEST_ETCD"), (KUBE_APISERVERS["1.36"], "KCOMPLIANCE_TEST_GO")],
)
def test_a_missing_part_says_how_to_bring_it(
    part: Part, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)

    with pytest.raises(Unavailable) as missing:
        part.find()

    assert "make servers" in missing.value.remedy
    assert variable in missing.value.remedy


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")], ids=["locally", "in CI"]
)
def test_a_run_ends_with_what_was_left_out_of_it(ci: str, outcome: str, empty_cache: Path) -> None:
    one_test = ["tests/integration/test_servers.py", "-k", "without_a_user"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--numprocesses=1", "--color=no", *one_test],
        cwd=REPOSITORY,
        env={**os.environ, CACHE_VARIABLE: str(empty_cache), "CI": ci},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )

    *_, rule, closing_line = run.stdout.splitlines()
    assert outcome in closing_line
    assert set(rule) == {"!"}
    assert "  audit-oracle 1.36: not built\n    to bring it: make servers" in run.stdout
    assert run.returncode == (1 if ci else 0)


@pytest.mark.parametrize(
    ("log", "text"),
    [
        ('E1 1 run.go:72] "command failed" err="a \\"b\\"\\nc \\\\d"\n', 'a "b"\nc \\d'),
        ('E1 1 run.go:72] "command failed" err=<\n\tfirst\n\tsecond\n >\n', "first\nsecond"),
        ("I1 1 x.go:1] starting\nError: unknown flag: --tls\n", "Error: unknown flag: --tls"),
    ],
)
def test_the_servers_words_are_taken_from_its_log(log: str, text: str) -> None:
    assert error_text(log) == text


def test_only_what_kubernetes_builds_from_its_own_tree_is_replaced() -> None:
    upstream = {
        "Go": "1.26.0",
        "Godebug": [{"Key": "default", "Value": "go1.26"}],
        "Replace": [
            {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
            {"Old": {"Path": "example.org/a"}, "New": {"Path": "example.org/b"}},
        ],
    }

    assert kube_apiserver_module(upstream, "1.36.4") == (
        "module kube-apiserver\n\ngo 1.26.0\n\ngodebug default=go1.26\n\n"
        "require k8s.io/kubernetes v1.36.4\n\n"
        "replace (\n\tk8s.io/api => k8s.io/api v0.36.4\n)\n"
    )


def test_tests_see_no_settings_of_the_user() -> None:
    assert "KUBECONFIG" not in os.environ
    assert Path.home() != Path(pwd.getpwuid(os.getuid()).pw_dir)
    # Other tests share this home, and pip makes folders of its own there.
    settings = (".kube", ".aws", ".azure", ".config", ".docker")
    assert [name for name in settings if (Path.home() / name).exists()] == []
