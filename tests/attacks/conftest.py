"""The archive that each attack gets for itself."""

from pathlib import Path

import pytest

from tests.attacks.victim import Victim


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    return Victim(tmp_path / "archive")
