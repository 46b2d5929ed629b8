"""Rules of the whole package, and that the wheel holds what the repository does."""

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.demo_bundles import DEMO, build
from tests.servers.toolchain import Unavailable

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "kcompliance"
MODULES = {
    str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
MAY_CATCH_ALL = {"scan.py", "cli/__init__.py"}
MAY_PRINT = {"cli/terminal.py"}
DATA = {"controls": "_controls", "reports": "_reports", "demo": "_demo"}


# --- rules of the code -------------------------------------------------------------------------


def _names(node: ast.expr | None) -> set[str]:
    """The last part of each exception's name; a bare except catches BaseException."""
    if node is None:
        return {"BaseException"}
    elements = node.elts if isinstance(node, ast.Tuple) else [node]
    return {ast.unparse(element).rpartition(".")[2] for element in elements}


def _catches_all(tree: ast.AST) -> bool:
    """Whether any handler takes everything, and not only to clean up and pass it on."""
    return any(
        isinstance(node, ast.ExceptHandler)
        and _names(node.type) & {"Exception", "BaseException"}
        and not _passes_on(node)
        for node in ast.walk(tree)
    )


def _passes_on(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    ends_early = any(isinstance(node, ast.Return) for node in ast.walk(handler))
    return isinstance(last, ast.Raise) and last.exc is None and not ends_early


def test_only_two_modules_catch_every_exception() -> None:
    assert {name for name, tree in MODULES.items() if _catches_all(tree)} == MAY_CATCH_ALL


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        ("try: x\nexcept Exception: y", True),
        ("try: x\nexcept: y", True),
        ("try: x\nexcept (ValueError, Exception) as e: y", True),
        ("try: x\nexcept builtins.BaseException: y", True),
        ("try: x\nexcept ValueError: y", False),
        ("try: x\nexcept BaseException:\n  y\n  raise", False),
        ("try: x\nexcept BaseException:\n  if y: return\n  raise", True),
        ("try: x\nexcept BaseException:\n  y\n  raise z", True),
    ],
)
def test_the_rule_sees_every_way_of_catching_all(text: str, caught: bool) -> None:
    assert _catches_all(ast.parse(text)) is caught


def _calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def test_only_one_module_prints() -> None:
    printing = ("print", "Console", "rich.print", "typer.echo", "typer.secho", "sys.stdout")
    found = {
        (name, call)
        for name, tree in MODULES.items()
        for call in _calls(tree)
        if call in (*printing, "sys.stdout.write", "sys.stderr.write") and name not in MAY_PRINT
    }

    # The command line's entry sets the encoding of its streams, and gives one up when it broke.
    assert {name for name, _ in found} <= {"cli/__init__.py"}
    assert {call for _, call in found} <= {"sys.stdout"}


def test_only_the_command_line_ends_the_process() -> None:
    ends = {
        name
        for name, tree in MODULES.items()
        for call in _calls(tree)
        if call in ("sys.exit", "os._exit", "exit", "quit")
    }

    assert ends == {"cli/__init__.py"}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_names_what_is_public_in_it(name: str) -> None:
    if name.endswith("__main__.py"):
        pytest.skip("it is run, not imported")
    tree = MODULES[name]
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    lists = [node.value for node in assigned if ast.unparse(node.targets[0]) == "__all__"]
    has_code = len(tree.body) > 1

    assert len(lists) == int(has_code)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is_for(name: str) -> None:
    assert ast.get_docstring(MODULES[name])


def test_checks_and_model_ask_no_clock() -> None:
    asked = {
        (name, call)
        for name, tree in MODULES.items()
        if name.startswith(("checks/", "model/"))
        for call in _calls(tree)
        if call.endswith((".now", ".utcnow", ".today"))
    }

    assert asked == set()


# --- the demo ----------------------------------------------------------------------------------


def _tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_shipped_demo_is_the_one_that_is_built_here(tmp_path: Path) -> None:
    build(tmp_path / "demo")

    assert _tree(DEMO) == _tree(tmp_path / "demo"), "run: python -m tests.demo_bundles"


# --- the wheel ---------------------------------------------------------------------------------


def _run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environment},
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


def _kept_in_git() -> list[str]:
    """Everything that is in git, or would be once it is added."""
    listed = _run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT)
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as a release is: the source distribution first, and the wheel from that."""
    if not (find_spec("build") and find_spec("hatchling")):
        raise Unavailable("build", "build and hatchling are not installed", "make setup")
    source = tmp_path_factory.mktemp("source")
    for name in _kept_in_git():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    for folder in (*DATA, "kcompliance"):
        (source / folder / "__pycache__").mkdir()
        (source / folder / "__pycache__/left.over.pyc").write_text("ignored by git")
    out = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, cwd=source)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_exactly_what_git_holds(wheel: Path) -> None:
    expected = set()
    for name in _kept_in_git():
        top, _, rest = name.partition("/")
        if top == "kcompliance":
            expected.add(name)
        elif top in DATA:
            expected.add(f"kcompliance/{DATA[top]}/{rest}")

    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert names == expected


def test_the_wheel_brings_its_licence_and_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "kcompliance/py.typed" in names


def test_the_demo_and_the_cases_run_from_the_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--no-deps", "--no-index", "--target", site, wheel, cwd=tmp_path)
    command = (sys.executable, "-m", "kcompliance")

    where = _run(
        sys.executable,
        "-c",
        "import kcompliance; print(kcompliance.__file__)",
        cwd=tmp_path,
        PYTHONPATH=str(site),
    )
    demo = _run(*command, "demo", cwd=tmp_path, PYTHONPATH=str(site))
    cases = _run(*command, "controls", "test", cwd=tmp_path, PYTHONPATH=str(site))

    assert Path(where.strip()).is_relative_to(site)
    assert "exit code 1" in demo
    assert cases.splitlines()[-1].endswith("as promised, 0 not")


def test_the_installed_command_has_its_name(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--no-deps", "--no-index", "--target", site, wheel, cwd=tmp_path)

    out = _run(site / "bin/kcompliance", "--version", cwd=tmp_path, PYTHONPATH=str(site))

    assert out.startswith("kcompliance ")
