"""What holds for every test: a scrubbed environment, and servers left out only loudly.

A test that needs a server which this machine does not have is skipped, and the run ends with the
list of what was left out. Under CI=true it fails.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

from tests.servers.left_out import banner, must_run_everything
from tests.servers.toolchain import CACHE_VARIABLE, Unavailable, cache_folder

pytest_plugins = ["tests.servers.fixtures"]

_LEFT_OUT = "left out"
_KEPT_PREFIX = "KCOMPLIANCE_TEST_"
_SCRUBBED_PREFIXES = ("KCOMPLIANCE_", "KUBERNETES_", "AWS_", "AZURE_")
_SCRUBBED_NAMES = {
    "COLUMNS",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",  # makes Typer believe in a terminal
    "KUBECONFIG",
    "LINES",
    "NO_COLOR",
    "PY_COLORS",
    "TERMINAL_WIDTH",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long`."""
    parser.addoption(
        "--long",
        action="store_true",
        help="also the tests marked `long`, and many more examples for each property",
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Fix for the whole run what tests must not be able to change, or be changed by."""
    config.addinivalue_line("markers", "long: only in the long run, `make test-all`")
    # Tests get a HOME of their own; the cache of the servers stays where it is.
    os.environ[CACHE_VARIABLE] = str(cache_folder())
    # Before any test module is imported: Typer and Rich read some of these when imported.
    for name in _scrubbed():
        del os.environ[name]
    settings.register_profile("everyday", deadline=None)
    settings.register_profile("long", deadline=None, max_examples=2_000)
    settings.load_profile("long" if config.getoption("--long") else "everyday")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests marked `long` to the long run."""
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Leave the test out if one of its fixtures needs a server that is not to be had."""
    try:
        return (yield)
    except Unavailable as error:
        missing = error
    _leave_out(item, missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Leave the test out if it needs a server that is not to be had."""
    try:
        return (yield)
    except Unavailable as error:
        missing = error
    _leave_out(item, missing)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    """End the run with what was left out of it."""
    yield
    left_out = {
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == _LEFT_OUT
    }
    if left_out:
        terminalreporter.write_line(
            banner(Unavailable(*each) for each in sorted(left_out)), red=True, bold=True
        )


@pytest.fixture(scope="session")
def _empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _scrubbed_environment(_empty_home: Path) -> Iterator[None]:
    """No test sees the user's settings and credentials, or what another test has set."""
    with pytest.MonkeyPatch.context() as environment:
        for name in _scrubbed():
            environment.delenv(name)
        environment.setenv("HOME", str(_empty_home))
        environment.delenv("XDG_CONFIG_HOME", raising=False)
        yield


def _scrubbed() -> list[str]:
    return [
        name
        for name in os.environ
        if name in _SCRUBBED_NAMES
        or (name.startswith(_SCRUBBED_PREFIXES) and not name.startswith(_KEPT_PREFIX))
    ]


def _leave_out(item: pytest.Item, missing: Unavailable) -> NoReturn:
    # Properties of a test reach the summary from the workers of pytest-xdist, too; they must be
    # plain values for that.
    item.user_properties.append((_LEFT_OUT, (missing.part, missing.reason, missing.remedy)))
    if must_run_everything():
        pytest.fail(f"{missing}; to bring it: {missing.remedy}", pytrace=False)
    pytest.skip(f"left out: {missing}")
