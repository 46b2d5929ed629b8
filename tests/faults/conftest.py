"""A place for an archive, and something to archive, for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.places import RunPlace, run_place
from tests.faults.running import Trail

FILES = 16


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[RunPlace]:
    """An empty place; its kind is the parameter, without one a folder."""
    yield from run_place(getattr(request, "param", "folder"), request)


@pytest.fixture
def trail(place: RunPlace, tmp_path: Path) -> Trail:
    """A few audit log files that are not archived yet."""
    return Trail(folder=tmp_path, place=place, files=FILES)
